using Apache.Arrow;
using Google.Protobuf;
using Grpc.Core;
using LakeHolo.FlightServer.Protocol;
using LakeHolo.FlightServer.Tests.Harness;
using LakeHolo.Tests.Shared;
using Microsoft.Extensions.Time.Testing;

namespace LakeHolo.FlightServer.Tests.Statements;

/// <summary>Several endpoints of one result, for clients that ask for them by the option endpoints.</summary>
public sealed class EndpointTests
{
    private const string Endless = "SELECT range AS i FROM range(100000000000)";

    /// <summary>Enough for two messages.</summary>
    private const int Rows = 300_000;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData("at once")]
    [InlineData("one after the other")]
    [InlineData("the last first")]
    public async Task Every_row_arrives_once_however_the_endpoints_are_read(string how)
    {
        await using TestServer server = await StartAsync(3);
        FlightInfo info = await server.Client.InfoAsync(RawClient.Query("SELECT range AS i FROM range(300000)"));
        Assert.Equal(3, info.Endpoint.Select(e => e.Ticket.Ticket_).Distinct().Count());
        Assert.False(info.Ordered);

        var parts = new List<List<RecordBatch>>();
        if (how == "at once")
        {
            parts.AddRange(await Task.WhenAll(info.Endpoint.Select(e => ReadAsync(server.Client, e, info))).WaitAsync(Limit));
        }
        else
        {
            foreach (FlightEndpoint endpoint in how == "the last first" ? info.Endpoint.Reverse() : info.Endpoint)
            {
                parts.Add(await ReadAsync(server.Client, endpoint, info).WaitAsync(Limit));
            }

            Assert.Equal(Rows, parts[0].Sum(b => b.Length));
            Assert.All(parts.Skip(1), p => Assert.Equal(0, p.Sum(b => b.Length)));
        }

        var seen = new bool[Rows];
        foreach (long row in parts.SelectMany(p => p).SelectMany(b => ((Int64Array)b.Column(0)).Values.ToArray()))
        {
            Assert.False(seen[row], "a row came twice");
            seen[row] = true;
        }

        Assert.DoesNotContain(false, seen);
        await Eventually.TrueAsync(() => server.Service.OpenResults == 0 && server.Host.Statements.ResultCount == 0);
        Assert.Equal(StatusCode.NotFound, await StatementTests.StatusOf(() => server.Client.ReadAsync(info.Endpoint[1].Ticket)));
    }

    [Theory]
    [InlineData("SELECT order_id FROM dwd.orders", 4, false)]
    [InlineData("SELECT order_id, row_number() OVER (ORDER BY order_id) FROM dwd.orders LIMIT 3", 4, false)]
    [InlineData("SELECT order_id FROM dwd.orders ORDER BY 1", 1, true)]
    [InlineData("SELECT * FROM (SELECT order_id FROM dwd.orders ORDER BY 1 LIMIT 3)", 1, true)]
    [InlineData("SELECT order_id FROM dwd.orders UNION ALL SELECT 1 ORDER BY 1", 1, true)]
    [InlineData("FROM dwd.orders SELECT order_id ORDER BY ALL", 1, true)]
    [InlineData("DESCRIBE dwd.orders", 1, true)]
    [InlineData("SET schema = 'dwd'", 1, true)]
    public async Task Statements_that_order_their_rows_have_one_endpoint(string sql, int endpoints, bool isOrdered)
    {
        await using ShopServer server = await ShopServer.StartAsync();
        FlightInfo plain = await server.Client.InfoAsync(RawClient.Query(sql));
        Assert.Equal((1, false), (plain.Endpoint.Count, plain.Ordered));
        using var client = new RawClient(server.Host.Address);
        client.Headers.Add("endpoints", "4");
        FlightInfo info = await client.InfoAsync(RawClient.Query(sql));
        Assert.Equal((endpoints, isOrdered), (info.Endpoint.Count, info.Ordered));
    }

    [Fact]
    public async Task A_reader_that_leaves_ends_the_result_for_the_others_who_are_told()
    {
        await using TestServer server = await StartAsync(2);
        FlightInfo info = await server.Client.InfoAsync(RawClient.Query(Endless));
        using var leave = new CancellationTokenSource();
        using AsyncServerStreamingCall<FlightData> first = server.Client.Get(info.Endpoint[0].Ticket, leave.Token);
        using AsyncServerStreamingCall<FlightData> second = server.Client.Get(info.Endpoint[1].Ticket);
        for (int i = 0; i < 3; i++)
        {
            Assert.True(await first.ResponseStream.MoveNext(default).WaitAsync(Limit));
            Assert.True(await second.ResponseStream.MoveNext(default).WaitAsync(Limit));
        }

        await leave.CancelAsync();
        RpcException told = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await second.ResponseStream.MoveNext(default).WaitAsync(Limit))
            {
            }
        });
        Assert.Equal(StatusCode.Cancelled, told.StatusCode);
        Assert.Contains("Another endpoint", told.Status.Detail, StringComparison.Ordinal);
        await Eventually.TrueAsync(() => server.Service.OpenResults == 0 && server.Host.Statements.ResultCount == 0);
    }

    [Fact]
    public async Task An_error_in_the_middle_reaches_every_reader()
    {
        await using TestServer server = await StartAsync(3);
        FlightInfo info = await server.Client.InfoAsync(RawClient.Query("SELECT CASE WHEN range < 500000 THEN 1 ELSE error('disk gone') END FROM range(1000000)"));
        StatusCode[] told = await Task.WhenAll(info.Endpoint.Select(e => StatementTests.StatusOf(() => server.Client.ReadAsync(e.Ticket)))).WaitAsync(Limit);
        Assert.DoesNotContain(StatusCode.OK, told);
        await Eventually.TrueAsync(() => server.Service.OpenResults == 0 && server.Host.Statements.ResultCount == 0);
    }

    [Fact]
    public async Task Endpoints_that_nobody_reads_expire_and_one_of_them_cancels_all()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch);
        await using TestServer server = await StartAsync(3, time);
        FlightInfo info = await server.Client.InfoAsync(RawClient.Query("SELECT 1 AS i"));
        await server.Client.ReadAsync(info.Endpoint[2].Ticket);
        await Eventually.TrueAsync(() => server.Service.OpenResults == 0);
        Assert.Equal(1, server.Host.Statements.ResultCount);
        await server.Client.ActAsync("RenewFlightEndpoint", new RenewFlightEndpointRequest { Endpoint = info.Endpoint[1] }.ToByteString());
        Assert.Equal(StatusCode.NotFound, await StatementTests.StatusOf(
            () => server.Client.ActAsync("RenewFlightEndpoint", new RenewFlightEndpointRequest { Endpoint = info.Endpoint[2] }.ToByteString())));
        time.Advance(TimeSpan.FromMinutes(3));
        Assert.Equal(0, server.Host.Statements.ResultCount);
        Assert.Equal(StatusCode.NotFound, await StatementTests.StatusOf(() => server.Client.ReadAsync(info.Endpoint[0].Ticket)));

        FlightInfo endless = await server.Client.InfoAsync(RawClient.Query(Endless));
        endless.Endpoint.RemoveAt(0);
        await server.Client.ActAsync("CancelFlightInfo", new CancelFlightInfoRequest { Info = endless }.ToByteString());
        Assert.Equal((0, 0), (server.Service.OpenResults, server.Host.Statements.ResultCount));
    }

    [Fact]
    public async Task Tickets_are_of_use_to_their_user_and_as_they_were_given()
    {
        await using TestServer server = await StartAsync(2);
        FlightInfo info = await server.Client.InfoAsync(RawClient.Query("SELECT 1 AS i"));
        using var other = new RawClient(server.Host.Address);
        other.Headers.Add("authorization", "Basic " + Convert.ToBase64String("other:x"u8.ToArray()));
        Assert.Equal(StatusCode.NotFound, await StatementTests.StatusOf(() => other.ReadAsync(info.Endpoint[1].Ticket)));
        byte[] ticket = info.Endpoint[1].Ticket.Ticket_.ToByteArray();
        foreach (char digit in "29x-/")
        {
            ticket[^1] = (byte)digit;
            Assert.Equal(StatusCode.NotFound, await StatementTests.StatusOf(() => server.Client.ReadAsync(new Ticket { Ticket_ = ByteString.CopyFrom(ticket) })));
        }

        await server.Client.ReadAsync(info.Endpoint[1].Ticket);
        Assert.Equal(StatusCode.NotFound, await StatementTests.StatusOf(() => server.Client.ReadAsync(info.Endpoint[1].Ticket)));
        await server.Client.ReadAsync(info.Endpoint[0].Ticket);
        Assert.Equal(0, server.Host.Statements.ResultCount);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("65")]
    [InlineData("two")]
    public async Task Impossible_numbers_of_endpoints_are_refused(string value)
    {
        await using TestServer server = await TestServer.StartAsync();
        server.Client.Headers.Add("endpoints", value);
        Assert.Equal(StatusCode.InvalidArgument, await StatementTests.StatusOf(() => server.Client.InfoAsync(RawClient.Query("SELECT 1"))));
    }

    private static async Task<TestServer> StartAsync(int endpoints, TimeProvider? time = null)
    {
        TestServer server = await TestServer.StartAsync(time: time);
        server.Client.Headers.Add("endpoints", endpoints.ToString(System.Globalization.CultureInfo.InvariantCulture));
        return server;
    }

    private static async Task<List<RecordBatch>> ReadAsync(RawClient client, FlightEndpoint endpoint, FlightInfo info)
    {
        (_, List<RecordBatch> batches, List<FlightData> messages) = await client.ReadAsync(endpoint.Ticket);
        Assert.Equal(info.Schema.ToByteArray()[8..], messages[0].DataHeader.ToByteArray());
        return batches;
    }
}
