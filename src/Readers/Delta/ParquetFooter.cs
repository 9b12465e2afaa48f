using System.Buffers.Binary;
using System.Collections.Concurrent;
using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Cache.Sparse;
using Microsoft.Win32.SafeHandles;

namespace LakeHolo.Readers.Delta;

/// <summary>What planning needs of a Parquet file's footer: its schema, and codecs that the engine does not read.</summary>
/// <remarks>Source: parquet-format, parquet.thrift (FileMetaData, SchemaElement, ColumnMetaData). Decoded here because opening a file with a whole
/// library costs ten times as much, and a plan asks every file that it reads.</remarks>
/// <param name="Schema">The root; files of equal schema share it.</param>
/// <param name="Foreign">A codec that only our own decoder reads, and a column that has it; null if the engine reads the file.</param>
internal sealed record ParquetFooter(ParquetNode Schema, (string Codec, string Column)? Foreign)
{
    private const int TailBytes = 8;
    private const int FirstReadBytes = 64 << 10;
    private const int MaxDepth = 200;
    private const int MaxInterned = 10_000;

    // CompressionCodec: LZO and LZ4, the deprecated one of Hadoop's framing. The others are read by the engine.
    private const int CodecLzo = 3;
    private const int CodecLz4 = 5;

    // Data files of one writer have the same schema, byte for byte.
    private static readonly ConcurrentDictionary<UInt128, ParquetNode> Interned = new();

    /// <summary>Reads a file's footer.</summary>
    /// <exception cref="LakeException">FormatInvalid: this is no Parquet file; FeatureUnsupported: its footer is encrypted.</exception>
    public static ParquetFooter Read(string localPath, string path)
    {
        try
        {
            using SafeFileHandle handle = File.OpenHandle(localPath);
            long size = RandomAccess.GetLength(handle);
            byte[] end = ReadEnd(handle, size, (int)Math.Min(size, FirstReadBytes));
            if (end.AsSpan().EndsWith("PARE"u8))
            {
                throw LakeException.FeatureUnsupported("A data file has an encrypted footer", path);
            }

            if (end.Length < TailBytes + 4 || !end.AsSpan().EndsWith("PAR1"u8))
            {
                throw LakeException.FormatInvalid("A data file is no Parquet file", path);
            }

            long length = BinaryPrimitives.ReadUInt32LittleEndian(end.AsSpan(end.Length - TailBytes)) + (long)TailBytes;
            if (length > size || length > Array.MaxLength)
            {
                throw LakeException.FormatInvalid($"A data file of {size} bytes declares a footer of {length}", path);
            }

            byte[] footer = length <= end.Length ? end[^(int)length..] : ReadEnd(handle, size, (int)length);
            return Parse(footer.AsSpan(0, footer.Length - TailBytes), path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw e is FileNotFoundException or DirectoryNotFoundException
                ? LakeException.NotFound("A data file of the table is missing (vacuumed?)", path, e)
                : LakeException.StorageUnavailable($"A data file cannot be read: {e.Message}", path, isTransient: false, e);
        }
        catch (LakeException e) when (e.Path is null)
        {
            throw LakeException.FormatInvalid(e.Message, path, e);
        }
    }

    /// <summary>Decodes a footer without its length and magic.</summary>
    internal static ParquetFooter Parse(ReadOnlySpan<byte> footer, string path)
    {
        var thrift = new CompactThrift(footer);
        ParquetNode? schema = null;
        (string, string)? foreign = null;
        int field = 0;
        while (thrift.NextField(ref field, out int type))
        {
            if (field == 2)
            {
                int start = thrift.Position;
                thrift.Skip(type);
                schema = ParseSchema(footer[start..thrift.Position], path);
            }
            else if (field == 4)
            {
                foreign = ForeignCodec(ref thrift, footer);
            }
            else
            {
                thrift.Skip(type);
            }
        }

        return new ParquetFooter(schema ?? throw LakeException.FormatInvalid("A data file's footer has no schema", path), foreign);
    }

    private static byte[] ReadEnd(SafeFileHandle handle, long size, int length)
    {
        byte[] bytes = new byte[length];
        for (int done = 0; done < length;)
        {
            int read = RandomAccess.Read(handle, bytes.AsSpan(done), size - length + done);
            done += read > 0 ? read : throw new EndOfStreamException("the file ended early");
        }

        return bytes;
    }

    private static ParquetNode ParseSchema(ReadOnlySpan<byte> list, string path)
    {
        UInt128 hash = System.IO.Hashing.XxHash128.HashToUInt128(list);
        if (Interned.TryGetValue(hash, out ParquetNode? known))
        {
            return known;
        }

        var thrift = new CompactThrift(list);
        int count = thrift.List(out _);
        ParquetNode schema = Node(ref thrift, ref count, 0, path);
        if (Interned.Count >= MaxInterned)
        {
            Interned.Clear();
        }

        return Interned[hash] = schema;
    }

    // Nodes stand in depth-first order, each with the number of its children.
    private static ParquetNode Node(ref CompactThrift thrift, ref int left, int depth, string path)
    {
        if (depth > MaxDepth || left-- <= 0)
        {
            throw LakeException.FormatInvalid(depth > MaxDepth ? $"A Parquet schema is nested deeper than {MaxDepth} levels" : "A Parquet schema ends early", path);
        }

        ParquetNode node = Element(ref thrift, out int children, out bool isGroup);
        if (!isGroup)
        {
            return node;
        }

        // Every child takes an element of the list, so the count is bounded by what is left.
        if (children < 0 || children > left)
        {
            throw LakeException.FormatInvalid($"A Parquet schema declares {children} children of '{node.Name}'", path);
        }

        var parts = new ParquetNode[children];
        for (int i = 0; i < children; i++)
        {
            parts[i] = Node(ref thrift, ref left, depth + 1, path);
        }

        return node with { IsGroup = true, Children = parts };
    }

    private static ParquetNode Element(ref CompactThrift thrift, out int children, out bool isGroup)
    {
        int physical = -1, repetition = 0, fieldId = -1, scale = 0, precision = 0, converted = -1;
        children = 0;
        string name = string.Empty;
        ParquetNode annotation = new() { Name = string.Empty };
        int field = 0;
        while (thrift.NextField(ref field, out int type))
        {
            switch (field)
            {
                case 1:
                    physical = (int)thrift.Integer();
                    break;
                case 3:
                    repetition = (int)thrift.Integer();
                    break;
                case 4:
                    name = thrift.Text();
                    break;
                case 5:
                    children = (int)Math.Clamp(thrift.Integer(), -1, int.MaxValue);
                    break;
                case 6:
                    converted = (int)thrift.Integer();
                    break;
                case 7:
                    scale = (int)thrift.Integer();
                    break;
                case 8:
                    precision = (int)thrift.Integer();
                    break;
                case 9:
                    fieldId = (int)thrift.Integer();
                    break;
                case 10:
                    annotation = Annotation(ref thrift);
                    break;
                default:
                    thrift.Skip(type);
                    break;
            }
        }

        isGroup = physical < 0;
        annotation = annotation.Meaning == ParquetMeaning.None ? Converted(converted) : annotation;
        return annotation with
        {
            Name = name,
            FieldId = fieldId,
            IsRepeated = repetition == 2,
            Physical = isGroup ? default : (ParquetPhysical)physical,
            Precision = precision,
            Scale = scale,
        };
    }

    // LogicalType, a union; maps and lists are recognised by their shape.
    private static ParquetNode Annotation(ref CompactThrift thrift)
    {
        var node = new ParquetNode { Name = string.Empty };
        int kind = 0;
        while (thrift.NextField(ref kind, out int type))
        {
            bool instant = false, unsigned = false;
            int bits = 0, unit = 0;
            if (kind is 7 or 8)
            {
                (instant, unit) = TimeUnit(ref thrift);
            }
            else if (kind == 10)
            {
                (bits, unsigned) = IntegerBits(ref thrift);
            }
            else
            {
                thrift.Skip(type);
            }

            node = node with
            {
                IsInstant = instant,
                IsMillis = unit == 1,
                IsNanos = unit == 3,
                IsUnsigned = unsigned,
                Bits = bits,
                Meaning = kind switch
                {
                    1 or 4 or 12 => ParquetMeaning.Text,
                    2 or 3 or 11 => ParquetMeaning.None,
                    5 => ParquetMeaning.Decimal,
                    6 => ParquetMeaning.Date,
                    7 => ParquetMeaning.Time,
                    8 => ParquetMeaning.Timestamp,
                    10 => ParquetMeaning.Int,
                    14 => ParquetMeaning.Uuid,
                    16 => ParquetMeaning.Variant,
                    _ => ParquetMeaning.Other,
                },
            };
        }

        return node;
    }

    // The unit by its number in the union: 1 milliseconds, 2 microseconds, 3 nanoseconds.
    private static (bool IsInstant, int Unit) TimeUnit(ref CompactThrift thrift)
    {
        bool instant = false;
        int found = 0;
        int field = 0;
        while (thrift.NextField(ref field, out int type))
        {
            if (field == 1)
            {
                instant = type == 1;
            }
            else if (field == 2)
            {
                int unit = 0;
                while (thrift.NextField(ref unit, out int unitType))
                {
                    found = unit;
                    thrift.Skip(unitType);
                }
            }
            else
            {
                thrift.Skip(type);
            }
        }

        return (instant, found);
    }

    private static (int Bits, bool IsUnsigned) IntegerBits(ref CompactThrift thrift)
    {
        int bits = 0;
        bool unsigned = false;
        int field = 0;
        while (thrift.NextField(ref field, out int type))
        {
            if (field == 1 && type == 3)
            {
                bits = thrift.SmallInteger();
            }
            else
            {
                unsigned |= field == 2 && type == 2; // a boolean field's value is its type
                thrift.Skip(type);
            }
        }

        return (bits, unsigned);
    }

    private static ParquetNode Converted(int converted) => new()
    {
        Name = string.Empty,
        Bits = converted switch
        {
            11 or 15 => 8,
            12 or 16 => 16,
            13 or 17 => 32,
            14 or 18 => 64,
            _ => 0,
        },
        IsInstant = converted is 9 or 10,
        IsMillis = converted is 7 or 9,
        IsUnsigned = converted is >= 11 and <= 14,
        Meaning = converted switch
        {
            0 or 4 or 19 => ParquetMeaning.Text,
            5 => ParquetMeaning.Decimal,
            6 => ParquetMeaning.Date,
            7 or 8 => ParquetMeaning.Time,
            9 or 10 => ParquetMeaning.Timestamp,
            >= 11 and <= 18 => ParquetMeaning.Int,
            20 or 21 => ParquetMeaning.Other,
            _ => ParquetMeaning.None,
        },
    };

    private static (string Codec, string Column)? ForeignCodec(ref CompactThrift thrift, ReadOnlySpan<byte> footer)
    {
        (string, string)? foreign = null;
        int groups = thrift.List(out _);
        for (int g = 0; g < groups; g++)
        {
            int field = 0;
            while (thrift.NextField(ref field, out int type))
            {
                if (field != 1)
                {
                    thrift.Skip(type);
                    continue;
                }

                int chunks = thrift.List(out _);
                for (int c = 0; c < chunks; c++)
                {
                    (int codec, int name) = ChunkCodec(ref thrift);
                    if (foreign is null && codec is CodecLz4 or CodecLzo)
                    {
                        foreign = (codec == CodecLz4 ? "LZ4" : "LZO", ColumnName(footer[name..]));
                    }
                }
            }
        }

        return foreign;
    }

    // The codec, and where the column's name stands.
    private static (int Codec, int Name) ChunkCodec(ref CompactThrift thrift)
    {
        int codec = 0;
        int name = 0;
        int field = 0;
        while (thrift.NextField(ref field, out int type))
        {
            if (field != 3)
            {
                thrift.Skip(type);
                continue;
            }

            int inner = 0;
            while (thrift.NextField(ref inner, out int innerType))
            {
                if (inner == 4)
                {
                    codec = (int)thrift.Integer();
                    continue;
                }

                name = inner == 3 ? thrift.Position : name;
                thrift.Skip(innerType);
            }
        }

        return (codec, name);
    }

    private static string ColumnName(ReadOnlySpan<byte> list)
    {
        var thrift = new CompactThrift(list);
        int segments = thrift.List(out int type);
        var names = new List<string>();
        for (int i = 0; i < segments && type == 8; i++)
        {
            names.Add(thrift.Text());
        }

        return string.Join('.', names);
    }
}
