using LakeHolo.Accelerator.Sql;

namespace LakeHolo.Accelerator.Tests.Sql;

public sealed class ManagementStatementTests
{
    [Theory]
    [InlineData("EXPLAIN LAKE SELECT '--x', '/* y */' AS \"a--b\" -- why\n FROM t /* there */", "SELECT '--x', '/* y */' AS \"a--b\"  \n FROM t")]
    [InlineData("/* by a tool */ EXPLAIN LAKE SELECT 'it''s -- one' ;", "SELECT 'it''s -- one'")]
    [InlineData("-- first\nEXPLAIN LAKE SELECT $$/* text */ -- it is$$", "SELECT $$/* text */ -- it is$$")]
    [InlineData("EXPLAIN LAKE SELECT 'open --", "SELECT 'open --")]
    public void Comments_are_taken_out_and_what_looks_like_one_in_a_string_or_a_name_stays(string text, string query) =>
        Assert.Equal(query, Assert.IsType<ManagementStatement.ExplainLake>(ManagementStatement.TryParse(text)).Query);

    [Fact]
    public void The_condition_of_a_promotion_is_taken_as_it_is_written()
    {
        var tier = Assert.IsType<ManagementStatement.Tier>(ManagementStatement.TryParse("PROMOTE TABLE dwd.t /* part */ WHERE dt = '/*2026*/--'"));
        Assert.Equal("dt = '/*2026*/--'", tier.Promotion!.Where);
    }

    [Fact]
    public void A_text_of_many_open_quotes_and_comments_is_read_in_one_pass()
    {
        string query = string.Concat(Enumerable.Repeat("'--' \"/*\" $$'$$ ", 200_000)).TrimEnd();
        string open = string.Concat(Enumerable.Repeat("/* ' \" $$ ", 200_000)); // one comment without an end
        Assert.Equal(query, Assert.IsType<ManagementStatement.ExplainLake>(ManagementStatement.TryParse($"EXPLAIN LAKE /* 1 */ {query} {open}")).Query);
    }
}
