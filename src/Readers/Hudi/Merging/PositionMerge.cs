using DuckDB.NET.Data;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.Readers.Cache.Sparse;
using LakeHolo.Readers.DataFiles.Parquet;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Hudi.Merging;

/// <summary>Merging where every log record tells the position of its row, the newest one wins and no column says that a record is a deletion: the positions alone then tell which
/// base rows are superseded and which log records are live. Neither the base files nor the decoded blocks are read.</summary>
internal static class PositionMerge
{
    /// <summary>Merges slices.</summary>
    /// <param name="engine">Holds the result.</param>
    /// <param name="snapshot">Whose rules apply.</param>
    /// <param name="rules">How versions become one.</param>
    /// <param name="members">Identities of the slices, with their ordinals.</param>
    /// <param name="blocks">Data blocks.</param>
    /// <param name="deletes">Delete blocks.</param>
    /// <returns>Null where more than positions has to be looked at.</returns>
    public static MergedSlices? TryMerge(
        EngineDatabase engine, HudiSnapshot snapshot, MergeRules rules, IReadOnlyDictionary<string, int> members, IReadOnlyList<DecodedBlock> blocks, IReadOnlyList<DecodedDeletes> deletes)
    {
        var scan = new SliceScan(snapshot);
        if (rules.AreFolded || rules.Ordering.Count > 0 || blocks.Any(b => b.Positions is null) || deletes.Any(d => d.Positions?.Count != d.Keys.Count)
            || blocks.Any(b => rules.DeletingColumns.Any(c => scan.NameIn(b.File, c) is not null) || RowCount(b.File) != b.Positions!.Count))
        {
            return null;
        }

        using DuckDBConnection connection = engine.OpenConnection();
        string name = SliceMerger.NewName();
        (string dead, string rows) = (name + "_dead", name + "_rows");
        EngineDatabase.Execute(
            connection,
            "CREATE SCHEMA IF NOT EXISTS hudi_merge; "
            + $"CREATE TABLE {dead} (f INTEGER, pos BIGINT); CREATE TABLE {rows} ({RecordSql.Slice} INTEGER, {RecordSql.Sequence} BIGINT)");
        HashSet<int> slices = Fill(connection, dead, rows, blocks, deletes);
        return new MergedSlices(engine, members, dead, rows, areFolded: false, slices);
    }

    // From the newest block to the oldest one: the first record of a position is the one that counts.
    private static HashSet<int> Fill(DuckDBConnection connection, string dead, string rows, IReadOnlyList<DecodedBlock> blocks, IReadOnlyList<DecodedDeletes> deletes)
    {
        var slices = new HashSet<int>();
        using PairAppender superseded = SliceMerger.Pairs(connection, dead);
        using PairAppender live = SliceMerger.Pairs(connection, rows);
        IEnumerable<(int Slice, int Order, IReadOnlyList<long> Positions, bool AreDeletions)> all =
            [.. blocks.Select(b => (b.Slice, b.Order, b.Positions!, false)), .. deletes.Select(d => (d.Slice, d.Order, d.Positions!, true))];
        foreach (var slice in all.GroupBy(b => b.Slice))
        {
            var seen = new HashSet<long>();
            foreach ((_, int order, IReadOnlyList<long> positions, bool areDeletions) in slice.OrderByDescending(b => b.Order))
            {
                for (int i = 0; i < positions.Count; i++)
                {
                    if (!seen.Add(positions[i]))
                    {
                        continue;
                    }

                    superseded.Append(slice.Key, positions[i]);
                    if (!areDeletions)
                    {
                        live.Append(slice.Key, DecodedBlock.FirstSequence(order) + i);
                    }
                }
            }

            if (seen.Count > 0)
            {
                slices.Add(slice.Key);
            }
        }

        superseded.Complete();
        live.Complete();
        return slices;
    }

    private static long RowCount(ReadableFile file) => LocalFooter.TryRead(file.LocalPath) is { } footer ? ParquetLayout.Parse([.. footer, .. new byte[ParquetLayout.TailBytes]], long.MaxValue).RowGroups.Sum() : -1;
}
