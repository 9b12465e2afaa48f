using LakeHolo.FlightServer.Postgres.Wire;
using LakeHolo.Readers.Engine;

namespace LakeHolo.FlightServer.Postgres.Sql;

/// <summary>PostgreSQL's templates of <c>to_char</c>, <c>to_date</c> and <c>to_timestamp</c> (PostgreSQL 15, "Data Type Formatting Functions") as the engine's formats of
/// time. Templates of numbers are refused.</summary>
internal static class TimeFormats
{
    private const int NameWidth = 9; // of months and days that are not FM

    // Longer ones first.
    private static readonly (string Template, string Format, string Unpadded)[] Patterns =
    [
        ("HH24", "%H", "%-H"), ("HH12", "%I", "%-I"), ("HH", "%I", "%-I"), ("MI", "%M", "%-M"), ("SS", "%S", "%-S"), ("MS", "%g", "%g"), ("US", "%f", "%f"),
        ("YYYY", "%Y", "%Y"), ("IYYY", "%G", "%G"), ("YY", "%y", "%y"), ("MM", "%m", "%-m"), ("DDD", "%j", "%-j"), ("DD", "%d", "%-d"), ("ID", "%u", "%u"), ("IW", "%V", "%V"),
        ("AM", "%p", "%p"), ("PM", "%p", "%p"), ("Mon", "%b", "%b"), ("Dy", "%a", "%a"),
    ];

    /// <summary>The call over an expression with a template.</summary>
    /// <exception cref="PgError">0A000: a part of the template has no counterpart.</exception>
    public static string ToChar(string expression, string template)
    {
        List<string> pieces = [];
        foreach ((string format, bool isPadded) in Pieces(template))
        {
            string text = $"strftime({expression}, {SqlText.Literal(format)})";
            pieces.Add(isPadded ? $"rpad({text}, {NameWidth}, ' ')" : text);
        }

        return pieces.Count == 0 ? "''" : "(" + string.Join(" || ", pieces) + ")";
    }

    /// <summary>The format that reads a text of a template.</summary>
    public static string ToParse(string template) => string.Concat(Pieces(template).Select(p => p.Format));

    private static IEnumerable<(string Format, bool IsPadded)> Pieces(string template)
    {
        string current = string.Empty;
        for (int at = 0; at < template.Length;)
        {
            bool fill = template.AsSpan(at).StartsWith("FM", StringComparison.OrdinalIgnoreCase);
            at += fill ? 2 : 0;
            string rest = template[at..];
            if (rest.StartsWith("Month", StringComparison.Ordinal) || rest.StartsWith("Day", StringComparison.Ordinal))
            {
                string name = rest[0] == 'M' ? "%B" : "%A";
                at += rest[0] == 'M' ? 5 : 3;
                if (fill)
                {
                    current += name;
                    continue;
                }

                if (current.Length > 0)
                {
                    yield return (current, false);
                }

                yield return (name, true);
                current = string.Empty;
                continue;
            }

            (string known, string format, string unpadded) = Array.Find(Patterns, p => rest.StartsWith(p.Template, p.Template is "Mon" or "Dy" ? StringComparison.Ordinal : StringComparison.OrdinalIgnoreCase));
            if (known is not null)
            {
                current += fill ? unpadded : format;
                at += known.Length;
            }
            else if (rest.StartsWith('"') && rest.IndexOf('"', 1) is > 0 and var close)
            {
                current += rest[1..close].Replace("%", "%%", StringComparison.Ordinal);
                at += close + 1;
            }
            else if (rest.Length > 0 && !char.IsLetterOrDigit(rest[0]))
            {
                current += rest[0] == '%' ? "%%" : rest[0].ToString();
                at++;
            }
            else if (rest.Length > 0)
            {
                throw PgError.Unsupported($"the template '{template}' is not supported from '{rest}' on", "Known are YYYY YY IYYY MM Mon Month DD DDD Day Dy ID IW HH24 HH12 MI SS MS US AM PM, FM and \"text\"; strftime formats too.");
            }
        }

        if (current.Length > 0)
        {
            yield return (current, false);
        }
    }
}
