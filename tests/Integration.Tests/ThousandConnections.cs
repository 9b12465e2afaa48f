using System.Collections.Concurrent;
using System.Globalization;
using Apache.Arrow;
using LakeHolo.FlightServer.Client;
using LakeHolo.Integration.Tests.Harness;
using LakeHolo.Tests.Shared;
using Npgsql;

namespace LakeHolo.Integration.Tests;

/// <summary>A server as a process with a thousand clients at both doors, of which some are busy.</summary>
public sealed class ThousandConnections : IAsyncLifetime
{
    private const int Connections = 1_000;
    private const int Active = 64;
    private const int EngineMiB = 512;

    /// <summary>What the process may hold beside the engine's own memory: the runtime, code, a thousand connections, and rows on their way.</summary>
    private const int ServerMiB = 512;

    private static readonly TimeSpan BusyFor = TimeSpan.FromSeconds(Fuzz.IsNightly ? 60 : 8);

    private static readonly (string Sql, long Rows)[] Statements =
    [
        ("SELECT * FROM dwd.products", 240),
        ("SELECT range AS n, 'row ' || range AS s FROM range(200000)", 200_000),
        ("SELECT range AS n FROM range(300000) ORDER BY hash(range)", 300_000),
        ("SELECT range % 50000 AS k, count(*) AS n, min(md5(range::VARCHAR)) AS m FROM range(300000) GROUP BY ALL", 50_000),
    ];

    private readonly int _postgres = LakeServer.FreePort();
    private readonly ConcurrentBag<IDisposable> _clients = [];
    private LakeServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = new LakeServer(
            SampleLake.Lake, $"postgres.listen: \"127.0.0.1:{_postgres.ToString(CultureInfo.InvariantCulture)}\"", $"engine.memory: {EngineMiB.ToString(CultureInfo.InvariantCulture)}MiB");
        await _server.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (IDisposable client in _clients)
        {
            client.Dispose();
        }

        await _server.DisposeAsync();
    }

    [Fact]
    public async Task A_thousand_connections_of_which_64_are_active_stay_within_the_memory_budget()
    {
        using FlightSqlClient watcher = await ConnectFlightAsync();
        await CountAsync(watcher, Statements[0].Sql);
        long before = MiB("VmRSS");
        var flight = new ConcurrentBag<FlightSqlClient>();
        var postgres = new ConcurrentBag<NpgsqlConnection>();
        await Parallel.ForEachAsync(Enumerable.Range(0, Connections), new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (i, _) =>
        {
            if (i % 2 == 0)
            {
                flight.Add(await ConnectFlightAsync());
            }
            else
            {
                postgres.Add(await ConnectPostgresAsync());
            }
        });
        long idle = MiB("VmRSS");
        Assert.Equal(Connections + 1, await SessionsAsync(watcher));

        using var end = new CancellationTokenSource(BusyFor);
        long[] answers = await Task.WhenAll([.. flight.Take(Active / 2).Select(c => BusyAsync(sql => CountAsync(c, sql), end.Token)), .. postgres.Take(Active / 2).Select(c => BusyAsync(sql => CountAsync(c, sql), end.Token))]);
        long peak = MiB("VmHWM");
        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{before} MiB before, {idle} MiB with {Connections} idle connections, peak {peak} MiB while {Active} were busy: {answers.Sum()} answers in {BusyFor.TotalSeconds} s"));
        Assert.All(answers, a => Assert.True(a > 0));
        Assert.InRange(peak, 0, EngineMiB + ServerMiB);
        Assert.Equal(Connections + 1, await SessionsAsync(watcher));
    }

    /// <summary>Asks one statement after the other; each answer is checked.</summary>
    private static async Task<long> BusyAsync(Func<string, Task<long>> count, CancellationToken end)
    {
        long answers = 0;
        for (int i = Random.Shared.Next(Statements.Length); answers == 0 || !end.IsCancellationRequested; i++, answers++)
        {
            (string sql, long rows) = Statements[i % Statements.Length];
            Assert.Equal(rows, await count(sql));
        }

        return answers;
    }

    private static async Task<long> CountAsync(FlightSqlClient client, string sql)
    {
        await using FlightAnswer answer = await client.ExecuteAsync(sql);
        long rows = 0;
        await foreach (RecordBatch batch in answer.ReadAsync())
        {
            rows += batch.Length;
            batch.Dispose();
        }

        return rows;
    }

    private static async Task<long> CountAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 300 };
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
        long rows = 0;
        while (await reader.ReadAsync())
        {
            rows++;
        }

        return rows;
    }

    private static async Task<long> SessionsAsync(FlightSqlClient client)
    {
        await using FlightAnswer answer = await client.ExecuteAsync("SELECT count(*) FROM lakeholo.sessions");
        return ((Int64Array)(await answer.ReadAsync().FirstAsync()).Column(0)).GetValue(0)!.Value;
    }

    private async Task<FlightSqlClient> ConnectFlightAsync()
    {
        FlightSqlClient client = await FlightSqlClient.ConnectAsync(new Uri(_server.Url), "ana", null, null);
        _clients.Add(client);
        return client;
    }

    private async Task<NpgsqlConnection> ConnectPostgresAsync()
    {
        var connection = new NpgsqlConnection(string.Create(CultureInfo.InvariantCulture, $"Host=127.0.0.1;Port={_postgres};Database=shop;Username=ana;Password=x;Pooling=false;Timeout=60"));
        _clients.Add(connection);
        await connection.OpenAsync();
        return connection;
    }

    private long MiB(string field) => long.Parse(
        File.ReadLines($"/proc/{_server.ProcessId}/status").Single(l => l.StartsWith(field + ":", StringComparison.Ordinal)).Split(' ', '\t').Single(w => long.TryParse(w, out _)),
        CultureInfo.InvariantCulture) >> 10;
}
