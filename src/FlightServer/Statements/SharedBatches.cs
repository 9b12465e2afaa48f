using System.Runtime.CompilerServices;
using Apache.Arrow;
using LakeHolo.Accelerator.Execution;

namespace LakeHolo.FlightServer.Statements;

/// <summary>One stream of batches for several readers. Each takes the next share that is there: nothing is kept for who comes later, so that readers who come one after the
/// other cannot wait for each other, and memory is bounded by a share for each that reads.</summary>
/// <param name="source">The batches; read once.</param>
internal sealed class SharedBatches(IAsyncEnumerable<RecordBatch> source) : IAsyncDisposable
{
    /// <summary>Taken at once, if it is there: about what one message to a client holds.</summary>
    private const long ShareBytes = 1_900_000;

    private readonly IAsyncEnumerator<RecordBatch> _batches = source.GetAsyncEnumerator(CancellationToken.None);
    private readonly SemaphoreSlim _turn = new(1, 1);

    /// <summary>The move that is under way. It stays when there is no other: false after the end, failed after an error, which every reader is told.</summary>
    private Task<bool>? _next;
    private bool _disposed;

    /// <summary>What this reader gets of the batches; the caller disposes each.</summary>
    public async IAsyncEnumerable<RecordBatch> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var share = new Queue<RecordBatch>();
        try
        {
            while (await TakeAsync(share, cancellationToken))
            {
                while (share.TryDequeue(out RecordBatch? batch))
                {
                    yield return batch;
                }
            }
        }
        finally
        {
            foreach (RecordBatch batch in share)
            {
                batch.Dispose();
            }
        }
    }

    /// <summary>Frees what nobody took; the source has to be cancelled before, or to have ended.</summary>
    public async ValueTask DisposeAsync()
    {
        await _turn.WaitAsync();
        try
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            if (_next is { } next)
            {
                // An enumerator must not be disposed while it moves.
                await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (next.IsCompletedSuccessfully && await next)
                {
                    _batches.Current.Dispose();
                }
            }

            await _batches.DisposeAsync();
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Takes batches that are there, one at least, and sets the next under way.</summary>
    /// <returns>False after the last.</returns>
    private async ValueTask<bool> TakeAsync(Queue<RecordBatch> share, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            if (_disposed)
            {
                throw new OperationCanceledException("The result was ended");
            }

            _next ??= _batches.MoveNextAsync().AsTask();
            long bytes = 0;
            while (share.Count == 0 || (bytes < ShareBytes && _next.IsCompletedSuccessfully))
            {
                if (!await _next.WaitAsync(cancellationToken))
                {
                    return share.Count > 0;
                }

                RecordBatch batch = _batches.Current;
                share.Enqueue(batch);
                bytes += BatchBytes.Of(batch);
                _next = _batches.MoveNextAsync().AsTask();
            }

            return true;
        }
        finally
        {
            _turn.Release();
        }
    }
}
