using System.Text;
using LakeHolo.FlightServer.Postgres.Sessions;
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
    };

    public static SqlStatement Rewrite(SqlStatement statement, PgSession session)
    {
        var text = new StringBuilder();
        int copied = 0;
        IReadOnlyList<Token> tokens = statement.Tokens;
        for (int i = 0; i < tokens.Count; i++)
        {
            if (Replacement(statement, i, session) is var (end, replacement))
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
    private static (int End, string Text)? Replacement(SqlStatement statement, int at, PgSession session)
    {
        IReadOnlyList<Token> tokens = statement.Tokens;
        bool Is(int i, string word) => i < tokens.Count && tokens[i].Is(word);
        Token token = tokens[at];

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

        if ((at == 0 || !tokens[at - 1].Is("as") || IsInCast(tokens, at - 1)) && Numerics.Replacement(tokens, at) is { } number)
        {
            return (at + 1, number);
        }

        if (Patterns.Replacement(statement, at, inner => SqlStatement.Split(inner) is [var only] ? Rewrite(only, session).Text : inner) is { } pattern)
        {
            return pattern;
        }

        if (token.Kind == TokenKind.Word && token.Value is "to_char" or "to_date" or "to_timestamp" && Is(at + 1, "(") && (at == 0 || !tokens[at - 1].Is(".") || tokens[at - 2].Is("pg_catalog")))
        {
            return Formatted(statement, at, session);
        }

        return null;
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

    /// <summary>A call with an expression and a constant template; null for others.</summary>
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

        if (close >= tokens.Count || comma < 0 || comma + 2 != close || comma <= at + 2 || tokens[comma + 1].Kind != TokenKind.Text)
        {
            return null;
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
