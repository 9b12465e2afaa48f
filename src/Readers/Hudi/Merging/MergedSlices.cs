using DuckDB.NET.Data;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Merging;

namespace LakeHolo.Readers.Hudi.Merging;

/// <summary>The outcome of merging slices: base rows that are superseded, and what takes their place.</summary>
/// <param name="engine">Holds the tables.</param>
/// <param name="members">Ordinals of the slices, by identity.</param>
/// <param name="deadTable">Table of superseded base rows.</param>
/// <param name="rowsTable">Table of what takes their place.</param>
/// <param name="areFolded">Whether versions were combined.</param>
/// <param name="slicesWithDeadRows">Ordinals of the slices in the dead table.</param>
internal sealed class MergedSlices(
    EngineDatabase engine, IReadOnlyDictionary<string, int> members, string deadTable, string rowsTable, bool areFolded, IReadOnlySet<int> slicesWithDeadRows) : IMergeResult
{
    /// <inheritdoc/>
    public IReadOnlyDictionary<string, int> Members { get; } = members;

    /// <summary>Superseded base rows: <c>f</c> the slice's ordinal, <c>pos</c> the row's position in its base file.</summary>
    public string DeadTable { get; } = deadTable;

    /// <summary>Where versions were combined: rows, columns as in the snapshot's schema behind <see cref="RecordSql.Slice"/>. Else the places of live log records:
    /// <see cref="RecordSql.Slice"/> and <see cref="RecordSql.Sequence"/>.</summary>
    public string RowsTable { get; } = rowsTable;

    /// <summary>Whether versions were combined.</summary>
    public bool AreFolded { get; } = areFolded;

    /// <summary>Whether base rows of a slice are superseded.</summary>
    public bool HasDeadRows(int ordinal) => slicesWithDeadRows.Contains(ordinal);

    /// <inheritdoc/>
    public void Dispose()
    {
        try
        {
            using DuckDBConnection connection = engine.OpenConnection();
            EngineDatabase.Execute(connection, $"DROP TABLE IF EXISTS {DeadTable}; DROP TABLE IF EXISTS {RowsTable}");
        }
        catch (ObjectDisposedException)
        {
            // The engine is gone, and the tables with it.
        }
    }
}
