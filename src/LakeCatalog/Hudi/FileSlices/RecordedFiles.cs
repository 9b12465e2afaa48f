using LakeHolo.LakeCatalog.Hudi.Timeline;

namespace LakeHolo.LakeCatalog.Hudi.FileSlices;

/// <summary>Compares what commits say they wrote with what lies in storage: a slice that lost a file would quietly read as an older one.</summary>
internal static class RecordedFiles
{
    /// <exception cref="LakeException">NotFound if the base file of a live slice, or one of its log files, is gone; FormatInvalid if a log file is shorter than its writer says.</exception>
    public static void Check(
        IReadOnlyDictionary<string, CommitMetadata> commits,
        TimelineView view,
        Dictionary<(string Partition, string FileId), List<HudiFile>> groups,
        IReadOnlyList<FileSlice> slices,
        bool isLayout2,
        string location,
        IReadOnlySet<(string Partition, string FileId)>? wanted)
    {
        var live = slices.ToDictionary(s => (s.Partition, s.FileId));
        // A log compaction covers log files before it, which a cleaner may then remove.
        var compacted = new Dictionary<(string, string), string>();
        foreach ((string instant, CommitMetadata commit) in commits.Where(c => c.Value.Operation == "LOG_COMPACT").OrderBy(c => c.Key, StringComparer.Ordinal))
        {
            foreach (WriteStat write in commit.Writes)
            {
                compacted[(write.Partition, write.FileId)] = instant;
            }
        }

        foreach ((string instant, CommitMetadata commit) in commits)
        {
            foreach (WriteStat write in commit.Writes)
            {
                if (string.CompareOrdinal(instant, compacted.GetValueOrDefault((write.Partition, write.FileId))) < 0)
                {
                    continue;
                }

                string name = write.Path[(write.Path.LastIndexOf('/') + 1)..];
                if (name.EndsWith("_hudiext", StringComparison.Ordinal))
                {
                    throw LakeException.FeatureUnsupported("Hudi: external base files (_hudiext, written by Apache XTable) are not supported", location + "/" + write.Path);
                }

                HudiFileName? parsed = HudiFileName.TryParse(name);
                if (name.Length > 0 && parsed is null)
                {
                    throw LakeException.FeatureUnsupported($"Hudi: a data file named {name} is not supported", location + "/" + write.Path);
                }

                if (parsed is not { IsCdc: false } file || view.IsReplaced(write.Partition, file.FileId)
                    || wanted?.Contains((write.Partition, file.FileId)) == false)
                {
                    continue;
                }

                (string, string) group = (write.Partition, file.FileId);
                FileSlice? slice = live.GetValueOrDefault(group);
                if (groups.GetValueOrDefault(group)?.FirstOrDefault(f => f.Path == write.Path) is { } stored)
                {
                    // Blocks behind the end would be missed without a word. (An append to a file of version 6 records its own length.)
                    if (file.IsLog && stored.SizeBytes < write.SizeBytes && slice?.Logs.Contains(stored) == true)
                    {
                        throw LakeException.FormatInvalid($"Hudi: corrupt log block of a completed commit ({instant}): it wrote {write.SizeBytes} bytes to a log file that has {stored.SizeBytes}", location + "/" + write.Path);
                    }

                    continue;
                }

                // An older version that a cleaner removed is not missed: the live slice has a newer base file.
                // Where a version 6 slice has log files, a commit's blocks are looked for in all of them, when they are read.
                bool isMissed = slice is null || (!file.IsLog
                    ? string.CompareOrdinal(file.Instant, slice.Base?.Instant ?? "") > 0
                    : isLayout2
                        ? string.CompareOrdinal(view.CompletionOf(instant, [slice.BaseInstant]), slice.BaseInstant) > 0
                        : slice.Logs.Count == 0 && string.CompareOrdinal(file.Instant, slice.BaseInstant) >= 0);
                if (isMissed)
                {
                    throw LakeException.NotFound($"Hudi: missing {(file.IsLog ? "log" : "base")} file of instant {instant}", location + "/" + write.Path);
                }
            }
        }
    }
}
