using LakeHolo.LakeCatalog.Delta.Log;
using LakeHolo.LakeCatalog.Delta.Schema;
using LakeHolo.LakeCatalog.Snapshots;

namespace LakeHolo.LakeCatalog.Delta;

/// <summary>The protocol gate: what a table demands of its readers, judged before anything is read (Delta PROTOCOL.md, "Valid Feature Names").</summary>
internal static class DeltaFeatures
{
    private const int HighestReaderVersion = 3;
    private const int FeatureWriterVersion = 7;

    private static readonly HashSet<string> Read = new(StringComparer.Ordinal)
    {
        "columnMapping", "deletionVectors", "timestampNtz", "timestampWithoutTimezone", "v2Checkpoint", "typeWidening", "typeWidening-preview",
        "variantType", "variantType-preview", "variantShredding", "variantShredding-preview", "vacuumProtocolCheck",
    };

    // Known, and refused by name.
    private static readonly HashSet<string> Refused = new(StringComparer.Ordinal)
    {
        "catalogManaged", "catalogOwned", "catalogOwned-preview", "geospatial", "geospatial-dev", "timestampNanos", "adaptiveMetadata",
        "adaptiveMetadata-preview", "redirectReaderWriter-preview",
    };

    // Features that writers must know by the version alone, up to the one that lists them (Delta PROTOCOL.md, "Table Features").
    private static readonly (int Since, string Name)[] OfWriterVersions =
    [
        (2, "appendOnly"), (2, "invariants"), (3, "checkConstraints"), (4, "changeDataFeed"), (4, "generatedColumns"), (6, "identityColumns"),
    ];

    /// <summary>Refuses a protocol that this reader does not implement.</summary>
    public static void Check(ProtocolAction protocol, string path)
    {
        if (protocol.MinReaderVersion is < 1 or > HighestReaderVersion)
        {
            throw LakeException.FeatureUnsupported(
                $"Reader version {protocol.MinReaderVersion} is not supported ({HighestReaderVersion} is the highest)", path);
        }

        if (protocol.MinReaderVersion < HighestReaderVersion)
        {
            return;
        }

        if (protocol.ReaderFeatures is null)
        {
            throw LakeException.FormatInvalid("The protocol has reader version 3 without readerFeatures", path);
        }

        if (protocol.MinWriterVersion != FeatureWriterVersion)
        {
            throw LakeException.FormatInvalid(
                $"The protocol has reader version 3 with writer version {protocol.MinWriterVersion}, {FeatureWriterVersion} is needed", path);
        }

        string[] unknown = [.. protocol.ReaderFeatures.Where(f => !Read.Contains(f))];
        if (unknown.Length > 0)
        {
            string what = unknown.All(Refused.Contains) ? "Unsupported" : "Unknown";
            throw LakeException.FeatureUnsupported($"{what} reader feature {string.Join(", ", unknown)}", path);
        }

        CheckLists(protocol.ReaderFeatures, protocol.WriterFeatures ?? [], path);
    }

    /// <summary>Whether a feature that readers must know is in force.</summary>
    public static bool HasReaderFeature(ProtocolAction protocol, string name) =>
        protocol.MinReaderVersion == HighestReaderVersion && (protocol.ReaderFeatures ?? []).Contains(name);

    /// <summary>Whether a feature of writers is in force.</summary>
    public static bool HasWriterFeature(ProtocolAction protocol, string name) =>
        protocol.MinWriterVersion == FeatureWriterVersion && (protocol.WriterFeatures ?? []).Contains(name);

    /// <summary>The mapping mode; the property means nothing without the protocol's permission.</summary>
    public static ColumnMappingMode MappingMode(ProtocolAction protocol, MetadataAction metadata, string path)
    {
        bool supported = protocol.MinReaderVersion == 2 || HasReaderFeature(protocol, "columnMapping")
            || (protocol.MinReaderVersion == HighestReaderVersion && HasWriterFeature(protocol, "columnMapping"));
        string mode = supported ? metadata.Configuration.GetValueOrDefault("delta.columnMapping.mode", "none") : "none";
        return mode switch
        {
            "none" => ColumnMappingMode.None,
            "name" => ColumnMappingMode.Name,
            "id" => ColumnMappingMode.Id,
            _ => throw LakeException.FeatureUnsupported($"Unknown column mapping mode {mode}", path),
        };
    }

    /// <summary>Refuses types whose feature the protocol does not list.</summary>
    public static void CheckTypes(ProtocolAction protocol, DeltaStruct schema, string path)
    {
        bool wallClock = HasReaderFeature(protocol, "timestampNtz") || HasReaderFeature(protocol, "timestampWithoutTimezone");
        bool variant = HasReaderFeature(protocol, "variantType") || HasReaderFeature(protocol, "variantType-preview");
        foreach (DeltaPrimitiveKind kind in Primitives(schema))
        {
            if (kind == DeltaPrimitiveKind.TimestampNtz && !wallClock)
            {
                throw LakeException.FormatInvalid("The schema has the type timestamp_ntz without the feature timestampNtz", path);
            }

            if (kind == DeltaPrimitiveKind.Variant && !variant)
            {
                throw LakeException.FormatInvalid("The schema has the type variant without the feature variantType", path);
            }
        }
    }

    /// <summary>Primitive types of a schema, at every depth.</summary>
    public static IEnumerable<DeltaPrimitiveKind> Primitives(DeltaType type) => type switch
    {
        DeltaPrimitive p => [p.Kind],
        DeltaArray a => Primitives(a.Element),
        DeltaMap m => Primitives(m.Key).Concat(Primitives(m.Value)),
        DeltaStruct s => s.Fields.SelectMany(f => Primitives(f.Type)),
        _ => [],
    };

    /// <summary>What becomes of each feature, for <c>inspect</c>.</summary>
    public static IReadOnlyList<TableFeature> Describe(ProtocolAction protocol)
    {
        IEnumerable<string> listed = protocol.MinWriterVersion < FeatureWriterVersion
            ? OfWriterVersions.Where(f => f.Since <= protocol.MinWriterVersion).Select(f => f.Name)
            : (protocol.ReaderFeatures ?? []).Concat(protocol.WriterFeatures ?? []);
        listed = protocol.MinReaderVersion == 2 ? listed.Append("columnMapping") : listed;
        return
        [
            .. listed.Distinct().Order(StringComparer.Ordinal).Select(name => new TableFeature(
                name, Read.Contains(name) || name is "rowTracking" or "inCommitTimestamp" or "changeDataFeed" ? "read" : "ignored (writers only)")),
        ];
    }

    private static void CheckLists(IReadOnlyList<string> readers, IReadOnlyList<string> writers, string path)
    {
        if (readers.FirstOrDefault(f => !writers.Contains(f)) is { } missing)
        {
            throw LakeException.FormatInvalid($"The reader feature {missing} is not among the protocol's writerFeatures", path);
        }

        // columnMapping alone is known to stand only there, by a writer's defect.
        if (writers.FirstOrDefault(f => f != "columnMapping" && !readers.Contains(f) && (Read.Contains(f) || Refused.Contains(f))) is { } hidden)
        {
            throw LakeException.FormatInvalid($"The reader feature {hidden} stands only among the protocol's writerFeatures", path);
        }
    }
}
