using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Cache.Sparse;
using LakeHolo.Readers.Delta;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.DataFiles.Parquet;

/// <summary>Bounds of a column's values in each row group, by a Parquet footer. Where it is not certain what they mean, there are none: bounds without a
/// known order, of a type that the table changes, of floating-point columns (they leave NaN out), of INT96, of parts of nested columns.</summary>
/// <remarks>Source: parquet-format, parquet.thrift (Statistics, ColumnOrder, LogicalType). The older fields <c>min</c> and <c>max</c> are ordered as signed
/// numbers: they are used for such only.</remarks>
internal static class RowGroupStatistics
{
    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    /// <summary>The bounds, one a row group; null where there are none.</summary>
    /// <param name="footer">A footer without its length and magic.</param>
    /// <param name="column">Name of a top-level column in the file.</param>
    /// <param name="type">The type that the table gives it.</param>
    /// <param name="path">For messages.</param>
    /// <param name="trustsNullCounts">Whether a row group without NULLs, by its count of them, is taken for one.</param>
    public static ColumnRange?[] Of(ReadOnlySpan<byte> footer, string column, IArrowType type, string path, bool trustsNullCounts = false)
    {
        // The engine finds names ignoring case, and takes the first of several.
        ParquetNode[] named = [.. ParquetFooter.Parse(footer, path).Schema.Children.Where(c => c.Name.Equals(column, StringComparison.OrdinalIgnoreCase))];
        ParquetNode? node = named.Length == 1 && Fits(named[0], type) ? named[0] : null;
        var groups = new List<(Bounds Bounds, int Leaf)>();
        var orders = new List<bool>();
        bool hasOrders = false;
        string writer = string.Empty;
        var thrift = new CompactThrift(footer);
        int field = 0;
        while (thrift.NextField(ref field, out int fieldType))
        {
            switch (field)
            {
                case 4:
                    int count = thrift.List(out _);
                    for (int i = 0; i < count; i++)
                    {
                        groups.Add(ReadRowGroup(ref thrift, node?.Name));
                    }

                    break;
                case 6:
                    writer = thrift.Text();
                    break;
                case 7:
                    hasOrders = true;
                    ReadOrders(ref thrift, orders);
                    break;
                default:
                    thrift.Skip(fieldType);
                    break;
            }
        }

        // The engine's own writer orders text by its bytes, whether or not it says so.
        bool KnowsOrder(int leaf) => hasOrders ? leaf < orders.Count && orders[leaf] : writer.StartsWith("DuckDB", StringComparison.Ordinal);
        return [.. groups.Select(g => node is null || g.Leaf < 0 || (hasOrders && !KnowsOrder(g.Leaf)) ? null : RangeOf(g.Bounds, node, KnowsOrder(g.Leaf), mayHaveNulls: !trustsNullCounts || g.Bounds.NullCount != 0))];
    }

    // Every stored value is the table's value, in the order that the bounds have.
    private static bool Fits(ParquetNode node, IArrowType type)
    {
        bool isSigned = node is { Meaning: ParquetMeaning.None or ParquetMeaning.Int, IsUnsigned: false };
        return !node.IsGroup && !node.IsRepeated && (type, node.Physical) switch
        {
            (Int8Type, ParquetPhysical.Int32) => isSigned && node.Bits == 8,
            (Int16Type, ParquetPhysical.Int32) => isSigned && node.Bits is 8 or 16,
            (Int32Type, ParquetPhysical.Int32) or (Int64Type, ParquetPhysical.Int32 or ParquetPhysical.Int64) => isSigned,
            (Date32Type, ParquetPhysical.Int32) => node.Meaning == ParquetMeaning.Date,
            (TimestampType { Unit: TimeUnit.Microsecond } t, ParquetPhysical.Int64) =>
                node is { Meaning: ParquetMeaning.Timestamp, IsNanos: false } && node.IsInstant == (t.Timezone is not null),
            (StringType, ParquetPhysical.ByteArray) => node.Meaning == ParquetMeaning.Text,
            (Decimal128Type d, ParquetPhysical.Int32 or ParquetPhysical.Int64 or ParquetPhysical.FixedLenByteArray) =>
                node.Meaning == ParquetMeaning.Decimal && node.Scale == d.Scale && node.Precision <= d.Precision,
            _ => false,
        };
    }

    private static ColumnRange? RangeOf(Bounds bounds, ParquetNode node, bool knowsOrder, bool mayHaveNulls)
    {
        bool isNumber = node.Physical is ParquetPhysical.Int32 or ParquetPhysical.Int64;
        if (!knowsOrder && !isNumber)
        {
            return null;
        }

        bool isNew = bounds.MinValue is not null || bounds.MaxValue is not null;
        byte[]? min = isNew ? bounds.MinValue : isNumber ? bounds.Min : null;
        byte[]? max = isNew ? bounds.MaxValue : isNumber ? bounds.Max : null;
        var range = new ColumnRange(Value(min, node), Value(max, node), mayHaveNulls, MayHaveValues: true);
        bool isEmpty = range is { Min: null, Max: null };
        return isEmpty || (range is { Min: { } low, Max: { } high } && !IsOrdered(low, high, min, max)) ? null : range;
    }

    private static bool IsOrdered(object low, object high, ReadOnlySpan<byte> min, ReadOnlySpan<byte> max) => (low, high) switch
    {
        (long a, long b) => a <= b,
        (ScanDecimal a, ScanDecimal b) => a.Unscaled <= b.Unscaled,
        _ => min.SequenceCompareTo(max) <= 0,
    };

    private static object? Value(byte[]? bytes, ParquetNode node)
    {
        switch (node.Physical)
        {
            case ParquetPhysical.Int32 when bytes is { Length: 4 }:
                return Number(BinaryPrimitives.ReadInt32LittleEndian(bytes), node);
            case ParquetPhysical.Int64 when bytes is { Length: 8 }:
                return Number(BinaryPrimitives.ReadInt64LittleEndian(bytes), node);
            case ParquetPhysical.FixedLenByteArray when bytes is { Length: > 0 and <= 16 }:
                return new ScanDecimal(new BigInteger(bytes, isUnsigned: false, isBigEndian: true), node.Scale);
            case ParquetPhysical.ByteArray when bytes is not null:
                try
                {
                    return StrictUtf8.GetString(bytes);
                }
                catch (DecoderFallbackException)
                {
                    return null; // cut within a character
                }

            default:
                return null;
        }
    }

    private static object? Number(long value, ParquetNode node)
    {
        const long MicrosInMilli = 1000;
        if (node.Meaning == ParquetMeaning.Decimal)
        {
            return new ScanDecimal(value, node.Scale);
        }

        return node is not { Meaning: ParquetMeaning.Timestamp, IsMillis: true } ? value
            : value is >= long.MinValue / MicrosInMilli and <= long.MaxValue / MicrosInMilli ? value * MicrosInMilli
            : null;
    }

    // The bounds of the column and its place among the leaves; -1 if it is not there.
    private static (Bounds Bounds, int Leaf) ReadRowGroup(ref CompactThrift thrift, string? column)
    {
        var found = (Bounds: default(Bounds), Leaf: -1);
        int field = 0;
        while (thrift.NextField(ref field, out int type))
        {
            if (field != 1)
            {
                thrift.Skip(type);
                continue;
            }

            int chunks = thrift.List(out _);
            for (int i = 0; i < chunks; i++)
            {
                (bool isIt, Bounds bounds) = ReadChunk(ref thrift, column);
                found = isIt ? (bounds, i) : found;
            }
        }

        return found;
    }

    private static (bool IsIt, Bounds Bounds) ReadChunk(ref CompactThrift thrift, string? column)
    {
        (bool, Bounds) found = default;
        int field = 0;
        while (thrift.NextField(ref field, out int type))
        {
            if (field == 3)
            {
                found = ReadMetadata(ref thrift, column);
            }
            else
            {
                thrift.Skip(type);
            }
        }

        return found;
    }

    private static (bool IsIt, Bounds Bounds) ReadMetadata(ref CompactThrift thrift, string? column)
    {
        bool isIt = false;
        Bounds bounds = default;
        int field = 0;
        while (thrift.NextField(ref field, out int type))
        {
            if (field == 3)
            {
                int segments = thrift.List(out int segmentType);
                for (int i = 0; i < segments; i++)
                {
                    if (segments == 1 && segmentType == 8)
                    {
                        isIt = thrift.Text() == column;
                    }
                    else
                    {
                        thrift.Skip(segmentType);
                    }
                }
            }
            else if (field == 12 && isIt)
            {
                bounds = ReadBounds(ref thrift);
            }
            else
            {
                thrift.Skip(type);
            }
        }

        return (isIt, bounds);
    }

    private static Bounds ReadBounds(ref CompactThrift thrift)
    {
        Bounds bounds = default;
        int field = 0;
        while (thrift.NextField(ref field, out int type))
        {
            switch (field)
            {
                case 1:
                    bounds.Max = thrift.Bytes().ToArray();
                    break;
                case 2:
                    bounds.Min = thrift.Bytes().ToArray();
                    break;
                case 3:
                    bounds.NullCount = thrift.Integer();
                    break;
                case 5:
                    bounds.MaxValue = thrift.Bytes().ToArray();
                    break;
                case 6:
                    bounds.MinValue = thrift.Bytes().ToArray();
                    break;
                default:
                    thrift.Skip(type);
                    break;
            }
        }

        return bounds;
    }

    // For each leaf whether it has the order that its type defines, the only one there was for long.
    private static void ReadOrders(ref CompactThrift thrift, List<bool> orders)
    {
        int leaves = thrift.List(out _);
        for (int i = 0; i < leaves; i++)
        {
            bool byType = false;
            int kind = 0;
            while (thrift.NextField(ref kind, out int type))
            {
                byType |= kind == 1;
                thrift.Skip(type);
            }

            orders.Add(byType);
        }
    }

    private struct Bounds
    {
        public byte[]? Min;
        public byte[]? Max;
        public byte[]? MinValue;
        public byte[]? MaxValue;
        public long? NullCount;
    }
}
