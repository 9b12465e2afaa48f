using System.Net;
using LakeHolo.FlightServer.Sessions;

namespace LakeHolo.FlightServer;

/// <summary>How the server listens, whom it lets in, and its bounds.</summary>
public sealed record FlightServerOptions
{
    /// <summary><c>grpc://host:port</c> or <c>grpc+tls://host:port</c>, the host an IP address or localhost; port 0 for any free one.</summary>
    public required Uri Listen { get; init; }

    /// <summary>Where <c>/healthz</c>, <c>/readyz</c> and <c>/metrics</c> are served over HTTP/1.1 (<c>http://host:port</c>); null for nowhere.</summary>
    public Uri? Monitoring { get; init; }

    /// <summary>Users by name, with hashed passwords (<see cref="PasswordHash"/>). Without users and tokens everybody is let in, on loopback.</summary>
    public IReadOnlyDictionary<string, string> Users { get; init; } = new Dictionary<string, string>();

    /// <summary>Users with the SHA-256 (64 hex digits) of a bearer token.</summary>
    public IReadOnlyDictionary<string, string> Tokens { get; init; } = new Dictionary<string, string>();

    /// <summary>When those tokens expire; those that are not named do not.</summary>
    public IReadOnlyDictionary<string, DateTimeOffset> TokenExpiry { get; init; } = new Dictionary<string, DateTimeOffset>();

    /// <summary>Others whose signed tokens log in.</summary>
    public IReadOnlyList<TokenIssuer> Issuers { get; init; } = [];

    /// <summary>Serve on other addresses than loopback without users.</summary>
    public bool Insecure { get; init; }

    /// <summary>PEM file of the certificate chain, for TLS.</summary>
    public string? CertificatePath { get; init; }

    /// <summary>PEM file of its key.</summary>
    public string? KeyPath { get; init; }

    /// <summary>PEM file of the authorities whose client certificates log in, as the user that their common name says; null for none.</summary>
    public string? ClientAuthorityPath { get; init; }

    /// <summary>How long a session, its token and its prepared statements are kept after their last use.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>How long rows wait to be fetched; their statement holds its place meanwhile.</summary>
    public TimeSpan ResultTimeout { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Prepared statements of one session.</summary>
    public int MaxPreparedStatements { get; init; } = 1000;

    /// <summary>Results of one session that were started and not read to the end.</summary>
    public int MaxOpenResults { get; init; } = 100;

    /// <summary>Sessions at once.</summary>
    public int MaxSessions { get; init; } = 10_000;

    /// <summary>Largest message from a client, in bytes.</summary>
    public int MaxReceiveBytes { get; init; } = 64 << 20;

    internal bool RequiresLogin => Users.Count > 0 || Tokens.Count > 0 || Issuers.Count > 0 || ClientAuthorityPath is not null;

    /// <summary>The address behind a host name of the options; null when it is neither an IP address nor localhost.</summary>
    public static IPAddress? AddressOf(Uri uri)
    {
        string host = uri.Host.Trim('[', ']');
        return host.Equals("localhost", StringComparison.OrdinalIgnoreCase) ? IPAddress.Loopback : IPAddress.TryParse(host, out IPAddress? parsed) ? parsed : null;
    }

    /// <summary>All faults at once.</summary>
    internal IEnumerable<string> Faults()
    {
        foreach (Uri uri in Monitoring is null ? [Listen] : new[] { Listen, Monitoring })
        {
            if (AddressOf(uri) is not { } address)
            {
                yield return $"listen: expected an IP address or localhost, not '{uri.Host}'";
            }
            else if (uri == Listen && !IPAddress.IsLoopback(address) && !RequiresLogin && !Insecure)
            {
                yield return $"{Listen} can be reached by others, and there are no users: configure users in lakeholo.yaml, listen on 127.0.0.1, or say --insecure true";
            }
        }

        if ((CertificatePath is null) != (KeyPath is null))
        {
            yield return "a certificate and its key belong together: only one is given";
        }

        if (ClientAuthorityPath is not null && CertificatePath is null)
        {
            yield return "client certificates need TLS: a certificate and key of the server";
        }

        foreach ((string name, string hash) in Users)
        {
            if (name.Length == 0 || name.Contains(':', StringComparison.Ordinal))
            {
                yield return $"the user name '{name}' is empty or has a colon";
            }

            if (!PasswordHash.IsValid(hash))
            {
                yield return $"the password hash of {name} is not one that 'lakeholo hash-password' prints";
            }
        }

        foreach ((string name, string hash) in Tokens)
        {
            if (hash.Length != 64 || !hash.All(char.IsAsciiHexDigit))
            {
                yield return $"the token hash of {name} is not 64 hex digits";
            }
        }

        foreach (string fault in Issuers.SelectMany(i => i.Faults()))
        {
            yield return fault;
        }

        foreach (string twice in Issuers.GroupBy(i => i.Issuer).Where(g => g.Count() > 1).Select(g => g.Key))
        {
            yield return $"issuers: {twice} is given twice";
        }
    }
}
