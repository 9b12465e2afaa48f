using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Apache.Arrow;
using LakeHolo.Bench.Flight;
using LakeHolo.Bench.Harness;
using LakeHolo.FlightServer.Client;
using LakeHolo.FlightServer.Protocol;

namespace LakeHolo.Bench.Suites;

/// <summary>What the server adds to a query that returns one row, with 32 clients on connections of their own: from the client's call to its last byte, without the time that
/// the same statement spent in the engine, which the query log tells.</summary>
internal sealed class FlightLatencySuite : ISuite
{
    private const int Clients = 32;
    private const string Sql = "SELECT count(*) AS n, sum(b) AS b FROM dwd.points WHERE a BETWEEN 4200 AND 4299";

    public string Name => "flight-latency";

    public string Measures => "ms that the server and the way to it add to the engine's own time for a query of one row over a hot table, 32 clients over Flight SQL";

    public async Task RunAsync(BenchContext bench)
    {
        TimeSpan span = TimeSpan.FromSeconds(bench.Quick ? 5 : 15);
        string lake = await bench.Data.MakeAsync("flight-points", 1, (sql, directory) =>
        {
            Directory.CreateDirectory(Path.Combine(directory, "dwd", "points"));
            sql.Run($"COPY (SELECT i AS a, (hash(i) % 1000000)::BIGINT AS b FROM range(100000) t(i)) TO '{directory}/dwd/points/a.parquet' (FORMAT parquet)");
        });
        await using ServerProcess server = await ServerProcess.StartAsync(bench, lake, bench.Options.MemoryBytes);
        SinkClient[] clients = [.. Enumerable.Range(0, Clients).Select(_ => new SinkClient(server.Address))];
        try
        {
            await clients[0].RunAsync("PROMOTE TABLE dwd.points");

            // The server's hot paths are compiled anew while it warms up.
            await LoadAsync(server, clients, TimeSpan.FromSeconds(bench.Quick ? 5 : 10), null);
            Load full = await LoadAsync(server, clients, span, null);
            Add(bench, "all at once, as fast as answers come", full, null, null);
            foreach ((string name, double rate) in new[] { ("half of that rate", full.PerSecond / 2), ("1,000 per second", 1_000) })
            {
                Load calm = await LoadAsync(server, clients, span, rate);
                Add(bench, $"at {name}, added, median", calm, calm.Added(0.5), 2);
                Add(bench, $"at {name}, added, p99", calm, calm.Added(0.99), 5);
            }
        }
        finally
        {
            foreach (SinkClient client in clients)
            {
                client.Dispose();
            }
        }

        await FloorAsync(bench, span);
    }

    /// <summary>What the clients, the web server and the scheduling of both on the same cores take by themselves: two answers of as many bytes from memory.</summary>
    private static async Task FloorAsync(BenchContext bench, TimeSpan span)
    {
        using FloorProcess floor = await FloorProcess.StartAsync();
        HttpClient[] clients = [.. Enumerable.Range(0, Clients).Select(_ => FloorProcess.NewClient())];
        foreach (TimeSpan time in new[] { TimeSpan.FromSeconds(3), span })
        {
            var times = new ConcurrentBag<double>();
            TimeSpan cpu = floor.ProcessorTime;
            await TurnsAsync(Clients, time, 1_000, async number =>
            {
                long asked = Stopwatch.GetTimestamp();
                await floor.HttpAsync(clients[number], 600);
                await floor.HttpAsync(clients[number], 600);
                times.Add(Stopwatch.GetElapsedTime(asked).TotalMilliseconds);
            });
            if (time == span)
            {
                bench.Add(new BenchRow("two answers from memory over HTTP/2 at 1,000 per second, p99")
                {
                    Ours = Percentile(times, 0.99),
                    More = new Dictionary<string, double> { ["median"] = Percentile(times, 0.5), ["cores of the server"] = (floor.ProcessorTime - cpu).TotalSeconds / span.TotalSeconds },
                });
            }
        }

        foreach (HttpClient client in clients)
        {
            client.Dispose();
        }
    }

    private static void Add(BenchContext bench, string name, Load load, double? value, double? max) => bench.Add(new BenchRow(name)
    {
        Ours = value ?? load.Added(0.5),
        Max = max,
        Note = "added to the engine's time",
        More = new Dictionary<string, double>
        {
            ["per second"] = load.PerSecond,
            ["client's median"] = Percentile(load.Times.Select(t => t.Client), 0.5),
            ["client's p99"] = Percentile(load.Times.Select(t => t.Client), 0.99),
            ["engine's median"] = Percentile(load.Times.Select(t => t.Engine), 0.5),
            ["engine's p99"] = Percentile(load.Times.Select(t => t.Engine), 0.99),
            ["cores of the server"] = load.Cores,
            ["cores of the clients"] = load.ClientCores,
        },
    });

    /// <summary>Lets the clients ask for a while: each at once after its answer, or all together at a rate, evenly.</summary>
    private static async Task<Load> LoadAsync(ServerProcess server, SinkClient[] clients, TimeSpan span, double? rate)
    {
        var times = new ConcurrentBag<(long Id, double Ms)>();
        TimeSpan cpu = server.ProcessorTime;
        using var own = Process.GetCurrentProcess();
        TimeSpan clientsCpu = own.TotalProcessorTime;
        long start = Stopwatch.GetTimestamp();
        await TurnsAsync(clients.Length, span, rate, async number =>
        {
            long asked = Stopwatch.GetTimestamp();
            FlightInfo info = await clients[number].InfoAsync(Sql);
            await clients[number].ReadAsync(info);
            times.Add((IdOf(info), Stopwatch.GetElapsedTime(asked).TotalMilliseconds));
        });
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        double cores = (server.ProcessorTime - cpu).TotalSeconds / seconds;
        own.Refresh();
        double clientCores = (own.TotalProcessorTime - clientsCpu).TotalSeconds / seconds;
        Dictionary<long, double> engine = await EngineTimesAsync(server);
        return new Load(times.Count / seconds, cores, clientCores, [.. times.Where(t => engine.ContainsKey(t.Id)).Select(t => (t.Ms, engine[t.Id]))]);
    }

    private static async Task TurnsAsync(int clients, TimeSpan span, double? rate, Func<int, Task> ask)
    {
        SemaphoreSlim[] turns = [.. Enumerable.Range(0, clients).Select(_ => new SemaphoreSlim(0))];
        long start = Stopwatch.GetTimestamp();
        Task pace = rate is { } perSecond ? Task.Factory.StartNew(() => Pace.Run(turns, perSecond, span), TaskCreationOptions.LongRunning) : Task.CompletedTask;
        Task[] asking = [.. turns.Select((turn, number) => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(start) < span)
            {
                // How late a turn begins is the clients' own affair here: the server is asked what it adds, not what a queue before it does.
                if (rate is null || await turn.WaitAsync(TimeSpan.FromMilliseconds(100)))
                {
                    await ask(number);
                }
            }
        }))];
        await pace;
        await Task.WhenAll(asking);
    }

    /// <summary>The number of the statement; none where it had not begun when FlightInfo was sent.</summary>
    private static long IdOf(FlightInfo info) => info.AppMetadata.IsEmpty ? -1 : JsonDocument.Parse(info.AppMetadata.Memory).RootElement.GetProperty("queryId").GetInt64();

    private static async Task<Dictionary<long, double>> EngineTimesAsync(ServerProcess server)
    {
        var times = new Dictionary<long, double>();
        using FlightSqlClient client = await FlightSqlClient.ConnectAsync(server.Address, null, null, null);
        await using FlightAnswer answer = await client.ExecuteAsync($"SELECT id, engine_ms FROM lakeholo.query_log WHERE sql = '{Sql}' AND state = 'done'");
        await foreach (RecordBatch batch in answer.ReadAsync())
        {
            using (batch)
            {
                var ids = (Int64Array)batch.Column(0);
                var values = (DoubleArray)batch.Column(1);
                for (int r = 0; r < batch.Length; r++)
                {
                    times[ids.GetValue(r)!.Value] = values.GetValue(r)!.Value;
                }
            }
        }

        return times;
    }

    private static double Percentile(IEnumerable<double> values, double share)
    {
        double[] sorted = [.. values.Order()];
        return sorted[Math.Clamp((int)Math.Ceiling(share * sorted.Length) - 1, 0, sorted.Length - 1)];
    }

    /// <param name="PerSecond">Queries a second.</param>
    /// <param name="Cores">Cores that the server used.</param>
    /// <param name="ClientCores">Cores that the clients used, of the same machine.</param>
    /// <param name="Times">Milliseconds of each query that the log still knew: the client's, and those within the engine.</param>
    private sealed record Load(double PerSecond, double Cores, double ClientCores, IReadOnlyList<(double Client, double Engine)> Times)
    {
        public double Added(double share) => Percentile(Times.Select(t => t.Client - t.Engine), share);
    }
}
