using System.Globalization;
using System.Text;
using System.Text.Json;
using Apache.Arrow;
using Apache.Arrow.Types;
using DuckDB.NET.Data;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Golden.Tests.Harness;

/// <summary>Compares two relations as bags of rows: names and types of columns, then values as text, so that NaN equals NaN and -0.0 is not 0.0. Maps
/// have no order; JSON columns compare as JSON.</summary>
internal static class RowComparer
{
    private const int MaxJsonRows = 100_000;

    /// <summary>Null if both hold the same rows, else what differs.</summary>
    /// <param name="engine">Runs both.</param>
    /// <param name="ours">The relation under test.</param>
    /// <param name="theirs">The expected rows; its columns count, ours may have more.</param>
    /// <param name="schema">The table's schema, for the parts of nested columns; columns that are not in it are compared as they are.</param>
    public static string? Difference(EngineDatabase engine, string ours, string theirs, Schema schema)
    {
        using DuckDBConnection connection = engine.OpenConnection();
        Dictionary<string, string> expected = GoldenCases.Columns(connection, theirs);
        Dictionary<string, string> actual = GoldenCases.Columns(connection, ours);
        foreach ((string name, string type) in expected)
        {
            if (!actual.TryGetValue(name, out string? found))
            {
                return $"the column {name} is missing";
            }

            // Only the table's own columns have a type that counts: aggregates and added columns have the types of each engine.
            if (schema.GetFieldByName(name) is not null && !found.Contains("JSON", StringComparison.Ordinal) && found != type)
            {
                return $"the column {name} has the type {found}, expected {type}";
            }
        }

        string list = string.Join(", ", expected.Select(c => $"CAST({Canonical(c.Key, c.Value, schema)} AS VARCHAR) AS {SqlText.Identifier(c.Key)}"));
        if (expected.Keys.Any(n => schema.GetFieldByName(n) is { } field && SqlText.TypeOf(field).Contains("JSON", StringComparison.Ordinal)))
        {
            return JsonDifference(connection, expected.Keys, ours, theirs, schema);
        }

        string extra = Sample(connection, $"(SELECT {list} FROM ({ours})) EXCEPT ALL (SELECT {list} FROM ({theirs}))");
        string lost = Sample(connection, $"(SELECT {list} FROM ({theirs})) EXCEPT ALL (SELECT {list} FROM ({ours}))");
        return extra.Length + lost.Length == 0 ? null : $"extra:\n{extra}lost:\n{lost}";
    }

    private static string Canonical(string name, string expectedType, Schema schema) => schema.GetFieldByName(name) switch
    {
        null => $"CAST({SqlText.Identifier(name)} AS {expectedType})",
        { } field when HasMap(field.DataType) => Canonical(SqlText.Identifier(name), field.DataType, 0),
        _ => SqlText.Identifier(name),
    };

    private static bool HasMap(IArrowType type) => type switch
    {
        MapType => true,
        ListType l => HasMap(l.ValueDataType),
        StructType s => s.Fields.Any(f => HasMap(f.DataType)),
        _ => false,
    };

    private static string Canonical(string expression, IArrowType type, int depth)
    {
        string x = $"x{depth}";
        return type switch
        {
            MapType m => $"list_sort(list_transform(map_entries({expression}), lambda {x}: struct_pack(k := {Canonical(x + ".key", m.KeyField.DataType, depth + 1)}, v := CAST({Canonical(x + ".value", m.ValueField.DataType, depth + 1)} AS VARCHAR))))",
            ListType l when HasMap(l) => $"list_transform({expression}, lambda {x}: {Canonical(x, l.ValueDataType, depth + 1)})",
            StructType s when HasMap(s) => $"CASE WHEN {expression} IS NULL THEN NULL ELSE struct_pack({string.Join(", ", s.Fields.Select(f => $"{SqlText.Identifier(f.Name)} := {Canonical($"struct_extract({expression}, {SqlText.Literal(f.Name)})", f.DataType, depth)}"))}) END",
            _ => expression,
        };
    }

    // Writers print numbers and order keys differently, so rows with JSON are brought to one form here.
    private static string? JsonDifference(DuckDBConnection connection, IEnumerable<string> names, string ours, string theirs, Schema schema)
    {
        // Casting to JSON would round long numbers, so JSON goes in as text.
        string list = string.Join(", ", names.Select(n => $"CAST(to_json(CAST({SqlText.Identifier(n)} AS {TextType(n, schema)})) AS VARCHAR) AS {SqlText.Identifier(n)}"));
        string expectedList = string.Join(", ", names.Select(n => $"CAST(to_json({SqlText.Identifier(n)}) AS VARCHAR) AS {SqlText.Identifier(n)}"));
        List<string> left = JsonRows(connection, $"SELECT {list} FROM ({ours})");
        List<string> right = JsonRows(connection, $"SELECT {expectedList} FROM ({theirs})");
        left.Sort(StringComparer.Ordinal);
        right.Sort(StringComparer.Ordinal);
        return left.SequenceEqual(right) ? null : $"ours:\n{string.Join("\n", left.Except(right).Take(4))}\ntheirs:\n{string.Join("\n", right.Except(left).Take(4))}";
    }

    private static string TextType(string name, Schema schema) => schema.GetFieldByName(name) is { } field
        ? SqlText.TypeOf(field).Replace("JSON", "VARCHAR", StringComparison.Ordinal)
        : "VARCHAR";

    private static List<string> JsonRows(DuckDBConnection connection, string sql)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT * FROM ({sql}) LIMIT {MaxJsonRows}";
        using DuckDBDataReader reader = command.ExecuteReader();
        var rows = new List<string>();
        while (reader.Read())
        {
            var row = new StringBuilder();
            for (int i = 0; i < reader.FieldCount; i++)
            {
                row.Append(reader.GetName(i)).Append('=');
                if (reader.IsDBNull(i))
                {
                    row.Append("NULL");
                }
                else
                {
                    using var document = JsonDocument.Parse(reader.GetString(i));
                    Append(row, document.RootElement);
                }

                row.Append(" | ");
            }

            rows.Add(row.ToString());
        }

        return rows;
    }

    private static void Append(StringBuilder text, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                text.Append('{');
                foreach (JsonProperty property in value.EnumerateObject().OrderBy(p => p.Name, StringComparer.Ordinal))
                {
                    // Writers leave out fields that are NULL.
                    if (property.Value.ValueKind == JsonValueKind.Null || (property.Value.ValueKind == JsonValueKind.String && property.Value.ValueEquals("null"u8)))
                    {
                        continue;
                    }

                    text.Append(property.Name).Append(':');
                    Append(text, property.Value);
                    text.Append(',');
                }

                text.Append('}');
                break;
            case JsonValueKind.Array:
                text.Append('[');
                foreach (JsonElement item in value.EnumerateArray())
                {
                    Append(text, item);
                    text.Append(',');
                }

                text.Append(']');
                break;
            case JsonValueKind.Number:
                text.Append(decimal.TryParse(value.GetRawText(), NumberStyles.Float, CultureInfo.InvariantCulture, out decimal number)
                    ? (number / 1.0000000000000000000000000000m).ToString(CultureInfo.InvariantCulture) : double.Parse(value.GetRawText(), CultureInfo.InvariantCulture).ToString("R", CultureInfo.InvariantCulture));
                break;
            case JsonValueKind.String when TryNested(value.GetString()!) is { } nested:
                // The expected files hold variants as JSON text, also inside structs, lists and maps.
                Append(text, nested);
                break;
            default:
                text.Append(value.GetRawText());
                break;
        }
    }

    private static JsonElement? TryNested(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            return document.RootElement.Clone();
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string Sample(DuckDBConnection connection, string sql)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT * FROM ({sql}) LIMIT 4";
        using DuckDBDataReader reader = command.ExecuteReader();
        var text = new StringBuilder();
        while (reader.Read())
        {
            for (int i = 0; i < reader.FieldCount; i++)
            {
                text.Append(i == 0 ? "  " : " | ").Append(reader.GetName(i)).Append('=').Append(reader.IsDBNull(i) ? "NULL" : reader.GetString(i));
            }

            text.Append('\n');
        }

        return text.ToString();
    }
}
