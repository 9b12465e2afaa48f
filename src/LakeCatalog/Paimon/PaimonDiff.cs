using LakeHolo.LakeCatalog.Snapshots;

namespace LakeHolo.LakeCatalog.Paimon;

/// <summary>The difference between two snapshots of one table, from their file lists.</summary>
internal static class PaimonDiff
{
    public static async ValueTask<SnapshotDiff> BetweenAsync(PaimonSnapshot from, PaimonSnapshot to, CancellationToken cancellationToken)
    {
        if (from.Branch != to.Branch)
        {
            return new SnapshotDiff { From = from.Id, To = to.Id, NotFollowable = "the snapshots belong to different branches" };
        }

        if (!from.HasParts || !to.HasParts)
        {
            return new SnapshotDiff { From = from.Id, To = to.Id, NotFollowable = "several files hold columns of the same rows (data-evolution.enabled), and there are no partitions" };
        }

        if (from.Fallback is not null || to.Fallback is not null)
        {
            return new SnapshotDiff { From = from.Id, To = to.Id, NotFollowable = $"partitions come from another branch ({PaimonFeatures.FallbackBranch})" };
        }

        (IReadOnlyList<PaimonDataFile> added, IReadOnlyList<PaimonDataFile> removed) = from.Files.Compare(to.Files, from.VisibleLevels, to.VisibleLevels);
        return new SnapshotDiff
        {
            From = from.Id,
            To = to.Id,
            Added = [.. added.Select(to.ToInfo)],
            Removed = [.. removed.Select(from.ToInfo)],
            PositionsRemoved = [.. WithOtherVectors(from, to, added).Select(to.ToInfo)],
            MergedByKey = from.MergesByKey || to.MergesByKey,
            SchemaChanged = !from.TableSchema.Fields.SequenceEqual(to.TableSchema.Fields),
            RowsUnchanged = !to.SkipsLevelZero && await IsCompactionAsync(from, to, cancellationToken),
        };
    }

    // Files of both snapshots of which other positions are deleted.
    private static IEnumerable<PaimonDataFile> WithOtherVectors(PaimonSnapshot from, PaimonSnapshot to, IReadOnlyList<PaimonDataFile> added)
    {
        if (ReferenceEquals(from.DeletionVectors, to.DeletionVectors))
        {
            return [];
        }

        HashSet<(string Partition, int Bucket, string DataFile)> changed = [.. from.DeletionVectors.Keys.Concat(to.DeletionVectors.Keys)
            .Where(k => !Equals(from.DeletionVectors.GetValueOrDefault(k), to.DeletionVectors.GetValueOrDefault(k)))];
        HashSet<(string, int)> buckets = [.. changed.Select(k => (k.Partition, k.Bucket))];
        HashSet<string> isNew = [.. added.Select(f => f.Path)];
        return buckets.Count == 0
            ? []
            : to.Files.Select(new PaimonPlaces(InBucket: r => buckets.Contains((r.Partition.Identity, r.Bucket))), to.VisibleLevels)
                .Where(f => changed.Contains((Convert.ToBase64String(f.PartitionBytes), f.Bucket, f.Name)) && !isNew.Contains(f.Path));
    }

    // Where level 0 is invisible, a compaction is what makes its rows appear.
    private static async ValueTask<bool> IsCompactionAsync(PaimonSnapshot from, PaimonSnapshot to, CancellationToken cancellationToken)
    {
        // Following one commit at a time costs nothing; over a long way the answer is not worth the requests.
        const long FarthestLook = 16;
        if (from.Commit is null || to.Commit is null || to.Commit.Id <= from.Commit.Id || to.Commit.Id - from.Commit.Id > FarthestLook)
        {
            return false;
        }

        var folder = new PaimonFolder(to.Table.Root, to.Branch);
        for (long id = from.Commit.Id + 1; id <= to.Commit.Id; id++)
        {
            PaimonCommit? commit = id == to.Commit.Id ? to.Commit : await folder.TryReadCommitAsync(id, cancellationToken);
            if (commit?.Kind is not ("COMPACT" or "ANALYZE"))
            {
                return false;
            }
        }

        return true;
    }
}
