using Apache.Arrow;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Folders;

/// <summary>Folders of plain data files. See README.md beside this file for what is read and what is refused.</summary>
/// <param name="format">parquet, csv, orc or sequencefile.</param>
/// <param name="schemas">Works out the columns.</param>
/// <param name="time">The clock; null for the system's.</param>
public sealed class FolderTableFormat(string format, IFolderSchemaSource schemas, TimeProvider? time = null) : ITableFormat
{
    private readonly TimeProvider _time = time ?? TimeProvider.System;

    /// <inheritdoc/>
    public string Name => format;

    /// <inheritdoc/>
    public async ValueTask<Snapshot> LoadSnapshotAsync(
        LakeTable table, SnapshotSelector at, Snapshot? known, CancellationToken cancellationToken = default)
    {
        if (known is FolderSnapshot { Tree: { } tree } unchanged && unchanged.Table.Root == table.Root && tree.IsUnchanged())
        {
            CheckSelector(table, at, unchanged.Id.Text, unchanged.CommittedAt!.Value);
            return unchanged;
        }

        LocalTree? looked = Look(table.Root);
        FolderListing listing = await FolderListing.ListAsync(table.Root, cancellationToken);
        if (listing.Files.Count == 0)
        {
            throw LakeException.NotFound("The folder has no data files", table.Root.Location);
        }

        string id = listing.Id;
        DateTimeOffset committedAt = listing.Files.Max(f => f.ModifiedAt);
        CheckSelector(table, at, id, committedAt);
        if (known is FolderSnapshot same && same.Id.Text == id)
        {
            same.Tree = looked; // what changed shortly before it was listed tells nothing yet
            return same;
        }

        FolderSchema found = await schemas.ReadSchemaAsync(table, listing.Files, cancellationToken);
        // A partition column hides one of the same name inside the files; names that differ in case alone are the same.
        Field[] columns = [.. found.Schema.FieldsList.Where(f => !listing.PartitionColumns.Contains(f.Name, StringComparer.OrdinalIgnoreCase))];
        return new FolderSnapshot(listing.Files, new Schema(columns, null), found.RowCount)
        {
            Table = table,
            Id = new SnapshotId(id),
            CommittedAt = committedAt,
            Schema = new Schema([.. columns, .. listing.PartitionFields()], null),
            PartitionColumns = listing.PartitionColumns,
            Tree = looked,
            HasConfiguredColumns = found.IsConfigured,
        };
    }

    /// <inheritdoc/>
    public async ValueTask<bool> HasChangedAsync(Snapshot known, CancellationToken cancellationToken = default)
        => !(known is FolderSnapshot { Tree: { } tree } && tree.IsUnchanged()) && (await FolderListing.ListAsync(known.Table.Root, cancellationToken)).Id != known.Id.Text;

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<SnapshotInfo>> ListSnapshotsAsync(LakeTable table, CancellationToken cancellationToken = default)
    {
        FolderListing listing = await FolderListing.ListAsync(table.Root, cancellationToken);
        return listing.Files.Count == 0 ? [] : [new SnapshotInfo(new SnapshotId(listing.Id), listing.Files.Max(f => f.ModifiedAt), "LISTING", null, null)];
    }

    /// <inheritdoc/>
    public ValueTask<SnapshotDiff> DiffAsync(Snapshot from, Snapshot to, CancellationToken cancellationToken = default)
    {
        var (older, newer) = ((FolderSnapshot)from, (FolderSnapshot)to);
        var before = older.Files.Select(f => (f.Path, f.SizeBytes, f.ETag)).ToHashSet();
        var after = newer.Files.Select(f => (f.Path, f.SizeBytes, f.ETag)).ToHashSet();
        // A file that was rewritten under its name is both removed and added.
        return ValueTask.FromResult(new SnapshotDiff
        {
            From = from.Id,
            To = to.Id,
            Added = [.. newer.EnumerateFiles().Zip(newer.Files).Where(p => !before.Contains((p.Second.Path, p.Second.SizeBytes, p.Second.ETag))).Select(p => p.First)],
            Removed = [.. older.EnumerateFiles().Zip(older.Files).Where(p => !after.Contains((p.Second.Path, p.Second.SizeBytes, p.Second.ETag))).Select(p => p.First)],
            SchemaChanged = !SchemaText(from.Schema).SequenceEqual(SchemaText(to.Schema)),
        });
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<(string Id, Schema Schema)>> ListSchemasAsync(LakeTable table, CancellationToken cancellationToken = default)
    {
        Snapshot latest = await LoadSnapshotAsync(table, SnapshotSelector.Latest, null, cancellationToken);
        return [(latest.Id.Text, latest.Schema)];
    }

    /// <summary>Where the store is the local disk: what tells whether the listing that follows would be the same again.</summary>
    private LocalTree? Look(TableRoot root) => root.Store.TryGetLocalPath(root.Prefix) is { } path ? LocalTree.TryCapture(path, _time.GetUtcNow()) : null;

    private static void CheckSelector(LakeTable table, SnapshotSelector at, string id, DateTimeOffset committedAt)
    {
        bool isThere = at switch
        {
            SnapshotSelector.VersionSelector version => version.Text == id,
            SnapshotSelector.TimestampSelector moment => moment.Timestamp >= committedAt,
            _ => true,
        };
        if (!isThere)
        {
            throw LakeException.NotFound("Plain folders keep no history; only the present listing can be read", table.FullName);
        }
    }

    private static IEnumerable<string> SchemaText(Schema schema) => schema.FieldsList.Select(f => f.Name + " " + TypeText(f.DataType));

    private static string TypeText(Apache.Arrow.Types.IArrowType type) => type switch
    {
        Apache.Arrow.Types.NestedType nested => type.Name + "<" + string.Join(",", nested.Fields.Select(f => f.Name + ":" + TypeText(f.DataType))) + ">",
        Apache.Arrow.Types.Decimal128Type d => $"decimal({d.Precision},{d.Scale})",
        Apache.Arrow.Types.TimestampType t => $"timestamp({t.Unit}) {t.Timezone}",
        _ => type.Name,
    };
}
