using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;
using LakeHolo.LakeCatalog.Avro;

namespace LakeHolo.LakeCatalog.Hudi.LogFiles;

/// <summary>A key-only deletion.</summary>
/// <param name="Key">Record key.</param>
/// <param name="Ordering">Ordering values as text that casts to the ordering columns' types; null where the deletion has none and always wins.</param>
public readonly record struct DeletedKey(string Key, string?[]? Ordering);

/// <summary>Decodes DELETE blocks: <c>i32 version=3, i32 length, Avro datum</c> of a list of keys with ordering values in one of twelve wrappers; of version 2 Kryo's bytes (<see cref="KryoDeletes"/>).</summary>
public static class DeleteBlock
{
    private const int DecimalScale = 15;

    /// <summary>The keys of a block.</summary>
    /// <exception cref="LakeException">FeatureUnsupported for another version; FormatInvalid for broken bytes.</exception>
    public static IReadOnlyList<DeletedKey> Decode(ReadOnlySpan<byte> content, string path)
    {
        var keys = new List<DeletedKey>();
        if (content.Length < 8)
        {
            throw LakeException.FormatInvalid($"Hudi: a delete block of {content.Length} bytes", path);
        }

        int version = BinaryPrimitives.ReadInt32BigEndian(content);
        if (version is not (2 or 3))
        {
            throw LakeException.FeatureUnsupported(string.Create(CultureInfo.InvariantCulture, $"Hudi: delete block version {version} is not supported"), path);
        }

        int length = BinaryPrimitives.ReadInt32BigEndian(content[4..]);
        if (length < 0 || length > content.Length - 8)
        {
            throw LakeException.FormatInvalid($"Hudi: a delete block declares {length} bytes of {content.Length - 8}", path);
        }

        if (version == 2)
        {
            foreach ((DeletedKey key, string? partition) in KryoDeletes.Decode(content.Slice(8, length), path))
            {
                // Whether key and partition path were told apart.
                keys.Add(partition is null || path[..Math.Max(0, path.LastIndexOf('/'))].EndsWith(partition, StringComparison.Ordinal)
                    ? key
                    : throw LakeException.FormatInvalid($"Hudi: a delete block with a record of the partition '{partition}'", path));
            }

            return keys;
        }

        var cursor = new AvroCursor(content.Slice(8, length), path);
        for (int count = cursor.ReadBlockCount(); count > 0; count = cursor.ReadBlockCount())
        {
            for (; count > 0; count--)
            {
                string key = OptionalText(ref cursor) ?? throw LakeException.FormatInvalid("Hudi: a delete record without a key", path);
                OptionalText(ref cursor);
                keys.Add(new DeletedKey(key, Ordering(ref cursor)));
            }
        }

        return keys;
    }

    private static string? OptionalText(ref AvroCursor cursor) => cursor.ReadIndex(2) == 0 ? null : Encoding.UTF8.GetString(cursor.ReadBytes());

    private static string?[]? Ordering(ref AvroCursor cursor)
    {
        int branch = cursor.ReadIndex(13);
        if (branch < 12)
        {
            string? value = Scalar(ref cursor, branch, out bool isDefault);
            return isDefault ? null : [value];
        }

        if (cursor.ReadIndex(2) == 0)
        {
            return null;
        }

        var values = new List<string?>();
        for (int count = cursor.ReadBlockCount(); count > 0; count = cursor.ReadBlockCount())
        {
            for (; count > 0; count--)
            {
                int inner = cursor.ReadIndex(13);
                values.Add(inner == 12 ? Date(cursor.ReadInt()) : Scalar(ref cursor, inner, out _));
            }
        }

        return values.Contains(null) ? null : [.. values];
    }

    // The 32-bit zero means "no ordering value"; zeros of other types are values.
    private static string? Scalar(ref AvroCursor cursor, int branch, out bool isDefault)
    {
        isDefault = branch == 0;
        switch (branch)
        {
            case 0:
                return null;
            case 1:
                return cursor.ReadBoolean() ? "true" : "false";
            case 2:
                int number = cursor.ReadInt();
                isDefault = number == 0;
                return number.ToString(CultureInfo.InvariantCulture);
            case 3:
                return cursor.ReadLong().ToString(CultureInfo.InvariantCulture);
            case 4:
                return cursor.ReadFloat().ToString("R", CultureInfo.InvariantCulture);
            case 5:
                return cursor.ReadDouble().ToString("R", CultureInfo.InvariantCulture);
            case 6:
                return string.Concat(Convert.ToHexString(cursor.ReadBytes()).Chunk(2).Select(b => "\\x" + new string(b)));
            case 7:
                return Encoding.UTF8.GetString(cursor.ReadBytes());
            case 8:
                return Date(cursor.ReadInt());
            case 9:
                return Decimal(new BigInteger(cursor.ReadBytes(), isBigEndian: true));
            case 10:
                long time = cursor.ReadLong();
                return time is >= 0 and < 86_400_000_000 ? TimeSpan.FromMicroseconds(time).ToString("c", CultureInfo.InvariantCulture) : throw OutOfRange("time", time);
            default:
                return Timestamp(cursor.ReadLong());
        }
    }

    // No value would make the deletion win over everything.
    private static LakeException OutOfRange(string kind, long value)
        => LakeException.FeatureUnsupported(string.Create(CultureInfo.InvariantCulture, $"Hudi: a deletion with the {kind} {value} as its ordering value is not supported"));

    // Years 1 to 9999.
    private static string Date(int days) => days is >= -719_162 and <= 2_932_896
        ? DateOnly.FromDayNumber(719_162 + days).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)
        : throw OutOfRange("date", days);

    private static string Timestamp(long micros) => micros is >= -62_135_596_800_000_000 and < 253_402_300_800_000_000
        ? DateTime.UnixEpoch.AddTicks(micros * 10).ToString("yyyy-MM-dd HH:mm:ss.ffffff", CultureInfo.InvariantCulture)
        : throw OutOfRange("timestamp", micros);

    private static string Decimal(BigInteger unscaled)
    {
        string digits = BigInteger.Abs(unscaled).ToString(CultureInfo.InvariantCulture).PadLeft(DecimalScale + 1, '0');
        return (unscaled.Sign < 0 ? "-" : "") + digits[..^DecimalScale] + "." + digits[^DecimalScale..];
    }
}
