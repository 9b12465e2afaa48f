using System.Buffers.Binary;
using System.Numerics;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Readers.Merging;

/// <summary>Reads 32-bit roaring bitmaps in their portable form.</summary>
/// <remarks>Source: the RoaringFormatSpec. Containers are arrays of up to 4,096 values, bitmaps of 8 KiB, or runs.</remarks>
internal static class RoaringBitmapReader
{
    private const int CookieWithoutRuns = 12346;
    private const int CookieWithRuns = 12347;
    private const int NoOffsetThreshold = 4;
    private const int ArrayLimit = 4096;

    /// <summary>Appends the values, each plus <paramref name="offset"/>, and moves the span behind the bitmap.</summary>
    /// <param name="bytes">The bitmap and what follows.</param>
    /// <param name="offset">Added to each value.</param>
    /// <param name="values">Receives the values.</param>
    /// <param name="limit">Most values that <paramref name="values"/> may hold: a few bytes of runs can stand for billions.</param>
    /// <param name="path">Named in errors.</param>
    public static void Read(ref ReadOnlySpan<byte> bytes, long offset, List<long> values, long limit, string path)
    {
        uint cookie = BinaryPrimitives.ReadUInt32LittleEndian(Take(ref bytes, 4, path));
        int containers;
        byte[] runs = [];
        if ((cookie & 0xFFFF) == CookieWithRuns)
        {
            containers = (int)(cookie >> 16) + 1;
            runs = Take(ref bytes, (containers + 7) / 8, path).ToArray();
        }
        else if (cookie == CookieWithoutRuns)
        {
            containers = BinaryPrimitives.ReadInt32LittleEndian(Take(ref bytes, 4, path));
        }
        else
        {
            throw LakeException.FormatInvalid($"A roaring bitmap begins with {cookie}", path);
        }

        if (containers is < 0 or > 65536)
        {
            throw LakeException.FormatInvalid($"A roaring bitmap declares {containers} containers", path);
        }

        ReadOnlySpan<byte> descriptions = Take(ref bytes, 4 * containers, path);
        if (runs.Length == 0 || containers >= NoOffsetThreshold)
        {
            Take(ref bytes, 4 * containers, path);
        }

        for (int i = 0; i < containers; i++)
        {
            CheckLimit(values.Count, limit, path);
            long high = offset + ((long)BinaryPrimitives.ReadUInt16LittleEndian(descriptions[(4 * i)..]) << 16);
            int cardinality = BinaryPrimitives.ReadUInt16LittleEndian(descriptions[((4 * i) + 2)..]) + 1;
            if (runs.Length > 0 && (runs[i / 8] & (1 << (i % 8))) != 0)
            {
                ReadRuns(ref bytes, high, values, limit, path);
            }
            else if (cardinality <= ArrayLimit)
            {
                ReadOnlySpan<byte> array = Take(ref bytes, 2 * cardinality, path);
                for (int j = 0; j < cardinality; j++)
                {
                    values.Add(high + BinaryPrimitives.ReadUInt16LittleEndian(array[(2 * j)..]));
                }
            }
            else
            {
                ReadBits(Take(ref bytes, 8192, path), high, values);
            }
        }
    }

    private static void CheckLimit(long count, long limit, string path)
    {
        if (count > limit)
        {
            throw LakeException.FormatInvalid($"A roaring bitmap holds more than the {limit} values there can be", path);
        }
    }

    private static void ReadRuns(ref ReadOnlySpan<byte> bytes, long high, List<long> values, long limit, string path)
    {
        int count = BinaryPrimitives.ReadUInt16LittleEndian(Take(ref bytes, 2, path));
        ReadOnlySpan<byte> pairs = Take(ref bytes, 4 * count, path);
        for (int j = 0; j < count; j++)
        {
            int start = BinaryPrimitives.ReadUInt16LittleEndian(pairs[(4 * j)..]);
            int more = BinaryPrimitives.ReadUInt16LittleEndian(pairs[((4 * j) + 2)..]);
            if (start + more > ushort.MaxValue)
            {
                throw LakeException.FormatInvalid("A run of a roaring bitmap reaches past its container", path);
            }

            CheckLimit(values.Count + (long)more, limit, path);
            for (int value = start; value <= start + more; value++)
            {
                values.Add(high + value);
            }
        }
    }

    private static void ReadBits(ReadOnlySpan<byte> bitmap, long high, List<long> values)
    {
        for (int word = 0; word < 1024; word++)
        {
            for (ulong bits = BinaryPrimitives.ReadUInt64LittleEndian(bitmap[(8 * word)..]); bits != 0; bits &= bits - 1)
            {
                values.Add(high + (64 * word) + BitOperations.TrailingZeroCount(bits));
            }
        }
    }

    private static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> bytes, int count, string path)
    {
        if (count > bytes.Length)
        {
            throw LakeException.FormatInvalid($"A roaring bitmap ends early: {count} bytes expected, {bytes.Length} left", path);
        }

        ReadOnlySpan<byte> taken = bytes[..count];
        bytes = bytes[count..];
        return taken;
    }
}
