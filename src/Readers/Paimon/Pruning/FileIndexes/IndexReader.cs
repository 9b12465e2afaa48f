using System.Buffers.Binary;
using System.Numerics;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;

namespace LakeHolo.Readers.Paimon.Pruning.FileIndexes;

/// <summary>Walks the bytes of a file index, all of them big-endian, within bounds.</summary>
internal ref struct IndexReader(ReadOnlySpan<byte> bytes, string path)
{
    private ReadOnlySpan<byte> _bytes = bytes;

    public readonly int Remaining => _bytes.Length;

    public ReadOnlySpan<byte> Bytes(int count)
    {
        if (count < 0 || count > _bytes.Length)
        {
            throw LakeException.FormatInvalid($"A file index asks for {count} bytes where {_bytes.Length} are left", path);
        }

        ReadOnlySpan<byte> taken = _bytes[..count];
        _bytes = _bytes[count..];
        return taken;
    }

    public byte Byte() => Bytes(1)[0];

    public int Int() => BinaryPrimitives.ReadInt32BigEndian(Bytes(4));

    public long Long() => BinaryPrimitives.ReadInt64BigEndian(Bytes(8));

    /// <summary>A number of things that take at least some bytes each.</summary>
    public int Count(int leastBytesEach)
    {
        int count = Int();
        return count >= 0 && (long)count * leastBytesEach <= _bytes.Length
            ? count
            : throw LakeException.FormatInvalid($"A file index declares {count} entries in {_bytes.Length} bytes", path);
    }

    /// <summary>A text as Java writes it: two bytes of length.</summary>
    public string Text() => System.Text.Encoding.UTF8.GetString(Bytes(BinaryPrimitives.ReadUInt16BigEndian(Bytes(2))));

    /// <summary>A value of an indexed column, as <see cref="PaimonValue"/> compares it.</summary>
    public object Value(PaimonType type) => type.Kind switch
    {
        PaimonTypeKind.Boolean => Byte() != 0,
        PaimonTypeKind.TinyInt => (long)(sbyte)Byte(),
        PaimonTypeKind.SmallInt => (long)BinaryPrimitives.ReadInt16BigEndian(Bytes(2)),
        PaimonTypeKind.Int or PaimonTypeKind.Date or PaimonTypeKind.Time => (long)Int(),
        PaimonTypeKind.BigInt => Long(),
        PaimonTypeKind.Float => (double)BinaryPrimitives.ReadSingleBigEndian(Bytes(4)),
        PaimonTypeKind.Double => BinaryPrimitives.ReadDoubleBigEndian(Bytes(8)),
        PaimonTypeKind.Decimal when type.Length <= 18 => new BigInteger(Long()),
        PaimonTypeKind.Timestamp or PaimonTypeKind.TimestampLtz when type.Length <= 6 => Timestamp(Long(), type.Length),
        PaimonTypeKind.Char or PaimonTypeKind.VarChar => Bytes(Int()).ToArray(),
        _ => throw LakeException.FeatureUnsupported($"File indexes of the type {type.Text} are not read", path),
    };

    /// <summary>Bytes of a value whose type has a fixed width; 0 for strings.</summary>
    public static int WidthOf(PaimonType type) => type.Kind switch
    {
        PaimonTypeKind.Boolean or PaimonTypeKind.TinyInt => 1,
        PaimonTypeKind.SmallInt => 2,
        PaimonTypeKind.Int or PaimonTypeKind.Date or PaimonTypeKind.Time or PaimonTypeKind.Float => 4,
        PaimonTypeKind.Char or PaimonTypeKind.VarChar => 0,
        _ => 8,
    };

    /// <summary>The number that indexes keep for a timestamp of this precision.</summary>
    public static long? TimestampNumber(PaimonTimestamp t, int precision) => precision switch
    {
        <= 3 => t.NanoOfMilli == 0 ? t.Millis : null,
        <= 6 => t.NanoOfMilli % 1000 == 0 ? t.EpochMicros : null,
        _ => null,
    };

    private static PaimonTimestamp Timestamp(long number, int precision)
    {
        if (precision <= 3)
        {
            return new PaimonTimestamp(number, 0);
        }

        long millis = (long)Math.Floor(number / 1000m);
        return new PaimonTimestamp(millis, (int)(number - (millis * 1000)) * 1000);
    }
}
