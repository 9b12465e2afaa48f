using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.Accelerator.Access;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Execution;
using LakeHolo.Accelerator.Planning;
using LakeHolo.Accelerator.Queries;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.Accelerator.Sources;
using LakeHolo.Accelerator.Sql;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Accelerator;

/// <summary>SQL in, Arrow out: the one implementation of <see cref="IQueryService"/>.</summary>
public sealed partial class LakeEngine : IQueryService, IDisposable
{
    /// <summary>How long what a statement was bound to at preparing counts as its start.</summary>
    private static readonly TimeSpan FreshFor = TimeSpan.FromMilliseconds(200);

    private readonly PlanningEngine _planning = new();
    private readonly EngineDatabase _engine;
    private readonly CatalogService _catalog;
    private readonly ITierController? _tier;
    private readonly AccessControl _access;
    private readonly StatementPlanner _planner;
    private readonly StatementExecutor _executor;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<string, QuerySession> _sessions = new(StringComparer.Ordinal);

    /// <summary>Puts the parts together.</summary>
    /// <param name="engine">The engine that runs statements; stays the caller's.</param>
    /// <param name="catalog">The tables.</param>
    /// <param name="sources">Who serves them, in order of preference.</param>
    /// <param name="tier">The hot tier, if there is one.</param>
    /// <param name="limits">Bounds of statements.</param>
    /// <param name="time">The clock.</param>
    /// <param name="access">Who may read and do what; null for everybody everything.</param>
    /// <param name="denied">Told of every refusal.</param>
    public LakeEngine(
        EngineDatabase engine, CatalogService catalog, IReadOnlyList<ITableSource> sources, ITierController? tier, ExecutionLimits limits, TimeProvider time,
        AccessOptions? access = null, Action<AccessDenial>? denied = null)
    {
        _catalog = catalog;
        _tier = tier;
        _time = time;
        _engine = engine;
        _access = new AccessControl(access, Log, denied, time);
        _planner = new StatementPlanner(_planning, catalog, sources, new SystemTables(catalog, tier, Log, () => _sessions.Values), _access);
        Queries = new QueryTables(_planner, catalog);
        _executor = new StatementExecutor(engine, _planner, Log, limits, _access, time);
    }

    /// <summary>Promoted queries as tables.</summary>
    public QueryTables Queries { get; }

    /// <summary>The last statements.</summary>
    public QueryLog Log { get; } = new();

    /// <inheritdoc/>
    public int WaitingStatements => _executor.Waiting;

    /// <inheritdoc/>
    public long EngineMemoryBytes => _engine.MemoryBytes();

    /// <summary>What in the engine holds the memory, with bytes, largest first; for who looks for what stays.</summary>
    public string EngineMemoryByUse() => _engine.MemoryByUse();

    /// <inheritdoc/>
    public QuerySession OpenSession(SessionIdentity identity)
    {
        DateTimeOffset now = _time.GetUtcNow();
        var session = new QuerySession(Guid.NewGuid().ToString("N"), identity) { OpenedAt = now, LastUsedAt = now };
        _sessions[session.Id] = session;
        return session;
    }

    /// <inheritdoc/>
    public void CloseSession(QuerySession session) => _sessions.TryRemove(session.Id, out _);

    /// <inheritdoc/>
    public async ValueTask<IPreparedQuery> PrepareAsync(QuerySession session, string sql, CancellationToken cancellationToken)
    {
        using Activity? span = StatementTrace.Preparing();
        DateTimeOffset start = _time.GetUtcNow();
        try
        {
            return await BindAsync(session, sql, cancellationToken);
        }
        catch (LakeException e) when (e.Kind != LakeErrorKind.PermissionDenied)
        {
            span?.SetStatus(ActivityStatusCode.Error, e.Kind.ToString());
            Log.Put(Log.NewEntry(session, sql, start) with { State = "failed", Error = e.Message, DurationMs = (_time.GetUtcNow() - start).TotalMilliseconds });
            throw;
        }
    }

    /// <inheritdoc/>
    public void LogCatalogStatement(QuerySession session, string sql, CatalogOutcome outcome) => Log.Put(Log.NewCatalogEntry(session, sql, outcome.StartedAt) with
    {
        State = outcome.Error is null ? "done" : "failed",
        Error = outcome.Error,
        DurationMs = outcome.Duration.TotalMilliseconds,
        Rows = outcome.Rows,
        Bytes = outcome.Bytes,
    });

    /// <inheritdoc/>
    public void LogDenial(QuerySession session, string statement, string reason) => _access.Denied(session, statement, reason);

    private async ValueTask<IPreparedQuery> BindAsync(QuerySession session, string sql, CancellationToken cancellationToken)
    {
        // The engine would take what stands before it for the whole statement.
        if (sql.Contains('\0', StringComparison.Ordinal))
        {
            throw LakeException.QueryInvalid("The statement holds a zero byte");
        }

        switch (ManagementStatement.TryParse(sql))
        {
            case ManagementStatement.Explain explain:
                await BindWholeAsync(session, explain.Query, cancellationToken);
                return new PreparedExplain(this, sql, explain.Query);
            case ManagementStatement.Show show:
                return new PreparedSelect(this, session, show.Query, await _planner.BindAsync(session, show.Query, null, cancellationToken));
            case ManagementStatement.ExplainLake explain:
                await BindWholeAsync(session, explain.Query, cancellationToken);
                return new PreparedExplainLake(this, sql, explain.Query);
            case { } statement:
                return new PreparedManagement(this, sql, statement);
            default:
                return new PreparedSelect(this, session, sql, await _planner.BindAsync(session, sql, null, cancellationToken));
        }
    }

    /// <inheritdoc/>
    public ValueTask<CatalogListing> ListCatalogAsync(QuerySession session, CatalogFilter filter, CancellationToken cancellationToken)
        => ValueTask.FromResult(CatalogLister.List(_catalog, _access.Of(session), filter));

    /// <inheritdoc/>
    public void Dispose()
    {
        _executor.Dispose();
        _planning.Dispose();
    }

    /// <summary>Whether what plans statements answers, as <see cref="EngineDatabase.IsUsable"/>.</summary>
    public bool IsUsable() => _planning.IsUsable();

    /// <summary>Binds every filter and mask to the tables that are there.</summary>
    /// <exception cref="LakeException">QueryInvalid, with all faults by the names of their settings.</exception>
    public void CheckAccess() => _access.Check(_planning, _catalog);

    // How a statement runs (filters, counts of rows and files) tells of rows that are hidden; a promoted query gives its rows to others.
    private async ValueTask<BoundStatement> BindWholeAsync(QuerySession session, string query, CancellationToken cancellationToken, string verb = "EXPLAIN", bool avoidsCopies = false)
    {
        BoundStatement bound = await _planner.BindAsync(session, query, null, cancellationToken, avoidsCopies: avoidsCopies);
        if (bound.Tables.Any(t => t.Policy is not null))
        {
            _access.Denied(session, $"{verb} {query}", "read all of its tables");
            throw LakeException.PermissionDenied($"{verb} is for those who may read all rows and columns of its tables");
        }

        return bound;
    }

    private async ValueTask<RowRelation> LoggedAsync(QuerySession session, string sql, ManagementStatement statement, CancellationToken cancellationToken)
    {
        QueryLogEntry entry = Log.NewEntry(session, sql, _time.GetUtcNow());
        Log.Put(entry);
        try
        {
            RowRelation rows = await ManageAsync(session, statement, cancellationToken);
            Log.Put(entry with { State = "done", Rows = rows.Rows.Count, DurationMs = Elapsed() });
            return rows;
        }
        catch (LakeException e) when (e.Kind == LakeErrorKind.PermissionDenied)
        {
            // The refusal has a line of its own.
            Log.Forget(entry);
            throw;
        }
        catch (Exception e)
        {
            Log.Put(entry with { State = e is OperationCanceledException ? "cancelled" : "failed", Error = e.Message, DurationMs = Elapsed() });
            throw;
        }

        double Elapsed() => (_time.GetUtcNow() - entry.StartedAt).TotalMilliseconds;
    }

    private async ValueTask<RowRelation> ManageAsync(QuerySession session, ManagementStatement statement, CancellationToken cancellationToken)
    {
        switch (statement)
        {
            case ManagementStatement.Set set:
                SessionOptions.Check(set.Option, set.Value);
                if (set.Value is null)
                {
                    session.Options.TryRemove(set.Option, out _);
                }
                else
                {
                    session.Options[set.Option] = set.Value;
                }

                var option = new RowRelation(PreparedManagement.SetColumns);
                option.Add(set.Option, set.Value);
                return option;
            case ManagementStatement.Kill kill:
                UserAccess who = _access.Of(session);
                if (!who.IsAdmin && !Log.EntriesFor(who).Any(e => e.Id == kill.QueryId))
                {
                    _access.Denied(session, $"KILL QUERY {kill.QueryId.ToString(CultureInfo.InvariantCulture)}", "administrator's right");
                    throw LakeException.NotFound($"There is no running statement {kill.QueryId.ToString(CultureInfo.InvariantCulture)}");
                }

                if (!_executor.Kill(kill.QueryId))
                {
                    throw LakeException.NotFound($"There is no running statement {kill.QueryId.ToString(CultureInfo.InvariantCulture)}");
                }

                var killed = new RowRelation(PreparedManagement.KillColumns);
                killed.Add(kill.QueryId, "killed");
                return killed;
            case ManagementStatement.Sync sync:
                _access.DemandAdmin(session, "SYNC");
                return await SyncAsync(sync.Source, cancellationToken);
            case ManagementStatement.Tier tier:
                _access.DemandAdmin(session, $"{tier.Verb} {tier.Pattern}");
                return await TierAsync(session, tier, cancellationToken);
            case ManagementStatement.PromoteQuery query:
                _access.DemandAdmin(session, $"PROMOTE QUERY {query.Name}");
                return await PromoteQueryAsync(session, query, cancellationToken);
            default:
                throw new LakeException(LakeErrorKind.Internal, $"{statement.GetType().Name} is not handled");
        }
    }

    private async ValueTask<RowRelation> SyncAsync(string? source, CancellationToken cancellationToken)
    {
        LakeSource[] sources = [.. _catalog.Sources.Where(s => source is null || s.Name.Equals(source, StringComparison.OrdinalIgnoreCase))];
        if (sources.Length == 0)
        {
            throw LakeException.NotFound($"There is no source {source}; sources are {string.Join(", ", _catalog.Sources.Select(s => s.Name))}");
        }

        var rows = new RowRelation(PreparedManagement.SyncColumns);
        foreach (LakeSource s in sources)
        {
            SyncRun run = await _catalog.SyncAsync(s, cancellationToken);
            rows.Add(run.Source, run.Tables, run.Added, run.Removed, run.Changed, run.DurationMs, run.Faults.Count == 0 ? null : string.Join("\n", run.Faults));
        }

        return rows;
    }

    /// <summary>A query; its snapshots are those of each execution's start.</summary>
    private sealed class PreparedSelect(LakeEngine engine, QuerySession boundIn, string sql, BoundStatement bound) : IPreparedQuery
    {
        private readonly int _parameterCount = bound.ParameterCount;
        private readonly bool _isLookup = bound.Shape.Lookup is not null;
        private readonly long _boundAt = engine._time.GetTimestamp();
        private BoundStatement? _fresh = bound;

        public Schema ResultSchema { get; } = bound.ResultSchema;

        public IReadOnlyList<string> ColumnTypes { get; } = bound.Shape.ColumnTypes;

        public IReadOnlyList<string> ParameterTypes { get; } = bound.Shape.ParameterTypes;

        public Schema ParameterSchema { get; } = bound.Shape.ParameterSchema;

        public bool IsUpdate => false;

        public bool IsOrdered { get; } = bound.Shape.IsOrdered;

        public bool IsHot { get; } = bound.Tables.All(t => t.Version is { IsHeldWhole: true });

        public async ValueTask<Schema> DescribeAsync(QuerySession session, RecordBatch? parameters, int parameterRow, CancellationToken cancellationToken) => _parameterCount == 0
            ? ResultSchema
            : (await engine._planner.BindAsync(session, sql, ParameterValues.Read(parameters, parameterRow, _parameterCount), cancellationToken)).ResultSchema;

        public async ValueTask<IQueryResult> ExecuteAsync(QuerySession session, RecordBatch? parameters, int parameterRow, CancellationToken cancellationToken)
        {
            return await ExecuteAsync(session, ParameterValues.Read(parameters, parameterRow, _parameterCount), cancellationToken);
        }

        public async ValueTask<IQueryResult> ExecuteAsync(QuerySession session, IReadOnlyList<object?> values, CancellationToken cancellationToken)
        {
            // What preparing pinned serves the execution that follows at once; any later one, or one in another transaction, binds anew, to the snapshots of its own start.
            bool isFresh = _parameterCount == 0 && session == boundIn && engine._time.GetElapsedTime(_boundAt) <= FreshFor;
            return await engine._executor.RunAsync(
                session, sql,
                (avoidsCopies, token) => Interlocked.Exchange(ref _fresh, null) is { } fresh && isFresh
                    ? ValueTask.FromResult(fresh)
                    : engine._planner.BindAsync(session, sql, values, token, avoidsCopies: avoidsCopies),
                string.Empty, values, cancellationToken, _isLookup);
        }
    }

    private sealed class PreparedExplain(LakeEngine engine, string sql, string query) : IPreparedQuery
    {
        public Schema ResultSchema { get; } = new([new Field("explain_key", StringType.Default, true), new Field("explain_value", StringType.Default, true)], null);

        public Schema ParameterSchema { get; } = new([], null);

        public bool IsUpdate => false;

        public async ValueTask<IQueryResult> ExecuteAsync(QuerySession session, RecordBatch? parameters, int parameterRow, CancellationToken cancellationToken)
            => await engine._executor.RunAsync(session, sql, (avoidsCopies, token) => engine.BindWholeAsync(session, query, token, avoidsCopies: avoidsCopies), "EXPLAIN ", [], cancellationToken);
    }

    private sealed class PreparedExplainLake(LakeEngine engine, string sql, string query) : IPreparedQuery
    {
        public Schema ResultSchema { get; } = new RowRelation(LakeExplanation.Columns).Schema;

        public Schema ParameterSchema { get; } = new([], null);

        public bool IsUpdate => false;

        public async ValueTask<IQueryResult> ExecuteAsync(QuerySession session, RecordBatch? parameters, int parameterRow, CancellationToken cancellationToken)
        {
            await using EngineResult result = await engine._executor.RunAsync(session, sql, (avoidsCopies, token) => engine.BindWholeAsync(session, query, token, avoidsCopies: avoidsCopies), string.Empty, [], cancellationToken);
            await foreach (RecordBatch batch in result.ReadBatchesAsync(cancellationToken))
            {
                batch.Dispose();
            }

            return new RowResult(LakeExplanation.Of(result.Statement.Entry, result.Statement.Plan!, engine._engine));
        }
    }

    private sealed class PreparedManagement(LakeEngine engine, string sql, ManagementStatement statement) : IPreparedQuery
    {
        public static readonly (string, string)[] SetColumns = [("option", "VARCHAR"), ("value", "VARCHAR")];

        public static readonly (string, string)[] KillColumns = [("id", "BIGINT"), ("state", "VARCHAR")];

        public static readonly (string, string)[] SyncColumns =
            [("source", "VARCHAR"), ("tables", "INTEGER"), ("added", "INTEGER"), ("removed", "INTEGER"), ("changed", "INTEGER"), ("duration_ms", "DOUBLE"), ("faults", "VARCHAR")];

        public static readonly (string, string)[] TierColumns =
            [("table", "VARCHAR"), ("state", "VARCHAR"), ("snapshot", "VARCHAR"), ("row_count", "BIGINT"), ("size_bytes", "BIGINT"), ("duration_ms", "DOUBLE"), ("error", "VARCHAR")];

        public Schema ResultSchema { get; } = new RowRelation(statement switch
        {
            ManagementStatement.Set => SetColumns,
            ManagementStatement.Kill => KillColumns,
            ManagementStatement.Sync => SyncColumns,
            _ => TierColumns,
        }).Schema;

        public Schema ParameterSchema { get; } = new([], null);

        public bool IsUpdate => true;

        public async ValueTask<IQueryResult> ExecuteAsync(QuerySession session, RecordBatch? parameters, int parameterRow, CancellationToken cancellationToken)
            => new RowResult(statement is ManagementStatement.Set
                ? await engine.ManageAsync(session, statement, cancellationToken)
                : await engine.LoggedAsync(session, sql, statement, cancellationToken));
    }

    /// <summary>The rows of a management statement.</summary>
    private sealed class RowResult(RowRelation rows) : IQueryResult
    {
        public Schema Schema => rows.Schema;

        public long AffectedRows => rows.Rows.Count;

        public ReadOnlyMemory<byte> AppMetadata { get; } = Execution.AppMetadata.Encode(0, []);

        public async IAsyncEnumerable<RecordBatch> ReadBatchesAsync([EnumeratorCancellation] CancellationToken cancellationToken)
        {
            await Task.CompletedTask;
            yield return rows.ToBatch();
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
