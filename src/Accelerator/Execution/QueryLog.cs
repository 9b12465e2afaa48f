using System.Text.Json;
using System.Text.Json.Serialization;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Sessions;

namespace LakeHolo.Accelerator.Execution;

/// <summary>Which table a statement read, and how.</summary>
/// <param name="Table"><c>source.schema.table</c>.</param>
/// <param name="Tier">lake or hot.</param>
/// <param name="Snapshot">The snapshot.</param>
/// <param name="CommittedAt">When it was committed, where known.</param>
/// <param name="AgeMs">Milliseconds since it was last known to be the newest; null when an older one was asked for.</param>
/// <param name="FilesTotal">Live files of the snapshot.</param>
/// <param name="FilesRead">Files after pruning.</param>
/// <param name="BytesRead">Their bytes.</param>
public sealed record TableUse(
    string Table, string Tier, string Snapshot, DateTimeOffset? CommittedAt, double? AgeMs, long FilesTotal, long FilesRead, long BytesRead)
{
    /// <summary>Columns that were needed; null for all.</summary>
    [JsonIgnore]
    public IReadOnlyList<string>? Columns { get; init; }

    /// <summary>Columns that a condition compared with values.</summary>
    [JsonIgnore]
    public IReadOnlyList<string> FilteredBy { get; init; } = [];

    /// <summary>What a condition asked of columns: least values, or the only ones.</summary>
    [JsonIgnore]
    public IReadOnlyDictionary<string, ColumnBounds> Bounds { get; init; } = ColumnBounds.Of(null);

    /// <summary>Files skipped by partition values.</summary>
    public long FilesPrunedByPartition { get; init; }

    /// <summary>Files skipped by statistics, key ranges, buckets or file indexes.</summary>
    public long FilesPrunedByStatistics { get; init; }

    /// <summary>Files that metadata answered for, without opening them.</summary>
    public long FilesCounted { get; init; }

    /// <summary>Requests to storage while its scan was planned: for metadata that only this query needs, and for the bytes of its files.</summary>
    public long Requests { get; init; }

    /// <summary>Bytes that came from storage.</summary>
    public long FetchedBytes { get; init; }

    /// <summary>Bytes that came from the disk cache.</summary>
    public long CachedBytes { get; init; }
}

/// <summary>Where the time of a statement went, in milliseconds; what is fetched and merged is part of planning.</summary>
/// <param name="MetadataMs">Parsing, and finding the snapshots of its tables.</param>
/// <param name="PlanningMs">Learning what the scans need, pruning, writing the relations.</param>
/// <param name="FetchingMs">Opening files: from storage, from the cache, decoding.</param>
/// <param name="MergingMs">Merging rows by key where no kept result could be used.</param>
/// <param name="EngineMs">Waiting for rows of the engine.</param>
/// <param name="SendingMs">Waiting for whoever takes the rows.</param>
public sealed record StatementTimes(double MetadataMs, double PlanningMs, double FetchingMs, double MergingMs, double EngineMs, double SendingMs)
{
    internal static readonly StatementTimes None = new(0, 0, 0, 0, 0, 0);
}

/// <summary>A statement that ran.</summary>
public sealed record QueryLogEntry
{
    /// <summary>A number that grows.</summary>
    public required long Id { get; init; }

    /// <summary>How many of its kind had begun with it.</summary>
    internal long Place { get; init; }

    /// <summary>Who asked.</summary>
    public required string User { get; init; }

    /// <summary>From where.</summary>
    public required string Client { get; init; }

    /// <summary>With what: the client's name and version as it tells them.</summary>
    public string ClientName { get; init; } = string.Empty;

    /// <summary>Id of the session.</summary>
    public string Session { get; init; } = string.Empty;

    /// <summary>When it began.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>The text.</summary>
    public required string Sql { get; init; }

    /// <summary>The tables.</summary>
    public IReadOnlyList<TableUse> Tables { get; init; } = [];

    /// <summary>Answered by a protocol from the catalog alone.</summary>
    public bool IsCatalog { get; init; }

    /// <summary>Milliseconds for parsing, resolving and planning.</summary>
    public double PlanMs { get; init; }

    /// <summary>The parts of all.</summary>
    public StatementTimes Times { get; internal set; } = StatementTimes.None;

    /// <summary>Requests to storage.</summary>
    public long Requests { get; init; }

    /// <summary>Bytes from storage.</summary>
    public long FetchedBytes { get; init; }

    /// <summary>Bytes from the disk cache.</summary>
    public long CachedBytes { get; init; }

    /// <summary>Milliseconds in all.</summary>
    public double DurationMs { get; internal set; }

    /// <summary>Rows given out.</summary>
    public long Rows { get; internal set; }

    /// <summary>Bytes given out, as Arrow buffers.</summary>
    public long Bytes { get; internal set; }

    /// <summary>queued, running, done, failed, cancelled, denied.</summary>
    public required string State { get; init; }

    /// <summary>Why it failed.</summary>
    public string? Error { get; init; }
}

/// <summary>The last statements, in memory.</summary>
public sealed class QueryLog
{
    /// <summary>State of a statement that was refused for want of a right; only administrators see such entries.</summary>
    internal const string DeniedState = "denied";

    private const int Kept = 10_000;

    // Tools ask hundreds of them before a query of their user: they must not drive those out.
    private const int KeptCatalog = 1_000;

    private readonly Ring _statements = new(Kept);
    private readonly Ring _catalog = new(KeptCatalog);
    private long _lastId;

    /// <summary>The entries, oldest first.</summary>
    public IReadOnlyList<QueryLogEntry> Entries => [.. _statements.Lines.Concat(_catalog.Lines).OrderBy(e => e.Id)];

    internal void Put(QueryLogEntry entry) => (entry.IsCatalog ? _catalog : _statements).Put(entry);

    internal void Forget(QueryLogEntry entry) => _statements.Forget(entry);

    /// <summary>A line for a statement that begins.</summary>
    internal QueryLogEntry NewEntry(QuerySession session, string sql, DateTimeOffset startedAt, string state = "running") => NewEntry(session, sql, startedAt, _statements.NextPlace(), state);

    /// <summary>A line for a statement that a protocol answered from the catalog.</summary>
    internal QueryLogEntry NewCatalogEntry(QuerySession session, string sql, DateTimeOffset startedAt) => NewEntry(session, sql, startedAt, _catalog.NextPlace(), "running") with { IsCatalog = true };

    private QueryLogEntry NewEntry(QuerySession session, string sql, DateTimeOffset startedAt, long place, string state) => new()
    {
        Id = Interlocked.Increment(ref _lastId),
        Place = place,
        User = session.Identity.User,
        Client = session.Identity.ClientAddress,
        ClientName = session.Identity.ClientName,
        Session = session.Id,
        StartedAt = startedAt,
        Sql = sql,
        State = state,
    };

    /// <summary>The entries that a user may see.</summary>
    internal IReadOnlyList<QueryLogEntry> EntriesFor(Access.UserAccess who) => who.IsAdmin ? Entries : [.. Entries.Where(e => e.User == who.User && e.State != DeniedState)];

    internal RowRelation ToRelation(Access.UserAccess who)
    {
        var relation = new RowRelation(
            ("id", "BIGINT"), ("user", "VARCHAR"), ("client", "VARCHAR"), ("client_name", "VARCHAR"), ("session", "VARCHAR"), ("started_at", "TIMESTAMPTZ"), ("state", "VARCHAR"), ("plan_ms", "DOUBLE"),
            ("duration_ms", "DOUBLE"), ("rows", "BIGINT"), ("bytes", "BIGINT"), ("tier", "VARCHAR"), ("tables", "VARCHAR"), ("sql", "VARCHAR"), ("error", "VARCHAR"),
            ("metadata_ms", "DOUBLE"), ("planning_ms", "DOUBLE"), ("fetching_ms", "DOUBLE"), ("merging_ms", "DOUBLE"), ("engine_ms", "DOUBLE"), ("sending_ms", "DOUBLE"),
            ("requests", "BIGINT"), ("fetched_bytes", "BIGINT"), ("cached_bytes", "BIGINT"));
        foreach (QueryLogEntry e in EntriesFor(who))
        {
            string[] tiers = [.. e.Tables.Select(t => t.Tier).Distinct()];
            relation.Add(
                e.Id, e.User, e.Client, e.ClientName, e.Session, e.StartedAt, e.State, e.PlanMs, e.DurationMs, e.Rows, e.Bytes, tiers.Length switch { _ when e.IsCatalog => "catalog", 0 => null, 1 => tiers[0], _ => "mixed" },
                JsonSerializer.Serialize(e.Tables, AppMetadata.Json), e.Sql, e.Error,
                e.Times.MetadataMs, e.Times.PlanningMs, e.Times.FetchingMs, e.Times.MergingMs, e.Times.EngineMs, e.Times.SendingMs, e.Requests, e.FetchedBytes, e.CachedBytes);
        }

        return relation;
    }

    /// <summary>Lines of one kind, of which a new one takes the place of the oldest.</summary>
    /// <remarks>They lie in the order in which they began. References from old objects to new ones are looked through at each collection of garbage: side by side they are a few, in a
    /// hash table as many as there are new lines.</remarks>
    private sealed class Ring(int size)
    {
        private readonly QueryLogEntry?[] _lines = new QueryLogEntry?[size];
        private long _begun;

        public IEnumerable<QueryLogEntry> Lines => _lines.OfType<QueryLogEntry>();

        public long NextPlace() => Interlocked.Increment(ref _begun);

        /// <summary>Puts a line into its place, unless a later one has that by now.</summary>
        public void Put(QueryLogEntry entry) => Exchange(entry.Place, entry);

        public void Forget(QueryLogEntry entry) => Exchange(entry.Place, null);

        private void Exchange(long place, QueryLogEntry? line)
        {
            ref QueryLogEntry? kept = ref _lines[place % size];
            QueryLogEntry? before = Volatile.Read(ref kept);
            while ((before?.Place ?? 0) <= place && Interlocked.CompareExchange(ref kept, line, before) is var found && !ReferenceEquals(found, before))
            {
                before = found;
            }
        }
    }
}
