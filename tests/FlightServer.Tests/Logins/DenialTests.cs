using System.Security.Cryptography;
using Google.Protobuf;
using Grpc.Core;
using LakeHolo.Accelerator.Access;
using LakeHolo.FlightServer.Protocol;
using LakeHolo.FlightServer.Protocol.Sql;
using LakeHolo.FlightServer.Tests.Harness;
using LakeHolo.FlightServer.Tests.Postgres;
using LakeHolo.Tests.Shared;
using Microsoft.Extensions.Time.Testing;

namespace LakeHolo.FlightServer.Tests.Logins;

/// <summary>Every refusal is noted, and no log holds what was tried as a secret.</summary>
public sealed class DenialTests : IDisposable
{
    private const int LoginRefused = 5002;
    private const int CancelRefused = 5009;
    private const string Guess = "a-guessed-secret";

    private readonly TestIssuer _issuer = new();

    public void Dispose() => _issuer.Dispose();

    private FlightServerOptions WithLogin(FlightServerOptions options) => options with
    {
        Users = new Dictionary<string, string> { ["ana"] = PasswordHash.Create("secret") },
        Tokens = new Dictionary<string, string> { ["robot"] = Convert.ToHexString(SHA256.HashData("static-token"u8)) },
        TokenExpiry = new Dictionary<string, DateTimeOffset> { ["robot"] = DateTimeOffset.UtcNow.AddDays(1) },
        Issuers = [_issuer.Configured],
    };

    [Fact]
    public async Task Each_login_that_flight_refuses_is_one_line_of_the_log_without_what_was_tried()
    {
        using var log = new CollectedLog();
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using TestServer server = await TestServer.StartAsync(WithLogin, time, log);
        string expired = _issuer.Sign(TestIssuer.Claims("ana", time.GetUtcNow().AddHours(-1)));
        string[] headers =
        [
            "Basic " + Convert.ToBase64String("ana:a-guessed-secret"u8), "Basic " + Convert.ToBase64String("nobody:a-guessed-secret"u8), "Basic " + Convert.ToBase64String("token:a-guessed-secret"u8),
            "Basic a-guessed-secret", "Bearer a-guessed-secret", "Bearer ey.a-guessed-secret.x", "Bearer " + expired, "Digest a-guessed-secret",
        ];
        foreach (string header in headers)
        {
            Assert.Equal(StatusCode.Unauthenticated, await StatementTests.StatusOf(() => server.Client.LoginAsync(header)));
        }

        Assert.Equal(StatusCode.Unauthenticated, await StatementTests.StatusOf(() => server.Client.InfoAsync(RawClient.Query("SELECT 1"))));
        server.Client.Headers.Add("authorization", "Bearer static-token");
        await server.Client.InfoAsync(RawClient.Query("SELECT 1"));
        time.Advance(TimeSpan.FromDays(2));
        Assert.Equal(StatusCode.Unauthenticated, await StatementTests.StatusOf(() => server.Client.InfoAsync(RawClient.Query("SELECT 1"))));

        Assert.Equal(headers.Length + 2, log.Of(LoginRefused).Count);
        Assert.Single(log.Of(LoginRefused), l => l.StartsWith("Login of ana refused for ipv4:127.0.0.1:", StringComparison.Ordinal) && l.Contains("wrong user name", StringComparison.Ordinal));
        foreach (string secret in new[] { Guess, "static-token", "YS1ndWVzc2", expired.Split('.')[2] })
        {
            Assert.DoesNotContain(log.Lines.Where(l => l.Id is >= 5000 and < 6000), l => l.Text.Contains(secret, StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Logins_and_cancels_that_postgres_refuses_are_logged()
    {
        using var log = new CollectedLog();
        await using PgServer server = PgServer.Start(WithLogin, log: log);
        await Assert.ThrowsAsync<InvalidOperationException>(() => server.LoginAsync("ana", Guess));
        await Assert.ThrowsAsync<InvalidOperationException>(() => server.LoginAsync("nobody", Guess));
        await Assert.ThrowsAsync<InvalidOperationException>(() => server.LoginAsync("token", Guess));
        using PgWire ana = await server.LoginAsync("ana", "secret");
        using (PgWire cancel = await PgWire.OpenAsync(server.Address))
        {
            await cancel.SendRawAsync(PgWire.Untyped([.. PgWire.Int(80877102), .. PgWire.Int(ana.ProcessId), .. PgWire.Int(ana.Secret + 1)]));
            Assert.True(await cancel.IsClosedAsync());
        }

        Assert.Equal(3, log.Of(LoginRefused).Count);
        Assert.Single(log.Of(CancelRefused));
        Assert.DoesNotContain(log.Lines, l => l.Text.Contains(Guess, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_session_at_the_postgres_door_ends_when_its_token_expires()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        using var certificates = new LakeHolo.Tests.Shared.Certificates();
        (string certificate, string key) = certificates.Issue("server");
        await using PgServer server = PgServer.Start(o => o with { Issuers = [_issuer.Configured], CertificatePath = certificate, KeyPath = key }, time: time);
        using PgWire wire = await PgWire.OpenAsync(server.Address);
        await wire.AskForTlsAsync();
        await wire.EncryptAsync();
        await wire.StartAsync("token");
        await wire.AuthenticateAsync(_issuer.Sign(TestIssuer.Claims("ana", time.GetUtcNow())));
        Assert.Equal("1", await wire.TextAsync("SELECT 1"));
        time.Advance(TimeSpan.FromMinutes(7));
        await wire.Send('Q', PgWire.Zero("SELECT 1")).FlushAsync();
        PgMessage error = await wire.ReadAsync();
        Assert.Equal(("28000", "the token of user \"ana\" has expired"), (error.Field('C'), error.Field('M')));
        Assert.True(await wire.IsClosedAsync());
    }

    [Fact]
    public async Task Others_results_statements_and_queries_are_denied_and_administrators_see_it()
    {
        var access = new AccessOptions
        {
            Roles = [new AccessRole("reader") { Grants = [new TableGrant("roles, reader") { Tables = "dwd.*" }] }, new AccessRole("operator") { IsAdmin = true, Grants = [new TableGrant("roles, operator") { Tables = "*" }] }],
            Users = new Dictionary<string, IReadOnlyList<string>> { ["ana"] = ["reader"], ["eve"] = ["reader"], ["root"] = ["operator"] },
        };
        await using ShopServer shop = await ShopServer.StartAsync(lake: o => o with { Access = access });
        using RawClient ana = As("ana");
        using RawClient eve = As("eve");
        using RawClient root = As("root");
        FlightInfo unread = await ana.InfoAsync(RawClient.Query("SELECT range FROM range(100000000)"));
        long id = System.Text.Json.JsonDocument.Parse(unread.AppMetadata.Memory).RootElement.GetProperty("queryId").GetInt64();
        ActionCreatePreparedStatementResult prepared = await ana.PrepareAsync("FROM dwd.orders");
        foreach (Func<Task> attempt in new Func<Task>[]
        {
            () => eve.ReadAsync(unread.Endpoint[0].Ticket),
            () => eve.InfoAsync(RawClient.Descriptor(new CommandPreparedStatementQuery { PreparedStatementHandle = prepared.PreparedStatementHandle })),
            () => eve.RunAsync(new CommandStatementQuery { Query = $"KILL QUERY {id}" }),
            () => eve.RunAsync(new CommandStatementQuery { Query = "FROM dws.sales_daily" }),
        })
        {
            Assert.Equal(StatusCode.NotFound, await StatementTests.StatusOf(attempt));
        }

        Assert.Equal(StatusCode.PermissionDenied, await StatementTests.StatusOf(() => eve.RunAsync(new CommandStatementQuery { Query = "PROMOTE TABLE dwd.orders" })));
        (_, List<Apache.Arrow.RecordBatch> denied, _) = await root.RunAsync(new CommandStatementQuery { Query = "SELECT \"user\", sql FROM lakeholo.query_log WHERE state = 'denied' ORDER BY id" });
        Assert.Equal(
            ["a result", "a prepared statement", $"KILL QUERY {id}", "FROM dws.sales_daily", "PROMOTE dwd.orders"],
            Enumerable.Range(0, denied.Single().Length).Select(i => ((Apache.Arrow.StringArray)denied[0].Column(1)).GetString(i)));

        // An administrator may.
        await using IAsyncDisposable reading = new Reading(ana.Get(unread.Endpoint[0].Ticket));
        await root.RunAsync(new CommandStatementQuery { Query = $"KILL QUERY {id}" });
        await Eventually.TrueAsync(() => shop.Instance.Engine.Log.Entries.Single(e => e.Id == id) is { State: "cancelled", Error: { } error } && error.Contains("killed", StringComparison.Ordinal));

        RawClient As(string user)
        {
            var client = new RawClient(shop.Host.Address);
            client.Headers.Add("authorization", "Basic " + Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(user + ":")));
            return client;
        }
    }

    private sealed class Reading(AsyncServerStreamingCall<FlightData> call) : IAsyncDisposable
    {
        private readonly Task<StatusCode> _read = StatementTests.StatusOf(async () => await call.ResponseStream.ReadAllAsync().LastOrDefaultAsync());

        public async ValueTask DisposeAsync()
        {
            Assert.Equal(StatusCode.Cancelled, await _read);
            call.Dispose();
        }
    }
}
