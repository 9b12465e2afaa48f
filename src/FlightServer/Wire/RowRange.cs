using System.Buffers.Binary;
using Apache.Arrow;
using Apache.Arrow.Types;

namespace LakeHolo.FlightServer.Wire;

/// <summary>Rows <paramref name="Start"/> to <paramref name="Start"/> + <paramref name="Rows"/> of a batch.</summary>
internal readonly record struct RowRange(RecordBatch Batch, int Start, int Rows)
{
    /// <summary>Bytes that the rows take in a message's body, up to padding.</summary>
    public long SizeBytes
    {
        get
        {
            long size = 0;
            for (int c = 0; c < Batch.ColumnCount; c++)
            {
                ArrayData data = Batch.Column(c).Data;
                size += Size(data, data.Offset + Start, Rows);
            }

            return size;
        }
    }

    /// <summary>As many of the first rows as fit into a number of bytes; at least one.</summary>
    public RowRange ThatFits(long bytes)
    {
        RowRange range = this;
        while (range.Rows > 1 && range.SizeBytes > bytes)
        {
            range = range with { Rows = range.Rows / 2 };
        }

        return range;
    }

    private static long Size(ArrayData data, int offset, int length)
    {
        long size = data.NullCount == 0 ? 0 : (length / 8) + 8;
        switch (data.DataType)
        {
            case StringType or BinaryType:
                return size + (4L * length) + Offset32(data, offset + length) - Offset32(data, offset);
            case LargeStringType or LargeBinaryType:
                return size + (8L * length) + Offset64(data, offset + length) - Offset64(data, offset);
            case ListType or MapType:
                int from = Offset32(data, offset);
                return size + (4L * length) + Size(data.Children[0], data.Children[0].Offset + from, Offset32(data, offset + length) - from);
            case LargeListType:
                long start = Offset64(data, offset);
                return size + (8L * length) + Size(data.Children[0], checked((int)(data.Children[0].Offset + start)), checked((int)(Offset64(data, offset + length) - start)));
            case FixedSizeListType list:
                return size + Size(data.Children[0], data.Children[0].Offset + (offset * list.ListSize), length * list.ListSize);
            case StructType:
                foreach (ArrayData child in data.Children)
                {
                    size += Size(child, child.Offset + offset, length);
                }

                return size;
            case UnionType union:
                foreach (ArrayData child in data.Children)
                {
                    size += union.Mode == UnionMode.Sparse ? Size(child, child.Offset + offset, length) : Size(child, child.Offset, child.Length);
                }

                return size + (5L * length);
            case FixedWidthType fixedWidth:
                return size + ((long)length * fixedWidth.BitWidth / 8);
            default:
                return size;
        }
    }

    private static int Offset32(ArrayData data, int index) => data.Length == 0 || data.Buffers[1].Length == 0 ? 0 : BinaryPrimitives.ReadInt32LittleEndian(data.Buffers[1].Span[(4 * index)..]);

    private static long Offset64(ArrayData data, int index) => data.Length == 0 || data.Buffers[1].Length == 0 ? 0 : BinaryPrimitives.ReadInt64LittleEndian(data.Buffers[1].Span[(8 * index)..]);
}
