using LakeHolo.LakeCatalog.Hudi.Timeline;

namespace LakeHolo.LakeCatalog.Hudi.FileSlices;

/// <summary>Whether an older state of a table lost files to a cleaner. A file group whose files of that time are gone would quietly have no rows.</summary>
internal sealed class CleanedFiles
{
    private readonly IReadOnlyList<Instant> _cleans;
    private readonly IReadOnlyDictionary<string, CleanMetadata> _removed;

    private CleanedFiles(IReadOnlyList<Instant> cleans, IReadOnlyDictionary<string, CleanMetadata> removed) => (_cleans, _removed) = (cleans, removed);

    /// <summary>Reads the cleans after the oldest state that may be asked for.</summary>
    /// <param name="timeline">The active timeline.</param>
    /// <param name="since">The oldest instant that may be asked for; the newest commit's is never asked about.</param>
    /// <param name="reader">Reads them.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    public static async ValueTask<CleanedFiles> ReadAsync(HudiTimeline timeline, string since, CommitReader reader, CancellationToken cancellationToken)
    {
        Instant[] cleans = [.. timeline.Instants.Where(i => i is { Action: "clean", IsCompleted: true })];
        bool isOld = timeline.Commits.LastOrDefault() is { } newest && string.CompareOrdinal(since, newest.Time) < 0;
        Instant[] later = isOld ? [.. cleans.Where(c => string.CompareOrdinal(c.Time, since) > 0)] : [];
        IReadOnlyList<CleanMetadata> removed = await reader.ReadCleansAsync(later, cancellationToken);
        return new CleanedFiles(cleans, later.Where(c => c.SizeBytes > 0).Zip(removed).ToDictionary(c => c.First.Time, c => c.Second, StringComparer.Ordinal));
    }

    /// <exception cref="LakeException">NotFound if the state needs a file that was removed after it.</exception>
    public void Check(
        TimelineView view, string until, Dictionary<(string Partition, string FileId), List<HudiFile>> groups, IReadOnlyList<FileSlice> slices, bool isLayout2, string location,
        IReadOnlySet<(string Partition, string FileId)>? wanted)
    {
        Instant[] later = [.. _cleans.Where(c => string.CompareOrdinal(c.Time, until) > 0)];
        if (later.Length == 0)
        {
            return;
        }

        // Cleans are archived oldest first: where none from before the state is left, some after it may be gone, and only the cleaner's own bound is known.
        string? retained = _removed.GetValueOrDefault(later[^1].Time)?.EarliestRetained;
        if (later.Length == _cleans.Count && string.CompareOrdinal(until, retained ?? "") < 0)
        {
            throw Gone($"what was replaced before {retained}", until, location);
        }

        var live = slices.ToDictionary(s => (s.Partition, s.FileId));
        foreach ((string partition, string name) in later.SelectMany(c => _removed.GetValueOrDefault(c.Time)?.Deleted ?? []))
        {
            string path = partition.Length == 0 ? name : partition + "/" + name;
            if (HudiFileName.TryParse(name) is { IsCdc: false } file && wanted?.Contains((partition, file.FileId)) != false && view.IsVisible(file.Instant)
                && !view.IsReplaced(partition, file.FileId) && groups.GetValueOrDefault((partition, file.FileId))?.Any(f => f.Path == path) != true
                && IsMissed(file, live.GetValueOrDefault((partition, file.FileId)), view, isLayout2))
            {
                throw Gone(path, until, location);
            }
        }
    }

    // A file that was older than the slice's base file at that time is not missed.
    private static bool IsMissed(HudiFileName file, FileSlice? slice, TimelineView view, bool isLayout2)
        => slice is null || (!file.IsLog ? string.CompareOrdinal(file.Instant, slice.Base?.Instant ?? "") > 0
            : isLayout2 ? string.CompareOrdinal(view.CompletionOf(file.Instant, [slice.BaseInstant]), slice.BaseInstant) > 0
            : string.CompareOrdinal(file.Instant, slice.BaseInstant) >= 0);

    private static LakeException Gone(string what, string until, string location)
        => LakeException.NotFound($"Hudi: the state at {until} cannot be read any more, the table's cleaner has removed {what}", location);
}
