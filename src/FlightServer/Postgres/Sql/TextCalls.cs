using System.Globalization;
using LakeHolo.FlightServer.Postgres.Wire;
using LakeHolo.Readers.Engine;

namespace LakeHolo.FlightServer.Postgres.Sql;

/// <summary>PostgreSQL's functions of texts, arrays and numbers that the engine has with another name, other types or other arguments.</summary>
internal static class TextCalls
{
    private static readonly Dictionary<string, string> Templates = new(StringComparer.Ordinal)
    {
        ["length/1"] = "CAST(length({0}) AS INTEGER)",
        ["char_length/1"] = "CAST(length({0}) AS INTEGER)",
        ["character_length/1"] = "CAST(length({0}) AS INTEGER)",
        ["bit_length/1"] = "CAST(bit_length({0}) AS INTEGER)",
        ["octet_length/1"] = "CAST(CASE WHEN typeof({0}) = 'BLOB' THEN octet_length(TRY_CAST({0} AS BLOB)) ELSE strlen(CAST({0} AS VARCHAR)) END AS INTEGER)",
        ["strpos/2"] = "CAST(strpos({0}, {1}) AS INTEGER)",
        ["cardinality/1"] = "CAST(len({0}) AS INTEGER)",
        ["array_length/2"] = "CAST(nullif(array_length({0}, {1}), 0) AS INTEGER)",
        ["array_upper/2"] = "CAST(nullif(array_length({0}, {1}), 0) AS INTEGER)",
        ["array_lower/2"] = "CASE WHEN array_length({0}, {1}) > 0 THEN 1 END",
        ["array_position/2"] = "CAST(nullif(list_position({0}, {1}), 0) AS INTEGER)",
        ["array_remove/2"] = "list_filter({0}, lambda lakeholo_v: lakeholo_v IS DISTINCT FROM {1})",
        ["array_replace/3"] = "list_transform({0}, lambda lakeholo_v: CASE WHEN lakeholo_v IS NOT DISTINCT FROM {1} THEN {2} ELSE lakeholo_v END)",
        ["string_to_array/2"] = "CASE WHEN {0} = '' THEN CAST([] AS VARCHAR[]) ELSE string_to_array({0}, {1}) END",
        ["string_to_array/3"] = "CASE WHEN {0} = '' THEN CAST([] AS VARCHAR[]) ELSE list_transform(string_to_array({0}, {1}), lambda lakeholo_v: nullif(lakeholo_v, {2})) END",
        ["array_to_string/3"] = "array_to_string(list_transform({0}, lambda lakeholo_v: coalesce(CAST(lakeholo_v AS VARCHAR), {2})), {1})",
        ["sha256/1"] = "unhex(sha256({0}))",
        ["to_hex/1"] = "lower(CASE WHEN {0} < 0 AND typeof({0}) <> 'BIGINT' THEN right(to_hex({0}), 8) ELSE to_hex({0}) END)",
        ["div/2"] = "CAST(trunc(({0} - {0} % {1}) / {1}) AS DECIMAL(38, 0))",
        ["width_bucket/4"] = "CAST(CASE WHEN {0} IS NULL OR {1} IS NULL OR {2} IS NULL OR {3} IS NULL THEN NULL WHEN {3} <= 0 THEN error('count must be greater than zero') WHEN {1} = {2} THEN error('lower bound cannot equal upper bound') "
            + "WHEN {1} < {2} THEN CASE WHEN {0} < {1} THEN 0 WHEN {0} >= {2} THEN {3} + 1 ELSE floor({3} * ({0} - {1}) / ({2} - {1})) + 1 END "
            + "ELSE CASE WHEN {0} > {1} THEN 0 WHEN {0} <= {2} THEN {3} + 1 ELSE floor({3} * ({1} - {0}) / ({1} - {2})) + 1 END END AS INTEGER)",
        ["date_trunc/3"] = "timezone({2}, date_trunc({0}, timezone({2}, {1})))",
        ["encode/2"] = "regexp_replace(to_base64({0}), '([A-Za-z0-9+/]{{76}})', '\\1' || chr(10), 'g')",
    };

    private static readonly string[] IntervalParts = ["years", "months", "weeks", "days", "hours", "mins", "secs"];

    private static readonly string[] IntervalFunctions = ["to_years", "to_months", "to_weeks", "to_days", "to_hours", "to_minutes", "to_seconds"];

    /// <summary>The text in the place of a call; null for functions of other kinds.</summary>
    /// <exception cref="PgError">What PostgreSQL refuses or the engine would do otherwise.</exception>
    public static (int End, string Text)? Replacement(SqlStatement statement, int at, Func<string, string> rewrite)
    {
        IReadOnlyList<Token> tokens = statement.Tokens;
        string name = tokens[at].Value;
        switch (name)
        {
            case "grouping" or "position" when Patterns.Close(tokens, at + 1) is var close && close > at + 3:
                return (close, $"CAST({name}({rewrite(statement.Text[tokens[at + 2].Start..tokens[close - 2].End])}) AS INTEGER)");
            case "overlay" when Calls.Read(statement, at, rewrite, "placing", "from", "for") is (var end, [var text, var by, var from, .. var length]) && length.Length <= 1:
                return (end, $"(left({text.Text}, {from.Text} - 1) || {by.Text} || substring({text.Text}, {from.Text} + {(length is [var given] ? given.Text : $"length({by.Text})")}))");
            case "substring" or "substr":
                return Substring(statement, at, rewrite);
            case "make_interval":
                return Interval(statement, at, rewrite);
        }

        if (Calls.Read(statement, at, rewrite) is not (var after, { Length: > 0 } arguments))
        {
            return null;
        }

        switch (name)
        {
            case "split_part" when arguments is [_, _, { Number: 0 }]:
                throw new PgError("22023", "field position must not be zero");
            case "split_part" when arguments is [_, { Constant: "" }, _]:
                throw PgError.Unsupported("split_part() is not supported with an empty delimiter");
            case "lpad" or "rpad" when arguments is [var text, var length, { Constant: "" }]:
                return (after, $"left({text.Text}, {length.Text})");
            case "lpad" or "rpad" when arguments.Length == 2:
                return (after, $"{name}({arguments[0].Text}, {arguments[1].Text}, ' ')");
            case "string_to_array" when arguments.Length > 1 && (arguments[1].Constant is "" || arguments[1].Tokens[0].Is("null")):
                throw PgError.Unsupported("string_to_array() is not supported with an empty delimiter or none");
            case "string_to_table" when arguments.Length == 2:
                return Calls.Rows(statement, at, after, string.Format(CultureInfo.InvariantCulture, Templates["string_to_array/2"], arguments[0].Text, arguments[1].Text));
            case "encode" when arguments.Length == 2:
                string bytes = arguments[0].IsParameter ? $"CAST({arguments[0].Text} AS BLOB)"
                    : arguments[0].Constant is { } constant ? constant.Contains('\\', StringComparison.Ordinal) ? $"CAST({Habits.Bytes(constant)} AS BLOB)" : $"encode({arguments[0].Text})"
                    : arguments[0].Text;
                return arguments[1].Constant?.ToLowerInvariant() switch
                {
                    "hex" => (after, $"lower(hex({bytes}))"),
                    "base64" => (after, string.Format(CultureInfo.InvariantCulture, Templates["encode/2"], bytes)),
                    _ => throw PgError.Unsupported("encode() is supported with the formats 'hex' and 'base64' only"),
                };
            case "decode" when arguments.Length == 2:
                string digits = arguments[0].IsParameter ? $"CAST({arguments[0].Text} AS VARCHAR)" : arguments[0].Text;
                return arguments[1].Constant?.ToLowerInvariant() switch
                {
                    "hex" => (after, $"unhex({digits})"),
                    "base64" => (after, $"from_base64({digits})"),
                    _ => throw PgError.Unsupported("decode() is supported with the formats 'hex' and 'base64' only"),
                };
            default:
                return Templates.TryGetValue(string.Create(CultureInfo.InvariantCulture, $"{name}/{arguments.Length}"), out string? template)
                    ? (after, string.Format(CultureInfo.InvariantCulture, template, [.. arguments.Select(a => a.Text)]))
                    : null;
        }
    }

    /// <summary>A part of a text: by a pattern, or by a place, which may be before the text's begin.</summary>
    private static (int End, string Text)? Substring(SqlStatement statement, int at, Func<string, string> rewrite)
    {
        if (Patterns.Close(statement.Tokens, at + 1) is not (> 0 and var close) || Calls.Read(statement, at, rewrite, "from", "for", "similar") is not (var end, var parts))
        {
            return null;
        }

        Token[] words = [.. statement.Tokens.Take(close).Skip(at).Where(t => t.Is("from") || t.Is("for") || t.Is("similar"))];
        Argument[] arguments = parts;
        if (parts.Length == 1)
        {
            arguments = Calls.Read(statement, at, rewrite)!.Value.Arguments;
        }
        else if (words.Any(w => w.Is("similar")) || words.Length != parts.Length - 1)
        {
            throw PgError.Unsupported("substring() is not supported with SIMILAR, nor with FROM inside of an argument without parentheses");
        }
        else if (words[0].Is("for"))
        {
            arguments = parts.Length == 2 ? [parts[0], new Argument([new Token(TokenKind.Number, 0, 1, "1")], "1"), parts[1]] : [parts[0], parts[2], parts[1]];
        }

        switch (arguments)
        {
            case [var text, { Constant: not null } pattern]:
                return (end, ExpressionCalls.Substring(text, pattern));
            case [var text, { Number: > 0 } from]:
                return (end, $"substring({text.Text}, {from.Text})");
            case [var text, { Number: > 0 } from, { Number: >= 0 } length]:
                return (end, $"substring({text.Text}, {from.Text}, {length.Text})");
            case [_, _, { Number: < 0 }]:
                throw new PgError("22011", "negative substring length not allowed");
            case [var text, { IsParameter: false } from]:
                return (end, $"substring({text.Text}, greatest({from.Text}, 1))");
            case [var text, { IsParameter: false } from, var length]:
                return (end, $"substring({text.Text}, greatest({from.Text}, 1), greatest({from.Text} + {length.Text} - greatest({from.Text}, 1), 0))");
            default:
                return null;
        }
    }

    private static (int End, string Text)? Interval(SqlStatement statement, int at, Func<string, string> rewrite)
    {
        if (Calls.Read(statement, at, t => t) is not (var end, { Length: > 0 and <= 7 } arguments))
        {
            return null;
        }

        var parts = new List<string>();
        for (int i = 0; i < arguments.Length; i++)
        {
            IReadOnlyList<Token> tokens = arguments[i].Tokens;
            bool isNamed = tokens.Count > 2 && tokens[0].Kind == TokenKind.Word && (tokens[1].Is("=>") || tokens[1].Is(":="));
            int part = isNamed ? Array.IndexOf(IntervalParts, tokens[0].Value) : i;
            if (part < 0)
            {
                return null;
            }

            parts.Add($"{IntervalFunctions[part]}({rewrite(isNamed ? statement.Text[tokens[2].Start..tokens[^1].End] : arguments[i].Text)})");
        }

        return (end, "(" + string.Join(" + ", parts) + ")");
    }
}
