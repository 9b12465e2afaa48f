using System.Buffers.Binary;
using System.Text;

namespace LakeHolo.Readers.Hudi.Pruning;

/// <summary>The bloom filter of record keys in a base file's footer.</summary>
/// <remarks><code>
/// Base64 of, big-endian: i32 -1 | i32 hashes | u8 1 (murmur) | i32 bits | the bits, bit i in byte i / 8, lowest first
/// DYNAMIC_V0: the same header | i32 keys per row | i32 keys in the last row | i32 rows | rows, each with header and bits
/// </code></remarks>
internal sealed class KeyBloomFilter
{
    private const int HeaderLength = 13;
    private const byte Murmur = 1;
    private const int MaxRows = 100_000;
    private readonly List<(int Hashes, int BitCount, ReadOnlyMemory<byte> Bits)> _rows = [];

    private KeyBloomFilter()
    {
    }

    /// <summary>Reads a filter; null if it is of a kind that is not known, or broken: it then prunes nothing.</summary>
    /// <param name="text">The footer's value.</param>
    /// <param name="typeCode">The filter's type code, null for SIMPLE.</param>
    public static KeyBloomFilter? TryParse(string text, string? typeCode)
    {
        byte[] bytes = new byte[(text.Length / 4 * 3) + 3];
        if (!Convert.TryFromBase64String(text, bytes, out int length))
        {
            return null;
        }

        var filter = new KeyBloomFilter();
        ReadOnlyMemory<byte> rest = bytes.AsMemory(0, length);
        switch (typeCode)
        {
            case null or "SIMPLE":
                return filter.TryAddRow(ref rest) && rest.IsEmpty ? filter : null;
            case "DYNAMIC_V0" when rest.Length >= HeaderLength + 12:
                int rows = BinaryPrimitives.ReadInt32BigEndian(rest.Span[(HeaderLength + 8)..]);
                rest = rest[(HeaderLength + 12)..];
                for (int i = 0; i < rows && i < MaxRows; i++)
                {
                    if (!filter.TryAddRow(ref rest))
                    {
                        return null;
                    }
                }

                return rest.IsEmpty && rows > 0 ? filter : null;
            default:
                return null;
        }
    }

    /// <summary>Whether a key may be in the file; false is certain.</summary>
    public bool MayContain(string key)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(key);
        return _rows.Any(r => MayContain(r, bytes));
    }

    private static bool MayContain((int Hashes, int BitCount, ReadOnlyMemory<byte> Bits) row, byte[] key)
    {
        int hash = 0;
        for (int i = 0; i < row.Hashes; i++)
        {
            hash = Hash(key, hash);
            int bit = Math.Abs(hash % row.BitCount);
            if ((row.Bits.Span[bit / 8] & (1 << (bit % 8))) == 0)
            {
                return false;
            }
        }

        return true;
    }

    private bool TryAddRow(ref ReadOnlyMemory<byte> bytes)
    {
        if (bytes.Length < HeaderLength)
        {
            return false;
        }

        ReadOnlySpan<byte> header = bytes.Span;
        int hashes = BinaryPrimitives.ReadInt32BigEndian(header[4..]);
        int bits = BinaryPrimitives.ReadInt32BigEndian(header[9..]);
        long length = (bits + 7L) / 8;
        if (BinaryPrimitives.ReadInt32BigEndian(header) != -1 || hashes is < 1 or > 1000 || header[8] != Murmur || bits < 1 || length > bytes.Length - HeaderLength)
        {
            return false;
        }

        _rows.Add((hashes, bits, bytes.Slice(HeaderLength, (int)length)));
        bytes = bytes[(HeaderLength + (int)length)..];
        return true;
    }

    // MurmurHash2 as Hadoop has it: the tail's bytes are signed, its first byte is the highest.
    private static int Hash(ReadOnlySpan<byte> data, int seed)
    {
        const int M = 0x5bd1e995;
        int hash = seed ^ data.Length;
        int whole = data.Length & ~3;
        for (int i = 0; i < whole; i += 4)
        {
            int k = BinaryPrimitives.ReadInt32LittleEndian(data[i..]) * M;
            k ^= k >>> 24;
            hash = (hash * M) ^ (k * M);
        }

        if (data.Length > whole)
        {
            for (int left = data.Length - whole; left > 0; left--)
            {
                hash ^= (sbyte)data[^left] << (8 * (left - 1));
            }

            hash *= M;
        }

        hash ^= hash >>> 13;
        hash *= M;
        return hash ^ (hash >>> 15);
    }
}
