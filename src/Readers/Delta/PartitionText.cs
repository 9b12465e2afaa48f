using System.Globalization;
using System.Numerics;
using System.Text;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Delta.Schema;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Delta;

/// <summary>Partition values of the log as typed values: for SQL, and for pruning (in the form that <see cref="LakeCatalog.Delta.Files.ColumnBounds"/>
/// compares: long, double, Int128 at the column's scale, UTF-8 bytes).</summary>
internal static class PartitionText
{
    // Folder names have it; converted tables carry it into the log.
    private const string HiveNull = "__HIVE_DEFAULT_PARTITION__";

    /// <summary>A typed SQL literal.</summary>
    public static string ToSql(string? text, DeltaField field)
    {
        string type = DeltaSqlTypes.Logical(field.Type);
        object? value = Parse(text, field);
        if (value is null)
        {
            return $"CAST(NULL AS {type})";
        }

        return (field.Type, value) switch
        {
            (DeltaDecimal d, Int128 n) => $"CAST('{DecimalText(n, d.Scale)}' AS {type})",
            (DeltaPrimitive { Kind: DeltaPrimitiveKind.Date }, long days) =>
                string.Create(CultureInfo.InvariantCulture, $"(DATE '1970-01-01' + CAST({days} AS INTEGER))"),
            (DeltaPrimitive { Kind: DeltaPrimitiveKind.Timestamp }, long micros) =>
                string.Create(CultureInfo.InvariantCulture, $"make_timestamptz({micros})"),
            (DeltaPrimitive { Kind: DeltaPrimitiveKind.TimestampNtz }, long micros) =>
                string.Create(CultureInfo.InvariantCulture, $"make_timestamp({micros})"),
            (DeltaPrimitive { Kind: DeltaPrimitiveKind.YearMonthInterval }, long months) =>
                DeltaSqlTypes.Months(months.ToString(CultureInfo.InvariantCulture)),
            (DeltaPrimitive { Kind: DeltaPrimitiveKind.DayTimeInterval }, long micros) =>
                DeltaSqlTypes.Microseconds($"CAST('{micros.ToString(CultureInfo.InvariantCulture)}' AS BIGINT)"),
            (DeltaPrimitive { Kind: DeltaPrimitiveKind.Boolean }, long flag) => flag != 0 ? "true" : "false",
            (DeltaPrimitive { Kind: DeltaPrimitiveKind.Binary }, byte[] bytes) => $"unhex('{Convert.ToHexString(bytes)}')",
            (_, byte[] utf8) => SqlText.Literal(Encoding.UTF8.GetString(utf8)),
            (_, long n) => string.Create(CultureInfo.InvariantCulture, $"CAST({n} AS {type})"),
            (_, double x) => $"CAST('{x.ToString("R", CultureInfo.InvariantCulture).ToLowerInvariant()}' AS {type})",
            _ => throw new ArgumentException($"Unexpected partition type {field.Type}", nameof(field)),
        };
    }

    /// <summary>The typed value, null for NULL.</summary>
    /// <exception cref="LakeException">FormatInvalid when the text does not fit the column's type.</exception>
    public static object? Parse(string? text, DeltaField field)
    {
        if (string.IsNullOrEmpty(text))
        {
            return null;
        }

        if (field.Type is DeltaPrimitive { Kind: DeltaPrimitiveKind.String or DeltaPrimitiveKind.Binary })
        {
            return Encoding.UTF8.GetBytes(text);
        }

        if (text == HiveNull)
        {
            return null;
        }

        return ParseTyped(text, field.Type)
            ?? throw LakeException.FormatInvalid($"The partition column '{field.Name}' has the value '{text}', which does not fit its type");
    }

    private static object? ParseTyped(string text, DeltaType type)
    {
        switch (type)
        {
            case DeltaDecimal d:
                return DeltaText.TryParseDecimal(text, d.Scale, roundUp: false, out Int128 down)
                    && DeltaText.TryParseDecimal(text, d.Scale, roundUp: true, out Int128 up) && up == down ? down : null;
            case DeltaPrimitive { Kind: DeltaPrimitiveKind.Boolean }:
                return bool.TryParse(text, out bool flag) ? flag ? 1L : 0L : null;
            case DeltaPrimitive { Kind: DeltaPrimitiveKind.Date }:
                return DeltaText.TryParseDate(text, out int days) ? (long)days : null;
            case DeltaPrimitive { Kind: DeltaPrimitiveKind.Timestamp or DeltaPrimitiveKind.TimestampNtz }:
                return DeltaText.TryParseTimestamp(text, out long micros) ? micros : null;
            case DeltaPrimitive { Kind: DeltaPrimitiveKind.YearMonthInterval or DeltaPrimitiveKind.DayTimeInterval } interval:
                return DeltaInterval.TryParse(text, interval.Kind, out long length) ? length : null;
            case DeltaPrimitive { Kind: DeltaPrimitiveKind.Float }:
                return DeltaText.TryParseDouble(text, out double single) ? (double)(float)single : null;
            case DeltaPrimitive { Kind: DeltaPrimitiveKind.Double }:
                return DeltaText.TryParseDouble(text, out double value) ? value : null;
            case DeltaPrimitive p:
                return BigInteger.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out BigInteger number)
                    && number >= Lowest(p.Kind) && number <= -(Lowest(p.Kind) + 1) ? (long)number : null;
            default:
                return null;
        }
    }

    private static BigInteger Lowest(DeltaPrimitiveKind kind) => kind switch
    {
        DeltaPrimitiveKind.Byte => sbyte.MinValue,
        DeltaPrimitiveKind.Short => short.MinValue,
        DeltaPrimitiveKind.Integer => int.MinValue,
        DeltaPrimitiveKind.Long => long.MinValue,
        _ => 0,
    };

    private static string DecimalText(Int128 unscaled, int scale)
    {
        string digits = Int128.Abs(unscaled).ToString(CultureInfo.InvariantCulture).PadLeft(scale + 1, '0');
        string sign = Int128.IsNegative(unscaled) ? "-" : "";
        return scale == 0 ? sign + digits : $"{sign}{digits[..^scale]}.{digits[^scale..]}";
    }
}
