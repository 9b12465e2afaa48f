using Apache.Arrow;

namespace LakeHolo.Accelerator.Sessions;

/// <summary>What a protocol needs of the engine; one per process, thread-safe.</summary>
public interface IQueryService
{
    /// <summary>Opens a session for a client.</summary>
    QuerySession OpenSession(SessionIdentity identity);

    /// <summary>Tells that a session has ended.</summary>
    void CloseSession(QuerySession session)
    {
    }

    /// <summary>Statements that wait for others to end.</summary>
    int WaitingStatements => 0;

    /// <summary>Bytes of memory that the engine holds for statements, cached files and keys.</summary>
    long EngineMemoryBytes => 0;

    /// <summary>Parses and binds; nothing runs.</summary>
    ValueTask<IPreparedQuery> PrepareAsync(QuerySession session, string sql, CancellationToken cancellationToken);

    /// <summary>Takes note of a statement that a protocol answers from the catalog by itself.</summary>
    /// <param name="session">Who asked.</param>
    /// <param name="sql">The text.</param>
    /// <param name="outcome">How it went.</param>
    void LogCatalogStatement(QuerySession session, string sql, CatalogOutcome outcome)
    {
    }

    /// <summary>Takes note of a refusal by a protocol.</summary>
    /// <param name="session">Who asked.</param>
    /// <param name="statement">For what.</param>
    /// <param name="reason">The right that it lacks.</param>
    void LogDenial(QuerySession session, string statement, string reason)
    {
    }

    /// <summary>Tables with their schemas, for metadata commands.</summary>
    ValueTask<CatalogListing> ListCatalogAsync(QuerySession session, CatalogFilter filter, CancellationToken cancellationToken);
}

/// <summary>A statement that was parsed and bound; immutable, reusable.</summary>
public interface IPreparedQuery
{
    /// <summary>Zero fields for a statement without rows; exactly the schema of the batches.</summary>
    Schema ResultSchema { get; }

    /// <summary>One nullable field per marker; utf8 where the type is unknown.</summary>
    Schema ParameterSchema { get; }

    /// <summary>The engine's names of the result columns' types, which say more than Arrow's (UUID, JSON); nothing if they are not known.</summary>
    IReadOnlyList<string> ColumnTypes => [];

    /// <summary>The engine's names of the parameters' types; empty where nothing says.</summary>
    IReadOnlyList<string> ParameterTypes => [];

    /// <summary>A management statement (PROMOTE, SET, …): runs once, has effects.</summary>
    bool IsUpdate { get; }

    /// <summary>Whether the order of its rows may mean something: not where the statement says ORDER BY nowhere.</summary>
    bool IsOrdered => true;

    /// <summary>Whether all its tables are whole hot copies: beginning it takes no time.</summary>
    bool IsHot => false;

    /// <summary>The schema of the batches with parameters, whose types may decide it.</summary>
    ValueTask<Schema> DescribeAsync(QuerySession session, RecordBatch? parameters, int parameterRow, CancellationToken cancellationToken) => ValueTask.FromResult(ResultSchema);

    /// <summary>Starts running.</summary>
    ValueTask<IQueryResult> ExecuteAsync(QuerySession session, RecordBatch? parameters, int parameterRow, CancellationToken cancellationToken);

    /// <summary>Starts running with values of the runtime's types, one for each marker.</summary>
    ValueTask<IQueryResult> ExecuteAsync(QuerySession session, IReadOnlyList<object?> parameters, CancellationToken cancellationToken) =>
        parameters.Count == 0
            ? ExecuteAsync(session, null, 0, cancellationToken)
            : throw LakeHolo.LakeCatalog.LakeException.QueryInvalid("The statement has no parameters");
}

/// <summary>A running statement.</summary>
public interface IQueryResult : IAsyncDisposable
{
    /// <summary>Schema of the batches.</summary>
    Schema Schema { get; }

    /// <summary>Streams while running; the caller disposes each batch.</summary>
    IAsyncEnumerable<RecordBatch> ReadBatchesAsync(CancellationToken cancellationToken);

    /// <summary>-1 if unknown.</summary>
    long AffectedRows { get; }

    /// <summary>JSON: per table tier, snapshot, age.</summary>
    ReadOnlyMemory<byte> AppMetadata { get; }
}

/// <summary>Who asks.</summary>
public sealed record SessionIdentity(string User, string ClientAddress, string ClientName)
{
    /// <summary>Roles that the login brings (a token's claims), besides those that the configuration gives the user.</summary>
    public IReadOnlyList<string> Roles { get; init; } = [];

    /// <summary>When the login ends (a token's expiry); null for one that does not.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }
}

/// <summary>How a statement about the catalog went.</summary>
/// <param name="StartedAt">When it began.</param>
/// <param name="Duration">How long it took.</param>
/// <param name="Rows">Rows given out.</param>
/// <param name="Bytes">Bytes given out, as Arrow buffers.</param>
/// <param name="Error">Why it failed; null if it did not.</param>
public sealed record CatalogOutcome(DateTimeOffset StartedAt, TimeSpan Duration, long Rows, long Bytes, string? Error);

/// <summary>Which tables a metadata command wants; patterns as in SQL LIKE.</summary>
public sealed record CatalogFilter(string? Catalog, string? SchemaPattern, string? TablePattern, IReadOnlyList<string> TableTypes, bool IncludeSchemas);

/// <summary>A table of a listing.</summary>
public sealed record CatalogEntry(string Catalog, string Schema, string Name, string Type, Schema? ArrowSchema, IReadOnlyList<string> PrimaryKey);

/// <summary>A listing.</summary>
public sealed record CatalogListing(IReadOnlyList<string> Catalogs, IReadOnlyList<(string Catalog, string Schema)> Schemas, IReadOnlyList<CatalogEntry> Tables);
