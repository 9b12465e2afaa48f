using System.Text;
using LakeHolo.FlightServer.Postgres.Sessions;
using LakeHolo.FlightServer.Postgres.Wire;
using LakeHolo.Readers.Engine;

namespace LakeHolo.FlightServer.Postgres.Sql;

/// <summary>What PostgreSQL's clients write by habit, in the engine's words.</summary>
internal static class Habits
{
    private static readonly Dictionary<string, string> Types = new(StringComparer.Ordinal)
    {
        ["jsonb"] = "JSON",
        ["name"] = "VARCHAR",
        ["oid"] = "BIGINT",
        ["float"] = "DOUBLE",
    };

    public static SqlStatement Rewrite(SqlStatement statement, PgSession session)
    {
        var text = new StringBuilder();
        int copied = 0;
        IReadOnlyList<Token> tokens = statement.Tokens;
        bool namesCharacters = tokens.Any(CharacterCasts.IsTypeName);
        for (int i = 0; i < tokens.Count; i++)
        {
            if (Replacement(statement, i, session, namesCharacters) is var (end, replacement))
            {
                text.Append(statement.Text, copied, tokens[i].Start - copied).Append(replacement);
                copied = tokens[end - 1].End;
                i = end - 1;
            }
        }

        if (copied == 0)
        {
            return statement;
        }

        text.Append(statement.Text, copied, statement.Text.Length - copied);
        return SqlStatement.Split(text.ToString())[0] with { Offset = statement.Offset };
    }

    /// <summary>The text in the place of the tokens from one place to another (exclusive); null to keep them.</summary>
    private static (int End, string Text)? Replacement(SqlStatement statement, int at, PgSession session, bool namesCharacters)
    {
        IReadOnlyList<Token> tokens = statement.Tokens;
        bool Is(int i, string word) => i < tokens.Count && tokens[i].Is(word);
        Token token = tokens[at];

        string Inside(string inner) => SqlStatement.Split(inner) is [var only] ? Rewrite(only, session).Text : inner;
        if (namesCharacters && CharacterCasts.Replacement(statement, at, Inside) is { } characters)
        {
            return characters;
        }

        // pg_catalog.x: functions and types are found without it.
        if (token.Is("pg_catalog") && Is(at + 1, ".") && at + 2 < tokens.Count)
        {
            return (at + 2, string.Empty);
        }

        // Types that the engine knows by other names, after :: and in CAST(… AS …); an alias may be called the same.
        if (at > 0 && Types.TryGetValue(token.Value, out string? type) && (tokens[at - 1].Is("::") || (tokens[at - 1].Is("as") && IsInCast(tokens, at - 1))))
        {
            return (at + 1, type);
        }

        if (token.Kind == TokenKind.Text && at > 0 && tokens[at - 1] is { Kind: TokenKind.Word, Value: "b" or "x" } kind && kind.End == token.Start)
        {
            throw PgError.Unsupported("strings of bits (B'101', X'1F') are not supported");
        }

        // '\x00ff'::bytea is two bytes; the engine would take two digits for a byte and the rest as it is.
        if (token.Kind == TokenKind.Text && token.Value.Contains('\\', StringComparison.Ordinal)
            && ((at > 0 && tokens[at - 1].Is("bytea")) || ((Is(at + 1, "::") || Is(at + 1, "as")) && (Is(at + 2, "bytea") || (Is(at + 2, "pg_catalog") && Is(at + 4, "bytea"))))))
        {
            return (at + 1, Bytes(token.Value));
        }

        if ((at == 0 || !tokens[at - 1].Is("as") || IsInCast(tokens, at - 1)) && Numerics.Replacement(tokens, at) is { } number)
        {
            return (at + 1, number);
        }

        if ((Patterns.Like(statement, at, Inside) ?? Patterns.Replacement(statement, at, Inside)) is { } pattern)
        {
            return pattern;
        }

        if (IsQuery(tokens[0]) && OtherNames.Replacement(statement, at, Inside) is { } other)
        {
            return other;
        }

        if (at == 1 && token.Is("(") && tokens[0].Is("explain"))
        {
            return ExplainOptions(tokens);
        }

        if (token.Kind == TokenKind.Word && token.Value is "to_char" or "to_date" or "to_timestamp" && Is(at + 1, "(") && (at == 0 || !tokens[at - 1].Is(".") || tokens[at - 2].Is("pg_catalog")))
        {
            return Formatted(statement, at, session);
        }

        return null;
    }

    /// <exception cref="PgError">22023: no hexadecimal digits. 0A000: the form with octal digits.</exception>
    private static string Bytes(string text)
    {
        if (!text.StartsWith("\\x", StringComparison.Ordinal))
        {
            throw PgError.Unsupported("bytes are written as '\\x' and hexadecimal digits, not by their octal digits");
        }

        try
        {
            return $"'{string.Concat(Convert.FromHexString(text.AsSpan(2)).Select(b => $"\\x{b:X2}"))}'";
        }
        catch (FormatException e)
        {
            throw new PgError("22023", $"invalid hexadecimal data: \"{text}\"", e);
        }
    }

    private static bool IsQuery(Token first) => first.Is("(") || (first.Kind == TokenKind.Word && first.Value is "select" or "with" or "values" or "from" or "explain");

    /// <summary>Options of EXPLAIN that ask for nothing but text are left out.</summary>
    /// <exception cref="PgError">0A000: another format, or an execution.</exception>
    private static (int End, string Text)? ExplainOptions(IReadOnlyList<Token> tokens)
    {
        int end = 2;
        for (; end < tokens.Count && !tokens[end].Is(")"); end++)
        {
            bool isOn = end + 1 >= tokens.Count || !(tokens[end + 1].Is("off") || tokens[end + 1].Is("false"));
            if (tokens[end].Is("select") || tokens[end].Is("with"))
            {
                return null; // a query in parentheses
            }

            if ((tokens[end].Is("format") && !(end + 1 < tokens.Count && tokens[end + 1].Is("text"))) || (tokens[end].Is("analyze") && isOn))
            {
                throw PgError.Unsupported($"EXPLAIN (… {tokens[end].Value} …) is not supported", "EXPLAIN, EXPLAIN ANALYZE and EXPLAIN LAKE are, as text.");
            }
        }

        return (Math.Min(end + 1, tokens.Count), string.Empty);
    }

    private static bool IsInCast(IReadOnlyList<Token> tokens, int at)
    {
        int depth = 0;
        for (int i = at - 1; i > 0; i--)
        {
            depth += tokens[i].Is(")") ? 1 : tokens[i].Is("(") ? -1 : 0;
            if (depth < 0)
            {
                return tokens[i - 1].Is("cast") || tokens[i - 1].Is("try_cast");
            }
        }

        return false;
    }

    /// <summary>A call with an expression and a template; null for others.</summary>
    /// <exception cref="PgError">0A000: the template is not a constant.</exception>
    private static (int End, string Text)? Formatted(SqlStatement statement, int at, PgSession session)
    {
        IReadOnlyList<Token> tokens = statement.Tokens;
        int depth = 0;
        int comma = -1;
        int close = at + 1;
        for (; close < tokens.Count; close++)
        {
            depth += tokens[close].Is("(") ? 1 : tokens[close].Is(")") ? -1 : 0;
            comma = depth == 1 && tokens[close].Is(",") ? close : comma;
            if (depth == 0)
            {
                break;
            }
        }

        if (close >= tokens.Count || comma <= at + 2)
        {
            return null;
        }

        if (comma + 2 != close || tokens[comma + 1].Kind != TokenKind.Text)
        {
            throw PgError.Unsupported($"{tokens[at].Value}() is supported with a constant template only", "The engine's strftime(time, template) and strptime(text, template) take others.");
        }

        string inner = statement.Text[tokens[at + 2].Start..tokens[comma - 1].End];
        string expression = SqlStatement.Split(inner) is [var only] ? Rewrite(only, session).Text : inner;
        string template = tokens[comma + 1].Value;
        return (close + 1, tokens[at].Value switch
        {
            "to_char" => TimeFormats.ToChar(expression, template),
            "to_date" => $"CAST(strptime({expression}, {SqlText.Literal(TimeFormats.ToParse(template))}) AS DATE)",
            _ => $"CAST(strptime({expression}, {SqlText.Literal(TimeFormats.ToParse(template))}) AS TIMESTAMPTZ)",
        });
    }
}
