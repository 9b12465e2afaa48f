using System.Runtime.CompilerServices;
using Apache.Arrow;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Wire;
using LakeHolo.LakeCatalog;

namespace LakeHolo.FlightServer.Statements;

/// <summary>A statement that runs and waits for its readers, one for each of its parts. It starts when it is made; several rows of parameters run one after the other.</summary>
/// <remarks>Parts are read at the same time or one after the other, in any order: each takes rows that no other took, the first of several that are read one after the other
/// gets all of them. A part that is not read to its end ends the result, for its rows are nobody else's.</remarks>
internal sealed class StatementResult : IAsyncDisposable
{
    private readonly CancellationTokenSource _cancel = new();
    private readonly CancellationToken _cancelled;
    private readonly QuerySession _session;
    private readonly IPreparedQuery _query;
    private readonly IReadOnlyList<(RecordBatch? Batch, int Row)> _rows;
    private readonly Lock _gate = new();
    private volatile Task<IQueryResult> _started;
    private readonly bool[] _taken;
    private readonly SharedBatches? _shared;
    private Task _parking = Task.CompletedTask;
    private int _reading;
    private int _read;
    private volatile State _state;
    private bool _disposed;

    public StatementResult(QuerySession session, IPreparedQuery query, EncodedSchema schema, IReadOnlyList<(RecordBatch?, int)> rows, DateTimeOffset created, int parts = 1)
    {
        _session = session;
        _query = query;
        _rows = rows;
        Schema = schema;
        Created = created;
        _cancelled = _cancel.Token;
        _taken = new bool[parts];
        _shared = parts == 1 ? null : new SharedBatches(ReadAllAsync(_cancelled));

        _started = query.IsHot ? StartAsync(0, _cancelled) : Task.Run(() => StartAsync(0, _cancelled));
    }

    /// <summary>What the client was told and DoGet sends.</summary>
    public EncodedSchema Schema { get; }

    /// <summary>When it was made, or last of use.</summary>
    public DateTimeOffset Created { get; set; }

    /// <summary>How many read it.</summary>
    public int Parts => _taken.Length;

    /// <summary>Whether a reader left before its end.</summary>
    public bool WasLeft { get; private set; }

    /// <summary>Whether the order of its rows may mean something.</summary>
    public bool IsOrdered => _query.IsOrdered || _rows.Count > 1;

    /// <summary>The prepared statement it came from, if any.</summary>
    public PreparedStatement? Owner { get; init; }

    public bool IsUpdate => _query.IsUpdate;

    /// <summary>Whether somebody began to read.</summary>
    public bool IsTaken => _state == State.Taken;

    /// <summary>Done when the statement runs (an update: when it has run), failed when it could not start.</summary>
    public Task<IQueryResult> Started => _started;

    /// <summary>Whether somebody took its place; it starts anew when it is read.</summary>
    public bool IsParked => _state == State.Parked;

    /// <summary>Makes the caller the one reader of a part; what was parked begins to run again.</summary>
    public bool TryTake(int part = 0)
    {
        lock (_gate)
        {
            if (_state == State.Ended || part >= Parts || _taken[part])
            {
                return false;
            }

            _taken[part] = true;
            _reading++;

            if (_state == State.Parked)
            {
                _started = Task.Run(() => StartAsync(0, _cancelled));
            }

            _state = State.Taken;
            return true;
        }
    }

    /// <summary>The reader of a part has ended.</summary>
    /// <param name="whole">Whether it read to the end.</param>
    /// <returns>Whether the result is of no more use.</returns>
    public bool Leave(bool whole)
    {
        lock (_gate)
        {
            _reading--;
            _read++;
            WasLeft |= !whole;
            return WasLeft || _read == Parts;
        }
    }

    /// <summary>Whether a part waits for its reader.</summary>
    public bool IsUnread(int part)
    {
        lock (_gate)
        {
            return _state != State.Ended && part < Parts && !_taken[part];
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

    /// <summary>Whether nobody is reading; then nobody will.</summary>
    public bool TryExpire()
    {
        lock (_gate)
        {
            if (_reading > 0 || _state == State.Ended)
            {
                return false;
            }

            _state = State.Ended;
            return true;
        }
    }

    /// <summary>The rows of a part; the caller disposes each batch.</summary>
    public IAsyncEnumerable<RecordBatch> ReadAsync(CancellationToken cancellationToken) => _shared?.ReadAsync(cancellationToken) ?? ReadAllAsync(cancellationToken);

    private async IAsyncEnumerable<RecordBatch> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellationToken)
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
        await (_shared?.DisposeAsync() ?? ValueTask.CompletedTask);
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
        if (Schema.Fits(result.Schema))
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
