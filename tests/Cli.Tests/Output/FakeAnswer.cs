using Apache.Arrow;
using LakeHolo.Cli.Connections;

namespace LakeHolo.Cli.Tests.Output;

/// <summary>An answer of given batches, which fails after the last one when told to.</summary>
internal sealed class FakeAnswer(Schema schema, IReadOnlyList<RecordBatch> batches, Exception? failure = null) : IAnswer
{
    public Schema Schema => schema;

    public ReadOnlyMemory<byte> AppMetadata => default;

    public async IAsyncEnumerable<RecordBatch> ReadAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (RecordBatch batch in batches)
        {
            await Task.CompletedTask;
            yield return batch;
        }

        if (failure is not null)
        {
            throw failure;
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
