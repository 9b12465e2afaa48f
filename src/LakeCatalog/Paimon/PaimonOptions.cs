namespace LakeHolo.LakeCatalog.Paimon;

/// <summary>The closed list of options in those families that can change what a batch read gives: what is in such a family and not listed here is refused,
/// because a newer Paimon may give it a meaning. Other families (writing, compaction, expiry, sinks, lookups, resources) change no rows.</summary>
/// <remarks>From <c>CoreOptions.java</c> of the releases 0.4 to 2.1-SNAPSHOT and the connectors' options of 2.1-SNAPSHOT.</remarks>
internal static class PaimonOptions
{
    /// <summary>What the key of an option begins with if it may change rows.</summary>
    private static readonly string[] ReadingFamilies =
    [
        "scan.", "incremental-", "read.", "batch-scan", "stream-scan", "streaming-read", "key-value.", "table-read.", "branch", "fallback", "merge-engine", "merge.",
        "ignore-", "force-", "sequence.", "rowkind.", "first-row.", "deduplicate.", "partial-update.", "aggregation.", "deletion-vector", "primary-key", "pk-clustering",
        "write-mode", "row-tracking.", "data-evolution.", "blob-", "blob.", "vector", "video-", "postpone.", "chain-table.", "query-", "record-level.", "data-file.",
        "index-file", "bucket", "partition.default-name", "partition.legacy-name",
    ];

    /// <summary>Known options of those families that are followed, or that change no rows of a batch read; refused ones are known to <see cref="PaimonFeatures"/>.</summary>
    private static readonly HashSet<string> Known = new(StringComparer.Ordinal)
    {
        "scan.mode", "scan.max-splits-per-task", "scan.bounded", "scan.bounded.watermark", "scan.manifest.parallelism", "scan.ignore-corrupt-files", "scan.ignore-lost-files",
        "scan.plan-sort-partition", "scan.plan-auto-tag-for-read.time-retained", "scan.fallback-branch", "scan.fallback-branch.read-fail-fast", "scan.fallback-snapshot-branch",
        "scan.fallback-delta-branch", "scan.parallelism", "scan.infer-parallelism", "scan.infer-parallelism.max", "scan.watermark.emit.strategy", "scan.watermark.alignment.group",
        "scan.watermark.idle-timeout", "scan.watermark.alignment.max-drift", "scan.watermark.alignment.update-interval", "scan.split-enumerator.batch-size",
        "scan.max-snapshot.count", "scan.split-enumerator.mode", "scan.remove-normalize", "scan.dedicated-split-generation", "scan.push-down",
        "incremental-between-scan-mode", "incremental-between-tag-to-snapshot",
        "read.batch-size", "read.shuffle-bucket-with-partition", "read.allow.fullScan", "read.stream.maxFilesPerTrigger", "read.stream.maxBytesPerTrigger",
        "read.stream.maxRowsPerTrigger", "read.stream.minRowsPerTrigger", "read.stream.maxTriggerDelayMs",
        "stream-scan-mode", "streaming-read-mode", "streaming-read-overwrite", "streaming-read-append-overwrite", "streaming-read.shuffle-bucket-with-partition", "table-read.sequence-number.enabled",
        "merge-engine", "ignore-delete", "ignore-update-before", "force-lookup", "sequence.field", "sequence.field.sort-order", "sequence.snapshot-ordering",
        "sequence.auto-padding", "rowkind.field", "first-row.ignore-delete", "deduplicate.ignore-delete", "partial-update.ignore-delete",
        "partial-update.remove-record-on-delete", "partial-update.remove-record-on-sequence-group", "aggregation.remove-record-on-delete",
        "deletion-vectors.enabled", "deletion-vectors.bitmap64", "deletion-vectors.merge-on-read", "deletion-vectors.modifiable", "deletion-vector.index-file.target-size",
        "primary-key", "primary-key.nullable", "pk-clustering-override", "write-mode",
        "row-tracking.enabled", "row-tracking.partition-group-on-commit",
        "data-evolution.enabled", "data-evolution.nested-field.enabled", "data-evolution.write-cols-optimization.enabled", "data-evolution.row-sidecar.enabled",
        "data-evolution.row-sidecar.max-selected-rows", "data-evolution.row-sidecar.max-selection-ratio", "data-evolution.reassign.skip-contiguous-row-count",
        "data-evolution.row-id-conflict-rewrite.max-size", "data-evolution.merge-into.file-pruning", "data-evolution.merge-into.source-persist",
        "data-evolution.compaction.rewrite-row-ids",
        "blob-field", "blob-descriptor-field", "blob.stored-descriptor-fields", "blob-view-field", "blob-view.resolve.enabled", "blob-as-descriptor",
        "blob-external-storage-field", "blob-external-storage-path", "blob-write-null-on-missing-file", "blob-write-null-on-fetch-failure", "blob-compaction.enabled",
        "blob.target-file-size", "blob.split-by-file-size", "blob.copy-buffer-size", "video-frame-field",
        "vector-field", "vector.file.format", "vector.target-file-size", "vector-index.search-mode", "vector-search.distribute.enabled",
        "vector-search.lateral-join.batch-size", "vector-search.lateral-join.parallelism",
        "postpone.batch-write-fixed-bucket", "postpone.batch-write-fixed-bucket.max-parallelism", "postpone.batch-write-fixed-bucket.rescale-load-factor",
        "postpone.default-bucket-num", "postpone.target-row-num-per-bucket", "postpone.target-size-per-bucket",
        "chain-table.chain-partition-keys", "chain-table.streaming.merge-snapshot", "chain-table.split.key-range-enabled",
        "record-level.expire-time", "record-level.time-field", "record-level.time-field-type",
        "data-file.path-directory", "data-file.prefix", "data-file.thin-mode", "data-file.external-paths", "data-file.external-paths.strategy",
        "data-file.external-paths.specific-fs", "data-file.external-paths.weights", "index-file-in-data-file-dir",
        "bucket", "bucket-key", "bucket-append-ordered", "bucket-function.type", "partition.default-name", "partition.legacy-name",
    };

    // blob-descriptor.*: settings of the file systems that descriptors point into.
    private static readonly string[] KnownPrefixes = ["blob-descriptor."];

    /// <summary>Options of one column, <c>fields.COLUMN.OPTION</c>, that are known.</summary>
    private static readonly string[] ColumnOptions =
    [
        ".aggregate-function", ".ignore-retract", ".sequence-group", ".nested-key", ".nested-key-null-strategy", ".nested-sequence-field", ".count-limit", ".distinct",
        ".list-agg-delimiter", ".ts-field", ".sum.fail-on-overflow", ".product.fail-on-overflow", ".stats-mode", ".default-value", ".map.storage-layout",
        ".map.shared-shredding.max-columns", ".map.shared-shredding.column-placement-policy",
    ];

    /// <summary>Whether an option of a table could change its rows in a way that nobody here knows.</summary>
    /// <param name="schema">The table's schema.</param>
    /// <param name="key">Key of the option.</param>
    public static bool IsUnknown(PaimonSchema schema, string key)
    {
        if (key.StartsWith("fields.", StringComparison.Ordinal))
        {
            // Only where rows are put together do options of columns decide what is read; indexes have options of their own.
            return schema.PrimaryKeys.Count > 0 && PaimonFeatures.MergeEngine(schema) is "aggregation" or "partial-update"
                && key != "fields.default-aggregate-function" && !key.Contains(".pk-", StringComparison.Ordinal)
                && !ColumnOptions.Any(o => key.EndsWith(o, StringComparison.Ordinal));
        }

        return ReadingFamilies.Any(f => key.StartsWith(f, StringComparison.Ordinal)) && !Known.Contains(key)
            && !KnownPrefixes.Any(p => key.StartsWith(p, StringComparison.Ordinal));
    }
}
