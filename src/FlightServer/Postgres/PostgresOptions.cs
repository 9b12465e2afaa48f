using System.Net;

namespace LakeHolo.FlightServer;

/// <summary>How the PostgreSQL endpoint listens, and its bounds. Users, certificates and limits of sessions are the Flight SQL server's.</summary>
public sealed record PostgresOptions
{
    /// <summary>Where it listens; port 0 for any free one.</summary>
    public required IPEndPoint Listen { get; init; }

    /// <summary>Ask for the password itself where the connection is encrypted, instead of SCRAM-SHA-256.</summary>
    public bool ClearTextOverTls { get; init; }

    /// <summary>Prepared statements of one session.</summary>
    public int MaxPreparedStatements { get; init; } = 1000;

    /// <summary>Portals, and cursors, of one session.</summary>
    public int MaxOpenResults { get; init; } = 100;

    /// <summary>Connections at once.</summary>
    public int MaxConnections { get; init; } = 1000;

    /// <summary>Largest message from a client, in bytes.</summary>
    public int MaxMessageBytes { get; init; } = 64 << 20;

    /// <summary>How long a client may take to log in.</summary>
    public TimeSpan LoginTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a client may take nothing of what is sent to it.</summary>
    public TimeSpan WriteTimeout { get; init; } = TimeSpan.FromMinutes(2);
}
