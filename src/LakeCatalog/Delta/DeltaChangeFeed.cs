using System.Globalization;
using LakeHolo.LakeCatalog.Delta.Files;
using LakeHolo.LakeCatalog.Delta.Log;
using LakeHolo.LakeCatalog.Delta.Schema;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Delta;

/// <summary>Files that a commit changed.</summary>
/// <param name="Version">The commit.</param>
/// <param name="CommittedAtMillis">Its time.</param>
/// <param name="ChangeFiles">Files that hold the changed rows; if there are any, the other lists are empty.</param>
/// <param name="Added">Files whose rows were inserted, unless the path is in <paramref name="Removed"/> too.</param>
/// <param name="Removed">Files whose rows were deleted.</param>
/// <param name="HoldsCopies">Added files may hold rows of removed ones unchanged (the feed is off, and the commit rewrote files), so that only the
/// difference of both is a change.</param>
public sealed record DeltaCommitChanges(
    long Version, long CommittedAtMillis, IReadOnlyList<ChangeFileAction> ChangeFiles, IReadOnlyList<FileAction> Added, IReadOnlyList<FileAction> Removed,
    bool HoldsCopies);

/// <summary>Which files tell the changes of a range of versions: those of the change data feed where it was on (Delta PROTOCOL.md, "Change Data
/// Files"), else the data files that the commits added and removed.</summary>
public static class DeltaChangeFeed
{
    private static readonly string[] ReservedNames = ["_change_type", "_commit_version", "_commit_timestamp"];

    /// <summary>Reads the commits of an inclusive range.</summary>
    /// <param name="snapshot">A snapshot of the table.</param>
    /// <param name="from">First version.</param>
    /// <param name="to">Last version.</param>
    /// <param name="useFeed">False: data files only, also where the feed is on.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    /// <returns>The snapshot of the range's end, whose schema the changes have, and the commits, oldest first.</returns>
    /// <exception cref="LakeException">FeatureUnsupported when the feed is on in a part of the range only, or the schema changed beyond added columns.</exception>
    public static async ValueTask<(DeltaSnapshot End, IReadOnlyList<DeltaCommitChanges> Commits)> ReadAsync(
        DeltaSnapshot snapshot, long from, long to, bool useFeed = true, CancellationToken cancellationToken = default)
    {
        LakeTable table = snapshot.Table;
        if (from > to)
        {
            throw LakeException.QueryInvalid($"The range of changes is empty: {from} is after {to}");
        }

        var loader = new DeltaSnapshotLoader(table, snapshot.Locations);
        DeltaSnapshot start = await loader.LoadAsync(from, cancellationToken);
        DeltaSnapshot end = await loader.FollowAsync(start, to, cancellationToken) ?? await loader.LoadAsync(to, cancellationToken);
        if (end.Columns.Fields.FirstOrDefault(f => ReservedNames.Contains(f.Name, StringComparer.OrdinalIgnoreCase)) is { } reserved)
        {
            throw LakeException.FeatureUnsupported($"The table has a column {reserved.Name}, which the change feed adds", table.FullName);
        }

        CommitActions[] commits = await ReadCommitsAsync(loader, table.Root, from, to, cancellationToken);
        bool isFed = CheckRange(start, end, commits) && useFeed;
        IReadOnlyDictionary<long, long?> times = await new DeltaHistory(table, snapshot.Locations).CommitTimesAsync(commits, cancellationToken);
        var changes = new List<DeltaCommitChanges>();
        foreach (CommitActions commit in commits)
        {
            long millis = times[commit.Version] ?? throw LakeException.FormatInvalid($"Commit {commit.Version} has no time", table.FullName);
            DeltaCommitChanges change = isFed ? Fed(commit, millis) : FromDataFiles(commit, millis);
            changes.Add(change.Removed.Any(f => LacksPartition(f, end))
                ? change with { Removed = await WithPartitionsAsync(loader, commit.Version, change.Removed, cancellationToken) }
                : change);
        }

        return (end, changes);
    }

    /// <summary>The canonical path of an action of this table.</summary>
    public static string CanonicalPath(DeltaSnapshot snapshot, string encodedPath) => DeltaPath.Canonical(encodedPath, snapshot.Table.Root.Location);

    private static async ValueTask<CommitActions[]> ReadCommitsAsync(
        DeltaSnapshotLoader loader, TableRoot root, long from, long to, CancellationToken cancellationToken)
    {
        LogListing listing = await LogListing.ListAsync(root, from, cancellationToken);
        var entries = new List<ObjectEntry>();
        for (long version = from; version <= to; version++)
        {
            entries.Add(listing.Commits.TryGetValue(version, out ObjectEntry entry)
                ? entry
                : throw LakeException.NotFound($"Commit {version} is missing, so its changes are not known", root.Location));
        }

        return await loader.ReadCommitsAsync(entries, from, cancellationToken);
    }

    private static DeltaCommitChanges Fed(CommitActions commit, long millis) => commit switch
    {
        { ChangeFiles.Count: > 0 } => new DeltaCommitChanges(commit.Version, millis, commit.ChangeFiles, [], [], HoldsCopies: false),

        // Without change files such a commit only rewrote its rows.
        { CommitInfo.ChangesNoRows: true } => new DeltaCommitChanges(commit.Version, millis, [], [], [], HoldsCopies: false),
        _ => FromDataFiles(commit, millis) with { HoldsCopies = false },
    };

    private static DeltaCommitChanges FromDataFiles(CommitActions commit, long millis) => new(
        commit.Version, millis, [], commit.Adds.FindAll(f => f.DataChange), commit.Removes.FindAll(f => f.DataChange), HoldsCopies: true);

    private static bool LacksPartition(FileAction file, DeltaSnapshot snapshot) =>
        snapshot.PartitionFields.Any(f => !PartitionValues.TryFind(file.PartitionValues, f.PhysicalName, out _));

    // Old writers name only the path of what they remove, and others leave the values empty; the version before knows the rest.
    private static async ValueTask<IReadOnlyList<FileAction>> WithPartitionsAsync(
        DeltaSnapshotLoader loader, long version, IReadOnlyList<FileAction> removed, CancellationToken cancellationToken)
    {
        DeltaSnapshot before = await loader.LoadAsync(version - 1, cancellationToken);
        return [.. removed.Select(f => LacksPartition(f, before) && before.Files.Find(CanonicalPath(before, f.Path)) is { } found
            ? f with { PartitionValues = before.PartitionFields.Select((p, i) => (p.PhysicalName, found.Block.Partitions[i].Value(found.Row))).ToDictionary(p => p.PhysicalName, p => p.Item2) }
            : f)];
    }

    /// <summary>Whether the feed is on in the whole range; it may be off in the whole of it, but not in a part.</summary>
    private static bool CheckRange(DeltaSnapshot start, DeltaSnapshot end, CommitActions[] commits)
    {
        ProtocolAction protocol = start.Protocol;
        MetadataAction metadata = start.Metadata;
        long? off = null;
        bool isOn = false;
        foreach (CommitActions commit in commits)
        {
            protocol = commit.Protocol ?? protocol;
            metadata = commit.Metadata ?? metadata;
            if (string.Equals(metadata.Configuration.GetValueOrDefault("delta.enableChangeDataFeed"), "true", StringComparison.OrdinalIgnoreCase))
            {
                isOn = true;
            }
            else
            {
                off ??= commit.Version;
            }

            DeltaFeatures.Check(protocol, start.Table.FullName);
            TableState state = TableState.Create(protocol, metadata, start.Table.FullName);
            if (!IsAdditive(state, end))
            {
                throw LakeException.FeatureUnsupported(
                    $"The schema of version {commit.Version} differs from that of version {end.Version} in more than added columns", start.Table.FullName);
            }
        }

        return isOn && off is not null
            ? throw LakeException.FeatureUnsupported(
                $"The change feed is not enabled at version {off}, but in another part of the range: ask for the parts apart", start.Table.FullName)
            : isOn;
    }

    private static bool IsAdditive(TableState state, DeltaSnapshot end) =>
        state.PartitionNames.SequenceEqual(end.PartitionFields.Select(f => f.PhysicalName))
        && state.Schema.Fields.All(f => end.Columns.Fields.Any(e => e.Name == f.Name && e.PhysicalName == f.PhysicalName && Text(e.Type) == Text(f.Type)));

    private static string Text(DeltaType type) => type switch
    {
        DeltaArray a => $"array<{Text(a.Element)}>",
        DeltaMap m => $"map<{Text(m.Key)},{Text(m.Value)}>",
        DeltaStruct s => $"struct<{string.Join(',', s.Fields.Select(f => f.Name + "\u001f" + f.PhysicalName + "\u001f" + Text(f.Type)))}>",
        DeltaDecimal d => string.Create(CultureInfo.InvariantCulture, $"decimal({d.Precision},{d.Scale})"),
        DeltaPrimitive p => p.Kind.ToString(),
        _ => string.Empty,
    };
}
