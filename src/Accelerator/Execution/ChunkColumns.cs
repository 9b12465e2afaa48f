using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;
using Apache.Arrow;
using Apache.Arrow.Types;
using DuckDB.NET.Native;

namespace LakeHolo.Accelerator.Execution;

/// <summary>Gives the engine's chunks as Arrow without the engine's own conversion, where all columns are numbers, times, truth values, texts or bytes: what lies in the chunk as Arrow wants it
/// is referred to there, the rest is written once, into pooled memory.</summary>
/// <remarks>Layouts as duckdb.h has them: a flat vector of a fixed width, a validity bit per row in words of 64, lowest first; truth values of a byte each; decimals in 2, 4, 8 or 16 bytes after
/// their precision (4, 9, 18, 38); a text of 16 bytes: its length in four, then up to twelve bytes of its own, or the first four again and where it lies.
/// A value under a NULL is what was computed before it became one: it is not given out.</remarks>
internal sealed unsafe class ChunkColumns
{
    private const int TextBytes = 16;
    private const int InlineBytes = 12;

    private readonly Schema _schema;
    private readonly Layout[] _layouts;

    private ChunkColumns(Schema schema, Layout[] layouts)
    {
        _schema = schema;
        _layouts = layouts;
    }

    private enum Layout
    {
        None,
        Same,
        Bits,
        Text,
        Decimal16,
        Decimal32,
        Decimal64,
    }

    /// <summary>For the chunks of a result; null where a column is of another type.</summary>
    /// <param name="result">Its columns' types in the engine.</param>
    /// <param name="schema">Their types in Arrow.</param>
    public static ChunkColumns? Of(ref DuckDBResult result, Schema schema)
    {
        var layouts = new Layout[schema.FieldsList.Count];
        for (int i = 0; i < layouts.Length; i++)
        {
            layouts[i] = LayoutOf(NativeMethods.Query.DuckDBColumnType(ref result, i), schema.FieldsList[i].DataType);
            if (layouts[i] == Layout.None)
            {
                return null;
            }
        }

        return new ChunkColumns(schema, layouts);
    }

    /// <summary>The rows of a chunk.</summary>
    /// <param name="chunk">The batch's from here on: it is destroyed with it.</param>
    public RecordBatch Take(DuckDBDataChunk chunk)
    {
        var rented = new List<byte[]>();
        try
        {
            int rows = checked((int)NativeMethods.DataChunks.DuckDBDataChunkGetSize(chunk));
            var columns = new IArrowArray[_layouts.Length];
            for (int i = 0; i < columns.Length; i++)
            {
                columns[i] = ArrowArrayFactory.BuildArray(Column(chunk, i, rows, rented));
            }

            return new ChunkBatch(_schema, columns, rows, chunk, rented);
        }
        catch
        {
            Return(rented);
            chunk.Dispose();
            throw;
        }
    }

    private static Layout LayoutOf(DuckDBType engine, IArrowType arrow) => (engine, arrow) switch
    {
        (DuckDBType.Boolean, BooleanType) => Layout.Bits,
        (DuckDBType.Varchar, StringType) or (DuckDBType.Blob, BinaryType) => Layout.Text,
        (DuckDBType.Decimal, Decimal128Type decimals) => decimals.Precision switch { <= 4 => Layout.Decimal16, <= 9 => Layout.Decimal32, <= 18 => Layout.Decimal64, _ => Layout.Same },
        (DuckDBType.TinyInt, Int8Type) or (DuckDBType.SmallInt, Int16Type) or (DuckDBType.Integer, Int32Type) or (DuckDBType.BigInt, Int64Type)
            or (DuckDBType.UnsignedTinyInt, UInt8Type) or (DuckDBType.UnsignedSmallInt, UInt16Type) or (DuckDBType.UnsignedInteger, UInt32Type) or (DuckDBType.UnsignedBigInt, UInt64Type)
            or (DuckDBType.Float, FloatType) or (DuckDBType.Double, DoubleType) or (DuckDBType.Date, Date32Type) or (DuckDBType.Time, Time64Type { Unit: TimeUnit.Microsecond })
            or (DuckDBType.Timestamp or DuckDBType.TimestampTz, TimestampType { Unit: TimeUnit.Microsecond }) or (DuckDBType.TimestampS, TimestampType { Unit: TimeUnit.Second })
            or (DuckDBType.TimestampMs, TimestampType { Unit: TimeUnit.Millisecond }) or (DuckDBType.TimestampNs, TimestampType { Unit: TimeUnit.Nanosecond }) => Layout.Same,
        _ => Layout.None,
    };

    private static void Return(List<byte[]> rented)
    {
        foreach (byte[] array in rented)
        {
            ArrayPool<byte>.Shared.Return(array);
        }

        rented.Clear();
    }

    private static byte[] Rent(List<byte[]> rented, int bytes)
    {
        byte[] array = ArrayPool<byte>.Shared.Rent(bytes);
        rented.Add(array);
        return array;
    }

    private ArrayData Column(DuckDBDataChunk chunk, int index, int rows, List<byte[]> rented)
    {
        IArrowType type = _schema.FieldsList[index].DataType;
        IntPtr vector = NativeMethods.DataChunks.DuckDBDataChunkGetVector(chunk, index);
        byte* data = (byte*)NativeMethods.Vectors.DuckDBVectorGetData(vector);
        ulong* valid = NativeMethods.Vectors.DuckDBVectorGetValidity(vector);
        int nulls = valid is null ? 0 : Nulls(valid, rows);
        valid = nulls == 0 ? null : valid;
        ArrowBuffer validity = nulls == 0 ? ArrowBuffer.Empty : new ArrowBuffer(new ChunkBuffer(chunk, (byte*)valid, (rows + 7) / 8).Memory);
        ArrowBuffer[] buffers = _layouts[index] switch
        {
            Layout.Same => [validity, Same(chunk, data, valid, rows, ((FixedWidthType)type).BitWidth / 8, rented)],
            Layout.Bits => [validity, Bits(data, valid, rows, rented)],
            Layout.Decimal16 => [validity, Widen((short*)data, valid, rows, rented)],
            Layout.Decimal32 => [validity, Widen((int*)data, valid, rows, rented)],
            Layout.Decimal64 => [validity, Widen((long*)data, valid, rows, rented)],
            _ => Texts(validity, data, valid, rows, rented),
        };
        return new ArrayData(type, rows, nulls, 0, buffers);
    }

    private static bool IsValid(ulong* valid, int row) => valid is null || ((valid[row >> 6] >> (row & 63)) & 1) != 0;

    private static int Nulls(ulong* valid, int rows)
    {
        int set = 0;
        for (int i = 0; i < rows >> 6; i++)
        {
            set += BitOperations.PopCount(valid[i]);
        }

        if ((rows & 63) != 0)
        {
            set += BitOperations.PopCount(valid[rows >> 6] & ((1UL << (rows & 63)) - 1));
        }

        return rows - set;
    }

    private static ArrowBuffer Same(DuckDBDataChunk chunk, byte* data, ulong* valid, int rows, int width, List<byte[]> rented)
    {
        int bytes = rows * width;
        if (valid is null)
        {
            return new ArrowBuffer(new ChunkBuffer(chunk, data, bytes).Memory);
        }

        byte[] copy = Rent(rented, bytes);
        new ReadOnlySpan<byte>(data, bytes).CopyTo(copy);
        for (int row = 0; row < rows; row += 64)
        {
            for (ulong missing = ~valid[row >> 6]; missing != 0; missing &= missing - 1)
            {
                int at = row + BitOperations.TrailingZeroCount(missing);
                if (at >= rows)
                {
                    break;
                }

                copy.AsSpan(at * width, width).Clear();
            }
        }

        return new ArrowBuffer(copy.AsMemory(0, bytes));
    }

    private static ArrowBuffer Bits(byte* data, ulong* valid, int rows, List<byte[]> rented)
    {
        int bytes = (rows + 7) / 8;
        byte[] bits = Rent(rented, bytes);
        for (int i = 0; i < bytes; i++)
        {
            int value = 0;
            for (int bit = 0; bit < 8 && (8 * i) + bit < rows; bit++)
            {
                value |= (data[(8 * i) + bit] & 1) << bit;
            }

            bits[i] = (byte)(valid is null ? value : value & ((byte*)valid)[i]);
        }

        return new ArrowBuffer(bits.AsMemory(0, bytes));
    }

    private static ArrowBuffer Widen<T>(T* data, ulong* valid, int rows, List<byte[]> rented)
        where T : unmanaged, IBinaryInteger<T>
    {
        int bytes = rows * sizeof(Int128);
        byte[] wide = Rent(rented, bytes);
        fixed (byte* start = wide)
        {
            long* target = (long*)start;
            for (int row = 0; row < rows; row++)
            {
                long value = IsValid(valid, row) ? long.CreateTruncating(data[row]) : 0;
                target[2 * row] = value;
                target[(2 * row) + 1] = value >> 63;
            }
        }

        return new ArrowBuffer(wide.AsMemory(0, bytes));
    }

    private static ArrowBuffer[] Texts(ArrowBuffer validity, byte* data, ulong* valid, int rows, List<byte[]> rented)
    {
        int offsetBytes = (rows + 1) * sizeof(int);
        byte[] offsets = Rent(rented, offsetBytes);
        long length = 0;
        fixed (byte* start = offsets)
        {
            int* ends = (int*)start;
            ends[0] = 0;
            for (int row = 0; row < rows; row++)
            {
                length += IsValid(valid, row) ? *(uint*)(data + (TextBytes * row)) : 0;
                ends[row + 1] = (int)length;
            }

            if (length > System.Array.MaxLength - TextBytes)
            {
                throw new EngineException("Texts of more than 2 GiB in one chunk cannot be given as Arrow");
            }

            // A short text is written with all of its twelve bytes: the next one, or the room at the end, takes what is too much.
            byte[] values = Rent(rented, (int)length + TextBytes);
            fixed (byte* target = values)
            {
                for (int row = 0; row < rows; row++)
                {
                    byte* text = data + (TextBytes * row);
                    int bytes = ends[row + 1] - ends[row];
                    byte* to = target + ends[row];
                    if (bytes > InlineBytes)
                    {
                        Buffer.MemoryCopy(*(byte**)(text + 8), to, bytes, bytes);
                    }
                    else if (bytes > 0)
                    {
                        Unsafe.CopyBlockUnaligned(to, text + sizeof(int), InlineBytes);
                    }
                }
            }

            return [validity, new ArrowBuffer(offsets.AsMemory(0, offsetBytes)), new ArrowBuffer(values.AsMemory(0, (int)length))];
        }
    }

    /// <summary>Rows that lie in a chunk; disposing them destroys it.</summary>
    private sealed class ChunkBatch(Schema schema, IArrowArray[] columns, int rows, DuckDBDataChunk chunk, List<byte[]> rented) : RecordBatch(schema, columns, rows)
    {
        private int _disposed;

        protected override void Dispose(bool disposing)
        {
            if (disposing && Interlocked.Exchange(ref _disposed, 1) == 0)
            {
                chunk.Dispose();
                Return(rented);
            }

            base.Dispose(disposing);
        }
    }

    /// <summary>Memory of a chunk; the chunk lives as long as anything refers to it and it is not disposed.</summary>
    private sealed class ChunkBuffer(DuckDBDataChunk chunk, byte* start, int length) : MemoryManager<byte>
    {
        public override Span<byte> GetSpan()
        {
            ObjectDisposedException.ThrowIf(chunk.IsClosed, chunk);
            return new Span<byte>(start, length);
        }

        public override MemoryHandle Pin(int elementIndex = 0) => new(start + elementIndex, default, this);

        public override void Unpin()
        {
        }

        protected override void Dispose(bool disposing)
        {
        }
    }
}
