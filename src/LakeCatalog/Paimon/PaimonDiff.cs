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

        IReadOnlyList<PaimonDataFile> before = [.. from.Files.Where(from.IsVisible)];
        IReadOnlyList<PaimonDataFile> after = [.. to.Files.Where(to.IsVisible)];
        Dictionary<PaimonFileIdentity, PaimonDataFile> old = before.ToDictionary(f => f.Identity);
        var added = new List<DataFileInfo>();
        var positions = new List<DataFileInfo>();
        foreach (PaimonDataFile file in after)
        {
            if (!old.Remove(file.Identity, out PaimonDataFile? same))
            {
                added.Add(to.ToInfo(file));
            }
            else if (!Equals(from.DeletionVectorOf(same), to.DeletionVectorOf(file)))
            {
                positions.Add(to.ToInfo(file));
            }
        }

        return new SnapshotDiff
        {
            From = from.Id,
            To = to.Id,
            Added = added,
            Removed = [.. old.Values.Select(from.ToInfo)],
            PositionsRemoved = positions,
            MergedByKey = from.MergesByKey || to.MergesByKey,
            SchemaChanged = !from.TableSchema.Fields.SequenceEqual(to.TableSchema.Fields),
            RowsUnchanged = !to.SkipsLevelZero && await IsCompactionAsync(from, to, cancellationToken),
        };
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
