using Apache.Arrow;
using LakeHolo.LakeCatalog;
using ParquetSharp;
using ParquetSharp.Arrow;

namespace LakeHolo.Readers.DataFiles.Parquet;

/// <summary>Writes decoded rows to a local Parquet file, which the engine reads from then on.</summary>
internal static class ParquetFileWriter
{
    // The engine's own row group size, so that its threads share a file as evenly as one of its own.
    private const int RowGroupRows = 122_880;

    /// <summary>Writes all batches, disposing each; a file without batches has the schema and no rows.</summary>
    internal static async ValueTask WriteAsync(string path, Schema schema, IAsyncEnumerable<RecordBatch> batches, CancellationToken cancellationToken = default)
    {
        using FileWriter writer = Open(path, schema);
        await foreach (RecordBatch batch in batches.WithCancellation(cancellationToken))
        {
            Write(writer, batch, path);
        }

        writer.Close();
    }

    /// <summary>Writes all batches, disposing each.</summary>
    internal static void Write(string path, Schema schema, IEnumerable<RecordBatch> batches, CancellationToken cancellationToken = default)
    {
        using FileWriter writer = Open(path, schema);
        foreach (RecordBatch batch in batches)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Write(writer, batch, path);
        }

        writer.Close();
    }

    private static FileWriter Open(string path, Schema schema)
    {
        using var builder = new WriterPropertiesBuilder();
        using WriterProperties properties = builder.Compression(Compression.Snappy).MaxRowGroupLength(RowGroupRows).Build();
        return new FileWriter(path, schema, properties);
    }

    private static void Write(FileWriter writer, RecordBatch batch, string path)
    {
        using (batch)
        {
            try
            {
                if (batch.Length > 0)
                {
                    writer.WriteBufferedRecordBatch(batch);
                }
            }
            catch (ParquetException e)
            {
                throw new LakeException(LakeErrorKind.Internal, $"Decoded rows do not fit a Parquet file: {e.Message}", path, innerException: e);
            }
        }
    }
}
