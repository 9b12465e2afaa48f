using System.Text.Json.Nodes;
using LakeHolo.LakeCatalog.Delta.Files;
using LakeHolo.LakeCatalog.Delta.Log;
using LakeHolo.LakeCatalog.Delta.Schema;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Delta;

/// <summary>A Delta table at one version.</summary>
public sealed class DeltaSnapshot : Snapshot
{
    /// <summary>The version.</summary>
    public required long Version { get; init; }

    /// <inheritdoc/>
    public override string Identity => $"{Id.Text}/{Metadata.Id}/{LastCommitTag}";

    /// <summary>The live files.</summary>
    public required DeltaFileList Files { get; init; }

    /// <summary>The schema with physical names.</summary>
    public required DeltaStruct Columns { get; init; }

    /// <summary>Partition columns, in the order of <see cref="FileBlock.Partitions"/>.</summary>
    public required IReadOnlyList<DeltaField> PartitionFields { get; init; }

    /// <summary>How columns are found in files.</summary>
    public required ColumnMappingMode MappingMode { get; init; }

    /// <summary>Where absolute paths may lead.</summary>
    public required ExternalLocations Locations { get; init; }

    /// <inheritdoc/>
    public override string ColumnIdentity(string column) => Columns.Fields.First(f => f.Name == column).PhysicalName;

    /// <inheritdoc/>
    public override bool HasColumnIdentities => MappingMode != ColumnMappingMode.None;

    /// <inheritdoc/>
    public override long FileCount => Files.Count;

    /// <inheritdoc/>
    public override long SizeBytes => Files.SizeBytes;

    /// <inheritdoc/>
    public override long? RowCount => Files.RowCount;

    /// <summary>Which partition column a column is; -1 for none.</summary>
    public int PartitionIndex(DeltaField column)
    {
        for (int i = 0; i < PartitionFields.Count; i++)
        {
            if (PartitionFields[i].Name == column.Name)
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>Whether old files may hold narrower types.</summary>
    public bool HasTypeWidening => DeltaFeatures.HasReaderFeature(Protocol, "typeWidening")
        || DeltaFeatures.HasReaderFeature(Protocol, "typeWidening-preview");

    /// <summary>Whether shredded variants are allowed.</summary>
    public bool HasVariantShredding => DeltaFeatures.HasReaderFeature(Protocol, "variantShredding")
        || DeltaFeatures.HasReaderFeature(Protocol, "variantShredding-preview");

    /// <summary>Whether row ids can be asked for.</summary>
    public bool HasRowTracking => DeltaFeatures.HasWriterFeature(Protocol, "rowTracking") && IsTrue("delta.enableRowTracking")
        && !IsTrue("delta.rowTrackingSuspended");

    /// <summary>Whether the change data feed is on.</summary>
    public bool HasChangeDataFeed => IsTrue("delta.enableChangeDataFeed");

    internal ProtocolAction Protocol { get; init; } = null!;

    internal MetadataAction Metadata { get; init; } = null!;

    internal string? LastCommitTag { get; init; }

    internal long? CommittedAtMillis { get; init; }

    /// <summary>The folder of the log as it was when it was listed last and had no newer version; null where that is not known.</summary>
    internal LocalTree? Log { get; set; }

    /// <inheritdoc/>
    public override IEnumerable<DataFileInfo> EnumerateFiles()
    {
        foreach ((FileBlock block, int row) in Files.Live())
        {
            yield return FileInfo(block, row);
        }
    }

    internal DataFileInfo FileInfo(FileBlock block, int row) => new()
    {
        Path = block.Path(row),
        Format = "parquet",
        SizeBytes = block.SizeBytes(row),
        RowCount = block.RowCount(row) < 0 ? null : block.RowCount(row),
        DeletedRowCount = block.DeletionVector(row)?.Cardinality ?? 0,
        Partition = PartitionFields.Select((f, i) => (f.Name, Value: block.Partitions[i].Value(row))).ToDictionary(p => p.Name, p => p.Value),
        StatisticsJson = Statistics(block.StatisticsJson(row)),
    };

    private bool IsTrue(string property) =>
        Metadata.Configuration.TryGetValue(property, out string? value) && string.Equals(value, "true", StringComparison.OrdinalIgnoreCase);

    // Delta's form is {"minValues":{c:…},"maxValues":{c:…},"nullCount":{c:…}} under physical names.
    private string? Statistics(string? json)
    {
        if (json is null)
        {
            return null;
        }

        try
        {
            JsonObject? all = JsonNode.Parse(json) as JsonObject;
            var result = new JsonObject();
            foreach (DeltaField field in Columns.Fields)
            {
                JsonNode? min = all?["minValues"]?[field.PhysicalName];
                JsonNode? max = all?["maxValues"]?[field.PhysicalName];
                JsonNode? nulls = all?["nullCount"]?[field.PhysicalName];
                if (min is not null || max is not null || nulls is not null)
                {
                    result[field.Name] = new JsonObject { ["min"] = min?.DeepClone(), ["max"] = max?.DeepClone(), ["nulls"] = nulls?.DeepClone() };
                }
            }

            return result.ToJsonString();
        }
        catch (Exception e) when (e is System.Text.Json.JsonException or InvalidOperationException or ArgumentException)
        {
            // Statistics that are no JSON count as absent.
            return null;
        }
    }
}
