using System.Runtime.InteropServices;
using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Readers.DataFiles.Orc;

/// <summary>Reads one column of one stripe, batch by batch.</summary>
/// <remarks>A null is in the column's own PRESENT stream, or in that of a struct around it: then the column holds nothing at all for the row.</remarks>
internal abstract class OrcColumn(IArrowType type, OrcBits? present, string path)
{
    internal IArrowType Type { get; } = type;

    protected string Path { get; } = path;

    /// <summary>Bytes left in all streams of the column and those below it.</summary>
    internal long RemainingBytes => (present?.RemainingBytes ?? 0) + OwnRemainingBytes;

    protected abstract long OwnRemainingBytes { get; }

    /// <summary>Reads the next rows.</summary>
    /// <param name="count">How many.</param>
    /// <param name="parent">One byte per row, 0 where a struct around this column is null; null if there is none.</param>
    internal ArrayData Read(int count, byte[]? parent)
    {
        byte[]? valid = ReadValidity(count, parent, out int validCount);
        ArrowBuffer bitmap = validCount == count ? ArrowBuffer.Empty : new ArrowBuffer(Pack(valid!));
        return Build(count, validCount, validCount == count ? null : valid, bitmap);
    }

    /// <summary>Makes the array; <paramref name="valid"/> is null if no row is.</summary>
    protected abstract ArrayData Build(int count, int validCount, byte[]? valid, ArrowBuffer bitmap);

    protected static ArrowBuffer Buffer<T>(T[] values)
        where T : unmanaged => new(MemoryMarshal.AsBytes(values.AsSpan()).ToArray());

    /// <summary>Moves the values, which stand together at the front, to the rows that have one; the rest becomes zero.</summary>
    protected static void Spread<T>(Span<T> values, int validCount, byte[]? valid)
        where T : unmanaged
    {
        if (valid is null)
        {
            return;
        }

        int source = validCount;
        for (int i = values.Length - 1; i >= 0; i--)
        {
            values[i] = valid[i] != 0 ? values[--source] : default;
        }
    }

    protected static byte[] Pack(ReadOnlySpan<byte> flags)
    {
        byte[] bits = new byte[(flags.Length + 7) / 8];
        for (int i = 0; i < flags.Length; i++)
        {
            bits[i >> 3] |= (byte)(flags[i] << (i & 7));
        }

        return bits;
    }

    private byte[]? ReadValidity(int count, byte[]? parent, out int validCount)
    {
        validCount = count;
        if (parent is null && present is null)
        {
            return null;
        }

        byte[] valid = new byte[count];
        int expected = parent is null ? count : Sum(parent);
        Span<byte> own = valid.AsSpan(0, expected);
        if (present is null)
        {
            own.Fill(1);
        }
        else
        {
            present.Read(own);
        }

        validCount = Sum(own);
        Spread<byte>(valid, expected, parent);
        return valid;
    }

    private static int Sum(ReadOnlySpan<byte> flags)
    {
        int sum = 0;
        foreach (byte flag in flags)
        {
            sum += flag;
        }

        return sum;
    }
}

internal sealed class OrcBooleanColumn(OrcBits? present, OrcBits data, string path) : OrcColumn(BooleanType.Default, present, path)
{
    protected override long OwnRemainingBytes => data.RemainingBytes;

    protected override ArrayData Build(int count, int validCount, byte[]? valid, ArrowBuffer bitmap)
    {
        byte[] values = new byte[count];
        data.Read(values.AsSpan(0, validCount));
        Spread<byte>(values, validCount, valid);
        return new ArrayData(Type, count, count - validCount, 0, [bitmap, new ArrowBuffer(Pack(values))]);
    }
}

internal sealed class OrcByteColumn(OrcBits? present, OrcByteRuns data, string path) : OrcColumn(Int8Type.Default, present, path)
{
    protected override long OwnRemainingBytes => data.RemainingBytes;

    protected override ArrayData Build(int count, int validCount, byte[]? valid, ArrowBuffer bitmap)
    {
        byte[] values = new byte[count];
        data.Read(values.AsSpan(0, validCount));
        Spread<byte>(values, validCount, valid);
        return new ArrayData(Type, count, count - validCount, 0, [bitmap, new ArrowBuffer(values)]);
    }
}

/// <summary>SMALLINT, INT, BIGINT and DATE.</summary>
internal sealed class OrcIntegerColumn(IArrowType type, OrcBits? present, OrcIntegers data, string path) : OrcColumn(type, present, path)
{
    protected override long OwnRemainingBytes => data.RemainingBytes;

    protected override ArrayData Build(int count, int validCount, byte[]? valid, ArrowBuffer bitmap)
    {
        long[] values = new long[count];
        data.Read(values.AsSpan(0, validCount));
        Spread<long>(values, validCount, valid);
        ArrowBuffer buffer = Type switch
        {
            Int64Type => Buffer(values),
            Int16Type => Buffer(Narrow<short>(values)),
            _ => Buffer(Narrow<int>(values)),
        };
        return new ArrayData(Type, count, count - validCount, 0, [bitmap, buffer]);
    }

    private T[] Narrow<T>(long[] values)
        where T : unmanaged, System.Numerics.INumber<T>
    {
        try
        {
            var narrow = new T[values.Length];
            for (int i = 0; i < values.Length; i++)
            {
                narrow[i] = T.CreateChecked(values[i]);
            }

            return narrow;
        }
        catch (OverflowException e)
        {
            throw LakeException.FormatInvalid($"An ORC column of type {Type.Name} has a value beyond its range", Path, e);
        }
    }
}

/// <summary>FLOAT and DOUBLE, little-endian as in Arrow.</summary>
internal sealed class OrcFloatColumn(IArrowType type, OrcBits? present, OrcBytes data, string path) : OrcColumn(type, present, path)
{
    protected override long OwnRemainingBytes => data.Remaining;

    protected override ArrayData Build(int count, int validCount, byte[]? valid, ArrowBuffer bitmap)
    {
        int size = Type is FloatType ? 4 : 8;
        ReadOnlySpan<byte> stored = data.Take((long)validCount * size);
        byte[] values = new byte[count * size];
        stored.CopyTo(values);
        if (size == 4)
        {
            Spread<int>(MemoryMarshal.Cast<byte, int>(values.AsSpan()), validCount, valid);
        }
        else
        {
            Spread<long>(MemoryMarshal.Cast<byte, long>(values.AsSpan()), validCount, valid);
        }

        return new ArrayData(Type, count, count - validCount, 0, [bitmap, new ArrowBuffer(values)]);
    }
}

/// <summary>DECIMAL: zig-zag numbers of up to 128 bits, and the scale of each.</summary>
internal sealed class OrcDecimalColumn(Decimal128Type type, OrcBits? present, OrcBytes data, OrcIntegers scales, string path) : OrcColumn(type, present, path)
{
    private static readonly Int128[] PowersOfTen = [.. Enumerable.Range(0, 39).Select(i => (Int128)System.Numerics.BigInteger.Pow(10, i))];

    protected override long OwnRemainingBytes => data.Remaining + (long)scales.RemainingBytes;

    protected override ArrayData Build(int count, int validCount, byte[]? valid, ArrowBuffer bitmap)
    {
        long[] stored = new long[validCount];
        scales.Read(stored);
        var values = new Int128[count];
        for (int i = 0; i < validCount; i++)
        {
            values[i] = Rescale(ReadNumber(), stored[i]);
        }

        Spread<Int128>(values, validCount, valid);
        return new ArrayData(Type, count, count - validCount, 0, [bitmap, Buffer(values)]);
    }

    private Int128 ReadNumber()
    {
        UInt128 value = 0;
        for (int shift = 0; shift < 133; shift += 7)
        {
            byte b = data.ReadByte();
            value |= (UInt128)(b & 0x7F) << shift;
            if (b < 0x80)
            {
                return (Int128)(value >> 1) ^ -(Int128)(value & 1);
            }
        }

        throw data.Invalid("has a decimal of more than 128 bits");
    }

    private Int128 Rescale(Int128 value, long scale)
    {
        // Writers drop trailing zeros, so the stored scale may be less than the type's.
        long difference = type.Scale - scale;
        Int128 limit = PowersOfTen[type.Precision];
        if (difference is < -38 or > 38)
        {
            return value == 0 ? 0 : throw data.Invalid($"has a decimal of scale {scale}");
        }

        if (difference < 0)
        {
            (value, Int128 rest) = Int128.DivRem(value, PowersOfTen[-difference]);
            difference = rest == 0 ? 0 : throw data.Invalid($"has a decimal of scale {scale} in a column of scale {type.Scale}");
        }

        Int128 bound = limit / PowersOfTen[difference];
        return value < bound && value > -bound ? value * PowersOfTen[difference] : throw data.Invalid($"has a decimal of more than {type.Precision} digits");
    }
}

/// <summary>TIMESTAMP and TIMESTAMP WITH LOCAL TIME ZONE: seconds since 2015, and nanoseconds with their trailing zeros counted.</summary>
internal sealed class OrcTimestampColumn(TimestampType type, OrcTimestampRules rules, OrcBits? present, OrcIntegers seconds, OrcIntegers nanos, string path)
    : OrcColumn(type, present, path)
{
    protected override long OwnRemainingBytes => seconds.RemainingBytes + (long)nanos.RemainingBytes;

    protected override ArrayData Build(int count, int validCount, byte[]? valid, ArrowBuffer bitmap)
    {
        long[] values = new long[count];
        long[] fractions = new long[validCount];
        seconds.Read(values.AsSpan(0, validCount));
        nanos.Read(fractions);
        for (int i = 0; i < validCount; i++)
        {
            values[i] = Combine(values[i], Nanos(fractions[i]));
        }

        Spread<long>(values, validCount, valid);
        return new ArrayData(Type, count, count - validCount, 0, [bitmap, Buffer(values)]);
    }

    private long Nanos(long stored)
    {
        // The low three bits tell how many zeros were dropped, less one (ORC specification, "Timestamp Columns").
        long value = (long)((ulong)stored >> 3);
        for (int zeros = (int)(stored & 7), i = zeros == 0 ? 0 : -1; i < zeros && value <= 999_999_999; i++)
        {
            value *= 10;
        }

        return value <= 999_999_999 ? value : throw LakeException.FormatInvalid("An ORC timestamp has more than a second of nanoseconds", Path);
    }

    private long Combine(long stored, long fraction)
    {
        // Beyond these seconds no microsecond fits 64 bits.
        if (stored is > 9_000_000_000_000 or < -9_000_000_000_000)
        {
            throw LakeException.FormatInvalid($"An ORC timestamp is {stored} seconds from 2015", Path);
        }

        long epoch = stored + rules.BaseSeconds;
        // Writers cut seconds towards zero, so before 1970 a fraction counts from the second before; below a millisecond they forgot to.
        epoch = epoch < 0 && fraction > 999_999 ? epoch - 1 : epoch;
        epoch += rules.AddedSeconds(epoch);
        if (type.Unit == TimeUnit.Nanosecond)
        {
            Int128 total = ((Int128)epoch * 1_000_000_000) + fraction;
            return total >= long.MinValue && total <= long.MaxValue ? (long)total : throw LakeException.FeatureUnsupported("A timestamp lies beyond the years 1677 to 2262, which nanoseconds do not reach", Path);
        }

        return fraction % 1000 == 0
            ? (epoch * 1_000_000) + (fraction / 1000)
            : throw LakeException.FeatureUnsupported("A timestamp finer than microseconds is not supported", Path);
    }
}
