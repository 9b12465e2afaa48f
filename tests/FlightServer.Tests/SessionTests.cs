using System.Security.Cryptography;
using Google.Protobuf;
using Grpc.Core;
using LakeHolo.FlightServer.Client;
using LakeHolo.FlightServer.Protocol;
using LakeHolo.FlightServer.Protocol.Sql;
using LakeHolo.FlightServer.Sessions;
using LakeHolo.FlightServer.Tests.Harness;
using LakeHolo.LakeCatalog;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace LakeHolo.FlightServer.Tests;

public sealed class SessionTests
{
    private static FlightServerOptions WithLogin(FlightServerOptions options) => options with
    {
        Users = new Dictionary<string, string> { ["u"] = PasswordHash.Create("p") },
        Tokens = new Dictionary<string, string> { ["robot"] = Convert.ToHexString(SHA256.HashData("secret-token"u8)) },
    };

    [Theory]
    [InlineData("Basic dTpw", true)]
    [InlineData("basic dTpw", true)]
    [InlineData("Bearer secret-token", true)]
    [InlineData("bearer secret-token", true)]
    [InlineData("Basic dTp4", false)]
    [InlineData("Basic eDpw", false)]
    [InlineData("Basic !!", false)]
    [InlineData("Bearer guess", false)]
    public async Task Login_takes_right_credentials_only_and_gives_the_token_in_the_first_headers(string authorization, bool accepted)
    {
        await using TestServer server = await TestServer.StartAsync(WithLogin);
        if (!accepted)
        {
            Assert.Equal(StatusCode.Unauthenticated, await StatementTests.StatusOf(() => server.Client.LoginAsync(authorization)));
            return;
        }

        string? token = await server.Client.LoginAsync(authorization);
        Assert.StartsWith("Bearer ", token, StringComparison.Ordinal);
        Assert.Equal(StatusCode.Unauthenticated, await StatementTests.StatusOf(() => server.Client.InfoAsync(RawClient.Query("SELECT 1"))));
        server.Client.Headers.Add("authorization", token!);
        await server.Client.RunAsync(new CommandStatementQuery { Query = "SELECT 1" });
    }

    [Fact]
    public async Task Base64_without_padding_is_understood()
    {
        await using TestServer server = await TestServer.StartAsync(o => o with { Users = new Dictionary<string, string> { ["user"] = PasswordHash.Create("pw") } });
        Assert.NotNull(await server.Client.LoginAsync("Basic " + Convert.ToBase64String("user:pw"u8).TrimEnd('=')));
    }

    [Fact]
    public async Task Options_are_kept_per_session_and_faults_are_named_in_the_answer()
    {
        await using TestServer server = await TestServer.StartAsync();
        var request = new SetSessionOptionsRequest
        {
            SessionOptions = { ["schema"] = new() { StringValue = "dws" }, ["lol_invalid"] = new() { Int64Value = 1 }, ["tier"] = new() { StringValue = "lukewarm" } },
        };
        SetSessionOptionsResult answer = SetSessionOptionsResult.Parser.ParseFrom((await server.Client.ActAsync("SetSessionOptions", request.ToByteString()))[0].Body);
        Assert.Equal(SetSessionOptionsResult.Types.ErrorValue.InvalidName, answer.Errors["lol_invalid"].Value);
        Assert.Equal(SetSessionOptionsResult.Types.ErrorValue.InvalidValue, answer.Errors["tier"].Value);
        Assert.Equal(2, answer.Errors.Count);

        GetSessionOptionsResult options = GetSessionOptionsResult.Parser.ParseFrom((await server.Client.ActAsync("GetSessionOptions", ByteString.Empty))[0].Body);
        Assert.Equal("dws", options.SessionOptions["schema"].StringValue);
        Assert.Equal(string.Empty, options.SessionOptions["catalog"].StringValue);
    }

    [Fact]
    public async Task A_schema_header_is_the_default_schema()
    {
        await using TestServer server = await TestServer.StartAsync();
        server.Client.Headers.Add("schema", "dws");
        GetSessionOptionsResult options = GetSessionOptionsResult.Parser.ParseFrom((await server.Client.ActAsync("GetSessionOptions", ByteString.Empty))[0].Body);
        Assert.Equal("dws", options.SessionOptions["schema"].StringValue);
    }

    [Fact]
    public async Task A_closed_session_takes_its_token_and_results_along()
    {
        await using TestServer server = await TestServer.StartAsync(WithLogin);
        server.Client.Headers.Add("authorization", (await server.Client.LoginAsync("Basic dTpw"))!);
        await server.Client.InfoAsync(RawClient.Query("SELECT * FROM range(100000000)"));
        await server.Client.ActAsync("CloseSession", ByteString.Empty);
        Assert.Equal(StatusCode.Unauthenticated, await StatementTests.StatusOf(() => server.Client.InfoAsync(RawClient.Query("SELECT 1"))));
        Assert.Equal(0, server.Host.Statements.ResultCount);
    }

    [Fact]
    public async Task Unread_results_and_idle_sessions_end_with_time()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch);
        await using TestServer server = await TestServer.StartAsync(WithLogin, time);
        server.Client.Headers.Add("authorization", (await server.Client.LoginAsync("Basic dTpw"))!);
        FlightInfo info = await server.Client.InfoAsync(RawClient.Query("SELECT 1"));
        time.Advance(TimeSpan.FromMinutes(3));
        Assert.Equal(StatusCode.NotFound, await StatementTests.StatusOf(() => server.Client.ReadAsync(info.Endpoint[0].Ticket)));
        time.Advance(TimeSpan.FromMinutes(31));
        Assert.Equal(StatusCode.Unauthenticated, await StatementTests.StatusOf(() => server.Client.InfoAsync(RawClient.Query("SELECT 1"))));
    }

    [Fact]
    public async Task A_server_that_all_can_reach_does_not_start_without_users()
    {
        using var service = new DuckDbQueryService();
        var options = new FlightServerOptions { Listen = new Uri("grpc://0.0.0.0:0"), Users = new Dictionary<string, string>() };
        LakeException error = await Assert.ThrowsAsync<LakeException>(() => FlightHost.StartAsync(service, options, NullLoggerFactory.Instance).AsTask());
        Assert.Contains("no users", error.Message, StringComparison.Ordinal);
        await using FlightHost host = await FlightHost.StartAsync(service, options with { Insecure = true }, NullLoggerFactory.Instance);
    }

    [Fact]
    public async Task The_client_of_the_command_line_logs_in_and_streams()
    {
        await using TestServer server = await TestServer.StartAsync(WithLogin);
        using FlightSqlClient client = await FlightSqlClient.ConnectAsync(server.Host.Address, "u", "p", null);
        await using FlightAnswer answer = await client.ExecuteAsync("SELECT * FROM range(300000)");
        Assert.Equal(300_000, await answer.ReadAsync().Select(b => b.Length).SumAsync());
        await Assert.ThrowsAsync<LakeException>(() => client.ExecuteAsync("SELEC").AsTask());
        await Assert.ThrowsAsync<LakeException>(() => FlightSqlClient.ConnectAsync(server.Host.Address, "u", "wrong", null).AsTask());
    }

    [Fact]
    public async Task Apache_Arrow_Flights_own_client_reads_the_rows()
    {
        await using TestServer server = await TestServer.StartAsync();
        using var channel = Grpc.Net.Client.GrpcChannel.ForAddress($"http://{server.Host.Address.Authority}");
        var client = new Apache.Arrow.Flight.Client.FlightClient(channel);
        ByteString command = RawClient.Query("SELECT * FROM orders").Cmd;
        Apache.Arrow.Flight.FlightInfo info = await client.GetInfo(Apache.Arrow.Flight.FlightDescriptor.CreateCommandDescriptor(command.ToByteArray()));
        using Apache.Arrow.Flight.Client.FlightRecordBatchStreamingCall call = client.GetStream(info.Endpoints[0].Ticket);
        int rows = 0;
        while (await call.ResponseStream.MoveNext())
        {
            rows += call.ResponseStream.Current.Length;
        }

        Assert.Equal(100, rows);
    }

    [Theory]
    [InlineData("", StatusCode.OK)]
    [InlineData("arrow.flight.protocol.FlightService", StatusCode.OK)]
    [InlineData("nonsense", StatusCode.NotFound)]
    public async Task The_health_service_answers_without_login(string service, StatusCode expected)
    {
        await using TestServer server = await TestServer.StartAsync(WithLogin);
        using var channel = Grpc.Net.Client.GrpcChannel.ForAddress($"http://{server.Host.Address.Authority}");
        Marshaller<byte[]> bytes = Marshallers.Create(b => b, b => b);
        var check = new Method<byte[], byte[]>(MethodType.Unary, "grpc.health.v1.Health", "Check", bytes, bytes);
        byte[] answer = [];
        Assert.Equal(expected, await StatementTests.StatusOf(async () => answer = await channel.CreateCallInvoker().AsyncUnaryCall(
            check, null, default, new Protocol.Health.HealthCheckRequest { Service = service }.ToByteArray())));
        Assert.Equal(expected == StatusCode.OK ? [8, 1] : [], answer);
    }

    [Fact]
    public async Task Monitoring_answers_over_plain_http()
    {
        await using TestServer server = await TestServer.StartAsync(o => o with { Monitoring = new Uri("http://127.0.0.1:0") });
        using var http = new HttpClient { BaseAddress = server.Host.MonitoringAddress };
        Assert.Equal("ok\n", await http.GetStringAsync("/healthz"));
        string metrics = await http.GetStringAsync("/metrics");
        Assert.Matches("(?m)^lakeholo_flight_sessions(\\{.*\\})? [0-9]+", metrics);
        Assert.Contains("process_working_set_bytes", metrics, StringComparison.Ordinal);
    }
}
