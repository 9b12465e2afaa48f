using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using LakeHolo.FlightServer.Logins;
using LakeHolo.LakeCatalog;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace LakeHolo.FlightServer.Tests.Logins;

/// <summary>Tokens and key sets that nobody issues are refused as such, never by another exception, and never let anybody in.</summary>
public sealed class TokenFuzzTests : IDisposable
{
    private static readonly string[] Values =
    [
        "null", "true", "7", "-1", "1e400", "99999999999999999999", "0.5", "\"\"", "\"ana\"", "\"\\u0000\"", "[]", "[null]", "[\"lakeholo\"]", "[[[[[[1]]]]]]", "{}", "{\"roles\":7}", "\"\\ud800\"",
    ];

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private readonly TestIssuer _issuer = new();
    private readonly Random _random = new(5);

    public void Dispose() => _issuer.Dispose();

    [Fact]
    public async Task A_token_with_any_character_changed_lets_nobody_in()
    {
        using var verifier = new TokenVerifier([_issuer.Configured], _time, NullLogger.Instance);
        string good = _issuer.Sign(TestIssuer.Claims("ana", _time.GetUtcNow()));
        Assert.Equal("ana", (await verifier.VerifyAsync(good, default)).User);

        // The last character of the signature has bits that stand for nothing.
        for (int i = 0; i < good.Length - 1; i++)
        {
            char[] bad = good.ToCharArray();
            bad[i] = "Aaz09-_.=+ \0é"[_random.Next(13)];
            if (bad[i] != good[i])
            {
                await RefusedAsync(verifier, new string(bad));
            }

            await RefusedAsync(verifier, good[..i]);
        }
    }

    [Fact]
    public async Task Signed_claims_of_any_type_are_taken_or_refused_and_give_no_other_user()
    {
        using var verifier = new TokenVerifier([_issuer.Configured], _time, NullLogger.Instance);
        foreach (string claim in new[] { "iss", "aud", "sub", "exp", "nbf", "realm" })
        {
            foreach (string value in Values)
            {
                string claims = JsonNode.Parse(System.Text.Json.JsonSerializer.Serialize(TestIssuer.Claims("ana", _time.GetUtcNow())))!.ToJsonString().TrimEnd('}') + $",\"{claim}\":{value}}}";
                try
                {
                    KnownUser user = await verifier.VerifyAsync(Signed("""{"alg":"RS256","kid":"rsa"}""", claims), default);
                    Assert.Equal("ana", user.User);
                    Assert.True(user.ExpiresAt > _time.GetUtcNow());
                    Assert.True(claim is "aud" or "sub" or "realm" or "exp" or "nbf", $"{claim} = {value}");
                }
                catch (LoginRefused)
                {
                    // That is what it is for.
                }
            }
        }
    }

    [Theory]
    [InlineData("""{"alg":["RS256"],"kid":"rsa"}""")]
    [InlineData("""{"alg":7,"kid":"rsa"}""")]
    [InlineData("""{"alg":"RS256","kid":["rsa"]}""")]
    [InlineData("""{"alg":"RS256","kid":{}}""")]
    [InlineData("""{"alg":"RS256","alg":"none","kid":"rsa"}""")]
    [InlineData("""{"alg":"none","alg":"RS256","kid":"unknown"}""")]
    [InlineData("""{"alg":"RS256","kid":"rsa","enc":"A128CBC-HS256"}""", true)]
    [InlineData("""{"alg":"ES256","kid":"rsa"}""")]
    [InlineData("""{"alg":"RS256","kid":"rsa","jwk":{"kty":"oct","k":"c2VjcmV0"}}""", true)]
    [InlineData("""{"alg":"RS256","jku":"https://evil.test/keys","kid":"evil"}""")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("")]
    public async Task Headers_do_not_choose_what_a_token_is_verified_with(string header, bool isHarmless = false)
    {
        using var verifier = new TokenVerifier([_issuer.Configured], _time, NullLogger.Instance);
        string token = Signed(header, System.Text.Json.JsonSerializer.Serialize(TestIssuer.Claims("ana", _time.GetUtcNow())));
        if (isHarmless)
        {
            Assert.Equal("ana", (await verifier.VerifyAsync(token, default)).User);
        }
        else
        {
            await RefusedAsync(verifier, token);
        }
    }

    [Fact]
    public void Damaged_key_sets_are_faults_of_the_configuration()
    {
        byte[] good = Encoding.UTF8.GetBytes(_issuer.KeySet());
        for (int i = 0; i < 500; i++)
        {
            byte[] bad = [.. good];
            bad[_random.Next(bad.Length)] = (byte)_random.Next(256);
            File.WriteAllBytes(_issuer.KeyFile, _random.Next(3) == 0 ? bad[.._random.Next(bad.Length)] : bad);
            try
            {
                new TokenVerifier([_issuer.Configured], _time, NullLogger.Instance).Dispose();
            }
            catch (LakeException e)
            {
                Assert.Equal(LakeErrorKind.QueryInvalid, e.Kind);
            }
        }
    }

    private string Signed(string header, string claims)
    {
        string text = $"{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(header))}.{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(claims))}";
        return $"{text}.{Base64Url.EncodeToString(_issuer.Key("rsa").SignData(Encoding.ASCII.GetBytes(text), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1))}";
    }

    private static async Task RefusedAsync(TokenVerifier verifier, string token)
    {
        try
        {
            KnownUser user = await verifier.VerifyAsync(token, default);
            Assert.Fail($"{token} logged {user.User} in");
        }
        catch (LoginRefused)
        {
            // That is what is expected.
        }
    }
}
