using System.Globalization;
using System.Text.RegularExpressions;
using LakeHolo.FlightServer.Postgres.Types;
using LakeHolo.Readers.Engine;

namespace LakeHolo.FlightServer.Postgres.Sql;

/// <summary>Constants of types (<c>'x'::t</c>, <c>CAST('x' AS t)</c>, <c>t 'x'</c>) whose text PostgreSQL reads and the engine does not, or reads otherwise.</summary>
internal static partial class Constants
{
    private static readonly string[] IntervalUnits = ["years", "months", "weeks", "days", "hours", "minutes", "seconds"];

    private static readonly string[] DateForms =
    [
        "yyyyMMdd", "MMM d, yyyy", "MMMM d, yyyy", "MMM d yyyy", "MMMM d yyyy", "d MMM yyyy", "d MMMM yyyy", "d-MMM-yyyy", "MMM-d-yyyy", "yyyy-MMM-d", "yyyy/M/d",
    ];

    /// <summary>The text in the place of the tokens from one place to another (exclusive); null to keep them.</summary>
    public static (int End, string Text)? Replacement(IReadOnlyList<Token> tokens, int at, DateTime now)
    {
        bool Is(int i, string word) => i < tokens.Count && tokens[i].Is(word);
        Token token = tokens[at];
        if (token.Kind == TokenKind.Word && token.Value is "any" or "all" or "some" && Is(at + 1, "(") && at > 0 && tokens[at - 1].Kind == TokenKind.Symbol && at + 2 < tokens.Count)
        {
            return Array(tokens, at);
        }

        if (token.Kind != TokenKind.Text)
        {
            return null;
        }

        string type = Is(at + 1, "::") || (Is(at + 1, "as") && at > 1 && tokens[at - 1].Is("(") && tokens[at - 2].Is("cast")) ? TypeAfter(tokens, at + 2) : TypeBefore(tokens, at);
        if (type.EndsWith("[]", StringComparison.Ordinal) && token.Value.Trim().StartsWith('{'))
        {
            return (at + 1, SqlText.Literal(ArrayText.ToList(token.Value, PgType.Find(type[..^2]) ?? PgType.Text)));
        }

        return type.Length > 0 && Normal(type, token.Value.Trim(), now) is { } normal ? (at + 1, SqlText.Literal(normal)) : Number(tokens, at);
    }

    /// <summary><c>= ANY ('{1,2}')</c>, and <c>= ANY (NULL)</c>, which is NULL.</summary>
    private static (int End, string Text)? Array(IReadOnlyList<Token> tokens, int at)
    {
        Token first = tokens[at + 2];
        int close = Patterns.Close(tokens, at + 1);
        if (first.Is("null") && close > 0 && (close == at + 4 || tokens[at + 3].Is("::")))
        {
            return (close, "(NULL)");
        }

        if (first.Kind != TokenKind.Text || close != at + 4 || !first.Value.Trim().StartsWith('{'))
        {
            return null;
        }

        string list = WholeNumbers().IsMatch(first.Value) ? "[" + first.Value.Trim()[1..^1] + "]" : $"CAST({SqlText.Literal(ArrayText.ToList(first.Value, PgType.Text))} AS VARCHAR[])";
        return (close, $"{tokens[at].Value}({list})");
    }

    // '5' + 3: a text beside a number is one.
    private static (int End, string Text)? Number(IReadOnlyList<Token> tokens, int at)
    {
        bool Arithmetic(int i) => i > 0 && i < tokens.Count && tokens[i].Kind == TokenKind.Symbol && tokens[i].Value is "+" or "-" or "*" or "/" or "%";
        bool beside = (Arithmetic(at + 1) && at + 2 < tokens.Count && tokens[at + 2].Kind == TokenKind.Number) || (Arithmetic(at - 1) && at > 1 && tokens[at - 2].Kind == TokenKind.Number);
        return beside && !(at > 0 && Patterns.IsOperandEnd(tokens[at - 1])) && PlainNumber().IsMatch(tokens[at].Value.Trim()) ? (at + 1, $"({tokens[at].Value.Trim()})") : null;
    }

    private static string? Normal(string type, string text, DateTime now)
    {
        string lower = text.ToLowerInvariant();
        switch (type)
        {
            case "timestamptz":
                return Named(lower, now, "yyyy-MM-dd HH:mm:ss.ffffff+00") ?? (WithoutSeconds().Match(text) is { Success: true } m ? $"{m.Groups[1].Value} {m.Groups[2].Value}:00{m.Groups[3].Value}" : null);
            case "timestamp":
                return Named(lower, now, "yyyy-MM-dd HH:mm:ss.ffffff") ?? (WithOffset().Match(text) is { Success: true } zoned ? zoned.Groups[1].Value : null);
            case "date":
                return Named(lower, now, "yyyy-MM-dd")
                    ?? (DateOnly.TryParseExact(text, DateForms, CultureInfo.InvariantCulture, DateTimeStyles.None, out DateOnly date) ? date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture) : null);
            case "bool":
                return lower.Length == 0 ? null
                    : lower is "on" or "1" || "true".StartsWith(lower, StringComparison.Ordinal) || "yes".StartsWith(lower, StringComparison.Ordinal) ? "true"
                    : lower is "of" or "off" or "0" || "false".StartsWith(lower, StringComparison.Ordinal) || "no".StartsWith(lower, StringComparison.Ordinal) ? "false"
                    : null;
            case "interval":
                return IsoInterval().Match(text) is { Success: true, Length: > 1 } iso && !text.EndsWith('T')
                    ? string.Join(' ', IntervalUnits.Select((unit, i) => iso.Groups[i + 1].Success ? $"{iso.Groups[i + 1].Value} {unit}" : string.Empty).Where(p => p.Length > 0))
                    : null;
            default:
                return null;
        }
    }

    private static string? Named(string name, DateTime now, string format) => name switch
    {
        "now" => now.ToString(format, CultureInfo.InvariantCulture),
        "today" => now.Date.ToString(format, CultureInfo.InvariantCulture),
        "yesterday" => now.Date.AddDays(-1).ToString(format, CultureInfo.InvariantCulture),
        "tomorrow" => now.Date.AddDays(1).ToString(format, CultureInfo.InvariantCulture),
        "epoch" => DateTime.UnixEpoch.ToString(format, CultureInfo.InvariantCulture),
        _ => null,
    };

    private static string TypeAfter(IReadOnlyList<Token> tokens, int at)
    {
        at += at + 2 < tokens.Count && tokens[at].Is("pg_catalog") && tokens[at + 1].Is(".") ? 2 : 0;
        if (at >= tokens.Count || tokens[at].Kind != TokenKind.Word)
        {
            return string.Empty;
        }

        string name = Known(tokens[at].Value);
        int end = at + 1;
        if (name == "timestamp" && end < tokens.Count && tokens[end].Is("("))
        {
            end = Patterns.Close(tokens, end);
        }

        if (end > 0 && end + 2 < tokens.Count && (tokens[end].Is("with") || tokens[end].Is("without")) && tokens[end + 1].Is("time") && tokens[end + 2].Is("zone"))
        {
            name = name == "timestamp" && tokens[end].Is("with") ? "timestamptz" : name;
            end += 3;
        }
        else if (tokens[at].Value is "double" or "character" && end < tokens.Count && tokens[end].Kind == TokenKind.Word)
        {
            end++;
        }

        return end > 0 && end + 1 < tokens.Count && tokens[end].Is("[") && tokens[end + 1].Is("]") ? name + "[]" : name;
    }

    private static string TypeBefore(IReadOnlyList<Token> tokens, int at)
    {
        if (at > 3 && tokens[at - 1].Is("zone") && tokens[at - 2].Is("time") && tokens[at - 3].Kind == TokenKind.Word && tokens[at - 4].Is("timestamp"))
        {
            return tokens[at - 3].Is("with") ? "timestamptz" : "timestamp";
        }

        return at > 0 && tokens[at - 1].Kind == TokenKind.Word && tokens[at - 1].Value is "timestamptz" or "timestamp" or "date" or "bool" or "boolean" or "interval" ? Known(tokens[at - 1].Value) : string.Empty;
    }

    private static string Known(string type) => type == "boolean" ? "bool" : type;

    [GeneratedRegex(@"^(\d{4,}-\d{1,2}-\d{1,2})[ T](\d{1,2}:\d\d)( ?Z| ?[+-]\d.*| [A-Za-z].*)?$", RegexOptions.CultureInvariant)]
    private static partial Regex WithoutSeconds();

    [GeneratedRegex(@"^(\d{4,}-\d{1,2}-\d{1,2}[ T]\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?) ?(?:Z|[+-]\d\d(?::?\d\d)?)$", RegexOptions.CultureInvariant)]
    private static partial Regex WithOffset();

    [GeneratedRegex(@"^P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)W)?(?:(-?\d+)D)?(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?\d+(?:\.\d+)?)S)?)?$", RegexOptions.CultureInvariant)]
    private static partial Regex IsoInterval();

    [GeneratedRegex(@"^\s*\{\s*(?:(?:-?\d+|NULL)\s*(?:,\s*(?:-?\d+|NULL)\s*)*)?\}\s*$", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex WholeNumbers();

    [GeneratedRegex(@"^-?\d+(?:\.\d+)?$", RegexOptions.CultureInvariant)]
    private static partial Regex PlainNumber();
}
