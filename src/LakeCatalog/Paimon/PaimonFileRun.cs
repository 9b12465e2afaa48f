namespace LakeHolo.LakeCatalog.Paimon;

/// <summary>A partition; files of one table that lie in the same partition have the same object.</summary>
/// <param name="bytes">Raw row bytes, its identity.</param>
/// <param name="values">Its values.</param>
public sealed class PaimonPartition(byte[] bytes, IReadOnlyList<object?> values)
{
    private string? _identity;

    /// <summary>Raw row bytes: the partition's identity.</summary>
    internal byte[] Bytes => bytes;

    /// <summary>Values of the partition columns, as <see cref="BinaryRow"/> decodes them.</summary>
    public IReadOnlyList<object?> Values => values;

    /// <summary>The identity as text.</summary>
    public string Identity => _identity ??= Convert.ToBase64String(bytes);
}

/// <summary>Where files lie.</summary>
/// <param name="Partition">The partition.</param>
/// <param name="Bucket">The bucket.</param>
/// <param name="TotalBuckets">Number of buckets when the files were written; not positive where buckets are not fixed.</param>
public readonly record struct PaimonFileRun(PaimonPartition Partition, int Bucket, int TotalBuckets);

/// <summary>Which partitions and buckets of a table are looked at; all by default.</summary>
/// <param name="InPartition">Whether a partition is; null for all.</param>
/// <param name="InBucket">Whether a bucket of such a partition is; null for all.</param>
/// <param name="Bounds">What files have to fulfil, as far as their bounds are kept; null for nothing.</param>
public readonly record struct PaimonPlaces(Func<PaimonPartition, bool>? InPartition = null, Func<PaimonFileRun, bool>? InBucket = null, IReadOnlyList<PaimonBounds>? Bounds = null);

/// <summary>A condition on a column's values, by their bounds in each file as numbers; they are kept with the list of files once they were made.</summary>
/// <param name="Key">Stands for <paramref name="Of"/>.</param>
/// <param name="Of">Bounds of a file's values: numbers not above the least and not below the greatest.</param>
/// <param name="MayMatch">Whether a file with such bounds may have a row that fulfils the condition.</param>
public sealed record PaimonBounds(string Key, Func<PaimonDataFile, (long Least, long Greatest)> Of, Func<long, long, bool> MayMatch);

/// <summary>Which files of a table are looked at, by bucket and level; all by default.</summary>
/// <param name="HasKey">The table has a primary key: rows that wait in no real bucket are not seen.</param>
/// <param name="PassOverLevelZero">Nor are those of level 0 of such a table.</param>
/// <param name="Only">The one level that is looked at, or null.</param>
public readonly record struct PaimonLevels(bool HasKey, bool PassOverLevelZero, int? Only)
{
    /// <summary>Whether files of a bucket and level are looked at.</summary>
    public bool Include(int bucket, int level) => (!HasKey || (bucket >= 0 && !(level == 0 && PassOverLevelZero))) && (Only is null || level == Only);
}
