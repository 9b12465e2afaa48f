using System.Runtime.CompilerServices;
using Apache.Arrow;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Sessions;
using LakeHolo.FlightServer.Wire;
using LakeHolo.LakeCatalog;

namespace LakeHolo.FlightServer.Statements;

/// <summary>A statement that runs and waits for its reader. It starts when it is made; several rows of parameters run one after the other.</summary>
internal sealed class StatementResult : IAsyncDisposable
{
    private readonly CancellationTokenSource _cancel = new();
    private readonly ClientSession _session;
    private readonly IPreparedQuery _query;
    private readonly IReadOnlyList<(RecordBatch? Batch, int Row)> _rows;
    private readonly Task<IQueryResult> _started;
    private int _taken;
    private int _disposed;

    public StatementResult(ClientSession session, IPreparedQuery query, EncodedSchema schema, IReadOnlyList<(RecordBatch?, int)> rows, DateTimeOffset created)
    {
        _session = session;
        _query = query;
        _rows = rows;
        Schema = schema;
        Created = created;
        CancellationToken token = _cancel.Token;
        _started = Task.Run(() => StartAsync(0, token));
    }

    /// <summary>What the client was told and DoGet sends.</summary>
    public EncodedSchema Schema { get; }

    public DateTimeOffset Created { get; set; }

    /// <summary>The prepared statement it came from, if any.</summary>
    public PreparedStatement? Owner { get; init; }

    public bool IsTaken => _taken != 0;

    /// <summary>Done when the statement runs (an update: when it has run), failed when it could not start.</summary>
    public Task<IQueryResult> Started => _started;

    /// <summary>Makes the caller the one reader.</summary>
    public bool TryTake() => Interlocked.Exchange(ref _taken, 1) == 0;

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
        IQueryResult result = await _query.ExecuteAsync(_session.Query, _rows[index].Batch, _rows[index].Row, cancellationToken);
        if (WireSchema.SameColumns(result.Schema, _query.ResultSchema))
        {
            return result;
        }

        await result.DisposeAsync();
        throw LakeException.QueryInvalid("A table of the statement has changed its columns since the statement was prepared: prepare it again");
    }
}
