using LakeHolo.LakeCatalog.Delta.DeletionVectors;
using LakeHolo.LakeCatalog.Delta.Files;
using LakeHolo.LakeCatalog.Delta.Log;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Delta;

/// <summary>The difference between two versions. Blocks that both share are compared by their bits, so following costs what the commits cost.</summary>
internal sealed class DeltaDiff(DeltaSnapshot from, DeltaSnapshot to)
{
    // Beyond this many commits the writers' words are not asked for.
    private const int MaxCommitsRead = 100;

    public async ValueTask<SnapshotDiff> ComputeAsync(CancellationToken cancellationToken)
    {
        var added = new List<DataFileInfo>();
        var changed = new List<DataFileInfo>();
        var removed = new List<DataFileInfo>();
        foreach ((FileBlock block, int row) in to.Files.LiveNotSharedWith(from.Files))
        {
            if (from.Files.Find(block.Path(row)) is not { } before)
            {
                added.Add(to.FileInfo(block, row));
            }
            else if (before.Block != block && to.FileInfo(block, row) is var now && from.FileInfo(before.Block, before.Row).Partition.Any(p => now.Partition.GetValueOrDefault(p.Key) != p.Value))
            {
                // An add that repeats a live file may put its partition values right.
                removed.Add(from.FileInfo(before.Block, before.Row));
                added.Add(now);
            }
            else if (before.Block.DeletionVector(before.Row)?.Id != block.DeletionVector(row)?.Id)
            {
                if (await OnlyGrewAsync(before.Block.DeletionVector(before.Row), block.DeletionVector(row), cancellationToken))
                {
                    changed.Add(to.FileInfo(block, row));
                }
                else
                {
                    // Rows came back (RESTORE): the file is read again as a whole.
                    removed.Add(from.FileInfo(before.Block, before.Row));
                    added.Add(to.FileInfo(block, row));
                }
            }
        }

        foreach ((FileBlock block, int row) in from.Files.LiveNotSharedWith(to.Files))
        {
            if (to.Files.Find(block.Path(row)) is null)
            {
                removed.Add(from.FileInfo(block, row));
            }
        }

        return new SnapshotDiff
        {
            From = from.Id,
            To = to.Id,
            Added = added,
            Removed = removed,
            PositionsRemoved = changed,
            RowsUnchanged = added.Count + removed.Count + changed.Count == 0 || await RowsUnchangedAsync(cancellationToken),
            SchemaChanged = from.Metadata.SchemaString != to.Metadata.SchemaString || from.MappingMode != to.MappingMode
                || !from.PartitionColumns.SequenceEqual(to.PartitionColumns),
        };
    }

    private async ValueTask<bool> OnlyGrewAsync(
        DeletionVectorDescriptor? before, DeletionVectorDescriptor? after, CancellationToken cancellationToken)
    {
        if (before is null)
        {
            return true;
        }

        if (after is null || after.Cardinality < before.Cardinality)
        {
            return false;
        }

        long[] old = await DeletionVectorReader.ReadAsync(from, before, cancellationToken);
        var now = new HashSet<long>(await DeletionVectorReader.ReadAsync(to, after, cancellationToken));
        return old.All(now.Contains);
    }

    private async ValueTask<bool> RowsUnchangedAsync(CancellationToken cancellationToken)
    {
        if (to.Version - from.Version is <= 0 or > MaxCommitsRead)
        {
            return false;
        }

        TableRoot root = to.Table.Root;
        for (long version = from.Version + 1; version <= to.Version; version++)
        {
            string key = root.Key("_delta_log/" + LogFileName.Commit(version));
            if (await root.Store.HeadAsync(key, cancellationToken) is null)
            {
                return false;
            }

            CommitActions commit = CommitParser.Parse(await root.Store.ReadAsync(key, cancellationToken: cancellationToken), version, key);
            if (commit.Adds.Exists(f => f.DataChange) || commit.Removes.Exists(f => f.DataChange))
            {
                return false;
            }
        }

        return true;
    }
}
