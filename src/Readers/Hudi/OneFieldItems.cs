using LakeHolo.Readers.Delta;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Hudi;

/// <summary>Lists of records of one field whose items are the repeated groups themselves, as Avro's Parquet writer (by default) and Flink's lay lists out: by the rules of the Parquet format,
/// "Lists", backward compatibility, such a group is the record; the engine takes it for the list's own, and its field for the item.</summary>
internal static class OneFieldItems
{
    /// <summary>The name of the type of such items, in place of the field's own: its only child is the field, and a value of it is the field's.</summary>
    public const string TypeName = "ONE FIELD";

    /// <summary>The engine's types of a file's columns, with the records that it leaves out.</summary>
    public static IReadOnlyList<(string Name, EngineType Type)> Restore(IReadOnlyList<(string Name, EngineType Type)> columns, ParquetNode schema)
        => [.. columns.Select((c, i) => i < schema.Children.Count ? (c.Name, Restore(c.Type, schema.Children[i])) : c)];

    /// <summary>Whether a type holds such items at any depth.</summary>
    public static bool AreIn(EngineType type) => type.Name == TypeName || type.Children.Any(c => AreIn(c.Type));

    private static EngineType Restore(EngineType type, ParquetNode node)
    {
        switch (type.Name)
        {
            case "STRUCT" when node.Children.Count == type.Children.Count:
                return type with { Children = Restore(type.Children, node) };
            case "MAP" when node.Entry() is var (key, value):
                return type with { Children = [("key", Restore(type.Children[0].Type, key)), ("value", Restore(type.Children[1].Type, value))] };
            case "LIST" when node.Element() is { } element:
                EngineType item = type.Children[0].Type;
                return type with
                {
                    Children = [("item", node.IsOneFieldElement() ? new EngineType(TypeName, [(element.Children[0].Name, Restore(item, element.Children[0]))]) : Restore(item, element))],
                };
            default:
                return type;
        }
    }
}
