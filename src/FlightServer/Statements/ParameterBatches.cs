using Apache.Arrow;
using Apache.Arrow.Ipc;
using Grpc.Core;
using LakeHolo.FlightServer.Wire;

namespace LakeHolo.FlightServer.Statements;

/// <summary>Parameter rows that follow the descriptor of a DoPut; a descriptor alone binds nothing.</summary>
internal static class ParameterBatches
{
    private const long MaxRows = 100_000;

    public static async ValueTask<IReadOnlyList<RecordBatch>> ReadAsync(IAsyncStreamReader<FlightFrame> frames, CancellationToken cancellationToken)
    {
        FlightFrame first = frames.Current;
        if (first.Header.IsEmpty && !await frames.MoveNext(cancellationToken))
        {
            return [];
        }

        await using var stream = new FrameStream(frames, first.Header.IsEmpty ? frames.Current : first, cancellationToken);
        using var reader = new ArrowStreamReader(stream, leaveOpen: true);
        var batches = new List<RecordBatch>();
        long rows = 0;
        try
        {
            while (await reader.ReadNextRecordBatchAsync(cancellationToken) is { } batch)
            {
                batches.Add(batch);
                rows += batch.Length;
                if (rows > MaxRows)
                {
                    throw new RpcException(new Status(StatusCode.ResourceExhausted, $"More than {MaxRows} rows of parameters"));
                }
            }
        }
        catch (Exception e) when (e is InvalidDataException or ArgumentException or IndexOutOfRangeException)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"The parameters are no valid Arrow stream: {e.Message}"));
        }

        return batches;
    }
}
