using LakeHolo.Cli.Commands;

namespace LakeHolo.Cli.Tests.Commands;

public sealed class StatementSplitterTests
{
    [Theory]
    [InlineData("SELECT 1", new[] { "SELECT 1" })]
    [InlineData("SELECT 1; SELECT 2;", new[] { "SELECT 1", "SELECT 2" })]
    [InlineData("SELECT ';', \"a;b\", 'it''s; fine'; SELECT 2", new[] { "SELECT ';', \"a;b\", 'it''s; fine'", "SELECT 2" })]
    [InlineData("-- one; not two\nSELECT 1; /* nothing; here */ ;; -- end", new[] { "-- one; not two\nSELECT 1" })]
    [InlineData("SELECT /* ; */ 1", new[] { "SELECT /* ; */ 1" })]
    [InlineData("SELECT 'open; end", new[] { "SELECT 'open; end" })]
    [InlineData("SELECT $$a;b$$; SELECT $x$ $$ ; $y$ $x$, $1;SELECT 2", new[] { "SELECT $$a;b$$", "SELECT $x$ $$ ; $y$ $x$, $1", "SELECT 2" })]
    [InlineData("SELECT E'\\';x', e'it\\\\'; SELECT 2", new[] { "SELECT E'\\';x', e'it\\\\'", "SELECT 2" })]
    [InlineData("SELECT some'\\'; SELECT 2", new[] { "SELECT some'\\'", "SELECT 2" })]
    [InlineData("/* a /* ; */ ; */ FROM t$files; FROM a$b$c; SELECT $$ open; ", new[] { "/* a /* ; */ ; */ FROM t$files", "FROM a$b$c", "SELECT $$ open;" })]
    [InlineData("SELECT 'a' -- it's; \n, $", new[] { "SELECT 'a' -- it's; \n, $" })]
    [InlineData(" \n ; -- only a comment", new string[0])]
    public void Statements_end_at_semicolons_outside_strings_names_and_comments(string text, string[] expected)
        => Assert.Equal(expected, StatementSplitter.Split(text));
}
