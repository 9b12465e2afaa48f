using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Statements;
using LakeHolo.FlightServer.Wire;

namespace LakeHolo.FlightServer.Tests.Statements;

/// <summary>A result gives up its place for others; its reader may come at any moment of that.</summary>
public sealed class ParkingTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task A_reader_that_comes_while_its_result_makes_room_gets_all_rows()
    {
        var query = new SlowToLeave();
        await using var result = new StatementResult(query.Session, query, query.Encoded, [(null, 0)], default);
        await result.Started.WaitAsync(Limit);

        Task<bool> parking = result.TryParkAsync().AsTask();
        Assert.True(query.Leaving.Task.IsCompleted);
        Assert.False(parking.IsCompleted);
        Assert.True(result.TryTake(), "a good ticket was refused");
        query.MayLeave.SetResult();

        Assert.True(await parking.WaitAsync(Limit));
        Assert.Equal(3, await CountAsync(result));
        Assert.Equal(2, query.Started);
        Assert.Equal(0, query.Open);
        Assert.False(result.TryTake());
    }

    [Fact]
    public async Task A_parked_result_is_read_once_and_one_that_is_read_is_not_parked()
    {
        var query = new SlowToLeave();
        query.MayLeave.SetResult();
        await using var result = new StatementResult(query.Session, query, query.Encoded, [(null, 0)], default);
        await result.Started.WaitAsync(Limit);
        Assert.True(await result.TryParkAsync());
        Assert.Equal(0, query.Open);
        Assert.False(await result.TryParkAsync());
        Assert.True(result.TryTake());
        await result.Started.WaitAsync(Limit);
        Assert.False(await result.TryParkAsync());
        Assert.False(result.TryExpire());
        Assert.Equal(3, await CountAsync(result));
    }

    [Fact]
    public async Task A_result_that_ends_while_it_makes_room_leaves_nothing()
    {
        var query = new SlowToLeave();
        var result = new StatementResult(query.Session, query, query.Encoded, [(null, 0)], default);
        await result.Started.WaitAsync(Limit);
        Task<bool> parking = result.TryParkAsync().AsTask();
        Task ending = result.DisposeAsync().AsTask();
        Assert.False(result.TryTake());
        query.MayLeave.SetResult();
        await Task.WhenAll(parking, ending).WaitAsync(Limit);
        Assert.Equal((1, 0), (query.Started, query.Open));
    }

    private static async Task<int> CountAsync(StatementResult result)
    {
        int rows = 0;
        using var limit = new CancellationTokenSource(Limit);
        await foreach (RecordBatch batch in result.ReadAsync(limit.Token))
        {
            rows += batch.Length;
            batch.Dispose();
        }

        return rows;
    }

    /// <summary>Three rows; the engine takes its time to stop.</summary>
    private sealed class SlowToLeave : IPreparedQuery
    {
        private int _started;
        private int _open;

        public TaskCompletionSource Leaving { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource MayLeave { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Started => _started;

        public int Open => _open;

        public QuerySession Session { get; } = new("s", new SessionIdentity("u", "", ""));

        public EncodedSchema Encoded => new(ResultSchema);

        public Schema ResultSchema { get; } = new([new Field("x", Int64Type.Default, true)], null);

        public Schema ParameterSchema { get; } = new([], null);

        public bool IsUpdate => false;

        public ValueTask<IQueryResult> ExecuteAsync(QuerySession session, RecordBatch? parameters, int parameterRow, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _started);
            Interlocked.Increment(ref _open);
            return ValueTask.FromResult<IQueryResult>(new Rows(this));
        }

        private sealed class Rows(SlowToLeave query) : IQueryResult
        {
            private bool _left;

            public Schema Schema => query.ResultSchema;

            public long AffectedRows => -1;

            public ReadOnlyMemory<byte> AppMetadata => default;

            public async IAsyncEnumerable<RecordBatch> ReadBatchesAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
            {
                for (int i = 0; i < 3; i++)
                {
                    await Task.Yield();
                    cancellationToken.ThrowIfCancellationRequested();
                    ObjectDisposedException.ThrowIf(_left, this);
                    yield return new RecordBatch(Schema, [new Int64Array.Builder().Append(i).Build()], 1);
                }
            }

            public async ValueTask DisposeAsync()
            {
                if (!_left)
                {
                    _left = true;
                    query.Leaving.TrySetResult();
                    await query.MayLeave.Task;
                    Interlocked.Decrement(ref query._open);
                }
            }
        }
    }
}
