using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Hudi.Timeline;

namespace LakeHolo.LakeCatalog.Hudi;

/// <summary>Which partitions hold other slices than in a snapshot that is known, by what the timeline says. Told only where nothing but new commits can have changed any:
/// commits that are gone (archived, rolled back, restored), savepoints, compactions and whatever else moves files between slices are answered by reading all again.</summary>
internal static class TimelineChange
{
    // Reading all again is hardly more then.
    private const int MaxPartitions = 256;

    /// <summary>The partitions that new commits wrote to; null where that does not tell.</summary>
    /// <param name="known">The snapshot.</param>
    /// <param name="timeline">The timeline now.</param>
    /// <param name="until">The greatest instant that is wanted.</param>
    /// <param name="excluded">Instants before it that are pending.</param>
    /// <param name="commits">Metadata of the commits up to <paramref name="until"/>.</param>
    public static IReadOnlySet<string>? PartitionsOf(
        HudiSnapshot known, HudiTimeline timeline, string until, IReadOnlySet<string> excluded, IReadOnlyDictionary<string, CommitMetadata> commits)
    {
        // Blocks of log files of layout 1 come without a name of their own. A clock that went back tells of a restore.
        if ((timeline.Commits.FirstOrDefault()?.Time is not { } start) || start != known.Timeline.Commits.FirstOrDefault()?.Time
            || (known.Properties.TimelineLayout == 1 && known.Properties.IsMergeOnRead) || string.CompareOrdinal(until, known.Instant) < 0
            || !Same(i => i.Action is "savepoint" or "restore" or "logcompaction" || (i.Action == "compaction" && !i.IsCompleted) || (!i.IsCompleted && string.CompareOrdinal(i.Time, start) < 0))
            || timeline.Instants.Any(i => i is { Action: "compaction" or "logcompaction", IsCompleted: false } && string.CompareOrdinal(i.Time, known.Instant) > 0))
        {
            return null;
        }

        var partitions = new HashSet<string>(StringComparer.Ordinal);
        var held = commits.Keys.Where(c => !excluded.Contains(c)).ToHashSet(StringComparer.Ordinal);
        if (known.Commits.Keys.Any(c => !held.Contains(c) || timeline.FindCommit(c) != known.Timeline.FindCommit(c)))
        {
            return null;
        }

        foreach (string instant in held.Where(c => !known.Commits.ContainsKey(c)))
        {
            // An empty file tells nothing of what was written.
            if (timeline.FindCommit(instant) is not { SizeBytes: > 0 })
            {
                return null;
            }

            partitions.UnionWith(commits[instant].Writes.Partitions);
            partitions.UnionWith(commits[instant].Replaced.Select(r => r.Partition));
        }

        return partitions.Count <= MaxPartitions ? partitions : null;

        bool Same(Func<Instant, bool> some) => timeline.Instants.Where(some).SequenceEqual(known.Timeline.Instants.Where(some));
    }
}
