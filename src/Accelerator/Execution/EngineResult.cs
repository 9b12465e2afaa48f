using System.Diagnostics;
using System.Runtime.CompilerServices;
using Apache.Arrow;
using Apache.Arrow.Ipc;
using DuckDB.NET.Data;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Accelerator.Execution;

/// <summary>The rows of a running statement, streamed from the engine as they come.</summary>
internal sealed class EngineResult : IQueryResult
{
    /// <summary>The engine gives 2,048 rows a batch; they are put together to at least this many, or to <see cref="TargetBytes"/>.</summary>
    private const int TargetRows = 32_768;

    private const long TargetBytes = 1 << 20;

    private readonly RunningStatement _statement;
    private readonly DuckDBCommand _command;
    private readonly IArrowArrayStream _stream;
    private int _disposed;

    internal EngineResult(RunningStatement statement, DuckDBCommand command, IArrowArrayStream stream, ReadOnlyMemory<byte> appMetadata)
    {
        _statement = statement;
        _command = command;
        _stream = stream;
        AppMetadata = appMetadata;
    }

    public Schema Schema => _stream.Schema;

    /// <summary>The statement whose rows these are.</summary>
    public RunningStatement Statement => _statement;

    public long AffectedRows => -1;

    public ReadOnlyMemory<byte> AppMetadata { get; }

    public async IAsyncEnumerable<RecordBatch> ReadBatchesAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using CancellationTokenRegistration interrupt = cancellationToken.UnsafeRegister(static s => ((RunningStatement)s!).Cancel(), _statement);
        var pending = new List<RecordBatch>();
        try
        {
            long rows = 0;
            long bytes = 0;
            while (true)
            {
                long asked = Stopwatch.GetTimestamp();
                RecordBatch? batch = await NextAsync(cancellationToken);
                _statement.Spent(Stopwatch.GetElapsedTime(asked), TimeSpan.Zero);
                if (batch is not null && batch.Length == 0)
                {
                    batch.Dispose();
                    continue;
                }

                if (batch is not null)
                {
                    pending.Add(batch);
                    rows += batch.Length;
                    bytes += BatchBytes.Of(batch);
                }

                if (pending.Count > 0 && (batch is null || rows >= TargetRows || bytes >= TargetBytes))
                {
                    RecordBatch whole = Concatenate(pending);
                    _statement.Count(whole.Length, bytes);
                    pending.Clear();
                    rows = bytes = 0;
                    long given = Stopwatch.GetTimestamp();
                    yield return whole;
                    _statement.Spent(TimeSpan.Zero, Stopwatch.GetElapsedTime(given));
                }

                if (batch is null)
                {
                    _statement.Finish(null);
                    yield break;
                }
            }
        }
        finally
        {
            pending.ForEach(b => b.Dispose());
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            _statement.Cancel();
            _stream.Dispose();
            _command.Dispose();
            await _statement.DisposeAsync();
        }
    }

    private async ValueTask<RecordBatch?> NextAsync(CancellationToken cancellationToken)
    {
        try
        {
            // The engine computes on the calling thread until a batch is there: not on one that somebody's I/O waits for.
            return await Task.Run(async () => await _stream.ReadNextRecordBatchAsync(cancellationToken), CancellationToken.None);
        }
        catch (Exception e)
        {
            throw _statement.Translate(e);
        }
    }

    private RecordBatch Concatenate(List<RecordBatch> batches)
    {
        if (batches.Count == 1)
        {
            return batches[0];
        }

        var columns = new IArrowArray[Schema.FieldsList.Count];
        int length = batches.Sum(b => b.Length);
        for (int c = 0; c < columns.Length; c++)
        {
            columns[c] = ArrowArrayConcatenator.Concatenate([.. batches.Select(b => b.Column(c))]);
        }

        var whole = new RecordBatch(Schema, columns, length);
        batches.ForEach(b => b.Dispose());
        return whole;
    }
}

/// <summary>Sizes of batches.</summary>
internal static class BatchBytes
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
