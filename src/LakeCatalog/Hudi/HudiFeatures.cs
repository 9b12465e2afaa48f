using LakeHolo.LakeCatalog.Snapshots;

namespace LakeHolo.LakeCatalog.Hudi;

/// <summary>What a table's properties ask of a reader; checked before anything else is read.</summary>
internal static class HudiFeatures
{
    /// <summary>Refuses what would be read wrongly.</summary>
    public static void Check(HudiProperties properties, string location)
    {
        int version = properties.TableVersion;
        if (version is not (5 or 6 or 8 or 9))
        {
            throw Refused($"hoodie.table.version {properties.Text("hoodie.table.version") ?? "(absent)"}", location);
        }

        if (properties.TimelineLayout != (version <= 6 ? 1 : 2))
        {
            throw Refused($"hoodie.timeline.layout.version {properties.TimelineLayout} with hoodie.table.version {version}", location);
        }

        Allow(properties, "hoodie.table.format", location, "native");
        Allow(properties, "hoodie.table.type", location, "COPY_ON_WRITE", "MERGE_ON_READ");
        Allow(properties, properties.Text("hoodie.table.log.file.format") is null ? "hoodie.table.rt.file.format" : "hoodie.table.log.file.format", location, "HOODIE_LOG");
        Allow(properties, "hoodie.table.storage.layout", location, "default");
        Allow(properties, "hoodie.meta.fields.mode", location, "ALL", "NONE", "COMMIT_TIME_ONLY", "FILE_NAME_ONLY", "COMMIT_TIME_AND_FILE_NAME");
        Allow(properties, "hoodie.table.partial.update.mode", location, "NONE", "IGNORE_DEFAULTS", "FILL_UNAVAILABLE", "KEEP_VALUES");
        Allow(properties, "hoodie.record.merge.mode", location, "COMMIT_TIME_ORDERING", "EVENT_TIME_ORDERING", "CUSTOM");
        string format = properties.Text("hoodie.table.base.file.format") ?? properties.Text("hoodie.table.ro.file.format") ?? "PARQUET";
        if (!format.Equals("PARQUET", StringComparison.OrdinalIgnoreCase) && !format.Equals("ORC", StringComparison.OrdinalIgnoreCase))
        {
            throw Refused($"base file format {format}", location);
        }
    }

    /// <summary>The list that <c>inspect</c> shows.</summary>
    public static IReadOnlyList<TableFeature> Describe(HudiProperties properties, bool usesMetadataTable)
    {
        var features = new List<TableFeature>
        {
            new($"table version {properties.TableVersion}", "read"),
            new($"timeline layout {properties.TimelineLayout}", "read"),
            new(properties.IsMergeOnRead ? "MERGE_ON_READ" : "COPY_ON_WRITE", "read"),
        };
        if (properties.Text("hoodie.table.metadata.partitions") is { } partitions)
        {
            features.Add(new TableFeature($"metadata table ({partitions})", usesMetadataTable ? "read" : "ignored (files are listed)"));
        }

        if (properties.IsCdcEnabled)
        {
            features.Add(new TableFeature("change data capture logs", "ignored (snapshots do not need them)"));
        }

        if (properties.Text("hoodie.bootstrap.base.path") is not null)
        {
            features.Add(new TableFeature("bootstrap base path", "refused where a skeleton file is live"));
        }

        return features;
    }

    private static void Allow(HudiProperties properties, string key, string location, params string[] values)
    {
        if (properties.Text(key) is { } value && !values.Contains(value, StringComparer.OrdinalIgnoreCase))
        {
            throw Refused($"{key} {value}", location);
        }
    }

    private static LakeException Refused(string feature, string location) => LakeException.FeatureUnsupported($"Hudi: {feature} is not supported", location);
}
