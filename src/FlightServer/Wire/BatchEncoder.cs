using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog;

namespace LakeHolo.FlightServer.Wire;

/// <summary>Puts ranges of rows of a batch into frames: buffers are referred to, not copied; only bitmaps that do not begin at a byte and offsets that do not
/// begin at zero are rewritten. One per stream; not thread-safe; a frame is valid until the next.</summary>
internal sealed class BatchEncoder
{
    /// <summary>Bounds a message so that clients with the usual limit of 4 MiB (tonic, grpc-go) take it.</summary>
    public const long MaxBodyBytes = (2 << 20) - (64 << 10);

    /// <summary>Rows are split at multiples of this, so that bitmaps stay at byte boundaries.</summary>
    private const int SplitRows = 64;

    private readonly FlightFrame _frame = new();
    private readonly List<(long Length, long NullCount)> _nodes = [];
    private readonly List<(long Offset, long Length)> _buffers = [];
    private byte[] _header = new byte[1024];

    /// <summary>How many rows from <paramref name="start"/> fit into one message; at least one.</summary>
    public static int RowsThatFit(RecordBatch batch, int start)
    {
        int rows = batch.Length - start;
        while (rows > 1 && Size(batch, start, rows) > MaxBodyBytes)
        {
            int half = rows / 2;
            rows = half > SplitRows ? half / SplitRows * SplitRows : half;
        }

        return rows;
    }

    /// <summary>Frames rows of a batch.</summary>
    public FlightFrame Encode(RecordBatch batch, int start, int rows)
    {
        _frame.Clear();
        _nodes.Clear();
        _buffers.Clear();
        for (int c = 0; c < batch.ColumnCount; c++)
        {
            ArrayData data = batch.Column(c).Data;
            Add(data, data.Offset + start, rows);
        }

        int length = BatchHeader.Write(ref _header, rows, _nodes, _buffers, _frame.BodyLength);
        _frame.Header = _header.AsMemory(0, length);
        return _frame;
    }

    private static long Size(RecordBatch batch, int start, int rows)
    {
        long size = 0;
        for (int c = 0; c < batch.ColumnCount; c++)
        {
            ArrayData data = batch.Column(c).Data;
            size += Size(data, data.Offset + start, rows);
        }

        return size;
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
                return size + data.Children.Sum(c => Size(c, c.Offset + offset, length));
            case UnionType union:
                return size + (5L * length) + data.Children.Sum(c => union.Mode == UnionMode.Sparse ? Size(c, c.Offset + offset, length) : Size(c, c.Offset, c.Length));
            case FixedWidthType fixedWidth:
                return size + ((long)length * fixedWidth.BitWidth / 8);
            default:
                return size;
        }
    }

    private static int Offset32(ArrayData data, int index) => data.Length == 0 || data.Buffers[1].Length == 0 ? 0 : BinaryPrimitives.ReadInt32LittleEndian(data.Buffers[1].Span[(4 * index)..]);

    private static long Offset64(ArrayData data, int index) => data.Length == 0 || data.Buffers[1].Length == 0 ? 0 : BinaryPrimitives.ReadInt64LittleEndian(data.Buffers[1].Span[(8 * index)..]);

    private void Add(ArrayData data, int offset, int length)
    {
        switch (data.DataType)
        {
            case NullType:
                _nodes.Add((length, length));
                return;
            case UnionType union:
                AddUnion(data, union, offset, length);
                return;
        }

        AddValidity(data, offset, length);
        switch (data.DataType)
        {
            case BooleanType:
                AddBits(data.Buffers[1].Memory, offset, length);
                break;
            case StringType or BinaryType:
                AddOffsets32(data, offset, length, out int from, out int to);
                AddPart(data.Buffers[2].Memory[from..to]);
                break;
            case LargeStringType or LargeBinaryType:
                AddOffsets64(data, offset, length, out long first, out long last);
                AddPart(data.Buffers[2].Memory[checked((int)first)..checked((int)last)]);
                break;
            case ListType or MapType:
                AddOffsets32(data, offset, length, out int childFrom, out int childTo);
                Add(data.Children[0], data.Children[0].Offset + childFrom, childTo - childFrom);
                break;
            case LargeListType:
                AddOffsets64(data, offset, length, out long largeFrom, out long largeTo);
                Add(data.Children[0], checked((int)(data.Children[0].Offset + largeFrom)), checked((int)(largeTo - largeFrom)));
                break;
            case FixedSizeListType list:
                Add(data.Children[0], data.Children[0].Offset + (offset * list.ListSize), length * list.ListSize);
                break;
            case StructType:
                foreach (ArrayData child in data.Children)
                {
                    Add(child, child.Offset + offset, length);
                }

                break;
            case FixedWidthType fixedWidth:
                int width = fixedWidth.BitWidth / 8;
                AddPart(data.Buffers[1].Memory.Slice(offset * width, length * width));
                break;
            default:
                throw LakeException.FeatureUnsupported($"Columns of the type {data.DataType.Name} cannot be sent");
        }
    }

    private void AddUnion(ArrayData data, UnionType union, int offset, int length)
    {
        _nodes.Add((length, 0));
        AddPart(data.Buffers[0].Memory.Slice(offset, length));
        if (union.Mode == UnionMode.Dense)
        {
            // Its offsets point anywhere into the children, so these go out whole.
            AddPart(data.Buffers[1].Memory.Slice(4 * offset, 4 * length));
        }

        foreach (ArrayData child in data.Children)
        {
            Add(child, union.Mode == UnionMode.Sparse ? child.Offset + offset : child.Offset, union.Mode == UnionMode.Sparse ? length : child.Length);
        }
    }

    private void AddPart(ReadOnlyMemory<byte> part)
    {
        _buffers.Add((_frame.BodyLength, part.Length));
        if (part.Length > 0)
        {
            _frame.AddBody(part);
        }
    }

    private void AddValidity(ArrayData data, int offset, int length)
    {
        ReadOnlyMemory<byte> bits = data.Buffers[0].Memory;
        int nulls = data.NullCount == 0 || bits.IsEmpty ? 0
            : data.NullCount > 0 && offset == data.Offset && length == data.Length ? data.NullCount
            : length - CountBits(bits.Span, offset, length);
        _nodes.Add((length, nulls));
        if (nulls == 0)
        {
            AddPart(default);
        }
        else
        {
            AddBits(bits, offset, length);
        }
    }

    private void AddBits(ReadOnlyMemory<byte> bits, int offset, int length)
    {
        int bytes = (length + 7) / 8;
        int shift = offset & 7;
        if (shift == 0)
        {
            AddPart(bits.Slice(offset / 8, bytes));
            return;
        }

        ReadOnlySpan<byte> source = bits.Span[(offset / 8)..];
        byte[] moved = new byte[bytes];
        for (int i = 0; i < bytes; i++)
        {
            int next = i + 1 < source.Length ? source[i + 1] << (8 - shift) : 0;
            moved[i] = (byte)((source[i] >> shift) | next);
        }

        AddPart(moved);
    }

    private static int CountBits(ReadOnlySpan<byte> bits, int offset, int length)
    {
        int count = 0;
        int end = offset + length;
        while (offset < end && (offset & 7) != 0)
        {
            count += (bits[offset >> 3] >> (offset & 7)) & 1;
            offset++;
        }

        for (; end - offset >= 64; offset += 64)
        {
            count += BitOperations.PopCount(BinaryPrimitives.ReadUInt64LittleEndian(bits[(offset >> 3)..]));
        }

        for (; offset < end; offset++)
        {
            count += (bits[offset >> 3] >> (offset & 7)) & 1;
        }

        return count;
    }

    private void AddOffsets32(ArrayData data, int offset, int length, out int from, out int to)
    {
        if (data.Buffers[1].Length == 0)
        {
            // An empty array may come without offsets; on the wire there is always one.
            (from, to) = (0, 0);
            AddPart(new byte[4]);
            return;
        }

        ReadOnlyMemory<byte> bytes = data.Buffers[1].Memory.Slice(4 * offset, 4 * (length + 1));
        ReadOnlySpan<int> offsets = MemoryMarshal.Cast<byte, int>(bytes.Span);
        (from, to) = (offsets[0], offsets[length]);
        if (from == 0)
        {
            AddPart(bytes);
            return;
        }

        byte[] moved = new byte[bytes.Length];
        Rebase(offsets, from, MemoryMarshal.Cast<byte, int>(moved.AsSpan()));
        AddPart(moved);
    }

    private void AddOffsets64(ArrayData data, int offset, int length, out long from, out long to)
    {
        if (data.Buffers[1].Length == 0)
        {
            (from, to) = (0, 0);
            AddPart(new byte[8]);
            return;
        }

        ReadOnlyMemory<byte> bytes = data.Buffers[1].Memory.Slice(8 * offset, 8 * (length + 1));
        ReadOnlySpan<long> offsets = MemoryMarshal.Cast<byte, long>(bytes.Span);
        (from, to) = (offsets[0], offsets[length]);
        if (from == 0)
        {
            AddPart(bytes);
            return;
        }

        byte[] moved = new byte[bytes.Length];
        Rebase(offsets, from, MemoryMarshal.Cast<byte, long>(moved.AsSpan()));
        AddPart(moved);
    }

    private static void Rebase<T>(ReadOnlySpan<T> offsets, T from, Span<T> target)
        where T : unmanaged, INumber<T>
    {
        int i = 0;
        for (var subtrahend = new Vector<T>(from); i <= offsets.Length - Vector<T>.Count; i += Vector<T>.Count)
        {
            (new Vector<T>(offsets[i..]) - subtrahend).CopyTo(target[i..]);
        }

        for (; i < offsets.Length; i++)
        {
            target[i] = offsets[i] - from;
        }
    }
}
