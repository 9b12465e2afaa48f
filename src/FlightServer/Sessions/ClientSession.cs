using System.Collections.Concurrent;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Statements;

namespace LakeHolo.FlightServer.Sessions;

/// <summary>One client's session: what the engine knows of it, and what it left open.</summary>
internal sealed class ClientSession(QuerySession query)
{
    public QuerySession Query { get; } = query;

    public string User => Query.Identity.User;

    public bool WantsJdbcTypes => SessionOptions.WantsJdbcTypes(Query.Options);

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
