using System.Diagnostics;
using System.Runtime.CompilerServices;
using Apache.Arrow;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Accelerator.Execution;

/// <summary>The rows of a running statement, streamed from the engine as they come.</summary>
internal sealed class EngineResult : IQueryResult
{
    private readonly RunningStatement _statement;
    private readonly IEngineRows _rows;
    private readonly IReadOnlyList<TableUse> _uses;

    /// <summary>Held while the engine computes a group: what it reads must not be freed under it by whoever cancels from another call.</summary>
    private readonly SemaphoreSlim _computing = new(1, 1);
    private byte[]? _appMetadata;
    private int _disposed;

    internal EngineResult(RunningStatement statement, IEngineRows rows, IReadOnlyList<TableUse> uses)
    {
        _statement = statement;
        _rows = rows;
        _uses = uses;
    }

    public Schema Schema => _rows.Schema;

    /// <summary>The statement whose rows these are.</summary>
    public RunningStatement Statement => _statement;

    public long AffectedRows => -1;

    public ReadOnlyMemory<byte> AppMetadata => _appMetadata ??= Execution.AppMetadata.Encode(_statement.Id, _uses);

    /// <summary>Batches as the engine makes them, of some 2,048 rows. They are fetched in groups: all of a group but the first are there at once.</summary>
    public async IAsyncEnumerable<RecordBatch> ReadBatchesAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using CancellationTokenRegistration interrupt = cancellationToken.UnsafeRegister(static s => ((RunningStatement)s!).Cancel(), _statement);
        var group = new Queue<RecordBatch>();
        try
        {
            bool more = true;
            while (more)
            {
                long asked = Stopwatch.GetTimestamp();
                more = await FetchAsync(group);
                _statement.Spent(Stopwatch.GetElapsedTime(asked), TimeSpan.Zero);
                if (!more)
                {
                    _statement.Trace.Executed();
                }

                long given = Stopwatch.GetTimestamp();
                while (group.TryPeek(out RecordBatch? batch))
                {
                    _statement.Count(batch.Length, BatchBytes.Of(batch));
                    _statement.Trace.Sending();
                    yield return group.Dequeue();
                }

                _statement.Spent(TimeSpan.Zero, Stopwatch.GetElapsedTime(given));
            }

            _statement.Finish(null);
        }
        finally
        {
            foreach (RecordBatch batch in group)
            {
                batch.Dispose();
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            _statement.Cancel();
            await _computing.WaitAsync();
            _rows.Dispose();
            _computing.Release();
            await _statement.DisposeAsync();
        }
    }

    /// <summary>Fetches the next group; false after the last.</summary>
    private async ValueTask<bool> FetchAsync(Queue<RecordBatch> group)
    {
        await _computing.WaitAsync(CancellationToken.None);
        try
        {
            ObjectDisposedException.ThrowIf(_disposed != 0, this);

            // The engine computes on the calling thread until a batch is there: not on one that somebody's I/O waits for.
            return _rows.IsReady ? await FillAsync(group, mayCompute: false) : await Task.Run(() => FillAsync(group, mayCompute: true), CancellationToken.None);
        }
        catch (Exception e)
        {
            throw _statement.Translate(e);
        }
        finally
        {
            _computing.Release();
        }
    }

    private async Task<bool> FillAsync(Queue<RecordBatch> group, bool mayCompute)
    {
        var bounds = new BatchGroup(Stopwatch.GetTimestamp());
        do
        {
            RecordBatch? batch = await _rows.NextAsync();
            if (batch is null)
            {
                return false;
            }

            if (batch.Length == 0)
            {
                batch.Dispose();
                continue;
            }

            bounds.Add(batch);
            group.Enqueue(batch);
        }
        while (!bounds.IsFull && (mayCompute || _rows.IsReady));

        return true;
    }
}

/// <summary>Sizes of batches.</summary>
public static class BatchBytes
{
    /// <summary>Bytes of all buffers.</summary>
    public static long Of(RecordBatch batch)
    {
        long bytes = 0;
        for (int c = 0; c < batch.ColumnCount; c++)
        {
            bytes += Of(batch.Column(c).Data);
        }

        return bytes;
    }

    private static long Of(ArrayData data)
    {
        long bytes = 0;
        foreach (ArrowBuffer buffer in data.Buffers)
        {
            bytes += buffer.Length;
        }

        foreach (ArrayData child in data.Children ?? [])
        {
            bytes += Of(child);
        }

        return bytes;
    }
}
