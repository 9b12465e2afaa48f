using Apache.Arrow;
using Apache.Arrow.Types;
using DuckDB.NET.Data;
using LakeHolo.Accelerator.Execution;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Accelerator.Tests.Execution;

/// <summary>Plans that a connection of the engine keeps.</summary>
public sealed class EngineConnectionTests : IDisposable
{
    private static readonly Schema Columns = new([new Field("n", Int64Type.Default, nullable: true)], null);

    private readonly EngineDatabase _database = new(new EngineOptions { Threads = 1 });
    private readonly EngineConnection _engine;

    public EngineConnectionTests() => _engine = new EngineConnection(_database.OpenConnection());

    public void Dispose()
    {
        _engine.Dispose();
        _database.Dispose();
    }

    [Fact]
    public void A_plan_holds_for_a_version_of_the_rows_and_not_for_another()
    {
        // The engine answers both from what it knew when it planned them.
        string[] texts = ["SELECT count(*) AS n FROM t", "SELECT max(i) AS n FROM t"];
        Write("CREATE TABLE t AS SELECT i FROM range(10) r(i)");
        Assert.Equal([10L, 9L], texts.Select(t => Read(t, "1")));
        Write("INSERT INTO t VALUES (100)");
        Assert.Equal([11L, 100L], texts.Select(t => Read(t, "2")));
        Assert.Equal([11L, 100L], texts.Select(t => Read(t, "2")));
        Assert.Equal(2, _engine.Kept);
    }

    [Fact]
    public void As_many_are_kept_as_memory_is_for_and_the_one_that_was_used_longest_ago_goes_first()
    {
        for (int round = 0; round < 2; round++)
        {
            for (int i = 0; i < 100; i++)
            {
                Assert.Equal(i, Read($"SELECT {i}::BIGINT AS n", string.Empty));
                Assert.Equal(-1, Read("SELECT -1::BIGINT AS n", string.Empty));
            }
        }

        Assert.Equal(32, _engine.Kept);
        Assert.True(_engine.Keeps("SELECT -1::BIGINT AS n"));
        Assert.True(_engine.Keeps("SELECT 99::BIGINT AS n"));
        Assert.False(_engine.Keeps("SELECT 50::BIGINT AS n"));
    }

    [Fact]
    public async Task Idle_connections_keep_no_plans_once_a_statement_found_no_memory()
    {
        using var places = new EnginePlaces(_database, new ExecutionLimits { MaxConcurrent = 8 });
        EngineConnection[] connections = [.. Enumerable.Range(0, 3).Select(_ => places.Connect())];
        foreach (EngineConnection connection in connections[..2])
        {
            connection.Execute("SELECT 1::BIGINT AS n", [], Columns, string.Empty).Dispose();
            await places.AdmitAsync(default);
            places.Leave(connection, hasEnded: true);
        }

        Assert.All(connections[..2], c => Assert.Equal(1, c.Kept));
        await places.AdmitAsync(default);
        places.Leave(connections[2], hasEnded: false, lackedMemory: true);
        Assert.All(connections[..2], c => Assert.Equal(0, c.Kept));
        Assert.Equal(connections[..2].ToHashSet(), new HashSet<EngineConnection> { places.Connect(), places.Connect() });
        System.Array.ForEach(connections[..2], c => c.Dispose());
    }

    [Fact]
    public void A_statement_that_cannot_be_prepared_any_more_leaves_none()
    {
        Write("CREATE TABLE t AS SELECT i FROM range(10) r(i)");
        Assert.Equal(10, Read("SELECT count(*) AS n FROM t", "1"));
        Write("DROP TABLE t");
        Assert.Throws<EngineException>(() => Read("SELECT count(*) AS n FROM t", "1"));
        Assert.Throws<EngineException>(() => Read("SELECT count(*) AS n FROM t", "2"));
        Write("CREATE TABLE t AS SELECT i FROM range(3) r(i)");
        Assert.Equal(3, Read("SELECT count(*) AS n FROM t", "2"));
    }

    private void Write(string sql)
    {
        using DuckDBConnection connection = _database.OpenConnection();
        EngineDatabase.Execute(connection, sql);
    }

    private long Read(string sql, string version)
    {
        using PreparedRows rows = _engine.Execute(sql, [], Columns, version);
        using RecordBatch batch = rows.Next()!;
        Assert.Null(rows.Next());
        return ((Int64Array)batch.Column(0)).GetValue(0)!.Value;
    }
}
