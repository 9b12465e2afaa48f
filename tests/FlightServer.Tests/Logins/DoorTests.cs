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

/// <summary>Logins and limits hold at both doors.</summary>
public sealed class DoorTests : IDisposable
{
    private static readonly AccessOptions Access = new()
    {
        Roles =
        [
            new AccessRole("reader") { Grants = [new TableGrant("roles, reader") { Tables = "dwd.*" }] },
            new AccessRole("daily") { Grants = [new TableGrant("roles, daily") { Tables = "dws.*" }] },
            new AccessRole("operator") { IsAdmin = true, Grants = [new TableGrant("roles, operator") { Tables = "*" }] },
        ],
    };

    private readonly TestIssuer _issuer = new();
    private readonly Certificates _certificates = new();

    public void Dispose()
    {
        _issuer.Dispose();
        _certificates.Dispose();
    }

    [Fact]
    public async Task A_token_of_another_issuer_logs_in_with_its_roles_and_only_until_it_expires()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using ShopServer shop = await ShopServer.StartAsync(o => o with { Issuers = [_issuer.Configured] }, o => o with { Access = Access }, time);
        Dictionary<string, object?> claims = TestIssuer.Claims("ana", time.GetUtcNow());
        string token = "Bearer " + _issuer.Sign(claims);

        // With each call, and exchanged for a session's own token.
        shop.Client.Headers.Add("authorization", token);
        Assert.Equal(100, await CountAsync(shop.Client, "FROM dwd.orders"));
        Assert.Equal(StatusCode.NotFound, await StatementTests.StatusOf(() => shop.Client.InfoAsync(RawClient.Query("FROM dws.sales_daily"))));
        FlightInfo unread = await shop.Client.InfoAsync(RawClient.Query("FROM dwd.orders"));
        using var exchanged = new RawClient(shop.Host.Address);
        exchanged.Headers.Add("authorization", (await shop.Client.LoginAsync(token))!);
        Assert.Equal(100, await CountAsync(exchanged, "FROM dwd.orders"));

        // Another user's ticket is nobody's, and so is a handle.
        using var eve = new RawClient(shop.Host.Address);
        eve.Headers.Add("authorization", "Bearer " + _issuer.Sign(TestIssuer.Claims("eve", time.GetUtcNow())));
        Assert.Equal(StatusCode.NotFound, await StatementTests.StatusOf(() => eve.ReadAsync(unread.Endpoint[0].Ticket)));
        ActionCreatePreparedStatementResult prepared = await shop.Client.PrepareAsync("FROM dwd.orders");
        Assert.Equal(StatusCode.NotFound, await StatementTests.StatusOf(() => eve.InfoAsync(RawClient.Descriptor(new CommandPreparedStatementQuery { PreparedStatementHandle = prepared.PreparedStatementHandle }))));

        time.Advance(TimeSpan.FromMinutes(7));
        foreach (RawClient client in new[] { shop.Client, exchanged })
        {
            RpcException expired = await Assert.ThrowsAsync<RpcException>(() => client.InfoAsync(RawClient.Query("SELECT 1")));
            Assert.Equal(StatusCode.Unauthenticated, expired.StatusCode);
            Assert.Contains("expired", expired.Status.Detail, StringComparison.Ordinal);
        }

        Assert.Equal(StatusCode.Unauthenticated, await StatementTests.StatusOf(() => shop.Client.LoginAsync("Bearer guess")));
        Assert.DoesNotContain(shop.Host.Sessions.All, s => s.User == "ana");
    }

    [Fact]
    public async Task Two_logins_of_one_user_have_each_the_roles_of_their_own_token()
    {
        (string certificate, string key) = _certificates.Issue("server");
        await using PgShop shop = await PgShop.StartAsync(
            o => o with { Issuers = [_issuer.Configured], CertificatePath = certificate, KeyPath = key }, o => o with { Access = Access });
        Dictionary<string, object?> daily = TestIssuer.Claims("ana", DateTimeOffset.UtcNow);
        daily["realm"] = new { roles = new[] { "daily" } };
        using PgWire first = await LoginAsync(shop, "token", _issuer.Sign(TestIssuer.Claims("ana", DateTimeOffset.UtcNow)));
        using PgWire second = await LoginAsync(shop, "token", _issuer.Sign(daily));
        const string Tables = "SELECT string_agg(table_name, ',' ORDER BY table_name) FROM information_schema.tables WHERE table_schema IN ('dwd', 'dws')";
        Assert.Equal("orders,products", await first.TextAsync(Tables));
        Assert.Equal("sales_daily", await second.TextAsync(Tables));
        Assert.Equal("100", await first.TextAsync("SELECT count(*) FROM dwd.orders"));
        Assert.Contains("There is no table", await second.TextAsync("SELECT count(*) FROM dwd.orders"), StringComparison.Ordinal);
        Assert.Equal("ana", await second.TextAsync("SELECT current_user"));
    }

    [Theory]
    [InlineData("token", "good", true)]
    [InlineData("ana", "good", true)]
    [InlineData("eve", "good", false)]
    [InlineData("token", "expired", false)]
    [InlineData("token", "nonsense", false)]
    [InlineData("ana", "nonsense", false)]
    public async Task A_token_is_a_password_over_tls_for_its_own_user_only(string user, string kind, bool accepted)
    {
        (string certificate, string key) = _certificates.Issue("server");
        await using PgServer server = PgServer.Start(
            o => o with { Issuers = [_issuer.Configured], CertificatePath = certificate, KeyPath = key }, o => o with { ClearTextOverTls = true });
        string password = kind == "nonsense" ? "a.b.c" : _issuer.Sign(TestIssuer.Claims("ana", DateTimeOffset.UtcNow.AddMinutes(kind == "good" ? 0 : -30)));
        using PgWire wire = await PgWire.OpenAsync(server.Address);
        await wire.AskForTlsAsync();
        await wire.EncryptAsync();
        await wire.StartAsync(user);
        if (accepted)
        {
            await wire.AuthenticateAsync(password);
            Assert.Equal("ana", wire.Status["session_authorization"]);
            return;
        }

        InvalidOperationException error = await Assert.ThrowsAsync<InvalidOperationException>(() => wire.AuthenticateAsync(password));
        Assert.Equal($"28P01 password authentication failed for user \"{user}\"", error.Message);
    }

    [Fact]
    public async Task A_token_is_not_taken_where_others_could_read_it()
    {
        await using PgServer server = PgServer.Start(o => o with { Issuers = [_issuer.Configured] });
        InvalidOperationException error = await Assert.ThrowsAsync<InvalidOperationException>(() => server.LoginAsync("token", "x"));
        Assert.Contains("over TLS only", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_certificate_logs_in_at_the_postgres_door_as_its_own_name_only()
    {
        (string certificate, string key) = _certificates.Issue("server");
        (string ana, string anaKey) = _certificates.Issue("ana", forClients: true);
        await using PgServer server = PgServer.Start(o => o with { CertificatePath = certificate, KeyPath = key, ClientAuthorityPath = _certificates.AuthorityPath });
        foreach ((string user, bool accepted) in new[] { ("ana", true), ("root", false) })
        {
            using PgWire wire = await PgWire.OpenAsync(server.Address);
            await wire.AskForTlsAsync();
            await wire.EncryptAsync(ana, anaKey);
            await wire.StartAsync(user);
            Task login = wire.AuthenticateAsync("x");
            if (accepted)
            {
                await login;
                Assert.Equal("1", await wire.TextAsync("SELECT 1"));
            }
            else
            {
                await Assert.ThrowsAsync<InvalidOperationException>(() => login);
            }
        }
    }

    [Fact]
    public async Task Who_guesses_passwords_is_slowed_down_at_both_doors()
    {
        var users = new Dictionary<string, string> { ["ana"] = PasswordHash.Create("secret") };
        await using TestServer flight = await TestServer.StartAsync(o => o with { Users = users });
        await using PgServer postgres = PgServer.Start(o => o with { Users = users });
        for (int i = 0; i < 7; i++)
        {
            await StatementTests.StatusOf(() => flight.Client.LoginAsync("Basic " + Convert.ToBase64String("ana:guess"u8)));
            await Assert.ThrowsAsync<InvalidOperationException>(() => postgres.LoginAsync("ana", "guess"));
        }

        // The next two are made to wait half a second and more; that is what a clock of the tests cannot show.
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        await Task.WhenAll(
            flight.Client.LoginAsync("Basic " + Convert.ToBase64String("ana:secret"u8)), postgres.LoginAsync("ana", "secret").ContinueWith(t => t.Result.Dispose(), TaskScheduler.Default));
        Assert.True(System.Diagnostics.Stopwatch.GetElapsedTime(start) > TimeSpan.FromMilliseconds(500));
    }

    [Theory]
    [InlineData("SELECT * FROM range(5000)", "Limit rows = 1000 of ana", "53400")]
    [InlineData("SELECT repeat('x', 1000) FROM range(900)", "Limit bytes = 100000 of ana", "53400")]
    [InlineData("SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE a.range + b.range < 0", "the limit of 00:00:02 (time, of ana)", "57014")]
    public async Task A_statement_is_stopped_by_a_limit_of_its_user_and_told_which(string sql, string expected, string state)
    {
        var limits = new UserLimits { Rows = 1000, Bytes = 100_000, Time = TimeSpan.FromSeconds(2) };
        var access = new AccessOptions
        {
            Roles = [new AccessRole("reader") { Limits = limits with { Rows = 10 }, Grants = [new TableGrant("roles, reader") { Tables = "*" }] }, new AccessRole("more") { Limits = new UserLimits { Rows = 20 } }],
            Users = new Dictionary<string, IReadOnlyList<string>> { ["ana"] = ["reader", "more"] },
            Limits = new Dictionary<string, UserLimits> { ["ana"] = new UserLimits { Rows = 1000 } },
        };
        await using PgShop shop = await PgShop.StartAsync(lake: o => o with { Access = access });
        using PgWire wire = await shop.LoginAsync("ana");
        string answer = await wire.TextAsync(sql);
        Assert.Contains($"{state} ", answer, StringComparison.Ordinal);
        Assert.Contains(expected, answer, StringComparison.Ordinal);
        Assert.Equal("1000", await wire.TextAsync("SELECT count(*) FROM (SELECT * FROM range(1000))"));

        shop.Shop.Client.Headers.Add("authorization", "Basic " + Convert.ToBase64String("ana:"u8));
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => shop.Shop.Client.RunAsync(new CommandStatementQuery { Query = sql }));
        Assert.Equal(StatusCode.ResourceExhausted, error.StatusCode);
        Assert.Contains(expected, error.Status.Detail, StringComparison.Ordinal);
        Assert.Equal(1000, await CountAsync(shop.Shop.Client, "SELECT * FROM range(1000)"));
    }

    [Theory]
    [InlineData(1, null, "Limit concurrent_statements = 1 of ana: 1 statements run")]
    [InlineData(null, 600L << 20, "Limit memory = 629145600 of ana: so much")]
    [InlineData(null, 2L << 30, "Limit memory = 2147483648 of ana: the engine has 1073741824 bytes in all")]
    public async Task Statements_of_one_user_at_once_are_limited_over_both_doors_together(int? statements, long? memory, string expected)
    {
        var access = new AccessOptions
        {
            Roles = [],
            IsOpen = true,
            Limits = new Dictionary<string, UserLimits> { ["ana"] = new UserLimits { ConcurrentStatements = statements, MemoryBytes = memory } },
        };
        await using PgShop shop = await PgShop.StartAsync(lake: o => o with { Access = access, Engine = o.Engine with { MemoryLimitBytes = 1L << 30 } });
        using PgWire ana = await shop.LoginAsync("ana");
        using PgWire bob = await shop.LoginAsync("bob");
        shop.Shop.Client.Headers.Add("authorization", "Basic " + Convert.ToBase64String("ana:"u8));
        bool never = memory > 1L << 30;
        FlightInfo? unread = never ? null : await shop.Shop.Client.InfoAsync(RawClient.Query("SELECT * FROM range(100000000)"));
        string refused = await ana.TextAsync("SELECT 1");
        Assert.StartsWith("53400 " + expected, refused, StringComparison.Ordinal);
        Assert.Equal("1", await bob.TextAsync("SELECT 1"));
        if (unread is not null)
        {
            await shop.Shop.Client.ActAsync("CancelFlightInfo", new CancelFlightInfoRequest { Info = unread }.ToByteString());
            Assert.Equal("1", await ana.TextAsync("SELECT 1"));
        }
    }

    private static async Task<int> CountAsync(RawClient client, string sql) =>
        (await client.RunAsync(new CommandStatementQuery { Query = sql })).Batches.Sum(b => b.Length);

    private static async Task<PgWire> LoginAsync(PgShop shop, string user, string password)
    {
        PgWire wire = await PgWire.OpenAsync(shop.Host.Address);
        await wire.AskForTlsAsync();
        await wire.EncryptAsync();
        await wire.StartAsync(user);
        await wire.AuthenticateAsync(password);
        return wire;
    }
}
