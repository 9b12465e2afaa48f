using System.Diagnostics;
using System.Globalization;
using System.Net;
using LakeHolo.Bench.Data;
using LakeHolo.Bench.Harness;
using LakeHolo.FlightServer;
using Microsoft.Extensions.Logging.Abstractions;

namespace LakeHolo.Bench.Suites;

/// <summary>Prepared point lookups by PostgreSQL's own pgbench: 64 connections over a hot copy with a lookup key.</summary>
internal sealed class PostgresLookupSuite : ISuite
{
    private const int Clients = 64;
    private const int Aim = 5000; // lookups per second and core
    private const string Debian = "/usr/lib/postgresql";

    public string Name => "postgres-lookup";

    public string Measures => "pgbench -M prepared -c 64: SELECT … WHERE key = $1 over a hot copy of 10 million rows (quick: 1 million) with a lookup key, per core of this process";

    public async Task RunAsync(BenchContext bench)
    {
        if (FindPgbench() is not { } pgbench)
        {
            bench.Say("pgbench is not there (Debian: postgresql-15 or newer), the suite is left out");
            return;
        }

        long rows = bench.Quick ? 1_000_000 : 10_000_000;
        int seconds = bench.Quick ? 5 : 15;
        string folder = await LookupTable.MakeAsync(bench, rows);
        await using BenchLake lake = await BenchLake.StartAsync(bench, folder);
        await lake.RunAsync("PROMOTE TABLE shop.accounts WITH (lookup = true)");
        var options = new FlightServerOptions { Listen = new Uri("grpc://127.0.0.1:0") };
        await using PostgresHost host = PostgresHost.Start(lake.Engine, options, new PostgresOptions { Listen = new IPEndPoint(IPAddress.Loopback, 0) }, NullLoggerFactory.Instance);
        string script = Path.Combine(bench.Data.NewTemporary("pgbench"), "lookup.sql");
        Directory.CreateDirectory(Path.GetDirectoryName(script)!);
        await File.WriteAllTextAsync(script, string.Create(CultureInfo.InvariantCulture, $"\\set key random(0, {rows - 1})\nSELECT key, name, balance, opened FROM shop.accounts WHERE key = :key;\n"));
        foreach ((string name, string staleness) in new[] { ("newest snapshot each time", "0s"), ("max_staleness = 1s", "1s") })
        {
            if (!bench.Wants(name))
            {
                continue;
            }

            await RunAsync(pgbench, host, script, staleness, 10, null); // also loads the index, and has the hot paths compiled
            Outcome full = await RunAsync(pgbench, host, script, staleness, seconds, null);
            bench.Add(new BenchRow($"lookups per second and core, {name}")
            {
                Ours = full.Count / full.Cpu.TotalSeconds,
                Unit = "/s",
                Min = Aim,
                More = new Dictionary<string, double> { ["per second in all"] = full.Rate, ["cores used"] = full.Cpu.TotalSeconds / seconds, ["p99 ms"] = full.P99 },
            });
            foreach ((string load, double rate) in new[] { ($"{Aim / 2} per second", Aim / 2.0), ("half of the greatest rate", full.Rate / 2) })
            {
                Outcome calm = await RunAsync(pgbench, host, script, staleness, seconds, rate);
                bench.Add(new BenchRow($"p99 at {load}, {name}")
                {
                    Ours = calm.P99,
                    Max = 5,
                    More = new Dictionary<string, double> { ["per second"] = calm.Rate, ["median"] = calm.Median, ["p99 of pgbench's own lateness"] = calm.LagP99, ["cores used"] = calm.Cpu.TotalSeconds / seconds },
                });
            }
        }
    }

    private static string? FindPgbench() =>
        Directory.Exists(Debian) ? Directory.GetFiles(Debian, "pgbench", SearchOption.AllDirectories).Order(StringComparer.Ordinal).LastOrDefault() : null;

    private static async Task<Outcome> RunAsync(string pgbench, PostgresHost host, string script, string staleness, int seconds, double? rate)
    {
        string log = Path.Combine(Path.GetDirectoryName(script)!, "log");
        var start = new ProcessStartInfo(pgbench) { RedirectStandardOutput = true, RedirectStandardError = true };
        string[] arguments =
        [
            "-h", "127.0.0.1", "-p", host.Address.Port.ToString(CultureInfo.InvariantCulture), "-U", "bench", "-n", "-M", "prepared", "-c", Clients.ToString(CultureInfo.InvariantCulture), "-j", "1",
            "-T", seconds.ToString(CultureInfo.InvariantCulture), "-f", script, "-l", "--log-prefix", log, .. rate is { } r ? new[] { "-R", r.ToString("F0", CultureInfo.InvariantCulture) } : [], "lake",
        ];
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment["PGOPTIONS"] = $"-c max_staleness={staleness}";
        using var own = Process.GetCurrentProcess();
        TimeSpan before = own.TotalProcessorTime;
        using Process process = Process.Start(start)!;

        // On threads of their own: who reads what a process tells may keep a thread waiting, and the pool, on which the server runs, begins with one for each processor.
        Task<string> errors = Task.Factory.StartNew(process.StandardError.ReadToEnd, TaskCreationOptions.LongRunning);
        string output = await Task.Factory.StartNew(process.StandardOutput.ReadToEnd, TaskCreationOptions.LongRunning);
        await process.WaitForExitAsync();
        own.Refresh();
        TimeSpan cpu = own.TotalProcessorTime - before;
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"pgbench: {output}{await errors}");
        }

        // client, transaction, microseconds, script, time, time, and with a rate how late it began, which belongs to the wait.
        var times = new List<double>();
        var lags = new List<double>();
        foreach (string file in Directory.GetFiles(Path.GetDirectoryName(log)!, "log.*"))
        {
            foreach (string[] line in File.ReadLines(file).Select(line => line.Split(' ')))
            {
                times.Add(double.Parse(line[2], CultureInfo.InvariantCulture) / 1000);
                lags.Add(rate is null ? 0 : double.Parse(line[6], CultureInfo.InvariantCulture) / 1000);
            }

            File.Delete(file);
        }

        times.Sort();
        lags.Sort();
        return new Outcome(times.Count, times.Count / (double)seconds, cpu, times[times.Count / 2], times[(int)(times.Count * 0.99)], lags[(int)(lags.Count * 0.99)]);
    }

    private sealed record Outcome(int Count, double Rate, TimeSpan Cpu, double Median, double P99, double LagP99);
}
