using Grpc.Core;
using LakeHolo.FlightServer.Protocol;
using LakeHolo.FlightServer.Protocol.Sql;
using LakeHolo.FlightServer.Tests.Harness;
using LakeHolo.Tests.Shared;

namespace LakeHolo.FlightServer.Tests;

/// <summary>Readers that are slow, leave or never come.</summary>
public sealed class StreamTests
{
    private const string Endless = "SELECT range AS a, range AS b FROM range(100000000000)";
    private const int RowBytes = 16;

    [Fact]
    public async Task A_reader_that_pauses_pauses_its_query()
    {
        await using TestServer server = await TestServer.StartAsync();
        FlightInfo info = await server.Client.InfoAsync(RawClient.Query(Endless));
        using AsyncServerStreamingCall<FlightData> paused = server.Client.Get(info.Endpoint[0].Ticket);
        Assert.True(await paused.ResponseStream.MoveNext(default));
        using var busy = new RawClient(server.Host.Address);
        for (int i = 0; i < 100; i++)
        {
            await busy.RunAsync(new CommandStatementQuery { Query = "SELECT max(range) FROM range(1000000)" });
        }

        // While others worked it got no further than the buffers on the way: the server's, the two windows' and the client's.
        Assert.InRange((Interlocked.Read(ref server.Service.Produced) - 100) * RowBytes, 1, 48 << 20);
        for (int i = 0; i < 200; i++)
        {
            Assert.True(await paused.ResponseStream.MoveNext(default));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_reader_that_leaves_ends_its_query(bool byCancelling)
    {
        await using TestServer server = await TestServer.StartAsync();
        var client = new RawClient(server.Host.Address);
        FlightInfo info = await client.InfoAsync(RawClient.Query(Endless));
        using var leave = new CancellationTokenSource();
        using AsyncServerStreamingCall<FlightData> call = client.Get(info.Endpoint[0].Ticket, leave.Token);
        for (int i = 0; i < 3; i++)
        {
            Assert.True(await call.ResponseStream.MoveNext(default));
        }

        Assert.Equal(1, server.Service.OpenResults);
        if (byCancelling)
        {
            await leave.CancelAsync();
        }

        client.Dispose();
        await Eventually.TrueAsync(() => server.Service.OpenResults == 0 && server.Host.Statements.ResultCount == 0);
        Assert.Equal(StatusCode.NotFound, await StatementTests.StatusOf(() => server.Client.ReadAsync(info.Endpoint[0].Ticket)));
    }

    [Fact]
    public async Task A_caller_that_leaves_before_the_query_runs_leaves_nothing_behind()
    {
        await using TestServer server = await TestServer.StartAsync();
        FlightInfo info = await server.Client.InfoAsync(RawClient.Query("WAIT"));
        using var leave = new CancellationTokenSource();
        using AsyncServerStreamingCall<FlightData> call = server.Client.Get(info.Endpoint[0].Ticket, leave.Token);
        Assert.True(await call.ResponseStream.MoveNext(default));
        await leave.CancelAsync();
        await Eventually.TrueAsync(() => server.Host.Statements.ResultCount == 0);
        server.Service.Release.SetResult();
        await Eventually.TrueAsync(() => server.Service.OpenResults == 0);
    }

    [Fact]
    public async Task A_deadline_ends_the_call_and_its_query()
    {
        await using TestServer server = await TestServer.StartAsync();
        FlightInfo info = await server.Client.InfoAsync(RawClient.Query("WAIT"));
        using AsyncServerStreamingCall<FlightData> call = server.Client.GetUntil(info.Endpoint[0].Ticket, DateTime.UtcNow.AddSeconds(1));
        RpcException late = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await call.ResponseStream.MoveNext(default).WaitAsync(TimeSpan.FromSeconds(30)))
            {
            }
        });
        Assert.Equal(StatusCode.DeadlineExceeded, late.StatusCode);
        await Eventually.TrueAsync(() => server.Host.Statements.ResultCount == 0);
        server.Service.Release.SetResult();
        await Eventually.TrueAsync(() => server.Service.OpenResults == 0);
    }
}
