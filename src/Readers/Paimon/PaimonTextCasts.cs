using LakeHolo.LakeCatalog.Paimon;

namespace LakeHolo.Readers.Paimon;

/// <summary>Texts of columns that were altered to another type. What the writer's language takes for a value is taken, everything else is an error; the engine
/// would take more (exponents and rounding in whole numbers, other separators in dates, names of its own for infinity).</summary>
/// <remarks>From <c>BinaryStringUtils.java</c> and <c>DateTimeUtils.java</c>; decimals are those of <c>java.math.BigDecimal</c>, without exponents.</remarks>
internal static class PaimonTextCasts
{
    /// <summary>A text as a whole number: a fraction is checked and cut off.</summary>
    public static string ToInteger(string e, PaimonType to)
    {
        string whole = $"regexp_extract({e}, '^[+-]?[0-9]*')";
        return Parsed(e, to, "[+-]?([0-9]+([.][0-9]*)?|[.][0-9]*)", $"CAST(CASE WHEN {whole} IN ('', '+', '-') THEN '0' ELSE ltrim({whole}, '+') END AS {PaimonColumns.TypeOf(to)})");
    }

    /// <summary>A text as a floating number; blanks around it and the letter of a Java literal behind it count for nothing.</summary>
    public static string ToFloating(string e, PaimonType to)
    {
        string target = PaimonColumns.TypeOf(to);
        string number = Parsed(e, to, " *[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?[fFdD]? *", $"CAST(ltrim(rtrim(trim({e}), 'fFdD'), '+') AS {target})");
        return $"(CASE trim({e}) WHEN 'NaN' THEN 'nan'::{target} WHEN 'Infinity' THEN 'inf'::{target} WHEN '+Infinity' THEN 'inf'::{target} "
            + $"WHEN '-Infinity' THEN '-inf'::{target} ELSE {number} END)";
    }

    /// <summary>A text as a decimal: NULL if it does not fit.</summary>
    public static string ToDecimal(string e, PaimonType to) =>
        Parsed(e, to, "[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)", $"TRY_CAST(ltrim({e}, '+') AS {PaimonColumns.TypeOf(to)})");

    /// <summary>A text as a date: digits alone are days since 1970; what follows a blank is not looked at; month and day may be missing.</summary>
    public static string ToDate(string e, PaimonType to)
    {
        const string Pattern = "([0-9]{1,4})(?:-([0-9]{1,2})(?:-([0-9]{1,2}))?)?";
        string day = $"ltrim(CASE WHEN strpos({e}, ' ') > 1 THEN substr({e}, 1, strpos({e}, ' ') - 1) ELSE {e} END, ' ')";
        string Part(int group) => $"CAST(coalesce(nullif(regexp_extract({day}, '^{Pattern}$', {group}), ''), '1') AS BIGINT)";
        return $"(CASE WHEN regexp_full_match({e}, '[0-9]+') THEN DATE '1970-01-01' + CAST({e} AS INTEGER) ELSE "
            + Parsed(e, to, Pattern, $"make_date({Part(1)}, {Part(2)}, {Part(3)})", day) + " END)";
    }

    /// <summary>A text as a moment: a day behind the month's last is that one, what is finer than the type is cut off. Digits alone are an error: releases differ
    /// in what they are.</summary>
    public static string ToTimestamp(string e, PaimonType to)
    {
        const string Pattern = "([0-9]{4})-(0?[1-9]|1[0-2])-(0?[1-9]|[12][0-9]|3[01])(?: ([01]?[0-9]|2[0-3]):([0-5]?[0-9]):([0-5]?[0-9])(?:[.]([0-9]{0,9}))?)?";
        string Part(int group) => $"CAST(coalesce(nullif(regexp_extract({e}, '^{Pattern}$', {group}), ''), '0') AS BIGINT)";
        string digits = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"rpad(substr(regexp_extract({e}, '^{Pattern}$', 7), 1, {to.Length}), 6, '0')");
        string day = $"least({Part(3)}, day(last_day(make_date({Part(1)}, {Part(2)}, 1))))";
        string moment = $"make_timestamp({Part(1)}, {Part(2)}, {day}, {Part(4)}, {Part(5)}, CAST({Part(6)} AS DOUBLE)) + to_microseconds(CAST({digits} AS BIGINT))";
        return $"(CASE WHEN {e} IS NULL THEN NULL WHEN regexp_full_match({e}, '{Pattern}') AND NOT starts_with({e}, '0000') THEN {moment} ELSE error('cannot cast to TIMESTAMP: ' || {e}) END)";
    }

    /// <summary>A text as a truth value.</summary>
    public static string ToBoolean(string e) =>
        $"(CASE WHEN {e} IS NULL THEN NULL WHEN lower({e}) IN ('t', 'true', 'y', 'yes', '1') THEN true WHEN lower({e}) IN ('f', 'false', 'n', 'no', '0') THEN false "
        + $"ELSE error('cannot cast to BOOLEAN: ' || {e}) END)";

    private static string Parsed(string e, PaimonType to, string pattern, string value, string? matched = null) =>
        $"(CASE WHEN {e} IS NULL THEN NULL WHEN regexp_full_match({matched ?? e}, '{pattern}') THEN {value} ELSE error('cannot cast to {to.Kind.ToString().ToUpperInvariant()}: ' || {e}) END)";
}
