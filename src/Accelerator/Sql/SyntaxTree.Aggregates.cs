using System.Text.Json.Nodes;
using DuckDB.NET.Data;

namespace LakeHolo.Accelerator.Sql;

/// <content>Counts and extremes of whole tables, which metadata may tell.</content>
internal sealed partial class SyntaxTree
{
    // Functions that give one value for one, written as operators: no aggregate is.
    private static readonly HashSet<string> Operators = new(StringComparer.Ordinal) { "+", "-", "*", "/", "//", "%", "||" };

    /// <summary>Of <c>SELECT count(*), count(c), min(c), max(c) FROM table</c>, and what operators and casts make of these: the text with names in the place of the aggregates, and without the
    /// table. Null for any other statement.</summary>
    /// <param name="connection">Of the planning engine.</param>
    /// <param name="columns">The table's columns.</param>
    /// <param name="name">What to call the aggregates, by their number.</param>
    public (string Sql, IReadOnlyList<AskedAggregate> Asked)? WithoutAggregates(DuckDBConnection connection, IReadOnlyList<string> columns, Func<int, string> name)
    {
        if (Tables is not [{ RenamesColumns: false, ChangeArguments: null }] || ParameterCount > 0 || !IsRepeatable)
        {
            return null;
        }

        JsonObject node = SelectNode();
        if (!IsPlain(node) || node["where_clause"] is not null)
        {
            return null;
        }

        var asked = new List<AskedAggregate>();
        var items = (JsonArray)node["select_list"]!.DeepClone();
        if (!items.All(i => Replace(i!.AsObject())) || asked.Count == 0)
        {
            return null;
        }

        SyntaxTree carrier = Parse(connection, "SELECT 1");
        carrier.SelectNode()["select_list"] = items;
        return (carrier.ToSql(connection), asked);

        bool Replace(JsonObject item)
        {
            switch (Text(item, "class"))
            {
                case "CONSTANT":
                    return true;
                case "CAST":
                    return Replace(item["child"]!.AsObject());
                case "COMPARISON":
                    return Replace(item["left"]!.AsObject()) && Replace(item["right"]!.AsObject());
                case "CONJUNCTION":
                case "FUNCTION" when item["is_operator"]?.GetValue<bool>() == true && Operators.Contains(Text(item, "function_name")):
                    return item["children"]!.AsArray().All(c => Replace(c!.AsObject()));
                case "FUNCTION" when Aggregate(item, columns) is { } aggregate:
                    string alias = Text(item, "alias");
                    item.Clear();
                    item["class"] = "COLUMN_REF";
                    item["type"] = "COLUMN_REF";
                    item["alias"] = alias;
                    item["query_location"] = 0;
                    item["column_names"] = new JsonArray(name(asked.Count));
                    asked.Add(aggregate);
                    return true;
                default:
                    return false;
            }
        }
    }

    private AskedAggregate? Aggregate(JsonObject item, IReadOnlyList<string> columns)
    {
        bool isPlain = Text(item, "schema") is "" or "main" && item["filter"] is null && item["distinct"]?.GetValue<bool>() == false && item["export_state"]?.GetValue<bool>() == false
            && item["order_bys"]?["orders"] is JsonArray { Count: 0 };
        if (!isPlain)
        {
            return null;
        }

        string function = Text(item, "function_name").ToLowerInvariant();
        switch (item["children"])
        {
            case JsonArray { Count: 0 } when function is "count" or "count_star":
                return new AskedAggregate("count_star", null);
            case JsonArray { Count: 1 } children when function is "count" or "min" or "max":
                JsonObject argument = children[0]!.AsObject();
                if (function == "count" && Text(argument, "class") == "CONSTANT" && argument["value"]?["is_null"]?.GetValue<bool>() == false)
                {
                    return new AskedAggregate("count_star", null);
                }

                return Text(argument, "class") == "COLUMN_REF" && argument["column_names"] is JsonArray { Count: > 0 } names && NamesTable(names)
                    && columns.FirstOrDefault(c => c.Equals(names[^1]!.GetValue<string>(), StringComparison.OrdinalIgnoreCase)) is { } column
                    ? new AskedAggregate(function, column)
                    : null;
            default:
                return null;
        }
    }
}

/// <summary>An aggregate of all rows.</summary>
/// <param name="Function">count_star, count, min or max.</param>
/// <param name="Column">Of which column; null for count_star.</param>
internal sealed record AskedAggregate(string Function, string? Column);
