using LakeHolo.LakeCatalog.Hudi.Timeline;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Hudi.FileSlices;

/// <summary>Whether an older state of a table lost files to a cleaner. A file group whose files of that time are gone would quietly have no rows.</summary>
internal sealed class CleanedFiles
{
    private readonly SortedDictionary<string, CleanMetadata> _cleans;
    private readonly bool _isWhole;

    private CleanedFiles(SortedDictionary<string, CleanMetadata> cleans, bool isWhole) => (_cleans, _isWhole) = (cleans, isWhole);

    /// <summary>Reads the cleans after the oldest state that may be asked for.</summary>
    /// <param name="root">The table.</param>
    /// <param name="properties">Its properties.</param>
    /// <param name="timeline">The active timeline.</param>
    /// <param name="since">The oldest instant that may be asked for; the newest commit's is never asked about.</param>
    /// <param name="reader">Reads them.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    public static async ValueTask<CleanedFiles> ReadAsync(
        TableRoot root, HudiProperties properties, HudiTimeline timeline, string since, CommitReader reader, CancellationToken cancellationToken)
    {
        var all = new SortedDictionary<string, CleanMetadata>(StringComparer.Ordinal);
        Instant[] cleans = [.. timeline.Instants.Where(i => i is { Action: "clean", IsCompleted: true })];
        if (timeline.Commits.LastOrDefault() is not { } newest || string.CompareOrdinal(since, newest.Time) >= 0)
        {
            return new CleanedFiles(all, isWhole: true);
        }

        // Nothing before the first commit can be asked for.
        string first = timeline.Commits.First().Time;
        since = string.CompareOrdinal(since, first) < 0 ? first : since;
        Instant[] later = [.. cleans.Where(c => string.CompareOrdinal(c.Time, since) > 0)];
        IReadOnlyList<CleanMetadata> removed = await reader.ReadCleansAsync(later, cancellationToken);
        foreach ((Instant clean, CleanMetadata metadata) in later.Where(c => c.SizeBytes > 0).Zip(removed))
        {
            all[clean.Time] = metadata;
        }

        // Cleans are archived oldest first: where none from before the state is left, some after it may be in the archive.
        bool isWhole = later.Length < cleans.Length;
        if (!isWhole)
        {
            IReadOnlyDictionary<string, CleanMetadata> archived = await ArchivedCleans.ReadAsync(root, properties, since, cancellationToken);
            isWhole = archived.Count > 0;
            foreach ((string time, CleanMetadata clean) in archived)
            {
                all.TryAdd(time, clean);
            }
        }

        return new CleanedFiles(all, isWhole);
    }

    /// <exception cref="LakeException">NotFound if the state needs a file that was removed after it.</exception>
    public void Check(
        TimelineView view, string until, Dictionary<(string Partition, string FileId), List<HudiFile>> groups, IReadOnlyList<FileSlice> slices, bool isLayout2, string location,
        IReadOnlySet<(string Partition, string FileId)>? wanted)
    {
        CleanMetadata[] later = [.. _cleans.Where(c => string.CompareOrdinal(c.Key, until) > 0).Select(c => c.Value)];
        if (later.Length == 0)
        {
            return;
        }

        // Where neither an older clean nor an archive is left, only the cleaner's own bound is known.
        string? retained = later[^1].EarliestRetained;
        if (!_isWhole && later.Length == _cleans.Count && string.CompareOrdinal(until, retained ?? "") < 0)
        {
            throw Gone($"what was replaced before {retained}", until, location);
        }

        var live = slices.ToDictionary(s => (s.Partition, s.FileId));
        foreach ((string partition, string name) in later.SelectMany(c => c.Deleted))
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
