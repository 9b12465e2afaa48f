using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using LakeHolo.Bench.Data;
using LakeHolo.Bench.Harness;

namespace LakeHolo.Bench.Suites;

/// <summary>How soon a commit is in hot answers while a writer goes on and clients query.</summary>
internal sealed class FreshnessSuite : ISuite
{
    private const int CommitsPerSecond = 10;
    private const int Clients = 8;
    private const int RowsPerCommit = 100;
    private const string Query = "SELECT kind, count(*), sum(price) FROM dwd.t WHERE customer < 50000 GROUP BY kind";

    public string Name => "hot-freshness";

    public string Measures => "a writer commits 10 times a second to a Delta table of 1 million rows while 8 clients query its hot copy: from commit to being seen, and what that costs the clients";

    public async Task RunAsync(BenchContext bench)
    {
        int seconds = bench.Quick ? 10 : 30;
        string made = await MakeAsync(bench, seconds * CommitsPerSecond);
        string folder = bench.Data.NewTemporary("freshness");
        try
        {
            var table = new GrowingDelta(Path.Combine(made, "t"), Path.Combine(folder, "dwd", "t"));
            await using BenchLake lake = await BenchLake.StartAsync(bench, folder);
            await lake.RunAsync("PROMOTE TABLE dwd.t");
            double[] quiet = await ClientsAsync(lake, seconds / 3);
            lake.Instance.StartSync();
            var committed = new ConcurrentDictionary<int, long>();
            var visible = new List<double>();
            using var stop = new CancellationTokenSource();
            Task watch = WatchAsync(lake, committed, visible, seconds * CommitsPerSecond, stop.Token);
            Task<double[]> clients = ClientsAsync(lake, seconds);
            await WriteAsync(table, made, committed, seconds);
            double[] busy = await clients;
            stop.CancelAfter(TimeSpan.FromSeconds(10));
            await watch;
            double[] sorted = [.. visible.Order()];
            bench.Add(new BenchRow("from commit to hot answer, p99")
            {
                Ours = Quantile(sorted, 0.99),
                Max = 1000,
                More = new Dictionary<string, double> { ["median"] = Quantile(sorted, 0.5), ["worst"] = sorted[^1], ["commits"] = committed.Count, ["seen"] = sorted.Length },
            });
            bench.Add(new BenchRow("clients' p99 while the writer goes on")
            {
                Ours = Quantile(busy, 0.99),
                Peer = Quantile(quiet, 0.99),
                PeerName = "without a writer",
                MaxRatio = 2,
                More = new Dictionary<string, double> { ["queries"] = busy.Length, ["median"] = Quantile(busy, 0.5), ["median without"] = Quantile(quiet, 0.5) },
            });
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task WriteAsync(GrowingDelta table, string made, ConcurrentDictionary<int, long> committed, int seconds)
    {
        using var ticks = new PeriodicTimer(TimeSpan.FromSeconds(1.0 / CommitsPerSecond));
        for (int i = 1; i <= seconds * CommitsPerSecond && await ticks.WaitForNextTickAsync(); i++)
        {
            table.Add(Path.Combine(made, Change(i)), RowsPerCommit);
            table.Commit();
            committed[i] = Stopwatch.GetTimestamp();
        }
    }

    // Ids of changes are their numbers' negatives.
    private static async Task WatchAsync(BenchLake lake, ConcurrentDictionary<int, long> committed, List<double> visible, int last, CancellationToken stop)
    {
        int seen = 0;
        while (seen < last && !stop.IsCancellationRequested)
        {
            Answer answer = await lake.AnswerAsync("SELECT (-min(id))::BIGINT FROM dwd.t", staleness: "1h");
            long now = Stopwatch.GetTimestamp();
            int newest = Math.Max(0, Convert.ToInt32(answer.Rows[0][0], CultureInfo.InvariantCulture));
            while (seen < newest)
            {
                seen++;
                visible.Add(committed.TryGetValue(seen, out long at) ? Stopwatch.GetElapsedTime(at, now).TotalMilliseconds : 0);
            }

            await Task.Delay(5, CancellationToken.None);
        }
    }

    private static async Task<double[]> ClientsAsync(BenchLake lake, int seconds)
    {
        long started = Stopwatch.GetTimestamp();
        double[][] times = await Task.WhenAll(Enumerable.Range(0, Clients).Select(_ => Task.Run(async () =>
        {
            var own = new List<double>();
            while (Stopwatch.GetElapsedTime(started).TotalSeconds < seconds)
            {
                own.Add(await BenchContext.Clock(() => lake.AnswerAsync(Query, staleness: "1h"))());
                await Task.Delay(50);
            }

            return own.ToArray();
        })));
        return [.. times.SelectMany(t => t).Order()];
    }

    private static double Quantile(double[] sorted, double q) => sorted[Math.Min(sorted.Length - 1, (int)(q * sorted.Length))];

    private static string Change(int number) => string.Create(CultureInfo.InvariantCulture, $"change-{number:D4}.parquet");

    private static Task<string> MakeAsync(BenchContext bench, int changes) => bench.Data.MakeAsync(
        string.Create(CultureInfo.InvariantCulture, $"freshness-{changes}"), 1, (sql, directory) =>
        {
            string Rows(string id, string range) => $"SELECT {id} AS id, (hash(i) % 100000)::INTEGER AS customer, (hash(i + 1) % 1000000) / 100.0::DOUBLE AS price, (hash(i + 3) % 7)::INTEGER AS kind FROM range({range}) t(i)";
            Directory.CreateDirectory(Path.Combine(directory, "plain"));
            for (int f = 0; f < 10; f++)
            {
                sql.Run(string.Create(CultureInfo.InvariantCulture, $"COPY ({Rows("i", $"{f * 100_000}, {(f + 1) * 100_000}")}) TO '{directory}/plain/part-{f:D4}.parquet' (FORMAT parquet)"));
            }

            Layouts.WriteDelta(sql, Path.Combine(directory, "plain"), Path.Combine(directory, "t"));
            for (int i = 1; i <= changes; i++)
            {
                sql.Run(string.Create(CultureInfo.InvariantCulture, $"COPY ({Rows($"(-{i})::BIGINT", RowsPerCommit.ToString(CultureInfo.InvariantCulture))}) TO '{directory}/{Change(i)}' (FORMAT parquet)"));
            }
        });
}
