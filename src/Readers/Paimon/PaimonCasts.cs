using System.Globalization;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;

namespace LakeHolo.Readers.Paimon;

/// <summary>Casts of columns whose type was altered, with the rules of Paimon's writer language: integers wrap, floats saturate, decimals that do not
/// fit become NULL. What the engine would do differently and is not spelled out here is refused by name.</summary>
internal static class PaimonCasts
{
    /// <summary>A cast as SQL.</summary>
    /// <exception cref="LakeException">FeatureUnsupported, naming column and types.</exception>
    public static string Cast(string e, PaimonType from, PaimonType to, string column)
    {
        string target = PaimonColumns.TypeOf(to);
        string? sql = (from.Kind, to.Kind) switch
        {
            _ when from.IsInteger && to.IsInteger => Integer(e, to, Bits(from) <= Bits(to)),
            _ when from.IsInteger && to.IsFloating => $"CAST({e} AS {target})",
            (PaimonTypeKind.Float, PaimonTypeKind.Double) => $"CAST({e} AS DOUBLE)",
            (PaimonTypeKind.Double, PaimonTypeKind.Float) => DoubleToFloat(e),
            _ when from.IsFloating && to.IsInteger => FloatToInteger(e, to),
            (PaimonTypeKind.Decimal, PaimonTypeKind.Decimal) => $"TRY_CAST({e} AS {target})",
            _ when from.IsInteger && to.Kind == PaimonTypeKind.Decimal => $"TRY_CAST({e} AS {target})",
            _ when from.IsFloating && to.Kind == PaimonTypeKind.Decimal => FloatToDecimal(e, to),
            (PaimonTypeKind.Decimal, _) when to.IsInteger => Integer($"CAST(trunc({e}) AS HUGEINT)", to, fits: false),
            (PaimonTypeKind.Decimal, _) when to.IsFloating => DecimalToFloating(e, from, target),
            (PaimonTypeKind.Boolean, _) when to.IsInteger || to.IsFloating || to.Kind == PaimonTypeKind.Decimal => $"CAST(CAST({e} AS TINYINT) AS {target})",
            (_, PaimonTypeKind.Boolean) when from.IsInteger => $"({e} <> 0)",
            (_, PaimonTypeKind.Boolean) when from.IsFloating => $"({FloatToInteger(e, new PaimonType { Kind = PaimonTypeKind.BigInt })} <> 0)",
            (PaimonTypeKind.Decimal, PaimonTypeKind.Boolean) => $"(trunc({e}) <> 0)",
            (PaimonTypeKind.Decimal, _) when to.IsString => Fit(DecimalText(e, from), to),
            _ when (from.IsInteger || from.Kind is PaimonTypeKind.Boolean or PaimonTypeKind.Date) && to.IsString => Fit($"CAST({e} AS VARCHAR)", to),
            _ when from.IsString && to.IsString => from.Length <= to.Length && to.Kind == PaimonTypeKind.VarChar ? e : Fit(e, to),
            _ when from.IsString && to.IsBinary => FitBinary($"encode({e})", to),
            _ when from.IsBinary && to.IsBinary => FitBinary(e, to),
            _ when from.IsBinary && to.IsString => Fit($"decode({e})", to),
            _ when from.IsString && to.Kind == PaimonTypeKind.Boolean => PaimonTextCasts.ToBoolean(e),
            _ when from.IsString && to.IsInteger => PaimonTextCasts.ToInteger(e, to),
            _ when from.IsString && to.IsFloating => PaimonTextCasts.ToFloating(e, to),
            _ when from.IsString && to.Kind == PaimonTypeKind.Decimal => PaimonTextCasts.ToDecimal(e, to),
            _ when from.IsString && to.Kind == PaimonTypeKind.Date => PaimonTextCasts.ToDate(e, to),
            _ when from.IsString && to.Kind == PaimonTypeKind.Timestamp && to.Length <= 6 => PaimonTextCasts.ToTimestamp(e, to),
            (PaimonTypeKind.Date, PaimonTypeKind.Timestamp) => $"CAST({e} AS {target})",
            (PaimonTypeKind.Time, PaimonTypeKind.Timestamp) => $"CAST(DATE '1970-01-01' + {e} AS {target})",
            (PaimonTypeKind.Time, _) when to.IsString => Fit(TimeText(e, from.Length), to),
            // Milliseconds divided by a day, or a second, towards zero: the last day before 1970 becomes 1970-01-01.
            (PaimonTypeKind.Timestamp, PaimonTypeKind.Date) when from.Length <= 6 => $"(DATE '1970-01-01' + CAST({TowardsZero(Millis(e), 86_400_000)} AS INTEGER))",
            (PaimonTypeKind.Timestamp, PaimonTypeKind.Timestamp) or (PaimonTypeKind.TimestampLtz, PaimonTypeKind.TimestampLtz) => Truncate(e, from, to, target),
            (PaimonTypeKind.Timestamp, PaimonTypeKind.Int or PaimonTypeKind.BigInt) when from.Length <= 6 => Integer(TowardsZero(Millis(e), 1000), to, fits: false),
            (PaimonTypeKind.Timestamp, PaimonTypeKind.Time) when from.Length <= 6 => $"CAST(date_trunc('millisecond', {e}) AS TIME)",
            (PaimonTypeKind.Int or PaimonTypeKind.BigInt, PaimonTypeKind.Timestamp) when to.Length <= 6 => $"make_timestamp(CAST({e} AS BIGINT) * 1000000)",
            (PaimonTypeKind.Timestamp, _) when to.IsString && from.Length <= 6 => Fit(TimestampText(e, from.Length), to),
            (PaimonTypeKind.Time, PaimonTypeKind.Time) => e,
            // Not an altered column: files without a type for times hold milliseconds.
            (PaimonTypeKind.Int, PaimonTypeKind.Time) => $"CAST(make_timestamp(CAST({e} AS BIGINT) * 1000) AS TIME)",
            _ => null,
        };
        return sql ?? throw LakeException.FeatureUnsupported($"The column '{column}' was changed from {from.Text} to {to.Text}; this cast is not supported");
    }

    /// <summary>An integer of any width as one of the target's width, wrapped as two's complement does.</summary>
    public static string Integer(string e, PaimonType to, bool fits)
    {
        string target = PaimonColumns.TypeOf(to);
        if (fits)
        {
            return $"CAST({e} AS {target})";
        }

        string half = (System.Numerics.BigInteger.One << (Bits(to) - 1)).ToString(CultureInfo.InvariantCulture);
        string mask = ((System.Numerics.BigInteger.One << Bits(to)) - 1).ToString(CultureInfo.InvariantCulture);
        return $"CAST((((CAST({e} AS HUGEINT) + {half}::HUGEINT) & {mask}::HUGEINT) - {half}::HUGEINT) AS {target})";
    }

    private static int Bits(PaimonType type) => type.Kind switch
    {
        PaimonTypeKind.TinyInt => 8,
        PaimonTypeKind.SmallInt => 16,
        PaimonTypeKind.Int => 32,
        _ => 64,
    };

    private static string FloatToInteger(string e, PaimonType to)
    {
        bool wide = to.Kind == PaimonTypeKind.BigInt;
        (string low, string high, string limit) = wide
            ? ("-9223372036854775808", "9223372036854775807", "9223372036854775808")
            : ("-2147483648", "2147483647", "2147483648");
        string saturated = $"(CASE WHEN {e} IS NULL THEN NULL WHEN isnan({e}) THEN 0 WHEN {e} >= {limit}::DOUBLE THEN {high} WHEN {e} <= -{limit}::DOUBLE THEN {low} "
            + $"ELSE CAST(trunc(CAST({e} AS DOUBLE)) AS HUGEINT) END)";
        return Integer(saturated, to, fits: false);
    }

    // By the number's shortest text. Older writers' texts may differ from it behind the sixteenth digit, so types that keep as many are refused.
    private static string? FloatToDecimal(string e, PaimonType to)
    {
        const int ExactDigits = 15;
        return to.Length > ExactDigits
            ? null
            : $"(CASE WHEN {e} IS NULL THEN NULL WHEN NOT isfinite({e}) THEN error('cannot cast to {to.Text}: ' || {e}) ELSE TRY_CAST(CAST(CAST({e} AS DOUBLE) AS VARCHAR) AS {PaimonColumns.TypeOf(to)}) END)";
    }

    private static string DoubleToFloat(string e) =>
        $"(CASE WHEN abs({e}) > 3.4028235677973366e38::DOUBLE AND NOT isnan({e}) THEN (CASE WHEN {e} > 0 THEN 'inf'::FLOAT ELSE '-inf'::FLOAT END) ELSE CAST({e} AS FLOAT) END)";

    private static string Fit(string e, PaimonType to)
    {
        if (to.Length == PaimonType.MaxLength)
        {
            return e;
        }

        string n = to.Length.ToString(CultureInfo.InvariantCulture);
        return to.Kind == PaimonTypeKind.Char ? $"rpad(substr({e}, 1, {n}), {n}, ' ')" : $"substr({e}, 1, {n})";
    }

    private static string FitBinary(string e, PaimonType to)
    {
        if (to.Length == PaimonType.MaxLength)
        {
            return e;
        }

        string digits = (2L * to.Length).ToString(CultureInfo.InvariantCulture);
        string cut = $"substr(hex({e}), 1, {digits})";
        return to.Kind == PaimonTypeKind.Binary ? $"unhex(rpad({cut}, {digits}, '0'))" : $"unhex({cut})";
    }

    // The unscaled number divided in floating point where it fits into 64 bits, else the nearest number.
    private static string DecimalToFloating(string e, PaimonType from, string target)
    {
        const int Compact = 18;
        string power = "1" + new string('0', from.Scale);
        string value = from.Length <= Compact
            ? $"(CAST(CAST(CAST({e} AS DECIMAL(38,{from.Scale})) * {power}::DECIMAL(19,0) AS BIGINT) AS DOUBLE) / {power}::DOUBLE)"
            : $"CAST(CAST({e} AS VARCHAR) AS DOUBLE)";
        return $"CAST({value} AS {target})";
    }

    // The engine leaves the zero before the point away where all digits stand behind it.
    private static string DecimalText(string e, PaimonType from) => from.Scale == 0 || from.Scale < from.Length
        ? $"CAST({e} AS VARCHAR)"
        : $"((CASE WHEN {e} < 0 THEN '-' ELSE '' END) || '0' || ltrim(CAST({e} AS VARCHAR), '-0'))";

    private static string Millis(string e) => $"((epoch_us({e}) - (((epoch_us({e}) % 1000) + 1000) % 1000)) // 1000)";

    private static string TowardsZero(string e, long divisor) => string.Create(CultureInfo.InvariantCulture, $"(sign({e}) * (abs({e}) // {divisor}))");

    private static string TimestampText(string e, int precision)
    {
        string seconds = $"lpad(CAST(year({e}) AS VARCHAR), 4, '0') || strftime({e}, '-%m-%d %H:%M:%S')";
        return precision == 0
            ? seconds
            : string.Create(CultureInfo.InvariantCulture, $"{seconds} || '.' || substr(strftime({e}, '%f'), 1, {precision})");
    }

    // Milliseconds without trailing zeros, but at least one digit.
    private static string TimeText(string e, int precision)
    {
        string time = $"(DATE '1970-01-01' + {e})";
        string seconds = $"strftime({time}, '%H:%M:%S')";
        string fraction = string.Create(CultureInfo.InvariantCulture, $"rtrim(substr(strftime({time}, '%g'), 1, {precision}), '0')");
        return precision == 0 ? seconds : $"({seconds} || '.' || CASE {fraction} WHEN '' THEN '0' ELSE {fraction} END)";
    }

    private static string? Truncate(string e, PaimonType from, PaimonType to, string target)
    {
        if (from.Length <= to.Length)
        {
            bool toWallClock = from.Kind == PaimonTypeKind.TimestampLtz && from.Length <= 6 && to.Length > 6;
            return toWallClock ? $"CAST(make_timestamp(epoch_us({e})) AS {target})" : $"CAST({e} AS {target})";
        }

        // With four or five digits left the writer cuts some values and not others.
        if (from.Length > 6 || from.Kind != PaimonTypeKind.Timestamp || to.Length > 3)
        {
            return null;
        }

        long unit = (long)Math.Pow(10, 3 - to.Length);
        return string.Create(CultureInfo.InvariantCulture, $"make_timestamp({TowardsZero(Millis(e), unit)} * {unit * 1000})");
    }
}
