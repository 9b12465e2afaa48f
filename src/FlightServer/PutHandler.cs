using Apache.Arrow;
using Apache.Arrow.Ipc;
using Google.Protobuf;
using Grpc.Core;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Protocol;
using LakeHolo.FlightServer.Protocol.Sql;
using LakeHolo.FlightServer.Sessions;
using LakeHolo.FlightServer.Statements;
using LakeHolo.FlightServer.Wire;
using LakeHolo.LakeCatalog;

namespace LakeHolo.FlightServer;

/// <summary>DoPut: updates and parameters. The first message carries the command, perhaps a schema; an update without parameters is answered before the client
/// has ended its half, because some clients wait for that.</summary>
internal sealed class PutHandler(StatementStore statements)
{
    /// <summary>Parameters are held while they are bound.</summary>
    private const int MaxParameterRows = 100_000;

    /// <summary>Messages that are read and dropped after the answer.</summary>
    private const int MaxDrained = 1_000;

    public async Task HandleAsync(ClientSession session, IAsyncStreamReader<FlightFrame> requests, IServerStreamWriter<PutResult> responses, ServerCallContext context)
    {
        CancellationToken cancellationToken = context.CancellationToken;
        if (!await requests.MoveNext(cancellationToken))
        {
            throw Commands.Invalid("The upload has no message");
        }

        FlightFrame first = requests.Current;
        IMessage answer;
        switch (Commands.Parse(first.Descriptor))
        {
            case CommandStatementUpdate c:
                QuerySession runsIn = Transactions.Of(session, c.HasTransactionId, c.TransactionId);
                (IPreparedQuery query, _) = await statements.DescribeAsync(session, runsIn, c.Query, cancellationToken);
                answer = new DoPutUpdateResult { RecordCount = await RunAsync(runsIn, query, [(null, 0)], cancellationToken) };
                break;
            case CommandPreparedStatementUpdate c:
                PreparedStatement update = statements.FindPrepared(session, c.PreparedStatementHandle.ToStringUtf8());
                IReadOnlyList<(RecordBatch?, int)> rows = first.Header.IsEmpty ? update.Rows : await RowsAsync(update, first, requests, cancellationToken);
                answer = new DoPutUpdateResult { RecordCount = await RunAsync(update.RunsIn, update.Query, rows, cancellationToken) };
                break;
            case CommandPreparedStatementQuery c:
                PreparedStatement statement = statements.FindPrepared(session, c.PreparedStatementHandle.ToStringUtf8());
                statement.Bind(await ReadAsync(first, requests, cancellationToken));
                answer = new DoPutPreparedStatementResult { PreparedStatementHandle = c.PreparedStatementHandle };
                break;
            case CommandStatementIngest c:
                throw Commands.Unsupported($"Ingest into {c.Table} is not supported: lake tables are read only");
            case CommandStatementSubstraitPlan:
                throw Commands.Unsupported("Substrait plans are not supported: send SQL");
            case var other:
                throw Commands.Invalid($"{other.Descriptor.Name} is not an upload");
        }

        await responses.WriteAsync(new PutResult { AppMetadata = answer.ToByteString() }, cancellationToken);

        // A call that ends while its client still writes looks like a failure to it.
        for (int message = 0; message < MaxDrained && await requests.MoveNext(cancellationToken); message++)
        {
        }
    }

    private static async ValueTask<IReadOnlyList<(RecordBatch?, int)>> RowsAsync(
        PreparedStatement statement, FlightFrame first, IAsyncStreamReader<FlightFrame> requests, CancellationToken cancellationToken) =>
        statement.Query.ParameterSchema.FieldsList.Count == 0 ? [(null, 0)] : PreparedStatement.RowsOf(await ReadAsync(first, requests, cancellationToken));

    /// <summary>Runs once per row; the count is the sum, and never negative, because the JDBC driver fails on −1.</summary>
    private static async ValueTask<long> RunAsync(QuerySession session, IPreparedQuery query, IReadOnlyList<(RecordBatch? Batch, int Row)> rows, CancellationToken cancellationToken)
    {
        long total = 0;
        foreach ((RecordBatch? batch, int row) in rows)
        {
            await using IQueryResult result = await query.ExecuteAsync(session, batch, row, cancellationToken);
            if (!query.IsUpdate)
            {
                await foreach (RecordBatch unwanted in result.ReadBatchesAsync(cancellationToken))
                {
                    unwanted.Dispose();
                }
            }

            total += Math.Max(0, result.AffectedRows);
        }

        return total;
    }

    private static async ValueTask<IReadOnlyList<RecordBatch>> ReadAsync(FlightFrame first, IAsyncStreamReader<FlightFrame> requests, CancellationToken cancellationToken)
    {
        if (first.Header.IsEmpty)
        {
            return [];
        }

        try
        {
            await using var stream = new FrameStream(requests, first, cancellationToken);
            using var reader = new ArrowStreamReader(stream, leaveOpen: true);
            var batches = new List<RecordBatch>();
            long rows = 0;
            while (await reader.ReadNextRecordBatchAsync(cancellationToken) is { } batch)
            {
                batches.Add(batch);
                rows += batch.Length;
                if (rows > MaxParameterRows)
                {
                    throw LakeException.ResourcesExhausted($"More than {MaxParameterRows} rows of parameters", isTransient: false);
                }
            }

            return batches;
        }
        catch (Exception e) when (e is not (OperationCanceledException or RpcException or LakeException or IOException))
        {
            // The reader of untrusted bytes fails in as many ways as bytes can be wrong.
            throw Commands.Invalid($"The parameters are not a valid Arrow stream: {e.Message}");
        }
    }
}
