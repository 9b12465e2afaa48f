using DuckDB.NET.Data;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Tests.Engine;

public sealed class EngineDatabaseTests
{
    private const int Connections = 50;

    [Fact]
    public void Connections_of_one_database_share_it_and_another_database_sees_nothing_of_it()
    {
        using var one = new EngineDatabase(new EngineOptions { Threads = 1 });
        using var other = new EngineDatabase(new EngineOptions { Threads = 1 });
        using (DuckDBConnection first = one.OpenConnection())
        {
            EngineDatabase.Execute(first, "CREATE TABLE t AS SELECT 42 AS x");
        }

        using DuckDBConnection second = one.OpenConnection();
        EngineDatabase.Execute(second, "SELECT x FROM t");
        using DuckDBConnection foreign = other.OpenConnection();
        Assert.Throws<DuckDBException>(() => EngineDatabase.Execute(foreign, "SELECT x FROM t"));
    }

    [Fact]
    public void The_database_is_in_memory_and_leaves_no_file()
    {
        using var engine = new EngineDatabase(new EngineOptions { Threads = 1 });
        using DuckDBConnection connection = engine.OpenConnection();
        EngineDatabase.Execute(connection, "CREATE TABLE t AS SELECT range AS x FROM range(100000)");
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = "SELECT count(*) FROM duckdb_databases() WHERE path IS NOT NULL";
        Assert.Equal(0L, command.ExecuteScalar());
        Assert.Empty(Directory.GetFiles(Environment.CurrentDirectory, "*memory*lakeholo*"));
    }

    /// <summary>A setting that is the first connection's alone would leave all others in the machine's time zone (which has another name for UTC at the least).</summary>
    [Fact]
    public void Every_connection_has_the_settings()
    {
        using var engine = new EngineDatabase(new EngineOptions { Threads = 1 });
        foreach (DuckDBConnection connection in (DuckDBConnection[])[engine.OpenConnection(), engine.OpenWatchedConnection()])
        {
            using (connection)
            {
                using DuckDBCommand command = connection.CreateCommand();
                command.CommandText = "SELECT current_setting('TimeZone') || ' ' || current_setting('preserve_insertion_order') || ' ' || current_setting('enable_external_file_cache')";
                Assert.Equal("UTC false false", command.ExecuteScalar());
            }
        }
    }

    [Fact]
    public void Connections_are_opened_and_closed_side_by_side()
    {
        using var engine = new EngineDatabase(new EngineOptions { Threads = 1 });
        Parallel.For(0, Connections, _ =>
        {
            using DuckDBConnection connection = engine.OpenConnection();
            EngineDatabase.Execute(connection, "SELECT sum(range) FROM range(1000)");
        });
    }
}
