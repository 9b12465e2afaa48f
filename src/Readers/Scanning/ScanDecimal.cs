using System.Globalization;
using System.Numerics;

namespace LakeHolo.Readers.Scanning;

/// <summary>An exact decimal number: <see cref="Unscaled"/> / 10^<see cref="Scale"/>. The runtime's own <see cref="decimal"/> rounds what has more than 28 digits without a word, when it
/// parses, multiplies or divides.</summary>
/// <param name="Unscaled">All digits.</param>
/// <param name="Scale">How many of them are behind the point; not negative.</param>
public readonly record struct ScanDecimal(BigInteger Unscaled, int Scale)
{
    /// <summary>Digits and exponents of a text beyond which nothing can hold it.</summary>
    private const int MaxTextDigits = 256;

    /// <summary>Reads digits with an optional sign, point and exponent; false for any other text and for one that is beyond 256 digits when written out.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out ScanDecimal value)
    {
        value = default;
        int exponent = 0;
        if (text.IndexOfAny('e', 'E') is >= 0 and int at)
        {
            if (!int.TryParse(text[(at + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out exponent))
            {
                return false;
            }

            text = text[..at];
        }

        int point = text.IndexOf('.');
        ReadOnlySpan<char> fraction = point < 0 ? [] : text[(point + 1)..];
        long scale = (long)fraction.Length - exponent;
        if (text.Length > MaxTextDigits || Math.Abs(scale) > MaxTextDigits || (fraction.Length > 0 && !char.IsAsciiDigit(fraction[0]))
            || !BigInteger.TryParse(point < 0 ? text : string.Concat(text[..point], fraction), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out BigInteger unscaled))
        {
            return false;
        }

        value = scale >= 0 ? new ScanDecimal(unscaled, (int)scale) : new ScanDecimal(unscaled * BigInteger.Pow(10, (int)-scale), 0);
        return true;
    }

    /// <summary>The digits at another scale; null where some would be cut.</summary>
    public BigInteger? AtScale(int scale)
    {
        if (scale >= Scale)
        {
            return Unscaled * BigInteger.Pow(10, scale - Scale);
        }

        BigInteger value = BigInteger.DivRem(Unscaled, BigInteger.Pow(10, Scale - scale), out BigInteger rest);
        return rest.IsZero ? value : null;
    }

    /// <summary>The same number without zeros at the end of its fraction.</summary>
    public ScanDecimal Trimmed()
    {
        ScanDecimal value = this;
        while (value.Scale > 0 && BigInteger.DivRem(value.Unscaled, 10, out BigInteger digit) is var shorter && digit.IsZero)
        {
            value = new ScanDecimal(shorter, value.Scale - 1);
        }

        return value;
    }

    /// <summary>As plain digits, with a point where there is a fraction.</summary>
    public override string ToString()
    {
        string digits = BigInteger.Abs(Unscaled).ToString(CultureInfo.InvariantCulture).PadLeft(Scale + 1, '0');
        string whole = Scale == 0 ? digits : $"{digits[..^Scale]}.{digits[^Scale..]}";
        return Unscaled.Sign < 0 ? "-" + whole : whole;
    }
}
