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
public sealed record DeltaCommitChanges(
    long Version, long CommittedAtMillis, IReadOnlyList<ChangeFileAction> ChangeFiles, IReadOnlyList<FileAction> Added, IReadOnlyList<FileAction> Removed);

/// <summary>The change data feed: which files tell the changes of a range of versions (Delta PROTOCOL.md, "Change Data Files").</summary>
public static class DeltaChangeFeed
{
    private static readonly string[] ReservedNames = ["_change_type", "_commit_version", "_commit_timestamp"];

    /// <summary>Reads the commits of an inclusive range.</summary>
    /// <returns>The snapshot of the range's end, whose schema the changes have, and the commits, oldest first.</returns>
    /// <exception cref="LakeException">FeatureUnsupported when the feed is off in the range or the schema changed beyond added columns.</exception>
    public static async ValueTask<(DeltaSnapshot End, IReadOnlyList<DeltaCommitChanges> Commits)> ReadAsync(
        DeltaSnapshot snapshot, long from, long to, CancellationToken cancellationToken = default)
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
        CheckRange(start, end, commits);
        IReadOnlyDictionary<long, long?> times = await new DeltaHistory(table, snapshot.Locations).CommitTimesAsync(commits, cancellationToken);
        return (end, [.. commits.Select(c => Changes(c, times[c.Version] ?? throw LakeException.FormatInvalid($"Commit {c.Version} has no time", table.FullName)))]);
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

    private static DeltaCommitChanges Changes(CommitActions commit, long millis)
    {
        if (commit.ChangeFiles.Count > 0)
        {
            return new DeltaCommitChanges(commit.Version, millis, commit.ChangeFiles, [], []);
        }

        bool nothing = commit.CommitInfo?.ChangesNoRows == true;
        return new DeltaCommitChanges(
            commit.Version, millis, [], nothing ? [] : commit.Adds.FindAll(f => f.DataChange), nothing ? [] : commit.Removes.FindAll(f => f.DataChange));
    }

    private static void CheckRange(DeltaSnapshot start, DeltaSnapshot end, CommitActions[] commits)
    {
        ProtocolAction protocol = start.Protocol;
        MetadataAction metadata = start.Metadata;
        foreach (CommitActions commit in commits)
        {
            protocol = commit.Protocol ?? protocol;
            metadata = commit.Metadata ?? metadata;
            if (!string.Equals(metadata.Configuration.GetValueOrDefault("delta.enableChangeDataFeed"), "true", StringComparison.OrdinalIgnoreCase))
            {
                throw LakeException.FeatureUnsupported($"The change feed is not enabled at version {commit.Version}", start.Table.FullName);
            }

            DeltaFeatures.Check(protocol, start.Table.FullName);
            TableState state = TableState.Create(protocol, metadata, start.Table.FullName);
            if (!IsAdditive(state, end))
            {
                throw LakeException.FeatureUnsupported(
                    $"The schema of version {commit.Version} differs from that of version {end.Version} in more than added columns", start.Table.FullName);
            }
        }
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
