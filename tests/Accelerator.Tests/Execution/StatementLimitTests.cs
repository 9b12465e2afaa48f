using Apache.Arrow;
using LakeHolo.Accelerator.Execution;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.Accelerator.Tests.Fakes;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Accelerator.Tests.Execution;

/// <summary>Statements are bounded in number and time, and end when told to.</summary>
public sealed class StatementLimitTests
{
    /// <summary>Nobody lives to see its one row.</summary>
    private const string Endless = "SELECT count(*) FROM range(1000000000) AS a, range(1000000000) AS b WHERE a.range + b.range < 0";

    [Fact]
    public async Task Statements_beyond_the_maximum_wait_and_those_beyond_the_queue_are_refused()
    {
        await using FakeLake lake = await new FakeLake().StartAsync(new ExecutionLimits { MaxConcurrent = 1, MaxQueued = 1 });
        IPreparedQuery query = await lake.Engine.PrepareAsync(lake.Session, "SELECT 42 AS x", default);
        IQueryResult running = await query.ExecuteAsync(lake.Session, null, 0, default);
        Task<IQueryResult> waiting = query.ExecuteAsync(lake.Session, null, 0, default).AsTask();

        LakeException refused = await Assert.ThrowsAsync<LakeException>(() => query.ExecuteAsync(lake.Session, null, 0, default).AsTask());

        Assert.Equal(LakeErrorKind.ResourcesExhausted, refused.Kind);
        Assert.Contains("1 statements run and 1 wait", refused.Message, StringComparison.Ordinal);
        Assert.False(waiting.IsCompleted);
        Assert.Equal(["running", "queued", "failed"], lake.Engine.Log.Entries.Select(e => e.State));
        await running.DisposeAsync();
        await using IQueryResult second = await waiting;
        Assert.Equal(1, await second.ReadBatchesAsync(default).Select(b => b.Length).SumAsync());
    }

    [Fact]
    public async Task A_waiting_statement_leaves_the_queue_when_it_is_cancelled_or_killed()
    {
        await using FakeLake lake = await new FakeLake().StartAsync(new ExecutionLimits { MaxConcurrent = 1, MaxQueued = 2 });
        IPreparedQuery query = await lake.Engine.PrepareAsync(lake.Session, "SELECT 1 AS x", default);
        IQueryResult running = await query.ExecuteAsync(lake.Session, null, 0, default);
        using var leaves = new CancellationTokenSource();
        Task<IQueryResult> cancelled = query.ExecuteAsync(lake.Session, null, 0, leaves.Token).AsTask();
        Task<IQueryResult> killed = query.ExecuteAsync(lake.Session, null, 0, default).AsTask();

        await leaves.CancelAsync();
        await lake.QueryAsync($"KILL QUERY {lake.Engine.Log.Entries[^1].Id}");

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => killed);
        await running.DisposeAsync();
        Assert.Equal(["1"], await lake.QueryAsync("SELECT 1 AS x"));
        Assert.Equal(2, lake.Engine.Log.Entries.Count(e => e.State == "cancelled" && e.Rows == 0 && e.Id != 1));
    }

    [Fact]
    public async Task A_statement_that_runs_longer_than_the_limit_is_interrupted()
    {
        await using FakeLake lake = await new FakeLake().StartAsync(new ExecutionLimits { MaxConcurrent = 1, StatementTimeout = TimeSpan.FromMilliseconds(300) });

        LakeException error = await Assert.ThrowsAsync<LakeException>(() => lake.QueryAsync(Endless));

        Assert.Equal((LakeErrorKind.ResourcesExhausted, false), (error.Kind, error.IsTransient));
        Assert.Contains("longer than the limit of 00:00:00.3", error.Message, StringComparison.Ordinal);
        Assert.Equal("cancelled", Assert.Single(lake.Engine.Log.Entries).State);
        Assert.Equal(["1"], await lake.QueryAsync("SELECT 1 AS x"));
    }

    [Fact]
    public async Task Killing_a_statement_interrupts_the_engine()
    {
        await using FakeLake lake = await new FakeLake().StartAsync();
        Task<List<string>> endless = Task.Run(() => lake.QueryAsync(Endless));
        long id = await RunningAsync(lake);

        Assert.Equal([$"{id}|killed"], await lake.QueryAsync($"KILL QUERY {id}"));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => endless);
        Assert.Equal("cancelled", lake.Engine.Log.Entries.Single(e => e.Id == id).State);
        Assert.Equal(LakeErrorKind.NotFound, (await Assert.ThrowsAsync<LakeException>(() => lake.QueryAsync($"KILL QUERY {id}"))).Kind);
    }

    [Fact]
    public async Task A_caller_that_cancels_interrupts_the_engine_before_and_between_batches()
    {
        await using FakeLake lake = await new FakeLake().StartAsync(new ExecutionLimits { MaxConcurrent = 1 });
        using var early = new CancellationTokenSource();
        IPreparedQuery endless = await lake.Engine.PrepareAsync(lake.Session, Endless, default);
        Task<IQueryResult> starting = Task.Run(() => endless.ExecuteAsync(lake.Session, null, 0, early.Token).AsTask());
        Task<int> reading = Task.Run(async () =>
        {
            await using IQueryResult result = await starting;
            return await result.ReadBatchesAsync(early.Token).Select(b => b.Length).SumAsync();
        });
        await RunningAsync(lake);
        await early.CancelAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => reading);

        using var late = new CancellationTokenSource();
        IPreparedQuery rows = await lake.Engine.PrepareAsync(lake.Session, "SELECT range AS r FROM range(100000000000)", default);
        await using IQueryResult stream = await rows.ExecuteAsync(lake.Session, null, 0, late.Token);
        await using IAsyncEnumerator<RecordBatch> batches = stream.ReadBatchesAsync(late.Token).GetAsyncEnumerator();
        Assert.True(await batches.MoveNextAsync());
        await late.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            while (await batches.MoveNextAsync())
            {
                batches.Current.Dispose();
            }
        });
        Assert.DoesNotContain(lake.Engine.Log.Entries, e => e.State is "running" or "queued");
    }

    /// <summary>The id of the one statement that runs, as soon as it does.</summary>
    /// <summary>The engine keeps the state of a statement that was not read to its end as long as its connection.</summary>
    [Fact]
    public async Task A_result_that_is_left_before_its_end_leaves_nothing_in_the_engines_memory()
    {
        await using FakeLake lake = await new FakeLake().StartAsync();
        for (int i = 0; i < 4; i++)
        {
            IPreparedQuery prepared = await lake.Engine.PrepareAsync(lake.Session, $"SELECT hash(i + {i}) AS h FROM range(2000000) r(i) ORDER BY h", TestContext.Current.CancellationToken);
            await using IQueryResult result = await prepared.ExecuteAsync(lake.Session, null, 0, TestContext.Current.CancellationToken);
            await using IAsyncEnumerator<RecordBatch> rows = result.ReadBatchesAsync(TestContext.Current.CancellationToken).GetAsyncEnumerator(TestContext.Current.CancellationToken);
            Assert.True(await rows.MoveNextAsync());
            Assert.InRange(lake.Engine.EngineMemoryBytes, 8L << 20, long.MaxValue);
            rows.Current.Dispose();
        }

        Assert.InRange(lake.Engine.EngineMemoryBytes, 0, 1L << 20);
    }

    private static async Task<long> RunningAsync(FakeLake lake)
    {
        using var pause = new PeriodicTimer(TimeSpan.FromMilliseconds(1));
        while (await pause.WaitForNextTickAsync())
        {
            if (lake.Engine.Log.Entries.FirstOrDefault(e => e.State == "running" && e.PlanMs > 0) is { } entry)
            {
                return entry.Id;
            }
        }

        throw new InvalidOperationException("The timer ended");
    }
}
