using LakeHolo.FlightServer.Postgres.Wire;
using LakeHolo.Readers.Engine;

namespace LakeHolo.FlightServer.Postgres.Sql;

/// <summary>An argument of a call.</summary>
/// <param name="Tokens">Its tokens as they were written.</param>
/// <param name="Text">Its text, rewritten.</param>
internal sealed record Argument(IReadOnlyList<Token> Tokens, string Text)
{
    /// <summary>The text that it is if it is nothing but a constant text.</summary>
    public string? Constant => Tokens.Count == 1 && Tokens[0].Kind == TokenKind.Text ? Tokens[0].Value : null;

    /// <summary>The number that it is if it is nothing but a whole number.</summary>
    public int? Number => Tokens.Count is 1 or 2 && Tokens[^1].Kind == TokenKind.Number && (Tokens.Count == 1 || Tokens[0].Is("-"))
        && int.TryParse(Tokens[^1].Value, System.Globalization.CultureInfo.InvariantCulture, out int number) ? Tokens.Count == 2 ? -number : number : null;

    public bool IsParameter => Tokens.Count == 1 && Tokens[0].Kind == TokenKind.Parameter;
}

/// <summary>Calls of functions in a statement's text.</summary>
internal static class Calls
{
    /// <summary>Whether a call begins at a token, of a function without a schema or of pg_catalog's.</summary>
    public static bool Begins(IReadOnlyList<Token> tokens, int at) =>
        tokens[at].Kind == TokenKind.Word && at + 1 < tokens.Count && tokens[at + 1].Is("(") && (at == 0 || !tokens[at - 1].Is(".") || (at > 1 && tokens[at - 2].Is("pg_catalog")));

    /// <summary>The place behind a call and its arguments; null for one that does not end.</summary>
    /// <param name="statement">The statement.</param>
    /// <param name="at">The function's name.</param>
    /// <param name="rewrite">Rewrites an argument.</param>
    /// <param name="separators">What stands between arguments; the comma if nothing is said.</param>
    public static (int End, Argument[] Arguments)? Read(SqlStatement statement, int at, Func<string, string> rewrite, params ReadOnlySpan<string> separators)
    {
        IReadOnlyList<Token> tokens = statement.Tokens;
        var arguments = new List<Argument>();
        int depth = 0;
        int first = at + 2;
        for (int i = at + 1; i < tokens.Count; i++)
        {
            depth += tokens[i].Is("(") || tokens[i].Is("[") ? 1 : tokens[i].Is(")") || tokens[i].Is("]") ? -1 : 0;
            bool ends = depth == 1 && (separators.IsEmpty ? tokens[i].Is(",") : tokens[i].Kind == TokenKind.Word && separators.Contains(tokens[i].Value));
            if ((depth == 0 || ends) && i > first)
            {
                arguments.Add(new Argument([.. tokens.Take(i).Skip(first)], rewrite(statement.Text[tokens[first].Start..tokens[i - 1].End])));
                first = i + 1;
            }

            if (depth == 0)
            {
                return (i + 1, [.. arguments]);
            }
        }

        return null;
    }

    /// <summary>What follows a call and belongs to it: FILTER (…), OVER (…), OVER w.</summary>
    public static (int End, string Text) Tail(SqlStatement statement, int at, Func<string, string> rewrite)
    {
        IReadOnlyList<Token> tokens = statement.Tokens;
        int end = at;
        if (end + 1 < tokens.Count && tokens[end].Is("filter") && tokens[end + 1].Is("(") && Patterns.Close(tokens, end + 1) is > 0 and var filter)
        {
            end = filter;
        }

        if (end + 1 < tokens.Count && tokens[end].Is("over"))
        {
            end = tokens[end + 1].Is("(") && Patterns.Close(tokens, end + 1) is > 0 and var window ? window : end + 2;
        }

        return (end, end == at ? string.Empty : " " + rewrite(statement.Text[tokens[at].Start..tokens[end - 1].End]));
    }

    /// <summary>A call whose rows are a list's elements, in a FROM clause with the name of its column.</summary>
    /// <param name="statement">The statement.</param>
    /// <param name="at">The function's name.</param>
    /// <param name="end">The place behind the call.</param>
    /// <param name="list">The list.</param>
    /// <param name="column">What PostgreSQL calls the column whatever the function's alias is; null where it has the name of the function or its alias.</param>
    /// <exception cref="PgError">0A000: the alias stands for the column, whose name is another, and both are spoken of.</exception>
    public static (int End, string Text) Rows(SqlStatement statement, int at, int end, string list, string? column = null)
    {
        IReadOnlyList<Token> tokens = statement.Tokens;
        if (TokenMap.Of(tokens).ClauseOf(at) != "from")
        {
            return (end, $"unnest({list})");
        }

        if (Alias(tokens, end) is not (var after, var alias))
        {
            bool isNamed = end < tokens.Count && (tokens[end].Is("as") || tokens[end].IsName) && !IsClause(tokens[end]);
            bool isCounted = end + 1 < tokens.Count && tokens[end].Is("with") && tokens[end + 1].Is("ordinality");
            string own = SqlText.Identifier(tokens[at].Value);
            return (end, $"unnest({list})" + (isNamed || isCounted ? string.Empty : $" AS {own}({SqlText.Identifier(column ?? tokens[at].Value)})"));
        }

        string name = column ?? alias;
        if (column is not null && alias != column && Enumerable.Range(after, tokens.Count - after).Concat(Enumerable.Range(0, at)).Any(i => IsWhole(tokens, i, alias)))
        {
            name = tokens.Any(t => t.Is(column)) ? throw PgError.Unsupported($"{alias} as a value and {alias}.{column} in one statement are not supported", $"Write {alias}.{column} for both.") : alias;
        }

        return (after, $"unnest({list}) AS {SqlText.Identifier(alias)}({SqlText.Identifier(name)})");
    }

    // A name that stands alone, as a column does.
    private static bool IsWhole(IReadOnlyList<Token> tokens, int at, string name) =>
        tokens[at].IsName && tokens[at].Value == name && (at == 0 || !(tokens[at - 1].Is(".") || tokens[at - 1].Is("as"))) && !(at + 1 < tokens.Count && (tokens[at + 1].Is(".") || tokens[at + 1].Is("(")));

    /// <summary>The alias without names of columns behind a place; null where there is none.</summary>
    public static (int End, string Alias)? Alias(IReadOnlyList<Token> tokens, int at)
    {
        int name = at < tokens.Count && tokens[at].Is("as") ? at + 1 : at;
        return name < tokens.Count && tokens[name].IsName && !(name + 1 < tokens.Count && tokens[name + 1].Is("(")) && !IsClause(tokens[name]) ? (name + 1, tokens[name].Value) : null;
    }

    private static bool IsClause(Token token) => token.Kind == TokenKind.Word
        && token.Value is "where" or "join" or "left" or "right" or "full" or "inner" or "cross" or "natural" or "on" or "using" or "group" or "order"
            or "limit" or "offset" or "having" or "window" or "union" or "except" or "intersect" or "fetch" or "for" or "with" or "qualify" or "asof" or "positional";
}
