using System.Collections.Concurrent;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Sources;

namespace LakeHolo.Accelerator.Sessions;

/// <summary>A client's session, or one transaction of it.</summary>
public sealed class QuerySession
{
    private readonly Lock _gate = new();
    private bool _isTransaction;
    private StatementPins? _pins;
    private long _lastUsedTicks;

    /// <summary>Opens a session.</summary>
    /// <param name="id">Its id; no secret.</param>
    /// <param name="identity">Who it is.</param>
    public QuerySession(string id, SessionIdentity identity)
        : this(id, identity, new ConcurrentDictionary<string, string>(StringComparer.Ordinal))
    {
    }

    private QuerySession(string id, SessionIdentity identity, ConcurrentDictionary<string, string> options)
    {
        Id = id;
        Identity = identity;
        Options = options;
    }

    /// <summary>Its id.</summary>
    public string Id { get; }

    /// <summary>Who it is.</summary>
    public SessionIdentity Identity { get; }

    /// <summary>The options that <see cref="SessionOptions.Names"/> lists.</summary>
    public ConcurrentDictionary<string, string> Options { get; }

    /// <summary>When it was opened.</summary>
    public DateTimeOffset OpenedAt { get; init; }

    /// <summary>When it was used last.</summary>
    public DateTimeOffset LastUsedAt
    {
        get => new(Interlocked.Read(ref _lastUsedTicks), TimeSpan.Zero);
        set => Interlocked.Exchange(ref _lastUsedTicks, value.UtcTicks);
    }

    /// <summary>Whether statements see the snapshots of earlier ones.</summary>
    internal bool IsTransaction
    {
        get
        {
            lock (_gate)
            {
                return _isTransaction;
            }
        }
    }

    /// <summary>The session as one transaction sees it: each table is pinned when it is first read. Until then it costs nothing.</summary>
    public QuerySession BeginTransaction() => new(Id, Identity, Options) { _isTransaction = true, OpenedAt = OpenedAt };

    /// <summary>Ends a transaction: later statements of what was prepared in it see the newest snapshots again.</summary>
    public void EndTransaction()
    {
        lock (_gate)
        {
            _isTransaction = false;
            _pins = null;
        }
    }

    /// <summary>The snapshots that a statement sees: its own, or those of the transaction.</summary>
    internal StatementPins Pins(CatalogService catalog)
    {
        lock (_gate)
        {
            return _isTransaction ? _pins ??= new StatementPins(catalog) : new StatementPins(catalog);
        }
    }
}
