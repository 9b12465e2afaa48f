using System.Globalization;
using System.Numerics;

namespace LakeHolo.LakeCatalog.Delta.Schema;

/// <summary>Text forms of values, as partition values and statistics have them.</summary>
public static class DeltaText
{
    private const long MicrosPerDay = 86_400_000_000;

    /// <summary>Days since 1970-01-01 of <c>yyyy-M-d</c>, proleptic Gregorian; years may have a sign and more than four digits.</summary>
    public static bool TryParseDate(ReadOnlySpan<char> text, out int days)
    {
        days = 0;
        return TryReadDate(ref text, out long value) && text.IsEmpty && value is >= int.MinValue and <= int.MaxValue && (days = (int)value) == value;
    }

    /// <summary>Microseconds since 1970-01-01T00:00 of a date, or a date and time separated by 'T' or a blank, with an optional offset. Text without
    /// an offset counts as UTC.</summary>
    public static bool TryParseTimestamp(ReadOnlySpan<char> text, out long micros)
    {
        micros = 0;
        if (!TryReadDate(ref text, out long days) || days is < -106_751_990 or > 106_751_990)
        {
            return false;
        }

        long time = 0;
        long offset = 0;
        if (!text.IsEmpty)
        {
            if (text[0] is not (' ' or 'T' or 't'))
            {
                return false;
            }

            text = text[1..];
            if (!TryReadTime(ref text, out time) || !TryReadOffset(ref text, out offset) || !text.IsEmpty)
            {
                return false;
            }
        }

        micros = (days * MicrosPerDay) + time - offset;
        return true;
    }

    /// <summary>Whether a number has so few digits that it may be the shortest text of a floating number (17 at most).</summary>
    public static bool MayBeFloating(ReadOnlySpan<char> number)
    {
        ReadOnlySpan<char> digits = number.IndexOfAny('e', 'E') is >= 0 and int exponent ? number[..exponent] : number;
        string significant = string.Concat(digits.ToString().Where(char.IsAsciiDigit)).Trim('0');
        return significant.Length <= 17;
    }

    /// <summary>A decimal literal (exponent form allowed) as an integer at a scale. Digits beyond the scale round down or up, as asked.</summary>
    public static bool TryParseDecimal(ReadOnlySpan<char> text, int scale, bool roundUp, out Int128 unscaled)
    {
        unscaled = 0;
        int exponentAt = text.IndexOfAny('e', 'E');
        int exponent = 0;
        if (exponentAt >= 0)
        {
            if (!int.TryParse(text[(exponentAt + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out exponent))
            {
                return false;
            }

            text = text[..exponentAt];
        }

        int point = text.IndexOf('.');
        string digits = point < 0 ? text.ToString() : string.Concat(text[..point], text[(point + 1)..]);
        int fraction = point < 0 ? 0 : text.Length - point - 1;
        if (digits.Length > 128 || !BigInteger.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out BigInteger value))
        {
            return false;
        }

        long shift = (long)scale - fraction + exponent;
        if (Math.Abs(shift) > 256)
        {
            return value.IsZero;
        }

        if (shift >= 0)
        {
            value *= BigInteger.Pow(10, (int)shift);
        }
        else
        {
            value = BigInteger.DivRem(value, BigInteger.Pow(10, (int)-shift), out BigInteger rest);
            value += rest.Sign > 0 && roundUp ? 1 : rest.Sign < 0 && !roundUp ? -1 : 0;
        }

        if (value < (BigInteger)Int128.MinValue || value > (BigInteger)Int128.MaxValue)
        {
            return false;
        }

        unscaled = (Int128)value;
        return true;
    }

    /// <summary>A double as Java prints it: <c>1.0E10</c>, <c>NaN</c>, <c>Infinity</c>.</summary>
    public static bool TryParseDouble(ReadOnlySpan<char> text, out double value)
    {
        switch (text)
        {
            case "NaN":
                value = double.NaN;
                return true;
            case "Infinity" or "+Infinity" or "Inf" or "inf":
                value = double.PositiveInfinity;
                return true;
            case "-Infinity" or "-Inf" or "-inf":
                value = double.NegativeInfinity;
                return true;
            default:
                return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value);
        }
    }

    private static bool TryReadDate(ref ReadOnlySpan<char> text, out long days)
    {
        days = 0;
        bool negative = !text.IsEmpty && text[0] == '-';
        if (!text.IsEmpty && text[0] is '-' or '+')
        {
            text = text[1..];
        }

        if (!TryReadNumber(ref text, 4, 7, out long year) || !TrySkip(ref text, '-') || !TryReadNumber(ref text, 1, 2, out long month)
            || !TrySkip(ref text, '-') || !TryReadNumber(ref text, 1, 2, out long day) || month is < 1 or > 12 || day is < 1 or > 31)
        {
            return false;
        }

        days = DaysFromCivil(negative ? -year : year, month, day);
        return true;
    }

    private static bool TryReadTime(ref ReadOnlySpan<char> text, out long micros)
    {
        micros = 0;
        if (!TryReadNumber(ref text, 1, 2, out long hour) || !TrySkip(ref text, ':') || !TryReadNumber(ref text, 1, 2, out long minute)
            || hour > 24 || minute > 59)
        {
            return false;
        }

        long second = 0;
        long fraction = 0;
        if (TrySkip(ref text, ':'))
        {
            if (!TryReadNumber(ref text, 1, 2, out second) || second > 60)
            {
                return false;
            }

            if (TrySkip(ref text, '.'))
            {
                int length = text.Length;
                if (!TryReadNumber(ref text, 1, 9, out fraction))
                {
                    return false;
                }

                int digits = length - text.Length;
                for (; digits < 6; digits++)
                {
                    fraction *= 10;
                }

                for (; digits > 6; digits--)
                {
                    fraction /= 10;
                }
            }
        }

        micros = (((((hour * 60) + minute) * 60) + second) * 1_000_000) + fraction;
        return true;
    }

    private static bool TryReadOffset(ref ReadOnlySpan<char> text, out long micros)
    {
        micros = 0;
        text = text.TrimStart(' ');
        if (text.IsEmpty)
        {
            return true;
        }

        if (text is "Z" or "z" or "UTC")
        {
            text = [];
            return true;
        }

        if (text[0] is not ('+' or '-'))
        {
            return false;
        }

        long sign = text[0] == '-' ? -1 : 1;
        text = text[1..];
        long minutes = 0;
        long seconds = 0;
        if (!TryReadNumber(ref text, 2, 2, out long hours))
        {
            return false;
        }

        TrySkip(ref text, ':');
        if (!text.IsEmpty && !TryReadNumber(ref text, 2, 2, out minutes))
        {
            return false;
        }

        TrySkip(ref text, ':');
        if (!text.IsEmpty && !TryReadNumber(ref text, 2, 2, out seconds))
        {
            return false;
        }

        micros = sign * ((((hours * 60) + minutes) * 60) + seconds) * 1_000_000;
        return true;
    }

    private static bool TryReadNumber(ref ReadOnlySpan<char> text, int minDigits, int maxDigits, out long value)
    {
        value = 0;
        int digits = 0;
        while (digits < text.Length && digits < maxDigits && char.IsAsciiDigit(text[digits]))
        {
            value = (value * 10) + (text[digits] - '0');
            digits++;
        }

        text = text[digits..];
        return digits >= minDigits;
    }

    private static bool TrySkip(ref ReadOnlySpan<char> text, char expected)
    {
        if (text.IsEmpty || text[0] != expected)
        {
            return false;
        }

        text = text[1..];
        return true;
    }

    // Counts from 1 March, so that the leap day is a year's last; 146,097 days make a 400-year era.
    private static long DaysFromCivil(long year, long month, long day)
    {
        year -= month <= 2 ? 1 : 0;
        long era = (year >= 0 ? year : year - 399) / 400;
        long yearOfEra = year - (era * 400);
        long dayOfYear = (((153 * (month + (month > 2 ? -3 : 9))) + 2) / 5) + day - 1;
        long dayOfEra = (yearOfEra * 365) + (yearOfEra / 4) - (yearOfEra / 100) + dayOfYear;
        return (era * 146_097) + dayOfEra - 719_468;
    }
}
