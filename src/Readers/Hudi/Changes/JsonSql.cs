using System.Globalization;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Hudi.Changes;

/// <summary>Rows as JSON text, as Hudi's change queries print them: dates are days and timestamps microseconds since 1970, numbers that JSON
/// does not have are text. Decimals are numbers, where Hudi prints bytes.</summary>
internal static class JsonSql
{
    /// <summary>An object of some columns; NULL where the row itself is not there.</summary>
    /// <param name="columns">Name, expression and type of each.</param>
    /// <param name="isMissing">Condition under which there is no row.</param>
    public static string Object(IEnumerable<(string Name, string Expression, EngineType Type)> columns, string isMissing)
        => $"CASE WHEN {isMissing} THEN NULL ELSE CAST(json_object({string.Join(", ", columns.Select(c => $"{SqlText.Literal(c.Name)}, {Value(c.Expression, c.Type, 0)}"))}) AS VARCHAR) END";

    private static string Value(string value, EngineType type, int depth)
    {
        string x = string.Create(CultureInfo.InvariantCulture, $"j{depth}");
        return type.Name switch
        {
            "STRUCT" => $"CASE WHEN {value} IS NULL THEN NULL ELSE json_object({string.Join(", ", type.Children.Select(c => $"{SqlText.Literal(c.Name)}, {Value($"struct_extract({value}, {SqlText.Literal(c.Name)})", c.Type, depth)}"))}) END",
            "LIST" => $"to_json(list_transform({value}, lambda {x}: {Value(x, type.Children[0].Type, depth + 1)}))",
            "MAP" => $"to_json(map_from_entries(list_transform(map_entries({value}), lambda {x}: struct_pack(k := CAST({x}.key AS VARCHAR), v := {Value(x + ".value", type.Children[1].Type, depth + 1)}))))",
            "FLOAT" or "DOUBLE" => $"CASE WHEN isnan({value}) THEN to_json('NaN') WHEN isinf({value}) THEN to_json(CASE WHEN {value} > 0 THEN 'Infinity' ELSE '-Infinity' END) ELSE to_json({value}) END",
            "DATE" => $"to_json(datediff('day', DATE '1970-01-01', {value}))",
            "TIMESTAMP" or "TIMESTAMP WITH TIME ZONE" or "TIMESTAMP_MS" or "TIMESTAMP_S" or "TIMESTAMP_NS" => $"to_json(epoch_us({value}))",
            "TIME" => $"to_json(epoch_us({value}))",
            _ when type.Name.StartsWith("DECIMAL", StringComparison.Ordinal) => $"CAST(CAST({value} AS VARCHAR) AS JSON)",
            _ => $"to_json({value})",
        };
    }
}
