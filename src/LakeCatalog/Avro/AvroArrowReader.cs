using System.Runtime.CompilerServices;
using System.Text;
using Apache.Arrow;
using Apache.Arrow.Types;

namespace LakeHolo.LakeCatalog.Avro;

/// <summary>Decodes Avro records into Arrow batches, column by column, with the writer's schema.</summary>
/// <remarks>Types: timestamps and times come in microseconds (local-timestamp-nanos in nanoseconds), instants with zone "UTC"; enums and UUIDs as utf8;
/// decimals as decimal128; bytes and fixed as binary; an array of key-value records with the logical type <c>map</c> (as Paimon and Iceberg write maps
/// whose keys are no strings) as a map. A union of null and one type is that type, nullable. Refused by name when the column is needed: other unions,
/// types that contain themselves, decimals of more than 38 digits, durations.</remarks>
public sealed class AvroArrowReader
{
    /// <summary>Rows of a full batch.</summary>
    public const int BatchRows = 65_536;

    // Long values end a batch early, far from the 2 GiB that Arrow's 32-bit offsets can address.
    private const long BatchBytes = 1L << 27;

    private readonly AvroNullableColumn?[] _columns;
    private readonly AvroSkip?[] _skips;
    private readonly string _path;
    private readonly int _recordBranch;

    /// <summary>Prepares a decoder.</summary>
    /// <param name="writerSchema">A record schema, or a union of null and one.</param>
    /// <param name="pathForErrors">Named in errors.</param>
    /// <param name="columns">Names of the top-level fields that are needed, or null for all; the others are stepped over. Output is in schema order.</param>
    public AvroArrowReader(AvroSchema writerSchema, string pathForErrors, IReadOnlyCollection<string>? columns = null)
    {
        if (writerSchema.NonNull.Kind != AvroKind.Record)
        {
            throw LakeException.FormatInvalid($"Avro data is {writerSchema}, not records", pathForErrors);
        }

        // Old Paimon writers put the record itself into a union with null.
        _recordBranch = writerSchema.Kind == AvroKind.Union ? writerSchema.Branches.ToList().IndexOf(writerSchema.NonNull) : -1;
        writerSchema = writerSchema.NonNull;
        _path = pathForErrors;
        var factory = new AvroColumnFactory(pathForErrors);
        _columns = [.. writerSchema.Fields.Select(f => columns is null || columns.Contains(f.Name) ? factory.Create(f.Type, f.Name) : null)];
        _skips = [.. writerSchema.Fields.Select((f, i) => _columns[i] is null ? new AvroSkip(f.Type) : null)];
        var fields = new List<Field>();
        for (int i = 0; i < _columns.Length; i++)
        {
            if (_columns[i] is { } column)
            {
                fields.Add(new Field(writerSchema.Fields[i].Name, column.Inner.Type, nullable: true));
            }
        }

        Schema = new Schema(fields, null);
    }

    /// <summary>Schema of the batches.</summary>
    public Schema Schema { get; }

    /// <summary>Rows since the last <see cref="Flush"/>.</summary>
    public int RowCount { get; private set; }

    /// <summary>Whether the batch is large enough to be taken.</summary>
    public bool IsFull => RowCount >= BatchRows || ((RowCount & 255) == 0 && _columns.Sum(c => c?.Inner.SizeBytes ?? 0) >= BatchBytes);

    /// <summary>Decodes a container file batch by batch; the caller disposes each.</summary>
    public static IEnumerable<RecordBatch> ReadContainer(AvroContainer container, IReadOnlyCollection<string>? columns = null)
    {
        var reader = new AvroArrowReader(container.Schema, container.Path, columns);
        foreach (AvroBlock block in container.ReadBlocks())
        {
            int position = 0;
            for (int done = 0; done < block.RecordCount;)
            {
                (int rows, int bytes) = reader.AppendUntilFull(block.Data.Span[position..], block.RecordCount - done);
                done += rows;
                position += bytes;
                if (reader.IsFull)
                {
                    yield return reader.Flush();
                }
            }

            if (position != block.Data.Length)
            {
                throw LakeException.FormatInvalid($"An Avro block has {block.Data.Length - position} bytes after its last record", container.Path);
            }
        }

        if (reader.RowCount > 0)
        {
            yield return reader.Flush();
        }
    }

    /// <summary>Decodes one record that takes all of the bytes.</summary>
    /// <exception cref="LakeException"><see cref="LakeErrorKind.FormatInvalid"/>; the batch begun is unusable then.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Append(ReadOnlySpan<byte> datum)
    {
        var cursor = new AvroCursor(datum, _path);
        Append(ref cursor);
        if (cursor.Remaining != 0)
        {
            throw cursor.Invalid($"has {cursor.Remaining} bytes after a record");
        }
    }

    /// <summary>Decodes the next record of a cursor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Append(ref AvroCursor cursor)
    {
        if (_recordBranch >= 0 && cursor.ReadIndex(2) != _recordBranch)
        {
            throw cursor.Invalid("has null where a record is expected");
        }

        for (int i = 0; i < _columns.Length; i++)
        {
            if (_columns[i] is { } column)
            {
                column.Read(ref cursor);
            }
            else
            {
                _skips[i]!.Skip(ref cursor);
            }
        }

        RowCount++;
    }

    /// <summary>Appends a row of nulls in every column.</summary>
    public void AppendNulls()
    {
        foreach (AvroNullableColumn? column in _columns)
        {
            column?.Inner.AppendNull();
        }

        RowCount++;
    }

    /// <summary>Takes the rows as a batch, which the caller disposes, and begins anew.</summary>
    public RecordBatch Flush()
    {
        var batch = new RecordBatch(Schema, [.. _columns.Where(c => c is not null).Select(c => c!.Inner.Flush())], RowCount);
        RowCount = 0;
        return batch;
    }

    private (int Rows, int Bytes) AppendUntilFull(ReadOnlySpan<byte> bytes, int rows)
    {
        var cursor = new AvroCursor(bytes, _path);
        int done = 0;
        do
        {
            Append(ref cursor);
            done++;
        }
        while (done < rows && !IsFull);
        return (done, cursor.Position);
    }
}

/// <summary>From Avro types to columns.</summary>
internal sealed class AvroColumnFactory(string path)
{
    private static readonly TimestampType LocalMicros = new(TimeUnit.Microsecond, (string?)null);
    private static readonly TimestampType LocalNanos = new(TimeUnit.Nanosecond, (string?)null);
    private static readonly TimestampType InstantMicros = new(TimeUnit.Microsecond, "UTC");
    private static readonly Time64Type TimeMicros = new(TimeUnit.Microsecond);

    private readonly Stack<AvroSchema> _open = [];

    internal AvroNullableColumn Create(AvroSchema schema, string name)
    {
        if (_open.Count > AvroSchemaParser.MaxDepth)
        {
            throw Refused(name, $"a type of more than {AvroSchemaParser.MaxDepth} records inside each other");
        }

        if (schema.Kind != AvroKind.Union)
        {
            return new AvroNullableColumn(Column(schema, name), -1);
        }

        return schema.Branches switch
        {
            [{ Kind: AvroKind.Null }, { } value] => new AvroNullableColumn(Column(value, name), 0),
            [{ } value, { Kind: AvroKind.Null }] => new AvroNullableColumn(Column(value, name), 1),
            _ => throw Refused(name, $"a union of {string.Join(", ", schema.Branches)}"),
        };
    }

    private AvroColumn Column(AvroSchema schema, string name) => schema.Kind switch
    {
        AvroKind.Null => new AvroNullColumn(),
        AvroKind.Boolean => new AvroBooleanColumn(),
        AvroKind.Float => new AvroFixedColumn<float>(FloatType.Default, static (ref c) => c.ReadFloat()),
        AvroKind.Double => new AvroFixedColumn<double>(DoubleType.Default, static (ref c) => c.ReadDouble()),
        AvroKind.Int => Int(schema),
        AvroKind.Long => Long(schema),
        AvroKind.Bytes when schema.LogicalType == "decimal" => Decimal(schema, name),
        AvroKind.Bytes => new AvroBytesColumn(BinaryType.Default, static (ref c) => c.ReadBytes()),
        AvroKind.String => new AvroBytesColumn(StringType.Default, static (ref c) => c.ReadBytes()),
        AvroKind.Fixed => Fixed(schema, name),
        AvroKind.Enum => Enum(schema),
        AvroKind.Array => Array(schema, name),
        AvroKind.Map => Map(schema.Items!, name),
        AvroKind.Record => Struct(schema, name),
        _ => throw Refused(name, "a union inside a union"),
    };

    private static AvroColumn Int(AvroSchema schema) => schema.LogicalType switch
    {
        "date" => new AvroFixedColumn<int>(Date32Type.Default, static (ref c) => c.ReadInt()),
        "time-millis" => new AvroFixedColumn<long>(TimeMicros, static (ref c) => c.ReadInt() * 1000L),
        _ => new AvroFixedColumn<int>(Int32Type.Default, static (ref c) => c.ReadInt()),
    };

    private static AvroColumn Long(AvroSchema schema) => schema.LogicalType switch
    {
        "time-micros" => new AvroFixedColumn<long>(TimeMicros, static (ref c) => c.ReadLong()),
        "timestamp-micros" => new AvroFixedColumn<long>(InstantMicros, static (ref c) => c.ReadLong()),
        "local-timestamp-micros" => new AvroFixedColumn<long>(LocalMicros, static (ref c) => c.ReadLong()),
        "timestamp-millis" => new AvroFixedColumn<long>(InstantMicros, MillisToMicros),
        "local-timestamp-millis" => new AvroFixedColumn<long>(LocalMicros, MillisToMicros),
        "local-timestamp-nanos" => new AvroFixedColumn<long>(LocalNanos, static (ref c) => c.ReadLong()),
        "timestamp-nanos" => new AvroFixedColumn<long>(InstantMicros, NanosToMicros),
        _ => new AvroFixedColumn<long>(Int64Type.Default, static (ref c) => c.ReadLong()),
    };

    private static long MillisToMicros(ref AvroCursor cursor)
    {
        long millis = cursor.ReadLong();
        return millis is <= long.MaxValue / 1000 and >= long.MinValue / 1000 ? millis * 1000 : throw cursor.Invalid($"has the timestamp {millis} ms, beyond the range of microseconds");
    }

    private static long NanosToMicros(ref AvroCursor cursor)
    {
        // The engine has no instants finer than microseconds.
        long nanos = cursor.ReadLong();
        return nanos % 1000 == 0 ? nanos / 1000 : throw cursor.Invalid($"has the instant {nanos} ns, which microseconds cannot hold");
    }

    private AvroFixedColumn<Int128> Decimal(AvroSchema schema, string name)
    {
        if (schema.Precision > 38)
        {
            throw Refused(name, $"a decimal of {schema.Precision} digits");
        }

        int precision = schema.Precision;
        var type = new Decimal128Type(precision, schema.Scale);
        int size = schema.FixedSize;
        return schema.Kind == AvroKind.Fixed
            ? new AvroFixedColumn<Int128>(type, (ref c) => AvroDecimal.Read(ref c, c.Take(size), precision))
            : new AvroFixedColumn<Int128>(type, (ref c) => AvroDecimal.Read(ref c, c.ReadBytes(), precision));
    }

    private AvroColumn Fixed(AvroSchema schema, string name)
    {
        int size = schema.FixedSize;
        return schema.LogicalType switch
        {
            "decimal" => Decimal(schema, name),
            "duration" => throw Refused(name, "a duration"),
            "uuid" => new AvroBytesColumn(StringType.Default, static (ref c) => Encoding.ASCII.GetBytes(new Guid(c.Take(16), bigEndian: true).ToString())),
            _ => new AvroBytesColumn(BinaryType.Default, (ref c) => c.Take(size)),
        };
    }

    private static AvroBytesColumn Enum(AvroSchema schema)
    {
        byte[][] symbols = [.. schema.Symbols.Select(Encoding.UTF8.GetBytes)];
        return new AvroBytesColumn(StringType.Default, (ref c) => symbols[c.ReadIndex(symbols.Length)]);
    }

    private AvroListColumn Array(AvroSchema schema, string name)
    {
        AvroSchema item = schema.Items!;
        if (schema.LogicalType == "map" && item.Kind == AvroKind.Record && item.Fields.Count == 2 && item.Fields[0].Name == "key" && item.Fields[1].Name == "value")
        {
            return Entries(Create(item.Fields[0].Type, name), Create(item.Fields[1].Type, name));
        }

        AvroNullableColumn items = Create(item, name);
        return new AvroListColumn(new ListType(new Field("element", items.Inner.Type, nullable: true)), null, items);
    }

    private AvroListColumn Map(AvroSchema values, string name) =>
        Entries(new AvroNullableColumn(new AvroBytesColumn(StringType.Default, static (ref c) => c.ReadBytes()), -1), Create(values, name));

    private static AvroListColumn Entries(AvroNullableColumn keys, AvroNullableColumn values) => new(
        new MapType(new Field("key", keys.Inner.Type, nullable: false), new Field("value", values.Inner.Type, nullable: true)), keys, values);

    private AvroStructColumn Struct(AvroSchema schema, string name)
    {
        if (schema.Fields.Count == 0)
        {
            throw Refused(name, $"the record '{schema.FullName}' without fields");
        }

        if (_open.Contains(schema))
        {
            throw Refused(name, $"the type '{schema.FullName}', which contains itself");
        }

        _open.Push(schema);
        AvroNullableColumn[] fields = [.. schema.Fields.Select(f => Create(f.Type, name))];
        _open.Pop();
        return new AvroStructColumn(new StructType([.. schema.Fields.Select((f, i) => new Field(f.Name, fields[i].Inner.Type, nullable: true))]), fields);
    }

    private LakeException Refused(string name, string what) => LakeException.FeatureUnsupported($"The Avro column '{name}' is {what}, which is not supported", path);
}
