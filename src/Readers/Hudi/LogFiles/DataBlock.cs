using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.CompilerServices;
using Apache.Arrow;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Avro;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.HFiles;
using LakeHolo.LakeCatalog.Hudi.LogFiles;
using ParquetSharp;
using ParquetSharp.Arrow;

namespace LakeHolo.Readers.Hudi.LogFiles;

/// <summary>Writes the records of a data block as a Parquet file: rows in block order, columns as the block's own schema has them.</summary>
internal static class DataBlock
{
    /// <summary>Names the output's layout; part of the cache's key.</summary>
    public const string DecoderVersion = "hudi-block-2";

    /// <param name="live">The block.</param>
    /// <param name="file">The log file's bytes.</param>
    /// <param name="keyColumn">The column of record keys, which HFile blocks hold apart; null if there is none.</param>
    /// <param name="columns">Names of the columns that are needed; null for all. Blocks that are Parquet keep all.</param>
    /// <param name="targetPath">The file to write.</param>
    /// <param name="cancellationToken">Observed between batches.</param>
    public static async ValueTask WriteParquetAsync(
        LiveBlock live, ReadOnlyMemory<byte> file, string? keyColumn, IReadOnlyCollection<string>? columns, string targetPath, CancellationToken cancellationToken)
    {
        ReadOnlyMemory<byte> content = file.Slice(live.Block.ContentOffset, live.Block.ContentLength);
        switch (live.Block.Type)
        {
            case LogBlockType.ParquetData:
                await using (var target = new FileStream(targetPath, FileMode.Create, FileAccess.Write))
                {
                    await target.WriteAsync(content, cancellationToken);
                }

                break;
            case LogBlockType.AvroData or LogBlockType.CdcData:
                WriteAvro(live, content.Span, columns, targetPath, cancellationToken);
                break;
            case LogBlockType.HFileData:
                await WriteHFileAsync(live, content, keyColumn, columns, targetPath, cancellationToken);
                break;
            default:
                throw LakeException.FeatureUnsupported($"Hudi: {live.Block.Type} log blocks are not supported", live.Log.File.Path);
        }
    }

    /// <summary>Paths of what an Avro block stores as instants in microseconds.</summary>
    public static IReadOnlySet<string> MicrosecondInstantsOf(LiveBlock live) => LogicalPaths.Of(SchemaOf(live), "timestamp-micros");

    // i32 content version (2 or 3), i32 records, then records x (i32 length, Avro datum)
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void WriteAvro(LiveBlock live, ReadOnlySpan<byte> content, IReadOnlyCollection<string>? columns, string targetPath, CancellationToken cancellationToken)
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
        var reader = new AvroArrowReader(SchemaOf(live), path, columns);
        using FileWriter writer = Open(targetPath, reader.Schema);
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

    // One HFile: the key of a cell is the record key, its value the record as an Avro datum whose key column is empty.
    private static async ValueTask WriteHFileAsync(
        LiveBlock live, ReadOnlyMemory<byte> content, string? keyColumn, IReadOnlyCollection<string>? columns, string targetPath, CancellationToken cancellationToken)
    {
        string path = live.Log.File.Path;
        HFileReader file = await HFileReader.OpenAsync(content, path, cancellationToken);
        AvroSchema schema = SchemaOf(live);
        var reader = new AvroArrowReader(schema, path, columns);
        using FileWriter writer = Open(targetPath, reader.Schema);
        foreach (HFileCell cell in await file.ReadAllAsync(cancellationToken))
        {
            reader.Append(WithKey(cell, schema, keyColumn, path));
            if (reader.IsFull)
            {
                cancellationToken.ThrowIfCancellationRequested();
                Flush(reader, writer);
            }
        }

        Flush(reader, writer);
        writer.Close();
    }

    private static ReadOnlySpan<byte> WithKey(HFileCell cell, AvroSchema schema, string? keyColumn, string path)
    {
        ReadOnlySpan<byte> datum = cell.Value.Span;
        int column = keyColumn is null ? -1 : schema.IndexOfField(keyColumn);
        if (column < 0 || schema.Fields[column].Type.NonNull.Kind != AvroKind.String)
        {
            return datum;
        }

        var cursor = new AvroCursor(datum, path);
        for (int i = 0; i < column; i++)
        {
            cursor.Skip(schema.Fields[i].Type);
        }

        AvroSchema type = schema.Fields[column].Type;
        if (type.Kind == AvroKind.Union && type.Branches[cursor.ReadIndex(type.Branches.Count)].Kind == AvroKind.Null)
        {
            return datum;
        }

        int text = cursor.Position;
        if (cursor.ReadBytes().Length > 0)
        {
            return datum;
        }

        byte[] length = ZigZag(cell.Key.Length);
        return (byte[])[.. datum[..text], .. length, .. cell.Key.Span, .. datum[cursor.Position..]];
    }

    private static byte[] ZigZag(int value)
    {
        var bytes = new List<byte>();
        uint rest = (uint)value << 1;
        for (; rest >= 0x80; rest >>= 7)
        {
            bytes.Add((byte)(rest | 0x80));
        }

        bytes.Add((byte)rest);
        return [.. bytes];
    }

    // The blocks themselves are not compressed, and a block is read a few times at most: compressing it and making dictionaries took twice as long as decoding it.
    private static FileWriter Open(string path, Schema schema)
    {
        using var builder = new WriterPropertiesBuilder();
        using WriterProperties properties = builder.Compression(Compression.Uncompressed).DisableDictionary().Build();
        return new FileWriter(path, schema, properties);
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
