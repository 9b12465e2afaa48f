using System.Globalization;
using System.Text.Json.Nodes;
using DuckDB.NET.Data;
using LakeHolo.Accelerator.Queries;

namespace LakeHolo.Accelerator.Sql;

/// <summary>Taking apart of <c>SELECT keys, aggregates FROM table WHERE … GROUP BY keys</c>.</summary>
internal sealed partial class SyntaxTree
{
    private static readonly Dictionary<string, RollUpKind> Aggregates = new(StringComparer.OrdinalIgnoreCase)
    {
        ["count_star"] = RollUpKind.Rows,
        ["count"] = RollUpKind.Count,
        ["sum"] = RollUpKind.Sum,
        ["avg"] = RollUpKind.Average,
        ["mean"] = RollUpKind.Average,
        ["min"] = RollUpKind.Least,
        ["max"] = RollUpKind.Most,
    };

    /// <summary>Takes the statement apart.</summary>
    /// <param name="columns">Columns of its table.</param>
    /// <returns>Its parts, or why it is no such statement.</returns>
    public (RollUpParts? Parts, string? Why) TakeApart(IReadOnlyCollection<string> columns)
    {
        JsonObject node = _root["statements"]![0]!["node"]!.DeepClone().AsObject();
        if (Text(node, "type") != "SELECT_NODE" || node["from_table"] is not JsonObject from || Text(from, "type") != "BASE_TABLE" || from["sample"] is not null || Tables.Count != 1
            || Tables[0].RenamesColumns || node["cte_map"]?["map"] is JsonArray { Count: > 0 })
        {
            return (null, "it is not over one table");
        }

        if (node["having"] is not null || node["qualify"] is not null || node["sample"] is not null
            || node["modifiers"]!.AsArray().Any(m => Text(m!.AsObject(), "type") != "ORDER_MODIFIER"))
        {
            return (null, "it leaves groups out");
        }

        JsonObject[] items = [.. node["select_list"]!.AsArray().Select(i => i!.AsObject())];
        var kinds = items.Select(KindOf).ToArray();
        bool isForced = Text(node, "aggregate_handling") == "FORCE_AGGREGATES";
        JsonNode?[] groups = [.. node["group_expressions"]!.AsArray()];
        if (isForced ? groups.Length > 0 : groups.Length == 0 || node["group_sets"]!.AsArray() is not [JsonArray only] || only.Count != groups.Length)
        {
            return (null, "it has no groups, or several sets of them");
        }

        var keys = new HashSet<int>(isForced ? Enumerable.Range(0, items.Length).Where(i => kinds[i] is null) : groups.Select(g => KeyOf(g!, items, columns)));
        if (keys.Contains(-1) || (!isForced && keys.Count != groups.Length))
        {
            return (null, "its groups are not among its columns");
        }

        if (Enumerable.Range(0, items.Length).Any(i => !keys.Contains(i) && kinds[i] is null))
        {
            return (null, "it has other columns than groups, count, sum, avg, min and max");
        }

        return (new RollUpParts(node, items, keys, kinds), null);
    }

    private static RollUpKind? KindOf(JsonObject item) =>
        Text(item, "class") == "FUNCTION" && Aggregates.TryGetValue(Text(item, "function_name"), out RollUpKind kind) && item["filter"] is null && item["distinct"]?.GetValue<bool>() != true
            && item["order_bys"]?["orders"] is not JsonArray { Count: > 0 } && item["children"]!.AsArray().Count is var count && (kind == RollUpKind.Rows ? count == 0 : count == 1)
            ? kind
            : null;

    // A group is named by place, by the expression itself, or by another name of it that is no column.
    private int KeyOf(JsonNode group, JsonObject[] items, IReadOnlyCollection<string> columns)
    {
        JsonObject expression = group.AsObject();
        if (Text(expression, "class") == "CONSTANT")
        {
            return expression["value"]?["value"] is JsonValue value && value.TryGetValue(out int place) && place >= 1 && place <= items.Length ? place - 1 : -1;
        }

        string text = Plain(expression);
        int same = System.Array.FindIndex(items, i => Plain(i) == text);
        return same >= 0 || expression["column_names"] is not JsonArray { Count: 1 } names || columns.Contains(names[0]!.GetValue<string>(), StringComparer.OrdinalIgnoreCase)
            ? same
            : System.Array.FindIndex(items, i => Text(i, "alias").Equals(names[0]!.GetValue<string>(), StringComparison.OrdinalIgnoreCase));
    }

    // The expression without what does not matter to its value: where it stands, what it is called, and by which name its table is.
    private string Plain(JsonObject expression)
    {
        JsonObject plain = expression.DeepClone().AsObject();
        plain["alias"] = string.Empty;
        Simplify(plain);
        return plain.ToJsonString();

        void Simplify(JsonNode? node)
        {
            if (node is JsonArray array)
            {
                foreach (JsonNode? item in array)
                {
                    Simplify(item);
                }
            }
            else if (node is JsonObject o)
            {
                o.Remove("query_location");
                if (Text(o, "class") == "COLUMN_REF" && o["column_names"] is JsonArray { Count: 2 } path
                    && path[0]!.GetValue<string>() is var table && (table == Tables[0].Alias || (Tables[0].Alias.Length == 0 && table == Tables[0].Name)))
                {
                    path.RemoveAt(0);
                }

                foreach ((string _, JsonNode? child) in o.ToArray())
                {
                    Simplify(child);
                }
            }
        }
    }

    /// <summary>The parts of a roll-up, and the statements that are made of them.</summary>
    internal sealed class RollUpParts(JsonObject node, JsonObject[] items, HashSet<int> keys, RollUpKind?[] kinds)
    {
        /// <summary>Its columns: groups, and aggregates by the number of their argument.</summary>
        public IReadOnlyList<(RollUpKind Kind, int Number)> Columns { get; } = Number(items, keys, kinds);

        /// <summary>A statement that gives its arguments, for their types; null if it has none.</summary>
        public string? ArgumentsSql(DuckDBConnection connection)
        {
            JsonNode[] arguments = [.. Arguments().Select((a, i) => Named(a, $"x{i}"))];
            return arguments.Length == 0 ? null : Sql(connection, arguments, []);
        }

        /// <summary>A statement that gives, per group, what can be added up.</summary>
        public string StateSql(DuckDBConnection connection)
        {
            JsonNode[] groups = [.. items.Where((_, i) => keys.Contains(i))];
            var list = new List<JsonNode>(groups.Select((g, i) => Named(g, RollUp.Key(i)[RollUp.Prefix.Length..])))
            {
                Named(Call("count_star", null), RollUp.Rows[RollUp.Prefix.Length..]),
            };
            int number = 0;
            foreach (JsonNode argument in Arguments())
            {
                RollUpKind[] wanted = [.. Columns.Where(c => c.Kind is not RollUpKind.Key and not RollUpKind.Rows && c.Number == number).Select(c => c.Kind)];
                list.Add(Named(Call("count", argument), $"m{number}"));
                foreach ((RollUpKind kind, string function, string letter) in ((RollUpKind, string, string)[])
                    [(RollUpKind.Sum, "sum", "s"), (RollUpKind.Average, "avg", "v"), (RollUpKind.Least, "min", "a"), (RollUpKind.Most, "max", "b")])
                {
                    if (wanted.Contains(kind))
                    {
                        list.Add(Named(Call(function, argument), letter + number.ToString(CultureInfo.InvariantCulture)));
                    }
                }

                if (wanted.Contains(RollUpKind.Average) && !wanted.Contains(RollUpKind.Sum))
                {
                    list.Add(Named(Call("sum", argument), $"s{number}"));
                }

                number++;
            }

            return Sql(connection, list, groups);
        }

        private static List<(RollUpKind, int)> Number(JsonObject[] items, HashSet<int> keys, RollUpKind?[] kinds)
        {
            var columns = new List<(RollUpKind, int)>();
            string[] arguments = [.. Distinct(items, keys, kinds).Select(a => a.Text)];
            int key = 0;
            for (int i = 0; i < items.Length; i++)
            {
                columns.Add(keys.Contains(i) ? (RollUpKind.Key, key++)
                    : kinds[i] == RollUpKind.Rows ? (RollUpKind.Rows, 0)
                    : (kinds[i]!.Value, System.Array.IndexOf(arguments, TextOf(items[i]["children"]![0]!))));
            }

            return columns;
        }

        private static IEnumerable<(JsonNode Node, string Text)> Distinct(JsonObject[] items, HashSet<int> keys, RollUpKind?[] kinds) =>
            items.Where((_, i) => !keys.Contains(i) && kinds[i] is not RollUpKind.Rows).Select(i => i["children"]![0]!).Select(a => (a, TextOf(a))).DistinctBy(a => a.Item2);

        private static string TextOf(JsonNode node) => System.Text.RegularExpressions.Regex.Replace(node.ToJsonString(), "\"query_location\":\\d+,?", string.Empty);

        private IEnumerable<JsonNode> Arguments() => Distinct(items, keys, kinds).Select(a => a.Node);

        private static JsonNode Named(JsonNode expression, string name)
        {
            JsonNode copy = expression.DeepClone();
            copy["alias"] = RollUp.Prefix + name;
            return copy;
        }

        private static JsonObject Call(string function, JsonNode? argument) => new()
        {
            ["class"] = "FUNCTION",
            ["type"] = "FUNCTION",
            ["alias"] = string.Empty,
            ["query_location"] = 0,
            ["function_name"] = function,
            ["schema"] = string.Empty,
            ["children"] = argument is null ? new JsonArray() : new JsonArray(argument.DeepClone()),
            ["filter"] = null,
            ["order_bys"] = new JsonObject { ["type"] = "ORDER_MODIFIER", ["orders"] = new JsonArray() },
            ["distinct"] = false,
            ["is_operator"] = false,
            ["export_state"] = false,
            ["catalog"] = string.Empty,
        };

        private string Sql(DuckDBConnection connection, IEnumerable<JsonNode> list, JsonNode[] groups)
        {
            JsonObject select = node.DeepClone().AsObject();
            select["modifiers"] = new JsonArray();
            select["select_list"] = new JsonArray([.. list]);
            select["group_expressions"] = new JsonArray([.. groups.Select(g => Unnamed(g))]);
            select["group_sets"] = groups.Length == 0 ? [] : new JsonArray(new JsonArray([.. groups.Select((_, i) => (JsonNode)i)]));
            select["aggregate_handling"] = "STANDARD_HANDLING";
            SyntaxTree carrier = Parse(connection, "SELECT 1");
            carrier._root["statements"]![0]!["node"] = select;
            return carrier.ToSql(connection);
        }

        private static JsonNode Unnamed(JsonNode expression)
        {
            JsonNode copy = expression.DeepClone();
            copy["alias"] = string.Empty;
            return copy;
        }
    }
}
