using System.Globalization;
using LakeHolo.Bench.Data;
using LakeHolo.Bench.Harness;

namespace LakeHolo.Bench.Suites;

/// <summary>What LakeHolo adds to a query: the same query of a table so small that the engine has nothing to do.</summary>
internal sealed class OverheadSuite : ISuite
{
    private const int Files = 100;

    public string Name => "overhead";

    public string Measures => "a query of one of 100 small files through LakeHolo, beside DuckDB that is told which file";

    public async Task RunAsync(BenchContext bench)
    {
        string folder = await bench.Data.MakeAsync("overhead", 2, (sql, directory) =>
        {
            Directory.CreateDirectory($"{directory}/small_plain/hundred");
            for (int i = 0; i < Files; i++)
            {
                string partition = string.Create(CultureInfo.InvariantCulture, $"{directory}/small_hive/hundred/p={i}");
                Directory.CreateDirectory(partition);
                string rows = string.Create(CultureInfo.InvariantCulture, $"SELECT i AS id, i * 1.5::DOUBLE AS price, 'name ' || i AS name FROM range({i * 100}, {(i + 1) * 100}) t(i)");
                sql.Run($"COPY ({rows}) TO '{partition}/a.parquet'");
                sql.Run(string.Create(CultureInfo.InvariantCulture, $"COPY (SELECT *, {i} AS p FROM ({rows})) TO '{directory}/small_plain/hundred/{i:D3}.parquet'"));
            }

            Layouts.WriteDelta(sql, $"{directory}/small_plain/hundred", $"{directory}/small_delta/hundred");
        });
        await using BenchLake lake = await BenchLake.StartAsync(bench, folder);
        using var duck = new DuckPeer(bench);
        string peer = $"SELECT count(*) AS n, max(price) AS price FROM read_parquet('{folder}/small_plain/hundred/042.parquet') WHERE id BETWEEN 4200 AND 4299";
        string Query(string schema, string condition) => $"SELECT count(*) AS n, max(price) AS price FROM {schema}.hundred WHERE {condition}";
        foreach ((string name, string sql) in new[]
        {
            ("Delta, by statistics", Query("small_delta", "id BETWEEN 4200 AND 4299")), ("hive folders, by partition", Query("small_hive", "p = 42")),
        })
        {
            await Answers.CompareAsync(name, lake.AnswerAsync(sql), duck.AnswerAsync(peer));
            await MeasureAsync(bench, name, lake, () => sql, duck, peer);
        }

        // A text that was never sent before: parsed, bound and asked of the optimiser each time.
        int number = 0;
        string Fresh() => Query("small_delta", string.Create(CultureInfo.InvariantCulture, $"id BETWEEN 4200 AND 4299 AND price > -{++number}"));
        await MeasureAsync(bench, "Delta, a new text each time", lake, Fresh, duck, peer);
    }

    private static async Task MeasureAsync(BenchContext bench, string name, BenchLake lake, Func<string> ours, DuckPeer duck, string peer)
    {
        if (!bench.Wants(name))
        {
            return;
        }

        TimedRuns runs = await BenchContext.TimeAsync(bench.Options.Runs * 20, warm: true, ("ours", () => lake.RunAsync(ours())), ("duckdb", () => duck.RunAsync(peer)));
        bench.Add(new BenchRow(name)
        {
            Ours = runs["ours"].Median - runs["duckdb"].Median,
            Max = 3,
            Note = "what ours adds",
            More = new Dictionary<string, double>
            {
                ["ours"] = runs["ours"].Median,
                ["duckdb"] = runs["duckdb"].Median,
                ["ours_best"] = runs["ours"].Best,
                ["duckdb_best"] = runs["duckdb"].Best,
                ["ours_p95"] = runs["ours"].Percentile(0.95),
            },
        });
    }
}
