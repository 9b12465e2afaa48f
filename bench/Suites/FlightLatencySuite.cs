using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Apache.Arrow;
using Google.Protobuf;
using Grpc.Core;
using LakeHolo.Bench.Flight;
using LakeHolo.Bench.Harness;
using LakeHolo.FlightServer.Client;
using LakeHolo.FlightServer.Protocol;
using LakeHolo.FlightServer.Protocol.Sql;
using LakeHolo.FlightServer.Wire;

namespace LakeHolo.Bench.Suites;

/// <summary>What the server adds to a query that returns one row, with 32 clients on connections of their own: from the client's call to its last byte, without the time that
/// the same statement spent in the engine, which the query log tells.</summary>
internal sealed class FlightLatencySuite : ISuite
{
    private const int Clients = 32;
    private const int FramePrefix = 5;
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
        using var clients = new TurnClients(server.Address, Clients);
        using (var sink = new SinkClient(server.Address))
        {
            await sink.RunAsync("PROMOTE TABLE dwd.points");
        }

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

        await FloorAsync(bench, span);
    }

    /// <summary>What the clients, the web server and the scheduling of both on the same cores take by themselves: two answers of as many bytes from memory.</summary>
    private static async Task FloorAsync(BenchContext bench, TimeSpan span)
    {
        using FloorProcess floor = await FloorProcess.StartAsync();
        using var clients = new TurnClients(floor.Http, Clients);
        var request = new TurnRequest("/600", []);
        foreach (TimeSpan time in new[] { TimeSpan.FromSeconds(3), span })
        {
            var times = new List<double>();
            TimeSpan cpu = floor.ProcessorTime;
            await Task.Factory.StartNew(() => clients.Run(time, 1_000, (_, step, _) => step < 2 ? request : null, (_, ms) => times.Add(ms)), TaskCreationOptions.LongRunning);
            if (time == span)
            {
                bench.Add(new BenchRow("two answers from memory over HTTP/2 at 1,000 per second, p99")
                {
                    Ours = Percentile(times, 0.99),
                    More = new Dictionary<string, double> { ["median"] = Percentile(times, 0.5), ["cores of the server"] = (floor.ProcessorTime - cpu).TotalSeconds / span.TotalSeconds },
                });
            }
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

    /// <summary>Lets the clients ask for a while: each at once after its answer, or in turns at a rate.</summary>
    private static async Task<Load> LoadAsync(ServerProcess server, TurnClients clients, TimeSpan span, double? rate)
    {
        var descriptor = new FlightDescriptor { Type = FlightDescriptor.Types.DescriptorType.Cmd, Cmd = Commands.Pack(new CommandStatementQuery { Query = Sql }) };
        var info = new TurnRequest(PathOf(FlightMethods.GetFlightInfo), Framed(descriptor));
        long[] ids = new long[Clients];
        var times = new List<(long Id, double Ms)>();
        TimeSpan cpu = server.ProcessorTime;
        using var own = Process.GetCurrentProcess();
        TimeSpan clientsCpu = own.TotalProcessorTime;
        await Task.Factory.StartNew(() => clients.Run(span, rate, Next, (number, ms) => times.Add((ids[number], ms))), TaskCreationOptions.LongRunning);
        double cores = (server.ProcessorTime - cpu).TotalSeconds / span.TotalSeconds;
        own.Refresh();
        double clientCores = (own.TotalProcessorTime - clientsCpu).TotalSeconds / span.TotalSeconds;
        Dictionary<long, double> engine = await EngineTimesAsync(server);
        return new Load(times.Count / span.TotalSeconds, cores, clientCores, [.. times.Where(t => engine.ContainsKey(t.Id)).Select(t => (t.Ms, engine[t.Id]))]);

        TurnRequest? Next(int number, int step, ReadOnlySpan<byte> answer)
        {
            switch (step)
            {
                case 0:
                    return info;
                case 1:
                    FlightInfo started = FlightInfo.Parser.ParseFrom(Messages(answer) == 1 ? answer[FramePrefix..] : throw new InvalidOperationException("No FlightInfo came"));
                    ids[number] = IdOf(started);
                    return new TurnRequest(PathOf(FlightMethods.DoGet), Framed(started.Endpoint.Single().Ticket));
                default:
                    return Messages(answer) == 2 ? null : throw new InvalidOperationException("A schema and a batch are expected");
            }
        }
    }

    private static string PathOf(IMethod method) => $"/{method.ServiceName}/{method.Name}";

    /// <summary>A message behind its prefix: not compressed, its length.</summary>
    private static byte[] Framed(IMessage message)
    {
        byte[] framed = new byte[FramePrefix + message.CalculateSize()];
        BinaryPrimitives.WriteInt32BigEndian(framed.AsSpan(1), framed.Length - FramePrefix);
        message.WriteTo(framed.AsSpan(FramePrefix));
        return framed;
    }

    private static int Messages(ReadOnlySpan<byte> answer)
    {
        int count = 0;
        for (; !answer.IsEmpty; count++)
        {
            answer = answer[(FramePrefix + BinaryPrimitives.ReadInt32BigEndian(answer[1..]))..];
        }

        return count;
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
