namespace LakeHolo.FlightServer.Postgres.Sql;

/// <summary>An item of a select list.</summary>
/// <param name="Name">What PostgreSQL calls its column.</param>
/// <param name="HasAlias">The text names it.</param>
/// <param name="Column">The column's own name if it is nothing but a column; of some calls that of their argument.</param>
/// <param name="Function">The function's name if it is nothing but a call.</param>
/// <param name="Cast">The type's name if it is a cast.</param>
internal sealed record SelectItem(string Name, bool HasAlias, string? Column, string? Function, string? Cast)
{
    /// <summary>It is nothing but a number.</summary>
    public bool IsNumber { get; init; }

    /// <summary>It is a cast to a character type.</summary>
    public CharacterType? Characters { get; init; }
}

/// <summary>The outermost select list of a statement, from its tokens.</summary>
internal static class SelectItems
{
    /// <summary>One item for each result column; null where a star or something else does not tell.</summary>
    public static IReadOnlyList<SelectItem?> Align(SqlStatement statement, int count)
    {
        var result = new SelectItem?[count];
        List<SelectItem?> items = Read(statement.Tokens);
        int star = items.IndexOf(null);
        if (star < 0)
        {
            return items.Count == count ? items : result;
        }

        // What a star stands for is known when it is the only one.
        for (int i = 0; i < star && i < count; i++)
        {
            result[i] = items[i];
        }

        for (int i = items.Count - 1; i > items.LastIndexOf(null) && count - (items.Count - i) >= star; i--)
        {
            result[count - (items.Count - i)] = items[i];
        }

        return result;
    }

    /// <summary>The named items of all select lists inside of others: subqueries and WITH.</summary>
    public static IEnumerable<SelectItem> Inner(SqlStatement statement)
    {
        IReadOnlyList<Token> tokens = statement.Tokens;
        int outer = Start(tokens) - 1;
        for (int i = 0; i < tokens.Count; i++)
        {
            if (i != outer && tokens[i].Kind == TokenKind.Word && tokens[i].Value == "select")
            {
                int end = i;
                for (int depth = 0; end < tokens.Count && depth >= 0; end++)
                {
                    depth += tokens[end].Is("(") ? 1 : tokens[end].Is(")") ? -1 : 0;
                }

                int last = end < tokens.Count || tokens[^1].Is(")") ? end - 1 : end;
                foreach (SelectItem? item in Read([.. tokens.Skip(i).Take(last - i)]))
                {
                    if (item is { HasAlias: true })
                    {
                        yield return item;
                    }
                }
            }
        }
    }

    /// <summary>Columns that a FROM clause names behind VALUES or a series, as in <c>generate_series(1, 32) pos(n)</c>; whether they are a series of small integers.</summary>
    public static IEnumerable<(string Name, bool IsSeries)> Listed(SqlStatement statement)
    {
        IReadOnlyList<Token> tokens = statement.Tokens;
        for (int open = 1; open < tokens.Count - 1; open++)
        {
            bool series = tokens[open].Is("(") && tokens[open - 1].Is("generate_series");
            if (!series && !(tokens[open].Is("(") && tokens[open + 1].Is("values")))
            {
                continue;
            }

            int close = open;
            for (int depth = 0; close < tokens.Count; close++)
            {
                depth += tokens[close].Is("(") ? 1 : tokens[close].Is(")") ? -1 : 0;
                if (depth == 0)
                {
                    break;
                }
            }

            bool small = series && tokens.Skip(open + 1).Take(close - open - 1).All(t => t.Is(",") || (t.Kind == TokenKind.Number && t.Value.Length < 10 && t.Value.All(char.IsAsciiDigit)));
            int alias = close + 1 < tokens.Count && tokens[close + 1].Is("as") ? close + 2 : close + 1;
            for (int name = alias + 2; alias + 1 < tokens.Count && tokens[alias + 1].Is("(") && name < tokens.Count && !tokens[name].Is(")"); name++)
            {
                if (tokens[name].IsName)
                {
                    yield return (tokens[name].Value, small);
                }
            }
        }
    }

    private static List<SelectItem?> Read(IReadOnlyList<Token> tokens)
    {
        var items = new List<SelectItem?>();
        int at = Start(tokens);
        if (at < 0)
        {
            return items;
        }

        if (at < tokens.Count && tokens[at].Is("distinct"))
        {
            at++;
        }

        var current = new List<Token>();
        int depth = 0;
        for (; at < tokens.Count; at++)
        {
            Token t = tokens[at];
            depth += t.Is("(") || t.Is("[") || t.Is("{") ? 1 : t.Is(")") || t.Is("]") || t.Is("}") ? -1 : 0;
            if (depth == 0 && t.Kind == TokenKind.Word && t.Value is "from" or "where" or "union" or "except" or "intersect" or "order" or "limit" or "group" or "having" or "offset" or "window" or "fetch" or "for"
                && !(current.Count > 0 && ((t.Value == "group" && current[^1].Is("within")) || (t.Value == "from" && current[^1].Is("distinct")))))
            {
                break;
            }

            if (depth == 0 && t.Is(","))
            {
                items.Add(Item(current));
                current = [];
            }
            else
            {
                current.Add(t);
            }
        }

        items.Add(Item(current));
        return items;
    }

    /// <summary>After the SELECT that is in no parentheses.</summary>
    private static int Start(IReadOnlyList<Token> tokens)
    {
        int depth = 0;
        for (int i = 0; i < tokens.Count; i++)
        {
            depth += tokens[i].Is("(") ? 1 : tokens[i].Is(")") ? -1 : 0;
            if (depth == 0 && tokens[i].Kind == TokenKind.Word && tokens[i].Value == "select")
            {
                return i + 1;
            }
        }

        return -1;
    }

    private static SelectItem? Item(List<Token> tokens)
    {
        if (tokens.Count == 0 || tokens[^1].Is("*") && (tokens.Count == 1 || tokens[^2].Is(".")))
        {
            return null;
        }

        string? alias = null;
        int end = tokens.Count;
        if (end > 2 && tokens[^2].Is("as") && tokens[^1].IsName)
        {
            alias = tokens[^1].Value;
            end -= 2;
        }
        else if (end > 1 && tokens[^1].IsName && !tokens[^1].Is("end") && !tokens[^1].Is("null") && !tokens[^1].Is("isnull") && !tokens[^1].Is("notnull") && (tokens[^2].IsName && !tokens[^2].Is("is") && !tokens[^2].Is("not") || tokens[^2].Kind is TokenKind.Text or TokenKind.Number or TokenKind.Parameter || tokens[^2].Is(")") || tokens[^2].Is("]"))
            && !(end > 2 && ((tokens[^3].Is("::") && IsTypeTail(tokens[^1].Value)) || (tokens[^3].Is("interval") && IsUnit(tokens[^1])))))
        {
            alias = tokens[^1].Value;
            end -= 1;
        }

        // f(…) OVER w: the name of a window is no alias.
        if (alias is not null && end == tokens.Count - 1 && tokens[^2].Is("over"))
        {
            (alias, end) = (null, tokens.Count);
        }

        List<Token> expression = tokens.GetRange(0, end);
        (string name, string? column, string? function, string? cast) = Kind(expression);
        CharacterType? characters = cast is null ? null : CharacterCasts.TypeOf(expression);
        name = characters is { } type && name == TypeName(cast!) ? type.Type.Name : name;
        return new SelectItem(alias ?? name, alias is not null, column, function, cast) { IsNumber = end == 1 && tokens[0].Kind == TokenKind.Number, Characters = characters };
    }

    private static bool IsUnit(Token token) => token.Kind == TokenKind.Word && token.Value is "year" or "month" or "day" or "hour" or "minute" or "second";

    private static bool IsTypeTail(string word) => word is "precision" or "varying" or "zone" or "time" or "without" or "with";

    private static (string Name, string? Column, string? Function, string? Cast) Kind(List<Token> tokens)
    {
        if (tokens.Count == 0)
        {
            return ("?column?", null, null, null);
        }

        if (tokens[0].Is("case") && tokens[^1].Is("end"))
        {
            return Case(tokens);
        }

        // x::type, at the end and outside of parentheses.
        int depth = 0;
        for (int i = tokens.Count - 1; i > 0; i--)
        {
            depth += tokens[i].Is(")") || tokens[i].Is("]") ? 1 : tokens[i].Is("(") || tokens[i].Is("[") ? -1 : 0;
            if (depth == 0 && tokens[i].Is("::"))
            {
                if (HasOperator(tokens, i) || !IsType(tokens, i + 1))
                {
                    return ("?column?", null, null, null);
                }

                (string inside, _, _, string? innerCast) = Kind(tokens.GetRange(0, i));
                string type = string.Join(' ', tokens.Skip(i + 1).Where(t => !t.Is("pg_catalog") && !t.Is(".")).TakeWhile(t => !t.Is("(")).Select(t => t.Value)).Replace(" [ ]", "[]", StringComparison.Ordinal)
                    + (tokens[^1].Is("]") && tokens.Any(t => t.Is("(")) ? "[]" : string.Empty);
                bool isNamed = inside is not ("?column?" or "case") && !(i == 1 && tokens[0].Kind == TokenKind.Word && tokens[0].Value is "true" or "false") && !(innerCast is not null && inside == TypeName(innerCast));
                return (isNamed ? inside : TypeName(type), null, null, type);
            }
        }

        if (tokens.Count > 2 && tokens[0].Is("array") && tokens[1].Is("[") && tokens[^1].Is("]") && !HasOperator(tokens, tokens.Count) && tokens.Skip(2).All(t => !t.Is("[")))
        {
            return ("array", null, null, null);
        }

        if (Typed(tokens) is { } constant)
        {
            return (constant, null, null, constant);
        }

        int zone = tokens.FindLastIndex(t => t.Is("zone"));
        if (zone > 2 && tokens[zone - 1].Is("time") && tokens[zone - 2].Is("at"))
        {
            return (HasOperator(tokens, tokens.Count) || tokens.Skip(zone).Any(t => t.Is(",")) ? "?column?" : "timezone", null, null, null);
        }

        // (…)[1] has the name of what it is a part of, (…).f that of the part.
        if (tokens[0].Is("(") && Patterns.Close(tokens, 0) is > 1 and var inner && inner < tokens.Count)
        {
            if (tokens[inner].Is("[") && tokens[^1].Is("]") && tokens.FindLastIndex(t => t.Is("[")) == inner)
            {
                return (Kind(tokens.GetRange(1, inner - 2)).Name, null, null, null);
            }

            if (tokens[inner].Is(".") && inner + 2 == tokens.Count && tokens[^1].IsName)
            {
                return (tokens[^1].Value, null, null, null);
            }
        }

        if (tokens[0].Is("(") && tokens.Count > 2 && (tokens[1].Is("select") || tokens[1].Is("with")) && Closes(tokens, 0) && tokens[^1].Is(")"))
        {
            return Read(tokens.GetRange(1, tokens.Count - 2)).FirstOrDefault() is { } item ? (item.Name, item.Column, item.Function, item.Cast) : ("?column?", null, null, null);
        }

        if (tokens[0].Is("("))
        {
            return tokens[^1].Is(")") && tokens.Count > 2 && Closes(tokens, 0) ? Kind(tokens.GetRange(1, tokens.Count - 2)) : ("?column?", null, null, null);
        }

        if (tokens.Count == 1 && tokens[0].Kind == TokenKind.Word && tokens[0].Value is "true" or "false")
        {
            return ("bool", null, null, null);
        }

        if (tokens.Count == 1 && tokens[0].Is("null"))
        {
            return ("?column?", null, null, null);
        }

        // a, a.b, a.b.c; f(…), s.f(…)
        int at = 0;
        while (at < tokens.Count && tokens[at].IsName)
        {
            if (at + 1 == tokens.Count)
            {
                return tokens[at].Is("current_user") || tokens[at].Is("session_user") || tokens[at].Is("user") || tokens[at].Is("current_catalog") || tokens[at].Is("current_date") || tokens[at].Is("current_timestamp")
                    ? (tokens[at].Value, null, tokens[at].Value, null)
                    : (tokens[at].Value, tokens[at].Value, null, null);
            }

            if (tokens[at + 1].Is(".") && at + 2 < tokens.Count)
            {
                at += 2;
                continue;
            }

            if (tokens[at + 1].Is("(") && Closes(tokens, at + 1))
            {
                return tokens[at].Is("cast") ? Cast(tokens, at) : tokens[at].Is("exists") ? ("exists", null, null, null)
                    : tokens[at].Is("trim") ? (TrimName(tokens[at + 2]), null, null, null) : (tokens[at].Value, Argument(tokens, at), tokens[at].Value, null);
            }

            break;
        }

        return ("?column?", null, null, null);
    }

    /// <summary>Whether nothing but a type follows from a place on.</summary>
    private static bool IsType(List<Token> tokens, int at)
    {
        for (int i = at; i < tokens.Count; i++)
        {
            Token t = tokens[i];
            bool isPart = i == at ? t.IsName : (t.IsName && (tokens[i - 1].Is(".") || IsTypeTail(t.Value))) || t.Is(".") || t.Is("(") || t.Is(")") || t.Is("[") || t.Is("]") || (t.Kind == TokenKind.Number && !tokens[i - 1].IsName) || (t.Is(",") && tokens[i - 1].Kind == TokenKind.Number);
            if (!isPart)
            {
                return false;
            }
        }

        return at < tokens.Count;
    }

    /// <summary>The name of a constant with its type before it: <c>date '2024-01-01'</c>, <c>interval '1' day</c>.</summary>
    private static string? Typed(List<Token> tokens)
    {
        int text = tokens.FindIndex(t => t.Kind == TokenKind.Text);
        if (text < 1 || tokens[0].Kind != TokenKind.Word || Types.PgType.Find(tokens[0].Value) is not { } type || !IsType(tokens[..text], 0))
        {
            return null;
        }

        bool isUnit = tokens[0].Is("interval") && tokens.Skip(text + 1).All(t => IsUnit(t) || t.Is("to"));
        return text + 1 == tokens.Count || isUnit ? TypeName(string.Join(' ', tokens.Take(text).TakeWhile(t => !t.Is("(")).Select(t => t.Value))) is var name && Types.PgType.Find(name) is not null ? name : type.Name : null;
    }

    /// <summary>The column that decides about the type of a call.</summary>
    private static string? Argument(List<Token> tokens, int at)
    {
        if (tokens[at].Value is not ("array_agg" or "coalesce" or "nullif" or "array"))
        {
            return null;
        }

        List<Token> inner = [.. tokens.Skip(at + 2).TakeWhile(t => !t.Is(",") && !t.Is("order"))];
        inner = inner.Count > 0 && inner[^1].Is(")") && !inner.Any(t => t.Is("(")) ? inner[..^1] : inner;
        return inner.Count == 0 ? null : inner[0].Is("select") ? Read(inner).FirstOrDefault()?.Column : Kind(inner).Column;
    }

    /// <summary>A CASE has the name of its ELSE, where that is a column or a call, and the type of what its first THEN gives, or else of that ELSE.</summary>
    private static (string, string?, string?, string?) Case(List<Token> tokens)
    {
        int depth = 0;
        int last = -1;
        int then = -1;
        int end = -1;
        for (int i = 1; i < tokens.Count - 1; i++)
        {
            depth += tokens[i].Is("(") || tokens[i].Is("case") ? 1 : tokens[i].Is(")") || tokens[i].Is("end") ? -1 : 0;
            last = depth == 0 && tokens[i].Is("else") ? i : last;
            end = depth == 0 && end < 0 && then > 0 && (tokens[i].Is("when") || tokens[i].Is("else")) ? i : end;
            then = depth == 0 && then < 0 && tokens[i].Is("then") ? i : then;
        }

        (_, string? column, string? function, string? type) = then < 0 ? default : Kind(tokens.GetRange(then + 1, (end < 0 ? tokens.Count - 1 : end) - then - 1));
        if (last < 0)
        {
            return ("case", column, function, type);
        }

        (string name, string? elseColumn, string? elseFunction, string? cast) = Kind(tokens.GetRange(last + 1, tokens.Count - last - 2));
        if (column is null && function is null && type is null)
        {
            (column, function, type) = (elseColumn, elseFunction, cast);
        }

        return (name is "?column?" or "bool" || (cast is not null && name == TypeName(cast)) ? "case" : name, column, function, type);
    }

    private static string TrimName(Token first) => first.Is("trailing") ? "rtrim" : first.Is("leading") ? "ltrim" : "btrim";

    private static (string, string?, string?, string?) Cast(List<Token> tokens, int at)
    {
        int last = tokens.FindLastIndex(t => t.Is("as"));
        string type = last > 0 ? string.Join(' ', tokens.Skip(last + 1).Take(tokens.Count - last - 2).TakeWhile(t => !t.Is("(")).Select(t => t.Value)).Replace(" [ ]", "[]", StringComparison.Ordinal) : "text";
        (string inner, _, _, _) = last > at + 2 ? Kind(tokens.GetRange(at + 2, last - at - 2)) : ("?column?", null, null, null);
        return (inner != "?column?" ? inner : TypeName(type), null, null, type);
    }

    // An array's type is called as that of its elements.
    private static string TypeName(string type) => Types.PgType.Find(type) is { } known ? (known.Element ?? known).Name : type.ToLowerInvariant();

    private static bool HasOperator(List<Token> tokens, int before)
    {
        int depth = 0;
        for (int i = 0; i < before; i++)
        {
            depth += tokens[i].Is("(") || tokens[i].Is("[") ? 1 : tokens[i].Is(")") || tokens[i].Is("]") ? -1 : 0;
            if (depth == 0 && ((tokens[i].Kind == TokenKind.Symbol && tokens[i].Value is not ("(" or ")" or "[" or "]" or "." or "::" or ","))
                || (tokens[i].Kind == TokenKind.Word && tokens[i].Value is "not" or "and" or "or" or "is" or "like" or "ilike" or "between" or "in")))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether a parenthesis closes at the very end (an OVER or FILTER clause after it is part of the call).</summary>
    private static bool Closes(List<Token> tokens, int open)
    {
        int depth = 0;
        for (int i = open; i < tokens.Count; i++)
        {
            depth += tokens[i].Is("(") ? 1 : tokens[i].Is(")") ? -1 : 0;
            if (depth == 0)
            {
                return i == tokens.Count - 1 || tokens[i + 1].Is("over") || tokens[i + 1].Is("filter") || tokens[i + 1].Is("within");
            }
        }

        return false;
    }
}
