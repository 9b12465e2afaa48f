namespace LakeHolo.FlightServer;

/// <summary>How the server listens and whom it lets in.</summary>
public sealed record FlightServerOptions
{
    /// <summary><c>grpc://host:port</c> or <c>grpc+tls://host:port</c>.</summary>
    public required Uri Listen { get; init; }

    /// <summary>Users by name, with hashed passwords (<see cref="PasswordHash"/>). Without users everybody is let in, on loopback.</summary>
    public IReadOnlyDictionary<string, string> Users { get; init; } = new Dictionary<string, string>();

    /// <summary>Serve on other addresses than loopback without users.</summary>
    public bool Insecure { get; init; }

    /// <summary>PEM file of the certificate chain, for TLS.</summary>
    public string? CertificatePath { get; init; }

    /// <summary>PEM file of its key.</summary>
    public string? KeyPath { get; init; }

    /// <summary>How long a token, a prepared statement or an unread result is kept after its last use.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>How long rows wait to be fetched; their statement holds its place meanwhile.</summary>
    public TimeSpan ResultTimeout { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Prepared statements of one session.</summary>
    public int MaxPreparedStatements { get; init; } = 1000;
}
