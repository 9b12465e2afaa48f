using LakeHolo.LakeCatalog.Hudi.LogFiles;
using LakeHolo.LakeCatalog.Hudi.Timeline;
using LakeHolo.LakeCatalog.Storage;
using ParquetSharp;
using ParquetSharp.IO;

namespace LakeHolo.LakeCatalog.Hudi.FileSlices;

/// <summary>What only the data files tell about the table's columns.</summary>
/// <param name="HasOperation">Rows carry <c>_hoodie_operation</c> (a changelog table of Flink), which no schema on the timeline mentions.</param>
/// <param name="Json">The Avro schema of the newest file; null if it was not needed or the file has none.</param>
internal sealed record FileSchema(bool HasOperation, string? Json)
{
    private const int ProbeBytes = 1 << 18;

    /// <summary>Looks into the newest committed file; null for a table without files.</summary>
    public static async ValueTask<FileSchema?> ReadAsync(
        TableRoot root, Dictionary<(string Partition, string FileId), List<HudiFile>> groups, HudiTimeline timeline, bool needsSchema, CancellationToken cancellationToken)
    {
        HudiFile? newest = groups.Values.SelectMany(f => f).Where(f => f.SizeBytes > 0 && timeline.IsCommitted(f.Instant)).MaxBy(f => f.Instant, StringComparer.Ordinal);
        if (newest is null)
        {
            return null;
        }

        string key = root.Key(newest.Path);
        // Column names stand uncompressed at the begin of a log file (its first block's schema) and in a Parquet or ORC footer.
        long length = Math.Min(newest.SizeBytes, ProbeBytes);
        var range = new ByteRange(newest.LogVersion > 0 ? 0 : newest.SizeBytes - length, length);
        ReadOnlyMemory<byte> probe = (await root.Store.ReadRangesAsync(key, [range], null, cancellationToken))[0];
        bool hasOperation = probe.Span.IndexOf("_hoodie_operation"u8) >= 0;
        return new FileSchema(hasOperation, needsSchema ? SchemaOf(await root.Store.ReadAsync(key, cancellationToken: cancellationToken), newest, key) : null);
    }

    private static string? SchemaOf(byte[] file, HudiFile kind, string key)
    {
        if (kind.LogVersion > 0)
        {
            return LogFileParser.Parse(file, key).Select(b => b.Headers.GetValueOrDefault(LogHeader.Schema)).FirstOrDefault(s => s is not null);
        }

        if (kind.Extension != "parquet")
        {
            return null;
        }

        try
        {
            using var stream = new MemoryStream(file, writable: false);
            using var source = new ManagedRandomAccessFile(stream);
            using var reader = new ParquetFileReader(source);
            return reader.FileMetaData.KeyValueMetadata.GetValueOrDefault("parquet.avro.schema");
        }
        catch (ParquetException error)
        {
            throw LakeException.FormatInvalid("Hudi: a base file is not the Parquet it should be: " + error.Message, key, error);
        }
    }
}
