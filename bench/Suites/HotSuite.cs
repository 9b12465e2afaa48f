using System.Globalization;
using LakeHolo.Bench.Data;
using LakeHolo.Bench.Harness;

namespace LakeHolo.Bench.Suites;

/// <summary>Hot copies beside DuckDB's own tables of the same rows in the same order, and how fast they are made.</summary>
internal sealed class HotSuite : ISuite
{
    private const int Columns = 16;

    public string Name => "hot";

    public string Measures => "queries over hot copies beside DuckDB's own tables of the same rows and order; promoting 16 columns";

    public async Task RunAsync(BenchContext bench)
    {
        if (bench.Wants("promote"))
        {
            await PromoteAsync(bench);
        }

        await QueriesAsync(bench, "tpch", await TpchData.MakeAsync(bench, bench.Quick ? 0.1 : 1));
        await QueriesAsync(bench, "hits", await HitsData.MakeAsync(bench, bench.Quick ? 200_000 : 2_000_000, bench.Quick ? 4 : 8));
    }

    private static async Task QueriesAsync(BenchContext bench, string set, string folder)
    {
        BenchQuery[] queries = [.. QueryFile.Read(set).Queries.Where(q => bench.Wants(q.Name))];
        if (queries.Length == 0)
        {
            return;
        }

        string file = Path.Combine(bench.Data.NewTemporary("peer"), "peer.duckdb");
        using var duck = new DuckPeer(bench, file);
        duck.ViewFolders(folder, "plain_" + set);
        duck.Execute("CREATE SCHEMA own; USE own");
        foreach (string table in Directory.GetDirectories(Path.Combine(folder, "plain_" + set)).Select(t => Path.GetFileName(t)!))
        {
            duck.Execute($"CREATE TABLE own.{table} AS SELECT * FROM plain_{set}.{table}");
        }

        duck.Execute("CHECKPOINT");
        await using BenchLake lake = await BenchLake.StartAsync(bench, folder);
        await lake.RunAsync($"PROMOTE SCHEMA delta_{set}");
        var ratios = new List<double>();
        foreach (BenchQuery query in queries)
        {
            await Answers.CompareAsync($"{query.Name}, hot", lake.AnswerAsync(query.Sql, "delta_" + set), duck.AnswerAsync(query.Sql));
            TimedRuns runs = await bench.TimeAsync(("hot", () => lake.RunAsync(query.Sql, "delta_" + set)), ("duckdb", () => duck.RunAsync(query.Sql)));
            ratios.Add(runs["hot"].Median / runs["duckdb"].Median);
            bench.Add(new BenchRow($"{set} {query.Name}") { Ours = runs["hot"].Median, Peer = runs["duckdb"].Median, PeerName = "duckdb's own table" });
        }

        bench.Add(new BenchRow($"geometric mean of hot / duckdb's own tables, {set}")
        {
            Ours = Math.Exp(ratios.Average(Math.Log)),
            Unit = "1",
            Max = 1.05,
            More = new Dictionary<string, double> { ["worst"] = ratios.Max(), ["queries"] = ratios.Count },
        });
    }

    private static async Task PromoteAsync(BenchContext bench)
    {
        long rows = bench.Quick ? 1_000_000 : 5_000_000;
        string made = await bench.Data.MakeAsync(string.Create(CultureInfo.InvariantCulture, $"promote-{rows}"), 1, (sql, directory) =>
        {
            Directory.CreateDirectory(Path.Combine(directory, "dwd", "t"));
            string columns = string.Join(", ", Enumerable.Range(0, Columns).Select(c => (c % 4) switch
            {
                0 => $"(hash(i + {c}) % 1000000)::BIGINT AS c{c}",
                1 => $"((hash(i + {c}) % 1000000) / 100)::DOUBLE AS c{c}",
                2 => $"'value ' || (hash(i + {c}) % 1000) AS c{c}",
                _ => $"DATE '2026-01-01' + (hash(i + {c}) % 365)::INTEGER AS c{c}",
            }));
            for (int f = 0; f < 5; f++)
            {
                sql.Run(string.Create(
                    CultureInfo.InvariantCulture, $"COPY (SELECT {columns} FROM range({f * rows / 5}, {(f + 1) * rows / 5}) t(i)) TO '{directory}/dwd/t/{f}.parquet' (FORMAT parquet, COMPRESSION snappy)"));
            }
        });
        await using BenchLake lake = await BenchLake.StartAsync(bench, made);
        string file = Path.Combine(bench.Data.NewTemporary("peer"), "peer.duckdb");
        using var duck = new DuckPeer(bench, file);
        TimedRuns runs = await BenchContext.CollectAsync(3, warm: true, ("promote", async () =>
        {
            double time = await BenchContext.Clock(() => lake.RunAsync("PROMOTE TABLE dwd.t"))();
            await lake.RunAsync("DEMOTE TABLE dwd.t");
            return time;
        }
        ), ("duckdb", async () =>
        {
            double time = await BenchContext.Clock(() =>
            {
                duck.Execute($"CREATE TABLE t AS SELECT * FROM read_parquet('{made}/dwd/t/*.parquet'); CHECKPOINT");
                return Task.CompletedTask;
            })();
            duck.Execute("DROP TABLE t");
            return time;
        }
        ));
        double Rate(double ms) => rows / ms * 1000 / bench.Options.Threads;
        bench.Add(new BenchRow("promote 16 columns")
        {
            Ours = Rate(runs["promote"].Best),
            Peer = Rate(runs["duckdb"].Best),
            PeerName = "duckdb's CREATE TABLE AS",
            Unit = "{row}/s/core",
            Min = 1e6,
        });
    }
}
