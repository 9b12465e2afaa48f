using System.Runtime.InteropServices;
using DuckDB.NET.Data;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Paimon;

/// <summary>Tables of this reader in the engine: dead positions and merged rows. Dropped when nobody uses them any more.</summary>
internal sealed class EngineTable(EngineDatabase engine, string name) : IDisposable
{
    private static long _counter;

    /// <summary>Qualified name.</summary>
    public string Name { get; } = name;

    /// <summary>A new name; the table is not made yet.</summary>
    public static EngineTable Reserve(EngineDatabase engine, string kind) =>
        new(engine, $"paimon_rows.{kind}_{Interlocked.Increment(ref _counter).ToString(System.Globalization.CultureInfo.InvariantCulture)}");

    public static void CreateSchema(EngineDatabase engine)
    {
        using DuckDBConnection connection = engine.OpenConnection();
        EngineDatabase.Execute(connection, "CREATE SCHEMA IF NOT EXISTS paimon_rows");
    }

    /// <summary>Makes a table of (f INTEGER, pos BIGINT) with the given positions.</summary>
    public static EngineTable OfPositions(EngineDatabase engine, DuckDBConnection connection, IEnumerable<(int File, List<long> Positions)> positions)
    {
        EngineTable table = Reserve(engine, "dead");
        EngineDatabase.Execute(connection, $"CREATE TABLE {table.Name} (f INTEGER, pos BIGINT)");
        string[] parts = table.Name.Split('.');
        using var appender = new PairAppender(connection, parts[0], parts[1]);
        foreach ((int file, List<long> list) in positions)
        {
            appender.Append(file, CollectionsMarshal.AsSpan(list));
        }

        appender.Complete();
        return table;
    }

    public void Dispose()
    {
        using DuckDBConnection connection = engine.OpenConnection();
        EngineDatabase.Execute(connection, $"DROP TABLE IF EXISTS {Name}");
    }
}

/// <summary>Drops a table with the scan that reads it.</summary>
internal sealed class TableLease(EngineTable table) : IAsyncDisposable
{
    public ValueTask DisposeAsync()
    {
        table.Dispose();
        return ValueTask.CompletedTask;
    }
}
