using System.Collections.Concurrent;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Statements;
using LakeHolo.FlightServer.Wire;

namespace LakeHolo.FlightServer.Sessions;

/// <summary>One client's session: what the engine knows of it, and what it left open.</summary>
/// <param name="query">What the engine knows.</param>
/// <param name="key">What it is found by.</param>
internal sealed class ClientSession(QuerySession query, string key)
{
    public string Key => key;

    /// <summary>When the connection that it belongs to ended; null while there is one, and for sessions with a token of their own.</summary>
    public DateTimeOffset? LeftAt { get; set; }

    public QuerySession Query { get; } = query;

    public string User => Query.Identity.User;

    public bool WantsJdbcTypes => SessionOptions.WantsJdbcTypes(Query.Options);

    /// <summary>Endpoints that it wants for results without an order.</summary>
    public int Endpoints => SessionOptions.Endpoints(Query.Options);

    /// <summary>How rows are compressed on their way to it.</summary>
    public BodyCodec Compression => Query.Options.GetValueOrDefault("compression") switch
    {
        "lz4" => BodyCodec.Lz4,
        "zstd" => BodyCodec.Zstd,
        _ => BodyCodec.None,
    };

    public string ClientName => Query.Identity.ClientName;

    public DateTimeOffset LastUsed
    {
        get => Query.LastUsedAt;
        set => Query.LastUsedAt = value;
    }

    /// <summary>Open transactions.</summary>
    public ConcurrentDictionary<string, QuerySession> Transactions { get; } = new(StringComparer.Ordinal);

    public ConcurrentDictionary<string, PreparedStatement> Statements { get; } = new(StringComparer.Ordinal);

    public ConcurrentDictionary<string, StatementResult> Results { get; } = new(StringComparer.Ordinal);
}
