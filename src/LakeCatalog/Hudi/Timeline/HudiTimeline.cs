using System.Globalization;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Hudi.Timeline;

/// <summary>The active timeline: instants by requested time, each in its highest state.</summary>
public sealed class HudiTimeline
{
    private readonly Dictionary<string, Instant> _commits = new(StringComparer.Ordinal);
    private readonly HashSet<string> _pending = new(StringComparer.Ordinal);
    private readonly string? _start;

    private HudiTimeline(IReadOnlyList<Instant> instants, string signature)
    {
        Instants = instants;
        Signature = signature;
        var savepoints = instants.Where(i => i.Action == "savepoint" && i.IsCompleted).Select(i => i.Time).ToHashSet(StringComparer.Ordinal);
        foreach (Instant instant in instants)
        {
            if (instant is { IsCommit: true, IsCompleted: true })
            {
                _commits[instant.Time] = instant;
                // Archival may leave savepointed instants behind as islands before the true start.
                _start ??= savepoints.Contains(instant.Time) ? null : instant.Time;
            }
            else if (!instant.IsCompleted && instant.Action != "savepoint")
            {
                _pending.Add(instant.Time);
            }
        }

        _start ??= _commits.Keys.Min(StringComparer.Ordinal);
    }

    /// <summary>All instants, ordered by requested time.</summary>
    public IReadOnlyList<Instant> Instants { get; }

    /// <summary>Changes whenever a file of the timeline appears, disappears or grows.</summary>
    public string Signature { get; }

    /// <summary>Completed commit, deltacommit and replacecommit instants, ordered by requested time.</summary>
    public IEnumerable<Instant> Commits => Instants.Where(i => i is { IsCommit: true, IsCompleted: true });

    /// <summary>Whether the instant's files are visible: it is completed here, or older than the active timeline (archived instants count as committed).</summary>
    public bool IsCommitted(string time) => _commits.ContainsKey(time) || IsBeforeStart(time);

    /// <summary>Whether the instant is older than the active timeline and not pending on it.</summary>
    public bool IsBeforeStart(string time) => _start is not null && string.CompareOrdinal(time, _start) < 0 && !_pending.Contains(time);

    /// <summary>Whether the instant is requested or inflight.</summary>
    public bool IsPending(string time) => _pending.Contains(time);

    /// <summary>A completed commit of the active timeline, or null.</summary>
    public Instant? FindCommit(string time) => _commits.GetValueOrDefault(time);

    /// <summary>Reads the listing of a timeline folder.</summary>
    /// <param name="files">The folder's direct children.</param>
    /// <param name="layout">Timeline layout, 1 or 2.</param>
    public static HudiTimeline Parse(IEnumerable<ObjectEntry> files, int layout)
    {
        var states = new SortedDictionary<string, (Instant? Completed, Instant? Requested, Instant? Inflight)>(StringComparer.Ordinal);
        var signature = new HashCode128();
        foreach (ObjectEntry file in files)
        {
            if (file.IsFolder || !TryParseName(file.Name, out string time, out string? completion, out string action, out string state))
            {
                continue;
            }

            signature.Add(file.Name, file.SizeBytes);
            // A completed file of layout 2 without a completion time is a leftover of an upgrade; its file time stands in.
            bool isCompleted = state.Length == 0;
            var instant = new Instant
            {
                Time = time,
                Action = action,
                IsCompleted = isCompleted,
                CompletionTime = !isCompleted || layout == 1 ? null : completion ?? Instant.At(file.ModifiedAt),
                Key = file.Key,
                SizeBytes = file.SizeBytes,
            };

            // Pending and completed form of one action may carry different names (compaction -> commit), so the time alone is the identity
            // for actions that write rows.
            string identity = action is "clean" or "rollback" or "restore" or "savepoint" or "indexing" ? time + action : time;
            (Instant? completed, Instant? requested, Instant? inflight) = states.GetValueOrDefault(identity);
            states[identity] = state switch
            {
                "" => (instant, requested, inflight),
                "requested" => (completed, instant, inflight),
                _ => (completed, requested, instant),
            };
        }

        return new HudiTimeline(
            [.. states.Values.Select(s => s.Completed ?? s.Requested ?? s.Inflight!).OrderBy(i => i.Time, StringComparer.Ordinal)], signature.ToString());
    }

    /// <summary>Takes a timeline file's name apart; false for anything else that lives in the folder.</summary>
    internal static bool TryParseName(string name, out string time, out string? completion, out string action, out string state)
    {
        (time, completion, action, state) = ("", null, "", "");
        string[] parts = name.Split('.');
        if (parts.Length is < 2 or > 3 || parts[0].Length == 0)
        {
            return false;
        }

        string[] times = parts[0].Split('_');
        if (times.Length > 2 || !times.All(t => t.Length > 0 && t.All(char.IsAsciiDigit)))
        {
            return false;
        }

        time = times[0];
        completion = times.Length == 2 ? times[1] : null;
        (action, state) = parts.Length == 3 ? (parts[1], parts[2]) : parts[1] == "inflight" ? ("commit", "inflight") : (parts[1], "");
        return state is "" or "requested" or "inflight" && action is "commit" or "deltacommit" or "replacecommit" or "clustering" or "compaction"
            or "logcompaction" or "clean" or "rollback" or "restore" or "savepoint" or "indexing";
    }

    private struct HashCode128
    {
        private System.IO.Hashing.XxHash128? _hash;

        public void Add(string name, long size)
        {
            _hash ??= new System.IO.Hashing.XxHash128();
            _hash.Append(System.Text.Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{name}:{size}\n")));
        }

        public override readonly string ToString() => _hash is null ? "" : Convert.ToHexString(_hash.GetCurrentHash());
    }
}
