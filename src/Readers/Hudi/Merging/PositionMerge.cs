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

        return SlicePositions.TryMerge(blocks, deletes) is { } merged ? new MergedSlices(engine, members, merged) : null;
    }

    private static long RowCount(ReadableFile file) => LocalFooter.TryRead(file.LocalPath) is { } footer ? ParquetLayout.Parse([.. footer, .. new byte[ParquetLayout.TailBytes]], long.MaxValue).RowGroups.Sum() : -1;
}
