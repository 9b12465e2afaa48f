using LakeHolo.LakeCatalog.Hudi.Timeline;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Hudi;

/// <summary>The commits of a table one after the other, with the states between them.</summary>
/// <remarks>Commits are ordered by the time that their layout counts changes by: when they were requested (layout 1), when they completed (layout 2).</remarks>
public sealed class HudiHistory
{
    private readonly HudiTableState _state;
    private readonly Instant[] _commits;

    private HudiHistory(HudiTableState state, bool hasArchive)
    {
        _state = state;
        HasArchive = hasArchive;
        _commits = [.. state.Timeline.Commits.OrderBy(TimeOf, StringComparer.Ordinal)];
    }

    /// <summary>Whether older commits than those of the active timeline have been archived.</summary>
    public bool HasArchive { get; }

    /// <summary>The oldest commit of the active timeline; null without any.</summary>
    public Instant? First => _commits.FirstOrDefault();

    /// <summary>Reads the history anew.</summary>
    /// <param name="known">A snapshot of the table, whose decoded metadata is used again.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    public static async ValueTask<HudiHistory> LoadAsync(HudiSnapshot known, CancellationToken cancellationToken = default)
    {
        HudiTableState state = await new HudiSnapshotLoader(known.Table).LoadStateAsync(known, cancellationToken);
        TableRoot root = known.Table.Root;
        string folder = state.Properties.TimelineLayout == 2 ? state.Properties.HistoryFolder : state.Properties.ArchiveFolder;
        await foreach (ObjectEntry entry in root.Store.ListAsync(root.Key(folder), recursive: false, cancellationToken: cancellationToken))
        {
            if (entry.Name.EndsWith(".parquet", StringComparison.Ordinal) || entry.Name.StartsWith(".commits_.archive", StringComparison.Ordinal))
            {
                return new HudiHistory(state, true);
            }
        }

        return new HudiHistory(state, false);
    }

    /// <summary>The time that a commit counts by in a range of changes.</summary>
    public static string TimeOf(Instant commit) => commit.CompletionTime ?? commit.Time;

    /// <summary>A bound of a range in the time that commits count by. A commit's own instant stands for that commit.</summary>
    /// <param name="text">Digits of a time, zeros or <c>earliest</c> for the beginning, empty or <c>latest</c> for the newest commit, or a timestamp (UTC).</param>
    /// <exception cref="LakeException">NotFound if it is none of these.</exception>
    public string Bound(string text)
    {
        if (text.Trim('0').Length == 0 && text.Length > 0 || text == "earliest")
        {
            return "0";
        }

        if (text.Length == 0 || text == "latest")
        {
            return _commits.Length == 0 ? "0" : TimeOf(_commits[^1]);
        }

        string time = HudiVersionText.InstantOf(text, _state.Table);
        return _state.Timeline.FindCommit(time) is { } commit ? TimeOf(commit) : time;
    }

    /// <summary>Completed commits after one bound, up to and with another, in order.</summary>
    public IReadOnlyList<Instant> Between(string from, string to)
        => [.. _commits.Where(c => string.CompareOrdinal(TimeOf(c), from) > 0 && string.CompareOrdinal(TimeOf(c), to) <= 0)];

    /// <summary>Commits that layout 2 has archived, with the times they completed.</summary>
    /// <exception cref="LakeException">FeatureUnsupported where the archive does not tell when one completed.</exception>
    public async ValueTask<IReadOnlyList<(string Time, string Completion)>> ReadArchivedAsync(CancellationToken cancellationToken = default)
        => [.. (await TimelineHistory.ReadCommitsAsync(_state.Table.Root, _state.Properties.HistoryFolder, cancellationToken)).Select(c => (c.Key, c.Value is { Length: > 0 } completion
            ? completion
            : throw LakeException.FeatureUnsupported($"Hudi: the archived commit {c.Key} does not tell when it completed, which changes since before it need", _state.Table.FullName)))];

    /// <summary>What a commit says it did.</summary>
    public CommitMetadata MetadataOf(Instant commit) => _state.Commits[commit.Time];

    /// <summary>The table after the commits up to a bound; null if there are none.</summary>
    /// <param name="to">The bound, inclusive.</param>
    /// <param name="groups">File groups that it is limited to; null for all.</param>
    public HudiSnapshot? At(string to, IReadOnlySet<(string Partition, string FileId)>? groups = null) => At(Between("", to), groups);

    /// <summary>The table just before a commit, limited to some file groups; null if the commit is the first.</summary>
    public HudiSnapshot? Before(Instant commit, IReadOnlySet<(string Partition, string FileId)> groups)
        => At([.. _commits.TakeWhile(c => c != commit)], groups);

    private HudiSnapshot? At(IReadOnlyList<Instant> held, IReadOnlySet<(string Partition, string FileId)>? groups)
    {
        if (held.Count == 0)
        {
            return null;
        }

        string until = held.Select(c => c.Time).Max(StringComparer.Ordinal)!;
        var within = held.Select(c => c.Time).ToHashSet(StringComparer.Ordinal);
        var excluded = _state.Timeline.Instants.Where(i => i.IsCommit && string.CompareOrdinal(i.Time, until) < 0 && !within.Contains(i.Time))
            .Select(i => i.Time).ToHashSet(StringComparer.Ordinal);
        return _state.SnapshotAt(until, excluded, groups);
    }
}
