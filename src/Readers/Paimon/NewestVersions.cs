using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Paimon.MergeEngines;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Paimon;

/// <summary>Differences that new files alone tell: under merge-engine=deduplicate without a sequence of the user's, rows that are newer than everything in
/// their bucket take the place of their keys' rows, whatever those were.</summary>
internal static class NewestVersions
{
    /// <summary>The files that a difference adds, if they tell all of it; else null.</summary>
    public static IReadOnlyList<PaimonDataFile>? FilesOf(PaimonSnapshot from, PaimonSnapshot to, SnapshotDiff diff)
    {
        var options = new MergeOptions(to);
        if (diff.NotFollowable is not null || diff.Removed.Count + diff.PositionsRemoved.Count > 0 || diff.SchemaChanged || diff.Added.Count == 0
            || options.Engine != "deduplicate" || options.SequenceFields.Count > 0 || options.SnapshotOrdering
            || from.TableSchema.Id != to.TableSchema.Id || to.TableSchema.Flag("pk-clustering-override")
            || to.TableSchema.Flag("primary-key.nullable") || to.TableSchema.PrimaryKeys.Any(k => to.TableSchema.Field(k).Type.IsFloating))
        {
            return null;
        }

        var paths = diff.Added.Select(f => f.Path).ToHashSet(StringComparer.Ordinal);
        List<PaimonDataFile> added = [.. to.Files.SelectPaths(paths)];
        var newest = new Dictionary<string, long>(StringComparer.Ordinal);
        var touched = added.Select(BucketOf).ToHashSet(StringComparer.Ordinal);
        foreach (PaimonDataFile file in from.Files.Select(new PaimonPlaces(InBucket: r => touched.Contains(BucketOf(r.Partition.Identity, r.Bucket)))))
        {
            string bucket = BucketOf(file);
            newest[bucket] = Math.Max(newest.GetValueOrDefault(bucket, long.MinValue), file.MaxSequenceNumber);
        }

        return added.Count == diff.Added.Count && added.All(f => f.Level == 0 && f.MinSequenceNumber > newest.GetValueOrDefault(BucketOf(f), long.MinValue)) ? added : null;
    }

    /// <summary>The newest row of each key of the files.</summary>
    public static string Sql(PaimonSnapshot snapshot, IReadOnlyList<PaimonFileGroup> groups, IReadOnlyList<PaimonField> columns, PaimonOrigins origins)
    {
        IEnumerable<string> parts = groups.Select(g => Select(snapshot, g, columns, origins));
        string keys = string.Join(", ", snapshot.PrimaryKey.Select(SqlText.Identifier));
        return $"SELECT * EXCLUDE (lakeholo_order) FROM ({string.Join(" UNION ALL ", parts)}) "
            + $"QUALIFY row_number() OVER (PARTITION BY {RowOrigin.Unit}, {keys} ORDER BY lakeholo_order DESC) = 1";
    }

    private static string Select(PaimonSnapshot snapshot, PaimonFileGroup group, IReadOnlyList<PaimonField> columns, PaimonOrigins origins)
    {
        IReadOnlyList<PaimonColumnSource> sources = group.Resolve(snapshot, columns);
        string live = RowKinds.IsAdded(group);

        // As in the merge: at equal sequence a retract row is the earlier one; files are numbered in the snapshot's order.
        string order = $"{{'s': r.{PaimonColumns.Sequence}, 'v': {live}, 'f': r.file_index, 'p': r.file_row_number}}";
        string from = group.From(snapshot, sources.Where(s => s.Physical is not null).Select(s => s.Physical!), withSystemColumns: true, MergeSql.NeedsPartition(sources));
        string select = string.Join(", ", columns.Select((c, i) => $"{sources[i].Expression} AS {SqlText.Identifier(c.Name)}"));
        string where = snapshot.IgnoresDelete ? $" WHERE {live}" : "";
        return $"SELECT {origins.SqlOf(group.Files)}{live} AS {RowOrigin.Live}, {order} AS lakeholo_order, {select} FROM {from}{where}";
    }

    private static string BucketOf(PaimonDataFile file) => BucketOf(Convert.ToBase64String(file.PartitionBytes), file.Bucket);

    private static string BucketOf(string partition, int bucket) => partition + "/" + bucket.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
