using LakeHolo.LakeCatalog.Snapshots;

namespace LakeHolo.LakeCatalog.Paimon;

/// <summary>What a table's options ask for, checked before anything is read: what would change the rows and is not known is refused by name.</summary>
internal static class PaimonFeatures
{
    /// <summary>Names the branch that gives the partitions which the table has not.</summary>
    public const string FallbackBranch = "scan.fallback-branch";

    private static readonly string[] RefusedFlags = ["chain-table.enabled", "postpone.merge-on-read", "query-auth.enabled", "read.changelog", "key-value.sequence_number.enabled"];

    private static readonly string[] RefusedOptions =
    [
        "scan.primary-branch", "scan.snapshot-id", "scan.tag-name", "scan.timestamp-millis", "scan.timestamp", "scan.version", "scan.watermark",
        "scan.file-creation-time-millis", "scan.creation-time-millis", "scan.bucket", "scan.partitions", "incremental-between", "incremental-between-timestamp", "incremental-to-auto-tag",
        "log.scan.timestamp-millis",
    ];

    private static readonly string[] MergeEngines = ["deduplicate", "partial-update", "aggregation", "first-row"];

    /// <summary>Refuses a table of a kind or with an option that this reader does not know.</summary>
    /// <exception cref="LakeException">FeatureUnsupported, naming the option.</exception>
    /// <param name="schema">The schema.</param>
    /// <param name="branch">The branch that is read.</param>
    /// <param name="location">Where the table lies.</param>
    public static void Check(PaimonSchema schema, string branch, string location)
    {
        string type = schema.Option("type")?.Trim().ToLowerInvariant() ?? "table";
        if (type is not ("table" or "materialized-table"))
        {
            throw LakeException.FeatureUnsupported($"Paimon tables of type={type} are not supported", location);
        }

        foreach (string option in RefusedFlags)
        {
            if (schema.Flag(option))
            {
                throw LakeException.FeatureUnsupported($"The Paimon option {option}=true is not supported", location);
            }
        }

        foreach (string option in RefusedOptions)
        {
            if (schema.Option(option) is string value)
            {
                throw LakeException.FeatureUnsupported($"The Paimon option {option}={value}, stored in the table, is not supported", location);
            }
        }

        // The option's older name serves where the newer one is not set.
        string modeOption = schema.Option("scan.mode") is null ? "log.scan" : "scan.mode";
        if (schema.Option(modeOption) is string mode && mode.Trim().ToLowerInvariant() is not ("default" or "latest-full" or "full" or "latest"))
        {
            throw LakeException.FeatureUnsupported($"The Paimon option {modeOption}={mode} is not supported (default, latest-full, full, latest are)", location);
        }

        if (schema.Option("batch-scan-mode") is string batch && !batch.Trim().Equals("none", StringComparison.OrdinalIgnoreCase))
        {
            throw LakeException.FeatureUnsupported($"The Paimon option batch-scan-mode={batch} is not supported", location);
        }

        // The option sends every read to a branch; in the schema of a branch itself it names where it is.
        if (schema.Option("branch") is string other && other != PaimonFolder.Main && other != branch)
        {
            throw LakeException.FeatureUnsupported($"The Paimon option branch={other}, stored in the table, is not supported", location);
        }

        string? unknown = schema.Options.Keys.Where(k => !IsRefusable(k) && PaimonOptions.IsUnknown(schema, k)).Order(StringComparer.Ordinal).FirstOrDefault();
        if (unknown is not null)
        {
            throw LakeException.FeatureUnsupported($"The Paimon option {unknown}={schema.Option(unknown)} is not known, and might change what is read", location);
        }

        CheckMerge(schema, location);
        CheckNames(schema, location);
    }

    private static bool IsRefusable(string key) => RefusedFlags.Contains(key) || RefusedOptions.Contains(key) || key is "batch-scan-mode" or "branch";

    // SQL knows no difference of case, and the engine gives rows of files these two names.
    private static void CheckNames(PaimonSchema schema, string location)
    {
        var names = new HashSet<string>(StringComparer.OrdinalIgnoreCase) { "file_index", "file_row_number" };
        if (schema.Fields.FirstOrDefault(f => !names.Add(f.Name)) is PaimonField clash)
        {
            throw LakeException.FeatureUnsupported($"The column name '{clash.Name}' is not supported: it is taken, or differs from another one in case only", location);
        }
    }

    /// <summary>The features a table uses, for <c>inspect</c>.</summary>
    public static IReadOnlyList<TableFeature> List(PaimonSchema schema, bool hasDeletionVectors)
    {
        var features = new List<TableFeature>();
        if (schema.PrimaryKeys.Count > 0)
        {
            features.Add(new TableFeature($"merge-engine={MergeEngine(schema)}", "read"));
        }

        if (hasDeletionVectors || schema.Flag("deletion-vectors.enabled"))
        {
            features.Add(new TableFeature("deletion-vectors", "read"));
        }

        string[] read = ["sequence.field", "rowkind.field", "row-tracking.enabled", "data-evolution.enabled", "data-file.path-directory", "sequence.snapshot-ordering", FallbackBranch];
        features.AddRange(read.Where(o => schema.Option(o) is not null).Select(o => new TableFeature(o, "read")));
        if (schema.Option("changelog-producer") is string producer)
        {
            features.Add(new TableFeature($"changelog-producer={producer}", "read"));
        }

        return features;
    }

    /// <summary>The merge engine, lower case.</summary>
    public static string MergeEngine(PaimonSchema schema) => schema.Option("merge-engine")?.Trim().ToLowerInvariant() ?? "deduplicate";

    private static void CheckMerge(PaimonSchema schema, string location)
    {
        if (schema.Option("write-mode")?.Trim().ToLowerInvariant() is string mode && mode == (schema.PrimaryKeys.Count == 0 ? "change-log" : "append-only"))
        {
            throw LakeException.FeatureUnsupported(
                $"The Paimon option write-mode={mode} is not supported for a table with{(schema.PrimaryKeys.Count == 0 ? "out" : "")} a primary key", location);
        }

        if (schema.PrimaryKeys.Count == 0)
        {
            return;
        }

        string engine = MergeEngine(schema);
        if (!MergeEngines.Contains(engine))
        {
            throw LakeException.FeatureUnsupported($"The Paimon option merge-engine={engine} is not supported ({string.Join(", ", MergeEngines)} are)", location);
        }

        if (schema.Option("sequence.field.sort-order") is string order && order.Trim().ToLowerInvariant() is not ("ascending" or "descending"))
        {
            throw LakeException.FeatureUnsupported($"The Paimon option sequence.field.sort-order={order} is not supported", location);
        }

        CheckClustering(schema, engine, location);
        if (engine == "aggregation" && schema.Flag("aggregation.remove-record-on-delete")
            && schema.Fields.FirstOrDefault(f => schema.Flag($"fields.{f.Name}.ignore-retract")) is PaimonField ignoring)
        {
            throw LakeException.FeatureUnsupported($"The Paimon options aggregation.remove-record-on-delete and fields.{ignoring.Name}.ignore-retract contradict one another", location);
        }

        if (engine == "partial-update")
        {
            bool ignore = IgnoresDelete(schema);
            bool remove = schema.Flag("partial-update.remove-record-on-delete");
            bool removeOnGroup = schema.Option("partial-update.remove-record-on-sequence-group") is not null;
            bool groups = schema.Options.Keys.Any(k => k.StartsWith("fields.", StringComparison.Ordinal) && k.EndsWith(".sequence-group", StringComparison.Ordinal));
            if ((ignore && (remove || removeOnGroup)) || (remove && groups))
            {
                throw LakeException.FeatureUnsupported(
                    "The Paimon options ignore-delete, partial-update.remove-record-on-delete and sequence groups contradict one another", location);
            }
        }
    }

    // Files that are not sorted by key are not merged: only where no two files hold live rows of one key is that right.
    private static void CheckClustering(PaimonSchema schema, string engine, string location)
    {
        if (schema.Flag("pk-clustering-override")
            && (engine is not ("deduplicate" or "first-row") || (engine == "deduplicate" && !schema.Flag("deletion-vectors.enabled")) || schema.Flag("deletion-vectors.merge-on-read")))
        {
            throw LakeException.FeatureUnsupported(
                $"The Paimon option pk-clustering-override=true is supported with deletion-vectors.enabled=true (and merged when written) for merge-engine=deduplicate, and for first-row, not for {engine} otherwise",
                location);
        }
    }

    /// <summary>Whether deletes are skipped while merging: the first of the option's names that the table has decides.</summary>
    public static bool IgnoresDelete(PaimonSchema schema) =>
        ((string[])["ignore-delete", "first-row.ignore-delete", "deduplicate.ignore-delete", "partial-update.ignore-delete"]).FirstOrDefault(o => schema.Option(o) is not null) is string name
        && schema.Flag(name);
}
