using System.Text.Json;

namespace LakeHolo.Golden.Tests.SampleLake;

/// <summary>The aggregates that tables.json holds of a table, as a query and its expected row.</summary>
internal static class TableAggregates
{
    public static (string Sql, List<string> Expected) Of(string table, JsonElement aggregates)
    {
        var select = new List<string> { "count(*)" };
        var expected = new List<string> { aggregates.GetProperty("rows").GetRawText() };
        foreach (JsonProperty column in aggregates.GetProperty("columns").EnumerateObject())
        {
            string name = "\"" + column.Name + "\"";
            foreach (JsonProperty measure in column.Value.EnumerateObject())
            {
                expected.Add(measure.Value.ValueKind == JsonValueKind.String ? measure.Value.GetString()! : measure.Value.GetRawText());
                select.Add(measure.Name switch
                {
                    "non_null" => $"count({name})",
                    "true" => $"count(*) FILTER (WHERE {name})",
                    "sum" => $"sum({name})",
                    "sum_rounded_2" => $"round(sum({name}), 2)",
                    "sum_length" => $"sum(length({name}))",
                    "distinct" => $"count(DISTINCT {name})",
                    "min" => $"min({name})",
                    "max" => $"max({name})",
                    _ => throw new InvalidDataException($"Unknown measure {measure.Name} of {table}"),
                });
            }
        }

        return ($"SELECT {string.Join(", ", select.Select((s, i) => $"{s} AS m{i}"))} FROM {table}", expected);
    }

    /// <summary>Whether a cell is the expected one: numbers by value, times without the zone.</summary>
    public static bool Same(string expected, string actual)
    {
        if (decimal.TryParse(expected, out decimal e) && decimal.TryParse(actual, System.Globalization.NumberStyles.Float, null, out decimal a))
        {
            return e == a;
        }

        return expected == actual || expected == actual.Replace("+00", string.Empty, StringComparison.Ordinal);
    }
}
