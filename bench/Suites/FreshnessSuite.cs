using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using LakeHolo.Bench.Data;
using LakeHolo.Bench.Harness;

namespace LakeHolo.Bench.Suites;

/// <summary>How soon commits are in hot answers while writers go on and clients query.</summary>
internal sealed class FreshnessSuite : ISuite
{
    private const int DeltaCommitsPerSecond = 10;
    private const int PaimonCommitsPerSecond = 5;
    private const int Clients = 8;
    private const int RowsPerCommit = 100;
    private const string DeltaQuery = "SELECT kind, count(*), sum(price) FROM dwd.t WHERE customer < 50000 GROUP BY kind";
    private const string PaimonQuery = "SELECT l_shipmode, count(*), sum(l_quantity) FROM bench.lineitem WHERE l_linenumber < 3 GROUP BY l_shipmode";

    public string Name => "hot-freshness";

    public string Measures => "one writer commits 10 times a second to a Delta table of 1 million rows, one appends files of level 0 5 times a second to a Paimon table of 1 million keys, while 8 clients query the hot copies: "
        + "from commit to being seen, and what that costs the clients";

    public async Task RunAsync(BenchContext bench)
    {
        int seconds = bench.Quick ? 10 : 30;
        string? golden = await GoldenTable.UnpackAsync(bench, "paimon", "bench_lineitem_pk_parquet");
        if (golden is null)
        {
            bench.Say("the Paimon table is not there, the suite is left out");
            return;
        }

        string lineItem = Path.Combine(golden, "bench.db", "lineitem");
        string made = await MakeAsync(bench, seconds, lineItem);
        string folder = bench.Data.NewTemporary("freshness");
        try
        {
            var delta = new GrowingDelta(Path.Combine(made, "t"), Path.Combine(folder, "dwd", "t"));
            GrowingPaimon paimon = await GrowingPaimon.CopyAsync(lineItem, Path.Combine(folder, "bench.db", "lineitem"));
            await using BenchLake lake = await BenchLake.StartAsync(bench, folder);
            await lake.RunAsync("PROMOTE TABLE dwd.t");
            await lake.RunAsync("PROMOTE TABLE bench.lineitem");
            double[] quiet = await ClientsAsync(lake, seconds / 3);
            lake.Instance.StartSync();
            Writer[] writers =
            [
                new("Delta", DeltaCommitsPerSecond * seconds, DeltaCommitsPerSecond, "SELECT (-min(id))::BIGINT FROM dwd.t", n =>
                {
                    delta.Add(Path.Combine(made, Change(n)), RowsPerCommit);
                    delta.Commit();
                }),
                new("Paimon", PaimonCommitsPerSecond * seconds, PaimonCommitsPerSecond, "SELECT (-min(l_suppkey))::BIGINT FROM bench.lineitem", n => paimon.Append(made, n)),
            ];
            using var stop = new CancellationTokenSource();
            Task[] watches = [.. writers.Select(w => w.WatchAsync(lake, stop.Token))];
            Task<double[]> clients = ClientsAsync(lake, seconds);
            await Task.WhenAll(writers.Select(w => w.WriteAsync()));
            double[] busy = await clients;
            stop.CancelAfter(TimeSpan.FromSeconds(10));
            await Task.WhenAll(watches);
            foreach (Writer writer in writers)
            {
                double[] sorted = [.. writer.Visible.Order()];

                // Missed if one was never seen.
                bench.Add(new BenchRow($"{writer.Name}, from commit to hot answer, p99")
                {
                    Ours = sorted.Length < writer.Commits ? double.MaxValue : Quantile(sorted, 0.99),
                    Max = 1000,
                    More = new Dictionary<string, double> { ["median"] = Quantile(sorted, 0.5), ["worst"] = sorted.LastOrDefault(), ["commits"] = writer.Commits, ["seen"] = sorted.Length },
                });
            }

            bench.Add(new BenchRow("clients' p99 while the writers go on")
            {
                Ours = Quantile(busy, 0.99),
                Peer = Quantile(quiet, 0.99),
                PeerName = "without writers",
                MaxRatio = 2,
                More = new Dictionary<string, double> { ["queries"] = busy.Length, ["median"] = Quantile(busy, 0.5), ["median without"] = Quantile(quiet, 0.5) },
            });
            await SameAsync(lake, "dwd.t");
            await SameAsync(lake, "bench.lineitem");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    // What was followed is what the lake says.
    private static async Task SameAsync(BenchLake lake, string table)
    {
        string sum = $"SELECT count(*), sum(hash(t) % 1000000007) FROM {table} t";
        await Answers.CompareAsync($"{table}, hot and lake", lake.AnswerAsync(sum, tier: "hot"), lake.AnswerAsync(sum, tier: "lake"));
    }

    private static async Task<double[]> ClientsAsync(BenchLake lake, int seconds)
    {
        long started = Stopwatch.GetTimestamp();
        double[][] times = await Task.WhenAll(Enumerable.Range(0, Clients).Select(c => Task.Run(async () =>
        {
            var own = new List<double>();
            while (Stopwatch.GetElapsedTime(started).TotalSeconds < seconds)
            {
                own.Add(await BenchContext.Clock(() => lake.AnswerAsync(c % 2 == 0 ? DeltaQuery : PaimonQuery, staleness: "1h"))());
                await Task.Delay(50);
            }

            return own.ToArray();
        })));
        return [.. times.SelectMany(t => t).Order()];
    }

    private static double Quantile(double[] sorted, double q) => sorted.Length == 0 ? double.MaxValue : sorted[Math.Min(sorted.Length - 1, (int)(q * sorted.Length))];

    private static string Change(int number) => string.Create(CultureInfo.InvariantCulture, $"change-{number:D4}.parquet");

    private static Task<string> MakeAsync(BenchContext bench, int seconds, string lineItem) => bench.Data.MakeAsync(
        string.Create(CultureInfo.InvariantCulture, $"freshness-{seconds}"), 2, (sql, directory) =>
        {
            string Rows(string id, string range) => $"SELECT {id} AS id, (hash(i) % 100000)::INTEGER AS customer, (hash(i + 1) % 1000000) / 100.0::DOUBLE AS price, (hash(i + 3) % 7)::INTEGER AS kind FROM range({range}) t(i)";
            Directory.CreateDirectory(Path.Combine(directory, "plain"));
            for (int f = 0; f < 10; f++)
            {
                sql.Run(string.Create(CultureInfo.InvariantCulture, $"COPY ({Rows("i", $"{f * 100_000}, {(f + 1) * 100_000}")}) TO '{directory}/plain/part-{f:D4}.parquet' (FORMAT parquet)"));
            }

            Layouts.WriteDelta(sql, Path.Combine(directory, "plain"), Path.Combine(directory, "t"));
            for (int i = 1; i <= seconds * DeltaCommitsPerSecond; i++)
            {
                sql.Run(string.Create(CultureInfo.InvariantCulture, $"COPY ({Rows($"(-{i})::BIGINT", RowsPerCommit.ToString(CultureInfo.InvariantCulture))}) TO '{directory}/{Change(i)}' (FORMAT parquet)"));
            }

            GrowingPaimon.WriteFiles(sql, lineItem, directory, seconds * PaimonCommitsPerSecond);
        });

    /// <summary>Commits numbered from 1 on, and when each was seen in a hot answer.</summary>
    private sealed class Writer(string name, int commits, int perSecond, string newest, Action<int> commit)
    {
        private readonly ConcurrentDictionary<int, long> _committed = new();

        public string Name => name;

        public int Commits => commits;

        /// <summary>ms from a commit to the answer that held it.</summary>
        public List<double> Visible { get; } = [];

        public async Task WriteAsync()
        {
            using var ticks = new PeriodicTimer(TimeSpan.FromSeconds(1.0 / perSecond));
            for (int i = 1; i <= commits && await ticks.WaitForNextTickAsync(); i++)
            {
                commit(i);
                _committed[i] = Stopwatch.GetTimestamp();
            }
        }

        public async Task WatchAsync(BenchLake lake, CancellationToken stop)
        {
            int seen = 0;
            while (seen < commits && !stop.IsCancellationRequested)
            {
                Answer answer = await lake.AnswerAsync(newest, staleness: "1h");
                long now = Stopwatch.GetTimestamp();
                int number = Math.Max(0, Convert.ToInt32(answer.Rows[0][0], CultureInfo.InvariantCulture));
                while (seen < number)
                {
                    seen++;
                    Visible.Add(_committed.TryGetValue(seen, out long at) ? Stopwatch.GetElapsedTime(at, now).TotalMilliseconds : 0);
                }

                await Task.Delay(5, CancellationToken.None);
            }
        }
    }
}
