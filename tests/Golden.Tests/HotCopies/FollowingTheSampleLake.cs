using System.Text.Json;
using LakeHolo.Golden.Tests.SampleLake;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Golden.Tests.HotCopies;

/// <summary>The shop's tables while their writers go on: hot copies follow, and lake, hot and partly hot answers are the same.</summary>
public sealed class FollowingTheSampleLake(ITestOutputHelper output) : IAsyncLifetime
{
    // Some 2,000 nightly, of all steps.
    private static readonly int QueriesPerStep = Fuzz.IsNightly ? 160 : 20;

    private SampleLakeCopy _lake = null!;

    public async ValueTask InitializeAsync() => _lake = await SampleLakeCopy.StartAsync();

    public async ValueTask DisposeAsync() => await _lake.DisposeAsync();

    [Fact]
    public async Task After_every_step_hot_copies_hold_what_the_writers_say_and_the_step_was_applied_as_expected()
    {
        await _lake.ManageAsync("PROMOTE TABLE *.*");
        var how = new List<string>();
        var wrong = new List<string>();
        for (int step = 1; step <= Steps; step++)
        {
            _lake.Play(step);
            await _lake.ManageAsync("SET tier = 'auto'");
            await _lake.ManageAsync("REFRESH TABLE *.*");
            using JsonDocument document = JsonDocument.Parse(await File.ReadAllBytesAsync(Path.Combine(_lake.Home, "updates", "steps", $"{step:000}", "tables.json")));
            foreach (JsonProperty table in document.RootElement.GetProperty("touched").EnumerateObject())
            {
                string refresh = (await _lake.RowsAsync($"SELECT last_refresh FROM lakeholo.hot_tables WHERE \"table\" = 'shop.{table.Name}'")).Single().TrimEnd('|');
                how.Add($"{step} {table.Name}: {refresh}");
                await _lake.ManageAsync("SET tier = 'hot'");
                (string sql, List<string> expected) = TableAggregates.Of(table.Name, table.Value);
                string[] actual = (await _lake.RowsAsync(sql)).Single().TrimEnd('|').Split('|');
                wrong.AddRange(expected.Zip(actual).Where(p => !TableAggregates.Same(p.First, p.Second)).Select(p => $"{how[^1]}: {p.First} <> {p.Second}"));
                await _lake.ManageAsync("SET tier = 'auto'");
            }
        }

        output.WriteLine(string.Join("\n", how));
        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
        Assert.Equal(await File.ReadAllLinesAsync(Path.Combine(GoldenCases.Root, "tests", "Golden.Tests", "HotCopies", "how-applied-shop.txt")), how);
    }

    [Fact]
    public async Task Random_queries_have_one_answer_from_the_lake_from_hot_copies_and_from_partly_hot_tables_at_every_step()
    {
        var random = new Random(Fuzz.NewSeed());
        string[] tables = [.. (await _lake.RowsAsync("SELECT schema || '.' || name FROM lakeholo.tables WHERE last_error IS NULL")).Select(t => t.TrimEnd('|'))];
        await _lake.ManageAsync("PROMOTE TABLE *.*");
        var wrong = new List<string>();
        for (int step = 0; step <= Steps; step++)
        {
            if (step > 0)
            {
                _lake.Play(step);
                await _lake.ManageAsync("REFRESH TABLE *.*");
            }

            // Some tables are promoted anew, each step others: whole, by columns, by partitions.
            foreach (string table in tables.Where(_ => random.Next(3) == 0))
            {
                string promotion = await PromotionAsync(random, table);
                wrong.AddRange((await _lake.ManageAsync(promotion)).Where(r => r.Contains("|failed|", StringComparison.Ordinal)).Select(r => $"{promotion}: {r}"));
            }

            var queries = new Dictionary<string, RandomQueries>();
            for (int i = 0; i < QueriesPerStep; i++)
            {
                string table = tables[random.Next(tables.Length)];
                queries.TryAdd(table, new RandomQueries(random, table, await ColumnsAsync(table)));
                string sql = queries[table].Next();
                await _lake.ManageAsync("SET tier = 'lake'");
                List<string> lake = await _lake.RowsAsync(sql);
                await _lake.ManageAsync("SET tier = 'auto'");
                List<string> hot = await _lake.RowsAsync(sql);
                if (!lake.SequenceEqual(hot))
                {
                    wrong.Add($"step {step}: {sql}\n  lake: {string.Join(" / ", lake.Take(3))}\n  hot:  {string.Join(" / ", hot.Take(3))}");
                }
            }
        }

        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
        Assert.Contains("true|", await _lake.RowsAsync("SELECT tables LIKE '%partly hot%' FROM lakeholo.query_log"));
    }

    private int Steps => Directory.GetDirectories(Path.Combine(_lake.Home, "updates", "steps")).Length;

    private async Task<string> PromotionAsync(Random random, string table)
    {
        (string Name, string Type, string?[] Values)[] columns = await ColumnsAsync(table);
        string list = random.Next(2) == 0 ? "" : $" ({string.Join(", ", columns.Where(_ => random.Next(3) > 0).Select(c => $"\"{c.Name}\"").DefaultIfEmpty($"\"{columns[0].Name}\""))})";
        string[] partitions = [.. (await _lake.RowsAsync($"SELECT name FROM lakeholo.columns WHERE is_partition_column AND schema || '.' || \"table\" = '{table}'")).Select(p => p.TrimEnd('|'))];
        (string Name, string Type, string?[] Values) partition = columns.FirstOrDefault(c => partitions.Contains(c.Name));
        string where = partition.Name is null || partition.Values[1] is null || random.Next(3) == 0
            ? ""
            : $" WHERE \"{partition.Name}\" {(random.Next(2) == 0 ? ">=" : "<=")} CAST('{partition.Values[1]}' AS {partition.Type})";
        return $"PROMOTE TABLE {table}{list}{where}";
    }

    // Scalar columns, with some of their values.
    private async Task<(string Name, string Type, string?[] Values)[]> ColumnsAsync(string table)
    {
        string[] name = table.Split('.');
        List<string> rows = await _lake.RowsAsync($"SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = '{name[0]}' AND table_name = '{name[1]}'");
        (string Name, string Type)[] scalars =
        [
            .. rows.Select(r => r.Split('|')).Where(r => !r[1].Contains('(', StringComparison.Ordinal) || r[1].StartsWith("DECIMAL", StringComparison.Ordinal))
                .Where(r => !r[1].EndsWith("[]", StringComparison.Ordinal) && r[1] != "BLOB").Select(r => (r[0], r[1])),
        ];
        string values = string.Join(", ", scalars.SelectMany(c => (string[])["min", "median", "max"], (c, f) => f == "median" ? $"quantile_disc(\"{c.Name}\", 0.5)" : $"{f}(\"{c.Name}\")").Select((e, i) => $"{e} AS v{i}"));
        string[] cells = (await _lake.RowsAsync($"SELECT {values} FROM {table}")).Single().Split('|');
        return [.. scalars.Select((c, i) => (c.Name, c.Type, cells.Skip(3 * i).Take(3).Select(v => v == "NULL" ? null : v).ToArray()))];
    }
}
