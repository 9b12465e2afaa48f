using System.Collections.Concurrent;
using System.Globalization;
using LakeHolo.Bench.Data;
using LakeHolo.Bench.Harness;

namespace LakeHolo.Bench.Suites;

/// <summary>Statements per second and memory while 1 to 64 clients ask at once.</summary>
internal sealed class ClientsSuite : ISuite
{
    private static readonly int[] Clients = [1, 4, 16, 64];
    private static readonly string[] Mix = ["q01", "q03", "q06", "q12", "q14", "point_order", "top_orders", "point_part"];

    public string Name => "clients";

    public string Measures => "TPC-H-like statements per second of 1 to 64 clients at once over Delta, beside DuckDB with as many connections on plain Parquet; the most memory of this process meanwhile";

    public async Task RunAsync(BenchContext bench)
    {
        string folder = await TpchData.MakeAsync(bench, bench.Quick ? 0.1 : 1);
        string[] statements = [.. QueryFile.Read("tpch").Queries.Where(q => Mix.Contains(q.Name)).Select(q => q.Sql)];
        using var duck = new DuckPeer(bench);
        duck.ViewFolders(folder, "plain_tpch");
        await using BenchLake lake = await BenchLake.StartAsync(bench, folder);
        foreach (int clients in Clients)
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"{clients} clients");
            if (!bench.Wants(name))
            {
                continue;
            }

            int count = Math.Max(64, clients * 2);
            long ourMemory = 0;
            long duckMemory = 0;
            TimedRuns runs = await bench.TimeAsync(
                ("ours", async () => ourMemory = await PeakAsync(() => AskAsync(clients, count, statements, _ => Task.FromResult<Func<string, Task>>(sql => lake.RunAsync(sql, "delta_tpch"))))),
                ("duckdb", async () => duckMemory = await PeakAsync(() => AskAsync(clients, count, statements, own =>
                {
                    DuckPeer peer = duck.Another();
                    own(peer);
                    peer.Execute("USE plain_tpch");
                    return Task.FromResult<Func<string, Task>>(sql => Task.Run(() => peer.RunAsync(sql)));
                }))));
            bench.Add(new BenchRow(name)
            {
                Ours = count * 1000 / runs["ours"].Median,
                Peer = count * 1000 / runs["duckdb"].Median,
                PeerName = "duckdb",
                Unit = "1/s",
                MinRatio = 0.95,
                More = new Dictionary<string, double> { ["peak_MiB"] = ourMemory >> 20, ["duckdb_peak_MiB"] = duckMemory >> 20, ["limit_MiB"] = bench.Options.MemoryBytes >> 20 },
            });
        }
    }

    // Each client takes the next statement until all were taken.
    private static async Task AskAsync(int clients, int count, string[] statements, Func<Action<IDisposable>, Task<Func<string, Task>>> connect)
    {
        var opened = new ConcurrentBag<IDisposable>();
        int next = -1;
        await Task.WhenAll(Enumerable.Range(0, clients).Select(_ => Task.Run(async () =>
        {
            Func<string, Task> run = await connect(opened.Add);
            for (int n = Interlocked.Increment(ref next); n < count; n = Interlocked.Increment(ref next))
            {
                await run(statements[n % statements.Length]);
            }
        })));
        foreach (IDisposable connection in opened)
        {
            connection.Dispose();
        }
    }

    /// <summary>The most resident memory of the process while something runs, in bytes.</summary>
    private static async Task<long> PeakAsync(Func<Task> run)
    {
        await File.WriteAllTextAsync("/proc/self/clear_refs", "5"); // sets the peak back to what is held now
        await run();
        string line = File.ReadLines("/proc/self/status").First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
        return long.Parse(line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
    }
}
