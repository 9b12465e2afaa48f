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
    private volatile Task<IQueryResult> _started;
    private int _taken;
    private int _disposed;

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

    public bool IsTaken => _taken != 0;

    /// <summary>Done when the statement runs (an update: when it has run), failed when it could not start.</summary>
    public Task<IQueryResult> Started => _started;

    /// <summary>Whether somebody took its place; it starts anew when it is read.</summary>
    public bool IsParked { get; private set; }

    /// <summary>Makes the caller the one reader; what was parked begins to run again.</summary>
    public bool TryTake()
    {
        if (Interlocked.Exchange(ref _taken, 1) != 0)
        {
            return false;
        }

        if (IsParked)
        {
            _started = Task.Run(() => StartAsync(0, _cancelled));
        }

        return true;
    }

    /// <summary>Gives its place among the running statements to one that waits. Nothing of it was read, so that it can be run again for its reader.</summary>
    public async ValueTask<bool> TryParkAsync()
    {
        if (IsUpdate || IsParked || !_started.IsCompletedSuccessfully || Interlocked.Exchange(ref _taken, 1) != 0)
        {
            return false;
        }

        await (await _started).DisposeAsync();
        IsParked = true;
        Interlocked.Exchange(ref _taken, 0);
        return true;
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
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        await _cancel.CancelAsync();
        try
        {
            await (await _started).DisposeAsync();
        }
        catch (Exception e) when (e is LakeException or OperationCanceledException)
        {
            // It never ran, or the reader was told already.
        }

        _cancel.Dispose();
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
}
