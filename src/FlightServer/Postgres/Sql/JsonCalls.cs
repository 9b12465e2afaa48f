using System.Globalization;
using LakeHolo.FlightServer.Postgres.Wire;
using LakeHolo.Readers.Engine;

namespace LakeHolo.FlightServer.Postgres.Sql;

/// <summary>PostgreSQL's functions of <c>json</c> and <c>jsonb</c> (PostgreSQL 15, "JSON Functions and Operators") in the engine's words, to which both are its one type of json.</summary>
internal static class JsonCalls
{
    /// <summary>The text in the place of a call; null for functions of other kinds.</summary>
    /// <exception cref="PgError">0A000: what the engine would do otherwise.</exception>
    public static (int End, string Text)? Replacement(SqlStatement statement, int at, Func<string, string> rewrite)
    {
        string written = statement.Tokens[at].Value;
        string name = written.StartsWith("jsonb_", StringComparison.Ordinal) ? "json_" + written[6..] : written;
        if (!(name.StartsWith("json_", StringComparison.Ordinal) || name is "to_jsonb" or "array_to_json" or "to_json"))
        {
            return null;
        }

        if (name is "json_agg" or "json_object_agg")
        {
            return Aggregate(statement, at, name, rewrite);
        }

        if (name is "json_build_object" or "json_build_array" && at + 2 < statement.Tokens.Count && statement.Tokens[at + 2].Is(")"))
        {
            return (at + 3, name == "json_build_array" ? "CAST('[]' AS JSON)" : "CAST('{}' AS JSON)");
        }

        if (Calls.Read(statement, at, rewrite) is not (var end, [var first, ..] all))
        {
            return null;
        }

        string j = first.Constant is null ? first.Text : $"CAST({first.Text} AS JSON)";
        switch (name)
        {
            case "to_jsonb" when all.Length == 1:
                return (end, $"to_json({first.Text})");
            case "json_build_object" when all.Length % 2 == 0:
                return (end, $"json_object({string.Join(", ", all.Select((a, i) => i % 2 == 0 && a.Constant is null ? $"CAST({a.Text} AS VARCHAR)" : a.Text))})");
            case "json_build_array":
                return (end, $"json_array({string.Join(", ", all.Select(a => a.Text))})");
            case "json_array_length" when all.Length == 1:
                return (end, $"CAST({Checked(j, "ARRAY", $"json_array_length({j})", "cannot get array length of a non-array")} AS INTEGER)");
            case "json_typeof" when all.Length == 1:
                return (end, $"CASE json_type({j}) WHEN 'OBJECT' THEN 'object' WHEN 'ARRAY' THEN 'array' WHEN 'VARCHAR' THEN 'string' WHEN 'BOOLEAN' THEN 'boolean' WHEN 'NULL' THEN 'null' ELSE CASE WHEN {j} IS NULL THEN NULL ELSE 'number' END END");
            case "json_array_elements" when all.Length == 1:
                return Calls.Rows(statement, at, end, Checked(j, "ARRAY", $"json_extract({j}, '$[*]')", "cannot extract elements from what is no array"), "value");
            case "json_array_elements_text" when all.Length == 1:
                return Calls.Rows(statement, at, end, Checked(j, "ARRAY", $"json_extract_string({j}, '$[*]')", "cannot extract elements from what is no array"), "value");
            case "json_object_keys" when all.Length == 1:
                return Calls.Rows(statement, at, end, Checked(j, "OBJECT", $"json_keys({j})", "cannot call json_object_keys on what is no object"));
            case "json_each" or "json_each_text" when all.Length == 1 && TokenMap.Of(statement.Tokens).ClauseOf(at) == "from":
                string value = name == "json_each" ? "lakeholo_e.value" : "json_extract_string(lakeholo_e.value, '$')";
                bool isNamed = end < statement.Tokens.Count && (statement.Tokens[end].Is("as") || Calls.Alias(statement.Tokens, end) is not null || (statement.Tokens[end].IsName && end + 1 < statement.Tokens.Count && statement.Tokens[end + 1].Is("(")));
                return (end, $"(SELECT lakeholo_e.key, {value} AS value FROM json_each({j}) AS lakeholo_e){(isNamed ? string.Empty : " AS " + SqlText.Identifier(written))}");
            case "json_extract_path" or "json_extract_path_text" when all.Length > 1 && all[1..].All(a => a.Constant is not null):
                return (end, JsonOperators.Path(j, [.. all[1..].Select(a => a.Constant!)], name == "json_extract_path_text"));
            case "json_extract_path" or "json_extract_path_text":
                throw PgError.Unsupported($"{written}() is supported with constant names only");
            default:
                return null;
        }
    }

    // An error where PostgreSQL has one; the engine would give nothing.
    private static string Checked(string json, string type, string value, string message) =>
        string.Create(CultureInfo.InvariantCulture, $"CASE WHEN json_type({json}) <> '{type}' THEN error('{message}') ELSE {value} END");

    /// <summary>json_agg(x ORDER BY y) FILTER (…) and json_object_agg(k, v ORDER BY y) FILTER (…).</summary>
    private static (int End, string Text)? Aggregate(SqlStatement statement, int at, string name, Func<string, string> rewrite)
    {
        if (Patterns.Close(statement.Tokens, at + 1) is not (> 0 and var close) || close - at < 4)
        {
            return null;
        }

        // The commas of ORDER BY are no commas of arguments.
        IReadOnlyList<Token> tokens = statement.Tokens;
        (int end, string tail) = Calls.Tail(statement, close, rewrite);
        int order = close - 1;
        int comma = -1;
        int depth = 0;
        for (int i = close - 2; i > at + 1; i--)
        {
            depth += tokens[i].Is(")") || tokens[i].Is("]") ? 1 : tokens[i].Is("(") || tokens[i].Is("[") ? -1 : 0;
            order = depth == 0 && tokens[i].Is("order") ? i : order;
            comma = depth == 0 && tokens[i].Is(",") ? i : comma;
        }

        comma = comma < order ? comma : -1;
        string Inside(int from, int to) => to <= from ? string.Empty : rewrite(statement.Text[tokens[from].Start..tokens[to - 1].End]);
        string ordered = order < close - 1 ? " " + Inside(order, close - 1) : string.Empty;
        if (name == "json_agg")
        {
            return comma > 0 ? null : (end, $"to_json(list({Inside(at + 2, order)}{ordered}){tail})");
        }

        return comma < 0 ? null
            : (end, $"to_json(map(list(CAST({Inside(at + 2, comma)} AS VARCHAR){ordered}){tail}, list({Inside(comma + 1, order)}{ordered}){tail}))");
    }
}
