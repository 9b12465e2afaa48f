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
    // From the seventh place on Java writes small decimals with an exponent.
    private const int MaxPlainScale = 6;
    private static readonly string[] Integers = ["TINYINT", "SMALLINT", "INTEGER", "BIGINT"];

    /// <summary>An expression of the target type; refuses what would lose or guess a value.</summary>
    /// <param name="expression">The file's value.</param>
    /// <param name="source">Its type in the file.</param>
    /// <param name="target">The table's type.</param>
    /// <param name="place">Where the value lies.</param>
    public static string Convert(string expression, EngineType source, IArrowType target, Place place) => target switch
    {
        // A group that is no record of the table's: the list's own, as the engine took it.
        _ when source.Name == OneFieldItems.TypeName && !IsRecord(source, target, place)
            => Convert(expression, source.Children[0].Type, target, place with { FilePath = LogicalPaths.Join(place.FilePath, source.Children[0].Name) }),
        StructType s when source.Name is "STRUCT" or OneFieldItems.TypeName => Struct(expression, source, s, place),
        ListType l when source.Name == "LIST" => List(expression, source, l, place),
        MapType m when source.Name == "MAP" => Map(expression, source, m, place),
        StructType or ListType or MapType => throw Refused(source, target, place.Path),
        _ => place.Stamps?.Repaired(expression, source, place) ?? Scalar(expression, source, target, place.Path),
    };

    /// <summary>A value's place in the table and in a file.</summary>
    /// <param name="Path">Path in the table.</param>
    /// <param name="FilePath">Path in the file.</param>
    /// <param name="Names">Names of nested fields in the file.</param>
    /// <param name="Stamps">Units of the column's timestamps, where they may differ from what the types say.</param>
    /// <param name="Depth">Nesting so far, 0 for a column.</param>
    internal sealed record Place(string Path, string FilePath, ColumnMap Names, StampUnits? Stamps, int Depth = 0)
    {
        /// <summary>A part's place.</summary>
        public Place Of(string part, string inFile, ColumnMap names)
            => this with { Path = LogicalPaths.Join(Path, part), FilePath = LogicalPaths.Join(FilePath, inFile), Names = names, Depth = Depth + 1 };

        /// <summary>Paths of what the table's schema has a default for that is not null; null for none.</summary>
        public IReadOnlySet<string>? Defaults { get; init; }

        /// <summary>The file, for messages.</summary>
        public string? Source { get; init; }
    }

    private static bool IsRecord(EngineType item, IArrowType target, Place place) => target is StructType record
        && record.Fields.Any(f => place.Names.SourceOf(f.Name) is { } inFile && Find(item.Children, inFile, place.Path, out _) is not null);

    private static string Struct(string expression, EngineType source, StructType target, Place place)
    {
        if (SqlText.TypeOf(target) == TextOf(source) && place.Names == ColumnMap.Empty && place.Stamps is null)
        {
            return expression;
        }

        bool isField = source.Name == OneFieldItems.TypeName;
        var fields = new StringBuilder();
        foreach (Field field in target.Fields)
        {
            string name = "";
            EngineType? found = place.Names.SourceOf(field.Name) is { } inFile ? Find(source.Children, inFile, place.Path, out name) : null;
            if (found is null && place.Defaults?.Contains(LogicalPaths.Join(place.Path, field.Name)) == true)
            {
                throw HasDefault(LogicalPaths.Join(place.Path, field.Name), place.Source);
            }

            string value = found is null
                ? $"CAST(NULL AS {SqlText.TypeOf(field.DataType)})"
                : Convert(isField ? expression : $"struct_extract({expression}, {SqlText.Literal(name)})", found, field.DataType, place.Of(field.Name, name, place.Names.ChildrenOf(field.Name)));
            fields.Append(fields.Length == 0 ? "" : ", ").Append(SqlText.Identifier(field.Name)).Append(" := ").Append(value);
        }

        return isField ? $"struct_pack({fields})" : $"CASE WHEN {expression} IS NULL THEN NULL ELSE struct_pack({fields}) END";
    }

    private static string List(string expression, EngineType source, ListType target, Place place)
    {
        string item = string.Create(CultureInfo.InvariantCulture, $"x{place.Depth}");
        string value = Convert(item, source.Children[0].Type, target.ValueDataType, place.Of("item", "item", place.Names.ChildrenOf("item")));
        return value == item ? expression : $"list_transform({expression}, lambda {item}: {value})";
    }

    private static string Map(string expression, EngineType source, MapType target, Place place)
    {
        string entry = string.Create(CultureInfo.InvariantCulture, $"x{place.Depth}");
        string key = Convert(entry + ".key", source.Children[0].Type, target.KeyField.DataType, place.Of("key", "key", ColumnMap.Empty));
        string value = Convert(entry + ".value", source.Children[1].Type, target.ValueField.DataType, place.Of("value", "value", place.Names.ChildrenOf("value")));
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
            "VARCHAR" when PrecisionOf(from) is { Scale: <= MaxPlainScale } => Cast(expression, to),
            _ when target is Decimal128Type d && isInteger => d.Precision - d.Scale >= (from == "BIGINT" ? 19 : 10) ? Cast(expression, to) : null,
            _ when target is Decimal128Type d && PrecisionOf(from) is var (precision, scale) => scale <= d.Scale && precision - scale <= d.Precision - d.Scale ? Cast(expression, to) : null,
            _ => null,
        };
        return converted ?? throw Refused(source, target, column);
    }

    private static (int Precision, int Scale)? PrecisionOf(string type)
        => type.StartsWith("DECIMAL(", StringComparison.Ordinal) && type[8..^1].Split(',') is [var precision, var scale]
            ? (int.Parse(precision, CultureInfo.InvariantCulture), int.Parse(scale, CultureInfo.InvariantCulture))
            : null;

    /// <summary>A child or column by its name, which may differ in case where it is the only one.</summary>
    public static EngineType? Find(IReadOnlyList<(string Name, EngineType Type)> columns, string name, string path, out string found)
    {
        // The engine would take the first one, whichever case is asked for.
        (string Name, EngineType Type)[] same = [.. columns.Where(c => c.Name.Equals(name, StringComparison.OrdinalIgnoreCase))];
        if (same.Length > 1)
        {
            throw LakeException.FeatureUnsupported($"Hudi: a file with columns whose names differ in case only ({LogicalPaths.Join(path, name)}) is not supported");
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

    /// <summary>Hudi's readers do not agree: Spark gives NULL for base files, those that resolve Avro schemas the default.</summary>
    public static LakeException HasDefault(string column, string? file)
        => LakeException.FeatureUnsupported($"Hudi: column {column} has a default and is missing in a file that was written before it was added, which is not supported", file);

    private static string Cast(string expression, string type) => $"CAST({expression} AS {type})";

    private static LakeException Refused(EngineType source, IArrowType target, string column)
        => LakeException.FeatureUnsupported($"Hudi: column {column} changed from {TextOf(source)} to {SqlText.TypeOf(target)}, which is not supported");
}

/// <summary>Units of a column's timestamps. Writers before 1.1 labelled milliseconds as microseconds: where the table's schema says milliseconds, a file's microseconds are
/// milliseconds; and a plain number in a file is what the table's schema says it is.</summary>
/// <param name="MillisecondInstants">Paths that the table's schema counts in milliseconds.</param>
/// <param name="LocalMilliseconds">Likewise, of local timestamps.</param>
/// <param name="FileMicroseconds">Paths that the file labels as instants in microseconds.</param>
internal sealed record StampUnits(IReadOnlySet<string> MillisecondInstants, IReadOnlySet<string> LocalMilliseconds, IReadOnlySet<string> FileMicroseconds)
{
    /// <summary>The value in its true unit; null where nothing needs repair.</summary>
    public string? Repaired(string expression, EngineType source, ColumnSql.Place place)
        => MillisecondInstants.Contains(place.Path) && FileMicroseconds.Contains(place.FilePath) ? $"make_timestamptz(epoch_us({expression}) * 1000)"
            : LocalMilliseconds.Contains(place.Path) && source.Name == "BIGINT" ? $"make_timestamp({expression} * 1000)"
            : null;
}
