using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using LakeHolo.LakeCatalog.Snapshots;

namespace LakeHolo.LakeCatalog.Paimon;

/// <summary>Paimon tables: snapshots by id, tag, time and branch.</summary>
/// <remarks>A table whose name ends in <c>$branch_NAME</c> is that branch; a version <c>branch_NAME</c> is the newest snapshot of it, if no tag is named so;
/// a version <c>watermark-N</c> the earliest one whose watermark is at least N.</remarks>
public sealed class PaimonTableFormat : ITableFormat
{
    private const string BranchMark = "$branch_";
    private const string BranchVersion = "branch_";

    /// <summary>The ETag of a snapshot's file, once it was seen to hold that snapshot.</summary>
    private readonly ConditionalWeakTable<PaimonSnapshot, string> _tags = [];

    /// <inheritdoc/>
    public string Name => "paimon";

    /// <inheritdoc/>
    public async ValueTask<Snapshot> LoadSnapshotAsync(LakeTable table, SnapshotSelector at, Snapshot? known, CancellationToken cancellationToken = default)
    {
        string branch = BranchOf(table);
        PaimonFolder folder = await OpenAsync(table, branch, cancellationToken);
        if (at is SnapshotSelector.VersionSelector version && version.Text.StartsWith(BranchVersion, StringComparison.Ordinal)
            && await folder.TryReadTagAsync(version.Text, cancellationToken) is null)
        {
            (branch, at) = (version.Text[BranchVersion.Length..], SnapshotSelector.Latest);
            folder = await OpenAsync(table, branch, cancellationToken);
        }

        PaimonCommit? commit = await PaimonTimeTravel.ResolveAsync(table, folder, at, cancellationToken);
        bool travelling = at is not SnapshotSelector.LatestSelector;
        var previous = known as PaimonSnapshot;
        if (previous?.Branch != branch)
        {
            previous = null;
        }

        PaimonSnapshot loaded = await new PaimonSnapshotLoader(table, folder, branch).LoadAsync(commit, travelling, previous, cancellationToken);
        return previous is not null && previous.Identity == loaded.Identity && ReferenceEquals(previous.Table, table)
            && previous.TableSchema.Fields.SequenceEqual(loaded.TableSchema.Fields)
            && previous.Options.Count == loaded.Options.Count && previous.Options.All(o => loaded.Options.GetValueOrDefault(o.Key) == o.Value)
            ? previous
            : loaded;
    }

    /// <inheritdoc/>
    public async ValueTask<bool> HasChangedAsync(Snapshot known, CancellationToken cancellationToken = default)
    {
        var snapshot = (PaimonSnapshot)known;
        if (snapshot.Fallback is not null && await HasChangedAsync(snapshot.Fallback, cancellationToken))
        {
            return true;
        }

        var folder = new PaimonFolder(snapshot.Table.Root, snapshot.Branch);
        if (await folder.HasSchemaAsync(snapshot.Schemas.Keys.Max() + 1, cancellationToken))
        {
            return true;
        }

        if (snapshot.Commit is not PaimonCommit commit)
        {
            return await folder.FindLatestAsync(cancellationToken) is not null;
        }

        // One listing tells a newer snapshot, and whether the file of this one is still what it was: after a rollback its id may stand for another commit.
        IReadOnlyDictionary<long, string> snapshots = await folder.ListSnapshotTagsAsync(cancellationToken);
        if (snapshots.Count == 0 || snapshots.Keys.Max() != commit.Id)
        {
            return true;
        }

        if (_tags.TryGetValue(snapshot, out string? tag))
        {
            return tag != snapshots[commit.Id];
        }

        if (await folder.TryReadCommitAsync(commit.Id, cancellationToken) is not PaimonCommit current
            || current.DeltaManifestList != commit.DeltaManifestList || current.BaseManifestList != commit.BaseManifestList)
        {
            return true;
        }

        _tags.AddOrUpdate(snapshot, snapshots[commit.Id]);
        return false;
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<SnapshotInfo>> ListSnapshotsAsync(LakeTable table, CancellationToken cancellationToken = default)
    {
        PaimonFolder folder = await OpenAsync(table, BranchOf(table), cancellationToken);
        List<long> ids = await folder.ListSnapshotIdsAsync(cancellationToken);
        var infos = new List<SnapshotInfo>();
        foreach (long id in Enumerable.Reverse(ids))
        {
            if (await folder.TryReadCommitAsync(id, cancellationToken) is PaimonCommit commit)
            {
                infos.Add(new SnapshotInfo(
                    new SnapshotId(id.ToString(CultureInfo.InvariantCulture)),
                    DateTimeOffset.FromUnixTimeMilliseconds(Math.Clamp(commit.TimeMillis, 0, 253_402_300_799_999)),
                    commit.Operation ?? commit.Kind,
                    commit.SchemaId.ToString(CultureInfo.InvariantCulture),
                    Details(commit)));
            }
        }

        return infos;
    }

    /// <inheritdoc/>
    public async ValueTask<SnapshotDiff> DiffAsync(Snapshot from, Snapshot to, CancellationToken cancellationToken = default) =>
        await PaimonDiff.BetweenAsync((PaimonSnapshot)from, (PaimonSnapshot)to, cancellationToken);

    /// <inheritdoc/>
    public IReadOnlyList<string> VersionsBetween(Snapshot from, Snapshot to)
    {
        const int Farthest = 1000;
        return (((PaimonSnapshot)from).Commit?.Id, ((PaimonSnapshot)to).Commit?.Id) is ({ } older, { } newer) && newer - older is > 1 and <= Farthest
            ? [.. Enumerable.Range(1, (int)(newer - older - 1)).Select(i => (older + i).ToString(CultureInfo.InvariantCulture))]
            : [];
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<(string Id, Apache.Arrow.Schema Schema)>> ListSchemasAsync(LakeTable table, CancellationToken cancellationToken = default)
    {
        PaimonFolder folder = await OpenAsync(table, BranchOf(table), cancellationToken);
        IReadOnlyDictionary<long, PaimonSchema> schemas = await folder.ReadSchemasAsync(known: null, cancellationToken);
        return [.. schemas.Values.OrderBy(s => s.Id).Select(s =>
            (s.Id.ToString(CultureInfo.InvariantCulture), new Apache.Arrow.Schema([.. s.Fields.Select(PaimonArrowTypes.ToField)], null)))];
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<SnapshotReference>> ListReferencesAsync(LakeTable table, string kind, CancellationToken cancellationToken = default)
    {
        PaimonFolder folder = await OpenAsync(table, BranchOf(table), cancellationToken);
        var references = new List<SnapshotReference>();
        switch (kind)
        {
            case "tags":
                foreach (string name in await folder.ListNamesAsync("tag", "tag-", cancellationToken))
                {
                    references.Add(ToReference(name, await folder.TryReadTagAsync(name, cancellationToken)));
                }

                break;
            case "branches":
                foreach (string name in await ListBranchesAsync(table, cancellationToken))
                {
                    var branch = new PaimonFolder(table.Root, name);
                    long? id = await branch.FindLatestAsync(cancellationToken);
                    references.Add(ToReference(name, id is null ? null : await branch.TryReadCommitAsync(id.Value, cancellationToken)));
                }

                break;
            default:
                foreach (string name in await folder.ListNamesAsync("consumer", "consumer-", cancellationToken))
                {
                    long? next = await folder.TryReadConsumerAsync(name, cancellationToken);
                    references.Add(new SnapshotReference(name, next is null ? null : new SnapshotId(next.Value.ToString(CultureInfo.InvariantCulture)), null));
                }

                break;
        }

        return [.. references.OrderBy(r => r.Name, StringComparer.Ordinal)];
    }

    /// <summary>Names of the branches, for <c>t$branches</c>.</summary>
    public static async ValueTask<IReadOnlyList<string>> ListBranchesAsync(LakeTable table, CancellationToken cancellationToken = default) =>
        await new PaimonFolder(table.Root, PaimonFolder.Main).ListNamesAsync("branch", "branch-", cancellationToken);

    private static SnapshotReference ToReference(string name, PaimonCommit? commit) => commit is null
        ? new SnapshotReference(name, null, null)
        : new SnapshotReference(
            name,
            new SnapshotId(commit.Id.ToString(CultureInfo.InvariantCulture)),
            DateTimeOffset.FromUnixTimeMilliseconds(Math.Clamp(commit.TimeMillis, 0, 253_402_300_799_999)));

    private static string BranchOf(LakeTable table)
    {
        int mark = table.Name.LastIndexOf(BranchMark, StringComparison.Ordinal);
        return mark <= 0 ? PaimonFolder.Main : table.Name[(mark + BranchMark.Length)..];
    }

    private static async ValueTask<PaimonFolder> OpenAsync(LakeTable table, string branch, CancellationToken cancellationToken)
    {
        if (branch != PaimonFolder.Main)
        {
            IReadOnlyList<string> branches = await ListBranchesAsync(table, cancellationToken);
            if (!branches.Contains(branch))
            {
                throw LakeException.NotFound($"The table has no branch '{branch}'; it has {(branches.Count == 0 ? "none" : string.Join(", ", branches))}", table.Root.Location);
            }
        }

        return new PaimonFolder(table.Root, branch);
    }

    private static string Details(PaimonCommit commit)
    {
        var details = new Dictionary<string, object?>
        {
            ["commit_user"] = commit.CommitUser,
            ["commit_identifier"] = commit.CommitIdentifier,
            ["commit_kind"] = commit.Kind,
            ["base_manifest_list"] = commit.BaseManifestList,
            ["delta_manifest_list"] = commit.DeltaManifestList,
            ["changelog_manifest_list"] = commit.ChangelogManifestList,
            ["total_record_count"] = commit.TotalRecordCount,
            ["delta_record_count"] = commit.DeltaRecordCount,
            ["watermark"] = commit.Watermark,
        };
        return JsonSerializer.Serialize(details);
    }
}
