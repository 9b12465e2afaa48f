using System.Globalization;
using System.Text;
using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Hudi;

/// <summary>Turns a column of a file into the table's type by the rules of Hudi's schema evolution: by name, widening only.</summary>
internal static class ColumnSql
{
    private static readonly string[] Integers = ["TINYINT", "SMALLINT", "INTEGER", "BIGINT"];

    /// <summary>An expression of the target type; refuses what would lose or guess a value.</summary>
    /// <param name="expression">The file's value.</param>
    /// <param name="source">Its type in the file.</param>
    /// <param name="target">The table's type.</param>
    /// <param name="column">The column's name, for messages.</param>
    /// <param name="names">Names of nested fields in the file.</param>
    /// <param name="depth">Nesting so far, 0 for a column.</param>
    public static string Convert(string expression, EngineType source, IArrowType target, string column, ColumnMap names, int depth = 0) => target switch
    {
        StructType s when source.Name == "STRUCT" => Struct(expression, source, s, column, names, depth),
        ListType l when source.Name == "LIST" => List(expression, source, l, column, names, depth),
        MapType m when source.Name == "MAP" => Map(expression, source, m, column, names, depth),
        StructType or ListType or MapType => throw Refused(source, target, column),
        _ => Scalar(expression, source, target, column),
    };

    private static string Struct(string expression, EngineType source, StructType target, string column, ColumnMap names, int depth)
    {
        if (SqlText.TypeOf(target) == TextOf(source) && names == ColumnMap.Empty)
        {
            return expression;
        }

        var fields = new StringBuilder();
        foreach (Field field in target.Fields)
        {
            string name = "";
            EngineType? found = names.SourceOf(field.Name) is { } inFile ? Find(source.Children, inFile, column, out name) : null;
            string value = found is null
                ? $"CAST(NULL AS {SqlText.TypeOf(field.DataType)})"
                : Convert($"struct_extract({expression}, {SqlText.Literal(name)})", found, field.DataType, column + "." + field.Name, names.ChildrenOf(field.Name), depth + 1);
            fields.Append(fields.Length == 0 ? "" : ", ").Append(SqlText.Identifier(field.Name)).Append(" := ").Append(value);
        }

        return $"CASE WHEN {expression} IS NULL THEN NULL ELSE struct_pack({fields}) END";
    }

    private static string List(string expression, EngineType source, ListType target, string column, ColumnMap names, int depth)
    {
        string item = string.Create(CultureInfo.InvariantCulture, $"x{depth}");
        string value = Convert(item, source.Children[0].Type, target.ValueDataType, column, names.ChildrenOf("item"), depth + 1);
        return value == item ? expression : $"list_transform({expression}, lambda {item}: {value})";
    }

    private static string Map(string expression, EngineType source, MapType target, string column, ColumnMap names, int depth)
    {
        string entry = string.Create(CultureInfo.InvariantCulture, $"x{depth}");
        string key = Convert(entry + ".key", source.Children[0].Type, target.KeyField.DataType, column, ColumnMap.Empty, depth + 1);
        string value = Convert(entry + ".value", source.Children[1].Type, target.ValueField.DataType, column, names.ChildrenOf("value"), depth + 1);
        return key == entry + ".key" && value == entry + ".value"
            ? expression
            : $"map_from_entries(list_transform(map_entries({expression}), lambda {entry}: struct_pack(key := {key}, value := {value})))";
    }

    private static string Scalar(string expression, EngineType source, IArrowType target, string column)
    {
        string to = SqlText.TypeOf(target);
        string from = source.Name;
        if (from == to)
        {
            return expression;
        }

        bool isInteger = Integers.Contains(from);
        string? converted = to switch
        {
            "INTEGER" or "BIGINT" when isInteger && System.Array.IndexOf(Integers, from) < System.Array.IndexOf(Integers, to) => Cast(expression, to),
            "FLOAT" or "DOUBLE" when isInteger => Cast(expression, to),
            // Hudi widens through the decimal text: 0.1f becomes 0.1, not 0.10000000149011612.
            "DOUBLE" when from == "FLOAT" => Cast(Cast(expression, "VARCHAR"), to),
            "VARCHAR" when isInteger || from is "DATE" or "UUID" => Cast(expression, to),
            "VARCHAR" when from == "BLOB" => $"decode({expression})",
            "BLOB" when from == "VARCHAR" => $"encode({expression})",
            "BLOB" when from == "UUID" => null,
            "TIMESTAMPTZ" or "TIMESTAMP" when from.StartsWith("TIMESTAMP", StringComparison.Ordinal) => Cast(expression, to),
            "TIMESTAMP" when from == "BIGINT" => $"make_timestamp({expression})",
            "TIME" when from.StartsWith("TIME", StringComparison.Ordinal) && !from.StartsWith("TIMESTAMP", StringComparison.Ordinal) => Cast(expression, to),
            _ when target is Decimal128Type d && from.StartsWith("DECIMAL(", StringComparison.Ordinal) => Decimal(expression, from, d, to),
            _ => null,
        };
        return converted ?? throw Refused(source, target, column);
    }

    private static string? Decimal(string expression, string from, Decimal128Type target, string to)
    {
        string[] arguments = from[8..^1].Split(',');
        return int.Parse(arguments[1], CultureInfo.InvariantCulture) == target.Scale && int.Parse(arguments[0], CultureInfo.InvariantCulture) <= target.Precision
            ? Cast(expression, to)
            : null;
    }

    /// <summary>A child or column by exact name, else by the only name that differs in case.</summary>
    public static EngineType? Find(IReadOnlyList<(string Name, EngineType Type)> columns, string name, string path, out string found)
    {
        (string Name, EngineType Type)[] same = [.. columns.Where(c => c.Name == name)];
        if (same.Length == 0)
        {
            same = [.. columns.Where(c => c.Name.Equals(name, StringComparison.OrdinalIgnoreCase))];
        }

        if (same.Length > 1)
        {
            throw LakeException.FormatInvalid($"Hudi: the column {path} is in a file more than once");
        }

        found = same.Length == 0 ? name : same[0].Name;
        return same.Length == 0 ? null : same[0].Type;
    }

    /// <summary>The spelling of <see cref="SqlText.TypeOf(IArrowType)"/>.</summary>
    private static string TextOf(EngineType type) => type.Name switch
    {
        "STRUCT" => "STRUCT(" + string.Join(", ", type.Children.Select(c => SqlText.Identifier(c.Name) + " " + TextOf(c.Type))) + ")",
        "LIST" => TextOf(type.Children[0].Type) + "[]",
        "MAP" => $"MAP({TextOf(type.Children[0].Type)}, {TextOf(type.Children[1].Type)})",
        "TIMESTAMP WITH TIME ZONE" => "TIMESTAMPTZ",
        _ => type.Name,
    };

    private static string Cast(string expression, string type) => $"CAST({expression} AS {type})";

    private static LakeException Refused(EngineType source, IArrowType target, string column)
        => LakeException.FeatureUnsupported($"Hudi: column {column} changed from {TextOf(source)} to {SqlText.TypeOf(target)}, which is not supported");
}
