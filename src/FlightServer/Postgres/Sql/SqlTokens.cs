using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Sql;

internal enum TokenKind
{
    Word,
    QuotedName,
    Text,
    Number,
    Parameter,
    Symbol,
}

/// <summary>A piece of a statement's text.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Start">Where it begins in the text.</param>
/// <param name="Length">Its length.</param>
/// <param name="Value">A word in small letters, a name without quotes, the content of a string, an operator.</param>
internal readonly record struct Token(TokenKind Kind, int Start, int Length, string Value)
{
    public int End => Start + Length;

    public bool Is(string word) => Kind is TokenKind.Word or TokenKind.Symbol && Value == word;

    public bool IsName => Kind is TokenKind.Word or TokenKind.QuotedName;
}

/// <summary>Cuts text into tokens as PostgreSQL does: strings with doubled quotes, E'…', $tag$…$tag$, quoted names, nested comments.</summary>
internal static class SqlTokens
{
    private static readonly System.Buffers.SearchValues<char> KeepsSign = System.Buffers.SearchValues.Create("~!@#%^&|`?");

    private const string OperatorCharacters = "+-*/<>=~!@#%^&|`?";

    public static List<Token> Read(string sql)
    {
        var tokens = new List<Token>();
        int at = 0;
        while (true)
        {
            at = SkipBlank(sql, at);
            if (at >= sql.Length)
            {
                return tokens;
            }

            Token token = Next(sql, at);
            tokens.Add(token);
            at = token.End;
        }
    }

    private static Token Next(string sql, int at)
    {
        char c = sql[at];
        char next = at + 1 < sql.Length ? sql[at + 1] : '\0';
        if (c == '\'')
        {
            return Text(sql, at, at, escapes: false);
        }

        if (next == '\'' && c is 'e' or 'E')
        {
            return Text(sql, at, at + 1, escapes: true);
        }

        if (c == '"')
        {
            return QuotedName(sql, at);
        }

        if (c == '$')
        {
            return Dollar(sql, at);
        }

        if (char.IsLetter(c) || c == '_' || c > 127)
        {
            int end = at + 1;
            while (end < sql.Length && (char.IsLetterOrDigit(sql[end]) || sql[end] is '_' or '$' || sql[end] > 127))
            {
                end++;
            }

            return new Token(TokenKind.Word, at, end - at, sql[at..end].ToLowerInvariant());
        }

        if (char.IsAsciiDigit(c) || (c == '.' && char.IsAsciiDigit(next)))
        {
            return Number(sql, at);
        }

        return Symbol(sql, at);
    }

    private static Token Symbol(string sql, int at)
    {
        if (sql[at] == ':' && at + 1 < sql.Length && sql[at + 1] is ':' or '=')
        {
            return new Token(TokenKind.Symbol, at, 2, sql.Substring(at, 2));
        }

        int end = at;
        while (end < sql.Length && OperatorCharacters.Contains(sql[end], StringComparison.Ordinal)
            && !(end > at && IsComment(sql, end)))
        {
            end++;
        }

        // "a=-1": an operator of several characters ends in + or - only if it has one of these.
        while (end - at > 1 && sql[end - 1] is '+' or '-' && sql.AsSpan(at, end - at).IndexOfAny(KeepsSign) < 0)
        {
            end--;
        }

        end = Math.Max(end, at + 1);
        return new Token(TokenKind.Symbol, at, end - at, sql[at..end]);
    }

    private static bool IsComment(string sql, int at) =>
        at + 1 < sql.Length && ((sql[at] == '-' && sql[at + 1] == '-') || (sql[at] == '/' && sql[at + 1] == '*'));

    private static Token Number(string sql, int at)
    {
        int end = at;
        while (end < sql.Length && (char.IsAsciiLetterOrDigit(sql[end]) || sql[end] is '.' or '_'
            || (sql[end] is '+' or '-' && sql[end - 1] is 'e' or 'E' && end > at)))
        {
            if (sql[end] == '.' && end + 1 < sql.Length && sql[end + 1] == '.')
            {
                break;
            }

            end++;
        }

        return new Token(TokenKind.Number, at, end - at, sql[at..end]);
    }

    private static Token Text(string sql, int start, int quote, bool escapes)
    {
        var value = new System.Text.StringBuilder();
        int at = quote + 1;
        while (at < sql.Length)
        {
            if (sql[at] == '\'' && at + 1 < sql.Length && sql[at + 1] == '\'')
            {
                value.Append('\'');
                at += 2;
            }
            else if (sql[at] == '\'')
            {
                return new Token(TokenKind.Text, start, at + 1 - start, value.ToString());
            }
            else if (escapes && sql[at] == '\\' && at + 1 < sql.Length)
            {
                value.Append(sql[at + 1] switch { 'n' => '\n', 't' => '\t', 'r' => '\r', 'b' => '\b', 'f' => '\f', var c => c });
                at += 2;
            }
            else
            {
                value.Append(sql[at++]);
            }
        }

        throw PgError.Syntax($"unterminated quoted string at or near \"{Short(sql, start)}\"", start + 1);
    }

    private static Token QuotedName(string sql, int start)
    {
        var value = new System.Text.StringBuilder();
        int at = start + 1;
        while (at < sql.Length)
        {
            if (sql[at] == '"' && at + 1 < sql.Length && sql[at + 1] == '"')
            {
                value.Append('"');
                at += 2;
            }
            else if (sql[at] == '"')
            {
                return new Token(TokenKind.QuotedName, start, at + 1 - start, value.ToString());
            }
            else
            {
                value.Append(sql[at++]);
            }
        }

        throw PgError.Syntax($"unterminated quoted identifier at or near \"{Short(sql, start)}\"", start + 1);
    }

    private static Token Dollar(string sql, int at)
    {
        int end = at + 1;
        while (end < sql.Length && (char.IsLetterOrDigit(sql[end]) || sql[end] == '_'))
        {
            end++;
        }

        bool digits = end > at + 1 && sql.AsSpan(at + 1, end - at - 1).IndexOfAnyExceptInRange('0', '9') < 0;
        if (digits)
        {
            return new Token(TokenKind.Parameter, at, end - at, sql[(at + 1)..end]);
        }

        if (end < sql.Length && sql[end] == '$')
        {
            string tag = sql[at..(end + 1)];
            int close = sql.IndexOf(tag, end + 1, StringComparison.Ordinal);
            return close >= 0
                ? new Token(TokenKind.Text, at, close + tag.Length - at, sql[(end + 1)..close])
                : throw PgError.Syntax($"unterminated dollar-quoted string at or near \"{Short(sql, at)}\"", at + 1);
        }

        return new Token(TokenKind.Symbol, at, 1, "$");
    }

    private static int SkipBlank(string sql, int at)
    {
        while (at < sql.Length)
        {
            if (char.IsWhiteSpace(sql[at]))
            {
                at++;
            }
            else if (sql[at] == '-' && at + 1 < sql.Length && sql[at + 1] == '-')
            {
                int end = sql.IndexOf('\n', at);
                at = end < 0 ? sql.Length : end + 1;
            }
            else if (sql[at] == '/' && at + 1 < sql.Length && sql[at + 1] == '*')
            {
                at = SkipComment(sql, at);
            }
            else
            {
                break;
            }
        }

        return at;
    }

    private static int SkipComment(string sql, int start)
    {
        int depth = 0;
        for (int at = start; at + 1 < sql.Length; at++)
        {
            if (sql[at] == '/' && sql[at + 1] == '*')
            {
                depth++;
                at++;
            }
            else if (sql[at] == '*' && sql[at + 1] == '/')
            {
                depth--;
                at++;
                if (depth == 0)
                {
                    return at + 1;
                }
            }
        }

        throw PgError.Syntax("unterminated /* comment", start + 1);
    }

    private static string Short(string sql, int at) => sql[at..Math.Min(sql.Length, at + 40)];
}

/// <summary>One statement of a text.</summary>
/// <param name="Text">Its text without the semicolon.</param>
/// <param name="Offset">Where it begins in the whole text.</param>
/// <param name="Tokens">Its tokens, whose places are those in <paramref name="Text"/>.</param>
internal sealed record SqlStatement(string Text, int Offset, IReadOnlyList<Token> Tokens)
{
    /// <summary>Parentheses in each other; the engine's own limit of expressions in each other is as much.</summary>
    private const int MaxNesting = 1_000;

    public bool StartsWith(params ReadOnlySpan<string> words)
    {
        for (int i = 0; i < words.Length; i++)
        {
            if (i >= Tokens.Count || !Tokens[i].Is(words[i]))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The statements of a text; empty ones are left out.</summary>
    /// <exception cref="PgError">54001: parentheses lie in each other too deep.</exception>
    public static List<SqlStatement> Split(string sql)
    {
        var statements = new List<SqlStatement>();
        var current = new List<Token>();
        int depth = 0;
        foreach (Token token in SqlTokens.Read(sql))
        {
            if (token.Kind == TokenKind.Symbol)
            {
                depth += token.Value is "(" or "[" ? 1 : token.Value is ")" or "]" ? -1 : 0;
                if (depth > MaxNesting)
                {
                    throw new PgError("54001", $"the statement is too complex: more than {MaxNesting} parentheses lie in each other") { Position = token.Start + 1 };
                }

                if (token.Value == ";" && depth <= 0)
                {
                    Add();
                    depth = 0;
                    continue;
                }
            }

            current.Add(token);
        }

        Add();
        return statements;

        void Add()
        {
            if (current.Count > 0)
            {
                int start = current[0].Start;
                statements.Add(new SqlStatement(sql[start..current[^1].End], start, [.. current.Select(t => t with { Start = t.Start - start })]));
                current.Clear();
            }
        }
    }
}
