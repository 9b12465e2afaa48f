using System.Text;
using System.Text.Json;
using LakeHolo.LakeCatalog.Delta.Schema;

namespace LakeHolo.LakeCatalog.Delta.Files;

#pragma warning disable CA1720 // The specification's own words for types.

/// <summary>How bounds of a column are held.</summary>
public enum BoundKind
{
    /// <summary>No bounds: only null counts.</summary>
    None,

    /// <summary>Integers, days, microseconds.</summary>
    Integer,

    /// <summary>Floating point; files may hold NaN whatever the bounds say.</summary>
    Double,

    /// <summary>Decimals as integers at the column's scale.</summary>
    Decimal,

    /// <summary>UTF-8 text.</summary>
    Text,
}

/// <summary>Bounds of one leaf column for every file of a block. A bound covers all rows (also where the writer cut it), but need not be a value:
/// fit for skipping files and for nothing else.</summary>
public sealed class ColumnBounds
{
    // Most writers cut timestamps to milliseconds, and some towards zero, so that before 1970 the minimum moves too.
    private const long TimestampSlackMicros = 1000;

    // Decimals of so many digits survive the way through a floating number.
    private const long FloatsAreExactBelow = 1_000_000_000_000_000;

    private readonly DeltaType _type;
    private readonly bool[] _hasMin;
    private readonly bool[] _hasMax;

    private ColumnBounds(int count, DeltaType type)
    {
        _type = type;
        Kind = KindOf(type);
        NullCounts = new long[count];
        Array.Fill(NullCounts, -1);
        _hasMin = new bool[count];
        _hasMax = new bool[count];
        IntegerMin = Kind == BoundKind.Integer ? new long[count] : [];
        IntegerMax = Kind == BoundKind.Integer ? new long[count] : [];
        DoubleMin = Kind == BoundKind.Double ? new double[count] : [];
        DoubleMax = Kind == BoundKind.Double ? new double[count] : [];
        DecimalMin = Kind == BoundKind.Decimal ? new Int128[count] : [];
        DecimalMax = Kind == BoundKind.Decimal ? new Int128[count] : [];
        TextMin = Kind == BoundKind.Text ? new byte[count][] : [];
        TextMax = Kind == BoundKind.Text ? new byte[count][] : [];
    }

    /// <summary>Which arrays are filled.</summary>
    public BoundKind Kind { get; }

    /// <summary>Null counts by file; -1 for unknown. Only 0 and the file's row count mean something.</summary>
    internal long[] NullCounts { get; }

    internal long[] IntegerMin { get; }

    internal long[] IntegerMax { get; }

    internal double[] DoubleMin { get; }

    internal double[] DoubleMax { get; }

    internal Int128[] DecimalMin { get; }

    internal Int128[] DecimalMax { get; }

    internal byte[][] TextMin { get; }

    internal byte[][] TextMax { get; }

    /// <summary>Null count of a file; -1 for unknown. Only 0 and the file's row count mean something.</summary>
    public long NullCount(int row) => NullCounts[row];

    /// <summary>How the lower bound of a file compares to a value of the column's kind; null if there is no bound.</summary>
    public int? CompareMin(int row, object value) => _hasMin[row] ? Compare(row, value, min: true) : null;

    /// <summary>How the upper bound of a file compares to a value of the column's kind; null if there is no bound.</summary>
    public int? CompareMax(int row, object value) => _hasMax[row] ? Compare(row, value, min: false) : null;

    /// <summary>Orders two files by their lower bounds of one column, or by their upper ones from the greatest on; files without a bound come last.</summary>
    public static int CompareFiles(ColumnBounds x, int xRow, ColumnBounds y, int yRow, bool descending)
    {
        bool xHas = (descending ? x._hasMax : x._hasMin)[xRow];
        bool yHas = (descending ? y._hasMax : y._hasMin)[yRow];
        if (!xHas || !yHas)
        {
            return yHas.CompareTo(xHas);
        }

        int order = x.Kind switch
        {
            BoundKind.Integer => (descending ? x.IntegerMax : x.IntegerMin)[xRow].CompareTo((descending ? y.IntegerMax : y.IntegerMin)[yRow]),
            BoundKind.Double => CompareDoubles((descending ? x.DoubleMax : x.DoubleMin)[xRow], (descending ? y.DoubleMax : y.DoubleMin)[yRow]),
            BoundKind.Decimal => (descending ? x.DecimalMax : x.DecimalMin)[xRow].CompareTo((descending ? y.DecimalMax : y.DecimalMin)[yRow]),
            BoundKind.Text => (descending ? x.TextMax : x.TextMin)[xRow].AsSpan().SequenceCompareTo((descending ? y.TextMax : y.TextMin)[yRow]),
            _ => 0,
        };
        return descending ? -order : order;
    }

    /// <summary>Whether the upper bound of a text column is below every text with a prefix.</summary>
    public bool MaxIsBelowPrefix(int row, ReadOnlySpan<byte> prefix) => _hasMax[row] && TextMax[row].AsSpan().SequenceCompareTo(prefix) < 0;

    /// <summary>Whether the lower bound of a text column is above every text with a prefix.</summary>
    public bool MinIsAbovePrefix(int row, ReadOnlySpan<byte> prefix) =>
        _hasMin[row] && TextMin[row].AsSpan().SequenceCompareTo(prefix) > 0 && !TextMin[row].AsSpan().StartsWith(prefix);

    /// <summary>How bounds of a type are held.</summary>
    public static BoundKind KindOf(DeltaType type) => type switch
    {
        DeltaDecimal => BoundKind.Decimal,
        DeltaPrimitive { Kind: DeltaPrimitiveKind.String } => BoundKind.Text,
        DeltaPrimitive { Kind: DeltaPrimitiveKind.Float or DeltaPrimitiveKind.Double } => BoundKind.Double,
        DeltaPrimitive
        {
            Kind: DeltaPrimitiveKind.Long or DeltaPrimitiveKind.Integer or DeltaPrimitiveKind.Short or DeltaPrimitiveKind.Byte
            or DeltaPrimitiveKind.Date or DeltaPrimitiveKind.Timestamp or DeltaPrimitiveKind.TimestampNtz
        } => BoundKind.Integer,
        _ => BoundKind.None,
    };

    internal static ColumnBounds Parse(StatsStore stats, int count, IReadOnlyList<string> physicalPath, DeltaType type)
    {
        var bounds = new ColumnBounds(count, type);
        byte[][] path = [.. physicalPath.Select(Encoding.UTF8.GetBytes)];
        stats.ForEach((row, json) => bounds.ParseRow(row, json, path));
        return bounds;
    }

    private int Compare(int row, object value, bool min) => Kind switch
    {
        BoundKind.Integer => (min ? IntegerMin : IntegerMax)[row].CompareTo((long)value),
        BoundKind.Double => CompareDoubles((min ? DoubleMin : DoubleMax)[row], (double)value),
        BoundKind.Decimal => (min ? DecimalMin : DecimalMax)[row].CompareTo((Int128)value),
        _ => (min ? TextMin : TextMax)[row].AsSpan().SequenceCompareTo((byte[])value),
    };

    /// <summary>The engine's order: -0.0 equals 0.0, NaN equals NaN and is above everything.</summary>
    public static int CompareDoubles(double left, double right) => double.IsNaN(left)
        ? (double.IsNaN(right) ? 0 : 1)
        : double.IsNaN(right) ? -1 : left < right ? -1 : left > right ? 1 : 0;

    private void ParseRow(int row, ReadOnlySpan<byte> json, byte[][] path)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 256 });
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return;
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                int part = reader.ValueTextEquals("minValues"u8) ? 0 : reader.ValueTextEquals("maxValues"u8) ? 1
                    : reader.ValueTextEquals("nullCount"u8) ? 2 : -1;
                reader.Read();
                if (part < 0 || reader.TokenType != JsonTokenType.StartObject)
                {
                    reader.Skip();
                    continue;
                }

                ParsePart(row, ref reader, path, 0, part);
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Statistics that are no JSON count as absent; what was parsed before the fault is not used either.
            _hasMin[row] = _hasMax[row] = false;
            NullCounts[row] = -1;
        }
    }

    // Leaves the reader at the end of the object it stands at the beginning of.
    private void ParsePart(int row, ref Utf8JsonReader reader, byte[][] path, int level, int part)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool matches = reader.ValueTextEquals(path[level]);
            reader.Read();
            if (!matches)
            {
                reader.Skip();
            }
            else if (level < path.Length - 1)
            {
                if (reader.TokenType == JsonTokenType.StartObject)
                {
                    ParsePart(row, ref reader, path, level + 1, part);
                }
                else
                {
                    reader.Skip();
                }
            }
            else if (part == 2)
            {
                NullCounts[row] = reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out long nulls) ? nulls : -1;
                reader.Skip();
            }
            else
            {
                ParseBound(row, ref reader, isMin: part == 0);
                reader.Skip();
            }
        }
    }

    private void ParseBound(int row, ref Utf8JsonReader reader, bool isMin)
    {
        if (Kind == BoundKind.None || reader.TokenType is not (JsonTokenType.String or JsonTokenType.Number))
        {
            return;
        }

        bool known = Kind switch
        {
            BoundKind.Text => ParseText(row, ref reader, isMin),
            BoundKind.Integer => ParseInteger(row, ref reader, isMin),
            BoundKind.Decimal => ParseDecimal(row, Token(ref reader), isMin),
            _ => ParseDouble(row, Token(ref reader), isMin),
        };
        (isMin ? _hasMin : _hasMax)[row] = known;
    }

    private bool ParseText(int row, ref Utf8JsonReader reader, bool isMin)
    {
        if (reader.TokenType != JsonTokenType.String)
        {
            return false;
        }

        byte[] buffer = new byte[reader.ValueSpan.Length];
        int length = reader.CopyString(buffer);
        (isMin ? TextMin : TextMax)[row] = isMin ? buffer[..length] : UpperBound(buffer.AsSpan(0, length));
        return true;
    }

    // Older writers cut by UTF-16 units and closed the cut with U+FFFD, which is above the units of a surrogate pair and below its UTF-8 bytes; of a pair that was cut in
    // two, a '?' is left.
    private static byte[] UpperBound(ReadOnlySpan<byte> text)
    {
        if (!text.EndsWith("\uFFFD"u8))
        {
            return text.ToArray();
        }

        text = text[..^3];
        return [.. text.EndsWith("?"u8) ? text[..^1] : text, byte.MaxValue];
    }

    private bool ParseInteger(int row, ref Utf8JsonReader reader, bool isMin)
    {
        var kind = ((DeltaPrimitive)_type).Kind;
        long value;
        if (reader.TokenType == JsonTokenType.Number)
        {
            if (!reader.TryGetInt64(out value))
            {
                return false;
            }
        }
        else if (kind == DeltaPrimitiveKind.Date)
        {
            if (!DeltaText.TryParseDate(Token(ref reader), out int days))
            {
                return false;
            }

            value = days;
        }
        else if (kind is not (DeltaPrimitiveKind.Timestamp or DeltaPrimitiveKind.TimestampNtz) || !DeltaText.TryParseTimestamp(Token(ref reader), out value))
        {
            return false;
        }

        if (kind is DeltaPrimitiveKind.Timestamp or DeltaPrimitiveKind.TimestampNtz)
        {
            // A number as small as this may be days, of a column that was a date when the file was written.
            if (reader.TokenType == JsonTokenType.Number && value is >= int.MinValue and <= int.MaxValue)
            {
                return false;
            }

            value = isMin
                ? (value <= 0 && value > long.MinValue + TimestampSlackMicros ? value - TimestampSlackMicros : value)
                : (value < long.MaxValue - TimestampSlackMicros ? value + TimestampSlackMicros : value);
        }

        (isMin ? IntegerMin : IntegerMax)[row] = value;
        return true;
    }

    private bool ParseDecimal(int row, string text, bool isMin)
    {
        if (!DeltaText.TryParseDecimal(text, ((DeltaDecimal)_type).Scale, roundUp: !isMin, out Int128 value))
        {
            return false;
        }

        // Some writers keep decimals as floating numbers, whose shortest text may lie on the wrong side of the value itself.
        Int128 slack = Int128.Abs(value) >= FloatsAreExactBelow && DeltaText.MayBeFloating(text) ? Int128.Abs(value) >> 50 : 0;
        (isMin ? DecimalMin : DecimalMax)[row] = isMin ? value - slack : value + slack;
        return true;
    }

    private bool ParseDouble(int row, string text, bool isMin)
    {
        // A bound of NaN tells nothing: some writers let one NaN spoil the minimum.
        if (!DeltaText.TryParseDouble(text, out double value) || double.IsNaN(value))
        {
            return false;
        }

        // A float's shortest text read as a double lies beside the float's own value, and a column widened from float keeps such texts.
        double single = (float)value;
        (isMin ? DoubleMin : DoubleMax)[row] = isMin ? Math.Min(value, single) : Math.Max(value, single);
        return true;
    }

    private static string Token(ref Utf8JsonReader reader) =>
        reader.TokenType == JsonTokenType.String ? reader.GetString()! : Encoding.UTF8.GetString(reader.ValueSpan);
}
