using System.IO.Hashing;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Paimon.Pruning.FileIndexes;

/// <summary>A bloom filter: whether a value may be in the file.</summary>
/// <remarks><code>int32 BE number of probes | bits, lowest first</code></remarks>
internal sealed class BloomFilterIndex : IColumnKnowledge
{
    private readonly byte[] _bits;
    private readonly int _probes;
    private readonly PaimonType _type;

    private BloomFilterIndex(byte[] bits, int probes, PaimonType type)
    {
        _bits = bits;
        _probes = probes;
        _type = type;
    }

    public bool MayBeNull => true;

    public bool MayBeNotNull => true;

    public static BloomFilterIndex? TryRead(ReadOnlySpan<byte> body, PaimonType type, string path)
    {
        const int MaxProbes = 1024;
        var reader = new IndexReader(body, path);
        int probes = reader.Int();
        byte[] bits = reader.Bytes(reader.Remaining).ToArray();
        return probes is > 0 and <= MaxProbes && bits.Length is > 0 and <= int.MaxValue / 8 ? new BloomFilterIndex(bits, probes, type) : null;
    }

    public bool MayMatch(ScanComparison comparison, ScanLiteral literal)
    {
        if (comparison != ScanComparison.Equal || ColumnRange.ToValue(literal, _type) is not object value)
        {
            return true;
        }

        // The two zeros are equal, but not to a hash.
        return value is double and 0 ? MayHold(0.0) || MayHold(-0.0) : MayHold(value);
    }

    public bool MayStartWith(string prefix) => true;

    private bool MayHold(object value)
    {
        if (HashOf(value, _type) is not long hash)
        {
            return true;
        }

        int low = (int)hash;
        int high = (int)(hash >> 32);
        int count = _bits.Length * 8;
        for (int i = 1; i <= _probes; i++)
        {
            int combined = unchecked(low + (i * high));
            int bit = (combined < 0 ? ~combined : combined) % count;
            if ((_bits[bit >> 3] & (1 << (bit & 7))) == 0)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The hash of a value, or null where this reader knows none.</summary>
    internal static long? HashOf(object value, PaimonType type) => value switch
    {
        byte[] bytes when type.IsString || type.IsBinary => (long)XxHash64.HashToUInt64(bytes),
        double d when double.IsNaN(d) => null,
        double d when type.Kind == PaimonTypeKind.Float => Mix(BitConverter.SingleToInt32Bits((float)d)),
        double d => Mix(BitConverter.DoubleToInt64Bits(d)),
        long n => Mix(n),
        PaimonTimestamp t => IndexReader.TimestampNumber(t, type.Length) is long number ? Mix(number) : null,
        _ => null,
    };

    // Thomas Wang's mix of 64 bits, with the sign carried along as the writer's shifts do.
    internal static long Mix(long x)
    {
        unchecked
        {
            x = ~x + (x << 21);
            x ^= x >> 24;
            x = x + (x << 3) + (x << 8);
            x ^= x >> 14;
            x = x + (x << 2) + (x << 4);
            x ^= x >> 28;
            return x + (x << 31);
        }
    }
}
