using LakeHolo.LakeCatalog.Hudi.FileSlices;

namespace LakeHolo.LakeCatalog.Hudi.Timeline;

/// <summary>The timeline as one snapshot sees it: cut off at an instant, with the facts of commits and plans that choose slices.</summary>
internal sealed class TimelineView
{
    private readonly HudiTimeline _timeline;
    private readonly string _until;
    private readonly IReadOnlySet<string> _excluded;
    private readonly Dictionary<(string Partition, string FileId), string> _planned;
    private readonly IReadOnlyDictionary<string, string> _archivedCompletions;
    private readonly HashSet<string> _pendingCompactions;
    private readonly Lazy<HashSet<string>> _recorded;
    private readonly Dictionary<(string Partition, string FileId), string> _replaced = [];

    /// <param name="timeline">The active timeline.</param>
    /// <param name="until">The greatest instant of the snapshot.</param>
    /// <param name="excluded">Instants up to <paramref name="until"/> that the snapshot does not hold, since they were pending.</param>
    /// <param name="commits">The visible commits' metadata by instant.</param>
    /// <param name="plans">File groups of pending compaction plans.</param>
    /// <param name="archivedCompletions">Completion times of archived instants.</param>
    public TimelineView(
        HudiTimeline timeline,
        string until,
        IReadOnlySet<string> excluded,
        IReadOnlyDictionary<string, CommitMetadata> commits,
        IEnumerable<(string Partition, string FileId, string Instant)> plans,
        IReadOnlyDictionary<string, string> archivedCompletions)
    {
        (_timeline, _until, _excluded, _archivedCompletions) = (timeline, until, excluded, archivedCompletions);
        _pendingCompactions = timeline.Instants.Where(i => !i.IsCompleted && i.Action is "compaction" or "logcompaction" && !i.IsCompleted)
            .Select(i => i.Time).ToHashSet(StringComparer.Ordinal);
        _planned = [];
        foreach ((string partition, string fileId, string instant) in plans)
        {
            _planned[(partition, fileId)] = instant;
        }

        _recorded = new(() => commits.Values.SelectMany(c => c.Writes).Select(w => w.Path).ToHashSet(StringComparer.Ordinal));
        foreach ((string instant, CommitMetadata commit) in commits)
        {
            foreach ((string Partition, string FileId) group in commit.Replaced)
            {
                if (!_replaced.TryGetValue(group, out string? known) || string.CompareOrdinal(known, instant) < 0)
                {
                    _replaced[group] = instant;
                }
            }
        }
    }

    /// <summary>Whether the instant is not later than the snapshot.</summary>
    public bool IsWithin(string instant) => string.CompareOrdinal(instant, _until) <= 0;

    /// <summary>Whether what the instant wrote is part of the snapshot.</summary>
    public bool IsVisible(string instant) => IsWithin(instant) && _timeline.IsCommitted(instant) && !_excluded.Contains(instant);

    /// <summary>Whether a base file of this instant may begin a slice: committed within the snapshot, or a compaction's.</summary>
    /// <remarks>A base file of a failed, running or later write must not draw log files of the snapshot's writes to itself.</remarks>
    public bool MayBegin(string instant) => IsVisible(instant) || (IsWithin(instant) && IsPendingCompaction(instant));

    /// <summary>Whether the instant is a scheduled or running compaction.</summary>
    public bool IsPendingCompaction(string instant) => _pendingCompactions.Contains(instant);

    /// <summary>The pending compaction that will rewrite a file group, or null.</summary>
    public string? PendingCompactionOf(string partition, string fileId) => _planned.GetValueOrDefault((partition, fileId));

    /// <summary>Whether a replacing commit of the snapshot has superseded the group.</summary>
    public bool IsReplaced(string partition, string fileId) => _replaced.ContainsKey((partition, fileId));

    /// <summary>Whether a visible commit recorded the file.</summary>
    public bool IsRecorded(HudiFile file) => _recorded.Value.Contains(file.Path);

    /// <summary>When a visible delta commit completed, for comparison with base instants.</summary>
    /// <remarks>Times of different length (initial and 14-digit instants) are not comparable; the requested time stands in.</remarks>
    public string CompletionOf(string instant, IEnumerable<string> keys)
    {
        string? completion = _timeline.FindCommit(instant)?.CompletionTime ?? _archivedCompletions.GetValueOrDefault(instant);
        return completion is null || keys.Any(k => k.Length != completion.Length) ? instant : completion;
    }
}
