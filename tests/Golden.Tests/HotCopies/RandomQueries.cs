namespace LakeHolo.Golden.Tests.HotCopies;

/// <summary>Queries over one table whose answers do not depend on the order of rows: aggregates under random conditions, in random groups.</summary>
internal sealed class RandomQueries(Random random, string table, IReadOnlyList<(string Name, string Type, string?[] Values)> columns)
{
    private static readonly string[] Comparisons = ["=", "<>", "<", "<=", ">", ">="];

    public string Next()
    {
        string aggregates = string.Join(", ", Enumerable.Range(0, random.Next(1, 4)).Select(i => $"{Aggregate()} AS a{i}"));
        string where = string.Join(random.Next(3) == 0 ? " OR " : " AND ", Enumerable.Range(0, random.Next(0, 3)).Select(_ => Condition()));
        string from = $"FROM {table}{(where.Length == 0 ? "" : " WHERE " + where)}";
        string group = Quoted(Pick().Name);
        return random.Next(4) switch
        {
            0 => $"SELECT hash({group}) % 7 AS g, {aggregates} {from} GROUP BY g",
            1 => $"SELECT count(*) AS n {from}",
            _ => $"SELECT {aggregates} {from}",
        };
    }

    private string Aggregate()
    {
        (string name, string type, _) = Pick();
        bool isExact = type is "TINYINT" or "SMALLINT" or "INTEGER" or "BIGINT" || type.StartsWith("DECIMAL", StringComparison.Ordinal);
        return random.Next(isExact ? 5 : 4) switch
        {
            0 => $"count({Quoted(name)})",
            1 => $"min({Quoted(name)})",
            2 => $"max({Quoted(name)})",
            3 => $"count(DISTINCT {Quoted(name)})",
            _ => $"sum({Quoted(name)})",
        };
    }

    private string Condition()
    {
        (string name, string type, string?[] values) = Pick();
        string? value = values[random.Next(values.Length)];
        return value is null || random.Next(8) == 0
            ? $"{Quoted(name)} IS {(random.Next(2) == 0 ? "NOT " : "")}NULL"
            : $"{Quoted(name)} {Comparisons[random.Next(Comparisons.Length)]} CAST('{value.Replace("'", "''", StringComparison.Ordinal)}' AS {type})";
    }

    private (string Name, string Type, string?[] Values) Pick() => columns[random.Next(columns.Count)];

    private static string Quoted(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
}
