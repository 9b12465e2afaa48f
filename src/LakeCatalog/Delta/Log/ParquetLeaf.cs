using ParquetSharp;

namespace LakeHolo.LakeCatalog.Delta.Log;

/// <summary>One leaf column of one row group: levels, and the values that are not null, in order.</summary>
internal sealed class ParquetLeaf
{
    private const int BatchSize = 8192;

    private readonly List<byte[]> _chunks = [];
    private int[] _ends = [];
    private byte[] _bytes = [];

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

    public List<short> Def { get; } = [];

    public List<short> Rep { get; } = [];

    public List<long> Longs { get; } = [];

    public List<double> Doubles { get; } = [];

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
        switch (reader)
        {
            case ColumnReader<ByteArray> bytes:
                leaf.ReadBytes(bytes);
                break;
            case ColumnReader<FixedLenByteArray> bytes:
                leaf.ReadFixed(bytes, reader.ColumnDescriptor.TypeLength);
                break;
            case ColumnReader<long> longs:
                leaf.Read(longs, leaf.Longs.Add);
                break;
            case ColumnReader<int> ints:
                leaf.Read(ints, v => leaf.Longs.Add(v));
                break;
            case ColumnReader<bool> bools:
                leaf.Read(bools, v => leaf.Longs.Add(v ? 1 : 0));
                break;
            case ColumnReader<float> floats:
                leaf.Read(floats, v => leaf.Doubles.Add(v));
                break;
            case ColumnReader<double> doubles:
                leaf.Read(doubles, leaf.Doubles.Add);
                break;
            case ColumnReader<Int96> int96:
                leaf.Read(int96, v => leaf.Longs.Add(Micros(v)));
                break;
            default:
                throw LakeException.FormatInvalid($"The Parquet column {reader.ColumnDescriptor.Path} has an unknown physical type");
        }

        return leaf;
    }

    // Eight bytes nanoseconds of the day, four bytes Julian day; 2,440,588 is 1970-01-01.
    private static long Micros(Int96 value) => ((value.C - 2_440_588L) * 86_400_000_000L) + ((((long)(uint)value.B << 32) | (uint)value.A) / 1000);

    private void Read<T>(ColumnReader<T> reader, Action<T> add)
        where T : unmanaged
    {
        T[] values = new T[BatchSize];
        ReadBatches(reader, values, count =>
        {
            for (int i = 0; i < count; i++)
            {
                add(values[i]);
            }
        });
    }

    private void ReadBytes(ColumnReader<ByteArray> reader)
    {
        var values = new ByteArray[BatchSize];
        var ends = new List<int>();
        int total = 0;
        ReadBatches(reader, values, count =>
        {
            int length = 0;
            for (int i = 0; i < count; i++)
            {
                length = checked(length + values[i].Length);
            }

            byte[] chunk = new byte[length];
            int at = 0;
            for (int i = 0; i < count; i++)
            {
                unsafe
                {
                    new ReadOnlySpan<byte>((void*)values[i].Pointer, values[i].Length).CopyTo(chunk.AsSpan(at));
                }

                at += values[i].Length;
                ends.Add(checked(total + at));
            }

            total = checked(total + length);
            _chunks.Add(chunk);
        });
        Join(ends, total);
    }

    private void ReadFixed(ColumnReader<FixedLenByteArray> reader, int typeLength)
    {
        var values = new FixedLenByteArray[BatchSize];
        var ends = new List<int>();
        int total = 0;
        ReadBatches(reader, values, count =>
        {
            byte[] chunk = new byte[count * typeLength];
            for (int i = 0; i < count; i++)
            {
                unsafe
                {
                    new ReadOnlySpan<byte>((void*)values[i].Pointer, typeLength).CopyTo(chunk.AsSpan(i * typeLength));
                }

                total = checked(total + typeLength);
                ends.Add(total);
            }

            _chunks.Add(chunk);
        });
        Join(ends, total);
    }

    private void Join(List<int> ends, int total)
    {
        _ends = [.. ends];
        _bytes = new byte[total];
        int at = 0;
        foreach (byte[] chunk in _chunks)
        {
            chunk.CopyTo(_bytes, at);
            at += chunk.Length;
        }

        _chunks.Clear();
    }

    private void ReadBatches<T>(ColumnReader<T> reader, T[] values, Action<int> use)
        where T : unmanaged
    {
        short[] def = new short[BatchSize];
        short[] rep = new short[BatchSize];
        while (reader.HasNext)
        {
            long levels = reader.ReadBatch(BatchSize, def, rep, values, out long count);
            if (levels == 0 && count == 0)
            {
                break;
            }

            if (MaxDef > 0)
            {
                Def.AddRange(def.AsSpan(0, (int)levels));
            }
            else
            {
                Def.AddRange(Enumerable.Repeat((short)0, (int)levels));
            }

            if (MaxRep > 0)
            {
                Rep.AddRange(rep.AsSpan(0, (int)levels));
            }

            use((int)count);
        }
    }
}
