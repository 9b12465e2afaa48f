using System.Diagnostics;
using System.Globalization;
using LakeHolo.Bench.Flight;
using LakeHolo.Bench.Harness;

namespace LakeHolo.Bench.Suites;

/// <summary>How fast rows of a hot table leave the server, beside what the engine hands out in the process.</summary>
internal sealed class FlightThroughputSuite : ISuite
{
    private const double GiB = 1L << 30;
    private const int WarmUps = 4;

    public string Name => "flight-throughput";

    public string Measures => "GiB of Arrow per second and core used: a hot table over Flight SQL to a client that drops the bytes, beside DuckDB's Arrow stream in the process";

    public async Task RunAsync(BenchContext bench)
    {
        long rows = bench.Quick ? 2_000_000 : 10_000_000;
        string lake = await MakeAsync(bench, rows);
        await using ServerProcess server = await ServerProcess.StartAsync(bench, lake, bench.Options.MemoryBytes);
        using var client = new SinkClient(server.Address);
        await using BenchLake inside = await BenchLake.StartAsync(bench, lake);
        using var duck = new DuckPeer(bench, Path.Combine(bench.Data.NewTemporary("peer"), "peer.duckdb"));
        foreach ((string name, string table, double share) in new[] { ("8 fixed-width columns", "fixed", 0.8), ("2 text columns", "texts", 0.7) })
        {
            if (bench.Wants(name))
            {
                await client.RunAsync($"PROMOTE TABLE dwd.{table}");
                await inside.RunAsync($"PROMOTE TABLE dwd.{table}");
                duck.Execute($"CREATE TABLE {table} AS SELECT * FROM read_parquet('{lake}/dwd/{table}/*.parquet'); CHECKPOINT");
                await MeasureAsync(bench, name, server, client, inside, duck, table, share);
            }
        }

        using FloorProcess floor = await FloorProcess.StartAsync();
        await FloorAsync(bench, "floor: HTTP/2 that sends the same bytes again and again", floor, floor.HttpAsync);
        await FloorAsync(bench, "floor: a bare socket that does so", floor, floor.TcpAsync);
    }

    /// <summary>What a core could send if there were no rows to make: nothing that the server does can be faster.</summary>
    private static async Task FloorAsync(BenchContext bench, string name, FloorProcess floor, Func<long, Task> send)
    {
        const long Bytes = 1L << 30;
        if (bench.Wants(name))
        {
            await send(Bytes);
            var rates = new List<Rate>();
            for (int round = 0; round < bench.Options.Runs; round++)
            {
                rates.Add(await RateAsync(Bytes, () => floor.ProcessorTime, () => send(Bytes)));
            }

            bench.Add(new BenchRow(name) { Ours = Median(rates.Select(r => r.PerCore)), Unit = "GiBy/s/core", More = new Dictionary<string, double> { ["GiB/s"] = Median(rates.Select(r => r.PerSecond)), ["best"] = rates.Max(r => r.PerCore) } });
        }
    }

    private static async Task MeasureAsync(BenchContext bench, string name, ServerProcess server, SinkClient client, BenchLake lake, DuckPeer duck, string table, double share)
    {
        long bytes = await duck.BytesAsync($"SELECT * FROM {table}");

        // The server's hot paths are compiled anew while it warms up.
        for (int i = 0; i < WarmUps; i++)
        {
            await client.RunAsync($"SELECT * FROM dwd.{table}");
        }

        var ours = new List<Rate>();
        var inside = new List<Rate>();
        var engine = new List<Rate>();
        for (int round = 0; round < bench.Options.Runs; round++)
        {
            ours.Add(await RateAsync(bytes, () => server.ProcessorTime, async () => await client.RunAsync($"SELECT * FROM dwd.{table}")));
            inside.Add(await RateAsync(bytes, () => Environment.CpuUsage.TotalTime, () => lake.RunAsync($"SELECT * FROM dwd.{table}")));
            engine.Add(await RateAsync(bytes, () => Environment.CpuUsage.TotalTime, async () => await duck.BytesAsync($"SELECT * FROM {table}")));
        }

        double ourRate = Median(ours.Select(r => r.PerCore));
        double engineRate = Median(engine.Select(r => r.PerCore));
        bench.Add(new BenchRow(name)
        {
            Ours = ourRate,
            Peer = engineRate,
            PeerName = "duckdb's Arrow stream",
            Unit = "GiBy/s/core",
            Min = Math.Min(1, share * engineRate),
            More = new Dictionary<string, double>
            {
                ["GiB"] = bytes / GiB,
                ["GiB/s"] = Median(ours.Select(r => r.PerSecond)),
                ["duckdb GiB/s"] = Median(engine.Select(r => r.PerSecond)),
                ["in process"] = Median(inside.Select(r => r.PerCore)),
                ["best"] = ours.Max(r => r.PerCore),
                ["duckdb best"] = engine.Max(r => r.PerCore),
            },
        });
    }

    private static async Task<Rate> RateAsync(long bytes, Func<TimeSpan> processor, Func<Task> run)
    {
        TimeSpan before = processor();
        long start = Stopwatch.GetTimestamp();
        await run();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        return new Rate(bytes / GiB / seconds, bytes / GiB / (processor() - before).TotalSeconds);
    }

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }

    private static Task<string> MakeAsync(BenchContext bench, long rows) => bench.Data.MakeAsync(string.Create(CultureInfo.InvariantCulture, $"flight-{rows}"), 1, (sql, directory) =>
    {
        (string Table, string Columns)[] tables =
        [
            ("fixed", """
                i AS a, (hash(i) % 1000000000)::BIGINT AS b, (hash(i + 1) % 1000000) / 7.0::DOUBLE AS c, (hash(i + 2) % 1000000) / 3.0::DOUBLE AS d, (hash(i + 3) % 1000000)::INTEGER AS e,
                CASE WHEN i % 10 > 0 THEN (hash(i + 4) % 100)::INTEGER END AS f, DATE '2020-01-01' + (hash(i + 5) % 2000)::INTEGER AS g, TIMESTAMP '2020-01-01' + to_seconds((hash(i + 6) % 100000000)::BIGINT) AS h
                """),
            ("texts", "'customer ' || (hash(i) % 100000) AS s, md5(i::VARCHAR) AS t"),
        ];
        foreach ((string table, string columns) in tables)
        {
            Directory.CreateDirectory(Path.Combine(directory, "dwd", table));
            for (int f = 0; f < 4; f++)
            {
                sql.Run(string.Create(CultureInfo.InvariantCulture, $"COPY (SELECT {columns} FROM range({f * rows / 4}, {(f + 1) * rows / 4}) t(i)) TO '{directory}/dwd/{table}/{f}.parquet' (FORMAT parquet)"));
            }
        }
    });

    private readonly record struct Rate(double PerSecond, double PerCore);
}
