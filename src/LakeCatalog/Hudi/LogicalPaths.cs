using LakeHolo.LakeCatalog.Avro;

namespace LakeHolo.LakeCatalog.Hudi;

/// <summary>Where in an Avro schema values of a logical type lie: paths of names, with <c>item</c> for a list's items, <c>key</c> and <c>value</c> for a map's.</summary>
public static class LogicalPaths
{
    private const int MaxDepth = 64;

    /// <summary>The paths of a record schema's values of a logical type.</summary>
    public static IReadOnlySet<string> Of(AvroSchema record, string logicalType)
    {
        var paths = new HashSet<string>(StringComparer.Ordinal);
        Add(record, "", logicalType, paths, 0);
        return paths;
    }

    /// <summary>The paths of a record schema's fields that have a default other than null.</summary>
    public static IReadOnlySet<string> OfDefaults(AvroSchema record)
    {
        var paths = new HashSet<string>(StringComparer.Ordinal);
        AddDefaults(record, "", paths, 0);
        return paths;
    }

    /// <summary>The path of a part.</summary>
    public static string Join(string path, string part) => path.Length == 0 ? part : path + "." + part;

    private static void AddDefaults(AvroSchema schema, string path, HashSet<string> paths, int depth)
    {
        if (depth > MaxDepth)
        {
            return;
        }

        foreach (AvroSchema branch in schema.Branches)
        {
            AddDefaults(branch, path, paths, depth + 1);
        }

        foreach (AvroField field in schema.Fields)
        {
            string name = Join(path, field.Name);
            if (field.DefaultJson is not (null or "null"))
            {
                paths.Add(name);
            }

            AddDefaults(field.Type, name, paths, depth + 1);
        }

        if (schema.Items is { } items)
        {
            AddDefaults(items, Join(path, schema.Kind == AvroKind.Map ? "value" : "item"), paths, depth + 1);
        }
    }

    private static void Add(AvroSchema schema, string path, string logicalType, HashSet<string> paths, int depth)
    {
        if (depth > MaxDepth)
        {
            return;
        }

        if (schema.LogicalType == logicalType)
        {
            paths.Add(path);
        }

        foreach (AvroSchema branch in schema.Branches)
        {
            Add(branch, path, logicalType, paths, depth + 1);
        }

        foreach (AvroField field in schema.Fields)
        {
            Add(field.Type, Join(path, field.Name), logicalType, paths, depth + 1);
        }

        if (schema.Items is { } items)
        {
            Add(items, Join(path, schema.Kind == AvroKind.Map ? "value" : "item"), logicalType, paths, depth + 1);
        }
    }
}
