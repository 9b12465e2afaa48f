using System.Text;
using LakeHolo.FlightServer.Postgres.Sessions;
using LakeHolo.FlightServer.Postgres.Sql;
using LakeHolo.FlightServer.Postgres.Types;
using LakeHolo.FlightServer.Postgres.Wire;
using LakeHolo.Readers.Engine;

namespace LakeHolo.FlightServer.Postgres.Catalog;

/// <summary>Puts PostgreSQL's syntax of catalog statements into the engine's: qualified operators and types, casts to object ids, array literals, zero-based
/// vectors, functions of the session.</summary>
internal sealed class CatalogRewriter(PgSession session, SqlStatement statement, int depth = 0)
{
    private static readonly HashSet<string> Vectors = new(StringComparer.Ordinal) { "indkey", "indoption", "indclass", "indcollation", "proargtypes" };

    /// <summary>Pieces of the text so far.</summary>
    private readonly List<string> _out = [];

    private readonly IReadOnlyList<Token> _tokens = statement.Tokens;

    /// <summary>Settings that the statement changes when it runs.</summary>
    public List<(string Name, string Value, bool IsLocal)> Effects { get; } = [];

    /// <summary>The statement in the engine's syntax.</summary>
    /// <exception cref="PgError">54001: operands of patterns lie in each other too often.</exception>
    public string Rewrite()
    {
        if (depth > Habits.MaxDepth)
        {
            throw Habits.TooDeep();
        }

        for (int at = 0; at < _tokens.Count;)
        {
            at = Step(at);
        }

        return string.Join(' ', _out);
    }

    private bool Is(int at, string word) => at >= 0 && at < _tokens.Count && _tokens[at].Is(word);

    private string Raw(int at) => statement.Text[_tokens[at].Start.._tokens[at].End];

    private int Step(int at)
    {
        Token token = _tokens[at];
        if (token.Kind == TokenKind.Text)
        {
            return Text(at);
        }

        if (token.IsName && token.Value is "pg_catalog" or "information_schema" && Is(at + 1, "."))
        {
            if (token.Value == "information_schema" && !(at + 3 < _tokens.Count && _tokens[at + 2].Value.StartsWith("_pg_", StringComparison.Ordinal)))
            {
                _out.Add("infoschema." + Quoted(_tokens[at + 2]));
                return at + 3;
            }

            return at + 2;
        }

        if (token.Is("operator") && Is(at + 1, "("))
        {
            int op = Is(at + 2, "pg_catalog") ? at + 4 : at + 2;
            return Operator(op, op + 2);
        }

        if (Patterns.Replacement(statement, at, inner => new CatalogRewriter(session, SqlStatement.Split(inner)[0], depth + 1).Rewrite()) is { } pattern)
        {
            _out.Add(pattern.Text);
            return pattern.End;
        }

        if (token.Kind == TokenKind.Symbol && token.Value is "~~" or "!~~" or "~~*" or "!~~*")
        {
            return Operator(at, at + 1);
        }

        if (token.Is("null") && (Is(at - 1, "select") || Is(at - 1, ",")) && (at + 1 == _tokens.Count || Is(at + 1, ",") || Is(at + 1, "as") || Is(at + 1, "from"))
            && (_tokens.Take(at).Sum(t => t.Is("(") ? 1 : t.Is(")") ? -1 : 0) == 0 || IsNamedAlone(at)))
        {
            // A column of nothing is one of text, unless another select list gives the same column something.
            _out.Add("CAST(NULL AS VARCHAR)");
            return at + 1;
        }

        if (token.Is("collate"))
        {
            return Is(at + 1, "pg_catalog") ? at + 4 : at + 2;
        }

        if (token.Is("::"))
        {
            return Cast(at);
        }

        if (token.Is("cast") && Is(at + 1, "("))
        {
            return CastCall(at);
        }

        if (token.IsName && Vectors.Contains(token.Value) && Is(at + 1, "["))
        {
            int close = Close(at + 1);
            _out.Add(Raw(at));
            _out.Add("[ 1 + (");
            for (int i = at + 2; i < close;)
            {
                i = Step(i);
            }

            _out.Add(") ]");
            return close + 1;
        }

        if (token.Kind == TokenKind.Word && token.Value is "generate_series" or "unnest" or "generate_subscripts" && Is(at + 1, "(") && IsInFrom(at))
        {
            return TableFunction(at);
        }

        if (token.Kind == TokenKind.Word && token.Value is "generate_series" && Is(at + 1, "("))
        {
            // Outside of FROM the engine's gives a list.
            return Wrapped(at, "unnest");
        }

        if (token.Is("any") && Is(at - 1, "=") && Is(at + 1, "(") && at + 2 < _tokens.Count && _tokens[at + 2].IsName && !Is(at + 2, "select") && !Is(at + 2, "array"))
        {
            return Any(at);
        }

        if (token.Kind == TokenKind.Word && SessionFunction(at) is var (end, text) && end > at)
        {
            _out.Add(text);
            return end;
        }

        _out.Add(Raw(at));
        return at + 1;
    }

    private bool IsInFrom(int at)
    {
        int before = at >= 2 && Is(at - 1, ".") ? at - 3 : at - 1;
        return before >= 0 && (Is(before, "from") || Is(before, "join") || Is(before, "lateral") || (Is(before, ",") && !_out.Contains("select", StringComparer.OrdinalIgnoreCase)));
    }

    /// <summary>A call inside another one.</summary>
    private int Wrapped(int at, string outer)
    {
        int close = Close(at + 1);
        _out.Add(outer);
        _out.Add("(");
        _out.Add(Raw(at));
        for (int i = at + 1; i <= close;)
        {
            i = Step(i);
        }

        _out.Add(")");
        return close + 1;
    }

    /// <summary>Whether an inner select list names a value as no other does.</summary>
    private bool IsNamedAlone(int at) => Is(at + 1, "as") && at + 2 < _tokens.Count && !_tokens.Any(t => t.Is("union") || t.Is("except") || t.Is("intersect"))
        && Enumerable.Range(1, _tokens.Count - 1).Count(i => _tokens[i - 1].Is("as") && _tokens[i].Value == _tokens[at + 2].Value) == 1;

    /// <summary><c>x = ANY (list)</c>, which the engine makes a subquery of, where an outer join's condition cannot have one.</summary>
    private int Any(int at)
    {
        string equals = _out[^1];
        _out.RemoveAt(_out.Count - 1);
        int start = OperandStart();
        if (start > 0 && !(char.IsLetter(_out[start - 1][0]) || _out[start - 1] is "(" or ","))
        {
            // The operand of an operator that binds closer: its left side is more than what stands before the sign.
            _out.Add(equals);
            _out.Add(Raw(at));
            return at + 1;
        }

        string operand = string.Join(' ', _out.Skip(start));
        _out.RemoveRange(start, _out.Count - start);
        int close = Close(at + 1);
        for (int i = at + 2; i < close;)
        {
            i = Step(i);
        }

        string list = string.Join(' ', _out.Skip(start));
        _out.RemoveRange(start, _out.Count - start);

        // Where no element is the same, a NULL on either side makes the answer unknown.
        _out.Add("(");
        _out.Add($"CASE WHEN list_contains ( {list} , {operand} ) THEN true WHEN len ( {list} ) = 0 THEN false WHEN {operand} IS NULL OR len ( {list} ) > list_count ( {list} ) OR {list} IS NULL THEN NULL ELSE false END");
        _out.Add(")");
        return close + 1;
    }

    /// <summary>A function in FROM: its alias is the name of its column too.</summary>
    private int TableFunction(int at)
    {
        int close = Close(at + 1);
        _out.Add(Raw(at));
        for (int i = at + 1; i <= close;)
        {
            i = Step(i);
        }

        int alias = Is(close + 1, "as") ? close + 2 : close + 1;
        bool named = alias < _tokens.Count && _tokens[alias].IsName && !Is(alias + 1, "(")
            && (alias == close + 2 || _tokens[alias].Value is not ("where" or "order" or "group" or "limit" or "join" or "left" or "inner" or "cross" or "on" or "union" or "with" or "offset" or "having" or "right" or "full" or "as"));
        if (!named)
        {
            return close + 1;
        }

        _out.Add($"AS {Raw(alias)} ( {Raw(alias)} )");
        return alias + 1;
    }

    /// <summary>A string; as an array literal where an array is meant.</summary>
    private int Text(int at)
    {
        Token token = _tokens[at];
        bool cast = Is(at + 1, "::") && IsArrayCast(at + 2);
        bool any = at > 1 && Is(at - 1, "(") && (Is(at - 2, "any") || Is(at - 2, "all"));
        if (token.Value.StartsWith('{') && token.Value.EndsWith('}') && (cast || any))
        {
            _out.Add($"CAST({SqlText.Literal(ArrayText.ToList(token.Value, PgType.Text))} AS VARCHAR[])");
            return cast && any ? CastEnd(at + 1) : at + 1;
        }

        _out.Add(Raw(at));
        return at + 1;
    }

    private bool IsArrayCast(int at)
    {
        int type = Is(at, "pg_catalog") ? at + 2 : at;
        return Is(type + 1, "[");
    }

    private int Operator(int op, int next)
    {
        string name = _tokens[op].Value;
        if (name is "~*" or "!~*" && !(next < _tokens.Count && _tokens[next].Kind == TokenKind.Text))
        {
            throw PgError.Unsupported($"OPERATOR({name}) is supported with a constant on its right");
        }

        if (name is "~*" or "!~*" && next < _tokens.Count && _tokens[next].Kind == TokenKind.Text)
        {
            _out.Add(name[..^1]);
            _out.Add(SqlText.Literal("(?i)" + _tokens[next].Value));
            return next + 1;
        }

        _out.Add(name switch { "~~" => "LIKE", "!~~" => "NOT LIKE", "~~*" => "ILIKE", "!~~*" => "NOT ILIKE", _ => name });
        return next;
    }

    private int CastEnd(int at)
    {
        int i = at + 1;
        i = Is(i, "pg_catalog") ? i + 3 : i + 1;
        while (Is(i, "precision") || Is(i, "varying"))
        {
            i++;
        }

        if (Is(i, "("))
        {
            i = Close(i) + 1;
        }

        while (Is(i, "[") && Is(i + 1, "]"))
        {
            i += 2;
        }

        return i;
    }

    /// <summary>A cast: the operand is what was written before it.</summary>
    private int Cast(int at)
    {
        int end = CastEnd(at);
        Put(OperandStart(), at, end);
        return end;
    }

    /// <summary>CAST(x AS type).</summary>
    private int CastCall(int at)
    {
        int close = Close(at + 1);
        int depth = 0;
        int word = -1;
        for (int i = at + 2; i < close; i++)
        {
            depth += Is(i, "(") || Is(i, "[") ? 1 : Is(i, ")") || Is(i, "]") ? -1 : 0;
            word = depth == 0 && Is(i, "as") ? i : word;
        }

        if (word < 0)
        {
            _out.Add(Raw(at));
            return at + 1;
        }

        int start = _out.Count;
        for (int i = at + 2; i < word;)
        {
            i = Step(i);
        }

        Put(start, word, CastEnd(word));
        return close + 1;
    }

    /// <summary>Puts a cast around what was written from a place on; the type stands after a token.</summary>
    private void Put(int start, int before, int end)
    {
        int place = Is(before + 1, "pg_catalog") ? before + 3 : before + 1;
        Token type = _tokens[place];
        bool array = Is(end - 1, "]");
        string name = type.Value;
        string operand = string.Join(' ', _out.Skip(start));
        _out.RemoveRange(start, _out.Count - start);
        string reg = operand.StartsWith("pg_reg", StringComparison.Ordinal) && !operand.Contains("_name (", StringComparison.Ordinal) ? operand[..operand.IndexOf(' ', StringComparison.Ordinal)] : string.Empty;
        _out.Add((name, array) switch
        {
            ("regclass" or "regtype" or "regproc" or "regprocedure", false) => $"pg_{(name == "regprocedure" ? "regproc" : name)} ( {operand} )",
            ("text" or "varchar" or "name", false) when reg.Length > 0 => $"{reg}_name ( {operand} )",
            ("varchar", false) when Length(place, end) is { } length => $"left(CAST({operand} AS VARCHAR), {length})",
            ("char" or "character" or "bpchar", false) when type.Kind == TokenKind.QuotedName || (name != "bpchar" && place + 1 == end) => $"left(CAST({operand} AS VARCHAR), 1)",
            ("character", false) when Is(place + 1, "varying") && Length(place + 1, end) is { } length => $"left(CAST({operand} AS VARCHAR), {length})",
            ("char" or "character" or "bpchar", false) when Length(place, end) is { } length => $"rpad(left(CAST({operand} AS VARCHAR), {length}), {length}, ' ')",
            ("oid" or "regnamespace" or "regrole" or "xid", false) => $"CAST({operand} AS BIGINT)",
            ("oid" or "regclass" or "regtype", true) => $"CAST({operand} AS BIGINT[])",
            ("text" or "name" or "char" or "varchar" or "bpchar" or "cstring" or "character" or "sql_identifier" or "character_data" or "aclitem", false) => $"CAST({operand} AS VARCHAR)",
            ("text" or "name" or "char" or "varchar" or "character", true) => $"CAST({operand} AS VARCHAR[])",
            ("int2vector", _) => $"CAST({operand} AS SMALLINT[])",
            ("regconfig" or "regdictionary", _) => $"CAST({operand} AS BIGINT)",
            ("double", _) => $"CAST({operand} AS DOUBLE)",
            ("numeric" or "decimal", false) when Numerics.Replacement(_tokens, place) is { } wide => $"CAST({operand} AS {wide})",
            ("numeric" or "decimal" or "time" or "timestamp", false) => $"CAST({operand} AS {statement.Text[type.Start.._tokens[end - 1].End]})",
            _ => $"CAST({operand} AS {name}{(array ? "[]" : string.Empty)})",
        });
    }

    /// <summary>The length that a type of texts was given: <c>(n)</c> after a token.</summary>
    private string? Length(int place, int end) => place + 3 < end && Is(place + 1, "(") && _tokens[place + 2].Kind == TokenKind.Number ? _tokens[place + 2].Value : null;

    /// <summary>Where the last operand of what was written begins: a name with dots, a call, a parenthesis, a literal.</summary>
    private int OperandStart()
    {
        int at = _out.Count - 1;
        while (at >= 0)
        {
            if (_out[at] is ")" or "]" or ") ]")
            {
                int depth = 0;
                do
                {
                    depth += _out[at] switch { ")" or "]" or ") ]" => 1, "(" or "[" or "[ 1 + (" => -1, _ => 0 };
                    at--;
                }
                while (depth > 0 && at >= 0);

                if (at > 0 && _out[at].ToLowerInvariant() is "filter" or "over")
                {
                    at--;
                    continue;
                }

                // A function's name before its parenthesis, an array before its index, ARRAY before its bracket.
                if (at >= 0 && IsOperandName(_out[at]))
                {
                    continue;
                }

                return at + 1;
            }

            if (_out[at].Equals("end", StringComparison.OrdinalIgnoreCase))
            {
                int depth = 0;
                do
                {
                    depth += _out[at].ToLowerInvariant() switch { "end" => 1, "case" => -1, _ => 0 };
                    at--;
                }
                while (depth > 0 && at >= 0);
                return at + 1;
            }

            if (at > 0 && _out[at - 1] == ".")
            {
                at -= 2;
                continue;
            }

            return at;
        }

        return 0;
    }

    private static bool IsOperandName(string text) =>
        (char.IsLetter(text[0]) || text[0] is '_' or '"') && text.ToLowerInvariant() is not ("in" or "any" or "all" or "and" or "or" or "not" or "select" or "when" or "then" or "else" or "on" or "where" or "by" or "like" or "from" or "values" or "as" or "exists" or "case" or "distinct");

    private int Close(int open)
    {
        int depth = 0;
        for (int i = open; i < _tokens.Count; i++)
        {
            depth += _tokens[i].Is("(") || _tokens[i].Is("[") ? 1 : _tokens[i].Is(")") || _tokens[i].Is("]") ? -1 : 0;
            if (depth == 0)
            {
                return i;
            }
        }

        throw PgError.Syntax("syntax error at end of input");
    }

    private (int End, string Text) SessionFunction(int at)
    {
        string name = _tokens[at].Value;
        bool qualified = at > 0 && Is(at - 1, ".") && !Is(at - 2, "pg_catalog");
        bool call = Is(at + 1, "(");
        if (qualified || Is(at - 1, "as") || !SessionValues.IsKnown(name) || (!call && !SessionValues.IsKeyword(name)))
        {
            return (at, string.Empty);
        }

        if (!call)
        {
            return (at + 1, SqlText.Literal(SessionValues.Text(session, name)));
        }

        int close = Close(at + 1);
        Token[] arguments = [.. _tokens.Skip(at + 2).Take(close - at - 2).Where(t => !t.Is(",") && !t.Is("::"))];
        string? text = SessionValues.Call(session, name, arguments, Effects);
        return text is not null ? (close + 1, text) : name == "current_setting" ? (at + 1, "pgx_setting") : (at, string.Empty);
    }

    private static string Quoted(Token token) => SqlText.Identifier(token.Value);
}
