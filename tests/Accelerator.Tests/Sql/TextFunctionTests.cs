using DuckDB.NET.Data;
using LakeHolo.Accelerator.Sql;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Accelerator.Tests.Sql;

public sealed class TextFunctionTests : IDisposable
{
    private readonly EngineDatabase _engine = new(new EngineOptions { Threads = 1 });
    private readonly DuckDBConnection _connection;

    public TextFunctionTests() => _connection = _engine.OpenConnection();

    [Fact]
    public void Texts_of_every_length_come_back_whole_call_after_call()
    {
        var function = new TextFunction("SELECT CAST($1 AS VARCHAR) || '!'");
        foreach (string text in new[] { "", "elf byte 11", "zwölf bytes", "dreizehn Byte", new string('ü', 100_000), "x" })
        {
            Assert.Equal(text + "!", function.Call(_connection, text));
        }
    }

    [Fact]
    public void A_refused_call_tells_the_engines_message_and_spoils_no_later_one()
    {
        var function = new TextFunction("SELECT CAST(CAST($1 AS INTEGER) AS VARCHAR)");
        Assert.Contains("abc", Assert.Throws<TextFunctionException>(() => function.Call(_connection, "abc")).Message, StringComparison.Ordinal);
        Assert.Equal("12", function.Call(_connection, "12"));
        Assert.Throws<TextFunctionException>(() => new TextFunction("SELECT nothing($1)").Call(_connection, ""));
        Assert.Throws<TextFunctionException>(() => new TextFunction("SELECT NULLIF(CAST($1 AS VARCHAR), '')").Call(_connection, ""));
        Assert.Throws<TextFunctionException>(() => new TextFunction("SELECT CAST($1 AS VARCHAR) FROM range(0)").Call(_connection, ""));
    }

    [Fact]
    public void It_stays_prepared_when_tables_come_and_go_and_each_connection_has_its_own()
    {
        var function = new TextFunction("SELECT upper(CAST($1 AS VARCHAR))");
        Assert.Equal("A", function.Call(_connection, "a"));
        EngineDatabase.Execute(_connection, "CREATE TABLE t (a INTEGER)");
        Assert.Equal("B", function.Call(_connection, "b"));
        EngineDatabase.Execute(_connection, "DROP TABLE t");
        using (DuckDBConnection other = _engine.OpenConnection())
        {
            Assert.Equal("C", function.Call(other, "c"));
        }

        Assert.Equal("D", function.Call(_connection, "d"));
    }

    public void Dispose()
    {
        _connection.Dispose();
        _engine.Dispose();
    }
}
