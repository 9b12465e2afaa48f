using System.Text;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Readers.Cache.Sparse;

/// <summary>Reads Thrift's compact protocol, as far as Parquet metadata needs it; what is not asked for is skipped.</summary>
/// <remarks>Source: Thrift, "Compact protocol specification". Lengths are checked against what is left before anything is allocated.</remarks>
internal ref struct CompactThrift(ReadOnlySpan<byte> bytes)
{
    public const int Struct = 12;

    private const int MaxDepth = 64; // Parquet's own metadata nests to 7
    private readonly ReadOnlySpan<byte> _bytes = bytes;
    private int _position;

    /// <summary>Where the next byte is read.</summary>
    public readonly int Position => _position;

    /// <summary>The next field of a struct.</summary>
    /// <param name="field">Number of the field before (0 at the start of a struct), then of this one.</param>
    /// <param name="type">Its type.</param>
    /// <returns>False at the end of the struct.</returns>
    public bool NextField(ref int field, out int type)
    {
        byte header = Byte();
        type = header & 0x0F;
        if (header == 0)
        {
            return false;
        }

        int delta = header >> 4;
        field = delta != 0 ? field + delta : (int)Integer();
        return true;
    }

    /// <summary>The head of a list or set.</summary>
    public int List(out int elementType)
    {
        byte header = Byte();
        elementType = header & 0x0F;
        int count = header >> 4 == 15 ? Length() : header >> 4;
        return count <= _bytes.Length - _position ? count : throw Broken("a list is longer than what is left"); // an element takes a byte at least
    }

    /// <summary>An i16, i32 or i64.</summary>
    public long Integer()
    {
        ulong value = Varint();
        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    /// <summary>An i8.</summary>
    public int SmallInteger() => (sbyte)Byte();

    public string Text() => Encoding.UTF8.GetString(Bytes());

    /// <summary>A binary value.</summary>
    public ReadOnlySpan<byte> Bytes()
    {
        int length = Length();
        ReadOnlySpan<byte> bytes = _bytes.Slice(_position, length);
        _position += length;
        return bytes;
    }

    public void Skip(int type, int depth = 0)
    {
        if (depth > MaxDepth)
        {
            throw Broken("structures are nested too deep");
        }

        switch (type)
        {
            case 1 or 2: // a boolean field: its value is its type
                break;
            case 3:
                Advance(1);
                break;
            case 4 or 5 or 6:
                Varint();
                break;
            case 7:
                Advance(8);
                break;
            case 8:
                Advance(Length());
                break;
            case 9 or 10:
                int count = List(out int elementType);
                for (int i = 0; i < count; i++)
                {
                    SkipElement(elementType, depth);
                }

                break;
            case 11:
                SkipMap(depth);
                break;
            case Struct:
                int field = 0;
                while (NextField(ref field, out int fieldType))
                {
                    Skip(fieldType, depth + 1);
                }

                break;
            case 13:
                Advance(16);
                break;
            default:
                throw Broken($"type {type} is unknown");
        }
    }

    private void SkipMap(int depth)
    {
        int pairs = Length();
        if (pairs == 0)
        {
            return;
        }

        byte types = Byte();
        for (int i = 0; i < pairs; i++)
        {
            SkipElement(types >> 4, depth);
            SkipElement(types & 0x0F, depth);
        }
    }

    private void SkipElement(int type, int depth)
    {
        if (type is 1 or 2)
        {
            Advance(1); // a boolean in a list has a byte of its own
            return;
        }

        Skip(type, depth + 1);
    }

    private int Length()
    {
        ulong length = Varint();
        return length <= (ulong)(_bytes.Length - _position) ? (int)length : throw Broken($"a length of {length} is longer than what is left");
    }

    private ulong Varint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            byte next = Byte();
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }

        throw Broken("a number is longer than 64 bits");
    }

    private void Advance(int count)
    {
        if (count > _bytes.Length - _position)
        {
            throw Broken("it ends early");
        }

        _position += count;
    }

    private byte Byte() => _position < _bytes.Length ? _bytes[_position++] : throw Broken("it ends early");

    private readonly LakeException Broken(string fault) => LakeException.FormatInvalid($"The Parquet footer is broken at byte {_position}: {fault}");
}
