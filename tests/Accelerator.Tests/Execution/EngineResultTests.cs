using Apache.Arrow;
using LakeHolo.Accelerator.Access;
using LakeHolo.Accelerator.Execution;

namespace LakeHolo.Accelerator.Tests.Execution;

public sealed class EngineResultTests
{
    [Fact]
    public async Task A_result_that_another_call_closes_is_not_freed_while_the_engine_computes_a_batch()
    {
        var entry = new QueryLogEntry { Id = 1, User = "ana", Client = "here", StartedAt = DateTimeOffset.UnixEpoch, Sql = "SELECT 1", State = "running" };
        using var stream = new SlowRows();
        var result = new EngineResult(new RunningStatement(new QueryLog(), entry, Timeout.InfiniteTimeSpan, UserLimits.None), stream, []);
        Task<RecordBatch?> reading = result.ReadBatchesAsync(default).FirstOrDefaultAsync().AsTask();
        await stream.Entered.Task;
        Task closing = result.DisposeAsync().AsTask();
        Assert.False(stream.IsDisposed);
        stream.Release.SetResult();
        await closing;
        Assert.True(stream.IsDisposed);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await result.ReadBatchesAsync(default).FirstOrDefaultAsync());
    }

    /// <summary>A batch without rows once it is released, then nobody may ask it again.</summary>
    private sealed class SlowRows : IEngineRows
    {
        public TaskCompletionSource Entered { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource Release { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool IsDisposed { get; private set; }

        public Schema Schema { get; } = new([], null);

        public bool IsReady => false;

        public ValueTask StartAsync(Action started) => default;

        public async ValueTask<RecordBatch?> NextAsync()
        {
            ObjectDisposedException.ThrowIf(IsDisposed, this);
            Entered.SetResult();
            await Release.Task;
            return new RecordBatch(Schema, [], 0);
        }

        public void Dispose() => IsDisposed = true;
    }
}
