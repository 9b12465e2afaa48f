using System.Text.Json;
using LakeHolo.LakeCatalog;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace LakeHolo.FlightServer.Logins;

/// <summary>Verifies the signed tokens of the configured issuers (RFC 7519, and RFC 8725 for what to refuse).</summary>
internal sealed class TokenVerifier : IDisposable
{
    private const int MaxTokenChars = 32 << 10;
    private const int MaxUserChars = 256;
    private const int MaxRoles = 1_000;

    /// <summary>How far the issuer's clock may be off.</summary>
    private static readonly TimeSpan Skew = TimeSpan.FromMinutes(1);

    private readonly Dictionary<string, (TokenIssuer Issuer, IssuerKeys Keys)> _issuers = new(StringComparer.Ordinal);
    private readonly JsonWebTokenHandler _handler = new() { MaximumTokenSizeInBytes = MaxTokenChars, MapInboundClaims = false };
    private readonly TimeProvider _time;

    /// <summary>Takes the issuers.</summary>
    /// <exception cref="LakeException">QueryInvalid: a file of keys cannot be read.</exception>
    public TokenVerifier(IReadOnlyList<TokenIssuer> issuers, TimeProvider time, ILogger logger)
    {
        _time = time;
        foreach (TokenIssuer issuer in issuers)
        {
            _issuers[issuer.Issuer] = (issuer, new IssuerKeys(issuer, time, logger));
        }
    }

    /// <summary>Whether there is anybody whose tokens could be taken, and a text looks like one: a signed token has three parts, the first of them the base64url of
    /// <c>{"…</c>.</summary>
    public bool Knows(string token) => _issuers.Count > 0 && token.Length <= MaxTokenChars && token.StartsWith("ey", StringComparison.Ordinal) && token.AsSpan().Count('.') == 2;

    /// <summary>The user of a token.</summary>
    /// <exception cref="LoginRefused">It is not good.</exception>
    public async ValueTask<KnownUser> VerifyAsync(string text, CancellationToken cancellationToken)
    {
        (JsonWebToken token, JsonElement claims) = Read(text);
        if (Claim(claims, "iss") is not { ValueKind: JsonValueKind.String } named || !_issuers.TryGetValue(named.GetString()!, out (TokenIssuer Issuer, IssuerKeys Keys) known))
        {
            throw new LoginRefused("a token of an issuer that is not known here");
        }

        if (!known.Issuer.Algorithms.Contains(token.Alg))
        {
            throw new LoginRefused("a token signed by an algorithm that is not taken");
        }

        // Extensions that have to be understood are not (RFC 7515, section 4.1.11).
        if (token.TryGetHeaderValue("crit", out object? _))
        {
            throw new LoginRefused("a token with extensions that are not known");
        }

        IReadOnlyList<JsonWebKey> keys = await known.Keys.FindAsync(token.Kid is { Length: > 0 } kid ? kid : null, cancellationToken);
        keys = [.. keys.Where(k => k.Alg is null or "" || k.Alg == token.Alg)];
        if (keys.Count == 0)
        {
            throw new LoginRefused("a token signed by a key that is not known");
        }

        TokenValidationResult result = await _handler.ValidateTokenAsync(token, new TokenValidationParameters
        {
            ValidIssuer = known.Issuer.Issuer,
            ValidAudiences = known.Issuer.Audiences,
            ValidAlgorithms = known.Issuer.Algorithms,
            IssuerSigningKeys = keys,
            TryAllIssuerSigningKeys = true,
            RequireSignedTokens = true,

            // Times are read below, by this server's clock.
            ValidateLifetime = false,
        });
        if (!result.IsValid)
        {
            throw result.Exception is SecurityTokenInvalidAudienceException
                ? new LoginRefused("a token for another audience")
                : new LoginRefused("a token that is not signed by its issuer", result.Exception?.GetType().Name);
        }

        DateTimeOffset end = EndOf(claims);
        return new KnownUser(UserOf(claims, known.Issuer), RolesOf(claims, known.Issuer), end);
    }

    public void Dispose()
    {
        foreach ((TokenIssuer _, IssuerKeys keys) in _issuers.Values)
        {
            keys.Dispose();
        }
    }

    private static (JsonWebToken Token, JsonElement Claims) Read(string text)
    {
        try
        {
            var token = new JsonWebToken(text);
            using JsonDocument payload = JsonDocument.Parse(Base64UrlEncoder.DecodeBytes(token.EncodedPayload));
            return payload.RootElement.ValueKind == JsonValueKind.Object ? (token, payload.RootElement.Clone()) : throw new FormatException("The claims are no object");
        }
        catch (Exception e) when (e is ArgumentException or SecurityTokenException or JsonException or FormatException or InvalidOperationException)
        {
            throw new LoginRefused("a token that cannot be read");
        }
    }

    /// <summary>When a token ends, if it has begun; both by this server's clock.</summary>
    private DateTimeOffset EndOf(JsonElement claims)
    {
        DateTimeOffset now = _time.GetUtcNow();
        DateTimeOffset expiry = TimeOf(claims, "exp") ?? throw new LoginRefused("a token that never expires");
        DateTimeOffset end = expiry < DateTimeOffset.MaxValue - Skew ? expiry + Skew : expiry;
        return end <= now ? throw new LoginRefused("an expired token")
            : TimeOf(claims, "nbf") > now + Skew ? throw new LoginRefused("a token that is not valid yet")
            : end;
    }

    /// <summary>Seconds since 1970, not always whole ones (RFC 7519, "NumericDate").</summary>
    private static DateTimeOffset? TimeOf(JsonElement claims, string name) =>
        Claim(claims, name) is not { } claim ? null
        : claim.ValueKind == JsonValueKind.Number && claim.TryGetDouble(out double seconds)
            ? DateTimeOffset.UnixEpoch.AddSeconds(Math.Clamp(seconds, 0, (DateTimeOffset.MaxValue - DateTimeOffset.UnixEpoch).TotalSeconds - 1))
        : throw new LoginRefused($"a token whose {name} is no time");

    private static string UserOf(JsonElement claims, TokenIssuer issuer) =>
        Claim(claims, issuer.UserClaim) is { ValueKind: JsonValueKind.String } claim && claim.GetString() is { Length: > 0 and <= MaxUserChars } user && !user.Any(char.IsControl)
            ? user
            : throw new LoginRefused("a token without a user", $"the claim {issuer.UserClaim} is no name");

    private static IReadOnlyList<string> RolesOf(JsonElement claims, TokenIssuer issuer)
    {
        if (issuer.RolesClaim is null || Claim(claims, issuer.RolesClaim) is not { } claim)
        {
            return [];
        }

        IEnumerable<string> names = claim.ValueKind switch
        {
            JsonValueKind.Array => claim.EnumerateArray().Where(e => e.ValueKind == JsonValueKind.String).Select(e => e.GetString()!),
            JsonValueKind.String => claim.GetString()!.Split([' ', ','], StringSplitOptions.RemoveEmptyEntries),
            _ => [],
        };
        return [.. names.Take(MaxRoles).Select(n => issuer.RoleNames.Count == 0 ? n : issuer.RoleNames.GetValueOrDefault(n)).OfType<string>()];
    }

    private static JsonElement? Claim(JsonElement claims, string path)
    {
        // Claims of many issuers are URLs: the whole name goes before its parts.
        if (claims.TryGetProperty(path, out JsonElement at))
        {
            return at;
        }

        at = claims;
        foreach (string part in path.Split('.'))
        {
            if (at.ValueKind != JsonValueKind.Object || !at.TryGetProperty(part, out at))
            {
                return null;
            }
        }

        return at;
    }
}
