using System.Text.Json.Nodes;
using DuckDB.NET.Data;

namespace LakeHolo.Accelerator.Sql;

/// <content>Lookups by key.</content>
internal sealed partial class SyntaxTree
{
    /// <summary>The column that <c>SELECT columns FROM table WHERE column = $1</c> looks rows up by; null for any other statement, also where the column might be
    /// something else than one of the table's.</summary>
    public string? LookupColumn()
    {
        if (Tables.Count != 1 || ParameterCount != 1 || Tables[0] is { RenamesColumns: true } or { ChangeArguments: not null } or { At: not null })
        {
            return null;
        }

        JsonObject node = SelectNode();
        if (!IsPlain(node) || !node["select_list"]!.AsArray().All(i => IsColumn(i!.AsObject())) || node["where_clause"] is not JsonObject where || Text(where, "type") != "COMPARE_EQUAL")
        {
            return null;
        }

        JsonObject left = where["left"]!.AsObject();
        JsonObject right = where["right"]!.AsObject();
        JsonObject? column = Text(right, "type") == "VALUE_PARAMETER" ? left : Text(left, "type") == "VALUE_PARAMETER" ? right : null;
        return column is not null && column["column_names"] is JsonArray { Count: > 0 } names && NamesTable(names) ? names[^1]!.GetValue<string>() : null;
    }

    /// <summary>The text of a lookup without its condition; the column that it looks up by comes after the others.</summary>
    public string WithoutCondition(DuckDBConnection connection)
    {
        var whole = new SyntaxTree(_root.DeepClone());
        JsonObject node = whole.SelectNode();
        JsonObject where = node["where_clause"]!.AsObject();
        JsonNode column = Text(where["left"]!.AsObject(), "type") == "VALUE_PARAMETER" ? where["right"]! : where["left"]!;
        node["where_clause"] = null;
        node["select_list"]!.AsArray().Add(column.DeepClone());
        return whole.ToSql(connection);
    }

    // One table, all its rows, no groups, no order.
    private static bool IsPlain(JsonObject node) => Text(node, "type") == "SELECT_NODE" && node["from_table"] is JsonObject from && Text(from, "type") == "BASE_TABLE" && from["sample"] is null
        && node["modifiers"] is JsonArray { Count: 0 } && node["cte_map"]?["map"] is not JsonArray { Count: > 0 } && node["group_expressions"] is JsonArray { Count: 0 }
        && node["group_sets"] is JsonArray { Count: 0 } && Text(node, "aggregate_handling") == "STANDARD_HANDLING"
        && node["having"] is null && node["qualify"] is null && node["sample"] is null;

    private JsonObject SelectNode() => _root["statements"]![0]!["node"]!.AsObject();

    private static bool IsColumn(JsonObject item) => Text(item, "class") == "COLUMN_REF"
        || (Text(item, "type") == "STAR" && item["exclude_list"] is JsonArray { Count: 0 } && item["replace_list"] is JsonArray { Count: 0 } && item["qualified_exclude_list"] is JsonArray { Count: 0 }
            && item["rename_list"] is JsonArray { Count: 0 } && item["columns"]?.GetValue<bool>() == false && item["expr"] is null);

    // A name alone, or behind the table's: what else has a dot may be a field of a struct.
    private bool NamesTable(JsonArray names) => names.Count == 1
        || (names.Count == 2 && names[0]!.GetValue<string>().Equals(Tables[0].Alias is { Length: > 0 } alias ? alias : Tables[0].Name, StringComparison.OrdinalIgnoreCase));
}
