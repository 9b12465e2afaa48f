using Apache.Arrow;
using Grpc.Core;
using LakeHolo.FlightServer.Statements;
using LakeHolo.FlightServer.Wire;

namespace LakeHolo.FlightServer;

/// <summary>Writes one result into a DoGet stream: headers and schema at once, then rows as they come, the engine's small batches put together where they are there. A write ends when
/// the transport took it, so a slow reader slows the query; while one message goes out, the engine makes what the next will hold.</summary>
internal sealed class ResultWriter(IServerStreamWriter<FlightFrame> responses, ServerCallContext context, BodyCodec codec = BodyCodec.None) : IDisposable
{
    private readonly BatchEncoder _encoder = new(codec);
    private readonly List<RowRange> _gathered = [];
    private long _gatheredBytes;
    private ReadOnlyMemory<byte> _appMetadata;

    /// <summary>Streams a statement. Its app_metadata travels with the first message after it has started.</summary>
    public async Task WriteAsync(StatementResult result)
    {
        CancellationToken cancellationToken = context.CancellationToken;
        bool ready = result.Started.IsCompletedSuccessfully;
        await WriteSchemaAsync(result.Schema, ready ? (await result.Started).AppMetadata : default);
        IAsyncEnumerator<RecordBatch> batches = result.ReadAsync(cancellationToken).GetAsyncEnumerator(CancellationToken.None);
        Task<bool> next = batches.MoveNextAsync().AsTask();
        try
        {
            if (!ready)
            {
                _appMetadata = (await result.Started.WaitAsync(cancellationToken)).AppMetadata;
            }

            while (await next)
            {
                RecordBatch batch = batches.Current;
                next = batches.MoveNextAsync().AsTask();
                await AddAsync(batch);
                if (!next.IsCompleted)
                {
                    await FlushAsync();
                }
            }

            await FlushAsync();
        }
        finally
        {
            Drop();
            await EndAsync(next, batches);
        }
    }

    /// <summary>Writes rows that are there already.</summary>
    public async Task WriteAsync(EncodedSchema schema, RecordBatch? rows)
    {
        await WriteSchemaAsync(schema, default);
        if (rows is not null)
        {
            await AddAsync(rows);
            await FlushAsync();
        }
    }

    public void Dispose() => _encoder.Dispose();

    private static async ValueTask EndAsync(Task<bool> next, IAsyncEnumerator<RecordBatch> batches)
    {
        // An enumerator must not be disposed while it moves. What it fails with now is either known or came after the reader left.
        await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (next.IsCompletedSuccessfully && await next)
        {
            batches.Current.Dispose();
        }

        await batches.DisposeAsync();
    }

    private async Task WriteSchemaAsync(EncodedSchema schema, ReadOnlyMemory<byte> appMetadata)
    {
        await context.WriteResponseHeadersAsync([]);
        await responses.WriteAsync(new FlightFrame { Header = schema.Header, AppMetadata = appMetadata }, context.CancellationToken);
    }

    /// <summary>Takes a batch; writes what was gathered before when it does not fit beside it, and a larger one in several messages.</summary>
    private async ValueTask AddAsync(RecordBatch batch)
    {
        var range = new RowRange(batch, 0, batch.Length);
        long bytes = range.SizeBytes;
        if (_gatheredBytes + bytes > BatchEncoder.MaxBodyBytes)
        {
            await FlushAsync();
        }

        if (bytes <= BatchEncoder.MaxBodyBytes)
        {
            _gathered.Add(range);
            _gatheredBytes += bytes;
            return;
        }

        using (batch)
        {
            while (range.Rows > 0)
            {
                RowRange part = range.ThatFits(BatchEncoder.MaxBodyBytes);
                await WriteAsync([part]);
                range = new RowRange(batch, part.Start + part.Rows, range.Rows - part.Rows);
            }
        }
    }

    private async ValueTask FlushAsync()
    {
        if (_gathered.Count > 0)
        {
            await WriteAsync(_gathered);
            Drop();
        }
    }

    private void Drop()
    {
        foreach (RowRange range in _gathered)
        {
            range.Batch.Dispose();
        }

        _gathered.Clear();
        _gatheredBytes = 0;
    }

    private async ValueTask WriteAsync(IReadOnlyList<RowRange> ranges)
    {
        FlightFrame frame = _encoder.Encode(ranges);
        frame.AppMetadata = _appMetadata;
        _appMetadata = default;
        await responses.WriteAsync(frame, context.CancellationToken);
    }
}
