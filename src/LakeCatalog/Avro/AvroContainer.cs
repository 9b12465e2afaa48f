using System.Text;

namespace LakeHolo.LakeCatalog.Avro;

/// <summary>An Avro object container file: header, then blocks of records.</summary>
/// <remarks>
/// Layout (Avro specification 1.12, "Object Container Files"):
/// <code>
/// "Obj" 0x01 | map of metadata (avro.schema, avro.codec, ...) | 16-byte sync marker | block...
/// block: record count (long) | byte size (long) | bytes, compressed by the codec | the sync marker again
/// </code>
/// </remarks>
public sealed class AvroContainer
{
    private const int SyncBytes = 16;

    private readonly ReadOnlyMemory<byte> _bytes;
    private readonly string _path;
    private readonly string _codec;
    private readonly int _firstBlock;

    private AvroContainer(ReadOnlyMemory<byte> bytes, string path, AvroSchema schema, IReadOnlyDictionary<string, byte[]> metadata, string codec, int firstBlock)
    {
        _bytes = bytes;
        _path = path;
        Schema = schema;
        Metadata = metadata;
        _codec = codec;
        _firstBlock = firstBlock;
    }

    /// <summary>The writer's schema.</summary>
    public AvroSchema Schema { get; }

    /// <summary>The header's metadata.</summary>
    public IReadOnlyDictionary<string, byte[]> Metadata { get; }

    internal string Path => _path;

    /// <summary>Reads the header of a file held in memory.</summary>
    /// <exception cref="LakeException"><see cref="LakeErrorKind.FormatInvalid"/> for broken bytes,
    /// <see cref="LakeErrorKind.FeatureUnsupported"/> for a codec that is not built in, by name.</exception>
    public static AvroContainer Open(ReadOnlyMemory<byte> bytes, string pathForErrors)
    {
        if (!bytes.Span.StartsWith("Obj\u0001"u8))
        {
            throw LakeException.FormatInvalid("The file does not begin as an Avro object container", pathForErrors);
        }

        var cursor = new AvroCursor(bytes.Span, pathForErrors);
        cursor.Take(4);
        var metadata = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        for (int count = cursor.ReadBlockCount(); count > 0; count = cursor.ReadBlockCount())
        {
            for (; count > 0; count--)
            {
                string key = Encoding.UTF8.GetString(cursor.ReadBytes());
                metadata[key] = cursor.ReadBytes().ToArray();
            }
        }

        cursor.Take(SyncBytes);
        if (!metadata.TryGetValue("avro.schema", out byte[]? schema))
        {
            throw LakeException.FormatInvalid("The Avro header has no 'avro.schema'", pathForErrors);
        }

        string codec = metadata.TryGetValue("avro.codec", out byte[]? name) ? Encoding.UTF8.GetString(name) : "null";
        AvroCodec.Check(codec, pathForErrors);
        return new AvroContainer(bytes, pathForErrors, AvroSchema.Parse(schema, pathForErrors), metadata, codec, cursor.Position);
    }

    /// <summary>Decodes all records of a file, in file order, with the writer's schema.</summary>
    public static IEnumerable<AvroRecord> ReadRecords(ReadOnlyMemory<byte> bytes, string pathForErrors) => Open(bytes, pathForErrors).ReadRecords();

    /// <summary>Decodes all records, in file order, with the writer's schema.</summary>
    public IEnumerable<AvroRecord> ReadRecords()
    {
        // Old Paimon writers put the record itself into a union with null.
        if (Schema.NonNull.Kind != AvroKind.Record)
        {
            throw LakeException.FormatInvalid($"The Avro file holds {Schema}, not records", _path);
        }

        foreach (AvroBlock block in ReadBlocks())
        {
            foreach (AvroRecord record in DecodeBlock(block))
            {
                yield return record;
            }
        }
    }

    /// <summary>The blocks, decompressed one at a time; sync markers are checked.</summary>
    public IEnumerable<AvroBlock> ReadBlocks()
    {
        int position = _firstBlock;
        while (position < _bytes.Length)
        {
            (long count, ReadOnlyMemory<byte> data, position) = NextBlock(position);
            data = AvroCodec.Decompress(_codec, data, _path);
            // Records without any bytes (no fields, or nulls alone) are legal; a count that is out of all proportion is not.
            if (count > Math.Max(data.Length, 1 << 20))
            {
                throw LakeException.FormatInvalid($"An Avro block of {data.Length} bytes declares {count} records", _path);
            }

            yield return new AvroBlock((int)count, data);
        }
    }

    private (long Count, ReadOnlyMemory<byte> Data, int Next) NextBlock(int position)
    {
        var cursor = new AvroCursor(_bytes.Span[position..], _path);
        long count = cursor.ReadLong();
        long size = cursor.ReadLong();
        if (count < 0 || size < 0 || size > cursor.Remaining - SyncBytes)
        {
            throw LakeException.FormatInvalid(
                $"The Avro block at byte {position} declares {count} records in {size} bytes, {cursor.Remaining} bytes are left", _path);
        }

        int start = position + cursor.Position;
        int end = start + (int)size;
        ReadOnlySpan<byte> marker = _bytes.Span.Slice(_firstBlock - SyncBytes, SyncBytes);
        return _bytes.Span.Slice(end, SyncBytes).SequenceEqual(marker)
            ? (count, _bytes[start..end], end + SyncBytes)
            : throw LakeException.FormatInvalid($"The Avro block at byte {position} does not end in the file's sync marker", _path);
    }

    private AvroRecord[] DecodeBlock(AvroBlock block)
    {
        var cursor = new AvroCursor(block.Data.Span, _path);
        var records = new AvroRecord[block.RecordCount];
        for (int i = 0; i < records.Length; i++)
        {
            records[i] = AvroDatum.Read(Schema, ref cursor, _path) as AvroRecord ?? throw cursor.Invalid("has null where a record is expected");
        }

        return cursor.Remaining == 0 ? records : throw cursor.Invalid($"has {cursor.Remaining} bytes after the last record of a block");
    }
}

/// <summary>A decompressed block.</summary>
/// <param name="RecordCount">Number of records.</param>
/// <param name="Data">Their bytes, one after the other.</param>
public readonly record struct AvroBlock(int RecordCount, ReadOnlyMemory<byte> Data);
