using LakeHolo.Bench.Data;
using LakeHolo.Bench.Harness;

namespace LakeHolo.Bench.Suites;

/// <summary>First queries: nothing known, nothing in the page cache.</summary>
internal sealed class ColdSuite : ISuite
{
    private static readonly string[] Queries = ["q01", "q03", "q06", "q14", "point_order", "top_orders"];

    public string Name => "cold";

    public string Measures => "the first query of a fresh engine with the files out of the page cache, over Delta beside DuckDB on plain Parquet; the start of either does not count";

    public async Task RunAsync(BenchContext bench)
    {
        string folder = await TpchData.MakeAsync(bench, bench.Quick ? 0.1 : 1);
        foreach (BenchQuery query in QueryFile.Read("tpch").Queries.Where(q => Queries.Contains(q.Name) && bench.Wants(q.Name)))
        {
            TimedRuns runs = await BenchContext.CollectAsync(
                bench.Options.Runs,
                warm: false,
                ("ours", async () =>
                {
                    await using BenchLake lake = await BenchLake.StartAsync(bench, folder);
                    NativeFiles.DropPages(folder);
                    return await BenchContext.Clock(() => lake.RunAsync(query.Sql, "delta_tpch"))();
                }
            ),
                ("duckdb", async () =>
                {
                    using var duck = new DuckPeer(bench);
                    duck.ViewFolders(folder, "plain_tpch");
                    duck.Execute("USE plain_tpch");
                    NativeFiles.DropPages(folder);
                    return await BenchContext.Clock(() => duck.RunAsync(query.Sql))();
                }
            ));
            bench.Add(new BenchRow(query.Name)
            {
                Ours = runs["ours"].Median,
                Peer = runs["duckdb"].Median,
                PeerName = "duckdb",
                More = new Dictionary<string, double> { ["ours_best"] = runs["ours"].Best, ["duckdb_best"] = runs["duckdb"].Best },
            });
        }
    }
}
