using System.Globalization;
using System.Text;
using LakeHolo.FlightServer.Postgres.Wire;
using LakeHolo.Readers.Engine;

namespace LakeHolo.FlightServer.Postgres.Sql;

/// <summary>PostgreSQL's templates of <c>to_char</c>, <c>to_date</c> and <c>to_timestamp</c> for times (PostgreSQL 15, "Data Type Formatting Functions") as the engine's formats and functions of time.</summary>
internal static class TimeFormats
{
    private const int NameWidth = 9; // of months and days that are not FM

    private const string Number = "number";

    /// <summary>Patterns, longer ones before those that they begin with, each in capital or in small letters; a format of the engine, or an expression over {0}; its unpadded form. Those that are texts are written as the pattern is.</summary>
    private static readonly (string Pattern, string Padded, string Unpadded, string Kind)[] Patterns =
    [
        ("Y,YYY", "printf('%d,%03d', CAST(year({0}) // 1000 AS BIGINT), CAST(year({0}) % 1000 AS BIGINT))", "", Number),
        ("YYYY", "%Y", "CAST(year({0}) AS VARCHAR)", Number), ("YYY", "right(strftime({0}, '%Y'), 3)", "CAST(year({0}) % 1000 AS VARCHAR)", Number), ("YY", "%y", "CAST(year({0}) % 100 AS VARCHAR)", Number),
        ("Y", "right(strftime({0}, '%Y'), 1)", "", Number),
        ("IYYY", "%G", "", Number), ("IYY", "right(strftime({0}, '%G'), 3)", "CAST(isoyear({0}) % 1000 AS VARCHAR)", Number), ("IY", "right(strftime({0}, '%G'), 2)", "CAST(isoyear({0}) % 100 AS VARCHAR)", Number),
        ("IDDD", "lpad(CAST((week({0}) - 1) * 7 + isodow({0}) AS VARCHAR), 3, '0')", "CAST((week({0}) - 1) * 7 + isodow({0}) AS VARCHAR)", Number),
        ("ID", "%u", "", Number), ("IW", "%V", "CAST(week({0}) AS VARCHAR)", Number), ("I", "right(strftime({0}, '%G'), 1)", "", Number),
        ("MONTH", "%B", "", "name"), ("MON", "%b", "", "short"), ("DAY", "%A", "", "name"), ("DY", "%a", "", "short"),
        ("HH24", "%H", "%-H", Number), ("HH12", "%I", "%-I", Number), ("HH", "%I", "%-I", Number), ("MI", "%M", "%-M", Number), ("MM", "%m", "%-m", Number), ("MS", "%g", "", Number), ("US", "%f", "", Number),
        ("SSSSS", Seconds, "", Number), ("SSSS", Seconds, "", Number), ("SS", "%S", "%-S", Number), ("FF1", "left(strftime({0}, '%f'), 1)", "", Number), ("FF2", "left(strftime({0}, '%f'), 2)", "", Number),
        ("FF3", "left(strftime({0}, '%f'), 3)", "", Number), ("FF4", "left(strftime({0}, '%f'), 4)", "", Number), ("FF5", "left(strftime({0}, '%f'), 5)", "", Number), ("FF6", "%f", "", Number),
        ("DDD", "%j", "%-j", Number), ("DD", "%d", "%-d", Number), ("D", "CAST(dayofweek({0}) + 1 AS VARCHAR)", "", Number),
        ("WW", "lpad(CAST((dayofyear({0}) - 1) // 7 + 1 AS VARCHAR), 2, '0')", "CAST((dayofyear({0}) - 1) // 7 + 1 AS VARCHAR)", Number), ("W", "CAST((day({0}) - 1) // 7 + 1 AS VARCHAR)", "", Number),
        ("CC", "lpad(CAST(century({0}) AS VARCHAR), 2, '0')", "CAST(century({0}) AS VARCHAR)", Number), ("Q", "CAST(quarter({0}) AS VARCHAR)", "", Number),
        ("J", "CAST(CAST(floor(julian({0})) AS BIGINT) AS VARCHAR)", "", Number),
        ("AM", "%p", "", "half"), ("PM", "%p", "", "half"), ("A.M.", "replace(replace(strftime({0}, '%p'), 'AM', 'A.M.'), 'PM', 'P.M.')", "", "half"), ("P.M.", "replace(replace(strftime({0}, '%p'), 'AM', 'A.M.'), 'PM', 'P.M.')", "", "half"),
        ("TZ", "CASE WHEN typeof({0}) IN ('TIMESTAMP WITH TIME ZONE', 'DATE') THEN 'UTC' ELSE '' END", "", "zone"),
    ];

    private const string Seconds = "CAST(hour({0}) * 3600 + minute({0}) * 60 + second({0}) AS VARCHAR)";

    // Known to PostgreSQL, not to us; without them their letters would be taken for themselves.
    private static readonly string[] Refused = ["TZH", "TZM", "OF", "RM", "A.D.", "B.C.", "AD", "BC", "FX", "SP"];

    /// <summary>The call over an expression with a template.</summary>
    /// <exception cref="PgError">0A000: a part of the template has no counterpart.</exception>
    public static string ToChar(string expression, string template)
    {
        var pieces = new List<string>();
        var format = new StringBuilder();
        void End()
        {
            if (format.Length > 0)
            {
                pieces.Add($"strftime({expression}, {SqlText.Literal(format.ToString())})");
                format.Clear();
            }
        }

        foreach ((string text, string kind, string suffix, bool isFilled, string written) in Pieces(template))
        {
            if (text.StartsWith('%') && kind is Number or "" && suffix.Length == 0)
            {
                format.Append(text);
                continue;
            }

            if (kind.Length == 0)
            {
                format.Append(text);
                continue;
            }

            End();
            string value = text.StartsWith('%') ? $"strftime({expression}, '{text}')" : string.Format(CultureInfo.InvariantCulture, text, expression);
            value = kind != Number && !written.Any(char.IsUpper) ? $"lower({value})"
                : kind is "name" or "short" && !written.Any(char.IsLower) ? $"upper({value})"
                : value;
            value = kind == "name" && !isFilled ? $"rpad({value}, {NameWidth}, ' ')" : value;
            pieces.Add(suffix.Length == 0 || kind != Number ? value : Ordinal(value, suffix));
        }

        End();
        return pieces.Count == 0 ? "CAST(NULL AS VARCHAR)" : "(" + string.Join(" || ", pieces) + ")";
    }

    /// <summary>The format that reads a text of a template.</summary>
    /// <exception cref="PgError">0A000: a part of the template has no counterpart.</exception>
    public static string ToParse(string template) => string.Concat(Pieces(template).Select(p => p.Text.StartsWith('%') || p.Kind.Length == 0
        ? p.Text
        : throw PgError.Unsupported($"the template '{template}' is not supported for reading", "Known are YYYY YY IYYY MM Mon Month DD DDD Day Dy HH24 HH12 MI SS MS US AM PM; strptime formats too.")));

    private static string Ordinal(string value, string suffix)
    {
        string ending = $"CASE WHEN right(lpad({value}, 2, '0'), 2) IN ('11', '12', '13') THEN 'th' WHEN right({value}, 1) = '1' THEN 'st' WHEN right({value}, 1) = '2' THEN 'nd' WHEN right({value}, 1) = '3' THEN 'rd' ELSE 'th' END";
        return $"{value} || {(suffix == "TH" ? $"upper({ending})" : ending)}";
    }

    /// <summary>The parts of a template; literal text (with % doubled) has no kind.</summary>
    private static IEnumerable<(string Text, string Kind, string Suffix, bool IsFilled, string Written)> Pieces(string template)
    {
        for (int at = 0; at < template.Length;)
        {
            string rest = template[at..];
            int prefix = rest.StartsWith("FM", StringComparison.Ordinal) || rest.StartsWith("fm", StringComparison.Ordinal) || rest.StartsWith("TM", StringComparison.Ordinal) || rest.StartsWith("tm", StringComparison.Ordinal) ? 2 : 0;
            rest = rest[prefix..];
            (string known, string padded, string unpadded, string kind) = Array.Find(Patterns, p => Begins(rest, p.Pattern)
                || (p.Kind is "name" or "short" && rest.StartsWith(p.Pattern[0] + p.Pattern[1..].ToLowerInvariant(), StringComparison.Ordinal)));
            if (Array.Exists(Refused, r => Begins(rest, r) && (known is null || r.Length > known.Length)))
            {
                throw PgError.Unsupported($"the template '{template}' is not supported from '{rest}' on", "strftime(time, format) takes the engine's formats.");
            }

            if (known is not null)
            {
                string written = rest[..known.Length];
                rest = rest[known.Length..];
                string suffix = Begins(rest, "TH") ? rest[..2] : string.Empty; // Of no meaning behind names.
                at += prefix + known.Length + suffix.Length;
                yield return (prefix > 0 && unpadded.Length > 0 ? unpadded : padded, kind, suffix, prefix > 0, written);
            }
            else if (rest.StartsWith('"'))
            {
                var text = new StringBuilder();
                int end = 1;
                for (; end < rest.Length && rest[end] != '"'; end++)
                {
                    end += rest[end] == '\\' && end + 1 < rest.Length ? 1 : 0;
                    text.Append(rest[end]);
                }

                at += prefix + Math.Min(rest.Length, end + 1);
                yield return (text.Replace("%", "%%").ToString(), string.Empty, string.Empty, false, string.Empty);
            }
            else if (rest.Length > 0)
            {
                bool isEscaped = rest.StartsWith("\\\"", StringComparison.Ordinal);
                at += prefix + (isEscaped ? 2 : 1);
                yield return (isEscaped ? "\"" : rest[0] == '%' ? "%%" : rest[..1], string.Empty, string.Empty, false, string.Empty);
            }
            else
            {
                at += prefix;
            }
        }
    }

    private static bool Begins(string text, string pattern) =>
        text.StartsWith(pattern, StringComparison.Ordinal) || text.StartsWith(pattern.ToLowerInvariant(), StringComparison.Ordinal);
}
