using Apache.Arrow;
using Grpc.Core;
using LakeHolo.FlightServer.Statements;
using LakeHolo.FlightServer.Wire;

namespace LakeHolo.FlightServer;

/// <summary>Writes one result into a DoGet stream: headers and schema at once, then rows as they come, the engine's small batches put together where they are there. A write ends when
/// the transport took it, so a slow reader slows the query; while one message goes out, the engine makes what the next will hold.</summary>
internal sealed class ResultWriter(IServerStreamWriter<FlightFrame> responses, ServerCallContext context, BodyCodec codec = BodyCodec.None) : IDisposable
{
    /// <summary>Larger messages are sent before the end of the stream is known to the transport: the client has something to do with them.</summary>
    private const long MostGatheredBytes = 16 << 10;

    private static readonly WriteOptions Gathered = new(WriteFlags.BufferHint);

    private static readonly Task<bool> NoRows = Task.FromResult(false);

    private readonly BatchEncoder _encoder = new(codec);
    private readonly List<RowRange> _gathered = [];
    private long _gatheredBytes;
    private ReadOnlyMemory<byte> _appMetadata;

    /// <summary>Streams a statement. Its app_metadata travels with the first message after it has started.</summary>
    public async Task WriteAsync(StatementResult result)
    {
        CancellationToken cancellationToken = context.CancellationToken;
        bool ready = result.Started.IsCompletedSuccessfully;
        IAsyncEnumerator<RecordBatch>? batches = null;
        Task<bool> next = NoRows;
        try
        {
            if (ready)
            {
                batches = result.ReadAsync(cancellationToken).GetAsyncEnumerator(CancellationToken.None);
                next = batches.MoveNextAsync().AsTask();
            }

            // Rows that are there go out with the schema before them and the end after them; else the client has the schema while it waits.
            await WriteSchemaAsync(result.Schema, ready ? (await result.Started).AppMetadata : default, isFollowed: ready && next.IsCompletedSuccessfully);
            if (batches is null)
            {
                batches = result.ReadAsync(cancellationToken).GetAsyncEnumerator(CancellationToken.None);
                next = batches.MoveNextAsync().AsTask();
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

            await FlushAsync(isLast: true);
        }
        finally
        {
            Drop();
            if (batches is not null)
            {
                await EndAsync(next, batches);
            }
        }
    }

    /// <summary>Writes rows that are there already.</summary>
    public async Task WriteAsync(EncodedSchema schema, RecordBatch? rows)
    {
        await WriteSchemaAsync(schema, default, isFollowed: true);
        if (rows is not null)
        {
            await AddAsync(rows);
            await FlushAsync(isLast: true);
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

    private Task WriteSchemaAsync(EncodedSchema schema, ReadOnlyMemory<byte> appMetadata, bool isFollowed) =>
        SendAsync(new FlightFrame { Header = schema.Header, AppMetadata = appMetadata }, isFollowed);

    /// <param name="frame">The message.</param>
    /// <param name="isFollowed">Whether another one or the end of the stream follows at once, with which it may go out.</param>
    private Task SendAsync(FlightFrame frame, bool isFollowed)
    {
        context.WriteOptions = isFollowed ? Gathered : null;
        return responses.WriteAsync(frame, context.CancellationToken);
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

    private async ValueTask FlushAsync(bool isLast = false)
    {
        if (_gathered.Count > 0)
        {
            await WriteAsync(_gathered, isLast && _gatheredBytes <= MostGatheredBytes);
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

    private async ValueTask WriteAsync(IReadOnlyList<RowRange> ranges, bool isFollowed = false)
    {
        FlightFrame frame = _encoder.Encode(ranges);
        frame.AppMetadata = _appMetadata;
        _appMetadata = default;
        await SendAsync(frame, isFollowed);
    }
}
