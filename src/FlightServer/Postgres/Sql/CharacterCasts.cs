using System.Globalization;
using LakeHolo.FlightServer.Postgres.Types;
using LakeHolo.FlightServer.Postgres.Wire;
using LakeHolo.Readers.Engine;

namespace LakeHolo.FlightServer.Postgres.Sql;

/// <summary>A character type with what its length is; <see cref="Length"/> null for any.</summary>
/// <param name="IsPadded">CHAR and BPCHAR, whose trailing blanks are written but do not count.</param>
/// <param name="Length">Characters.</param>
internal readonly record struct CharacterType(bool IsPadded, int? Length)
{
    /// <summary>The modifier of a column: the length and four more.</summary>
    public int Modifier => Length + 4 ?? -1;

    public PgType Type => IsPadded ? PgType.BpChar : PgType.VarChar;
}

/// <summary>Casts to VARCHAR(n), CHAR(n) and BPCHAR, which the engine takes for VARCHAR whatever the length is (PostgreSQL 15, "Character Types"): PostgreSQL cuts the text, and fills a CHAR(n) up with
/// blanks that are written but do not count in comparisons, lengths and concatenations. The engine has no such type, so blanks are added only where a cast is a column of the result.</summary>
internal static class CharacterCasts
{
    /// <summary>PostgreSQL's own limit.</summary>
    private const int MaxLength = 10_485_760;

    /// <summary>Whether a type of characters begins with a token.</summary>
    public static bool IsTypeName(Token token) => token.Kind == TokenKind.Word && token.Value is "varchar" or "char" or "character" or "bpchar" or "nchar";

    /// <summary>The text of a cast in the place of the tokens from one place on; null where there is none.</summary>
    /// <param name="statement">The statement.</param>
    /// <param name="at">Where the cast begins, with its operand or its type.</param>
    /// <param name="rewrite">Rewrites what is inside.</param>
    /// <exception cref="PgError">0A000: a text with blanks that would have to be passed over, or an operand that cannot be told. 22023: no length.</exception>
    public static (int End, string Text)? Replacement(SqlStatement statement, int at, Func<string, string> rewrite)
    {
        IReadOnlyList<Token> tokens = statement.Tokens;
        if (tokens[at].Is("::") && TypeAt(tokens, at + 1) is ({ } unreached, _) && Matters(unreached))
        {
            throw Refused(statement, at, "casts of such expressions to CHAR, BPCHAR and VARCHAR(n) are supported in parentheses, or as CAST(… AS …)");
        }

        if (tokens[at].Is("end") || (at > 0 && (tokens[at - 1].Is("::") || tokens[at - 1].Is("as") || tokens[at - 1].Is("."))))
        {
            return null;
        }

        // CAST(x AS t)
        if (tokens[at].Is("cast") && at + 1 < tokens.Count && tokens[at + 1].Is("("))
        {
            int close = Patterns.Close(tokens, at + 1) - 1;
            int word = close < 0 ? -1 : LastAs(tokens, at + 1, close);
            return word > 0 && TypeAt(tokens, word + 1) is ({ } type, var end) && end == close && Matters(type)
                ? (close + 1, Text(statement, type, (at, close + 1), (at + 2, word), rewrite))
                : null;
        }

        // t 'x'
        if (TypeAt(tokens, at) is ({ } prefix, var constant) && constant < tokens.Count && tokens[constant].Kind == TokenKind.Text)
        {
            return Matters(prefix) ? (constant + 1, Text(statement, prefix, (at, constant + 1), (constant, constant + 1), rewrite)) : null;
        }

        // x::t, of several casts the last that matters; those behind it follow the text.
        int next = tokens[at].Kind == TokenKind.Number ? at + 1 : Patterns.OperandEnd(tokens, at, withCasts: false);
        (int End, string Text)? found = null;
        while (next > 0 && next < tokens.Count && tokens[next].Is("::"))
        {
            if (TypeAt(tokens, next + 1) is ({ } type, var end))
            {
                found = Matters(type) ? (end, Text(statement, type, (at, end), (at, next), rewrite)) : found;
                next = end;
            }
            else
            {
                next = Patterns.CastEnd(tokens, next);
            }
        }

        return found;
    }

    /// <summary>The type of an expression that is such a cast; null for others.</summary>
    public static CharacterType? TypeOf(IReadOnlyList<Token> expression)
    {
        int end = expression.Count;
        if (end > 2 && expression[0].Is("cast") && Patterns.Close(expression, 1) == end)
        {
            return LastAs(expression, 1, end - 1) is > 0 and var word && TypeAt(expression, word + 1) is ({ } named, var after) && after == end - 1 ? named : null;
        }

        int cast = end - 2;
        while (cast > 0 && !expression[cast].Is("::"))
        {
            cast--;
        }

        return cast > 0 && TypeAt(expression, cast + 1) is ({ } type, var last) && last == end ? type : null;
    }

    private static bool Matters(CharacterType type) => type.IsPadded || type.Length is not null;

    private static string Text(SqlStatement statement, CharacterType type, (int From, int To) cast, (int From, int To) operand, Func<string, string> rewrite)
    {
        IReadOnlyList<Token> tokens = statement.Tokens;
        if (cast.To < tokens.Count && tokens[cast.To].Is("["))
        {
            throw Refused(statement, cast.From, "arrays of CHAR, BPCHAR and VARCHAR(n) are not supported, those of TEXT are");
        }

        if (operand.To - operand.From == 1 && tokens[operand.From].Kind == TokenKind.Text)
        {
            string cut = Cut(tokens[operand.From].Value, type.Length);
            if (!type.IsPadded || (cut.Length > 0 && cut[^1] != ' ' && (type.Length is null || cut.EnumerateRunes().Count() == type.Length)))
            {
                return SqlText.Literal(cut) + "::VARCHAR";
            }
        }

        string value = $"CAST({rewrite(statement.Text[tokens[operand.From].Start..tokens[operand.To - 1].End])} AS VARCHAR)";
        string length = type.Length?.ToString(CultureInfo.InvariantCulture) ?? string.Empty;
        if (!type.IsPadded)
        {
            return $"left({value}, {length})";
        }

        if (!IsColumnOfResult(tokens, cast) || (type.Length is null && tokens.Any(t => t.Is("distinct") || t.Is("group") || t.Is("order") || t.Is("union") || t.Is("intersect") || t.Is("except"))))
        {
            throw Refused(statement, cast.From, "CHAR and BPCHAR, whose trailing blanks do not count, are supported as columns of a result and of constants that fill them; TEXT and VARCHAR(n) are everywhere");
        }

        return type.Length is null ? value : $"rpad(left({value}, {length}), {length}, ' ')";
    }

    private static string Cut(string text, int? length)
    {
        int end = 0;
        for (int i = 0; i < length && end < text.Length; i++)
        {
            end += char.IsHighSurrogate(text[end]) && end + 1 < text.Length ? 2 : 1;
        }

        return length is null ? text : text[..end];
    }

    /// <summary>Whether some tokens are a whole item of the outermost select list.</summary>
    private static bool IsColumnOfResult(IReadOnlyList<Token> tokens, (int From, int To) item)
    {
        int depth = 0;
        bool inList = false;
        for (int i = 0; i < item.From; i++)
        {
            depth += tokens[i].Is("(") || tokens[i].Is("[") ? 1 : tokens[i].Is(")") || tokens[i].Is("]") ? -1 : 0;
            inList = depth == 0 && (tokens[i].Is("select") || (inList && !tokens[i].Is("from") && !tokens[i].Is("where") && !tokens[i].Is("order") && !tokens[i].Is("group") && !tokens[i].Is("having") && !tokens[i].Is("limit")))
                || (depth > 0 && inList);
        }

        Token before = tokens[Math.Max(item.From - 1, 0)];
        return inList && depth == 0 && (before.Is("select") || before.Is(",") || before.Is("distinct"))
            && (item.To >= tokens.Count || tokens[item.To].Is(",") || tokens[item.To].Is("as") || tokens[item.To].IsName);
    }

    private static int LastAs(IReadOnlyList<Token> tokens, int open, int close)
    {
        int depth = 0;
        for (int i = close - 1; i > open; i--)
        {
            depth += tokens[i].Is(")") ? 1 : tokens[i].Is("(") ? -1 : 0;
            if (depth == 0 && tokens[i].Is("as"))
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>The character type at a token, and what follows it; no type where there is none.</summary>
    /// <exception cref="PgError">22023: a length that PostgreSQL does not take.</exception>
    private static (CharacterType? Type, int End) TypeAt(IReadOnlyList<Token> tokens, int at)
    {
        if (at + 2 < tokens.Count && tokens[at].Is("pg_catalog") && tokens[at + 1].Is("."))
        {
            at += 2;
        }

        if (at >= tokens.Count || !IsTypeName(tokens[at]))
        {
            return (null, at);
        }

        string name = tokens[at].Value;
        int end = at + 1;
        bool varying = name == "varchar" || (name != "bpchar" && end < tokens.Count && tokens[end].Is("varying"));
        end += varying && name != "varchar" ? 1 : 0;
        int? length = varying || name == "bpchar" ? null : 1;
        if (end + 2 < tokens.Count && tokens[end].Is("(") && tokens[end + 1].Kind == TokenKind.Number && tokens[end + 2].Is(")"))
        {
            length = int.TryParse(tokens[end + 1].Value, NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n is > 0 and <= MaxLength
                ? n
                : throw new PgError("22023", $"length for type {(varying ? "varchar" : "char")} must be at least 1 and cannot exceed {MaxLength}");
            end += 3;
        }
        else if (end < tokens.Count && tokens[end].Is("(") && name == "bpchar")
        {
            return (null, at); // a call
        }

        return (new CharacterType(!varying, length), end);
    }

    private static PgError Refused(SqlStatement statement, int at, string what) => new("0A000", what) { Position = statement.Offset + statement.Tokens[at].Start + 1 };
}
