using System.Globalization;
using DuckDB.NET.Data;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Hudi.Merging;

/// <summary>The outcome of merging the slices of one snapshot: base rows that are superseded, and the rows that log records put in their place.</summary>
/// <remarks>Lives in two tables of the engine until the last scan that names them is disposed and the cache has let go.</remarks>
internal sealed class MergedSlices(EngineDatabase engine, string deadTable, string rowsTable, IReadOnlyDictionary<string, int> slicesWithDeadRows) : IAsyncDisposable
{
    private int _uses = 1;

    /// <summary>Table of superseded base rows: <c>f</c> the slice's ordinal, <c>pos</c> the row's position in its base file.</summary>
    public string DeadTable { get; } = deadTable;

    /// <summary>Table of rows, columns as in the snapshot's schema behind <see cref="RecordSql.Slice"/>, the slice's ordinal.</summary>
    public string RowsTable { get; } = rowsTable;

    /// <summary>The slice's ordinal of a base file that has superseded rows; null for another file.</summary>
    public int? DeadSliceOf(ReadableFile file) => slicesWithDeadRows.TryGetValue(file.Identity, out int ordinal) ? ordinal : null;

    /// <summary>Takes part in the tables' life; false if they are gone already.</summary>
    public bool TryAcquire()
    {
        for (int uses = Volatile.Read(ref _uses); uses > 0; uses = Volatile.Read(ref _uses))
        {
            if (Interlocked.CompareExchange(ref _uses, uses + 1, uses) == uses)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Gives one use back; the last one drops the tables.</summary>
    public ValueTask DisposeAsync()
    {
        if (Interlocked.Decrement(ref _uses) == 0)
        {
            try
            {
                using DuckDBConnection connection = engine.OpenConnection();
                EngineDatabase.Execute(connection, string.Create(CultureInfo.InvariantCulture, $"DROP TABLE IF EXISTS {DeadTable}; DROP TABLE IF EXISTS {RowsTable}"));
            }
            catch (ObjectDisposedException)
            {
                // The engine is gone, and the tables with it.
            }
        }

        return ValueTask.CompletedTask;
    }
}
