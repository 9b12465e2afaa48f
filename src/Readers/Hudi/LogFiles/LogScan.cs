using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Hudi.LogFiles;
using LakeHolo.LakeCatalog.Hudi.Timeline;

namespace LakeHolo.Readers.Hudi.LogFiles;

/// <summary>A log file with its blocks.</summary>
/// <param name="File">The file.</param>
/// <param name="Blocks">Its blocks.</param>
/// <param name="Content">Its bytes, where they were read just now; null if they have to be read again.</param>
internal sealed record LogFile(HudiFile File, IReadOnlyList<LogBlock> Blocks, ReadOnlyMemory<byte>? Content);

/// <summary>A block whose records take part in a merge.</summary>
internal sealed record LiveBlock(LogFile Log, LogBlock Block);

/// <summary>Chooses the blocks of a slice that a snapshot holds, oldest first.</summary>
internal static class LogScan
{
    /// <exception cref="LakeException">FormatInvalid for a corrupt block of a completed commit; FeatureUnsupported names an unknown command.</exception>
    public static IReadOnlyList<LiveBlock> LiveBlocks(HudiSnapshot snapshot, FileSlice slice, IReadOnlyList<LogFile> logs)
    {
        var live = new List<LiveBlock>();
        foreach (LogFile log in logs)
        {
            foreach (LogBlock block in log.Blocks)
            {
                switch (block.Type)
                {
                    case LogBlockType.Corrupt:
                        CheckTorn(snapshot, slice, log);
                        break;
                    case LogBlockType.CdcData:
                        break;
                    case LogBlockType.Command:
                        RollBack(block, live, log.File.Path);
                        break;
                    default:
                        if (block.Instant.Length == 0)
                        {
                            throw LakeException.FormatInvalid($"Hudi: the log block at byte {block.Offset} has no instant", log.File.Path);
                        }

                        if (snapshot.Holds(block.Instant))
                        {
                            live.Add(new LiveBlock(log, block));
                        }

                        break;
                }
            }
        }

        CheckComplete(snapshot, slice, logs);
        return live.Any(b => b.Block.CompactedInstants.Length > 0) ? ReplaceCompacted(live) : live;
    }

    // A rollback undoes blocks before it, whenever it happened: the same instant may be tried again after it.
    private static void RollBack(LogBlock block, List<LiveBlock> live, string path)
    {
        string? command = block.Headers.GetValueOrDefault(LogHeader.CommandBlockType);
        if (command != "0")
        {
            throw LakeException.FeatureUnsupported($"Hudi: log command '{command}' is not supported", path);
        }

        string? target = block.Headers.GetValueOrDefault(LogHeader.TargetInstantTime);
        live.RemoveAll(b => b.Block.Instant == target);
    }

    // A torn append of a failed commit holds nothing. A commit that completed and has no whole block in a file that it names has lost rows.
    private static void CheckTorn(HudiSnapshot snapshot, FileSlice slice, LogFile log)
    {
        var partition = new HashSet<string>([slice.Partition], StringComparer.Ordinal);
        IEnumerable<string> writers = snapshot.Properties.TimelineLayout == 2
            ? [log.File.Instant]
            : snapshot.Commits.Where(c => c.Value.Writes.In(partition).Any(w => w.FileId == slice.FileId && w.Path == log.File.Path)).Select(c => c.Key)
                .Where(i => !log.Blocks.Any(b => b.Instant == i));
        if (writers.FirstOrDefault(snapshot.Holds) is { } instant)
        {
            throw LakeException.FormatInvalid($"Hudi: corrupt log block of a completed commit ({instant})", log.File.Path);
        }
    }

    // Version 6: every commit that wrote to a log of this slice must have left a block in one of them.
    private static void CheckComplete(HudiSnapshot snapshot, FileSlice slice, IReadOnlyList<LogFile> logs)
    {
        if (snapshot.Properties.TimelineLayout == 2)
        {
            return;
        }

        var partition = new HashSet<string>([slice.Partition], StringComparer.Ordinal);
        var found = logs.SelectMany(l => l.Blocks).Select(b => b.Instant).ToHashSet(StringComparer.Ordinal);
        var slices = slice.Logs.Select(l => l.Instant).ToHashSet(StringComparer.Ordinal);
        foreach ((string instant, CommitMetadata commit) in snapshot.Commits.Where(c => !found.Contains(c.Key)))
        {
            foreach (WriteStat write in commit.Writes.In(partition).Where(w => w.FileId == slice.FileId))
            {
                // .<fileId>_<base instant>.log.<version>_<token>
                string name = write.Path[(write.Path.LastIndexOf('/') + 1)..];
                if (name.StartsWith('.') && !name.EndsWith(".cdc", StringComparison.Ordinal) && slices.Any(s => name.Contains($"_{s}.log.", StringComparison.Ordinal)))
                {
                    throw LakeException.NotFound($"Hudi: no log block of the completed commit {instant} is left", write.Path);
                }
            }
        }
    }

    // Blocks that a log compaction merged are taken once, in place of the newest of them; a later log compaction may cover an earlier one.
    private static List<LiveBlock> ReplaceCompacted(List<LiveBlock> live)
    {
        var byInstant = new Dictionary<string, List<LiveBlock>>(StringComparer.Ordinal);
        var arrival = new List<string>();
        foreach (LiveBlock block in live)
        {
            if (!byInstant.TryGetValue(block.Block.Instant, out List<LiveBlock>? blocks))
            {
                byInstant[block.Block.Instant] = blocks = [];
                arrival.Add(block.Block.Instant);
            }

            blocks.Add(block);
        }

        var covered = new Dictionary<string, string>(StringComparer.Ordinal);
        var emitted = new List<string>();
        for (int i = arrival.Count - 1; i >= 0; i--)
        {
            string[] compacted = byInstant[arrival[i]].Select(b => b.Block.CompactedInstants).FirstOrDefault(c => c.Length > 0) ?? [];
            string final = covered.GetValueOrDefault(arrival[i]) ?? arrival[i];
            foreach (string instant in compacted)
            {
                covered[instant] = final;
            }

            if (compacted.Length == 0 && !emitted.Contains(final))
            {
                emitted.Add(final);
            }
        }

        // Compacted blocks whose sources are gone from the slice are its oldest content.
        emitted.AddRange(covered.Values.Distinct().Where(f => !emitted.Contains(f)));
        emitted.Reverse();
        return [.. emitted.SelectMany(i => byInstant[i])];
    }
}
