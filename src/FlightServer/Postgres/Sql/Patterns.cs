using System.Text;
using LakeHolo.FlightServer.Postgres.Wire;
using LakeHolo.Readers.Engine;

namespace LakeHolo.FlightServer.Postgres.Sql;

/// <summary>PostgreSQL's operators of patterns (<c>~</c>, <c>!~</c>, <c>~*</c>, <c>!~*</c>, SIMILAR TO; PostgreSQL 15, "Pattern Matching"). The engine's <c>~</c> matches the whole text,
/// PostgreSQL's searches anywhere, and a dot is any character there; the engine's SIMILAR TO takes a regular expression, not <c>%</c> and <c>_</c>.</summary>
internal static class Patterns
{
    /// <summary>After these a <c>~</c> is the one that turns bits around.</summary>
    private static readonly HashSet<string> BeforeOperands = new(StringComparer.Ordinal)
    {
        "select", "distinct", "where", "and", "or", "not", "when", "then", "else", "case", "on", "by", "having", "in", "between", "like", "ilike", "limit", "offset", "values", "from", "as", "all", "any", "filter", "qualify", "is",
    };

    /// <summary>LIKE and ILIKE with the escape character that PostgreSQL takes where none is said: the engine takes none. Null to keep them: constants without a backslash, which it searches for faster.</summary>
    /// <exception cref="PgError">0A000: where the pattern ends is not seen.</exception>
    public static (int End, string Text)? Like(SqlStatement statement, int at, Func<string, string> rewrite)
    {
        IReadOnlyList<Token> tokens = statement.Tokens;
        if (at == 0 || !(tokens[at].Is("like") || tokens[at].Is("ilike")) || !(tokens[at - 1].Is("not") || IsOperandEnd(tokens[at - 1])))
        {
            return null;
        }

        int start = at + 1;
        int end = PieceEnd(tokens, start);
        while (end > 0 && end < tokens.Count && tokens[end].Is("||"))
        {
            end = PieceEnd(tokens, end + 1);
        }

        if (end < 0)
        {
            throw Refused(statement, at, "LIKE is supported with constants, parameters, columns, calls, expressions in parentheses and what || joins of these on its right");
        }

        if ((end < tokens.Count && tokens[end].Is("escape"))
            || tokens.Take(end).Skip(start).All(t => t.Is("||") || t.Kind == TokenKind.Number || (t.Kind == TokenKind.Text && !t.Value.Contains('\\', StringComparison.Ordinal))))
        {
            return null;
        }

        return (end, $"{tokens[at].Value} {rewrite(statement.Text[tokens[start].Start..tokens[end - 1].End])} ESCAPE '\\'");
    }

    private static int PieceEnd(IReadOnlyList<Token> tokens, int start) => start < tokens.Count && tokens[start].Kind == TokenKind.Number ? start + 1 : OperandEnd(tokens, start);

    /// <summary>The operator at a token with its right operand; null where there is none.</summary>
    /// <exception cref="PgError">0A000: the pattern cannot be told to the engine.</exception>
    public static (int End, string Text)? Replacement(SqlStatement statement, int at, Func<string, string> rewrite)
    {
        IReadOnlyList<Token> tokens = statement.Tokens;
        int word = tokens[at].Is("not") ? at + 1 : at;
        bool similar = word + 1 < tokens.Count && tokens[word].Is("similar") && tokens[word + 1].Is("to");
        if (!similar && !(tokens[at].Kind == TokenKind.Symbol && tokens[at].Value is "~" or "!~" or "~*" or "!~*"))
        {
            return null;
        }

        if (at == 0 || !IsOperandEnd(tokens[at - 1]))
        {
            return null;
        }

        string op = similar ? word > at ? "!~" : "~" : tokens[at].Value.TrimEnd('*');
        string written = similar ? "SIMILAR TO" : tokens[at].Value;
        int start = similar ? word + 2 : at + 1;
        int end = OperandEnd(tokens, start);
        if (end < 0 || (end < tokens.Count && (tokens[end].Value is "+" or "-" or "*" or "/" or "%" or "^" && tokens[end].Kind == TokenKind.Symbol)))
        {
            throw Refused(statement, at, $"{written} is supported with a constant, a parameter, a column, a call or an expression in parentheses on its right");
        }

        bool constant = tokens[start].Kind == TokenKind.Text;
        if (similar)
        {
            if (!constant || (end < tokens.Count && tokens[end].Is("escape")))
            {
                throw Refused(statement, at, "SIMILAR TO is supported with a constant pattern and without ESCAPE only");
            }

            return (end, $"{op} {SqlText.Literal(Similar(tokens[start].Value) ?? throw Refused(statement, at, $"the pattern '{tokens[start].Value}' is not supported"))}");
        }

        string flags = written.EndsWith('*') ? "(?is)" : "(?s)";
        if (constant)
        {
            string pattern = Expressions.Convert(tokens[start].Value) ?? throw Refused(statement, at, $"the regular expression '{tokens[start].Value}' is not supported");
            return (end, $"{op} {SqlText.Literal($"{flags}.*(?:{pattern}).*")}");
        }

        string operand = rewrite(statement.Text[tokens[start].Start..tokens[end - 1].End]);
        return (end, $"{op} ('{flags}.*(?:' || ({operand}) || ').*')");
    }

    private static PgError Refused(SqlStatement statement, int at, string what) =>
        new("0A000", what) { Position = statement.Offset + statement.Tokens[at].Start + 1, Hint = "The engine's regexp_matches(text, pattern) takes expressions in RE2's syntax." };

    public static bool IsOperandEnd(Token token) =>
        token.Kind is TokenKind.Text or TokenKind.Number or TokenKind.Parameter or TokenKind.QuotedName || token.Is(")") || token.Is("]")
        || (token.Kind == TokenKind.Word && !BeforeOperands.Contains(token.Value));

    /// <summary>After the operand that begins at a token; −1 for what is no such operand.</summary>
    /// <param name="tokens">The statement.</param>
    /// <param name="start">A constant, a parameter, a column, a call or a parenthesis.</param>
    /// <param name="withCasts">Whether casts behind it belong to it.</param>
    public static int OperandEnd(IReadOnlyList<Token> tokens, int start, bool withCasts = true)
    {
        if (start >= tokens.Count)
        {
            return -1;
        }

        Token first = tokens[start];
        int at = start + 1;
        if (first.Is("("))
        {
            at = Close(tokens, start);
        }
        else if (first.IsName && !BeforeOperands.Contains(first.Kind == TokenKind.Word ? first.Value : string.Empty) && !first.Is("some"))
        {
            while (at + 1 < tokens.Count && tokens[at].Is(".") && tokens[at + 1].IsName)
            {
                at += 2;
            }

            at = at < tokens.Count && tokens[at].Is("(") ? Close(tokens, at) : at;
        }
        else if (first.Kind is not (TokenKind.Text or TokenKind.Parameter))
        {
            return -1;
        }

        while (withCasts && at > 0 && at + 1 < tokens.Count && tokens[at].Is("::"))
        {
            at = CastEnd(tokens, at);
        }

        return at;
    }

    /// <summary>After the type of the cast <c>::</c> at a token.</summary>
    public static int CastEnd(IReadOnlyList<Token> tokens, int at)
    {
        at += at + 3 < tokens.Count && tokens[at + 1].Is("pg_catalog") ? 4 : 2;
        return at < tokens.Count && tokens[at].Is("(") ? Close(tokens, at) : at;
    }

    /// <summary>After the parenthesis that closes the one at a token; −1 where there is none.</summary>
    public static int Close(IReadOnlyList<Token> tokens, int open) => TokenMap.Of(tokens).CloseOf(open);

    /// <summary>A pattern of SIMILAR TO as a regular expression for the whole text.</summary>
    private static string? Similar(string pattern)
    {
        var text = new StringBuilder("(?s)\\A(?:");
        bool inBrackets = false;
        for (int i = 0; i < pattern.Length; i++)
        {
            char c = pattern[i];
            if (c == '\\')
            {
                if (i + 1 == pattern.Length)
                {
                    return null;
                }

                char next = pattern[++i];
                text.Append(char.IsLetterOrDigit(next) ? $"{next}" : next < 128 ? $"\\{next}" : $"{next}");
                continue;
            }

            inBrackets = c == '[' || (inBrackets && c != ']');
            text.Append(inBrackets ? $"{c}" : c switch { '%' => ".*", '_' => ".", '.' or '^' or '$' => $"\\{c}", '"' => "\\\"", _ => $"{c}" });
        }

        return inBrackets ? null : text.Append(")\\z").ToString();
    }
}
