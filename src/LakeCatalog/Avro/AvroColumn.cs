using System.Numerics;
using System.Runtime.CompilerServices;
using Apache.Arrow;
using Apache.Arrow.Types;

namespace LakeHolo.LakeCatalog.Avro;

/// <summary>Collects the values of one column (or part of one) of an Arrow batch.</summary>
/// <remarks>What runs for each value is optimised when it is first called: a query waits for a few thousand rows of log records, which are decoded before the
/// runtime would find out that these methods are worth it.</remarks>
internal abstract class AvroColumn(IArrowType type)
{
    private byte[] _validity = new byte[64];
    private int _nullCount;

    internal IArrowType Type { get; } = type;

    internal int Count { get; private set; }

    /// <summary>Bytes collected since the last batch, roughly; batches end when this gets large.</summary>
    internal virtual long SizeBytes => 0;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal void Read(ref AvroCursor cursor)
    {
        ReadValue(ref cursor);
        EnsureValidity();
        _validity[Count >> 3] |= (byte)(1 << (Count & 7));
        Count++;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal void AppendNull()
    {
        AppendEmpty();
        EnsureValidity();
        _nullCount++;
        Count++;
    }

    /// <summary>Makes the array and begins anew.</summary>
    internal IArrowArray Flush()
    {
        ArrowBuffer validity = _nullCount == 0 ? ArrowBuffer.Empty : new ArrowBuffer(_validity);
        ArrayData data = Build(Count, _nullCount, validity);
        _validity = new byte[64];
        _nullCount = 0;
        Count = 0;
        return ArrowArrayFactory.BuildArray(data);
    }

    protected abstract void ReadValue(ref AvroCursor cursor);

    protected abstract void AppendEmpty();

    protected abstract ArrayData Build(int count, int nullCount, ArrowBuffer validity);

    protected static void Grow<T>(ref T[] buffer, int needed)
    {
        if (needed > buffer.Length)
        {
            System.Array.Resize(ref buffer, (int)Math.Min(Math.Max(needed, 2L * buffer.Length), System.Array.MaxLength));
        }
    }

    private void EnsureValidity() => Grow(ref _validity, (Count >> 3) + 1);
}

/// <summary>Null, or a value of another column.</summary>
internal sealed class AvroNullableColumn(AvroColumn inner, int nullBranch)
{
    internal AvroColumn Inner { get; } = inner;

    // -1: no union around the value.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal void Read(ref AvroCursor cursor)
    {
        if (nullBranch >= 0 && cursor.ReadIndex(2) == nullBranch)
        {
            Inner.AppendNull();
        }
        else
        {
            Inner.Read(ref cursor);
        }
    }
}

internal delegate T AvroValue<T>(ref AvroCursor cursor);

internal sealed class AvroFixedColumn<T>(IArrowType type, AvroValue<T> read) : AvroColumn(type)
    where T : unmanaged
{
    private T[] _values = new T[64];

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void ReadValue(ref AvroCursor cursor)
    {
        Grow(ref _values, Count + 1);
        _values[Count] = read(ref cursor);
    }

    protected override void AppendEmpty()
    {
        Grow(ref _values, Count + 1);
        _values[Count] = default;
    }

    protected override ArrayData Build(int count, int nullCount, ArrowBuffer validity)
    {
        var data = new ArrayData(Type, count, nullCount, 0, [validity, new ArrowBuffer(System.Runtime.InteropServices.MemoryMarshal.AsBytes(_values.AsSpan(0, count)).ToArray())]);
        return data;
    }
}

internal sealed class AvroBooleanColumn() : AvroColumn(BooleanType.Default)
{
    private byte[] _bits = new byte[64];

    protected override void ReadValue(ref AvroCursor cursor)
    {
        AppendEmpty();
        if (cursor.ReadBoolean())
        {
            _bits[Count >> 3] |= (byte)(1 << (Count & 7));
        }
    }

    protected override void AppendEmpty() => Grow(ref _bits, (Count >> 3) + 1);

    protected override ArrayData Build(int count, int nullCount, ArrowBuffer validity)
    {
        byte[] bits = _bits;
        _bits = new byte[64];
        return new ArrayData(Type, count, nullCount, 0, [validity, new ArrowBuffer(bits)]);
    }
}

/// <summary>Strings and binaries: bytes as they are, or another text made of them.</summary>
internal sealed class AvroBytesColumn(IArrowType type, AvroColumnText text) : AvroColumn(type)
{
    private int[] _offsets = new int[64];
    private byte[] _bytes = new byte[256];
    private int _length;

    internal override long SizeBytes => _length;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void ReadValue(ref AvroCursor cursor)
    {
        ReadOnlySpan<byte> value = text(ref cursor);
        if (value.Length > System.Array.MaxLength - _length)
        {
            throw cursor.Invalid("holds more than 2 GiB of text in one batch");
        }

        Grow(ref _bytes, _length + value.Length);
        value.CopyTo(_bytes.AsSpan(_length));
        _length += value.Length;
        AppendEmpty();
    }

    protected override void AppendEmpty()
    {
        Grow(ref _offsets, Count + 2);
        _offsets[Count + 1] = _length;
    }

    protected override ArrayData Build(int count, int nullCount, ArrowBuffer validity)
    {
        byte[] offsets = System.Runtime.InteropServices.MemoryMarshal.AsBytes(_offsets.AsSpan(0, count + 1)).ToArray();
        byte[] bytes = _bytes.AsSpan(0, _length).ToArray();
        _length = 0;
        return new ArrayData(Type, count, nullCount, 0, [validity, new ArrowBuffer(offsets), new ArrowBuffer(bytes)]);
    }
}

internal delegate ReadOnlySpan<byte> AvroColumnText(ref AvroCursor cursor);

internal sealed class AvroNullColumn() : AvroColumn(NullType.Default)
{
    protected override void ReadValue(ref AvroCursor cursor)
    {
    }

    protected override void AppendEmpty()
    {
    }

    protected override ArrayData Build(int count, int nullCount, ArrowBuffer validity) => new(Type, count, count, 0, System.Array.Empty<ArrowBuffer>());
}

internal sealed class AvroStructColumn(StructType type, AvroNullableColumn[] fields) : AvroColumn(type)
{
    internal override long SizeBytes => fields.Sum(f => f.Inner.SizeBytes);

    protected override void ReadValue(ref AvroCursor cursor)
    {
        foreach (AvroNullableColumn field in fields)
        {
            field.Read(ref cursor);
        }
    }

    protected override void AppendEmpty()
    {
        foreach (AvroNullableColumn field in fields)
        {
            field.Inner.AppendNull();
        }
    }

    protected override ArrayData Build(int count, int nullCount, ArrowBuffer validity) =>
        new(Type, count, nullCount, 0, [validity], [.. fields.Select(f => f.Inner.Flush().Data)]);
}

/// <summary>Arrays, and maps as arrays of entries.</summary>
internal sealed class AvroListColumn(IArrowType type, AvroNullableColumn? keys, AvroNullableColumn items) : AvroColumn(type)
{
    private int[] _offsets = new int[64];

    internal override long SizeBytes => (keys?.Inner.SizeBytes ?? 0) + items.Inner.SizeBytes + (8L * items.Inner.Count);

    protected override void ReadValue(ref AvroCursor cursor)
    {
        for (int count = cursor.ReadBlockCount(); count > 0; count = cursor.ReadBlockCount())
        {
            if (count > System.Array.MaxLength / 16 - items.Inner.Count)
            {
                throw cursor.Invalid("holds too many items in one batch");
            }

            for (; count > 0; count--)
            {
                keys?.Read(ref cursor);
                items.Read(ref cursor);
            }
        }

        AppendEmpty();
    }

    protected override void AppendEmpty()
    {
        Grow(ref _offsets, Count + 2);
        _offsets[Count + 1] = items.Inner.Count;
    }

    protected override ArrayData Build(int count, int nullCount, ArrowBuffer validity)
    {
        byte[] offsets = System.Runtime.InteropServices.MemoryMarshal.AsBytes(_offsets.AsSpan(0, count + 1)).ToArray();
        int entries = items.Inner.Count;
        ArrayData child = Type is MapType map && keys is not null
            ? new ArrayData(new StructType([map.KeyField, map.ValueField]), entries, 0, 0, [ArrowBuffer.Empty], [keys.Inner.Flush().Data, items.Inner.Flush().Data])
            : items.Inner.Flush().Data;
        return new ArrayData(Type, count, nullCount, 0, [validity, new ArrowBuffer(offsets)], [child]);
    }
}

/// <summary>Big-endian two's complement of any length to Arrow's 128 bits.</summary>
internal static class AvroDecimal
{
    // 10^19 and above lie beyond 64 bits.
    private static readonly long[] LongPowersOfTen = [.. Enumerable.Range(0, 19).Select(i => (long)BigInteger.Pow(10, i))];
    private static readonly Int128[] PowersOfTen = [.. Enumerable.Range(0, 39).Select(i => (Int128)BigInteger.Pow(10, i))];

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static Int128 Read(ref AvroCursor cursor, ReadOnlySpan<byte> bytes, int precision)
    {
        if (bytes.Length <= sizeof(long))
        {
            long number = bytes.Length > 0 ? (sbyte)bytes[0] : 0;
            for (int i = 1; i < bytes.Length; i++)
            {
                number = (number << 8) | bytes[i];
            }

            return precision >= LongPowersOfTen.Length || (number < LongPowersOfTen[precision] && number > -LongPowersOfTen[precision]) ? number : throw TooLarge(ref cursor, precision);
        }

        Int128 value = bytes.Length > 0 && bytes[0] >= 0x80 ? -1 : 0;
        foreach (byte b in bytes)
        {
            // One more byte keeps a value of 35 digits within 128 bits; a longer one is worked out without that limit.
            if (value > PowersOfTen[35] || value < -PowersOfTen[35])
            {
                BigInteger whole = new(bytes, isUnsigned: false, isBigEndian: true);
                return BigInteger.Abs(whole) < (BigInteger)PowersOfTen[precision] ? (Int128)whole : throw TooLarge(ref cursor, precision);
            }

            value = (value << 8) | b;
        }

        return value < PowersOfTen[precision] && value > -PowersOfTen[precision] ? value : throw TooLarge(ref cursor, precision);
    }

    private static LakeException TooLarge(ref AvroCursor cursor, int precision) => cursor.Invalid($"has a decimal of more than {precision} digits");
}
