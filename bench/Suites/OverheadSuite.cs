using System.Globalization;
using LakeHolo.Bench.Harness;

namespace LakeHolo.Bench.Suites;

/// <summary>What LakeHolo adds to a query: the same query of a table so small that the engine has nothing to do.</summary>
internal sealed class OverheadSuite : ISuite
{
    public string Name => "overhead";

    public string Measures => "a query of one of 100 small files through LakeHolo, beside DuckDB that is told which file";

    public async Task RunAsync(BenchContext bench)
    {
        const int Files = 100;
        string folder = await bench.Data.MakeAsync("overhead", 1, (sql, directory) =>
        {
            for (int i = 0; i < Files; i++)
            {
                string partition = string.Create(CultureInfo.InvariantCulture, $"{directory}/small/hundred/p={i}");
                Directory.CreateDirectory(partition);
                sql.Run(string.Create(
                    CultureInfo.InvariantCulture, $"COPY (SELECT i AS id, i * 1.5 AS price, 'name ' || i AS name FROM range({i * 100}, {(i + 1) * 100}) t(i)) TO '{partition}/a.parquet'"));
            }
        });
        await using BenchLake lake = await BenchLake.StartAsync(bench, folder);
        using var duck = new DuckPeer(bench);
        const string Ours = "SELECT count(*), max(price) FROM small.hundred WHERE p = 42";
        string peer = $"SELECT count(*), max(price) FROM read_parquet('{folder}/small/hundred/p=42/a.parquet')";
        await Answers.CompareAsync("one of 100 files", lake.AnswerAsync(Ours), duck.AnswerAsync(peer));
        TimedRuns runs = await BenchContext.TimeAsync(bench.Options.Runs * 20, warm: true, ("ours", () => lake.RunAsync(Ours)), ("duckdb", () => duck.RunAsync(peer)));
        bench.Add(new BenchRow("what ours adds")
        {
            Ours = runs["ours"].Median - runs["duckdb"].Median,
            Max = 3,
            More = new Dictionary<string, double> { ["ours"] = runs["ours"].Median, ["duckdb"] = runs["duckdb"].Median, ["ours_p95"] = runs["ours"].Percentile(0.95) },
        });
    }
}
