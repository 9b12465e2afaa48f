using System.Collections.Concurrent;
using System.Diagnostics;
using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.Accelerator.Planning;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Accelerator.Execution;

/// <summary>A lookup by key.</summary>
/// <param name="Group">Text, rights and options: those that have the same of it may be answered together.</param>
/// <param name="Key">The value of its marker: a whole number or a text.</param>
/// <param name="Session">Who asks.</param>
/// <param name="Bind">Binds it to the snapshots of the moment; true to avoid hot copies.</param>
internal sealed record LookupRequest((string Sql, string Who, string Options) Group, object Key, QuerySession Session, Func<bool, CancellationToken, ValueTask<BoundStatement>> Bind);

/// <summary>The answer to a lookup.</summary>
/// <param name="Batches">Its rows; the receiver's.</param>
/// <param name="Bound">What it was bound to.</param>
/// <param name="Uses">Which copy it read.</param>
/// <param name="Use">What all lookups of the batch took from storage.</param>
/// <param name="Planning">How long planning took.</param>
/// <param name="Engine">How long the engine took for all of the batch.</param>
internal sealed record LookupAnswer(Queue<RecordBatch> Batches, BoundStatement Bound, IReadOnlyList<TableUse> Uses, StorageUse Use, TimeSpan Planning, TimeSpan Engine);

/// <summary>Answers lookups by key that came while others of the same text ran in one execution: finding the snapshot, planning and the engine's start cost most of a
/// lookup. A lookup that nobody runs before is not kept waiting: it runs as any statement does.</summary>
internal sealed class LookupBatches(StatementPlanner planner, EnginePlaces places, LookupKeys keys)
{
    private const int MaxGroups = 1_000;

    /// <summary>How long statements of a group run one by one after they could not be answered together (no copy that has an index of the key, an error).</summary>
    private static readonly TimeSpan Alone = TimeSpan.FromSeconds(1);

    /// <summary>Batches of one group that run at once: the rest of the processors has the clients to serve.</summary>
    private static readonly int MostRunning = Math.Max(1, Environment.ProcessorCount / 2);

    private readonly ConcurrentDictionary<(string, string, string), Group> _groups = new();

    /// <summary>Waits for those before it, if there are some.</summary>
    /// <returns>A turn, to be disposed once the engine has answered: with an answer, or without one for a statement that has to run by itself.</returns>
    public async ValueTask<LookupTurn> TakeAsync(LookupRequest request, CancellationToken cancellationToken)
    {
        if (_groups.Count >= MaxGroups)
        {
            _groups.Clear();
        }

        Group group = _groups.GetOrAdd(request.Group, static _ => new Group());
        Waiter waiter;
        lock (group.Gate)
        {
            if (Stopwatch.GetTimestamp() < group.AloneUntil)
            {
                return new LookupTurn(null, null);
            }

            if (group.Running < MostRunning)
            {
                group.Running++;
                return new LookupTurn(null, () => Next(group));
            }

            waiter = new Waiter(request);
            group.Waiting.Enqueue(waiter);
        }

        using CancellationTokenRegistration left = cancellationToken.UnsafeRegister(static (w, token) => ((Waiter)w!).TrySetCanceled(token), waiter);
        return await waiter.Task;
    }

    /// <summary>Who had a turn is done: the next have theirs, all that came meanwhile. To wait for more would save processor time where lookups come neither seldom nor all
    /// at once, but the shortest wait of a timer is longer than an execution.</summary>
    private void Next(Group group)
    {
        var taken = new List<Waiter>();
        lock (group.Gate)
        {
            while (taken.Count < LookupKeys.Most && group.Waiting.TryDequeue(out Waiter? waiter))
            {
                if (!waiter.Task.IsCompleted)
                {
                    taken.Add(waiter);
                }
            }

            if (taken.Count == 0)
            {
                group.Running--;
                return;
            }
        }

        if (taken.Count == 1)
        {
            Give(taken[0], new LookupTurn(null, () => Next(group)));
            return;
        }

        _ = Task.Run(() => RunAsync(group, taken), CancellationToken.None);
    }

    private async Task RunAsync(Group group, List<Waiter> waiters)
    {
        LookupAnswer?[] answers = new LookupAnswer?[waiters.Count];
        bool together = false;
        try
        {
            await places.AdmitAsync(CancellationToken.None);
            EngineConnection? connection = null;
            bool hasEnded = false;
            try
            {
                connection = places.Connect();
                together = await AnswerAsync(connection, waiters, answers);
                hasEnded = true;
            }
            finally
            {
                places.Leave(connection, hasEnded);
            }
        }
        catch (Exception)
        {
            // Each hears of it by itself: what is wrong may be the matter of one of them.
        }

        if (!together)
        {
            lock (group.Gate)
            {
                group.AloneUntil = Stopwatch.GetTimestamp() + (long)(Alone.TotalSeconds * Stopwatch.Frequency);
            }
        }

        Next(group);
        for (int i = 0; i < answers.Length; i++)
        {
            Give(waiters[i], new LookupTurn(answers[i], null));
        }
    }

    /// <summary>Answers those whose key the column can have; false if this text cannot be answered together now.</summary>
    private async ValueTask<bool> AnswerAsync(EngineConnection connection, List<Waiter> waiters, LookupAnswer?[] answers)
    {
        LookupRequest first = waiters[0].Request;
        StorageUse use = SessionOptions.NewStorageUse(first.Session.Options);
        StorageUse.Current = use;
        BoundStatement bound = await first.Bind(false, CancellationToken.None);
        if (bound.Shape.Lookup is not { } lookup || bound.Tables is not [{ Version: { IsHeldWhole: true } version, Policy: null, Schema: var schema }]
            || schema.FieldsList.FirstOrDefault(f => f.Name.Equals(lookup.Column, StringComparison.OrdinalIgnoreCase)) is not { } column || !version.IndexedColumns.Contains(column.Name))
        {
            return false;
        }

        int[] fitting = [.. Enumerable.Range(0, waiters.Count).Where(i => Fits(column, waiters[i].Request.Key))];
        if (fitting.Length == 0)
        {
            return true;
        }

        long start = Stopwatch.GetTimestamp();
        await using PlannedStatement plan = await planner.PlanAsync(bound, [first.Key], CancellationToken.None, template: lookup.Template);
        TimeSpan planning = Stopwatch.GetElapsedTime(start);
        if (plan.Version is not { } rowsVersion)
        {
            return false;
        }

        start = Stopwatch.GetTimestamp();
        connection.Tray ??= keys.NewTray();
        string asked = keys.Put(connection.Tray.Value, [.. fitting.Select(i => waiters[i].Request.Key)], SqlText.TypeOf(column));
        using PreparedRows result = connection.Execute($"SELECT i, {lookup.Names} FROM ({plan.Sql}) AS q({lookup.Names}, k) JOIN {asked} AS s USING (k)", [], lookup.RowsOfMany, rowsVersion);
        var given = new Queue<RecordBatch>?[fitting.Length];
        bool isStarted = false;
        while (result.Next() is { } batch)
        {
            if (!isStarted)
            {
                plan.Started();
                isStarted = true;
            }

            using (batch)
            {
                RowCopies.Deal(batch, bound.ResultSchema, given);
            }
        }

        TimeSpan engine = Stopwatch.GetElapsedTime(start);
        StatementMetrics.AddTogether(fitting.Length);
        for (int i = 0; i < fitting.Length; i++)
        {
            answers[fitting[i]] = new LookupAnswer(given[i] ?? new Queue<RecordBatch>(), bound, plan.Uses, i == 0 ? use : new StorageUse(), planning, engine);
        }

        return true;
    }

    private static bool Fits(Field column, object key) => key is long number
        ? column.DataType switch
        {
            Int64Type => true,
            Int32Type => number is >= int.MinValue and <= int.MaxValue,
            Int16Type => number is >= short.MinValue and <= short.MaxValue,
            Int8Type => number is >= sbyte.MinValue and <= sbyte.MaxValue,
            UInt32Type => number is >= 0 and <= uint.MaxValue,
            UInt16Type => number is >= 0 and <= ushort.MaxValue,
            UInt8Type => number is >= 0 and <= byte.MaxValue,
            _ => false,
        }
        : column.DataType is StringType && SqlText.TypeOf(column) == "VARCHAR";

    private static void Give(Waiter waiter, LookupTurn turn)
    {
        if (!waiter.TrySetResult(turn))
        {
            turn.Answer?.Batches.Clear();
            turn.Dispose();
        }
    }

    private sealed class Group
    {
        public Lock Gate { get; } = new();

        public Queue<Waiter> Waiting { get; } = new();

        public int Running { get; set; }

        public long AloneUntil { get; set; }
    }

    private sealed class Waiter(LookupRequest request) : TaskCompletionSource<LookupTurn>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public LookupRequest Request => request;
    }
}

/// <summary>A lookup's turn.</summary>
/// <param name="answer">Its rows, where it was answered together with others; null if it has to run by itself.</param>
/// <param name="done">Lets the next have theirs.</param>
internal sealed class LookupTurn(LookupAnswer? answer, Action? done) : IDisposable
{
    private Action? _done = done;

    public LookupAnswer? Answer => answer;

    public void Dispose() => Interlocked.Exchange(ref _done, null)?.Invoke();
}

/// <summary>The rows of a lookup.</summary>
internal sealed class LookupRows(LookupAnswer answer) : IEngineRows
{
    public Schema Schema => answer.Bound.ResultSchema;

    public bool IsReady => true;

    public ValueTask StartAsync(Action started) => default;

    public ValueTask<RecordBatch?> NextAsync() => ValueTask.FromResult(answer.Batches.TryDequeue(out RecordBatch? batch) ? batch : null);

    // What is left is managed memory.
    public void Dispose() => answer.Batches.Clear();
}
