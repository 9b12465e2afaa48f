using ParquetSharp;

namespace LakeHolo.LakeCatalog.Delta.Log;

/// <summary>One leaf column of one row group: levels, and the values that are not null, in order.</summary>
internal sealed class ParquetLeaf
{
    private const int BatchSize = 8192;

    // A footer may declare any number of rows; room is made for what comes.
    private const int MaxInitialRows = 1 << 16;

    private short[] _def = [];
    private short[] _rep = [];
    private int _levels;
    private long[] _longs = [];
    private double[] _doubles = [];
    private int[] _ends = [];
    private byte[] _bytes = [];
    private int _values;

    private ParquetLeaf(ColumnDescriptor descriptor)
    {
        MaxDef = descriptor.MaxDefinitionLevel;
        MaxRep = descriptor.MaxRepetitionLevel;
        Physical = descriptor.PhysicalType;
        using LogicalType logical = descriptor.LogicalType;
        LogicalKind = logical.Type;
        Scale = descriptor.TypeScale;
        TimeUnit = logical is TimestampLogicalType timestamp ? timestamp.TimeUnit : TimeUnit.Unknown;
    }

    public short MaxDef { get; }

    public short MaxRep { get; }

    public PhysicalType Physical { get; }

    public LogicalTypeEnum LogicalKind { get; }

    public TimeUnit TimeUnit { get; }

    public int Scale { get; }

    /// <summary>Definition levels.</summary>
    public ReadOnlySpan<short> Def => _def.AsSpan(0, _levels);

    /// <summary>Repetition levels; empty if nothing above repeats.</summary>
    public ReadOnlySpan<short> Rep => MaxRep > 0 ? _rep.AsSpan(0, _levels) : [];

    /// <summary>Integers, booleans and microseconds.</summary>
    public ReadOnlySpan<long> Longs => _longs.AsSpan(0, Math.Min(_values, _longs.Length));

    /// <summary>Floating-point numbers.</summary>
    public ReadOnlySpan<double> Doubles => _doubles.AsSpan(0, Math.Min(_values, _doubles.Length));

    /// <summary>Bytes of the n-th value that is not null.</summary>
    public ReadOnlySpan<byte> Bytes(int value)
    {
        int start = value == 0 ? 0 : _ends[value - 1];
        return _bytes.AsSpan(start, _ends[value] - start);
    }

    /// <summary>Text of the n-th value that is not null.</summary>
    public string Text(int value) => System.Text.Encoding.UTF8.GetString(Bytes(value));

    public static ParquetLeaf Read(RowGroupReader group, int column)
    {
        using ColumnReader reader = group.Column(column);
        var leaf = new ParquetLeaf(reader.ColumnDescriptor);
        Grow(ref leaf._def, (int)Math.Clamp(group.MetaData.NumRows, 0, MaxInitialRows));
        switch (reader)
        {
            case ColumnReader<ByteArray> bytes:
                leaf.ReadBytes(bytes);
                break;
            case ColumnReader<FixedLenByteArray> bytes:
                leaf.ReadFixed(bytes, reader.ColumnDescriptor.TypeLength);
                break;
            case ColumnReader<long> longs:
                leaf.Read(longs, ref leaf._longs, static v => v);
                break;
            case ColumnReader<int> ints:
                leaf.Read(ints, ref leaf._longs, static v => v);
                break;
            case ColumnReader<bool> bools:
                leaf.Read(bools, ref leaf._longs, static v => v ? 1 : 0);
                break;
            case ColumnReader<float> floats:
                leaf.Read(floats, ref leaf._doubles, static v => v);
                break;
            case ColumnReader<double> doubles:
                leaf.Read(doubles, ref leaf._doubles, static v => v);
                break;
            case ColumnReader<Int96> int96:
                leaf.Read(int96, ref leaf._longs, Micros);
                break;
            default:
                throw LakeException.FormatInvalid($"The Parquet column {reader.ColumnDescriptor.Path} has an unknown physical type");
        }

        return leaf;
    }

    // Eight bytes nanoseconds of the day, four bytes Julian day; 2,440,588 is 1970-01-01.
    private static long Micros(Int96 value) => ((value.C - 2_440_588L) * 86_400_000_000L) + ((((long)(uint)value.B << 32) | (uint)value.A) / 1000);

    private void Read<T, TValue>(ColumnReader<T> reader, ref TValue[] values, Func<T, TValue> convert)
        where T : unmanaged
    {
        T[] batch = new T[BatchSize];
        while (ReadBatch(reader, batch) is { } count)
        {
            Grow(ref values, _values + count);
            for (int i = 0; i < count; i++)
            {
                values[_values + i] = convert(batch[i]);
            }

            _values += count;
        }
    }

    private void ReadBytes(ColumnReader<ByteArray> reader)
    {
        var batch = new ByteArray[BatchSize];
        int length = 0;
        while (ReadBatch(reader, batch) is { } count)
        {
            Grow(ref _ends, _values + count);
            for (int i = 0; i < count; i++)
            {
                unsafe
                {
                    length = Append(length, new ReadOnlySpan<byte>((void*)batch[i].Pointer, batch[i].Length));
                }

                _ends[_values++] = length;
            }
        }
    }

    private void ReadFixed(ColumnReader<FixedLenByteArray> reader, int typeLength)
    {
        var batch = new FixedLenByteArray[BatchSize];
        int length = 0;
        while (ReadBatch(reader, batch) is { } count)
        {
            Grow(ref _ends, _values + count);
            for (int i = 0; i < count; i++)
            {
                unsafe
                {
                    length = Append(length, new ReadOnlySpan<byte>((void*)batch[i].Pointer, typeLength));
                }

                _ends[_values++] = length;
            }
        }
    }

    private int Append(int length, ReadOnlySpan<byte> value)
    {
        int end = checked(length + value.Length);
        Grow(ref _bytes, end);
        value.CopyTo(_bytes.AsSpan(length));
        return end;
    }

    // The number of values of the next batch, whose levels are kept; null at the end.
    private int? ReadBatch<T>(ColumnReader<T> reader, T[] batch)
        where T : unmanaged
    {
        if (!reader.HasNext)
        {
            return null;
        }

        Grow(ref _def, _levels + BatchSize);
        Span<short> rep = [];
        if (MaxRep > 0)
        {
            Grow(ref _rep, _levels + BatchSize);
            rep = _rep.AsSpan(_levels, BatchSize);
        }

        int levels = (int)reader.ReadBatch(BatchSize, MaxDef > 0 ? _def.AsSpan(_levels, BatchSize) : [], rep, batch, out long count);
        _levels += levels;
        return levels == 0 && count == 0 ? null : (int)count;
    }

    private static void Grow<TValue>(ref TValue[] values, int needed)
    {
        if (needed > values.Length)
        {
            Array.Resize(ref values, (int)Math.Min(Array.MaxLength, Math.Max(needed, Math.Max(256L, values.Length * 2L))));
        }
    }
}
