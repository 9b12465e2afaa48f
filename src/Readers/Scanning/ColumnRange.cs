using System.Numerics;
using System.Text;
using Apache.Arrow.Types;

namespace LakeHolo.Readers.Scanning;

/// <summary>What is known of a column's values in a file. Values are bool, long (also days of a date and microseconds of a timestamp),
/// <see cref="ScanDecimal"/> or string; null where a bound is not known.</summary>
internal sealed record ColumnRange(object? Min, object? Max, bool MayHaveNulls, bool MayHaveValues)
{
    /// <summary>Whether a comparison with a literal of the column's type may be true for some value. Floating-point bounds are not used: they say nothing of NaN,
    /// which is greater than every number in SQL.</summary>
    public bool MayMatch(ScanComparison comparison, ScanLiteral literal)
    {
        if (!MayHaveValues)
        {
            return false;
        }

        object value = Normalised(literal.Value);
        if (value is double)
        {
            return true;
        }

        return comparison switch
        {
            ScanComparison.Equal => !IsBelow(value, Min) && !IsAbove(value, Max),
            ScanComparison.Less => !IsBelow(value, Min) && Order(value, Min) != 0,
            ScanComparison.LessOrEqual => !IsBelow(value, Min),
            ScanComparison.Greater => !IsAbove(value, Max) && Order(value, Max) != 0,
            ScanComparison.GreaterOrEqual => !IsAbove(value, Max),
            _ => true,
        };
    }

    /// <summary>Whether text may begin so.</summary>
    public bool MayStartWith(string prefix) => MayHaveValues && !IsBelow(prefix + char.MaxValue, Min) && !IsAbove(prefix, Max);

    /// <summary>A literal as bounds are written.</summary>
    public static object Normalised(object value) => value switch
    {
        DateOnly date => (long)(date.DayNumber - DateOnly.FromDateTime(DateTime.UnixEpoch).DayNumber),
        ScanTimestamp timestamp => timestamp.EpochMicros,
        _ => value,
    };

    /// <summary>Whether bounds of this type can be compared with literals of a column.</summary>
    public static bool Fits(object bound, IArrowType type) => (type, bound) switch
    {
        (BooleanType, bool) or (Int32Type or Int64Type or Date32Type or TimestampType, long) or (StringType, string) or (Decimal128Type, ScanDecimal) => true,
        _ => false,
    };

    private static bool IsBelow(object value, object? min) => min is not null && Order(value, min) < 0;

    private static bool IsAbove(object value, object? max) => max is not null && Order(value, max) > 0;

    // Null where the two orders of text, by code units (Java) and by bytes (the engine), differ, or the types do.
    private static int? Order(object value, object? bound)
    {
        switch (value, bound)
        {
            case (string a, string b):
                int units = Math.Sign(string.CompareOrdinal(a, b));
                return units == Math.Sign(Encoding.UTF8.GetBytes(a).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(b))) ? units : null;
            case (ScanDecimal a, ScanDecimal b):
                int scale = Math.Max(a.Scale, b.Scale);
                return (a.Unscaled * BigInteger.Pow(10, scale - a.Scale)).CompareTo(b.Unscaled * BigInteger.Pow(10, scale - b.Scale));
            case (long a, ScanDecimal b):
                return Order(new ScanDecimal(a, 0), b);
            case (bool or long, _) when bound?.GetType() == value.GetType():
                return ((IComparable)value).CompareTo(bound);
            default:
                return null;
        }
    }
}

/// <summary>Whether a condition may be true for a row of a file, by what is known of its columns.</summary>
internal static class RangeFilter
{
    /// <param name="filter">The condition.</param>
    /// <param name="range">What is known of a column; null if nothing is.</param>
    public static bool MayBeTrue(ScanFilter filter, Func<string, ColumnRange?> range) => filter switch
    {
        ScanFilter.And and => and.Parts.All(p => MayBeTrue(p, range)),
        ScanFilter.Or or => or.Parts.Any(p => MayBeTrue(p, range)),
        ScanFilter.Compare compare => range(compare.Column)?.MayMatch(compare.Operator, compare.Value) ?? true,
        ScanFilter.In all => range(all.Column) is not { } known || all.Values.Any(v => known.MayMatch(ScanComparison.Equal, v)),
        ScanFilter.IsNull isNull => range(isNull.Column)?.MayHaveNulls ?? true,
        ScanFilter.IsNotNull notNull => range(notNull.Column)?.MayHaveValues ?? true,
        ScanFilter.StartsWith starts => range(starts.Column)?.MayStartWith(starts.Prefix) ?? true,
        _ => true,
    };

    /// <summary>The columns that a condition looks at.</summary>
    public static IEnumerable<string> ColumnsOf(ScanFilter filter) => filter switch
    {
        ScanFilter.And and => and.Parts.SelectMany(ColumnsOf),
        ScanFilter.Or or => or.Parts.SelectMany(ColumnsOf),
        ScanFilter.Compare compare => [compare.Column],
        ScanFilter.In all => [all.Column],
        ScanFilter.IsNull isNull => [isNull.Column],
        ScanFilter.IsNotNull notNull => [notNull.Column],
        ScanFilter.StartsWith starts => [starts.Column],
        _ => [],
    };

    /// <summary>The texts that a column must have one of; null if the condition does not say.</summary>
    public static IReadOnlyList<string>? TextsOf(ScanFilter filter, string column) => filter switch
    {
        ScanFilter.And and => and.Parts.Select(p => TextsOf(p, column)).FirstOrDefault(t => t is not null),
        ScanFilter.Compare { Operator: ScanComparison.Equal } compare when compare.Column.Equals(column, StringComparison.OrdinalIgnoreCase) && compare.Value.Value is string text => [text],
        ScanFilter.In all when all.Column.Equals(column, StringComparison.OrdinalIgnoreCase) && all.Values.All(v => v.Value is string) => [.. all.Values.Select(v => (string)v.Value)],
        _ => null,
    };
}
