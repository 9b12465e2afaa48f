using System.Globalization;
using System.Numerics;
using System.Text;

namespace LakeHolo.LakeCatalog.Paimon;

/// <summary>The order of key values, and values as text.</summary>
public static class PaimonValue
{
    /// <summary>Compares two values of one type as Paimon orders keys: bytes unsigned, floats in total order, NULL first.</summary>
    public static int Compare(object? a, object? b) => (a, b) switch
    {
        (null, null) => 0,
        (null, _) => -1,
        (_, null) => 1,
        (byte[] x, byte[] y) => x.AsSpan().SequenceCompareTo(y),
        (double x, double y) => TotalOrder(x).CompareTo(TotalOrder(y)),
        (IComparable x, _) => x.CompareTo(b),
        (PaimonTimestamp x, PaimonTimestamp y) => (x.Millis, x.NanoOfMilli).CompareTo((y.Millis, y.NanoOfMilli)),
        _ => throw new ArgumentException($"Values of type {a.GetType().Name} have no order"),
    };

    /// <summary>Compares two keys field by field.</summary>
    public static int Compare(IReadOnlyList<object?> a, IReadOnlyList<object?> b)
    {
        for (int i = 0; i < a.Count; i++)
        {
            int order = Compare(a[i], b[i]);
            if (order != 0)
            {
                return order;
            }
        }

        return 0;
    }

    /// <summary>A value as a SQL literal's text, without quotes; null for NULL.</summary>
    public static string? ToText(object? value, PaimonType type) => value switch
    {
        null => null,
        bool b => b ? "true" : "false",
        long days when type.Kind == PaimonTypeKind.Date => DateText(days),
        long millis when type.Kind == PaimonTypeKind.Time => TimeSpan.FromMilliseconds(millis).ToString("hh\\:mm\\:ss\\.fff", CultureInfo.InvariantCulture),
        long n => n.ToString(CultureInfo.InvariantCulture),
        double d when type.Kind == PaimonTypeKind.Float => ((float)d).ToString("R", CultureInfo.InvariantCulture),
        double d => d.ToString("R", CultureInfo.InvariantCulture),
        BigInteger unscaled => DecimalText(unscaled, type.Scale),
        PaimonTimestamp t => TimestampText(t),
        byte[] bytes when type.IsString => Encoding.UTF8.GetString(bytes),
        byte[] bytes => Convert.ToHexString(bytes),
        _ => throw new ArgumentException($"Unexpected value {value.GetType().Name}"),
    };

    /// <summary>An unscaled number with its decimal point.</summary>
    public static string DecimalText(BigInteger unscaled, int scale)
    {
        string digits = BigInteger.Abs(unscaled).ToString(CultureInfo.InvariantCulture).PadLeft(scale + 1, '0');
        string sign = unscaled.Sign < 0 ? "-" : "";
        return scale == 0 ? sign + digits : $"{sign}{digits[..^scale]}.{digits[^scale..]}";
    }

    private static string DateText(long days)
    {
        long number = days + DateOnly.FromDateTime(DateTime.UnixEpoch).DayNumber;
        return number >= 0 && number <= DateOnly.MaxValue.DayNumber
            ? DateOnly.FromDayNumber((int)number).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)
            : throw LakeException.FeatureUnsupported(string.Create(CultureInfo.InvariantCulture, $"The partition date {days} days after 1970 is out of range"));
    }

    private static string TimestampText(PaimonTimestamp t)
    {
        const long MinMillis = -62_135_596_800_000;
        const long MaxMillis = 253_402_300_799_999;
        if (t.Millis is < MinMillis or > MaxMillis)
        {
            throw LakeException.FeatureUnsupported(string.Create(CultureInfo.InvariantCulture, $"The timestamp {t.Millis} ms after 1970 is out of range"));
        }

        DateTime seconds = DateTime.UnixEpoch.AddTicks(Math.DivRem(t.Millis, 1000, out long rest) * TimeSpan.TicksPerSecond);
        if (rest < 0)
        {
            (seconds, rest) = (seconds.AddSeconds(-1), rest + 1000);
        }

        return string.Create(CultureInfo.InvariantCulture, $"{seconds:yyyy-MM-dd HH:mm:ss}.{(rest * 1_000_000) + t.NanoOfMilli:000000000}");
    }

    // −0 < +0 and NaN above all: the order of the bits, with negative numbers turned round.
    private static long TotalOrder(double value)
    {
        long bits = BitConverter.DoubleToInt64Bits(double.IsNaN(value) ? double.NaN : value);
        if (double.IsNaN(value))
        {
            return long.MaxValue;
        }

        return bits < 0 ? bits ^ long.MaxValue : bits;
    }
}
