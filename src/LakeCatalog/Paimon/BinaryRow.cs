using System.Buffers.Binary;
using System.Numerics;

namespace LakeHolo.LakeCatalog.Paimon;

/// <summary>A timestamp of a BinaryRow.</summary>
/// <param name="Millis">Milliseconds since 1970.</param>
/// <param name="NanoOfMilli">0 to 999,999.</param>
public readonly record struct PaimonTimestamp(long Millis, int NanoOfMilli)
{
    /// <summary>Microseconds since 1970; what is finer is cut off.</summary>
    public long EpochMicros => checked((Millis * 1000) + (NanoOfMilli / 1000));
}

/// <summary>Decodes the rows that manifests store: partitions, keys, minima and maxima.</summary>
/// <remarks>
/// <code>
/// int32 BE arity | row image: header and null bits, 8 bytes a field, variable part; all little-endian, offsets relative to the image
/// </code>
/// Values: bool; long for integers, DATE (days) and TIME (milliseconds); double; <see cref="BigInteger"/> for a DECIMAL's unscaled value;
/// <see cref="PaimonTimestamp"/>; byte[] for strings and bytes; null. Nested types are not decoded (null).
/// </remarks>
public static class BinaryRow
{
    /// <summary>Number of fields of a stored row, or -1 if there is none.</summary>
    public static int Arity(ReadOnlySpan<byte> stored) => stored.Length < 4 ? -1 : BinaryPrimitives.ReadInt32BigEndian(stored);

    /// <summary>Decodes a stored row, arity in front.</summary>
    /// <exception cref="LakeException">FormatInvalid if the bytes do not hold a row of these types.</exception>
    public static object?[] Decode(ReadOnlySpan<byte> stored, IReadOnlyList<PaimonType> types, string path)
    {
        if (Arity(stored) != types.Count)
        {
            throw LakeException.FormatInvalid($"A stored row has {Arity(stored)} fields, expected {types.Count}", path);
        }

        ReadOnlySpan<byte> image = stored[4..];
        int header = (types.Count + 63 + 8) / 64 * 8;
        if (image.Length < header + (8 * (long)types.Count))
        {
            throw LakeException.FormatInvalid($"A stored row of {types.Count} fields has only {image.Length} bytes", path);
        }

        var values = new object?[types.Count];
        for (int i = 0; i < values.Length; i++)
        {
            int bit = i + 8;
            if ((image[bit / 8] & (1 << (bit % 8))) == 0)
            {
                values[i] = Value(image, image.Slice(header + (8 * i), 8), types[i], path);
            }
        }

        return values;
    }

    private static object? Value(ReadOnlySpan<byte> image, ReadOnlySpan<byte> slot, PaimonType type, string path)
    {
        switch (type.Kind)
        {
            case PaimonTypeKind.Boolean:
                return slot[0] != 0;
            case PaimonTypeKind.TinyInt:
                return (long)(sbyte)slot[0];
            case PaimonTypeKind.SmallInt:
                return (long)BinaryPrimitives.ReadInt16LittleEndian(slot);
            case PaimonTypeKind.Int or PaimonTypeKind.Date or PaimonTypeKind.Time:
                return (long)BinaryPrimitives.ReadInt32LittleEndian(slot);
            case PaimonTypeKind.BigInt:
                return BinaryPrimitives.ReadInt64LittleEndian(slot);
            case PaimonTypeKind.Float:
                return (double)BinaryPrimitives.ReadSingleLittleEndian(slot);
            case PaimonTypeKind.Double:
                return BinaryPrimitives.ReadDoubleLittleEndian(slot);
            case PaimonTypeKind.Decimal when type.Length <= 18:
                return new BigInteger(BinaryPrimitives.ReadInt64LittleEndian(slot));
            case PaimonTypeKind.Decimal:
                return new BigInteger(Variable(image, slot, 16, path), isUnsigned: false, isBigEndian: true);
            case PaimonTypeKind.Timestamp or PaimonTypeKind.TimestampLtz when type.Length <= 3:
                return new PaimonTimestamp(BinaryPrimitives.ReadInt64LittleEndian(slot), 0);
            case PaimonTypeKind.Timestamp or PaimonTypeKind.TimestampLtz:
                int nanos = BinaryPrimitives.ReadInt32LittleEndian(slot);
                int offset = BinaryPrimitives.ReadInt32LittleEndian(slot[4..]);
                return nanos is < 0 or > 999_999 || offset < 0 || offset > image.Length - 8
                    ? throw LakeException.FormatInvalid("A timestamp of a stored row lies outside it", path)
                    : new PaimonTimestamp(BinaryPrimitives.ReadInt64LittleEndian(image[offset..]), nanos);
            case PaimonTypeKind.Char or PaimonTypeKind.VarChar or PaimonTypeKind.Binary or PaimonTypeKind.VarBinary:
                // The top bit of the last byte tells a short value, which is stored in the slot itself.
                return (slot[7] & 0x80) != 0 ? slot[..Math.Min(slot[7] & 0x7F, 7)].ToArray() : Variable(image, slot, int.MaxValue, path).ToArray();
            default:
                return null;
        }
    }

    private static ReadOnlySpan<byte> Variable(ReadOnlySpan<byte> image, ReadOnlySpan<byte> slot, int longest, string path)
    {
        int length = BinaryPrimitives.ReadInt32LittleEndian(slot);
        int offset = BinaryPrimitives.ReadInt32LittleEndian(slot[4..]);
        return length < 0 || length > longest || offset < 0 || offset > image.Length - length
            ? throw LakeException.FormatInvalid($"A value of a stored row lies at {offset}, {length} bytes, outside its {image.Length} bytes", path)
            : image.Slice(offset, length);
    }
}
