using System.Collections.Concurrent;
using System.Diagnostics;
using Apache.Arrow;
using Apache.Arrow.Ipc;
using DuckDB.NET.Data;
using LakeHolo.Accelerator.Access;
using LakeHolo.Accelerator.Planning;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Accelerator.Execution;

/// <summary>Bounds of statements.</summary>
public sealed record ExecutionLimits
{
    /// <summary>Statements that run at once; more wait.</summary>
    public int MaxConcurrent { get; init; } = Math.Max(4, Environment.ProcessorCount * 2);

    /// <summary>Statements that may wait; more are refused.</summary>
    public int MaxQueued { get; init; } = 200;

    /// <summary>How long one may take in all; zero for no limit.</summary>
    public TimeSpan StatementTimeout { get; init; } = TimeSpan.FromMinutes(10);
}

/// <summary>Admits, plans and starts statements.</summary>
internal sealed class StatementExecutor : IDisposable
{
    private const int MaxPlanAttempts = 4;

    /// <summary>Statements whose files may be under way: the engine's threads that wait for them are made up for.</summary>
    private const int MaxEarly = 2;

    private static readonly TimeSpan InterruptEvery = TimeSpan.FromMilliseconds(20);

    private readonly StatementPlanner _planner;
    private readonly QueryLog _log;
    private readonly ExecutionLimits _limits;
    private readonly AccessControl _access;
    private readonly TimeProvider _time;
    private readonly EngineDatabase _engine;
    private readonly EnginePlaces _places;
    private readonly LookupBatches _lookups;
    private readonly RepeatedStatements _repeated = new();
    private readonly ConcurrentDictionary<long, RunningStatement> _running = new();
    private readonly UserShares _shares;
    private readonly SemaphoreSlim _early = new(MaxEarly);

    public StatementExecutor(EngineDatabase engine, StatementPlanner planner, QueryLog log, ExecutionLimits limits, AccessControl access, TimeProvider time)
    {
        (_engine, _planner, _log, _limits, _access, _time) = (engine, planner, log, limits, access, time);
        _places = new EnginePlaces(engine, limits);
        _lookups = new LookupBatches(planner, _places, new LookupKeys(engine));
        _shares = new UserShares(engine.MemoryLimitBytes);
    }

    /// <summary>Statements that wait.</summary>
    public int Waiting => _places.Waiting;

    /// <summary>Runs a bound query; the result has to be disposed.</summary>
    /// <param name="session">Who asks.</param>
    /// <param name="sql">The user's text, for the log.</param>
    /// <param name="bind">Binds it; called once it is admitted, so that its snapshots are those of its start, and again where what it was bound to went meanwhile, at last with true: to
    /// the lake, of which nothing is replaced.</param>
    /// <param name="prefix">Put before the engine's statement (EXPLAIN), or empty.</param>
    /// <param name="parameters">Values of its markers.</param>
    /// <param name="cancellationToken">Until the result is there.</param>
    /// <param name="isLookup">It looks rows up by a key, and may be answered together with others.</param>
    public async ValueTask<EngineResult> RunAsync(
        QuerySession session, string sql, Func<bool, CancellationToken, ValueTask<BoundStatement>> bind, string prefix, IReadOnlyList<object?> parameters, CancellationToken cancellationToken,
        bool isLookup = false)
    {
        UserAccess access = _access.Of(session);
        UserLimits user = access.Limits;
        QueryLogEntry entry = _log.NewEntry(session, sql, _time.GetUtcNow(), "queued");
        var statement = new RunningStatement(_log, entry, _limits.StatementTimeout, user) { Ended = s => _running.TryRemove(s.Id, out _) };
        _running[statement.Id] = statement;
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, statement.Stopped);
        try
        {
            IDisposable? share = await _shares.TakeAsync(entry.User, user, ends.Token);
            statement.Ended = s =>
            {
                _running.TryRemove(s.Id, out _);
                share?.Dispose();
            };
            using LookupTurn? turn = isLookup && RequestOf(access, session, sql, bind, parameters) is { } request ? await _lookups.TakeAsync(request, ends.Token) : null;
            if (turn?.Answer is { } answer)
            {
                statement.Answered(answer);
                return new EngineResult(statement, new LookupRows(answer), answer.Uses);
            }

            await _places.AdmitAsync(ends.Token);
            statement.Ended = s =>
            {
                Release(s);
                share?.Dispose();
            };
            statement.Admitted();
            StorageUse use = SessionOptions.NewStorageUse(session.Options);
            StorageUse.Current = use;
            bool isEarly = prefix.Length == 0 && _engine.CanWait && _early.Wait(0, CancellationToken.None);
            try
            {
                PlannedStatement plan = await PlanAsync(statement, use, bind, parameters, isEarly, ends.Token);
                if (isEarly && !plan.HasArrivals)
                {
                    _early.Release();
                    isEarly = false;
                }

                return await StartAsync(statement, plan, prefix, parameters, cancellationToken);
            }
            catch (NotArrivedException) when (!ends.IsCancellationRequested)
            {
                // Where all is waited for, what was not to be had is an error like any other.
                await statement.GiveUpPlanAsync();
                PlannedStatement plan = await PlanAsync(statement, use, bind, parameters, filesMayArrive: false, ends.Token);
                return await StartAsync(statement, plan, prefix, parameters, cancellationToken);
            }
            finally
            {
                _ = isEarly ? _early.Release() : 0;
            }
        }
        catch (Exception e)
        {
            Exception translated = statement.Translate(e is NotArrivedException ? new OperationCanceledException(ends.Token) : e);
            await statement.DisposeAsync();
            if (ReferenceEquals(translated, e))
            {
                throw;
            }

            throw translated;
        }
    }

    /// <summary>Stops a running statement.</summary>
    public bool Kill(long id)
    {
        if (!_running.TryGetValue(id, out RunningStatement? statement))
        {
            return false;
        }

        statement.Cancel("the statement was killed");
        return true;
    }

    public void Dispose()
    {
        _places.Dispose();
        _early.Dispose();
    }

    /// <summary>Binds and plans. What vanished between the two (a hot copy that was replaced, files that a cleaner took) is looked for again in a newer
    /// snapshot; nothing was sent yet.</summary>
    private async ValueTask<PlannedStatement> PlanAsync(
        RunningStatement statement, StorageUse use, Func<bool, CancellationToken, ValueTask<BoundStatement>> bind, IReadOnlyList<object?> parameters, bool filesMayArrive,
        CancellationToken cancellationToken)
    {
        using Activity? span = statement.Trace.Planning();
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                BoundStatement bound = await bind(attempt == MaxPlanAttempts, cancellationToken);
                long start = Stopwatch.GetTimestamp();
                PlannedStatement plan = await _planner.PlanAsync(bound, parameters, cancellationToken, filesMayArrive: filesMayArrive);
                statement.Planned(plan, bound, use, Stopwatch.GetElapsedTime(start));
                return plan;
            }
            catch (LakeException e) when (e.Kind == LakeErrorKind.NotFound && e.IsTransient && attempt < MaxPlanAttempts)
            {
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
    }

    /// <summary>What a lookup has to have in common with others; null where its value is none to look up by, or its transaction sees snapshots of its own.</summary>
    private static LookupRequest? RequestOf(
        UserAccess access, QuerySession session, string sql, Func<bool, CancellationToken, ValueTask<BoundStatement>> bind, IReadOnlyList<object?> parameters)
    {
        object? key = parameters is [var value] ? value switch { short v => (long)v, int v => (long)v, long or string => value, _ => null } : null;
        if (key is null || session.IsTransaction)
        {
            return null;
        }

        return new LookupRequest((sql, access.Key, SessionOptions.Text(session.Options)), key, session, bind);
    }

    private async ValueTask<EngineResult> StartAsync(
        RunningStatement statement, PlannedStatement plan, string prefix, IReadOnlyList<object?> parameters, CancellationToken cancellationToken)
    {
        EngineConnection connection = _places.Connect();
        statement.Connection = connection;
        string? key = plan.Version is not null && prefix.Length == 0 ? RepeatedStatements.KeyOf(plan.Sql, parameters) : null;
        RepeatedStatement? known = key is null ? null : _repeated.Find(key);
        IEngineRows rows = prefix.Length == 0 && BoundValues.AreBindable(parameters)
            ? new StatementRows(connection, plan.Sql, parameters, known is not null && (parameters.Count > 0 || known.IsWorthItsPlan) ? known : null, plan.Version ?? string.Empty)
            : new CommandRows(connection, prefix + plan.Sql, parameters);
        try
        {
            statement.Started(connection.Interrupt);
            statement.Stopped.ThrowIfCancellationRequested();
            using CancellationTokenRegistration interrupt = cancellationToken.UnsafeRegister(static s => ((RunningStatement)s!).Cancel(), statement);
            long start = Stopwatch.GetTimestamp();
            statement.Trace.Executing();
            await (!plan.HasArrivals ? rows.StartAsync(plan.Started) : StartEarlyAsync(statement, rows, plan, connection));
            TimeSpan spent = Stopwatch.GetElapsedTime(start);
            statement.Spent(spent, TimeSpan.Zero);
            if (key is not null)
            {
                _repeated.Ran(key, rows.Schema, spent);
            }

            return new EngineResult(statement, rows, (statement.Plan ?? plan).Uses);
        }
        catch
        {
            rows.Dispose();
            throw;
        }
    }

    /// <summary>Runs the engine while files still arrive: where it opens one it waits for that. What it gives is right only once all arrived.</summary>
    private async ValueTask StartEarlyAsync(RunningStatement statement, IEngineRows rows, PlannedStatement plan, EngineConnection connection)
    {
        FileArrival[] arrivals = [.. plan.Arrivals];
        Task arriving = Task.WhenAll(arrivals.Select(a => a.Completion));
        _engine.LendThreads(() => arriving.IsCompleted, () => System.Array.Exists(arrivals, a => a.IsAwaited));
        Task running = rows.StartAsync(plan.Started).AsTask();
        try
        {
            await arriving;
        }
        catch (Exception e)
        {
            while (!running.IsCompleted)
            {
                connection.Interrupt(); // more than once, as the engine forgets it while a statement is prepared
                await Task.WhenAny(running, Task.Delay(InterruptEvery, CancellationToken.None));
            }

            await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw new NotArrivedException(e);
        }

        statement.Arrived(plan.Arrived());
        await running;
    }

    /// <summary>Files that the engine was started over did not arrive.</summary>
    private sealed class NotArrivedException(Exception inner) : Exception("files did not arrive", inner);

    private void Release(RunningStatement statement)
    {
        _running.TryRemove(statement.Id, out _);
        _places.Leave(statement.Connection, statement.Entry.State == "done", statement.LackedMemory);
    }
}
