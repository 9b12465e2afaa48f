using System.Text;

namespace LakeHolo.Bench.Harness;

/// <summary>Queries of a file in <c>Queries/</c>: <c>-- name</c> begins one, <c>-- name clickhouse</c> says it as that peer needs it.</summary>
internal sealed record QueryFile(IReadOnlyList<BenchQuery> Queries)
{
    public static QueryFile Read(string name)
    {
        using Stream stream = typeof(QueryFile).Assembly.GetManifestResourceStream($"Queries/{name}.sql")!;
        using var reader = new StreamReader(stream);
        var texts = new List<(string Name, StringBuilder Text)>();
        while (reader.ReadLine() is { } line)
        {
            if (line.StartsWith("-- ", StringComparison.Ordinal))
            {
                texts.Add((line[3..], new StringBuilder()));
            }
            else
            {
                texts[^1].Text.AppendLine(line);
            }
        }

        var all = texts.ToDictionary(t => t.Name, t => t.Text.ToString());
        return new QueryFile([.. all.Where(t => !t.Key.Contains(' ', StringComparison.Ordinal)).Select(t => new BenchQuery(t.Key, t.Value, all.GetValueOrDefault(t.Key + " clickhouse", t.Value)))]);
    }
}

/// <summary>A query over tables that are named without a schema.</summary>
internal sealed record BenchQuery(string Name, string Sql, string ClickHouseSql);
