using System.Globalization;
using LakeHolo.LakeCatalog.Avro;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Paimon.Manifests;

/// <summary>Reads manifest lists, manifests and index manifests, all of them Avro.</summary>
/// <param name="root">The table's folder.</param>
/// <param name="tableSchema">The schema whose options say where files lie.</param>
/// <param name="pool">The table's partitions.</param>
internal sealed class ManifestReader(TableRoot root, PaimonSchema tableSchema, PartitionPool pool)
{
    /// <summary>The version of lists and manifests that is known (<c>_VERSION</c>).</summary>
    public const int ManifestVersion = 2;

    private const int IndexManifestVersion = 1;
    private const string DeletionVectorsType = "DELETION_VECTORS";

    private readonly PaimonType[] _partitionTypes = [.. tableSchema.PartitionKeys.Select(k => tableSchema.Field(k).Type)];

    /// <summary>The manifests of a list: file names in <c>manifest/</c>.</summary>
    public async ValueTask<IReadOnlyList<string>> ReadListAsync(string name, CancellationToken cancellationToken)
    {
        var files = new List<string>();
        foreach (AvroRecord record in await ReadRecordsAsync(name, cancellationToken))
        {
            CheckVersion(record.GetLong("_VERSION"), ManifestVersion, name);
            files.Add(record.GetString("_FILE_NAME"));
        }

        return files;
    }

    /// <summary>The entries of a manifest.</summary>
    /// <param name="name">File name in <c>manifest/</c>.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    /// <param name="maxDecoded">Of how many entries at most the files are made at once.</param>
    public async ValueTask<ManifestBlock> ReadManifestAsync(string name, CancellationToken cancellationToken, int maxDecoded = ManifestBlock.MaxDecoded) => ManifestBlock.Read(
        await OpenAsync(name, cancellationToken),
        name,
        pool,
        partition => BinaryRow.Decode(partition, _partitionTypes, name),
        (entry, partition) => ToFile(entry, entry.GetRecord("_FILE"), partition.Bytes, partition.Values, name),
        maxDecoded);

    /// <summary>The deletion vectors of an index manifest; other indexes do not change what a table holds.</summary>
    public async ValueTask<IReadOnlyDictionary<(string Partition, int Bucket, string DataFile), PaimonDeletionVector>> ReadDeletionVectorsAsync(
        string name, CancellationToken cancellationToken)
    {
        var vectors = new Dictionary<(string, int, string), PaimonDeletionVector>();
        IReadOnlyList<AvroRecord> records = await ReadRecordsAsync(name, cancellationToken);
        HashSet<string> deleted = [.. records.Where(r => r.GetInt("_KIND") == 1).Select(r => r.GetString("_FILE_NAME"))];
        foreach (AvroRecord record in records)
        {
            CheckVersion(record.GetLong("_VERSION"), IndexManifestVersion, name);
            if (record.GetString("_INDEX_TYPE") != DeletionVectorsType || deleted.Contains(record.GetString("_FILE_NAME")))
            {
                continue;
            }

            byte[] partition = record.GetBytes("_PARTITION");
            int bucket = record.GetInt("_BUCKET");
            string path = record.GetStringOrNull("_EXTERNAL_PATH") ?? IndexPath(record.GetString("_FILE_NAME"), partition, bucket, name);
            foreach (object? item in record.GetArray("_DELETIONS_VECTORS_RANGES"))
            {
                if (item is not AvroRecord range)
                {
                    throw LakeException.FormatInvalid("A range of deletion vectors is no record", name);
                }

                var vector = new PaimonDeletionVector(
                    Convert.ToBase64String(partition), bucket, range.GetString("f0"), path, range.GetLong("f1"), range.GetLong("f2"), range.GetLongOrNull("_CARDINALITY"));
                if (!vectors.TryAdd((vector.Partition, bucket, vector.DataFile), vector))
                {
                    throw LakeException.FormatInvalid($"The data file {vector.DataFile} has two deletion vectors", name);
                }
            }
        }

        return vectors;
    }

    private PaimonDataFile ToFile(AvroRecord entry, AvroRecord file, byte[] partitionBytes, IReadOnlyList<object?> partition, string path)
    {
        int bucket = entry.GetInt("_BUCKET");
        string fileName = file.GetString("_FILE_NAME");
        if (fileName.Contains('/', StringComparison.Ordinal) && !fileName.StartsWith("compacted-changelog-", StringComparison.Ordinal))
        {
            throw LakeException.FormatInvalid($"The file name '{fileName}' holds a path", path);
        }

        string? external = file.GetStringOrNull("_EXTERNAL_PATH");
        return new PaimonDataFile
        {
            PartitionBytes = partitionBytes,
            Partition = partition,
            Bucket = bucket,
            TotalBuckets = (int)(entry.GetLongOrNull("_TOTAL_BUCKETS") ?? -1),
            Name = fileName,
            SizeBytes = file.GetLong("_FILE_SIZE"),
            RowCount = file.GetLong("_ROW_COUNT"),
            MinKey = file.GetBytesOrNull("_MIN_KEY") ?? [],
            MaxKey = file.GetBytesOrNull("_MAX_KEY") ?? [],
            KeyStatistics = Statistics(file.GetRecordOrNull("_KEY_STATS")),
            ValueStatistics = Statistics(file.GetRecordOrNull("_VALUE_STATS")),
            MinSequenceNumber = file.GetLongOrNull("_MIN_SEQUENCE_NUMBER") ?? 0,
            MaxSequenceNumber = file.GetLongOrNull("_MAX_SEQUENCE_NUMBER") ?? 0,
            SchemaId = file.GetLong("_SCHEMA_ID"),
            Level = file.GetInt("_LEVEL"),
            ExtraFiles = Texts(file, "_EXTRA_FILES") ?? [],
            DeleteRowCount = file.GetLongOrNull("_DELETE_ROW_COUNT"),
            EmbeddedFileIndex = file.GetBytesOrNull("_EMBEDDED_FILE_INDEX"),
            FileSource = (int?)file.GetLongOrNull("_FILE_SOURCE"),
            ValueStatisticsColumns = Texts(file, "_VALUE_STATS_COLS"),
            ExternalPath = external,
            FirstRowId = file.GetLongOrNull("_FIRST_ROW_ID"),
            WriteColumns = Texts(file, "_WRITE_COLS"),
            Path = external ?? (PaimonPaths.BucketFolder(tableSchema, _partitionTypes, partition, bucket) + fileName),
        };
    }

    private static PaimonStatistics Statistics(AvroRecord? record) => record is null
        ? PaimonStatistics.None
        : new PaimonStatistics(
            record.GetBytesOrNull("_MIN_VALUES") ?? [],
            record.GetBytesOrNull("_MAX_VALUES") ?? [],
            [.. record.GetArray("_NULL_COUNTS").Select(i => i is long or int ? Convert.ToInt64(i, CultureInfo.InvariantCulture) : (long?)null)]);

    private string IndexPath(string name, byte[] partition, int bucket, string path) => tableSchema.Flag("index-file-in-data-file-dir")
        ? PaimonPaths.BucketFolder(tableSchema, _partitionTypes, BinaryRow.Decode(partition, _partitionTypes, path), bucket) + name
        : "index/" + name;

    private async ValueTask<AvroContainer> OpenAsync(string name, CancellationToken cancellationToken)
    {
        string key = root.Key("manifest/" + name);
        byte[] content = await root.Store.ReadAsync(key, cancellationToken: cancellationToken);
        return content.AsSpan().StartsWith("ORC"u8) || content.AsSpan().StartsWith("PAR1"u8)
            ? throw LakeException.FeatureUnsupported("The manifest is not Avro (option manifest.format)", key)
            : AvroContainer.Open(content, key);
    }

    private async ValueTask<IReadOnlyList<AvroRecord>> ReadRecordsAsync(string name, CancellationToken cancellationToken)
    {
        // Up to 0.8 the whole file is of a union of null and the record, so the blocks are decoded by the schema as it stands.
        AvroContainer container = await OpenAsync(name, cancellationToken);
        var records = new List<AvroRecord>();
        foreach (AvroBlock block in container.ReadBlocks())
        {
            DecodeBlock(container.Schema, block, records, container.Path);
        }

        return records;
    }

    private static void DecodeBlock(AvroSchema schema, AvroBlock block, List<AvroRecord> records, string key)
    {
        var cursor = new AvroCursor(block.Data.Span, key);
        for (int i = 0; i < block.RecordCount; i++)
        {
            records.Add(AvroDatum.Read(schema, ref cursor, key) as AvroRecord ?? throw LakeException.FormatInvalid("An entry of the manifest is no record", key));
        }

        if (cursor.Remaining > 0)
        {
            throw LakeException.FormatInvalid("A block of the manifest holds more bytes than its records", key);
        }
    }

    /// <exception cref="LakeException">FeatureUnsupported for another version than the expected one.</exception>
    public static void CheckVersion(long version, int expected, string name)
    {
        if (version != expected)
        {
            throw LakeException.FeatureUnsupported(string.Create(CultureInfo.InvariantCulture, $"Manifest version {version} is not supported, only {expected}"), name);
        }
    }

    private static List<string>? Texts(AvroRecord record, string field) => record.IsNull(field) ? null : [.. record.GetArray(field).OfType<string>()];
}
