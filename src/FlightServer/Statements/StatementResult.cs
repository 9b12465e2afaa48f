using System.Runtime.CompilerServices;
using Apache.Arrow;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Wire;
using LakeHolo.LakeCatalog;

namespace LakeHolo.FlightServer.Statements;

/// <summary>A statement that runs and waits for its reader. It starts when it is made; several rows of parameters run one after the other.</summary>
internal sealed class StatementResult : IAsyncDisposable
{
    private readonly CancellationTokenSource _cancel = new();
    private readonly CancellationToken _cancelled;
    private readonly QuerySession _session;
    private readonly IPreparedQuery _query;
    private readonly IReadOnlyList<(RecordBatch? Batch, int Row)> _rows;
    private readonly Lock _gate = new();
    private volatile Task<IQueryResult> _started;
    private Task _parking = Task.CompletedTask;
    private volatile State _state;
    private bool _disposed;

    public StatementResult(QuerySession session, IPreparedQuery query, EncodedSchema schema, IReadOnlyList<(RecordBatch?, int)> rows, DateTimeOffset created)
    {
        _session = session;
        _query = query;
        _rows = rows;
        Schema = schema;
        Created = created;
        _cancelled = _cancel.Token;
        _started = Task.Run(() => StartAsync(0, _cancelled));
    }

    /// <summary>What the client was told and DoGet sends.</summary>
    public EncodedSchema Schema { get; }

    public DateTimeOffset Created { get; set; }

    /// <summary>The prepared statement it came from, if any.</summary>
    public PreparedStatement? Owner { get; init; }

    public bool IsUpdate => _query.IsUpdate;

    public bool IsTaken => _state == State.Taken;

    /// <summary>Done when the statement runs (an update: when it has run), failed when it could not start.</summary>
    public Task<IQueryResult> Started => _started;

    /// <summary>Whether somebody took its place; it starts anew when it is read.</summary>
    public bool IsParked => _state == State.Parked;

    /// <summary>Makes the caller the one reader; what was parked begins to run again.</summary>
    public bool TryTake()
    {
        lock (_gate)
        {
            if (_state is State.Taken or State.Ended)
            {
                return false;
            }

            if (_state == State.Parked)
            {
                _started = Task.Run(() => StartAsync(0, _cancelled));
            }

            _state = State.Taken;
            return true;
        }
    }

    /// <summary>Gives its place among the running statements to one that waits. Nothing of it was read, so that it can be run again for its reader, who may come at any moment.</summary>
    public async ValueTask<bool> TryParkAsync()
    {
        Task parking;
        lock (_gate)
        {
            if (IsUpdate || _state != State.Waiting || !_started.IsCompletedSuccessfully)
            {
                return false;
            }

            _state = State.Parked;
            _parking = parking = FreeAsync(_started);
        }

        await parking;
        return true;
    }

    /// <summary>Whether nobody had begun to read; then nobody will.</summary>
    public bool TryExpire()
    {
        lock (_gate)
        {
            if (_state is State.Taken or State.Ended)
            {
                return false;
            }

            _state = State.Ended;
            return true;
        }
    }

    /// <summary>All rows; the caller disposes each batch.</summary>
    public async IAsyncEnumerable<RecordBatch> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (int i = 0; i < _rows.Count; i++)
        {
            IQueryResult result = i == 0 ? await _started.WaitAsync(cancellationToken) : await StartAsync(i, cancellationToken);
            try
            {
                await foreach (RecordBatch batch in result.ReadBatchesAsync(cancellationToken))
                {
                    yield return batch;
                }
            }
            finally
            {
                await result.DisposeAsync();
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        Task<IQueryResult> started;
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            _state = State.Ended;
            started = _started;
        }

        await _cancel.CancelAsync();
        await _parking;
        await FreeAsync(started);
        _cancel.Dispose();
    }

    private static async Task FreeAsync(Task<IQueryResult> started)
    {
        try
        {
            await (await started).DisposeAsync();
        }
        catch (Exception e) when (e is LakeException or OperationCanceledException)
        {
            // It never ran, or the reader was told already.
        }
    }

    private async Task<IQueryResult> StartAsync(int index, CancellationToken cancellationToken)
    {
        IQueryResult result = await _query.ExecuteAsync(_session, _rows[index].Batch, _rows[index].Row, cancellationToken);
        if (WireSchema.SameShape(result.Schema, Schema.Schema))
        {
            return result;
        }

        await result.DisposeAsync();
        throw LakeException.QueryInvalid(index == 0
            ? "A table of the statement has changed its columns since the statement was prepared: prepare it again"
            : "The rows of parameters give results of different types: cast the markers");
    }

    private enum State
    {
        /// <summary>It runs, or has begun to wait for its place, and nobody reads it.</summary>
        Waiting,

        /// <summary>It does not run and nobody reads it.</summary>
        Parked,
        Taken,
        Ended,
    }
}
