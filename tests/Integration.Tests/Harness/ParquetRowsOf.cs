using System.Globalization;
using DuckDB.NET.Data;

namespace LakeHolo.Integration.Tests.Harness;

/// <summary>Rows of Parquet files, read by an engine of the test's own.</summary>
internal static class ParquetRowsOf
{
    /// <summary>The first row in which two files differ, or null. Numbers are compared by value: 6.318 is 6.3180, whatever their types.</summary>
    public static string? Difference(string expectedPath, string actualPath)
    {
        List<string?[]> expected = Read(expectedPath);
        List<string?[]> actual = Read(actualPath);
        int same = expected.Zip(actual).TakeWhile(p => p.First.Length == p.Second.Length && p.First.Zip(p.Second).All(c => Same(c.First, c.Second))).Count();
        return expected.Count == actual.Count && same == expected.Count
            ? null
            : $"{expected.Count - 1} rows expected, {actual.Count - 1} came; row {same}: expected {Line(expected, same)}, came {Line(actual, same)}";
    }

    /// <summary>The header and the rows in file order, every cell in the engine's spelling.</summary>
    private static List<string?[]> Read(string path)
    {
        using var connection = new DuckDBConnection("DataSource=:memory:");
        connection.Open();
        using DuckDBCommand zone = connection.CreateCommand();
        zone.CommandText = "SET TimeZone = 'UTC'";
        zone.ExecuteNonQuery();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM read_parquet('{path}')";
        using DuckDBDataReader reader = command.ExecuteReader();
        var rows = new List<string?[]> { Enumerable.Range(0, reader.FieldCount).Select(reader.GetName).ToArray() };
        while (reader.Read())
        {
            rows.Add([.. Enumerable.Range(0, reader.FieldCount).Select(i => reader.IsDBNull(i) ? null : reader.GetString(i))]);
        }

        return rows;
    }

    private static bool Same(string? expected, string? actual) =>
        expected == actual || (decimal.TryParse(expected, NumberStyles.Number, CultureInfo.InvariantCulture, out decimal e)
            && decimal.TryParse(actual, NumberStyles.Number, CultureInfo.InvariantCulture, out decimal a) && e == a);

    private static string Line(List<string?[]> rows, int row) => row < rows.Count ? string.Join(" | ", rows[row].Select(c => c ?? "NULL")) : "none";
}
