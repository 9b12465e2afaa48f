using LakeHolo.Bench.Harness;

namespace LakeHolo.Bench.Suites;

/// <summary>Queries over one data set in every layout, beside DuckDB and ClickHouse on the plain files.</summary>
/// <param name="name">The suite.</param>
/// <param name="set">The queries' file; schemas are <c>plain_</c>, <c>delta_</c>, <c>hive_</c> and this.</param>
/// <param name="make">Makes the data.</param>
internal sealed class QuerySuite(string name, string set, Func<BenchContext, bool, Task<string>> make) : ISuite
{
    private const string PartitionedPeer = "duckdb_hive";

    private static readonly string[] Layouts = ["delta", "hive", "plain"];

    public string Name => name;

    public string Measures =>
        $"the queries of Queries/{set}.sql, warm, over Delta and plain folders beside the better of DuckDB and ClickHouse on the same files, over partition folders beside DuckDB on these";

    public async Task RunAsync(BenchContext bench)
    {
        string folder = await make(bench, bench.Quick);
        using var duck = new DuckPeer(bench);
        duck.ViewFolders(folder, "plain_" + set);
        duck.Execute("USE plain_" + set);
        using DuckPeer partitioned = duck.Another();
        partitioned.ViewFolders(folder, "hive_" + set);
        partitioned.Execute("USE hive_" + set);
        using ClickHousePeer? house = await ClickHousePeer.TryStartAsync(bench);
        if (house is not null)
        {
            await house.ViewFoldersAsync(folder, "plain_" + set);
        }

        await using BenchLake lake = await BenchLake.StartAsync(bench, folder);
        var ratios = new Ratios();
        foreach (BenchQuery query in QueryFile.Read(set).Queries.Where(q => bench.Wants(q.Name)))
        {
            bool withHouse = await CompareAsync(bench, query, lake, duck, house);
            var contenders = new List<(string, Func<Task<double>>)>();
            foreach (string layout in Layouts)
            {
                contenders.Add((layout, BenchContext.Clock(() => lake.RunAsync(query.Sql, $"{layout}_{set}"))));
            }

            contenders.Add(("duckdb", BenchContext.Clock(() => duck.RunAsync(query.Sql))));
            contenders.Add((PartitionedPeer, BenchContext.Clock(() => partitioned.RunAsync(query.Sql))));
            if (withHouse)
            {
                contenders.Add(("clickhouse", () => house!.RunAsync(query.ClickHouseSql)));
            }

            TimedRuns runs = await BenchContext.CollectAsync(bench.Options.Runs, warm: true, contenders);
            double duckdb = runs["duckdb"].Median;
            double better = withHouse ? Math.Min(duckdb, runs["clickhouse"].Median) : duckdb;
            bench.Add(new BenchRow(query.Name)
            {
                Ours = runs["delta"].Median,
                Peer = better,
                PeerName = better < duckdb ? "clickhouse" : "duckdb",
                MaxRatio = 1.3,
                More = runs.Contenders.Skip(1).Select(c => (Name: c, runs[c].Median)).Concat(runs.Contenders.Select(c => (Name: c + "_best", Median: runs[c].Best)))
                    .ToDictionary(m => m.Name, m => m.Median),
            });
            foreach (string layout in Layouts)
            {
                string peer = PeerOf(layout);
                ratios.Add($"{layout} / {peer}", runs[layout].Median / runs[peer].Median);
                ratios.Add($"{layout} / {peer}, best runs", runs[layout].Best / runs[peer].Best);
                if (peer == "duckdb")
                {
                    ratios.Add(layout + " / better", runs[layout].Median / better);
                }
            }
        }

        foreach (string layout in Layouts)
        {
            ratios.Report(bench, $"{layout} / {PeerOf(layout)}", 1.02);
            ratios.Report(bench, layout + " / better", 1.05);
            ratios.Report(bench, $"{layout} / {PeerOf(layout)}, best runs", 1.02);
        }
    }

    /// <summary>Who reads the same files: in partition folders the rows lie in another order, and in more files.</summary>
    private static string PeerOf(string layout) => layout == "hive" ? PartitionedPeer : "duckdb";

    /// <summary>Whether ClickHouse takes part: it can run the query and gives the same rows. All others have to.</summary>
    private async Task<bool> CompareAsync(BenchContext bench, BenchQuery query, BenchLake lake, DuckPeer duck, ClickHousePeer? house)
    {
        Answer expected = await duck.AnswerAsync(query.Sql);
        foreach (string layout in Layouts)
        {
            await Answers.CompareAsync($"{query.Name} over {layout}", lake.AnswerAsync(query.Sql, $"{layout}_{set}"), Task.FromResult(expected));
        }

        if (house is null)
        {
            return false;
        }

        try
        {
            if (expected.DifferenceFrom(await house.AnswerAsync(query.ClickHouseSql)) is not { } difference)
            {
                return true;
            }

            bench.Say($"{query.Name}: ClickHouse's answer differs, it is left out: {difference}");
        }
        catch (NotSupportedException e)
        {
            bench.Say($"{query.Name}: {e.Message}");
        }

        return false;
    }

    /// <summary>Ratios by kind.</summary>
    private sealed class Ratios
    {
        private readonly Dictionary<string, List<double>> _byKind = [];

        public void Add(string kind, double ratio)
        {
            if (!_byKind.TryGetValue(kind, out List<double>? list))
            {
                _byKind[kind] = list = [];
            }

            list.Add(ratio);
        }

        public void Report(BenchContext bench, string kind, double target)
        {
            if (_byKind.TryGetValue(kind, out List<double>? list))
            {
                bench.Add(new BenchRow($"geometric mean of {kind}")
                {
                    Ours = Math.Exp(list.Average(Math.Log)),
                    Unit = "1",
                    Max = target,
                    More = new Dictionary<string, double> { ["worst"] = list.Max(), ["above_1.3"] = list.Count(r => r > 1.3), ["queries"] = list.Count },
                });
            }
        }
    }
}
