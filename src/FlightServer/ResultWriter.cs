using Apache.Arrow;
using Grpc.Core;
using LakeHolo.FlightServer.Statements;
using LakeHolo.FlightServer.Wire;

namespace LakeHolo.FlightServer;

/// <summary>Writes one result into a DoGet stream: headers and schema at once, then batches as they come. A write ends when the transport took it, so a slow
/// reader slows the query; while one batch goes out, the engine makes the next.</summary>
internal sealed class ResultWriter(IServerStreamWriter<FlightFrame> responses, ServerCallContext context)
{
    private readonly BatchEncoder _encoder = new();

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
            ReadOnlyMemory<byte> appMetadata = default;
            if (!ready)
            {
                appMetadata = (await result.Started.WaitAsync(cancellationToken)).AppMetadata;
            }

            while (await next)
            {
                using RecordBatch batch = batches.Current;
                next = batches.MoveNextAsync().AsTask();
                await WriteBatchAsync(batch, appMetadata);
                appMetadata = default;
            }
        }
        finally
        {
            await EndAsync(next, batches);
        }
    }

    /// <summary>Writes rows that are there already.</summary>
    public async Task WriteAsync(EncodedSchema schema, RecordBatch? rows)
    {
        await WriteSchemaAsync(schema, default);
        if (rows is not null)
        {
            await WriteBatchAsync(rows, default);
        }
    }

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

    private async Task WriteBatchAsync(RecordBatch batch, ReadOnlyMemory<byte> appMetadata)
    {
        int start = 0;
        while (start < batch.Length)
        {
            int rows = BatchEncoder.RowsThatFit(batch, start);
            FlightFrame frame = _encoder.Encode(batch, start, rows);
            frame.AppMetadata = appMetadata;
            appMetadata = default;
            await responses.WriteAsync(frame, context.CancellationToken);
            start += rows;
        }
    }
}
