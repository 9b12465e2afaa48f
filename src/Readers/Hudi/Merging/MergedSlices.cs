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
    /// <param name="engine">Runs the scans.</param>
    /// <param name="members">Ordinals of the slices, by identity.</param>
    /// <param name="positions">What is superseded; there are no tables.</param>
    public MergedSlices(EngineDatabase engine, IReadOnlyDictionary<string, int> members, SlicePositions positions)
        : this(engine, members, "", "", areFolded: false, positions.Slices)
        => Positions = positions;

    /// <summary>What is superseded, where positions alone tell it; null where tables do.</summary>
    public SlicePositions? Positions { get; }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, int> Members { get; } = members;

    /// <summary>Superseded base rows: <c>f</c> the slice's ordinal, <c>pos</c> the row's position in its base file.</summary>
    public string DeadTable { get; } = deadTable;

    /// <summary>Where versions were combined: rows, columns as in the snapshot's schema behind <see cref="RecordSql.Slice"/>. Else the places of live log records:
    /// <see cref="RecordSql.Slice"/> and <see cref="RecordSql.Sequence"/>.</summary>
    public string RowsTable { get; } = rowsTable;

    /// <summary>Whether versions were combined.</summary>
    public bool AreFolded { get; } = areFolded;

    /// <summary>The rows of a scan of base files that are not superseded: what follows the scan <c>r</c>.</summary>
    /// <param name="ordinals">Ordinals of the files' slices, in the order of the scan.</param>
    /// <param name="leases">Takes what has to stay until the scan is over.</param>
    public string LiveBases(IReadOnlyList<int> ordinals, List<IAsyncDisposable> leases)
    {
        if (Positions is not null)
        {
            return LiveRows.Positions(engine, [.. ordinals.Select(Positions.OfBase)], "r", leases) is { } condition ? $"r WHERE {condition}" : "r";
        }

        // Not as NOT EXISTS: the engine would collect all rows of the scan to decorrelate it.
        string ordinal = SliceMerger.OrdinalSql(ordinals).Replace("file_index", "r.file_index", StringComparison.Ordinal);
        return $"r ANTI JOIN {DeadTable} d ON d.f = {ordinal} AND d.pos = r.file_row_number";
    }

    /// <summary>The same for a scan of log blocks.</summary>
    /// <param name="blocks">The blocks, in the order of the scan.</param>
    /// <param name="leases">Takes what has to stay until the scan is over.</param>
    public string LiveRecords(IReadOnlyList<DecodedBlock> blocks, List<IAsyncDisposable> leases)
    {
        if (Positions is not null)
        {
            return LiveRows.Positions(engine, [.. blocks.Select(b => Positions.OfBlock(b.Slice, b.Order))], "r", leases) is { } condition ? $"r WHERE {condition}" : "r";
        }

        return $"r SEMI JOIN {RowsTable} v ON v.{RecordSql.Slice} = {DecodedBlock.SliceSql(blocks)} AND v.{RecordSql.Sequence} = {DecodedBlock.SequenceSql(blocks)}";
    }

    /// <summary>Whether base rows of a slice are superseded.</summary>
    public bool HasDeadRows(int ordinal) => slicesWithDeadRows.Contains(ordinal);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Positions is not null)
        {
            Positions.Dispose();
            return;
        }

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
