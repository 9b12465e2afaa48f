using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.HotTier;

/// <summary>A difference in terms of units, as a copy applies it.</summary>
internal sealed record UnitChanges
{
    /// <summary>Units that are no more.</summary>
    public required IReadOnlySet<string> Gone { get; init; }

    /// <summary>Units that were not there.</summary>
    public required IReadOnlySet<string> New { get; init; }

    /// <summary>Units that have other rows than before.</summary>
    public required IReadOnlySet<string> Changed { get; init; }

    /// <summary>Units (files) that lost positions.</summary>
    public required IReadOnlySet<string> Positions { get; init; }

    /// <summary>Whether the new units hold the very rows of those that are gone.</summary>
    public required bool RowsUnchanged { get; init; }

    /// <summary>Translates a difference.</summary>
    /// <param name="reader">Names the units.</param>
    /// <param name="from">The older snapshot.</param>
    /// <param name="to">The newer one.</param>
    /// <param name="diff">Their difference.</param>
    /// <param name="held">What the copy holds at the older snapshot.</param>
    /// <param name="covers">Which files the copy is to hold; null for all.</param>
    public static UnitChanges Of(IUnitReader reader, Snapshot from, Snapshot to, SnapshotDiff diff, UnitMap held, Func<DataFileInfo, bool>? covers)
    {
        UnitChanges all = OfAll(reader, from, to, covers is null ? diff : diff with { Added = [.. diff.Added.Where(covers)] }, held);
        if (covers is null)
        {
            return all;
        }

        // What the copy holds of days that are over goes; units of partitions that it does not hold are none of its.
        var past = to.EnumerateFiles().Where(f => !covers(f)).Select(f => reader.UnitOf(to, f)).Where(held.Has).ToHashSet(StringComparer.Ordinal);
        return all with
        {
            Gone = past.Union(all.Gone.Where(held.Has)).ToHashSet(StringComparer.Ordinal),
            Changed = all.Changed.Where(u => held.Has(u) && !past.Contains(u)).ToHashSet(StringComparer.Ordinal),
            Positions = all.Positions.Where(u => held.Has(u) && !past.Contains(u)).ToHashSet(StringComparer.Ordinal),
            RowsUnchanged = all.RowsUnchanged && past.Count == 0,
        };
    }

    private static UnitChanges OfAll(IUnitReader reader, Snapshot from, Snapshot to, SnapshotDiff diff, UnitMap held)
    {
        var removed = diff.Removed.Select(f => reader.UnitOf(from, f)).ToHashSet(StringComparer.Ordinal);
        var added = diff.Added.Select(f => reader.UnitOf(to, f)).ToHashSet(StringComparer.Ordinal);
        var positions = diff.PositionsRemoved.Select(f => reader.UnitOf(to, f)).ToHashSet(StringComparer.Ordinal);
        if (reader.UnitsOf(to) == UnitKind.Files)
        {
            // A file that is on both lists is another under the same name.
            var both = removed.Intersect(added).ToHashSet(StringComparer.Ordinal);
            removed.ExceptWith(both);
            added.ExceptWith(both);
            return new UnitChanges { Gone = removed, New = added, Changed = both, Positions = positions, RowsUnchanged = KeepsRows(diff, positions.Count + both.Count > 0, removed, added) };
        }

        var touched = removed.Concat(added).Concat(positions).ToHashSet(StringComparer.Ordinal);
        var live = to.EnumerateFiles().Select(f => reader.UnitOf(to, f)).Where(touched.Contains).ToHashSet(StringComparer.Ordinal);
        var gone = touched.Except(live).Where(held.Has).ToHashSet(StringComparer.Ordinal);
        var fresh = live.Where(u => !held.Has(u)).ToHashSet(StringComparer.Ordinal);
        return new UnitChanges
        {
            Gone = gone,
            New = fresh,
            Changed = live.Where(held.Has).ToHashSet(StringComparer.Ordinal),
            Positions = new HashSet<string>(),
            RowsUnchanged = diff.RowsUnchanged && (gone.Count > 0 || fresh.Count == 0),
        };
    }

    // The writer's word, checked where the files' counts are known.
    private static bool KeepsRows(SnapshotDiff diff, bool hasOthers, HashSet<string> gone, HashSet<string> fresh)
        => diff.RowsUnchanged && !hasOthers && (gone.Count > 0 || fresh.Count == 0) && (Count(diff.Removed), Count(diff.Added)) is var (before, after) && (before is null || after is null || before == after);

    private static long? Count(IReadOnlyList<DataFileInfo> files)
        => files.All(f => f is { RowCount: not null, DeletedRowCount: not null }) ? files.Sum(f => f.RowCount!.Value - f.DeletedRowCount!.Value) : null;
}
