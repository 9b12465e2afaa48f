using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Cache;
using ParquetSharp;
using ParquetSharp.Schema;

namespace LakeHolo.Readers.Delta;

/// <summary>Rewrites a Parquet file with pages in LZ4 of Hadoop's framing, which the engine does not read, for
/// <see cref="IFileMaterializer.OpenDecodedAsync"/>. Values and levels are copied as they are, under the same schema, so that nothing is converted.</summary>
internal static class ForeignCodecDecoder
{
    /// <summary>Key of the decoder's output; change it when the output changes.</summary>
    internal const string DecoderKey = "parquet-lz4-1";

    private const int BatchSize = 16_384;

    internal static async ValueTask DecodeAsync(CacheableFile file, string targetPath, CancellationToken cancellationToken)
    {
        try
        {
            if (file.Store.TryGetLocalPath(file.Key) is { } local)
            {
                using var reader = new ParquetFileReader(local);
                Copy(reader, targetPath, cancellationToken);
                return;
            }

            byte[] bytes = await file.Store.ReadAsync(file.Key, cancellationToken: cancellationToken);
            using var stream = new MemoryStream(bytes, writable: false);
            using var remote = new ParquetFileReader(stream);
            Copy(remote, targetPath, cancellationToken);
        }
        catch (ParquetException e)
        {
            throw LakeException.FormatInvalid($"A data file is unreadable: {e.Message}", file.Key, e);
        }
    }

    private static void Copy(ParquetFileReader reader, string targetPath, CancellationToken cancellationToken)
    {
        using FileMetaData metadata = reader.FileMetaData;
        using GroupNode schema = metadata.Schema.GroupNode;
        using var builder = new WriterPropertiesBuilder();
        using WriterProperties properties = builder.Compression(Compression.Snappy).Build();
        using var writer = new ParquetFileWriter(targetPath, schema, properties);
        for (int g = 0; g < metadata.NumRowGroups; g++)
        {
            using RowGroupReader from = reader.RowGroup(g);
            using RowGroupWriter to = writer.AppendRowGroup();
            for (int c = 0; c < metadata.NumColumns; c++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                using ColumnReader source = from.Column(c);
                using ColumnWriter target = to.NextColumn();
                Copy(source, target);
            }
        }

        writer.Close();
    }

    private static void Copy(ColumnReader source, ColumnWriter target)
    {
        switch (source)
        {
            case ColumnReader<bool> s:
                CopyValues(s, (ColumnWriter<bool>)target);
                break;
            case ColumnReader<int> s:
                CopyValues(s, (ColumnWriter<int>)target);
                break;
            case ColumnReader<long> s:
                CopyValues(s, (ColumnWriter<long>)target);
                break;
            case ColumnReader<Int96> s:
                CopyValues(s, (ColumnWriter<Int96>)target);
                break;
            case ColumnReader<float> s:
                CopyValues(s, (ColumnWriter<float>)target);
                break;
            case ColumnReader<double> s:
                CopyValues(s, (ColumnWriter<double>)target);
                break;
            case ColumnReader<ByteArray> s:
                CopyValues(s, (ColumnWriter<ByteArray>)target);
                break;
            case ColumnReader<FixedLenByteArray> s:
                CopyValues(s, (ColumnWriter<FixedLenByteArray>)target);
                break;
            default:
                throw LakeException.FeatureUnsupported($"A Parquet column has the physical type {source.Type}");
        }
    }

    // Values point into the reader's page until the next batch is read, which is after they were written.
    private static void CopyValues<T>(ColumnReader<T> source, ColumnWriter<T> target)
        where T : unmanaged
    {
        short[] def = new short[BatchSize];
        short[] rep = new short[BatchSize];
        var values = new T[BatchSize];
        ColumnDescriptor descriptor = source.ColumnDescriptor;
        while (source.HasNext)
        {
            int levels = (int)source.ReadBatch(BatchSize, def, rep, values, out long count);
            if (levels == 0 && count == 0)
            {
                break;
            }

            target.WriteBatch(
                levels,
                descriptor.MaxDefinitionLevel > 0 ? def.AsSpan(0, levels) : [],
                descriptor.MaxRepetitionLevel > 0 ? rep.AsSpan(0, levels) : [],
                values.AsSpan(0, (int)count));
        }
    }
}
