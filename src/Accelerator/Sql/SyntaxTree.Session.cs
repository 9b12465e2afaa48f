using System.Text.Json.Nodes;

namespace LakeHolo.Accelerator.Sql;

/// <content>Values of the session in the place of the engine's own.</content>
internal sealed partial class SyntaxTree
{
    /// <summary>Puts constants in the place of <c>current_user</c> and the like.</summary>
    /// <param name="values">The values by name.</param>
    /// <param name="columns">Names of columns, which go before values that are written as names.</param>
    public void SetSessionValues(IReadOnlyDictionary<string, string> values, IReadOnlySet<string> columns)
    {
        if (UsesSession)
        {
            SetValues(_root, values, columns, 0, isSelected: false);
        }
    }

    private static void SetValues(JsonNode? node, IReadOnlyDictionary<string, string> values, IReadOnlySet<string> columns, int depth, bool isSelected)
    {
        if (node is JsonArray array)
        {
            foreach (JsonNode? item in array)
            {
                SetValues(item, values, columns, depth + 1, isSelected);
            }
        }
        else if (node is JsonObject o && ValueName(o, columns) is { } name && values.TryGetValue(name, out string? value))
        {
            string alias = Text(o, "alias") is { Length: > 0 } given ? given : isSelected ? name : string.Empty;
            o.Clear();
            o["class"] = "CONSTANT";
            o["type"] = "VALUE_CONSTANT";
            o["alias"] = alias;
            o["query_location"] = 0;
            o["value"] = new JsonObject { ["type"] = new JsonObject { ["id"] = "VARCHAR", ["type_info"] = null }, ["is_null"] = false, ["value"] = value };
        }
        else if (node is JsonObject parent)
        {
            foreach ((string key, JsonNode? child) in parent.ToArray())
            {
                SetValues(child, values, columns, depth + 1, key == "select_list");
            }
        }
    }

    private static string? ValueName(JsonObject o, IReadOnlySet<string> columns) => Text(o, "class") switch
    {
        "FUNCTION" when o["children"] is JsonArray { Count: 0 } => Text(o, "function_name"),
        "COLUMN_REF" when o["column_names"] is JsonArray { Count: 1 } names && !columns.Contains(names[0]!.GetValue<string>()) => names[0]!.GetValue<string>(),
        _ => null,
    };
}
