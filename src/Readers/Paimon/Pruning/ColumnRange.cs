using System.Numerics;
using System.Text;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Paimon.Pruning;

/// <summary>What is known of a column's values in a file or partition.</summary>
/// <param name="Type">Its type.</param>
/// <param name="Min">Smallest value, or a bound below it; null if all values are NULL.</param>
/// <param name="Max">Largest value, or a bound above it.</param>
/// <param name="NullCount">NULLs.</param>
/// <param name="RowCount">Rows.</param>
internal sealed record ColumnRange(PaimonType Type, object? Min, object? Max, long NullCount, long RowCount) : IColumnKnowledge
{
    private const long MillisPerDay = 86_400_000;

    private bool IsAllNull => NullCount == RowCount;

    /// <summary>Whether a comparison can be true for some row.</summary>
    public bool MayMatch(ScanComparison comparison, ScanLiteral literal)
    {
        if (IsAllNull)
        {
            return false;
        }

        if (ToValue(literal, Type) is not object value)
        {
            return true;
        }

        // NaN is left out of minima and maxima, and it is the largest value; −0.0 equals +0.0.
        bool isFloat = Type.IsFloating;
        if (isFloat && (double.IsNaN((double)value) || comparison is ScanComparison.NotEqual or ScanComparison.Greater or ScanComparison.GreaterOrEqual))
        {
            return true;
        }

        int toMin = isFloat ? ((double)value).CompareTo((double)Min!) : PaimonValue.Compare(value, Min);
        int toMax = isFloat ? ((double)value).CompareTo((double)Max!) : PaimonValue.Compare(value, Max);
        return comparison switch
        {
            ScanComparison.Equal => toMin >= 0 && toMax <= 0,
            ScanComparison.NotEqual => toMin != 0 || toMax != 0,
            ScanComparison.Less => toMin > 0,
            ScanComparison.LessOrEqual => toMin >= 0,
            ScanComparison.Greater => toMax < 0,
            _ => toMax <= 0,
        };
    }

    /// <summary>The range as it bounds the values of an ORC file.</summary>
    /// <remarks>The writer takes bounds of dates and moments through its time zone and, before 1582-10-15, through another calendar than the values: they are off
    /// by a day and more. Julian dates are up to ten days away, zones less than two.</remarks>
    public ColumnRange Widened()
    {
        const long DaysOf1600 = -135_140;
        const int Calendars = 12;
        const int Zones = 2;
        switch (Min, Max)
        {
            case (long low, long high) when Type.Kind == PaimonTypeKind.Date:
                int days = low < DaysOf1600 ? Calendars : Zones;
                return this with { Min = low - days, Max = high + days };
            case (PaimonTimestamp low, PaimonTimestamp high):
                long millis = (low.Millis < DaysOf1600 * MillisPerDay ? Calendars : Zones) * MillisPerDay;
                return this with { Min = low with { Millis = low.Millis - millis }, Max = high with { Millis = high.Millis + millis } };
            default:
                return this;
        }
    }

    public bool MayBeNull => NullCount > 0;

    public bool MayBeNotNull => !IsAllNull;

    /// <summary>Whether a string may begin with a prefix.</summary>
    public bool MayStartWith(string prefix)
    {
        if (IsAllNull || !Type.IsString || Min is not byte[] min || Max is not byte[] max)
        {
            return !IsAllNull;
        }

        byte[] bytes = Encoding.UTF8.GetBytes(prefix);
        return max.AsSpan().SequenceCompareTo(bytes) >= 0 && min.AsSpan(0, Math.Min(min.Length, bytes.Length)).SequenceCompareTo(bytes) <= 0;
    }

    /// <summary>A literal as a stored value of a type; null if it is none exactly.</summary>
    public static object? ToValue(ScanLiteral literal, PaimonType type) => (literal.Value, type.Kind) switch
    {
        (bool b, PaimonTypeKind.Boolean) => b,
        (long n, _) when type.IsInteger => n,
        (DateOnly d, PaimonTypeKind.Date) => (long)(d.DayNumber - DateOnly.FromDateTime(DateTime.UnixEpoch).DayNumber),
        (double d, PaimonTypeKind.Double) => d,
        (double d, PaimonTypeKind.Float) when (float)d == d || double.IsNaN(d) => d,
        (ScanDecimal d, PaimonTypeKind.Decimal) => d.AtScale(type.Scale),
        // CHAR values are padded in some files and not in others.
        (string s, PaimonTypeKind.VarChar) => Encoding.UTF8.GetBytes(s),
        (byte[] b, PaimonTypeKind.VarBinary) => b,
        (ScanTimestamp t, PaimonTypeKind.Timestamp or PaimonTypeKind.TimestampLtz) => ToTimestamp(t.EpochMicros),
        _ => null,
    };

    private static PaimonTimestamp ToTimestamp(long micros)
    {
        long millis = Math.DivRem(micros, 1000, out long rest);
        return rest < 0 ? new PaimonTimestamp(millis - 1, (int)(rest + 1000) * 1000) : new PaimonTimestamp(millis, (int)rest * 1000);
    }
}
