using System.Numerics;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Merging;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Paimon.Pruning.FileIndexes;

/// <summary>A bit-sliced index of numbers: one bitmap of rows per bit, negative numbers apart, by their magnitude.</summary>
/// <remarks>
/// <code>
/// version | int32 rows | byte, [index of the values from 0] | byte, [index of the negative ones]
/// index: version | int64 0 | int64 largest | roaring rows that have a value | int32 bits | { roaring }
/// </code>
/// </remarks>
internal sealed class BitSliceIndex : IColumnKnowledge
{
    private const byte Version = 1;
    private const int MaxRows = 1 << 27;

    private readonly Slices? _positive;
    private readonly Slices? _negative;
    private readonly PaimonType _type;
    private readonly int _rows;

    private BitSliceIndex(PaimonType type, int rows, Slices? positive, Slices? negative)
    {
        _type = type;
        _rows = rows;
        _positive = positive;
        _negative = negative;
    }

    public bool MayBeNull => (_positive?.Count ?? 0) + (_negative?.Count ?? 0) < _rows;

    public bool MayBeNotNull => _positive is { Count: > 0 } || _negative is { Count: > 0 };

    public static BitSliceIndex? TryRead(ReadOnlySpan<byte> body, PaimonType type, string path)
    {
        if (!(type.IsInteger || type.Kind is PaimonTypeKind.Date or PaimonTypeKind.Time or PaimonTypeKind.Timestamp or PaimonTypeKind.TimestampLtz
            || (type.Kind == PaimonTypeKind.Decimal && type.Length <= 18)))
        {
            return null;
        }

        var reader = new IndexReader(body, path);
        if (reader.Byte() != Version)
        {
            return null;
        }

        int rows = reader.Int();
        if (rows is < 0 or > MaxRows)
        {
            return null;
        }

        Slices? positive = reader.Byte() == 0 ? null : Slices.Read(ref reader, rows, path);
        Slices? negative = reader.Byte() == 0 ? null : Slices.Read(ref reader, rows, path);
        return new BitSliceIndex(type, rows, positive, negative);
    }

    public bool MayMatch(ScanComparison comparison, ScanLiteral literal)
    {
        if (NumberOf(literal) is not long wanted || wanted == long.MinValue)
        {
            return true;
        }

        // Among negative numbers the larger magnitude is the smaller number.
        bool isNegative = wanted < 0;
        return Half(_positive, comparison, isNegative ? null : wanted, 1) || Half(_negative, comparison, isNegative ? -wanted : null, -1);
    }

    public bool MayStartWith(string prefix) => true;

    // Whether a number of one sign matches; a literal of the other sign is beyond all of them.
    private static bool Half(Slices? slices, ScanComparison comparison, long? magnitude, int sign)
    {
        if (slices is null or { Count: 0 })
        {
            return false;
        }

        if (magnitude is not long wanted)
        {
            return comparison.Holds(sign);
        }

        (bool less, bool equal, bool greater) = slices.Compare(wanted);
        return (less && comparison.Holds(-sign)) || (equal && comparison.Holds(0)) || (greater && comparison.Holds(sign));
    }

    private long? NumberOf(ScanLiteral literal) => ColumnRange.ToValue(literal, _type) switch
    {
        long n => n,
        BigInteger n when n >= long.MinValue && n <= long.MaxValue => (long)n,
        PaimonTimestamp t => IndexReader.TimestampNumber(t, _type.Length),
        _ => null,
    };

    private sealed class Slices(ulong[] exists, ulong[][] bits)
    {
        public long Count { get; } = exists.Sum(w => (long)BitOperations.PopCount(w));

        public static Slices Read(ref IndexReader reader, int rows, string path)
        {
            if (reader.Byte() != Version)
            {
                throw LakeException.FeatureUnsupported("The bit-sliced index has an unknown version", path);
            }

            reader.Long();
            reader.Long();
            ulong[] exists = Bitmap(ref reader, rows, path);
            int count = reader.Int();
            if (count is < 0 or > 64)
            {
                throw LakeException.FormatInvalid($"A bit-sliced index declares {count} bits", path);
            }

            ulong[][] bits = new ulong[count][];
            for (int i = 0; i < count; i++)
            {
                bits[i] = Bitmap(ref reader, rows, path);
            }

            return new Slices(exists, bits);
        }

        /// <summary>Whether some value is less than, equal to, greater than a number.</summary>
        public (bool Less, bool Equal, bool Greater) Compare(long wanted)
        {
            if (bits.Length < 64 && (ulong)wanted >> bits.Length != 0)
            {
                return (true, false, false);
            }

            ulong[] equal = [.. exists];
            bool less = false;
            bool greater = Walk(wanted, equal, ref less);
            return (less, Array.Exists(equal, w => w != 0), greater);
        }

        // From the highest bit down: rows whose bit differs are decided, the others stay equal.
        private bool Walk(long wanted, ulong[] equal, ref bool less)
        {
            bool greater = false;
            for (int bit = bits.Length - 1; bit >= 0; bit--)
            {
                bool isSet = ((ulong)wanted >> bit & 1) != 0;
                for (int i = 0; i < equal.Length; i++)
                {
                    ulong with = equal[i] & bits[bit][i];
                    ulong without = equal[i] & ~bits[bit][i];
                    less |= isSet && without != 0;
                    greater |= !isSet && with != 0;
                    equal[i] = isSet ? with : without;
                }
            }

            return greater;
        }

        private static ulong[] Bitmap(ref IndexReader reader, int rows, string path)
        {
            ReadOnlySpan<byte> rest = reader.Bytes(reader.Remaining);
            ReadOnlySpan<byte> cursor = rest;
            var positions = new List<long>();
            RoaringBitmapReader.Read(ref cursor, 0, positions, rows, path);
            reader = new IndexReader(cursor, path);
            ulong[] words = new ulong[(rows + 63) / 64];
            foreach (long position in positions)
            {
                if (position >= rows)
                {
                    throw LakeException.FormatInvalid($"A bit-sliced index names row {position} of {rows}", path);
                }

                words[position >> 6] |= 1UL << (int)(position & 63);
            }

            return words;
        }
    }
}
