using System.Text.Json.Nodes;

namespace LakeHolo.Accelerator.Sql;

/// <summary>The names that a statement's text can mean columns by. A column that is not among them cannot be read, so that the engine need not bind it:
/// of a hundred columns most statements name five.</summary>
internal sealed class MentionedNames
{
    private readonly HashSet<string>? _names;

    private MentionedNames(HashSet<string>? names) => _names = names;

    /// <summary>Every name.</summary>
    public static MentionedNames All { get; } = new((HashSet<string>?)null);

    /// <summary>Reads a statement's tree; whatever can mean columns without their names (stars, whole rows, natural joins, columns by place) means all.</summary>
    public static MentionedNames Of(JsonNode root, IReadOnlyList<SyntaxTree.TableReference> tables)
    {
        if (tables.Any(t => t.RenamesColumns || t.ChangeArguments is not null))
        {
            return All;
        }

        var names = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        var rows = new HashSet<string>(tables.SelectMany(t => new[] { t.Name, t.Alias }).Where(n => n.Length > 0), StringComparer.OrdinalIgnoreCase);
        return Collect(root, names, rows) ? new MentionedNames(names) : All;
    }

    /// <summary>Whether a column of this name can be meant.</summary>
    public bool Contains(string column) => _names is null || _names.Contains(column);

    private static bool Collect(JsonNode? node, HashSet<string> names, HashSet<string> rows)
    {
        switch (node)
        {
            case JsonArray array:
                return array.All(item => Collect(item, names, rows));
            case JsonObject o:
                if (Text(o, "class") is "STAR" or "POSITIONAL_REFERENCE" || Text(o, "ref_type") == "NATURAL" || Text(o, "type") is "PIVOT" or "SHOW_REF")
                {
                    return false;
                }

                return !(Text(o, "class") == "COLUMN_REF" && o["column_names"] is JsonArray { Count: > 0 } path && rows.Contains(path[^1]!.GetValue<string>()))
                    && o.All(child => Collect(child.Value, names, rows));
            case JsonValue value:
                if (value.TryGetValue(out string? text))
                {
                    names.Add(text);
                }

                return true;
            default:
                return true;
        }
    }

    private static string Text(JsonObject o, string name) => o[name] is JsonValue value && value.TryGetValue(out string? text) ? text : string.Empty;
}
