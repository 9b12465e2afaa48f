using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Delta.Log;

/// <summary>The files that make up one version: a checkpoint or none, and the commits after it.</summary>
internal sealed record LogSegment
{
    /// <summary>The version.</summary>
    public required long Version { get; init; }

    /// <summary>The checkpoint's version; -1 without.</summary>
    public required long CheckpointVersion { get; init; }

    /// <summary>The checkpoint's files, in order of parts; empty without.</summary>
    public required IReadOnlyList<ObjectEntry> Checkpoint { get; init; }

    /// <summary>Commits after the checkpoint, oldest first.</summary>
    public required IReadOnlyList<ObjectEntry> Commits { get; init; }

    /// <summary>The commit file of <see cref="Version"/>, if it is still there.</summary>
    public required ObjectEntry? LastCommit { get; init; }
}

/// <summary>A listing of <c>_delta_log</c>, and the choice of files for a version from it.</summary>
internal sealed class LogListing
{
    private readonly SortedDictionary<long, ObjectEntry> _commits = [];
    private readonly SortedDictionary<long, List<(LogFileName Name, ObjectEntry Entry)>> _checkpoints = [];

    /// <summary>Commit files by version.</summary>
    public IReadOnlyDictionary<long, ObjectEntry> Commits => _commits;

    /// <summary>Whether neither a commit nor a checkpoint was found.</summary>
    public bool IsEmpty => _commits.Count == 0 && _checkpoints.Count == 0;

    /// <summary>The newest version seen.</summary>
    public long Newest => Math.Max(_commits.Count == 0 ? -1 : _commits.Keys.Last(), _checkpoints.Count == 0 ? -1 : _checkpoints.Keys.Last());

    /// <summary>Lists the log from a version on.</summary>
    public static async ValueTask<LogListing> ListAsync(TableRoot root, long fromVersion, CancellationToken cancellationToken)
    {
        var listing = new LogListing();
        string prefix = root.Key("_delta_log/");

        // A key that sorts before every file of that version.
        string? startAfter = fromVersion <= 0 ? null : prefix + LogFileName.Commit(fromVersion)[..20];
        await foreach (ObjectEntry entry in root.Store.ListAsync(prefix, recursive: false, startAfter, cancellationToken))
        {
            if (!entry.IsFolder && LogFileName.TryParse(entry.Name) is { } name)
            {
                listing.Add(name, entry);
            }
        }

        return listing;
    }

    /// <summary>Chooses the files of a version.</summary>
    /// <param name="target">The version, or null for the newest.</param>
    /// <param name="root">For messages.</param>
    public LogSegment Select(long? target, TableRoot root)
    {
        string path = root.Location + "/_delta_log";
        long version = target ?? Newest;
        if (version > Newest)
        {
            throw LakeException.NotFound($"Version {version} does not exist, the newest is {Newest}", path);
        }

        (long checkpointVersion, IReadOnlyList<ObjectEntry> checkpoint) = NewestCheckpoint(version);
        var commits = new List<ObjectEntry>();
        long expected = checkpointVersion + 1;
        foreach ((long v, ObjectEntry entry) in _commits)
        {
            if (v <= checkpointVersion || v > version)
            {
                continue;
            }

            if (v != expected)
            {
                throw Gap(expected, target, path);
            }

            commits.Add(entry);
            expected++;
        }

        if (expected != version + 1)
        {
            throw Gap(expected, target, path);
        }

        return new LogSegment
        {
            Version = version,
            CheckpointVersion = checkpointVersion,
            Checkpoint = checkpoint,
            Commits = commits,
            LastCommit = _commits.TryGetValue(version, out ObjectEntry last) ? last : null,
        };
    }

    /// <summary>The earliest version that can be rebuilt, or null if none can.</summary>
    public long? EarliestReadable()
    {
        if (_commits.ContainsKey(0))
        {
            return 0;
        }

        foreach (long version in _checkpoints.Keys)
        {
            if (Complete(version) is not null)
            {
                return version;
            }
        }

        return null;
    }

    private void Add(LogFileName name, ObjectEntry entry)
    {
        if (name.Kind == LogFileKind.Commit)
        {
            _commits[name.Version] = entry;
        }
        else if (entry.SizeBytes > 0)
        {
            if (!_checkpoints.TryGetValue(name.Version, out List<(LogFileName, ObjectEntry)>? files))
            {
                _checkpoints[name.Version] = files = [];
            }

            files.Add((name, entry));
        }
    }

    private (long Version, IReadOnlyList<ObjectEntry> Files) NewestCheckpoint(long version)
    {
        foreach (long candidate in _checkpoints.Keys.Reverse())
        {
            if (candidate <= version && Complete(candidate) is { } files)
            {
                return (candidate, files);
            }
        }

        return (-1, []);
    }

    // All complete checkpoints of one version describe the same state; the fixed order only makes runs repeatable.
    private List<ObjectEntry>? Complete(long version)
    {
        List<(LogFileName Name, ObjectEntry Entry)> files = _checkpoints[version];
        ObjectEntry? uuid = null;
        ObjectEntry? classic = null;
        foreach ((LogFileName name, ObjectEntry entry) in files)
        {
            if (name.Kind == LogFileKind.UuidCheckpoint && (uuid is null || string.CompareOrdinal(entry.Key, uuid.Value.Key) > 0))
            {
                uuid = entry;
            }
            else if (name.Kind == LogFileKind.ClassicCheckpoint)
            {
                classic = entry;
            }
        }

        if (uuid is not null)
        {
            return [uuid.Value];
        }

        var multiPart = files.Where(f => f.Name.Kind == LogFileKind.MultiPartCheckpoint).GroupBy(f => f.Name.Parts)
            .Where(g => g.Select(f => f.Name.Part).Distinct().Count() == g.Key).MaxBy(g => g.Key);
        return multiPart is not null
            ? [.. multiPart.OrderBy(f => f.Name.Part).Select(f => f.Entry)]
            : classic is null ? null : [classic.Value];
    }

    private LakeException Gap(long missing, long? target, string path)
    {
        long first = _commits.Count == 0 ? Newest : _commits.Keys.First();
        if (missing == 0)
        {
            long? earliest = EarliestReadable();
            return target is not null && earliest > target
                ? LakeException.NotFound($"Version {target} is no longer available, the earliest is {earliest}", path)
                : LakeException.FormatInvalid(_checkpoints.Count == 0
                    ? $"The log starts at version {first} and there is no checkpoint"
                    : $"The log starts at version {first} and no complete checkpoint exists", path);
        }

        return LakeException.FormatInvalid($"Commit {missing} is missing", path);
    }
}
