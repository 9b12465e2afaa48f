using LakeHolo.FlightServer.Postgres.Wire;
using LakeHolo.Readers.Engine;

namespace LakeHolo.FlightServer.Postgres.Sql;

/// <summary>What the engine has under another name, or orders otherwise, than PostgreSQL 15: functions, series in a select list, the place of NULLs in a falling order.</summary>
internal static class OtherNames
{
    /// <summary>The text in the place of the tokens from one place to another (exclusive); null to keep them.</summary>
    /// <param name="statement">The statement.</param>
    /// <param name="at">The first token.</param>
    /// <param name="rewrite">Rewrites what stands inside.</param>
    public static (int End, string Text)? Replacement(SqlStatement statement, int at, Func<string, string> rewrite)
    {
        IReadOnlyList<Token> tokens = statement.Tokens;
        Token token = tokens[at];
        if (token.Kind != TokenKind.Word)
        {
            return null;
        }

        if (token.Value == "desc")
        {
            // PostgreSQL has NULLs at the end of a rising order and at the head of a falling one; the engine at the end of both.
            bool isSaid = at + 1 < tokens.Count && tokens[at + 1].Is("nulls");
            return isSaid || !IsInOrder(tokens, at) ? null : (at + 1, "DESC NULLS FIRST");
        }

        if (!Calls.Begins(tokens, at))
        {
            return null;
        }

        return token.Value switch
        {
            "every" => (at + 1, "bool_and"),
            "btrim" => (at + 1, "trim"),
            "generate_series" => Series(statement, at, rewrite),
            "unnest" when TokenMap.Of(tokens).ClauseOf(at) == "from" && Arguments(statement, at, rewrite) is (var end, [var list]) && Named(tokens, end) is (var after, var name) => (after, $"unnest({list}){name}"),
            "format" => Format(statement, at, rewrite),
            "clock_timestamp" or "statement_timestamp" => (at + 1, "now"),
            "extract" when Second(tokens, at + 2) is { } unit && at + 3 < tokens.Count && tokens[at + 3].Is("from") && Arguments(statement, at, t => t) is (var end, [_]) && end - 2 >= at + 4 =>
                (end, $"(extract(microseconds FROM {rewrite(statement.Text[tokens[at + 4].Start..tokens[end - 2].End])}) / {unit})"),
            "date_part" when Second(tokens, at + 2) is { } unit && Arguments(statement, at, rewrite) is (var end, [_, var time]) => (end, $"(extract(microseconds FROM {time}) / {unit})"),
            "date_bin" when Arguments(statement, at, rewrite) is (var end, [var width, var time, var origin]) => (end, $"time_bucket(CAST({width} AS INTERVAL), {time}, {origin})"),
            "initcap" when Arguments(statement, at, rewrite) is (var end, [var text]) =>
                (end, $"array_to_string(list_transform(regexp_extract_all({text}, '[\\p{{L}}\\p{{N}}]+|[^\\p{{L}}\\p{{N}}]+'), lambda w: upper(w[1]) || lower(w[2:])), '')"),
            _ => TextCalls.Replacement(statement, at, rewrite) ?? JsonCalls.Replacement(statement, at, rewrite) ?? ExpressionCalls.Replacement(statement, at, rewrite),
        };
    }

    // Seconds and milliseconds have a fraction in PostgreSQL; the engine cuts it off.
    private static string? Second(IReadOnlyList<Token> tokens, int at) => at >= tokens.Count || tokens[at].Kind is not (TokenKind.Word or TokenKind.Text) ? null
        : tokens[at].Value.ToLowerInvariant() is "second" or "seconds" ? "1000000" : tokens[at].Value.ToLowerInvariant() is "millisecond" or "milliseconds" ? "1000" : null;

    /// <summary>The engine's format() knows {} and takes %s for itself.</summary>
    /// <exception cref="PgError">0A000: something else than a constant with %s and %%.</exception>
    private static (int End, string Text) Format(SqlStatement statement, int at, Func<string, string> rewrite)
    {
        if (Arguments(statement, at, rewrite) is not (var end, [_, ..] arguments) || statement.Tokens[at + 2].Kind != TokenKind.Text || !(statement.Tokens[at + 3].Is(",") || statement.Tokens[at + 3].Is(")")))
        {
            throw PgError.Unsupported("format() is supported with a constant format only", "Join texts by ||, or use the engine's printf().");
        }

        var parts = new List<string>();
        int used = 0;
        string[] pieces = statement.Tokens[at + 2].Value.Split('%');
        parts.Add(SqlText.Literal(pieces[0]));
        for (int i = 1; i < pieces.Length; i++)
        {
            if (pieces[i].StartsWith('s') && used + 1 < arguments.Length)
            {
                parts.Add(arguments[++used]);
                parts.Add(SqlText.Literal(pieces[i][1..]));
            }
            else if (pieces[i].Length == 0 && i + 1 < pieces.Length)
            {
                parts.Add(SqlText.Literal("%" + pieces[++i]));
            }
            else
            {
                throw PgError.Unsupported("format() is supported with %s and %% only, and an argument for each %s", "Join texts by ||, or use the engine's printf().");
            }
        }

        return (end, $"concat({string.Join(", ", parts)})");
    }

    /// <summary>A series: what it steps by may be a text, and in a select list its values are rows.</summary>
    private static (int End, string Text)? Series(SqlStatement statement, int at, Func<string, string> rewrite)
    {
        if (Arguments(statement, at, rewrite) is not var (end, arguments))
        {
            return null;
        }

        string clause = TokenMap.Of(statement.Tokens).ClauseOf(at);
        bool isText = arguments.Length == 3 && arguments[2].StartsWith('\'');
        string series = $"generate_series({string.Join(", ", isText ? [arguments[0], arguments[1], $"CAST({arguments[2]} AS INTERVAL)"] : arguments)})";
        return clause == "from" && Named(statement.Tokens, end) is (var after, var name) ? (after, series + name)
            : clause == "select" ? (end, $"unnest({series})")
            : isText ? (end, series)
            : null;
    }

    /// <summary>The name of a function in FROM is also that of its column.</summary>
    private static (int End, string Text)? Named(IReadOnlyList<Token> tokens, int at) =>
        Calls.Alias(tokens, at) is (var end, var alias) && SqlText.Identifier(alias) is var quoted ? (end, $" AS {quoted}({quoted})") : null;

    private static (int End, string[] Arguments)? Arguments(SqlStatement statement, int at, Func<string, string> rewrite) =>
        Calls.Read(statement, at, rewrite) is (var end, var arguments) ? (end, [.. arguments.Select(a => a.Text)]) : null;

    /// <summary>Whether a DESC ends an expression of an ORDER BY. Not so that of WITHIN GROUP, which takes no word about NULLs.</summary>
    private static bool IsInOrder(IReadOnlyList<Token> tokens, int at)
    {
        int depth = 0;
        for (int i = at - 1; i > 0; i--)
        {
            depth += tokens[i].Is(")") || tokens[i].Is("]") ? 1 : tokens[i].Is("(") || tokens[i].Is("[") ? -1 : 0;
            if (depth < 0)
            {
                return false;
            }

            if (depth == 0 && tokens[i].Is("by") && tokens[i - 1].Is("order"))
            {
                return !(i > 3 && tokens[i - 2].Is("(") && tokens[i - 3].Is("group") && tokens[i - 4].Is("within"));
            }
        }

        return false;
    }
}
