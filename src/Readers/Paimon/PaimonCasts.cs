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
            (PaimonTypeKind.Decimal, _) when to.IsInteger => Integer($"CAST(trunc({e}) AS HUGEINT)", to, fits: false),
            (PaimonTypeKind.Decimal, _) when to.IsFloating => $"CAST({e} AS {target})",
            (PaimonTypeKind.Boolean, _) when to.IsInteger || to.IsFloating || to.Kind == PaimonTypeKind.Decimal => $"CAST(CAST({e} AS TINYINT) AS {target})",
            (_, PaimonTypeKind.Boolean) when from.IsInteger => $"({e} <> 0)",
            (PaimonTypeKind.Decimal, PaimonTypeKind.Boolean) => $"(trunc({e}) <> 0)",
            _ when (from.IsInteger || from.Kind is PaimonTypeKind.Boolean or PaimonTypeKind.Decimal or PaimonTypeKind.Date) && to.IsString => Fit($"CAST({e} AS VARCHAR)", to),
            _ when from.IsString && to.IsString => from.Length <= to.Length && to.Kind == PaimonTypeKind.VarChar ? e : Fit(e, to),
            _ when from.IsString && to.IsBinary => FitBinary($"encode({e})", to),
            _ when from.IsBinary && to.IsBinary => FitBinary(e, to),
            _ when from.IsBinary && to.IsString => Fit($"decode({e})", to),
            _ when from.IsString && to.Kind == PaimonTypeKind.Boolean => StringToBoolean(e),
            _ when from.IsString && to.IsInteger => $"CAST(trim({e}) AS {target})",
            _ when from.IsString && to.IsFloating => $"CAST(trim({e}) AS {target})",
            // What does not fit is NULL, what is no number an error.
            _ when from.IsString && to.Kind == PaimonTypeKind.Decimal =>
                $"(CASE WHEN {e} IS NOT NULL AND TRY_CAST({e} AS DOUBLE) IS NULL THEN error('cannot cast to DECIMAL: ' || {e}) ELSE TRY_CAST({e} AS {target}) END)",
            _ when from.IsString && to.Kind == PaimonTypeKind.Date =>
                $"CASE WHEN regexp_full_match({e}, '[+-]?[0-9]+') THEN DATE '1970-01-01' + CAST({e} AS INTEGER) ELSE CAST({e} AS DATE) END",
            (PaimonTypeKind.Date, PaimonTypeKind.Timestamp) when to.Length <= 6 => $"CAST({e} AS TIMESTAMP)",
            // Milliseconds divided by a day towards zero: the last day before 1970 becomes 1970-01-01.
            (PaimonTypeKind.Timestamp, PaimonTypeKind.Date) when from.Length <= 6 =>
                $"(DATE '1970-01-01' + CAST(trunc(floor(epoch_us({e})::DECIMAL(38,6) / 1000) / 86400000) AS INTEGER))",
            (PaimonTypeKind.Timestamp, PaimonTypeKind.Timestamp) or (PaimonTypeKind.TimestampLtz, PaimonTypeKind.TimestampLtz) => Truncate(e, from, to, target),
            (PaimonTypeKind.Timestamp, PaimonTypeKind.Int or PaimonTypeKind.BigInt) when from.Length <= 6 =>
                Integer($"CAST(floor(epoch_us({e})::DECIMAL(38,0) / 1000000) AS HUGEINT)", to, fits: false),
            (PaimonTypeKind.Timestamp, PaimonTypeKind.Time) when from.Length <= 6 => $"CAST({e} AS TIME)",
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

    private static string StringToBoolean(string e) =>
        $"(CASE WHEN {e} IS NULL THEN NULL WHEN lower({e}) IN ('t', 'true', 'y', 'yes', '1') THEN true WHEN lower({e}) IN ('f', 'false', 'n', 'no', '0') THEN false "
        + $"ELSE error('cannot cast to BOOLEAN: ' || {e}) END)";

    private static string TimestampText(string e, int precision)
    {
        string seconds = $"lpad(CAST(year({e}) AS VARCHAR), 4, '0') || strftime({e}, '-%m-%d %H:%M:%S')";
        return precision == 0
            ? seconds
            : string.Create(CultureInfo.InvariantCulture, $"{seconds} || '.' || substr(strftime({e}, '%f'), 1, {precision})");
    }

    private static string? Truncate(string e, PaimonType from, PaimonType to, string target)
    {
        if (from.Length <= to.Length)
        {
            bool toWallClock = from.Kind == PaimonTypeKind.TimestampLtz && from.Length <= 6 && to.Length > 6;
            return toWallClock ? $"CAST(make_timestamp(epoch_us({e})) AS {target})" : $"CAST({e} AS {target})";
        }

        if (from.Length > 6 || from.Kind != PaimonTypeKind.Timestamp)
        {
            return null;
        }

        long unit = (long)Math.Pow(10, 6 - to.Length);
        string micros = $"epoch_us({e})";
        return string.Create(CultureInfo.InvariantCulture, $"make_timestamp({micros} - ((({micros} % {unit}) + {unit}) % {unit}))");
    }
}
