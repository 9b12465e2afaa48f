using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace LakeHolo.LakeCatalog.Avro;

/// <summary>Reads Avro's binary encoding from a span; every length is checked against what is left.</summary>
/// <remarks>Source: Avro specification 1.12, "Binary Encoding".</remarks>
public ref struct AvroCursor
{
    // A block of items without bytes (nulls, empty records) could claim any count; no writer makes use of that.
    private const long MaxEmptyItems = 1024;

    private readonly ReadOnlySpan<byte> _bytes;
    private readonly string _path;

    /// <summary>Starts at the first byte.</summary>
    public AvroCursor(ReadOnlySpan<byte> bytes, string pathForErrors)
    {
        _bytes = bytes;
        _path = pathForErrors;
        Position = 0;
    }

    /// <summary>Offset of the next byte.</summary>
    public int Position { get; private set; }

    /// <summary>Bytes left.</summary>
    public readonly int Remaining => _bytes.Length - Position;

    /// <summary>A zig-zag number of at most 64 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long ReadLong()
    {
        // Branches of unions, lengths of texts and small numbers are one byte.
        int position = Position;
        if ((uint)position < (uint)_bytes.Length && _bytes[position] is < 0x80 and var b)
        {
            Position = position + 1;
            return (b >> 1) ^ -(b & 1);
        }

        return ReadLongNumber();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private long ReadLongNumber()
    {
        ulong value = 0;
        ReadOnlySpan<byte> bytes = _bytes;
        int position = Position;
        for (int shift = 0; shift < 70; shift += 7)
        {
            if ((uint)position >= (uint)bytes.Length)
            {
                throw Invalid("ends inside a number");
            }

            byte b = bytes[position++];
            value |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80)
            {
                if (shift == 63 && b > 1)
                {
                    break;
                }

                Position = position;
                return (long)(value >> 1) ^ -(long)(value & 1);
            }
        }

        throw Invalid("has a number of more than 64 bits");
    }

    /// <summary>A zig-zag number of at most 32 bits.</summary>
    public int ReadInt()
    {
        long value = ReadLong();
        return value == (int)value ? (int)value : throw Invalid($"has {value} where a 32-bit number is expected");
    }

    /// <summary>One byte, 0 or 1.</summary>
    public bool ReadBoolean()
    {
        byte value = Take(1)[0];
        return value <= 1 ? value == 1 : throw Invalid($"has {value} where a boolean is expected");
    }

    /// <summary>Four bytes.</summary>
    public float ReadFloat() => BinaryPrimitives.ReadSingleLittleEndian(Take(4));

    /// <summary>Eight bytes.</summary>
    public double ReadDouble() => BinaryPrimitives.ReadDoubleLittleEndian(Take(8));

    /// <summary>A length and that many bytes, not copied.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public ReadOnlySpan<byte> ReadBytes()
    {
        long length = ReadLong();
        return length >= 0 && length <= Remaining ? Take((int)length) : throw Invalid($"declares {length} bytes where {Remaining} are left");
    }

    /// <summary>A number of bytes, not copied.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public ReadOnlySpan<byte> Take(int count)
    {
        if ((uint)count > (uint)Remaining)
        {
            throw Invalid($"ends {count - Remaining} bytes early");
        }

        ReadOnlySpan<byte> taken = _bytes.Slice(Position, count);
        Position += count;
        return taken;
    }

    /// <summary>Number of items in the next block of an array or map; 0 ends it. A claimed count that the bytes left cannot hold is an error.</summary>
    public int ReadBlockCount()
    {
        long count = ReadLong();
        if (count < 0)
        {
            // A negative count is followed by the block's size in bytes, for readers that skip.
            count = count == long.MinValue ? long.MaxValue : -count;
            long size = ReadLong();
            if (size < 0 || size > Remaining)
            {
                throw Invalid($"declares a block of {size} bytes where {Remaining} are left");
            }
        }

        return count <= Math.Max(Remaining, MaxEmptyItems) ? (int)count : throw Invalid($"declares {count} items where {Remaining} bytes are left");
    }

    /// <summary>Index of a union's branch or an enum's symbol.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int ReadIndex(int count)
    {
        long index = ReadLong();
        return index >= 0 && index < count ? (int)index : throw Invalid($"has the index {index} where {count} are known");
    }

    /// <summary>Steps over a value.</summary>
    public void Skip(AvroSchema schema) => Skip(schema, 0);

    internal readonly LakeException Invalid(string what) => LakeException.FormatInvalid($"Avro data {what}, at byte {Position}", _path);

    private void Skip(AvroSchema schema, int depth)
    {
        CheckDepth(depth);
        switch (schema.Kind)
        {
            case AvroKind.Null:
                break;
            case AvroKind.Boolean:
                Take(1);
                break;
            case AvroKind.Int or AvroKind.Long or AvroKind.Enum:
                ReadLong();
                break;
            case AvroKind.Float:
                Take(4);
                break;
            case AvroKind.Double:
                Take(8);
                break;
            case AvroKind.Bytes or AvroKind.String:
                ReadBytes();
                break;
            case AvroKind.Fixed:
                Take(schema.FixedSize);
                break;
            case AvroKind.Union:
                Skip(schema.Branches[ReadIndex(schema.Branches.Count)], depth + 1);
                break;
            case AvroKind.Record:
                for (int i = 0; i < schema.Fields.Count; i++)
                {
                    Skip(schema.Fields[i].Type, depth + 1);
                }

                break;
            default:
                SkipBlocks(schema, depth);
                break;
        }
    }

    private void SkipBlocks(AvroSchema schema, int depth)
    {
        for (int count = ReadBlockCount(); count > 0; count = ReadBlockCount())
        {
            for (; count > 0; count--)
            {
                if (schema.Kind == AvroKind.Map)
                {
                    ReadBytes();
                }

                Skip(schema.Items!, depth + 1);
            }
        }
    }

    internal readonly void CheckDepth(int depth)
    {
        if (depth > 2 * AvroSchemaParser.MaxDepth)
        {
            throw Invalid("is nested too deeply");
        }
    }
}
