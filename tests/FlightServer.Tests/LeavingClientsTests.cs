using System.Globalization;
using System.Net.Sockets;
using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using LakeHolo.FlightServer.Protocol;
using LakeHolo.FlightServer.Protocol.Sql;
using LakeHolo.FlightServer.Tests.Harness;
using LakeHolo.FlightServer.Tests.Postgres;
using LakeHolo.Tests.Shared;

namespace LakeHolo.FlightServer.Tests;

/// <summary>Clients that cancel, kill, break off and vanish at any moment, at both doors of a real instance.</summary>
public sealed class LeavingClientsTests
{
    private const int Workers = 8;

    /// <summary>What the query log (10,000 lines at most) and caches of texts may hold; every statement or stream that stayed would hold more.</summary>
    private const long ManagedGrowth = 64L << 20;
    private const long EngineGrowth = 32L << 20;

    private static readonly int Clients = Fuzz.IsNightly ? 10_000 : 300;

    /// <summary>Unavailable is what the client makes of a call that it gives up while it reads.</summary>
    private static readonly StatusCode[] Answers =
        [StatusCode.Cancelled, StatusCode.NotFound, StatusCode.ResourceExhausted, StatusCode.InvalidArgument, StatusCode.DeadlineExceeded, StatusCode.Unavailable];

    private const string Endless = "SELECT count(*) FROM range(30000) AS a, range(30000) AS b, range(30000) AS c WHERE a.range + b.range + c.range < 0";

    private static readonly string[] Statements =
    [
        "SELECT range AS a, 'row ' || range AS b FROM range(100000000)",
        Endless,
        "SELECT o.*, r.range AS n FROM dwd.orders AS o, range(100000) AS r",
        "SELECT range FROM range(1000000) ORDER BY hash(range)",
        "SELECT customer, count(*) FROM dwd.orders GROUP BY ALL",
        "SELECT nothing FROM dwd.orders",
    ];

    [Fact]
    public async Task Clients_that_leave_at_any_moment_leave_no_query_no_stream_and_no_memory_behind()
    {
        await using PgShop shop = await PgShop.StartAsync(flight: o => o with { ResultTimeout = TimeSpan.FromSeconds(1) });
        var random = new Random(Fuzz.NewSeed());
        await LeaveAsync(shop, 100, random);
        (long managed, long engine) = await NothingIsLeftAsync(shop);
        await LeaveAsync(shop, Clients, random);
        (long managedAfter, long engineAfter) = await NothingIsLeftAsync(shop);

        // What a statement held is freed when its last task has seen that it was interrupted.
        await Eventually.TrueAsync(() => (engineAfter = shop.Shop.Instance.Engine.EngineMemoryBytes) - engine <= EngineGrowth, () => WhatHolds(shop, engine));
        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{Clients} clients: managed heap {managed >> 10} -> {managedAfter >> 10} KiB, engine {engine >> 10} -> {engineAfter >> 10} KiB, working set {Environment.WorkingSet >> 20} MiB ({GC.GetGCMemoryInfo().TotalCommittedBytes >> 20} MiB of it the runtime's), {ThreadPool.ThreadCount} threads"));
        Assert.InRange(managedAfter - managed, long.MinValue, ManagedGrowth);
        Assert.InRange(engineAfter - engine, long.MinValue, EngineGrowth);
    }

    /// <summary>What holds the engine's memory, and whether it would have been freed by a collection: then something was not disposed.</summary>
    private static string WhatHolds(PgShop shop, long before)
    {
        string uses = shop.Shop.Instance.Engine.EngineMemoryByUse();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return string.Create(CultureInfo.InvariantCulture, $"The engine held {before} bytes before and now (bytes in memory/in files): {uses}; after a collection: {shop.Shop.Instance.Engine.EngineMemoryByUse()}");
    }

    private static async Task LeaveAsync(PgShop shop, int clients, Random random)
    {
        using var shared = new RawClient(shop.Shop.Host.Address);
        (int Seed, string Sql)[] rounds = [.. Enumerable.Range(0, clients).Select(_ => (random.Next(), Statements[random.Next(Statements.Length)]))];
        await Parallel.ForEachAsync(rounds, new ParallelOptions { MaxDegreeOfParallelism = Workers }, async (round, token) =>
        {
            var own = new Random(round.Seed);
            int way = own.Next(12);
            Task leaves = way switch
            {
                0 => CancelUnreadAsync(shared, round.Sql),
                1 => CancelCallAsync(shared, round.Sql, own),
                2 => CancelUnaryAsync(shared, round.Sql, own),
                3 or 4 => CancelWhileAnotherReadsAsync(shared, round.Sql, own),
                5 => KillAsync(shared, round.Sql, own),
                6 => LeaveAnUploadAsync(shared, own),
                7 => VanishAsync(shop.Shop.Host.Address, round.Sql, own),
                8 => CancelOverPostgresAsync(shop, round.Sql, own),
                9 => VanishOverPostgresAsync(shop, round.Sql, own),
                10 => LeaveAPortalAsync(shop, round.Sql),
                _ => LeaveHalfAMessageAsync(shop, round.Sql, own),
            };
            try
            {
                await leaves.WaitAsync(TimeSpan.FromMinutes(2), token);
            }
            catch (Exception e)
            {
                Assert.Fail($"way {way} of leaving {round.Sql}: {e}");
            }
        });
    }

    /// <summary>Waits until nothing is left; then, what is held of memory.</summary>
    private static async Task<(long Managed, long Engine)> NothingIsLeftAsync(PgShop shop)
    {
        await Eventually.TrueAsync(() => shop.Shop.Instance.Engine.Log.Entries.All(e => e.State is not ("running" or "queued")));
        await Eventually.TrueAsync(() => shop.Shop.Host.Statements is { ResultCount: 0, PreparedCount: 0 });
        await Eventually.TrueAsync(() => shop.Shop.Host.Sessions.Count == 0 && shop.Host.ConnectionCount == 0 && shop.Shop.Instance.Engine.WaitingStatements == 0);
        using PgWire wire = await shop.LoginAsync();
        Assert.Equal("1", await wire.TextAsync("SELECT count(*) FROM lakeholo.sessions"));
        Assert.Equal("100", await wire.TextAsync("SELECT count(*) FROM dwd.orders"));
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return (GC.GetTotalMemory(forceFullCollection: true), shop.Shop.Instance.Engine.EngineMemoryBytes);
    }

    private static Task CancelUnreadAsync(RawClient client, string sql) => AnsweredAsync(async () => await CancelAsync(client, await client.InfoAsync(RawClient.Query(sql))));

    private static Task CancelCallAsync(RawClient client, string sql, Random random) => AnsweredAsync(async () =>
    {
        FlightInfo info = await client.InfoAsync(RawClient.Query(sql));
        using var leaves = new CancellationTokenSource();
        using AsyncServerStreamingCall<FlightData> call = client.Get(info.Endpoint[0].Ticket, leaves.Token);
        Task read = ReadAsync(call, random.Next(5));
        await Task.WhenAny(read, Task.Delay(random.Next(50), leaves.Token));
        await leaves.CancelAsync();
        await read;
    });

    private static Task CancelUnaryAsync(RawClient client, string sql, Random random) => AnsweredAsync(async () =>
    {
        using var leaves = new CancellationTokenSource(random.Next(30));
        await client.InfoUntilAsync(RawClient.Query(sql), leaves.Token);
    });

    private static Task CancelWhileAnotherReadsAsync(RawClient client, string sql, Random random) => AnsweredAsync(async () =>
    {
        FlightInfo info = await client.InfoAsync(RawClient.Query(sql));
        using AsyncServerStreamingCall<FlightData> call = client.Get(info.Endpoint[0].Ticket);
        Task read = ReadAsync(call, int.MaxValue);
        await Task.WhenAny(read, Task.Delay(random.Next(50)));
        await CancelAsync(client, info);
        await read;
    });

    private static Task KillAsync(RawClient client, string sql, Random random) => AnsweredAsync(async () =>
    {
        FlightInfo info = await client.InfoAsync(RawClient.Query(sql));
        using AsyncServerStreamingCall<FlightData> call = client.Get(info.Endpoint[0].Ticket);
        Task read = ReadAsync(call, int.MaxValue);
        await Task.WhenAny(read, Task.Delay(random.Next(50)));
        if (info.AppMetadata.IsEmpty)
        {
            // It has not begun yet.
            await CancelAsync(client, info);
        }
        else
        {
            using JsonDocument told = JsonDocument.Parse(info.AppMetadata.Memory);
            await AnsweredAsync(() => client.RunAsync(new CommandStatementQuery { Query = $"KILL QUERY {told.RootElement.GetProperty("queryId").GetInt64()}" }));

            // It may have made room for another meanwhile, and have begun again by another number.
            await CancelAsync(client, info);
        }

        await read;
    });

    private static Task LeaveAnUploadAsync(RawClient client, Random random) => AnsweredAsync(async () =>
    {
        ActionCreatePreparedStatementResult prepared = await client.PrepareAsync("SELECT ? + 1 FROM dwd.orders");
        using var leaves = new CancellationTokenSource();
        using AsyncDuplexStreamingCall<FlightData, PutResult> call = client.Put(leaves.Token);
        await call.RequestStream.WriteAsync(new FlightData { FlightDescriptor = RawClient.Descriptor(new CommandPreparedStatementQuery { PreparedStatementHandle = prepared.PreparedStatementHandle }) });
        await Task.Delay(random.Next(10), leaves.Token);
        await leaves.CancelAsync();
        if (random.Next(2) == 0)
        {
            await client.ActAsync("ClosePreparedStatement", Any.Pack(new ActionClosePreparedStatementRequest { PreparedStatementHandle = prepared.PreparedStatementHandle }).ToByteString());
        }
    });

    /// <summary>A connection of its own that is reset in the middle.</summary>
    private static async Task VanishAsync(Uri address, string sql, Random random)
    {
        Socket? socket = null;
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (context, token) =>
            {
                socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, LingerState = new LingerOption(true, 0) };
                await socket.ConnectAsync(context.DnsEndPoint, token);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        using var client = new RawClient(address, handler);
        try
        {
            FlightInfo info = await client.InfoAsync(RawClient.Query(sql));
            using AsyncServerStreamingCall<FlightData> call = client.Get(info.Endpoint[0].Ticket);
            Task read = ReadAsync(call, random.Next(6));
            await Task.WhenAny(read, Task.Delay(random.Next(50)));
            socket!.Close();
            await read;
        }
        catch (RpcException)
        {
            // Whatever it is told by what it broke itself.
        }
    }

    private static Task CancelOverPostgresAsync(PgShop shop, string sql, Random random) => AnsweredAsync(async () =>
    {
        using PgWire wire = await shop.LoginAsync();
        Task<List<PgMessage>> answer = wire.QueryAsync(sql);
        await Task.WhenAny(answer, Task.Delay(random.Next(60)));
        for (int i = 0; !answer.IsCompleted; i++)
        {
            // One that comes before the statement runs is lost, as with PostgreSQL.
            using PgWire cancel = await PgWire.OpenAsync(shop.Host.Address);
            await cancel.SendRawAsync(PgWire.Untyped([.. PgWire.Int(80877102), .. PgWire.Int(wire.ProcessId), .. PgWire.Int(wire.Secret)]));
            await Task.WhenAny(answer, Task.Delay(100));
        }

        await answer;
    });

    private static Task VanishOverPostgresAsync(PgShop shop, string sql, Random random) => AnsweredAsync(async () =>
    {
        using PgWire wire = await shop.LoginAsync();
        await wire.Send('Q', PgWire.Zero(sql)).FlushAsync();
        Task<PgMessage> first = wire.ReadAsync();
        await Task.WhenAny(first, Task.Delay(random.Next(50)));
        wire.Vanish();
        await first;
    });

    private static Task LeaveAPortalAsync(PgShop shop, string sql) => AnsweredAsync(async () =>
    {
        using PgWire wire = await shop.LoginAsync();
        await wire.Parse(sql).Bind().Execute(limit: 10).Send('H').FlushAsync();
        if (sql != Endless)
        {
            await wire.ReadAsync();
        }
    });

    private static Task LeaveHalfAMessageAsync(PgShop shop, string sql, Random random) => AnsweredAsync(async () =>
    {
        using PgWire wire = await shop.LoginAsync();
        byte[] whole = [(byte)'Q', .. PgWire.Int(sql.Length + 5), .. PgWire.Zero(sql)];
        await wire.SendRawAsync(whole[..random.Next(whole.Length)]);
        wire.Vanish();
    });

    private static Task<List<Result>> CancelAsync(RawClient client, FlightInfo info) => client.ActAsync("CancelFlightInfo", new CancelFlightInfoRequest { Info = info }.ToByteString());

    private static async Task ReadAsync(AsyncServerStreamingCall<FlightData> call, int messages)
    {
        for (int i = 0; i < messages && await call.ResponseStream.MoveNext(default); i++)
        {
        }
    }

    /// <summary>Does something that may be answered by an error, but not by one of the server's own.</summary>
    private static async Task AnsweredAsync(Func<Task> leave)
    {
        try
        {
            await leave();
        }
        catch (RpcException e) when (Answers.Contains(e.StatusCode))
        {
            // It left, was told so, or there were too many at once.
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // Its own connection, which it ended.
        }
    }
}
