using System.Diagnostics;
using DuckDB.NET.Data;
using LakeHolo.Accelerator.Access;
using LakeHolo.Accelerator.Planning;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Accelerator.Execution;

/// <summary>A statement between admission and its end: its connection, its plan's leases, its place in the queue, its line of the query log.</summary>
internal sealed class RunningStatement : IAsyncDisposable
{
    private static readonly TimeSpan InterruptEvery = TimeSpan.FromMilliseconds(20);

    private readonly QueryLog _log;
    private readonly UserLimits _limits;
    private readonly StatementTrace _trace;
    private readonly long _started = Stopwatch.GetTimestamp();
    private readonly Lock _gate = new();
    private readonly Timer? _timeout;
    private readonly CancellationTokenSource _stop = new();
    private QueryLogEntry _entry;
    private PlannedStatement? _plan;
    private Action? _interrupt;
    private Timer? _interrupts;
    private string? _cancelReason;
    private long _rows;
    private TimeSpan _engine;
    private TimeSpan _sending;
    private long _bytes;
    private bool _disposed;

    public RunningStatement(QueryLog log, QueryLogEntry entry, TimeSpan timeout, UserLimits limits)
    {
        _log = log;
        _entry = entry;
        _limits = limits;
        _trace = new StatementTrace(entry);
        _log.Put(entry);
        bool isBounded = timeout > TimeSpan.Zero && timeout != Timeout.InfiniteTimeSpan;
        string name = "limits.statement_timeout";
        if (limits.Time is { } own && (!isBounded || own < timeout))
        {
            (timeout, isBounded, name) = (own, true, $"time, of {entry.User}");
        }

        if (isBounded)
        {
            _timeout = new Timer(_ => Cancel($"the statement ran longer than the limit of {timeout} ({name})"), null, timeout, Timeout.InfiniteTimeSpan);
        }
    }

    public long Id => _entry.Id;

    /// <summary>Who asked.</summary>
    public string User => _entry.User;

    /// <summary>Cancelled with the statement: ends its waiting and planning.</summary>
    public CancellationToken Stopped => _stop.Token;

    private bool IsOver => _entry.State is not ("queued" or "running");

    /// <summary>Its spans.</summary>
    public StatementTrace Trace => _trace;

    public EngineConnection? Connection { get; set; }

    /// <summary>Whether the engine found no memory for it.</summary>
    public bool LackedMemory { get; private set; }

    /// <summary>Gives back what the statement was admitted with.</summary>
    public Action<RunningStatement>? Ended { get; set; }

    /// <summary>It has its place among those that run.</summary>
    public void Admitted() => Update(e => e with { State = "running" });

    /// <summary>It was answered together with others.</summary>
    public void Answered(LookupAnswer answer)
    {
        _engine = answer.Engine;
        Update(e => e with
        {
            State = "running",
            Tables = answer.Uses,
            PlanMs = (Stopwatch.GetElapsedTime(_started) - answer.Engine).TotalMilliseconds,
            Times = new StatementTimes(answer.Bound.MetadataMs, answer.Planning.TotalMilliseconds, 0, 0, answer.Engine.TotalMilliseconds, 0),
            Requests = answer.Use.Requests,
            FetchedBytes = answer.Use.Bytes,
            CachedBytes = answer.Use.CachedBytes,
        });
    }

    /// <summary>The plan is there, and what planning took is known.</summary>
    public void Planned(PlannedStatement plan, BoundStatement bound, StorageUse use, TimeSpan planning)
    {
        _plan = plan;
        double fetching = use.Fetching.TotalMilliseconds;
        double merging = use.Merging.TotalMilliseconds;
        Update(e => e with
        {
            Tables = plan.Uses,
            PlanMs = Stopwatch.GetElapsedTime(_started).TotalMilliseconds,
            Times = new StatementTimes(
                bound.MetadataMs, Math.Max(0, planning.TotalMilliseconds - fetching - merging), fetching, merging, _engine.TotalMilliseconds, _sending.TotalMilliseconds),
            Requests = use.Requests + bound.RequestsBefore,
            FetchedBytes = use.Bytes + bound.BytesBefore,
            CachedBytes = use.CachedBytes,
        });
    }

    /// <summary>The files of its plan that were under way have arrived.</summary>
    public void Arrived(PlannedStatement plan)
    {
        Update(e => e with
        {
            Tables = plan.Uses,
            Times = e.Times with { FetchingMs = e.Times.FetchingMs + plan.Arrivals.Select(a => a.Use.Fetching.TotalMilliseconds).DefaultIfEmpty().Max() },
            Requests = e.Requests + plan.Arrivals.Sum(a => a.Use.Requests),
            FetchedBytes = e.FetchedBytes + plan.Arrivals.Sum(a => a.Use.Bytes),
        });
        _plan = plan;
    }

    /// <summary>It has to be planned again: nothing was given out yet.</summary>
    public async ValueTask GiveUpPlanAsync()
    {
        PlannedStatement? plan = _plan;
        EngineConnection? connection = Connection;
        lock (_gate)
        {
            _interrupt = null;
        }

        (_plan, Connection) = (null, null);
        connection?.Dispose();
        if (plan is not null)
        {
            await plan.DisposeAsync();
        }
    }

    /// <summary>Its line of the query log as it is now.</summary>
    public QueryLogEntry Entry
    {
        get
        {
            lock (_gate)
            {
                return _entry;
            }
        }
    }

    /// <summary>Its plan, once there is one.</summary>
    public PlannedStatement? Plan => _plan;

    /// <summary>Takes note of time that the engine and the receiver took.</summary>
    public void Spent(TimeSpan engine, TimeSpan sending)
    {
        _engine += engine;
        _sending += sending;
    }

    /// <summary>The engine is about to run it.</summary>
    /// <param name="interrupt">Stops the engine.</param>
    /// <exception cref="OperationCanceledException">It was cancelled before.</exception>
    public void Started(Action interrupt)
    {
        lock (_gate)
        {
            if (_cancelReason is not null)
            {
                throw new OperationCanceledException(_cancelReason);
            }

            _interrupt = interrupt;
        }
    }

    /// <summary>Counts rows that are about to be given out.</summary>
    /// <exception cref="LakeException">ResourcesExhausted, naming the limit: with them the result is larger than its user may have.</exception>
    public void Count(int rows, long bytes)
    {
        LakeException? exceeded = _rows + rows > _limits.Rows ? UserLimits.Exceeded("rows", _limits.Rows.Value, User, "the result has more rows")
            : _bytes + bytes > _limits.Bytes ? UserLimits.Exceeded("bytes", _limits.Bytes.Value, User, "the result is larger")
            : null;
        if (exceeded is not null)
        {
            Finish(exceeded);
            throw exceeded;
        }

        _rows += rows;
        _bytes += bytes;
    }

    /// <summary>Interrupts the engine, at once and from any thread.</summary>
    public void Cancel(string reason = "the statement was cancelled")
    {
        lock (_gate)
        {
            if (_disposed || IsOver)
            {
                return;
            }

            _cancelReason ??= reason;
            if (_interrupt is not null)
            {
                // The engine forgets an interrupt that comes while a command is still being prepared: it is told until it has ended.
                _interrupts ??= new Timer(static s => ((RunningStatement)s!).Interrupt(), this, TimeSpan.Zero, InterruptEvery);
            }
        }

        try
        {
            _stop.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It ended meanwhile.
        }
    }

    private void Interrupt()
    {
        lock (_gate)
        {
            _interrupt?.Invoke();
        }
    }

    public void Finish(Exception? error)
    {
        if (!IsOver)
        {
            bool cancelled = _cancelReason is not null || error is OperationCanceledException;
            Update(e => e with { State = error is null ? "done" : cancelled ? "cancelled" : "failed", Error = error?.Message });
        }
    }

    public Exception Translate(Exception error)
    {
        Exception translated = _cancelReason is { } reason
            ? reason.Contains("limit", StringComparison.Ordinal)
                ? LakeException.ResourcesExhausted($"Stopped: {reason}", isTransient: false)
                : new OperationCanceledException($"Stopped: {reason}")
            : error switch
            {
                LakeException or OperationCanceledException => error,
                DuckDBException or EngineException when error.Message.Contains("Out of Memory", StringComparison.OrdinalIgnoreCase) =>
                    LakeException.ResourcesExhausted($"The query needs more memory than the configured limit: {error.Message}"),
                DuckDBException or EngineException => EngineDatabase.FailureInside(error) ?? LakeException.QueryInvalid(error.Message, error),
                _ => error,
            };
        LackedMemory |= error is DuckDBException or EngineException && translated is LakeException { Kind: LakeErrorKind.ResourcesExhausted };
        Finish(translated);
        return translated;
    }

    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            _interrupt = null;
            _interrupts?.Dispose();
        }

        if (!IsOver)
        {
            Update(e => e with { State = "cancelled", Error = _cancelReason });
        }

        StatementMetrics.Add(Entry);
        _trace.Ended(Entry);
        _timeout?.Dispose();
        _stop.Dispose();
        Ended?.Invoke(this);
        if (_plan is not null)
        {
            await _plan.DisposeAsync();
        }
    }

    /// <param name="change">Makes another line of one.</param>
    private void Update(Func<QueryLogEntry, QueryLogEntry> change)
    {
        lock (_gate)
        {
            // What nobody else has seen yet may still be changed.
            QueryLogEntry changed = change(_entry);
            changed.Rows = _rows;
            changed.Bytes = _bytes;
            changed.DurationMs = Stopwatch.GetElapsedTime(_started).TotalMilliseconds;
            if (changed.Times.EngineMs != _engine.TotalMilliseconds || changed.Times.SendingMs != _sending.TotalMilliseconds)
            {
                changed.Times = changed.Times with { EngineMs = _engine.TotalMilliseconds, SendingMs = _sending.TotalMilliseconds };
            }

            _entry = changed;
            _log.Put(changed);
        }
    }
}
