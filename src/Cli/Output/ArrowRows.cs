using Apache.Arrow;
using Apache.Arrow.Ipc;

namespace LakeHolo.Cli.Output;

/// <summary>An Arrow IPC stream.</summary>
internal sealed class ArrowRows(Stream stream) : IRowWriter
{
    private ArrowStreamWriter? _writer;

    public async ValueTask BeginAsync(Schema schema)
    {
        _writer = new ArrowStreamWriter(stream, schema, leaveOpen: true);
        await _writer.WriteStartAsync();
    }

    public async ValueTask WriteAsync(RecordBatch batch, CancellationToken cancellationToken) => await _writer!.WriteRecordBatchAsync(batch, cancellationToken);

    public async ValueTask EndAsync() => await _writer!.WriteEndAsync();

    public async ValueTask DisposeAsync()
    {
        _writer?.Dispose();
        await stream.FlushAsync();
    }
}
