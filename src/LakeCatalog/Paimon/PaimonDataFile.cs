namespace LakeHolo.LakeCatalog.Paimon;

/// <summary>A data file of a snapshot, as its manifest describes it.</summary>
public sealed record PaimonDataFile
{
    /// <summary>The bucket of rows that no compaction has yet given a real bucket.</summary>
    public const int PostponeBucket = -2;

    /// <summary>The partition's values: raw row bytes, the partition's identity.</summary>
    public required byte[] PartitionBytes { get; init; }

    /// <summary>The partition's values.</summary>
    public required IReadOnlyList<object?> Partition { get; init; }

    /// <summary>Bucket.</summary>
    public required int Bucket { get; init; }

    /// <summary>Number of buckets when the file was written; not positive where buckets are not fixed.</summary>
    public required int TotalBuckets { get; init; }

    /// <summary>File name, without folder.</summary>
    public required string Name { get; init; }

    /// <summary>Size in bytes.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>Physical rows.</summary>
    public required long RowCount { get; init; }

    /// <summary>Smallest key, raw row bytes.</summary>
    public required byte[] MinKey { get; init; }

    /// <summary>Largest key, raw row bytes.</summary>
    public required byte[] MaxKey { get; init; }

    /// <summary>Statistics of the primary key columns that are no partition columns.</summary>
    public PaimonStatistics KeyStatistics { get; init; } = PaimonStatistics.None;

    /// <summary>Statistics of the table's columns.</summary>
    public required PaimonStatistics ValueStatistics { get; init; }

    /// <summary>Smallest sequence number.</summary>
    public required long MinSequenceNumber { get; init; }

    /// <summary>Largest sequence number.</summary>
    public required long MaxSequenceNumber { get; init; }

    /// <summary>The schema it was written with.</summary>
    public required long SchemaId { get; init; }

    /// <summary>LSM level; 0 is the newest.</summary>
    public required int Level { get; init; }

    /// <summary>Companion files beside it.</summary>
    public IReadOnlyList<string> ExtraFiles { get; init; } = [];

    /// <summary>Rows of kind -U or -D; null if unknown.</summary>
    public long? DeleteRowCount { get; init; }

    /// <summary>File index stored in the manifest, or null.</summary>
    public byte[]? EmbeddedFileIndex { get; init; }

    /// <summary>0 written, 1 compacted, null unknown.</summary>
    public int? FileSource { get; init; }

    /// <summary>Columns of <see cref="ValueStatistics"/>; null for all (or the written ones).</summary>
    public IReadOnlyList<string>? ValueStatisticsColumns { get; init; }

    /// <summary>URI of a file outside the table's folder, or null.</summary>
    public string? ExternalPath { get; init; }

    /// <summary>First row id with row tracking.</summary>
    public long? FirstRowId { get; init; }

    /// <summary>Columns in the file with data evolution; null for all.</summary>
    public IReadOnlyList<string>? WriteColumns { get; init; }

    /// <summary>Path relative to the table's folder; the URI for an external file.</summary>
    public required string Path { get; init; }

    /// <summary>Format by the file name: parquet, orc, avro, ….</summary>
    public string Format => FormatOf(Name);

    private static string FormatOf(string name)
    {
        string[] parts = name.ToLowerInvariant().Split('.');
        string last = parts[^1];
        bool compressed = last is "gz" or "bz2" or "deflate" or "zst" or "snappy" or "lz4";
        return compressed && parts.Length > 2 ? parts[^2] : last;
    }
}

/// <summary>Minima, maxima and null counts, as stored.</summary>
/// <param name="MinValues">Raw row bytes.</param>
/// <param name="MaxValues">Raw row bytes.</param>
/// <param name="NullCounts">Null count per column; empty without statistics.</param>
public sealed record PaimonStatistics(byte[] MinValues, byte[] MaxValues, IReadOnlyList<long?> NullCounts)
{
    /// <summary>No statistics.</summary>
    public static PaimonStatistics None { get; } = new([], [], []);
}

/// <summary>The deletion vector of one data file.</summary>
/// <param name="Partition">Raw row bytes of the partition, as base64.</param>
/// <param name="Bucket">Bucket.</param>
/// <param name="DataFile">Name of the data file.</param>
/// <param name="IndexPath">Path of the index file, relative to the table.</param>
/// <param name="Offset">Offset in the index file.</param>
/// <param name="Length">Length as stored: what it counts depends on the vector's version.</param>
/// <param name="Cardinality">Deleted rows, or null.</param>
public sealed record PaimonDeletionVector(string Partition, int Bucket, string DataFile, string IndexPath, long Offset, long Length, long? Cardinality);
