using Apache.Arrow;
using Apache.Arrow.Types;

namespace LakeHolo.Accelerator.Execution;

/// <summary>Copies single rows out of batches.</summary>
internal static class RowCopies
{
    /// <summary>Whether rows of these columns can be copied: numbers, times, truth values, texts and bytes.</summary>
    public static bool CanCopy(Schema schema) => schema.FieldsList.All(f => f.DataType is FixedWidthType or StringType or BinaryType);

    /// <summary>Deals rows out.</summary>
    /// <param name="batch">The rows; before the columns of <paramref name="schema"/> comes the number of who a row is for.</param>
    /// <param name="schema">Columns of a row.</param>
    /// <param name="to">Where rows go, by number; rows for nobody are left out.</param>
    public static void Deal(RecordBatch batch, Schema schema, Queue<RecordBatch>?[] to)
    {
        var numbers = (Int64Array)batch.Column(0);
        var rows = new List<int>?[to.Length];
        for (int row = 0; row < batch.Length; row++)
        {
            long number = numbers.GetValue(row)!.Value;
            if (number < to.Length)
            {
                (rows[number] ??= []).Add(row);
            }
        }

        for (int i = 0; i < to.Length; i++)
        {
            if (rows[i] is { } own)
            {
                IArrowArray[] columns = new IArrowArray[schema.FieldsList.Count];
                for (int c = 0; c < columns.Length; c++)
                {
                    columns[c] = ArrowArrayFactory.BuildArray(Take(batch.Column(c + 1).Data, own));
                }

                (to[i] ??= new Queue<RecordBatch>()).Enqueue(new RecordBatch(schema, columns, own.Count));
            }
        }
    }

    private static ArrayData Take(ArrayData data, List<int> rows)
    {
        (ArrowBuffer validity, int nulls) = Validity(data, rows);
        ArrowBuffer[] values = data.DataType switch
        {
            BooleanType => [Bits(data, rows)],
            FixedWidthType type => [Fixed(data, rows, type.BitWidth / 8)],
            _ => Texts(data, rows),
        };
        return new ArrayData(data.DataType, rows.Count, nulls, 0, [validity, .. values]);
    }

    private static (ArrowBuffer Buffer, int Nulls) Validity(ArrayData data, List<int> rows)
    {
        ReadOnlySpan<byte> valid = data.Buffers[0].Span;
        if (valid.IsEmpty || data.NullCount == 0)
        {
            return (ArrowBuffer.Empty, 0);
        }

        byte[] bits = new byte[BitUtility.ByteCount(rows.Count)];
        int nulls = 0;
        for (int i = 0; i < rows.Count; i++)
        {
            bool isValid = BitUtility.GetBit(valid, data.Offset + rows[i]);
            BitUtility.SetBit(bits, i, isValid);
            nulls += isValid ? 0 : 1;
        }

        return (new ArrowBuffer(bits), nulls);
    }

    private static ArrowBuffer Bits(ArrayData data, List<int> rows)
    {
        byte[] bits = new byte[BitUtility.ByteCount(rows.Count)];
        for (int i = 0; i < rows.Count; i++)
        {
            BitUtility.SetBit(bits, i, BitUtility.GetBit(data.Buffers[1].Span, data.Offset + rows[i]));
        }

        return new ArrowBuffer(bits);
    }

    private static ArrowBuffer Fixed(ArrayData data, List<int> rows, int width)
    {
        byte[] values = new byte[rows.Count * width];
        for (int i = 0; i < rows.Count; i++)
        {
            data.Buffers[1].Span.Slice((data.Offset + rows[i]) * width, width).CopyTo(values.AsSpan(i * width));
        }

        return new ArrowBuffer(values);
    }

    private static ArrowBuffer[] Texts(ArrayData data, List<int> rows)
    {
        ReadOnlySpan<int> from = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, int>(data.Buffers[1].Span)[data.Offset..];
        int[] offsets = new int[rows.Count + 1];
        for (int i = 0; i < rows.Count; i++)
        {
            offsets[i + 1] = offsets[i] + from[rows[i] + 1] - from[rows[i]];
        }

        byte[] bytes = new byte[offsets[^1]];
        for (int i = 0; i < rows.Count; i++)
        {
            data.Buffers[2].Span[from[rows[i]]..from[rows[i] + 1]].CopyTo(bytes.AsSpan(offsets[i]));
        }

        return [new ArrowBuffer(System.Runtime.InteropServices.MemoryMarshal.AsBytes<int>(offsets).ToArray()), new ArrowBuffer(bytes)];
    }
}
