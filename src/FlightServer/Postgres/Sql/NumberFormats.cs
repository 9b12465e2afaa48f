using System.Globalization;
using System.Text;
using LakeHolo.FlightServer.Postgres.Wire;
using LakeHolo.Readers.Engine;

namespace LakeHolo.FlightServer.Postgres.Sql;

/// <summary>PostgreSQL's templates of <c>to_char</c> for numbers (PostgreSQL 15, "Data Type Formatting Functions"): 9, 0, point and comma, S and MI, FM, text before and behind the digits. Others are refused by name.</summary>
internal static class NumberFormats
{
    private const int MaxDigits = 38;
    private const int DoubleDigits = 15;
    private const int FloatDigits = 6;

    /// <summary>Whether a template is one of numbers: those of times have no 9 and no 0 outside of quotes, and FF1 to FF6 no such digit.</summary>
    public static bool IsNumeric(string template)
    {
        bool inQuotes = false;
        foreach (char c in template)
        {
            inQuotes ^= c == '"';
            if (!inQuotes && c is '9' or '0')
            {
                return true;
            }
        }

        return template.Trim().ToUpperInvariant() is "RN" or "FMRN" or "RNFM";
    }

    /// <summary>The call over an expression with a template.</summary>
    /// <exception cref="PgError">0A000: a part of the template has no counterpart.</exception>
    public static string ToChar(string expression, string template)
    {
        Template t = Template.Read(template);
        string limit(int digits) => "1e" + Math.Max(0, digits - t.Decimals).ToString(CultureInfo.InvariantCulture);
        string error = $"error('to_char() of a floating-point number of that many digits is not supported with the template {template.Replace("'", "''", StringComparison.Ordinal)}')";
        string rounded = string.Create(CultureInfo.InvariantCulture, $"CASE WHEN typeof({expression}) IN ('DOUBLE', 'FLOAT') THEN CASE WHEN abs(CAST({expression} AS DOUBLE)) >= CASE typeof({expression}) WHEN 'FLOAT' THEN {limit(FloatDigits)} ELSE {limit(DoubleDigits)} END THEN {error} ELSE format('{{:.{t.Decimals}f}}', CAST({expression} AS DOUBLE)) END ELSE CAST(CAST({expression} AS DECIMAL({MaxDigits}, {t.Decimals})) AS VARCHAR) END");

        // x is the rounded number as text, d its digits before the point as they are printed, f those behind it.
        string number = t.IsFilled ? "replace(i, ' ', '')" : "i";
        string sign = t.Sign switch
        {
            "S" => "CASE WHEN x[1] = '-' THEN '-' ELSE '+' END",
            "" => t.IsFilled ? "CASE WHEN x[1] = '-' THEN '-' ELSE '' END" : "CASE WHEN x[1] = '-' THEN '-' ELSE ' ' END",
            _ => "''",
        };
        string signed = t.IsFilled || t.Sign is not ("" or "S") ? $"{sign} || {number}" : $"lpad({sign} || ltrim({number}), CAST(length({number}) + 1 AS INTEGER), ' ')";
        string after = t.Sign switch
        {
            "MI" => $"CASE WHEN x[1] = '-' THEN '-' ELSE '{(t.IsFilled ? string.Empty : " ")}' END",
            "S>" => "CASE WHEN x[1] = '-' THEN '-' ELSE '+' END",
            _ => "''",
        };
        string before = t.Sign == "<MI" ? $"CASE WHEN x[1] = '-' THEN '-' ELSE '{(t.IsFilled ? string.Empty : " ")}' END || " : string.Empty;
        string parts = string.Create(CultureInfo.InvariantCulture, $"split_part(ltrim(x, '-'), '.', 1)");
        string over = string.Create(CultureInfo.InvariantCulture, $"length({parts}) > {t.Whole}");
        string fraction = t.Decimals == 0 ? string.Empty : $"CASE WHEN {over} THEN repeat('#', {t.Decimals}) ELSE split_part(x, '.', 2) END";
        string shown = t.Decimals == 0 ? "''"
            : !t.IsFilled ? $"'.' || {fraction}"
            : string.Create(CultureInfo.InvariantCulture, $"'.' || left({fraction}, greatest(CAST(length(rtrim({fraction}, '0')) AS INTEGER), {t.KeptDecimals}))");

        // A zero before the point is not printed where decimals follow and no 0 of the template asks for it; FM prints it if no decimals are left.
        string digits = t.Decimals == 0 || t.Zeros > 0 ? parts
            : t.IsFilled ? string.Create(CultureInfo.InvariantCulture, $"CASE WHEN {parts} <> '0' OR (rtrim(split_part(x, '.', 2), '0') = '' AND {t.KeptDecimals} = 0) THEN {parts} ELSE '' END")
            : $"CASE WHEN {parts} = '0' THEN '' ELSE {parts} END";
        string whole = string.Create(CultureInfo.InvariantCulture, $"CASE WHEN {over} THEN repeat('#', {t.Whole}) ELSE lpad(CASE WHEN length({digits}) < {t.Zeros} THEN lpad({digits}, {t.Zeros}, '0') ELSE {digits} END, {t.Whole}, ' ') END");
        string result = $"{SqlText.Literal(t.Before)} || {before}{signed} || {shown} || {after} || {SqlText.Literal(t.Behind)}";
        return $"list_transform([{rounded}], lambda x: list_transform(list_transform([{whole}], lambda d: {t.Grouped("d")}), lambda i: {result})[1])[1]";
    }

    /// <summary>What a template says.</summary>
    private sealed record Template
    {
        public int Whole { get; private set; }

        public int Zeros { get; private set; }

        public int Decimals { get; private set; }

        public int KeptDecimals { get; private set; }

        public bool IsFilled { get; private set; }

        /// <summary>Nothing, S before the digits, S&gt; behind them, MI behind, &lt;MI before.</summary>
        public string Sign { get; private set; } = string.Empty;

        public string Before { get; private set; } = string.Empty;

        public string Behind { get; private set; } = string.Empty;

        /// <summary>The numbers of digits before each comma.</summary>
        private readonly List<int> _commas = [];

        public string Grouped(string digits)
        {
            var text = new StringBuilder();
            int from = 0;
            foreach (int comma in _commas)
            {
                text.Append(CultureInfo.InvariantCulture, $"{digits}[{from + 1}:{comma}] || CASE WHEN {(comma == 0 ? "TRUE" : string.Create(CultureInfo.InvariantCulture, $"{digits}[{comma}] = ' '"))} THEN ' ' ELSE ',' END || ");
                from = comma;
            }

            return text.Append(CultureInfo.InvariantCulture, $"{digits}[{from + 1}:]").ToString();
        }

        public static Template Read(string template)
        {
            var t = new Template();
            bool isFraction = false;
            bool isOver = false; // Behind the last digit.
            for (int at = 0; at < template.Length; at++)
            {
                string rest = template[at..].ToUpperInvariant();
                char c = rest[0];
                bool hasDigits = t.Whole > 0 || isFraction;
                if (c is '9' or '0' && !isOver)
                {
                    if (isFraction)
                    {
                        t.Decimals++;
                        t.KeptDecimals = c == '0' ? t.Decimals : t.KeptDecimals;
                    }
                    else
                    {
                        t.Whole++;
                        t.Zeros += t.Zeros > 0 || c == '0' ? 1 : 0;
                    }
                }
                else if (c is ',' or 'G' && !isFraction && !isOver && t.Whole > 0)
                {
                    t._commas.Add(t.Whole);
                }
                else if (c is '.' or 'D' && !isFraction && !isOver)
                {
                    isFraction = true;
                }
                else if (rest.StartsWith("FM", StringComparison.Ordinal))
                {
                    t.IsFilled = true;
                    at++;
                }
                else if (rest.StartsWith("MI", StringComparison.Ordinal) && t.Sign.Length == 0 && t.Behind.Length == 0 && (hasDigits || t.Before.Length == 0))
                {
                    t.Sign = hasDigits ? "MI" : "<MI";
                    isOver |= hasDigits;
                    at++;
                }
                else if (c == 'S' && t.Sign.Length == 0 && t.Behind.Length == 0)
                {
                    t.Sign = hasDigits ? "S>" : "S";
                    isOver |= hasDigits;
                }
                else if (!char.IsLetterOrDigit(c) && c is not (',' or '.' or '\\'))
                {
                    int close = c == '"' ? template.IndexOf('"', at + 1) : at;
                    string text = close < 0 ? throw Refuse(template, rest) : c == '"' ? template[(at + 1)..close] : template[at..(at + 1)];
                    at = close;
                    if (text.Contains('\\', StringComparison.Ordinal) || (hasDigits && t.Sign == "MI"))
                    {
                        throw Refuse(template, rest);
                    }

                    (t.Before, t.Behind, isOver) = hasDigits ? (t.Before, t.Behind + text, true) : (t.Before + text, t.Behind, isOver);
                }
                else
                {
                    throw Refuse(template, rest);
                }
            }

            bool isKnown = t.Whole > 0 && t.Whole + t.Decimals <= MaxDigits && !(isFraction && t.Decimals == 0) && !(t._commas.Count > 0 && t._commas[^1] == t.Whole);
            return isKnown ? t : throw Refuse(template, template);
        }

        private static PgError Refuse(string template, string rest) =>
            PgError.Unsupported($"the template '{template}' is not supported from '{rest}' on", "Of numbers 9 0 . , D G FM S MI and texts before and behind the digits are known.");
    }
}
