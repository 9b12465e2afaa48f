using System.Globalization;
using System.Text.RegularExpressions;

namespace LakeHolo.LakeCatalog.Delta.Schema;

/// <summary>Interval types by their names, <c>interval A [to B]</c>, and the text of their values among partition values,
/// <c>INTERVAL '1-6' YEAR TO MONTH</c> or <c>INTERVAL '-7 12:34:56.123456' DAY TO SECOND</c>.</summary>
public static partial class DeltaInterval
{
    private const long MicrosPerSecond = 1_000_000;

    // From the coarsest to the finest; the first two count months, the others microseconds.
    private static readonly string[] Units = ["year", "month", "day", "hour", "minute", "second"];

    private static readonly long[] Lengths = [12, 1, 86_400 * MicrosPerSecond, 3_600 * MicrosPerSecond, 60 * MicrosPerSecond, MicrosPerSecond];

    // What stands before a unit's number when another unit precedes it.
    private static readonly string[] Separators = ["", "-", "", " ", ":", ":"];

    private const int FirstOfDayTime = 2;

    /// <summary>The kind of interval that a type's name means; null if it means none. Both ends have to be of one family, the coarser one first.</summary>
    public static DeltaPrimitiveKind? KindOf(string typeName)
    {
        Match match = TypePattern().Match(typeName);
        return match.Success && Range(match) is (int from, int _)
            ? from < FirstOfDayTime ? DeltaPrimitiveKind.YearMonthInterval : DeltaPrimitiveKind.DayTimeInterval
            : null;
    }

    /// <summary>A value's text as months (32 bits) or microseconds (64 bits).</summary>
    public static bool TryParse(string text, DeltaPrimitiveKind kind, out long value)
    {
        value = 0;
        Match match = ValuePattern().Match(text);
        if (!match.Success || Range(match) is not (int from, int to)
            || (from < FirstOfDayTime) != (kind == DeltaPrimitiveKind.YearMonthInterval))
        {
            return false;
        }

        ReadOnlySpan<char> digits = match.Groups["value"].ValueSpan;
        Int128 sum = 0;
        for (int unit = from; unit <= to; unit++)
        {
            string separator = unit == from ? "" : Separators[unit];
            if (!digits.StartsWith(separator, StringComparison.Ordinal))
            {
                return false;
            }

            digits = digits[separator.Length..];
            int length = digits.IndexOfAnyExceptInRange('0', '9') is var end and >= 0 ? end : digits.Length;
            if (!long.TryParse(digits[..length], NumberStyles.None, CultureInfo.InvariantCulture, out long number))
            {
                return false;
            }

            sum += (Int128)number * Lengths[unit];
            digits = digits[length..];
        }

        if (to == Units.Length - 1 && digits is ['.', .. { Length: >= 1 and <= 6 } fraction]
            && long.TryParse(fraction.ToString().PadRight(6, '0'), NumberStyles.None, CultureInfo.InvariantCulture, out long micros))
        {
            sum += micros;
            digits = [];
        }

        // A sign may stand before the quotes and inside them.
        if (match.Groups["outer"].ValueSpan is "-" != match.Groups["inner"].ValueSpan is "-")
        {
            sum = -sum;
        }

        (Int128 least, Int128 greatest) = from < FirstOfDayTime ? (int.MinValue, int.MaxValue) : ((Int128)long.MinValue, (Int128)long.MaxValue);
        if (!digits.IsEmpty || sum < least || sum > greatest)
        {
            return false;
        }

        value = (long)sum;
        return true;
    }

    private static (int From, int To)? Range(Match match)
    {
        int from = Array.IndexOf(Units, match.Groups["from"].Value.ToLowerInvariant());
        int to = match.Groups["to"].Success ? Array.IndexOf(Units, match.Groups["to"].Value.ToLowerInvariant()) : from;
        bool isOneFamily = (from < FirstOfDayTime) == (to < FirstOfDayTime);
        return isOneFamily && (from < to || !match.Groups["to"].Success) ? (from, to) : null;
    }

    [GeneratedRegex("^interval (?<from>year|month|day|hour|minute|second)( to (?<to>month|hour|minute|second))?$")]
    private static partial Regex TypePattern();

    [GeneratedRegex("^INTERVAL (?<outer>[+-]?)'(?<inner>[+-]?)(?<value>[0-9 :.-]{1,64})' (?<from>[A-Z]{3,6})( TO (?<to>[A-Z]{3,6}))?$")]
    private static partial Regex ValuePattern();
}
