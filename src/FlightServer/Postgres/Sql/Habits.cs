using System.Text;
using LakeHolo.FlightServer.Postgres.Sessions;
using LakeHolo.FlightServer.Postgres.Wire;
using LakeHolo.Readers.Engine;

namespace LakeHolo.FlightServer.Postgres.Sql;

/// <summary>What PostgreSQL's clients write by habit, in the engine's words.</summary>
internal static class Habits
{
    /// <summary>How deep calls and operands that are rewritten may lie in each other.</summary>
    internal const int MaxDepth = 200;

    /// <summary>Arguments that are written more than once in the engine's words may make a text this many times as long, and this much longer: nested in each other they would grow without end.</summary>
    private const int MaxGrowth = 64;
    private const int MaxRoom = 1 << 20;

    private static readonly Dictionary<string, string> Types = new(StringComparer.Ordinal)
    {
        ["jsonb"] = "JSON",
        ["name"] = "VARCHAR",
        ["oid"] = "BIGINT",
        ["float"] = "DOUBLE",
    };

    /// <summary>A statement in the engine's words.</summary>
    /// <param name="statement">The statement.</param>
    /// <param name="now">What <c>'now'</c> and <c>'today'</c> mean, UTC.</param>
    /// <exception cref="PgError">0A000: what the engine would do otherwise. 54001: too much of it in each other.</exception>
    public static SqlStatement Rewrite(SqlStatement statement, DateTime now) => Rewrite(statement, new Context(now, IsQuery(statement.Tokens[0])));

    private static SqlStatement Rewrite(SqlStatement statement, Context context)
    {
        var text = new StringBuilder();
        int copied = 0;
        IReadOnlyList<Token> tokens = statement.Tokens;
        bool namesCharacters = tokens.Any(CharacterCasts.IsTypeName);
        bool namesJson = JsonOperators.AreIn(tokens);
        for (int i = 0; i < tokens.Count; i++)
        {
            if (Replacement(statement, i, context, namesCharacters, namesJson) is var (end, replacement))
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
    private static (int End, string Text)? Replacement(SqlStatement statement, int at, Context context, bool namesCharacters, bool namesJson)
    {
        IReadOnlyList<Token> tokens = statement.Tokens;
        bool Is(int i, string word) => i < tokens.Count && tokens[i].Is(word);
        Token token = tokens[at];

        Func<string, string> inside = context.Inside;
        if (namesCharacters && CharacterCasts.Replacement(statement, at, inside) is { } characters)
        {
            return characters;
        }

        if (namesJson && JsonOperators.Replacement(statement, at, inside) is { } json)
        {
            return json;
        }

        JsonOperators.Refuse(statement, at);
        if (Values(statement, at, inside) is { } values)
        {
            return values;
        }

        // A NULL of no type is text in a result.
        if (context.IsQuery && token.Is("null") && at > 0 && (tokens[at - 1].Is("select") || tokens[at - 1].Is(",")) && (at + 1 == tokens.Count || Is(at + 1, ",") || Is(at + 1, "as") || Is(at + 1, "from"))
            && TokenMap.Of(tokens).ClauseOf(at) == "select" && !TokenMap.Of(tokens).HasSetOperation)
        {
            return (at + 1, "CAST(NULL AS VARCHAR)");
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

        if (Constants.Replacement(tokens, at, context.Now) is { } constant)
        {
            return constant;
        }

        if (token.Is("between") && Is(at + 1, "symmetric"))
        {
            return Symmetric(statement, at, inside);
        }

        if ((at == 0 || !tokens[at - 1].Is("as") || IsInCast(tokens, at - 1)) && Numerics.Replacement(tokens, at) is { } number)
        {
            return (at + 1, number);
        }

        if ((Patterns.Like(statement, at, inside) ?? Patterns.Replacement(statement, at, inside)) is { } pattern)
        {
            return pattern;
        }

        if (context.IsQuery && OtherNames.Replacement(statement, at, inside) is { } other)
        {
            return other;
        }

        if (at == 1 && token.Is("(") && tokens[0].Is("explain"))
        {
            return ExplainOptions(tokens);
        }

        if (token.Kind == TokenKind.Word && token.Value is "to_char" or "to_date" or "to_timestamp" && Is(at + 1, "(") && (at == 0 || !tokens[at - 1].Is(".") || tokens[at - 2].Is("pg_catalog")))
        {
            return Formatted(statement, at, inside);
        }

        return null;
    }

    /// <exception cref="PgError">22023: no hexadecimal digits. 0A000: the form with octal digits.</exception>
    internal static string Bytes(string text)
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

    /// <summary>Columns of VALUES in a FROM clause that names none are column1, column2, ….</summary>
    private static (int End, string Text)? Values(SqlStatement statement, int at, Func<string, string> rewrite)
    {
        IReadOnlyList<Token> tokens = statement.Tokens;
        if (!tokens[at].Is("(") || at + 2 >= tokens.Count || !tokens[at + 1].Is("values") || !tokens[at + 2].Is("(") || TokenMap.Of(tokens).ClauseOf(at) != "from"
            || Patterns.Close(tokens, at) is not (> 0 and var close) || Calls.Alias(tokens, close) is not (var end, var alias))
        {
            return null;
        }

        int depth = 0;
        int columns = 1;
        for (int i = at + 2; i < close; i++)
        {
            depth += tokens[i].Is("(") || tokens[i].Is("[") ? 1 : tokens[i].Is(")") || tokens[i].Is("]") ? -1 : 0;
            columns += depth == 1 && tokens[i].Is(",") ? 1 : 0;
            if (depth == 0)
            {
                break;
            }
        }

        string names = string.Join(", ", Enumerable.Range(1, columns).Select(c => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"column{c}")));
        return (end, $"({rewrite(statement.Text[tokens[at + 1].Start..tokens[close - 2].End])}) AS {SqlText.Identifier(alias)}({names})");
    }

    /// <summary>x BETWEEN SYMMETRIC a AND b; null where its end is not seen.</summary>
    private static (int End, string Text)? Symmetric(SqlStatement statement, int at, Func<string, string> rewrite)
    {
        IReadOnlyList<Token> tokens = statement.Tokens;
        int and = at + 2;
        for (int depth = 0; and < tokens.Count && !(depth == 0 && tokens[and].Is("and")); and++)
        {
            depth += tokens[and].Is("(") ? 1 : tokens[and].Is(")") ? -1 : 0;
        }

        int end = and + 1 < tokens.Count && tokens[and + 1].Kind == TokenKind.Number ? and + 2 : Patterns.OperandEnd(tokens, and + 1);
        if (and == at + 2 || end < 0)
        {
            return null;
        }

        string a = rewrite(statement.Text[tokens[at + 2].Start..tokens[and - 1].End]);
        string b = rewrite(statement.Text[tokens[and + 1].Start..tokens[end - 1].End]);
        return (end, $"BETWEEN CASE WHEN {a} <= {b} THEN {a} WHEN {a} > {b} THEN {b} END AND CASE WHEN {a} <= {b} THEN {b} WHEN {a} > {b} THEN {a} END");
    }

    /// <summary>A call with an expression and a template; null for others.</summary>
    /// <exception cref="PgError">0A000: the template is not a constant.</exception>
    private static (int End, string Text)? Formatted(SqlStatement statement, int at, Func<string, string> rewrite)
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
        string expression = rewrite(inner);
        string template = tokens[comma + 1].Value;
        return (close + 1, tokens[at].Value switch
        {
            "to_char" => NumberFormats.IsNumeric(template) ? NumberFormats.ToChar(expression, template) : TimeFormats.ToChar(expression, template),
            "to_date" => $"CAST(strptime({expression}, {SqlText.Literal(TimeFormats.ToParse(template))}) AS DATE)",
            _ => $"CAST(strptime({expression}, {SqlText.Literal(TimeFormats.ToParse(template))}) AS TIMESTAMPTZ)",
        });
    }

    internal static PgError TooDeep() => new("54001", $"the statement is too complex: more than {MaxDepth} functions or operators that are rewritten lie in each other");

    /// <summary>Refuses a text that grew out of all proportion to what was written.</summary>
    /// <exception cref="PgError">54001.</exception>
    internal static string Bounded(string text, int written) =>
        text.Length <= MaxRoom + ((long)MaxGrowth * written) ? text : throw new PgError("54001", "the statement is too complex: functions or operators that are rewritten lie in each other too often");

    /// <summary>What holds for a whole statement.</summary>
    private sealed class Context(DateTime now, bool isQuery)
    {
        // Calls in calls are looked at from each of those around them.
        private readonly Dictionary<string, string> _known = new(StringComparer.Ordinal);
        private int _depth;

        public DateTime Now => now;

        /// <summary>Whether it has rows of its own.</summary>
        public bool IsQuery => isQuery;

        /// <summary>Rewrites an argument or an operand.</summary>
        public string Inside(string inner)
        {
            if (_known.TryGetValue(inner, out string? known))
            {
                return known;
            }

            if (_depth == MaxDepth)
            {
                throw TooDeep();
            }

            _depth++;
            string text = SqlStatement.Split(inner) is [var only] ? Bounded(Rewrite(only, this).Text, inner.Length) : inner;
            _depth--;
            return _known[inner] = text;
        }
    }
}
