using System.Buffers.Text;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Apache.Arrow;
using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Types;

internal sealed class BooleanWriter(BooleanArray array) : ColumnWriter(array)
{
    private readonly BooleanArray _array = array;

    public override void Text(WireWriter writer, int row) => writer.Byte(_array.GetValue(row)!.Value ? (byte)'t' : (byte)'f');

    public override void Binary(WireWriter writer, int row) => writer.Byte(_array.GetValue(row)!.Value ? (byte)1 : (byte)0);
}

/// <summary>Integers of any width, object ids among them.</summary>
internal sealed class IntegerWriter(IArrowArray array, PgType type, WriterContext context) : ColumnWriter(array)
{
    private const int MaxDigits = 20;

    private readonly IArrowArray _array = array;
    private readonly bool _named = context.Names is not null && (type == PgType.RegClass || type == PgType.RegProc || type == PgType.RegType);

    public override void Text(WireWriter writer, int row)
    {
        long value = Read(row);
        if (_named)
        {
            writer.Text(context.Names!(type, value));
            return;
        }

        Utf8Formatter.TryFormat(value, writer.GetSpan(MaxDigits), out int length);
        writer.Advance(length);
    }

    public override void Binary(WireWriter writer, int row)
    {
        long value = Read(row);
        switch (type.Length)
        {
            case 2:
                writer.Int16((short)value);
                break;
            case 4:
                writer.Int32(unchecked((int)value));
                break;
            default:
                writer.Int64(value);
                break;
        }
    }

    private long Read(int row) => _array switch
    {
        Int64Array a => a.Values[row],
        Int32Array a => a.Values[row],
        Int16Array a => a.Values[row],
        UInt32Array a => a.Values[row],
        UInt16Array a => a.Values[row],
        UInt8Array a => a.Values[row],
        Int8Array a => a.Values[row],
        UInt64Array a => checked((long)a.Values[row]),
        _ => throw new InvalidOperationException("Not an array of integers"),
    };
}

internal sealed class FloatWriter(FloatArray array) : ColumnWriter(array)
{
    private readonly FloatArray _array = array;

    public override void Text(WireWriter writer, int row)
    {
        float value = _array.Values[row];
        string text = value.ToString("R", CultureInfo.InvariantCulture);

        // PostgreSQL changes to an exponent at 1e6, the runtime at 1e7.
        if (Math.Abs(value) is >= 1e6f and < 1e7f)
        {
            string digits = text.TrimStart('-').Replace(".", string.Empty, StringComparison.Ordinal).TrimEnd('0');
            text = (value < 0 ? "-" : string.Empty) + digits[0] + (digits.Length > 1 ? "." + digits[1..] : string.Empty) + "e+06";
        }

        writer.Text(text.Replace('E', 'e'));
    }

    public override void Binary(WireWriter writer, int row) => writer.Int32(BitConverter.SingleToInt32Bits(_array.Values[row]));
}

internal sealed class DoubleWriter(DoubleArray array) : ColumnWriter(array)
{
    private const int MaxLength = 32;

    private readonly DoubleArray _array = array;

    public override void Text(WireWriter writer, int row)
    {
        double value = _array.Values[row];
        Span<byte> span = writer.GetSpan(MaxLength);
        value.TryFormat(span, out int length, "R", CultureInfo.InvariantCulture);
        if (double.IsFinite(value) && span[..length].IndexOf((byte)'E') is var e and >= 0)
        {
            span[e] = (byte)'e';
        }

        writer.Advance(length);
    }

    public override void Binary(WireWriter writer, int row) => writer.Int64(BitConverter.DoubleToInt64Bits(_array.Values[row]));
}

/// <summary>Text, and what is kept as text.</summary>
internal sealed class StringWriter(IArrowArray array, PgType type) : ColumnWriter(array)
{
    private readonly StringArray _array = (StringArray)array;

    public override void Text(WireWriter writer, int row) => writer.Raw(_array.GetBytes(row));

    public override void Binary(WireWriter writer, int row)
    {
        if (type == PgType.Jsonb)
        {
            writer.Byte(1);
        }

        writer.Raw(_array.GetBytes(row));
    }
}

internal sealed class UuidWriter(IArrowArray array) : ColumnWriter(array)
{
    private readonly StringArray _array = (StringArray)array;

    public override void Text(WireWriter writer, int row) => writer.Raw(_array.GetBytes(row));

    public override void Binary(WireWriter writer, int row)
    {
        if (!Utf8Parser.TryParse(_array.GetBytes(row), out Guid value, out _))
        {
            throw new PgError("22P02", "a UUID is expected");
        }

        value.TryWriteBytes(writer.GetSpan(16), bigEndian: true, out _);
        writer.Advance(16);
    }
}

internal sealed class BytesWriter(BinaryArray array) : ColumnWriter(array)
{
    private readonly BinaryArray _array = array;

    public override void Text(WireWriter writer, int row)
    {
        ReadOnlySpan<byte> bytes = _array.GetBytes(row);
        writer.Raw("\\x"u8);
        Span<byte> span = writer.GetSpan(bytes.Length * 2);
        ReadOnlySpan<byte> digits = "0123456789abcdef"u8;
        for (int i = 0; i < bytes.Length; i++)
        {
            span[i * 2] = digits[bytes[i] >> 4];
            span[(i * 2) + 1] = digits[bytes[i] & 15];
        }

        writer.Advance(bytes.Length * 2);
    }

    public override void Binary(WireWriter writer, int row) => writer.Raw(_array.GetBytes(row));
}

/// <summary>Decimals from their 128-bit integers: 38 digits do not fit into the runtime's decimal.</summary>
internal sealed class NumericWriter(IArrowArray array, int scale) : ColumnWriter(array)
{
    private const int Group = 10_000;
    private const int GroupDigits = 4;

    private readonly IArrowArray _array = array;

    public override void Text(WireWriter writer, int row)
    {
        Int128 value = Read(row);
        Span<char> digits = stackalloc char[64];
        UInt128 magnitude = value < 0 ? (UInt128)(-value) : (UInt128)value;
        magnitude.TryFormat(digits, out int length, default, CultureInfo.InvariantCulture);
        Span<byte> span = writer.GetSpan(128);
        int at = 0;
        if (value < 0)
        {
            span[at++] = (byte)'-';
        }

        int whole = length - scale;
        if (whole <= 0)
        {
            span[at++] = (byte)'0';
        }
        else
        {
            at += Encoding.ASCII.GetBytes(digits[..whole], span[at..]);
        }

        if (scale > 0)
        {
            span[at++] = (byte)'.';
            for (int i = whole; i < 0; i++)
            {
                span[at++] = (byte)'0';
            }

            at += Encoding.ASCII.GetBytes(digits[Math.Max(0, whole)..length], span[at..]);
        }

        writer.Advance(at);
    }

    public override void Binary(WireWriter writer, int row) => WriteBinary(writer, Read(row), scale);

    /// <summary>Groups of four decimal digits around the point, without the zero groups at either end.</summary>
    public static void WriteBinary(WireWriter writer, Int128 value, int scale)
    {
        UInt128 magnitude = value < 0 ? (UInt128)(-value) : (UInt128)value;
        Span<short> groups = stackalloc short[24];
        int count = 0;

        // The fraction is filled up to whole groups.
        int fractionGroups = (scale + GroupDigits - 1) / GroupDigits;
        int padding = (fractionGroups * GroupDigits) - scale;
        int factor = padding switch { 0 => 1, 1 => 10, 2 => 100, _ => 1000 };
        UInt128 lowUnit = (UInt128)(Group / factor);
        if (padding > 0)
        {
            groups[count++] = (short)((int)(magnitude % lowUnit) * factor);
            magnitude /= lowUnit;
        }

        while (magnitude != 0)
        {
            groups[count++] = (short)(magnitude % Group);
            magnitude /= Group;
        }

        int skip = 0;
        while (skip < count && groups[skip] == 0)
        {
            skip++;
        }

        while (count > skip && groups[count - 1] == 0)
        {
            count--;
        }

        int used = count - skip;
        writer.Int16((short)used);
        writer.Int16((short)(used == 0 ? 0 : count - fractionGroups - 1));
        writer.Int16(value < 0 ? (short)0x4000 : (short)0);
        writer.Int16((short)scale);
        for (int i = count - 1; i >= skip; i--)
        {
            writer.Int16(groups[i]);
        }
    }

    private Int128 Read(int row) => _array switch
    {
        Decimal128Array a => MemoryMarshal.Cast<byte, Int128>(a.ValueBuffer.Span)[a.Offset + row],
        UInt64Array a => a.Values[row],
        _ => throw new InvalidOperationException("Not an array of decimals"),
    };
}
