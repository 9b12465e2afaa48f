using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using LakeHolo.FlightServer.Logins;
using LakeHolo.LakeCatalog;
using LakeHolo.Tests.Shared;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace LakeHolo.FlightServer.Tests.Logins;

public sealed class TokenVerifierTests : IDisposable
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private readonly TestIssuer _issuer = new();

    public void Dispose() => _issuer.Dispose();

    [Theory]
    [InlineData("RS256")]
    [InlineData("RS512")]
    [InlineData("PS256")]
    [InlineData("ES256")]
    [InlineData("ES384")]
    public async Task A_signed_token_gives_user_roles_and_expiry(string alg)
    {
        _issuer.Add("key", alg);
        Dictionary<string, object?> claims = TestIssuer.Claims("ana", _time.GetUtcNow());
        KnownUser user = await VerifyAsync(_issuer.Sign(claims, "key"), _issuer.Configured);
        Assert.Equal("ana", user.User);
        Assert.Equal(["reader"], user.Roles);
        Assert.Equal(DateTimeOffset.FromUnixTimeSeconds((long)claims["exp"]!) + TimeSpan.FromMinutes(1), user.ExpiresAt);
    }

    [Fact]
    public async Task Claims_and_role_names_are_those_that_were_configured()
    {
        Dictionary<string, object?> claims = TestIssuer.Claims("id-1", _time.GetUtcNow());
        claims["https://x.test/name"] = "ana";
        claims["scope"] = "lake.read lake.admin other";
        claims["aud"] = new[] { "another", TestIssuer.Audience };
        TokenIssuer configured = _issuer.Configured with
        {
            UserClaim = "https://x.test/name",
            RolesClaim = "scope",
            RoleNames = new Dictionary<string, string> { ["lake.read"] = "reader", ["lake.admin"] = "operator" },
        };
        KnownUser user = await VerifyAsync(_issuer.Sign(claims, "ec"), configured);
        Assert.Equal("ana", user.User);
        Assert.Equal(["reader", "operator"], user.Roles);
    }

    public static TheoryData<string, string> Bad => new()
    {
        { "expired", "an expired token" },
        { "without expiry", "never expires" },
        { "not yet", "not valid yet" },
        { "issuer", "an issuer that is not known" },
        { "issuer in other letters", "an issuer that is not known" },
        { "audience", "another audience" },
        { "no audience", "another audience" },
        { "kid", "a key that is not known" },
        { "no kid where there are several keys", "a key that is not known" },
        { "key of another name", "not signed by its issuer" },
        { "alg none", "an algorithm that is not taken" },
        { "alg none in other letters", "an algorithm that is not taken" },
        { "hmac with the public key", "an algorithm that is not taken" },
        { "algorithm that is not configured", "an algorithm that is not taken" },
        { "changed claims", "not signed by its issuer" },
        { "no signature", "not signed by its issuer" },
        { "crit", "extensions" },
        { "no user", "without a user" },
        { "user with a line break", "without a user" },
        { "user that is a number", "without a user" },
        { "nonsense", "cannot be read" },
    };

    [Theory]
    [MemberData(nameof(Bad))]
    public async Task A_token_that_is_not_good_is_refused_and_said_why(string fault, string expected)
    {
        DateTimeOffset now = _time.GetUtcNow();
        Dictionary<string, object?> good = TestIssuer.Claims("ana", now);
        Dictionary<string, object?> With(string claim, object? value) => new(good) { [claim] = value };
        Dictionary<string, object?> Without(string claim) => good.Where(c => c.Key != claim).ToDictionary();
        byte[] secret = _issuer.PublicKeyBytes("rsa");
        string[] parts = _issuer.Sign(good).Split('.');
        string token = fault switch
        {
            "expired" => _issuer.Sign(With("exp", now.AddMinutes(-2).ToUnixTimeSeconds())),
            "without expiry" => _issuer.Sign(Without("exp")),
            "not yet" => _issuer.Sign(With("nbf", now.AddMinutes(2).ToUnixTimeSeconds())),
            "issuer" => _issuer.Sign(With("iss", "https://evil.test/")),
            "issuer in other letters" => _issuer.Sign(With("iss", TestIssuer.Name.ToUpperInvariant())),
            "audience" => _issuer.Sign(With("aud", "another")),
            "no audience" => _issuer.Sign(Without("aud")),
            "kid" => _issuer.Sign(good, named: "unknown"),
            "no kid where there are several keys" => TestIssuer.Join(TestIssuer.Header("RS256", null), good, _ => RandomNumberGenerator.GetBytes(256)),
            "key of another name" => Renamed(),
            "alg none" => TestIssuer.Join(TestIssuer.Header("none", null), good, _ => []),
            "alg none in other letters" => TestIssuer.Join(TestIssuer.Header("nOnE", "rsa"), good, _ => []),
            "hmac with the public key" => TestIssuer.Join(TestIssuer.Header("HS256", "rsa"), good, t => HMACSHA256.HashData(secret, t)),
            "algorithm that is not configured" => _issuer.Sign(good, "ec"),
            "changed claims" => $"{parts[0]}.{TestIssuer.Join([], With("sub", "root"), _ => []).Split('.')[1]}.{parts[2]}",
            "no signature" => $"{parts[0]}.{parts[1]}.",
            "crit" => _issuer.Sign(good, header: new Dictionary<string, object?> { ["crit"] = new[] { "b64" }, ["b64"] = false }),
            "no user" => _issuer.Sign(Without("sub")),
            "user with a line break" => _issuer.Sign(With("sub", "ana\nroot")),
            "user that is a number" => _issuer.Sign(With("sub", 7)),
            _ => "a.b.c",
        };
        TokenIssuer configured = fault == "algorithm that is not configured" ? _issuer.Configured with { Algorithms = ["RS256"] } : _issuer.Configured;
        LoginRefused refused = await Assert.ThrowsAsync<LoginRefused>(() => VerifyAsync(token, configured));
        Assert.Contains(expected, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(parts[1], refused.Detail, StringComparison.Ordinal);

        string Renamed()
        {
            _issuer.Add("other", "RS256");
            return _issuer.Sign(good, "other", named: "rsa");
        }
    }

    [Fact]
    public async Task A_changed_file_of_keys_is_read_again_and_a_broken_one_is_not_used()
    {
        using var verifier = new TokenVerifier([_issuer.Configured], _time, NullLogger.Instance);
        Dictionary<string, object?> claims = TestIssuer.Claims("ana", _time.GetUtcNow());
        string old = _issuer.Sign(claims);
        await verifier.VerifyAsync(old, default);
        _issuer.Add("new", "RS256");
        _issuer.Remove("rsa");
        Touch(1);
        Assert.Equal("ana", (await verifier.VerifyAsync(_issuer.Sign(claims, "new"), default)).User);
        await Assert.ThrowsAsync<LoginRefused>(async () => await verifier.VerifyAsync(old, default));
        await File.WriteAllTextAsync(_issuer.KeyFile, "nonsense");
        Touch(2);
        Assert.Equal("ana", (await verifier.VerifyAsync(_issuer.Sign(claims, "new"), default)).User);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("nonsense")]
    [InlineData("""{"keys":[{"kty":"oct","kid":"rsa","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}]}""")]
    public void Keys_that_cannot_verify_are_a_fault_at_start(string keys)
    {
        File.WriteAllText(_issuer.KeyFile, keys);
        LakeException e = Assert.Throws<LakeException>(() => new TokenVerifier([_issuer.Configured], _time, NullLogger.Instance));
        Assert.Contains(_issuer.KeyFile, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Short_rsa_keys_and_keys_for_encryption_are_left_out()
    {
        using var small = RSA.Create(1024);
        RSAParameters p = small.ExportParameters(false);
        string n = System.Buffers.Text.Base64Url.EncodeToString(p.Modulus);
        string e = System.Buffers.Text.Base64Url.EncodeToString(p.Exponent);
        File.WriteAllText(_issuer.KeyFile, JsonSerializer.Serialize(new { keys = new object[] { new { kty = "RSA", kid = "a", n, e } } }));
        Assert.Throws<LakeException>(() => new TokenVerifier([_issuer.Configured], _time, NullLogger.Instance));
        string whole = _issuer.KeySet();
        _issuer.Remove("ec");
        File.WriteAllText(_issuer.KeyFile, _issuer.KeySet().Replace("\"kty\"", "\"use\":\"enc\",\"kty\"", StringComparison.Ordinal));
        Assert.Throws<LakeException>(() => new TokenVerifier([_issuer.Configured], _time, NullLogger.Instance));
        Assert.NotEmpty(whole);
    }

    [Theory]
    [InlineData("http://10.1.2.3/keys", "not from http://10.1.2.3/keys")]
    [InlineData("ftp://login.test/keys", "not from ftp")]
    [InlineData("file:///etc/passwd", "not from file")]
    public void Keys_are_had_over_https_or_from_this_machine_only(string keys, string expected) =>
        Assert.Contains(expected, Assert.Single((_issuer.Configured with { KeySet = keys }).Faults()), StringComparison.Ordinal);

    [Fact]
    public void Algorithms_that_are_symmetric_or_none_cannot_be_configured()
    {
        Assert.Contains("not HS256", string.Join('\n', (_issuer.Configured with { Algorithms = ["RS256", "HS256", "none"] }).Faults()), StringComparison.Ordinal);
        Assert.NotEmpty((_issuer.Configured with { Audiences = [] }).Faults());
    }

    [Fact]
    public async Task Keys_over_http_are_fetched_once_and_again_for_a_new_name_but_not_for_each_guess()
    {
        await using KeyServer server = await KeyServer.StartAsync(() => _issuer.KeySet());
        using var verifier = new TokenVerifier([_issuer.Configured with { KeySet = server.Url }], _time, NullLogger.Instance);
        Dictionary<string, object?> claims = TestIssuer.Claims("ana", _time.GetUtcNow());
        claims["exp"] = _time.GetUtcNow().AddDays(3).ToUnixTimeSeconds();
        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => verifier.VerifyAsync(_issuer.Sign(claims), default).AsTask()));
        Assert.Equal(1, server.Requests);

        // Whoever makes names up does not make this server ask.
        for (int i = 0; i < 50; i++)
        {
            await Assert.ThrowsAsync<LoginRefused>(async () => await verifier.VerifyAsync(_issuer.Sign(claims, named: $"guess{i}"), default));
        }

        Assert.Equal(1, server.Requests);
        _issuer.Add("new", "ES256");
        _time.Advance(TimeSpan.FromSeconds(31));
        Assert.Equal("ana", (await verifier.VerifyAsync(_issuer.Sign(claims, "new"), default)).User);
        Assert.Equal(2, server.Requests);

        // A key that was taken back serves until the next hourly look.
        string revoked = _issuer.Sign(claims, "ec");
        _issuer.Remove("ec");
        _time.Advance(TimeSpan.FromMinutes(61));
        await verifier.VerifyAsync(_issuer.Sign(claims), default);
        await Eventually.TrueAsync(() => server.Requests == 3);
        _time.Advance(TimeSpan.FromSeconds(1));
        await Eventually.TrueAsync(() =>
        {
            try
            {
                verifier.VerifyAsync(revoked, default).AsTask().GetAwaiter().GetResult();
                return false;
            }
            catch (LoginRefused)
            {
                return true;
            }
        });

        // While nobody answers, what is known serves on, but not for ever.
        server.Status = 500;
        _time.Advance(TimeSpan.FromHours(2));
        Assert.Equal("ana", (await verifier.VerifyAsync(_issuer.Sign(claims), default)).User);
        _time.Advance(TimeSpan.FromHours(23));
        LoginRefused refused = await Assert.ThrowsAsync<LoginRefused>(async () => await verifier.VerifyAsync(_issuer.Sign(claims), default));
        Assert.Contains("cannot be had now", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_leaves_while_the_keys_are_fetched_does_not_take_them_from_others()
    {
        var answers = new TaskCompletionSource();
        await using KeyServer server = await KeyServer.StartAsync(() => _issuer.KeySet(), answers.Task);
        using var verifier = new TokenVerifier([_issuer.Configured with { KeySet = server.Url }], _time, NullLogger.Instance);
        string token = _issuer.Sign(TestIssuer.Claims("ana", _time.GetUtcNow()));
        using var leaves = new CancellationTokenSource();
        Task<KnownUser> first = verifier.VerifyAsync(token, leaves.Token).AsTask();
        Task<KnownUser> second = verifier.VerifyAsync(token, default).AsTask();
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        answers.SetResult();
        Assert.Equal("ana", (await second).User);
        Assert.Equal(1, server.Requests);
    }

    [Fact]
    public async Task A_redirect_is_not_followed_and_an_endless_answer_is_not_read()
    {
        await using KeyServer elsewhere = await KeyServer.StartAsync(() => _issuer.KeySet());
        await using KeyServer server = await KeyServer.StartAsync(() => _issuer.KeySet());
        server.Redirect = elsewhere.Url;
        string token = _issuer.Sign(TestIssuer.Claims("ana", _time.GetUtcNow()));
        await Assert.ThrowsAsync<LoginRefused>(() => VerifyAsync(token, _issuer.Configured with { KeySet = server.Url }));
        Assert.Equal((1, 0), (server.Requests, elsewhere.Requests));
        await using KeyServer large = await KeyServer.StartAsync(() => _issuer.KeySet() + new string(' ', 2 << 20));
        await Assert.ThrowsAsync<LoginRefused>(() => VerifyAsync(token, _issuer.Configured with { KeySet = large.Url }));
    }

    private async Task<KnownUser> VerifyAsync(string token, TokenIssuer issuer)
    {
        using var verifier = new TokenVerifier([issuer], _time, NullLogger.Instance);
        return await verifier.VerifyAsync(token, default);
    }

    private void Touch(int minutes) => File.SetLastWriteTimeUtc(_issuer.KeyFile, DateTime.UtcNow.AddMinutes(minutes));

    private sealed class KeyServer : IAsyncDisposable
    {
        private readonly WebApplication _app;
        private int _requests;

        private KeyServer(WebApplication app) => _app = app;

        public int Requests => Volatile.Read(ref _requests);

        public int Status { get; set; } = 200;

        public string? Redirect { get; set; }

        public string Url => _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First() + "/keys";

        public static async Task<KeyServer> StartAsync(Func<string> keys, Task? first = null)
        {
            WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
            builder.WebHost.UseKestrelCore().ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0));
            var server = new KeyServer(builder.Build());
            server._app.Run(async context =>
            {
                Interlocked.Increment(ref server._requests);
                await (first ?? Task.CompletedTask);
                context.Response.StatusCode = server.Redirect is null ? server.Status : 302;
                context.Response.Headers.Location = server.Redirect;
                await context.Response.WriteAsync(keys());
            });
            await server._app.StartAsync();
            return server;
        }

        public ValueTask DisposeAsync() => _app.DisposeAsync();
    }
}
