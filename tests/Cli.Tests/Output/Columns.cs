using Apache.Arrow;
using Apache.Arrow.Memory;
using Apache.Arrow.Types;

namespace LakeHolo.Cli.Tests.Output;

/// <summary>Small arrays and batches for the tests of output.</summary>
internal static class Columns
{
    public static RecordBatch Batch(params (string Name, IArrowArray Array)[] columns)
    {
        var schema = new Schema([.. columns.Select(c => new Field(c.Name, c.Array.Data.DataType, nullable: true))], null);
        return new RecordBatch(schema, columns.Select(c => c.Array), columns.Length == 0 ? 0 : columns[0].Array.Length);
    }

    public static StringArray Texts(params string?[] values)
    {
        var builder = new StringArray.Builder();
        foreach (string? value in values)
        {
            builder.Append(value);
        }

        return builder.Build();
    }

    public static Int64Array Longs(params long?[] values)
    {
        var builder = new Int64Array.Builder();
        foreach (long? value in values)
        {
            builder.Append(value);
        }

        return builder.Build();
    }

    public static DoubleArray Doubles(params double[] values) => new DoubleArray.Builder().AppendRange(values).Build();

    /// <summary>Decimals from their unscaled 128-bit values.</summary>
    public static Decimal128Array Decimals(int precision, int scale, params Int128[] unscaled)
    {
        byte[] bytes = new byte[unscaled.Length * 16];
        for (int i = 0; i < unscaled.Length; i++)
        {
            System.Buffers.Binary.BinaryPrimitives.WriteInt128LittleEndian(bytes.AsSpan(i * 16), unscaled[i]);
        }

        return new Decimal128Array(new ArrayData(new Decimal128Type(precision, scale), unscaled.Length, 0, 0, [ArrowBuffer.Empty, new ArrowBuffer(bytes)]));
    }

    public static TimestampArray Timestamps(TimeUnit unit, string? zone, params long[] values)
        => new(new TimestampType(unit, zone), Buffer(values), ArrowBuffer.Empty, values.Length, 0, 0);

    public static Date32Array Days(params int[] values)
        => new(new ArrayData(Date32Type.Default, values.Length, 0, 0, [ArrowBuffer.Empty, Buffer(values)]));

    /// <summary>A list column: each row a list of longs, or null.</summary>
    public static ListArray Lists(params long[]?[] rows)
    {
        var builder = new ListArray.Builder(Int64Type.Default);
        var values = (Int64Array.Builder)builder.ValueBuilder;
        foreach (long[]? row in rows)
        {
            if (row is null)
            {
                builder.AppendNull();
                continue;
            }

            builder.Append();
            values.AppendRange(row);
        }

        return builder.Build();
    }

    public static StructArray Structs(int length, params (string Name, IArrowArray Array)[] fields) => new(
        new StructType([.. fields.Select(f => new Field(f.Name, f.Array.Data.DataType, nullable: true))]), length, fields.Select(f => f.Array), ArrowBuffer.Empty);

    private static ArrowBuffer Buffer<T>(T[] values)
        where T : struct => new(System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()).ToArray());
}
