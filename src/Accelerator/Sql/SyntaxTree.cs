using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using DuckDB.NET.Data;
using LakeHolo.Accelerator.Access;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Accelerator.Sql;

/// <summary>A SELECT statement as the engine's own syntax tree (<c>json_serialize_sql</c>). The only class that knows the tree's shape, which is that of
/// the pinned engine version; tests hold it.</summary>
internal sealed partial class SyntaxTree
{
    private const int MaxDepth = 400;

    /// <summary>What an error shows of its line on either side.</summary>
    private const int ExcerptLength = 60;

    private static readonly JsonDocumentOptions ParseOptions = new() { MaxDepth = 2000 };

    private static readonly HashSet<string> KnownTableRefs = new(StringComparer.Ordinal)
    {
        "BASE_TABLE", "JOIN", "SUBQUERY", "TABLE_FUNCTION", "EXPRESSION_LIST", "EMPTY", "SHOW_REF", "CTE", "PIVOT", "COLUMN_DATA",
    };

    /// <summary>Functions (some are written as names) whose result is not a matter of their arguments alone; at least those that the engine says are not consistent.</summary>
    internal static readonly HashSet<string> Unrepeatable = new(StringComparer.OrdinalIgnoreCase)
    {
        "age", "ago", "current_catalog", "current_connection_id", "current_database", "current_date", "current_localtime", "current_localtimestamp", "current_query",
        "current_query_id", "current_role", "current_schema", "current_schemas", "current_setting", "current_time", "current_timestamp", "current_transaction_id", "current_user",
        "currval", "error", "gen_random_uuid", "get_current_time", "get_current_timestamp", "in_search_path", "localtime", "localtimestamp", "nextval", "now", "random",
        "session_user", "setseed", "sleep_ms", "stats", "today", "transaction_timestamp", "txid_current", "user", "uuid", "uuidv4", "uuidv7", "version", "write_log",
    };

    private static readonly TextFunction Serialize = new("SELECT json_serialize_sql(CAST($1 AS VARCHAR))");

    private static readonly TextFunction Deserialize = new("SELECT json_deserialize_sql(CAST(CAST($1 AS VARCHAR) AS JSON))");

    private readonly JsonNode _root;

    private SyntaxTree(JsonNode root) => _root = root;

    /// <summary>The table references that are not common table expressions, in text order.</summary>
    public IReadOnlyList<TableReference> Tables { get; private set; } = [];

    /// <summary>Number of parameter markers.</summary>
    public int ParameterCount { get; private set; }

    /// <summary>The engine's names of the types that markers are cast to, by their identifiers.</summary>
    public IReadOnlyDictionary<string, string> ParameterCasts { get; private set; } = new Dictionary<string, string>();

    /// <summary>Which columns the text can speak of.</summary>
    public MentionedNames Names { get; private set; } = MentionedNames.All;

    /// <summary>Whether the optimiser comes to the same filters each time: nothing in the text depends on the clock, on chance or on who asks.</summary>
    public bool IsRepeatable { get; private set; }

    /// <summary>Whether a plan of the engine's gives the same rows over the same rows: it takes no sample, and skips no rows (the plan may name the parts of a table that an
    /// OFFSET skips, and which these are changes when the engine puts its file in order). Nor does it join: what the engine makes of ASOF joins and of
    /// joins by ranges runs once; run again, it brings the engine down.</summary>
    public bool HasLastingPlan { get; private set; }

    /// <summary>Whether an order of rows is asked for anywhere, be it inside, or is that of what is described.</summary>
    public bool IsOrdered { get; private set; }

    /// <summary>Whether values of the session may be in it.</summary>
    public bool UsesSession { get; private set; }

    /// <summary>Parses one statement and checks that it calls nothing but allowed functions.</summary>
    /// <exception cref="LakeException">QueryInvalid: syntax, several statements, something other than a SELECT, a function that is not allowed.</exception>
    public static SyntaxTree Parse(DuckDBConnection connection, string sql)
    {
        JsonNode document = ParseText(connection, sql);
        if (document["error"]!.GetValue<bool>())
        {
            string kind = document["error_type"]?.GetValue<string>() ?? "error";
            string message = document["error_message"]?.GetValue<string>() ?? "cannot be parsed";
            throw LakeException.QueryInvalid(kind == "not implemented"
                ? "Only queries (SELECT, WITH, VALUES, FROM, DESCRIBE, SUMMARIZE) and management statements (PROMOTE, DEMOTE, REFRESH, SYNC, SET) are accepted: lake tables are read only"
                : $"Syntax error: {message}{Excerpt(sql, document["position"])}");
        }

        JsonArray statements = document["statements"]!.AsArray();
        if (statements.Count != 1)
        {
            throw LakeException.QueryInvalid($"One statement at a time, not {statements.Count}");
        }

        var tree = new SyntaxTree(document);
        var visit = new Visit();
        visit.Node(document, [], 0);
        tree.Tables = visit.Tables;
        tree.ParameterCount = visit.Parameters.Count;
        tree.ParameterCasts = visit.Casts;
        tree.Names = MentionedNames.Of(document, tree.Tables);
        tree.IsOrdered = visit.IsOrdered;
        tree.HasLastingPlan = visit.HasLastingPlan;
        tree.UsesSession = visit.Functions.Overlaps(SessionValues.Names);
        tree.IsRepeatable = !visit.Functions.Overlaps(Unrepeatable);
        return tree;
    }

    /// <summary>The place of an error as the engine shows it in its other messages: the line, and a mark below.</summary>
    /// <param name="sql">The text.</param>
    /// <param name="position">Characters before the place, as text.</param>
    private static string Excerpt(string sql, JsonNode? position)
    {
        if (position is not JsonValue value || !value.TryGetValue(out string? text) || !int.TryParse(text, CultureInfo.InvariantCulture, out int characters))
        {
            return string.Empty;
        }

        int at = 0;
        for (int seen = 0; at < sql.Length && seen < characters; at++)
        {
            seen += char.IsHighSurrogate(sql[at]) ? 0 : 1;
        }

        int start = sql.AsSpan(0, at).LastIndexOf('\n') + 1;
        int end = sql.IndexOf('\n', at);
        int from = Math.Max(start, at - ExcerptLength);
        string line = sql[from..Math.Min(end < 0 ? sql.Length : end, at + ExcerptLength)];
        string head = string.Create(CultureInfo.InvariantCulture, $"LINE {sql.AsSpan(0, at).Count('\n') + 1}: {(from > start ? "..." : string.Empty)}");
        return $"\n{head}{line}\n{new string(' ', head.Length + at - from)}^";
    }

    /// <summary>The statement's text, in the engine's own spelling.</summary>
    public string ToSql(DuckDBConnection connection) => Call(Deserialize, connection, _root.ToJsonString());

    /// <summary>The engine's tree of a text, or its error, as it serialises them.</summary>
    /// <exception cref="LakeException">QueryInvalid.</exception>
    internal static JsonNode ParseText(DuckDBConnection connection, string sql)
    {
        try
        {
            return JsonNode.Parse(Call(Serialize, connection, sql), null, ParseOptions)!;
        }
        catch (JsonException e)
        {
            // The engine writes a number that is too great for a double as Infinity, which is no JSON.
            throw LakeException.QueryInvalid("A number is too great for a DOUBLE; infinity is written 'Infinity'::DOUBLE", e);
        }
    }

    /// <summary>Rewrites references to columns by schema or catalog (<c>dwd.orders.id</c>) to the table's alias, since a rewritten table has no schema.</summary>
    public void UnqualifyColumns() => Unqualify(_root, 0);

    private void Unqualify(JsonNode? node, int depth)
    {
        if (depth > MaxDepth * 4)
        {
            throw LakeException.QueryInvalid("The statement is nested too deeply");
        }

        if (node is JsonArray array)
        {
            foreach (JsonNode? item in array)
            {
                Unqualify(item, depth + 1);
            }
        }
        else if (node is JsonObject o)
        {
            if (Text(o, "class") == "COLUMN_REF" && o["column_names"] is JsonArray { Count: >= 3 } names)
            {
                Shorten(names);
            }

            foreach ((string _, JsonNode? child) in o)
            {
                Unqualify(child, depth + 1);
            }
        }
    }

    private void Shorten(JsonArray names)
    {
        string[] parts = [.. names.Select(n => n!.GetValue<string>())];
        foreach (TableReference table in Tables)
        {
            string[] qualified = [.. new[] { table.Catalog, table.Schema, table.Name }.Where(p => p.Length > 0)];
            for (int skip = 0; skip < qualified.Length - 1; skip++)
            {
                string[] prefix = qualified[skip..];
                if (parts.Length > prefix.Length && prefix.SequenceEqual(parts.Take(prefix.Length), StringComparer.OrdinalIgnoreCase))
                {
                    for (int i = 0; i < prefix.Length - 1; i++)
                    {
                        names.RemoveAt(0);
                    }

                    return;
                }
            }
        }
    }

    private static string Call(TextFunction function, DuckDBConnection connection, string argument)
    {
        try
        {
            return function.Call(connection, argument);
        }
        catch (TextFunctionException e)
        {
            throw LakeException.QueryInvalid($"The statement cannot be parsed: {e.Message}", e);
        }
    }

    private static string Text(JsonObject o, string name) => o[name] is JsonValue value && value.TryGetValue(out string? text) ? text : string.Empty;

    /// <summary>A reference to a named table in a FROM clause.</summary>
    internal sealed class TableReference(JsonObject node)
    {
        public string Catalog { get; } = Text(node, "catalog_name");

        public string Schema { get; } = Text(node, "schema_name");

        public string Name { get; } = Text(node, "table_name");

        /// <summary>For the function form <c>table_changes('t', from, to)</c>: its constant arguments.</summary>
        public IReadOnlyList<string>? ChangeArguments { get; init; }

        /// <summary>The unit (VERSION, TIMESTAMP) and expression of an AT clause; the expression must be constant.</summary>
        public (string Unit, JsonNode Expression)? At { get; } =
            node["at_clause"] is JsonObject at ? (Text(at, "unit"), at["expr"]!) : null;

        /// <summary>What the query calls it.</summary>
        public string Alias { get; } = Text(node, "alias");

        /// <summary>Whether the query gives its columns other names, by their place.</summary>
        public bool RenamesColumns { get; } = node["column_name_alias"] is JsonArray { Count: > 0 };

        public string DisplayName => string.Join('.', new[] { Catalog, Schema, Name }.Where(p => p.Length > 0));

        /// <summary>Points the reference at another name, keeping what the query calls it.</summary>
        public void ReplaceBy(string name)
        {
            if (Text(node, "alias").Length == 0)
            {
                node["alias"] = ChangeArguments is null ? Name : "table_changes";
            }

            if (ChangeArguments is not null)
            {
                JsonNode? aliases = node["column_name_alias"]?.DeepClone();
                string alias = Text(node, "alias");
                node.Clear();
                node["type"] = "BASE_TABLE";
                node["alias"] = alias;
                node["sample"] = null;
                node["query_location"] = 0;
                node["column_name_alias"] = aliases ?? new JsonArray();
            }

            node["catalog_name"] = string.Empty;
            node["schema_name"] = string.Empty;
            node["table_name"] = name;
            node["at_clause"] = null;
        }
    }

    /// <summary>The statement <c>SELECT CAST(expression AS VARCHAR)</c> for a constant expression of an AT clause.</summary>
    public static string ConstantSql(DuckDBConnection connection, JsonNode expression)
    {
        SyntaxTree carrier = Parse(connection, "SELECT 1");
        carrier._root["statements"]![0]!["node"]!["select_list"] = new JsonArray(expression.DeepClone());
        return carrier.ToSql(connection);
    }

    private sealed class Visit
    {
        public List<TableReference> Tables { get; } = [];

        public HashSet<string> Parameters { get; } = new(StringComparer.Ordinal);

        public Dictionary<string, string> Casts { get; } = new(StringComparer.Ordinal);

        public HashSet<string> Functions { get; } = new(StringComparer.OrdinalIgnoreCase);

        public bool IsOrdered { get; private set; }

        public bool HasLastingPlan { get; private set; } = true;

        public void Node(JsonNode? node, List<string> ctes, int depth)
        {
            if (depth > MaxDepth * 4)
            {
                throw LakeException.QueryInvalid("The statement is nested too deeply");
            }

            if (node is JsonArray array)
            {
                foreach (JsonNode? item in array)
                {
                    Node(item, ctes, depth + 1);
                }
            }
            else if (node is JsonObject o)
            {
                Object(o, ctes, depth);
            }
        }

        private void Object(JsonObject o, List<string> ctes, int depth)
        {
            string type = Text(o, "type");
            if (o.ContainsKey("sample") && type.Length > 0 && !type.EndsWith("_NODE", StringComparison.Ordinal) && !KnownTableRefs.Contains(type))
            {
                throw LakeException.QueryInvalid($"{type} is not allowed in FROM");
            }

            HasLastingPlan &= o["offset"] is not JsonObject && o["sample"] is not JsonObject && type is not ("JOIN" or "RECURSIVE_CTE_NODE") && Text(o, "class") != "SUBQUERY";
            switch (type)
            {
                case "BASE_TABLE":
                    Table(o, ctes);
                    break;
                case "TABLE_FUNCTION":
                    TableFunction(o, ctes, depth);
                    return;
                case "SHOW_REF":
                    ShowReference(o);
                    IsOrdered = true;
                    break;
                case "COLUMN_REF":
                    Functions.UnionWith(o["column_names"]!.AsArray().Select(n => n!.GetValue<string>())); // CURRENT_DATE is written as a name
                    break;
                case "ORDER_MODIFIER":
                    IsOrdered |= o["orders"] is JsonArray { Count: > 0 };
                    break;
                case "OPERATOR_CAST" when o["child"] is JsonObject child && Text(child, "type") == "VALUE_PARAMETER" && o["cast_type"] is JsonObject target:
                    Casts[Text(child, "identifier")] = target["type_info"] is JsonObject digits && Text(target, "id") == "DECIMAL"
                        ? $"DECIMAL({digits["width"]},{digits["scale"]})"
                        : Text(target, "id");
                    break;
                case "VALUE_PARAMETER":
                    Parameters.Add(Text(o, "identifier"));
                    break;
                default:
                    break;
            }

            if (o["function_name"] is JsonValue name && name.TryGetValue(out string? function))
            {
                CheckFunction(function, Text(o, "schema"), Text(o, "catalog"));
                Functions.Add(function);
            }

            List<string> visible = ctes;
            if (o["cte_map"]?["map"] is JsonArray { Count: > 0 } map)
            {
                visible = [.. ctes];
                foreach (JsonNode? entry in map)
                {
                    // A name hides tables for the expressions after it, and for itself when recursive; hiding it for its own text when it is not
                    // recursive would make `WITH orders AS (FROM orders)` a query on itself.
                    string key = entry!["key"]!.GetValue<string>();
                    bool recursive = entry["value"]?["query"]?["node"] is JsonObject query && Text(query, "type") == "RECURSIVE_CTE_NODE";
                    Node(entry["value"], recursive ? [.. visible, key] : visible, depth + 1);
                    visible = [.. visible, key];
                }
            }

            foreach ((string key, JsonNode? child) in o)
            {
                if (key != "cte_map")
                {
                    Node(child, visible, depth + 1);
                }
            }
        }

        private void Table(JsonObject o, List<string> ctes)
        {
            var table = new TableReference(o);
            bool isCte = table.Catalog.Length == 0 && table.Schema.Length == 0 && ctes.Contains(table.Name, StringComparer.OrdinalIgnoreCase);
            if (!isCte)
            {
                Tables.Add(table);
            }
        }

        private void TableFunction(JsonObject o, List<string> ctes, int depth)
        {
            if (o["function"] is not JsonObject function)
            {
                throw LakeException.QueryInvalid("A table function without a name is not allowed");
            }

            string name = Text(function, "function_name");
            if (!AllowedFunctions.Table.Contains(name) || Text(function, "schema").Length > 0 || Text(function, "catalog").Length > 0)
            {
                throw LakeException.QueryInvalid($"The table function {name} is not allowed; tables of the lake are read by their name");
            }

            if (name.Equals("table_changes", StringComparison.OrdinalIgnoreCase))
            {
                Tables.Add(new TableReference(o) { ChangeArguments = [.. function["children"]!.AsArray().Select(ConstantText)] });
                return;
            }

            Node(function["children"], ctes, depth + 1);
        }

        private static string ConstantText(JsonNode? argument)
        {
            if (argument is JsonObject o && Text(o, "class") == "CONSTANT" && o["value"] is JsonObject value && value["value"] is JsonValue constant)
            {
                return constant.TryGetValue(out string? text) ? text : constant.ToString();
            }

            throw LakeException.QueryInvalid("table_changes takes constants: table_changes('schema.table', from, to)");
        }

        private static void ShowReference(JsonObject o)
        {
            if (o["query"] is null)
            {
                throw LakeException.QueryInvalid(
                    "SHOW is not available here; SELECT * FROM lakeholo.tables lists the tables, DESCRIBE schema.table the columns of one");
            }
        }

        private static void CheckFunction(string name, string schema, string catalog)
        {
            bool builtIn = (schema.Length == 0 || schema is "main" or "pg_catalog") && (catalog.Length == 0 || catalog == "system");
            if (!builtIn || !AllowedFunctions.IsScalarAllowed(name))
            {
                throw LakeException.QueryInvalid(string.Create(CultureInfo.InvariantCulture, $"The function {name} is not allowed"));
            }
        }
    }
}
