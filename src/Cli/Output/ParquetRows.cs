using Apache.Arrow;
using ParquetSharp;
using ParquetSharp.Arrow;
using ParquetSharp.IO;

namespace LakeHolo.Cli.Output;

/// <summary>A Parquet file (zstd).</summary>
internal sealed class ParquetRows(Stream stream) : IRowWriter
{
    // The file is closed by its owner: it is flushed, moved or deleted after the footer.
    private readonly ManagedOutputStream _output = new(stream, leaveOpen: true);
    private FileWriter? _writer;

    public ValueTask BeginAsync(Schema schema)
    {
        using var builder = new WriterPropertiesBuilder();
        using WriterProperties properties = builder.Compression(Compression.Zstd).Build();
        _writer = new FileWriter(_output, schema, properties);
        return ValueTask.CompletedTask;
    }

    public ValueTask WriteAsync(RecordBatch batch, CancellationToken cancellationToken)
    {
        // Batches without rows may come without buffers, which the writer does not take.
        if (batch.Length > 0)
        {
            _writer!.WriteBufferedRecordBatch(batch);
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask EndAsync()
    {
        _writer!.Close();
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        _writer?.Dispose();
        _output.Dispose();
        await stream.FlushAsync();
    }
}
