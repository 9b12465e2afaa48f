using Apache.Arrow;
using Apache.Arrow.Ipc;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Cache;
using ParquetSharp;
using ParquetSharp.Arrow;
using TimeUnit = Apache.Arrow.Types.TimeUnit;

namespace LakeHolo.Readers.DataFiles.Parquet;

/// <summary>Rewrites Parquet files whose timestamps the engine would misread, for <see cref="IFileMaterializer.OpenDecodedAsync"/>: INT96 keeps its
/// nanoseconds, and plain INT64 columns that their table knows as timestamps get the annotation that old writers left out.</summary>
internal static class ParquetTimestampDecoder
{
    /// <summary>Key of the decoder's output; change it when the output changes.</summary>
    internal const string DecoderKey = "parquet-timestamps-1";

    private const int JulianDayOfEpoch = 2_440_588;
    private const long NanosPerDay = 86_400_000_000_000;
    private const int BatchRows = 65_536;

    // A file whose types are nested deeper is no table's.
    private const int MaxDepth = 64;

    /// <summary>A decoder.</summary>
    /// <param name="units">By top-level column, the unit of plain INT64 values that are timestamps; by path (names joined by '.') for nested ones.</param>
    internal static FileDecoder Create(IReadOnlyDictionary<string, TimeUnit> units) => async (file, targetPath, cancellationToken) =>
    {
        byte[] bytes = await file.Store.ReadAsync(file.Key, cancellationToken: cancellationToken);
        try
        {
            CheckRange(bytes, file.Key);
            using ReaderProperties reading = ReaderProperties.GetDefaultReaderProperties();
            using ArrowReaderProperties properties = ArrowReaderProperties.GetDefault();
            properties.CoerceInt96TimestampUnit = TimeUnit.Nanosecond;
            properties.BatchSize = BatchRows;
            using var reader = new FileReader(new MemoryStream(bytes, writable: false), reading, properties, leaveOpen: false);
            using IArrowArrayStream stream = reader.GetRecordBatchReader();
            Schema schema = Relabel(stream.Schema, units);
            await ParquetFileWriter.WriteAsync(targetPath, schema, ReadAsync(stream, schema), cancellationToken);
        }
        catch (ParquetException e)
        {
            throw LakeException.FormatInvalid($"The Parquet file cannot be read: {e.Message}", file.Key, e);
        }
    };

    private static async IAsyncEnumerable<RecordBatch> ReadAsync(IArrowArrayStream stream, Schema schema)
    {
        while (await stream.ReadNextRecordBatchAsync() is RecordBatch batch)
        {
            yield return new RecordBatch(
                schema, batch.Arrays.Select((a, i) => ArrowArrayFactory.BuildArray(Relabel(a.Data, schema.GetFieldByIndex(i).DataType))), batch.Length);
        }
    }

    private static Schema Relabel(Schema schema, IReadOnlyDictionary<string, TimeUnit> units) =>
        new([.. schema.FieldsList.Select(f => Relabel(f, f.Name, units, 0))], null);

    private static Field Relabel(Field field, string path, IReadOnlyDictionary<string, TimeUnit> units, int depth)
    {
        if (depth > MaxDepth)
        {
            throw LakeException.FormatInvalid($"The column {path} is nested too deeply");
        }

        Field Child(Field child, string name) => Relabel(child, path + "." + name, units, depth + 1);
        IArrowType type = field.DataType switch
        {
            Int64Type when units.TryGetValue(path, out TimeUnit unit) => new TimestampType(unit, (string?)null),
            ListType list => new ListType(Child(list.ValueField, "element")),
            MapType map => new MapType(Child(map.KeyField, "key"), Child(map.ValueField, "value"), map.KeySorted),
            StructType row => new StructType([.. row.Fields.Select(f => Child(f, f.Name))]),
            IArrowType other => other,
        };
        return new Field(field.Name, type, field.IsNullable);
    }

    private static ArrayData Relabel(ArrayData data, IArrowType type)
    {
        ArrayData[]? children = type switch
        {
            ListType list => [Relabel(data.Children[0], list.ValueDataType)],
            MapType map => [Relabel(data.Children[0], map.KeyValueType)],
            StructType row => [.. data.Children.Select((c, i) => Relabel(c, row.Fields[i].DataType))],
            _ => data.Children,
        };
        return new ArrayData(type, data.Length, data.NullCount, data.Offset, data.Buffers, children);
    }

    /// <summary>Nanoseconds in 64 bits reach from 1677 to 2262; INT96 reaches farther.</summary>
    private static void CheckRange(byte[] bytes, string path)
    {
        using var reader = new ParquetFileReader(new MemoryStream(bytes, writable: false));
        int columns = reader.FileMetaData.NumColumns;
        for (int group = 0; group < reader.FileMetaData.NumRowGroups; group++)
        {
            using RowGroupReader rows = reader.RowGroup(group);
            for (int i = 0; i < columns; i++)
            {
                if (reader.FileMetaData.Schema.Column(i).PhysicalType == PhysicalType.Int96)
                {
                    using ColumnReader column = rows.Column(i);
                    CheckRange((ColumnReader<Int96>)column, reader.FileMetaData.Schema.Column(i), path);
                }
            }
        }
    }

    private static void CheckRange(ColumnReader<Int96> column, ColumnDescriptor descriptor, string path)
    {
        var values = new Int96[BatchRows];
        short[] definitions = new short[BatchRows];
        short[] repetitions = new short[BatchRows];
        while (column.HasNext)
        {
            column.ReadBatch(BatchRows, definitions, repetitions, values, out long read);
            foreach (Int96 value in values.AsSpan(0, (int)read))
            {
                long nanosOfDay = ((long)value.B << 32) | (uint)value.A;
                Int128 nanos = ((Int128)(value.C - (long)JulianDayOfEpoch) * NanosPerDay) + nanosOfDay;
                if (nanos < long.MinValue || nanos > long.MaxValue)
                {
                    throw LakeException.FeatureUnsupported(
                        $"The column '{descriptor.Path.ToDotString()}' holds a timestamp beyond the years 1677 to 2262, which nanoseconds do not reach", path);
                }
            }
        }
    }
}
