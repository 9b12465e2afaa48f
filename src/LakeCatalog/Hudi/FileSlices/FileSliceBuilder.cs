using LakeHolo.LakeCatalog.Hudi.Timeline;

namespace LakeHolo.LakeCatalog.Hudi.FileSlices;

/// <summary>Chooses the live slice of a file group as of a point of the timeline.</summary>
/// <param name="view">The timeline, cut off where the snapshot ends.</param>
/// <param name="isLayout2">Log files belong to slices by completion time (version 8 and later), not by the instant in their name.</param>
internal sealed class FileSliceBuilder(TimelineView view, bool isLayout2)
{
    /// <summary>The slice that a snapshot query reads; null if nothing of the group is visible.</summary>
    /// <param name="partition">Partition path.</param>
    /// <param name="fileId">The group.</param>
    /// <param name="files">Its base and log files, change logs left out.</param>
    public FileSlice? Choose(string partition, string fileId, IReadOnlyList<HudiFile> files)
    {
        if (files is [{ LogVersion: 0 } only] && view.IsVisible(only.Instant) && !view.IsPendingCompaction(only.Instant) && view.PendingCompactionOf(partition, fileId) is null)
        {
            return new FileSlice { Partition = partition, FileId = fileId, BaseInstant = only.Instant, Base = only };
        }

        var slices = new SortedDictionary<string, Draft>(StringComparer.Ordinal);
        foreach (HudiFile file in files.Where(f => f.LogVersion == 0 && view.MayBegin(f.Instant)))
        {
            Draft draft = At(slices, file.Instant);
            draft.Base = Preferred(draft.Base, file);
        }

        if (isLayout2 && view.PendingCompactionOf(partition, fileId) is { } planned && view.IsWithin(planned))
        {
            At(slices, planned);
        }

        IEnumerable<HudiFile> logs = files.Where(f => f.LogVersion > 0)
            .OrderBy(f => f.Instant, StringComparer.Ordinal).ThenBy(f => f.LogVersion).ThenBy(f => f.WriteToken, StringComparer.Ordinal);
        foreach (HudiFile log in logs)
        {
            // Version 8 and later: one delta commit per log file, so an invisible commit's file plays no part. Version 6: blocks are judged one by one.
            if (!isLayout2)
            {
                At(slices, log.Instant).Logs.Add(log);
            }
            else if (view.IsVisible(log.Instant))
            {
                At(slices, Owner(slices.Keys, view.CompletionOf(log.Instant, slices.Keys)) ?? log.Instant).Logs.Add(log);
            }
        }

        return Newest(partition, fileId, slices);
    }

    /// <summary>The base file that the read-optimised view reads; null if none is visible.</summary>
    public HudiFile? ChooseBase(IEnumerable<HudiFile> files)
    {
        HudiFile? newest = null;
        foreach (HudiFile file in files.Where(f => f.LogVersion == 0 && view.IsVisible(f.Instant) && !view.IsPendingCompaction(f.Instant)))
        {
            int order = newest is null ? 1 : string.CompareOrdinal(file.Instant, newest.Instant);
            newest = order > 0 ? file : order == 0 ? Preferred(newest, file) : newest;
        }

        return newest;
    }

    private FileSlice? Newest(string partition, string fileId, SortedDictionary<string, Draft> slices)
    {
        // Logs written after a compaction was scheduled lie in a slice of the compaction's instant, whose base file is not there yet (or partial):
        // they continue the committed slice below.
        var later = new List<HudiFile>();
        string? key = null;
        foreach ((string instant, Draft draft) in slices.Reverse())
        {
            bool isPendingCompaction = view.IsPendingCompaction(instant);
            if (!view.IsWithin(instant) || (!isPendingCompaction && !view.IsVisible(instant)))
            {
                continue;
            }

            key ??= instant;
            later.InsertRange(0, draft.Logs);
            if (!isPendingCompaction)
            {
                return new FileSlice { Partition = partition, FileId = fileId, BaseInstant = instant, Base = draft.Base, Logs = later };
            }
        }

        return later.Count == 0 ? null : new FileSlice { Partition = partition, FileId = fileId, BaseInstant = key!, Logs = later };
    }

    private static string? Owner(IEnumerable<string> keys, string completion)
    {
        string? owner = null;
        foreach (string key in keys)
        {
            if (string.CompareOrdinal(key, completion) <= 0)
            {
                owner = key;
            }
        }

        return owner;
    }

    private HudiFile Preferred(HudiFile? one, HudiFile other)
        => one is null || view.IsRecorded(other) || (!view.IsRecorded(one) && string.CompareOrdinal(one.Path, other.Path) < 0) ? other : one;

    private static Draft At(SortedDictionary<string, Draft> slices, string key)
    {
        if (!slices.TryGetValue(key, out Draft? draft))
        {
            slices[key] = draft = new Draft();
        }

        return draft;
    }

    private sealed class Draft
    {
        public HudiFile? Base { get; set; }

        public List<HudiFile> Logs { get; } = [];
    }
}
