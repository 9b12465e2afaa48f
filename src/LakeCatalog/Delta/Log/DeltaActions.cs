namespace LakeHolo.LakeCatalog.Delta.Log;

/// <summary>Where the dead positions of a data file are (Delta PROTOCOL.md, "Deletion Vector Descriptor Schema").</summary>
public sealed record DeletionVectorDescriptor(string StorageType, string PathOrInlineDv, int? Offset, int SizeBytes, long Cardinality)
{
    /// <summary>The part of a file's reconciliation key.</summary>
    public string Id => Offset is { } offset
        ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{StorageType}{PathOrInlineDv}@{offset}")
        : StorageType + PathOrInlineDv;
}

/// <summary>Lookups in an action's partition values.</summary>
public static class PartitionValues
{
    /// <summary>The value under a physical name, which is matched exactly, then ignoring case; a missing key is NULL.</summary>
    /// <returns>Whether there is such a key.</returns>
    public static bool TryFind(IReadOnlyDictionary<string, string?>? values, string name, out string? value)
    {
        value = null;
        if (values is null || values.TryGetValue(name, out value))
        {
            return values is not null;
        }

        foreach ((string key, string? other) in values)
        {
            if (string.Equals(key, name, StringComparison.OrdinalIgnoreCase))
            {
                value = other;
                return true;
            }
        }

        return false;
    }
}

/// <summary>An <c>add</c> or <c>remove</c> action of a commit.</summary>
public sealed record FileAction
{
    /// <summary>Percent-encoded, as in the log.</summary>
    public required string Path { get; init; }

    /// <summary>By physical name; null when the action has none.</summary>
    public IReadOnlyDictionary<string, string?>? PartitionValues { get; init; }

    /// <summary>Bytes; -1 when the action does not say.</summary>
    public long SizeBytes { get; init; } = -1;

    /// <summary>False for rearrangements.</summary>
    public bool DataChange { get; init; }

    /// <summary>Statistics as UTF-8 JSON, or null.</summary>
    internal byte[]? Stats { get; init; }

    /// <summary>Deleted positions, or null.</summary>
    public DeletionVectorDescriptor? DeletionVector { get; init; }

    /// <summary>Row id of the first row, if the table tracks rows.</summary>
    public long? BaseRowId { get; init; }

    /// <summary>Commit version of rows that have none materialised.</summary>
    public long? DefaultRowCommitVersion { get; init; }
}

/// <summary>A <c>cdc</c> action.</summary>
public sealed record ChangeFileAction(string Path, IReadOnlyDictionary<string, string?> PartitionValues, long SizeBytes);

/// <summary>A <c>protocol</c> action.</summary>
internal sealed record ProtocolAction(
    int MinReaderVersion, int MinWriterVersion, IReadOnlyList<string>? ReaderFeatures, IReadOnlyList<string>? WriterFeatures);

/// <summary>A <c>metaData</c> action.</summary>
internal sealed record MetadataAction
{
    public required string Id { get; init; }

    public string Provider { get; init; } = "parquet";

    public string? SchemaString { get; init; }

    public IReadOnlyList<string> PartitionColumns { get; init; } = [];

    public IReadOnlyDictionary<string, string> Configuration { get; init; } = new Dictionary<string, string>();
}

/// <summary>What is used of a <c>commitInfo</c> action.</summary>
internal sealed record CommitInfoAction
{
    public string Operation { get; init; } = "UNKNOWN";

    public long? InCommitTimestamp { get; init; }

    public bool IsFirstAction { get; init; }

    /// <summary>The MERGE says that it changed no row (its metrics are all "0").</summary>
    public bool ChangesNoRows { get; init; }

    /// <summary>The whole action as JSON.</summary>
    public required string Json { get; init; }
}

/// <summary>One parsed commit file.</summary>
internal sealed record CommitActions
{
    public required long Version { get; init; }

    public ProtocolAction? Protocol { get; set; }

    public MetadataAction? Metadata { get; set; }

    public CommitInfoAction? CommitInfo { get; set; }

    public List<FileAction> Adds { get; } = [];

    public List<FileAction> Removes { get; } = [];

    public List<ChangeFileAction> ChangeFiles { get; } = [];

    public List<string> Sidecars { get; } = [];
}
