using System.Buffers.Binary;
using System.Globalization;
using Apache.Arrow;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Avro;
using LakeHolo.LakeCatalog.Hudi.LogFiles;
using ParquetSharp.Arrow;

namespace LakeHolo.Readers.Hudi.LogFiles;

/// <summary>Writes the records of a data block as a Parquet file: rows in block order, columns as the block's own schema has them.</summary>
internal static class DataBlock
{
    /// <summary>Names the output's layout; part of the cache's key.</summary>
    public const string DecoderVersion = "hudi-block-1";

    public static async ValueTask WriteParquetAsync(LiveBlock live, string targetPath, CancellationToken cancellationToken)
    {
        ReadOnlyMemory<byte> content = live.Log.Content.Slice(live.Block.ContentOffset, live.Block.ContentLength);
        switch (live.Block.Type)
        {
            case LogBlockType.ParquetData:
                await using (var target = new FileStream(targetPath, FileMode.Create, FileAccess.Write))
                {
                    await target.WriteAsync(content, cancellationToken);
                }

                break;
            case LogBlockType.AvroData:
                WriteAvro(live, content.Span, targetPath, cancellationToken);
                break;
            default:
                throw LakeException.FeatureUnsupported($"Hudi: {live.Block.Type} log blocks are not supported", live.Log.File.Path);
        }
    }

    /// <summary>Column names of a block's own schema.</summary>
    public static IReadOnlyList<string> ColumnsOf(LiveBlock live) => [.. SchemaOf(live).Fields.Select(f => f.Name)];

    /// <summary>Columns that an Avro block stores as instants in microseconds.</summary>
    public static IReadOnlySet<string> MicrosecondInstantsOf(LiveBlock live)
        => SchemaOf(live).Fields.Where(f => (f.Type.Kind == AvroKind.Union ? f.Type.Branches : [f.Type]).Any(t => t.LogicalType == "timestamp-micros"))
            .Select(f => f.Name).ToHashSet(StringComparer.Ordinal);

    // i32 content version (2 or 3), i32 records, then records x (i32 length, Avro datum)
    private static void WriteAvro(LiveBlock live, ReadOnlySpan<byte> content, string targetPath, CancellationToken cancellationToken)
    {
        string path = live.Log.File.Path;
        if (content.Length < 8)
        {
            throw LakeException.FormatInvalid($"Hudi: an Avro block of {content.Length} bytes", path);
        }

        int version = BinaryPrimitives.ReadInt32BigEndian(content);
        if (version is not (2 or 3))
        {
            throw LakeException.FeatureUnsupported(string.Create(CultureInfo.InvariantCulture, $"Hudi: Avro block version {version} is not supported"), path);
        }

        int count = BinaryPrimitives.ReadInt32BigEndian(content[4..]);
        ReadOnlySpan<byte> rest = content[8..];
        var reader = new AvroArrowReader(SchemaOf(live), path);
        using var writer = new FileWriter(targetPath, reader.Schema);
        for (int i = 0; i < count; i++)
        {
            int length = rest.Length >= 4 ? BinaryPrimitives.ReadInt32BigEndian(rest) : -1;
            if (length < 0 || length > rest.Length - 4)
            {
                throw LakeException.FormatInvalid($"Hudi: record {i} of {count} of an Avro block declares {length} bytes of {rest.Length - 4}", path);
            }

            reader.Append(rest.Slice(4, length));
            rest = rest[(4 + length)..];
            if (reader.IsFull)
            {
                cancellationToken.ThrowIfCancellationRequested();
                Flush(reader, writer);
            }
        }

        Flush(reader, writer);
        writer.Close();
    }

    private static void Flush(AvroArrowReader reader, FileWriter writer)
    {
        if (reader.RowCount > 0)
        {
            using RecordBatch batch = reader.Flush();
            writer.WriteRecordBatch(batch);
        }
    }

    private static AvroSchema SchemaOf(LiveBlock live)
        => AvroSchema.Parse(
            live.Block.Headers.GetValueOrDefault(LogHeader.Schema) ?? throw LakeException.FormatInvalid("Hudi: a data block without a schema", live.Log.File.Path),
            live.Log.File.Path);
}
