using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.DataFiles.Parquet;

namespace LakeHolo.Readers.DataFiles.SequenceFile;

/// <summary>Decodes SequenceFiles of delimited lines to Parquet files of VARCHAR columns: fields apart by ^A, <c>\N</c> for NULL.</summary>
/// <remarks>Source: Hive's LazySimpleSerDe with its defaults. Fields beyond the known columns are ignored, missing ones are NULL.</remarks>
internal static class DelimitedTextDecoder
{
    internal const string DecoderVersion = "sequencefile-1";

    private const byte Separator = 1;
    private const int BatchRows = 65_536;
    private const int BatchBytes = 1 << 27;

    // A line of separators alone would otherwise make a column of every byte.
    private const int MaxColumns = 10_000;

    /// <summary>A decoder of the given columns.</summary>
    internal static FileDecoder Create(IReadOnlyList<string> columns) => async (file, targetPath, cancellationToken) =>
    {
        byte[] bytes = await file.Store.ReadAsync(file.Key, cancellationToken: cancellationToken);
        Schema schema = SchemaOf(columns);
        ParquetFileWriter.Write(targetPath, schema, Read(SequenceFileReader.Open(bytes, file.Key), schema, file.Key), cancellationToken);
    };

    internal static Schema SchemaOf(IEnumerable<string> columns) => new([.. columns.Select(c => new Field(c, StringType.Default, nullable: true))], null);

    /// <summary>The most fields that a line has, and the number of lines.</summary>
    internal static (int Fields, long Lines) Measure(SequenceFileReader reader, string path)
    {
        int fields = 0;
        long lines = 0;
        foreach (SequenceValues values in reader.ReadValues())
        {
            var cursor = new HadoopCursor(values.Bytes.Span, 0, path);
            for (int i = 0; i < values.Count; i++)
            {
                fields = Math.Max(fields, Line(ref cursor, reader.IsBytes).Count(Separator) + 1);
            }

            lines += values.Count;
        }

        return fields <= MaxColumns ? (fields, lines) : throw LakeException.FeatureUnsupported($"Lines of more than {MaxColumns} fields are not supported", path);
    }

    internal static IEnumerable<RecordBatch> Read(SequenceFileReader reader, Schema schema, string path)
    {
        var columns = new TextColumn[schema.FieldsList.Count];
        for (int i = 0; i < columns.Length; i++)
        {
            columns[i] = new TextColumn();
        }

        foreach (SequenceValues values in reader.ReadValues())
        {
            int position = 0;
            for (int done = 0; done < values.Count;)
            {
                (int count, position) = Append(values, done, position, columns, reader.IsBytes, path);
                done += count;
                if (IsFull(columns))
                {
                    yield return Flush(schema, columns);
                }
            }
        }

        if (columns[0].Count > 0)
        {
            yield return Flush(schema, columns);
        }
    }

    private static (int Count, int Position) Append(SequenceValues values, int done, int position, TextColumn[] columns, bool isBytes, string path)
    {
        var cursor = new HadoopCursor(values.Bytes.Span, position, path);
        int count = 0;
        for (; done + count < values.Count && (count == 0 || !IsFull(columns)); count++)
        {
            ReadOnlySpan<byte> line = Line(ref cursor, isBytes);
            bool hasMore = true;
            foreach (TextColumn column in columns)
            {
                int end = line.IndexOf(Separator);
                ReadOnlySpan<byte> field = end < 0 ? line : line[..end];
                if (hasMore && !field.SequenceEqual("\\N"u8))
                {
                    column.Append(field);
                }
                else
                {
                    column.AppendNull();
                }

                hasMore &= end >= 0;
                line = end < 0 ? default : line[(end + 1)..];
            }
        }

        return (count, cursor.Position);
    }

    private static bool IsFull(TextColumn[] columns) => columns[0].Count >= BatchRows || ((columns[0].Count & 255) == 0 && columns.Any(c => c.Length >= BatchBytes));

    private static RecordBatch Flush(Schema schema, TextColumn[] columns)
    {
        int count = columns[0].Count;
        return new RecordBatch(schema, [.. columns.Select(c => c.Flush())], count);
    }

    private static ReadOnlySpan<byte> Line(ref HadoopCursor cursor, bool isBytes) => cursor.Take(isBytes ? cursor.ReadInt() : cursor.ReadVLong());

    private sealed class TextColumn
    {
        private int[] _offsets = new int[1024];
        private byte[] _bytes = new byte[4096];
        private byte[] _validity = new byte[128];
        private int _nullCount;

        internal int Count { get; private set; }

        internal int Length { get; private set; }

        internal void Append(ReadOnlySpan<byte> value)
        {
            if (Length + (long)value.Length > _bytes.Length)
            {
                System.Array.Resize(ref _bytes, checked((int)Math.Max(Length + (long)value.Length, 2L * _bytes.Length)));
            }

            value.CopyTo(_bytes.AsSpan(Length));
            Length += value.Length;
            AppendNull();
            _validity[(Count - 1) >> 3] |= (byte)(1 << ((Count - 1) & 7));
            _nullCount--;
        }

        internal void AppendNull()
        {
            if (Count + 1 >= _offsets.Length)
            {
                System.Array.Resize(ref _offsets, 2 * _offsets.Length);
                System.Array.Resize(ref _validity, 2 * _validity.Length);
            }

            Count++;
            _nullCount++;
            _offsets[Count] = Length;
        }

        internal StringArray Flush()
        {
            var array = new StringArray(
                Count,
                new ArrowBuffer(System.Runtime.InteropServices.MemoryMarshal.AsBytes(_offsets.AsSpan(0, Count + 1)).ToArray()),
                new ArrowBuffer(_bytes.AsSpan(0, Length).ToArray()),
                new ArrowBuffer(_validity.AsSpan(0, (Count + 7) / 8).ToArray()),
                _nullCount);
            System.Array.Clear(_validity);
            (Count, Length, _nullCount) = (0, 0, 0);
            return array;
        }
    }
}
