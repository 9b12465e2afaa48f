namespace LakeHolo.FlightServer;

/// <summary>Somebody else whose signed tokens (JWT, RFC 7519) log in.</summary>
public sealed record TokenIssuer
{
    /// <summary>Algorithms that are taken where none are named: all of them asymmetric (RFC 7518, section 3.1).</summary>
    public static IReadOnlyList<string> KnownAlgorithms { get; } = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"];

    /// <summary>The <c>iss</c> of its tokens, to the letter.</summary>
    public required string Issuer { get; init; }

    /// <summary>Values of <c>aud</c> that mean this server.</summary>
    public required IReadOnlyList<string> Audiences { get; init; }

    /// <summary>Its public keys (a JWK set, RFC 7517): a file, or a URL of https, of http on loopback only.</summary>
    public required string KeySet { get; init; }

    /// <summary>Algorithms that are taken, of <see cref="KnownAlgorithms"/>.</summary>
    public IReadOnlyList<string> Algorithms { get; init; } = KnownAlgorithms;

    /// <summary>The claim that is the user's name. Dots go into objects.</summary>
    public string UserClaim { get; init; } = "sub";

    /// <summary>The claim that lists roles, as a list or as words; null for none. Dots go into objects.</summary>
    public string? RolesClaim { get; init; }

    /// <summary>Roles of this server by what the claim calls them; where it is empty, the claim's words are the roles' names.</summary>
    public IReadOnlyDictionary<string, string> RoleNames { get; init; } = new Dictionary<string, string>();

    /// <summary>The URL of the keys; null where they are in a file.</summary>
    internal Uri? KeyUrl => Uri.TryCreate(KeySet, UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https" ? uri : null;

    /// <summary>All faults at once.</summary>
    internal IEnumerable<string> Faults()
    {
        if (Issuer.Length == 0 || Audiences.Count == 0 || Audiences.Any(a => a.Length == 0))
        {
            yield return $"issuers: {Issuer}: issuer and audience are needed: a token for another service must not log in here";
        }

        if (KeyUrl is { } url ? url.Scheme == "http" && !url.IsLoopback : KeySet.Contains("://", StringComparison.Ordinal))
        {
            yield return $"issuers: {Issuer}: keys come from a file, over https, or over http from this machine, not from {KeySet}";
        }

        foreach (string algorithm in Algorithms.Except(KnownAlgorithms))
        {
            yield return $"issuers: {Issuer}: algorithms are {string.Join(", ", KnownAlgorithms)}, not {algorithm}";
        }

        if (Algorithms.Count == 0)
        {
            yield return $"issuers: {Issuer}: no algorithm is left";
        }
    }
}
