using System.Runtime.CompilerServices;

namespace LakeHolo.FlightServer.Postgres.Sql;

/// <summary>Where the parentheses of a statement end, and in which clauses its tokens stand. Both are told for all tokens at once: a statement may be megabytes of parentheses.</summary>
internal sealed class TokenMap
{
    private static readonly ConditionalWeakTable<IReadOnlyList<Token>, TokenMap> Known = [];

    private readonly int[] _closes;
    private readonly string[] _clauses;

    private TokenMap(IReadOnlyList<Token> tokens)
    {
        _closes = new int[tokens.Count];
        _clauses = new string[tokens.Count];
        var parentheses = new Stack<int>();
        var outer = new Stack<string>();
        string clause = string.Empty;
        for (int i = 0; i < tokens.Count; i++)
        {
            (_closes[i], _clauses[i]) = (-1, clause);
            Token token = tokens[i];
            if (token.Is("("))
            {
                parentheses.Push(i);
            }
            else if (token.Is(")") && parentheses.TryPop(out int open))
            {
                _closes[open] = i + 1;
            }

            if (token.Is("(") || token.Is("["))
            {
                outer.Push(clause);
                clause = string.Empty;
            }
            else if (token.Is(")") || token.Is("]"))
            {
                clause = outer.TryPop(out string? before) ? before : string.Empty;
            }
            else if (token.Kind == TokenKind.Word)
            {
                HasSetOperation |= token.Value is "union" or "intersect" or "except";
                clause = token.Value switch
                {
                    "select" => "select",
                    "from" or "join" or "lateral" => "from",
                    "where" or "in" or "values" or "by" or "having" or "limit" or "on" => string.Empty,
                    _ => clause,
                };
            }
        }
    }

    /// <summary>Whether there is a UNION, INTERSECT or EXCEPT.</summary>
    public bool HasSetOperation { get; }

    /// <summary>That of a statement's tokens.</summary>
    public static TokenMap Of(IReadOnlyList<Token> tokens) => Known.GetValue(tokens, static t => new TokenMap(t));

    /// <summary>The place behind the parenthesis that closes the one at a token; −1 where there is none.</summary>
    public int CloseOf(int open) => _closes[open];

    /// <summary>Where a token stands that is in no parenthesis of its own: <c>select</c> for a select list, <c>from</c> for a FROM, nothing for elsewhere.</summary>
    public string ClauseOf(int at) => _clauses[at];
}
