using System.Numerics;
using System.Runtime.InteropServices;
using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog;

namespace LakeHolo.FlightServer.Wire;

/// <summary>Puts rows of one or more batches of one schema into one record batch message. Values are referred to where they are, not copied; only bitmaps, and offsets that do not
/// begin at zero, are written anew, and all of it where the client wants it compressed. One per stream; not thread-safe; a frame is valid until the next.</summary>
internal sealed class BatchEncoder(BodyCodec codec = BodyCodec.None) : IDisposable
{
    /// <summary>Bounds a message so that clients with the usual limit of 4 MiB (tonic, grpc-go) take it.</summary>
    public const long MaxBodyBytes = (2 << 20) - (64 << 10);

    /// <summary>The length -1 before a buffer that is sent as it is among compressed ones.</summary>
    private static readonly byte[] NotCompressed = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];

    private readonly FlightFrame _frame = new();
    private readonly List<(long Length, long NullCount)> _nodes = [];
    private readonly List<(long Offset, long Length)> _buffers = [];
    private readonly Stack<List<Piece>> _spare = new();
    private readonly Scratch _scratch = new();
    private readonly BodyCompressor? _compressor = codec == BodyCodec.None ? null : new BodyCompressor(codec);
    private byte[] _header = new byte[1024];
    private int _bufferPiece;

    /// <summary>Bytes that the encoder holds between messages.</summary>
    public long HeldBytes => _scratch.HeldBytes + _header.Length;

    /// <summary>Frames rows of batches, one range after the other.</summary>
    public FlightFrame Encode(IReadOnlyList<RowRange> ranges)
    {
        _frame.Clear();
        _nodes.Clear();
        _buffers.Clear();
        _scratch.Clear();
        _bufferPiece = 0;
        long rows = 0;
        foreach (RowRange range in ranges)
        {
            rows += range.Rows;
        }

        for (int c = 0; c < ranges[0].Batch.ColumnCount; c++)
        {
            List<Piece> pieces = Rent();
            foreach (RowRange range in ranges)
            {
                ArrayData data = range.Batch.Column(c).Data;
                pieces.Add(new Piece(data, data.Offset + range.Start, range.Rows));
            }

            Add(pieces);
        }

        int length = BatchHeader.Write(ref _header, rows, _nodes, _buffers, _frame.BodyLength, codec);
        _frame.Header = _header.AsMemory(0, length);
        return _frame;
    }

    public void Dispose() => _compressor?.Dispose();

    private List<Piece> Rent() => _spare.TryPop(out List<Piece>? pieces) ? pieces : [];

    /// <summary>Adds an array of which the pieces are parts; takes the list back.</summary>
    private void Add(List<Piece> pieces)
    {
        IArrowType type = pieces[0].Data.DataType;
        if (type is NullType)
        {
            long length = Length(pieces);
            _nodes.Add((length, length));
        }
        else if (type is UnionType union)
        {
            AddUnion(pieces, union);
        }
        else
        {
            AddValidity(pieces);
            AddValues(pieces, type);
        }

        pieces.Clear();
        _spare.Push(pieces);
    }

    private void AddValues(List<Piece> pieces, IArrowType type)
    {
        switch (type)
        {
            case BooleanType:
                AddBits(pieces, 1);
                break;
            case StringType or BinaryType:
                AddOffsets<int>(pieces);
                AddBytes(pieces, static p => p.Data.Buffers[2].Memory[p.Offset32(0)..p.Offset32(p.Length)]);
                break;
            case LargeStringType or LargeBinaryType:
                AddOffsets<long>(pieces);
                AddBytes(pieces, static p => p.Data.Buffers[2].Memory[checked((int)p.Offset64(0))..checked((int)p.Offset64(p.Length))]);
                break;
            case ListType or MapType:
                AddOffsets<int>(pieces);
                AddChild(pieces, 0, static (p, child) => new Piece(child, child.Offset + p.Offset32(0), p.Offset32(p.Length) - p.Offset32(0)));
                break;
            case LargeListType:
                AddOffsets<long>(pieces);
                AddChild(pieces, 0, static (p, child) => new Piece(child, checked((int)(child.Offset + p.Offset64(0))), checked((int)(p.Offset64(p.Length) - p.Offset64(0)))));
                break;
            case FixedSizeListType list:
                int size = list.ListSize;
                AddChild(pieces, 0, (p, child) => new Piece(child, child.Offset + (p.Offset * size), p.Length * size));
                break;
            case StructType:
                for (int i = 0; i < pieces[0].Data.Children.Length; i++)
                {
                    AddChild(pieces, i, static (p, child) => new Piece(child, child.Offset + p.Offset, p.Length));
                }

                break;
            case FixedWidthType fixedWidth:
                int width = fixedWidth.BitWidth / 8;
                foreach (Piece piece in pieces)
                {
                    _frame.AddBody(piece.Data.Buffers[1].Memory.Slice(piece.Offset * width, piece.Length * width));
                }

                EndBuffer((long)width * Length(pieces));
                break;
            default:
                throw LakeException.FeatureUnsupported($"Columns of the type {type.Name} cannot be sent");
        }
    }

    private void AddChild(List<Piece> parents, int index, Func<Piece, ArrayData, Piece> part)
    {
        List<Piece> children = Rent();
        foreach (Piece parent in parents)
        {
            children.Add(part(parent, parent.Data.Children[index]));
        }

        Add(children);
    }

    private void AddBytes(List<Piece> pieces, Func<Piece, ReadOnlyMemory<byte>> part)
    {
        long length = 0;
        foreach (Piece piece in pieces)
        {
            ReadOnlyMemory<byte> bytes = piece.Length == 0 ? default : part(piece);
            _frame.AddBody(bytes);
            length += bytes.Length;
        }

        EndBuffer(length);
    }

    /// <summary>A union has no validity. A dense one's offsets point anywhere into its children, so these go out whole.</summary>
    private void AddUnion(List<Piece> pieces, UnionType union)
    {
        _nodes.Add((Length(pieces), 0));
        AddBytes(pieces, static p => p.Data.Buffers[0].Memory.Slice(p.Offset, p.Length));
        bool sparse = union.Mode == UnionMode.Sparse;
        if (!sparse)
        {
            AddDenseOffsets(pieces, union);
        }

        for (int i = 0; i < union.Fields.Count; i++)
        {
            AddChild(pieces, i, sparse ? static (p, child) => new Piece(child, child.Offset + p.Offset, p.Length) : static (_, child) => new Piece(child, child.Offset, child.Length));
        }
    }

    private void AddDenseOffsets(List<Piece> pieces, UnionType union)
    {
        Memory<byte> memory = _scratch.Rent(4 * Length(pieces));
        Span<int> target = MemoryMarshal.Cast<byte, int>(memory.Span);
        Span<int> before = stackalloc int[128];
        before.Clear();
        int at = 0;
        foreach (Piece piece in pieces)
        {
            ReadOnlySpan<byte> ids = piece.Data.Buffers[0].Span.Slice(piece.Offset, piece.Length);
            ReadOnlySpan<int> offsets = MemoryMarshal.Cast<byte, int>(piece.Data.Buffers[1].Span).Slice(piece.Offset, piece.Length);
            for (int r = 0; r < piece.Length; r++)
            {
                target[at++] = offsets[r] + before[ids[r] & 127];
            }

            for (int i = 0; i < union.Fields.Count; i++)
            {
                before[union.TypeIds[i] & 127] += piece.Data.Children[i].Length;
            }
        }

        _frame.AddBody(memory);
        EndBuffer(memory.Length);
    }

    private void AddValidity(List<Piece> pieces)
    {
        int nulls = 0;
        foreach (Piece piece in pieces)
        {
            nulls += piece.Nulls;
        }

        _nodes.Add((Length(pieces), nulls));
        if (nulls == 0)
        {
            EndBuffer(0);
        }
        else
        {
            AddBits(pieces, 0);
        }
    }

    /// <summary>A bitmap of all pieces; one that a piece does not have is all ones.</summary>
    private void AddBits(List<Piece> pieces, int buffer)
    {
        Memory<byte> memory = _scratch.Rent((Length(pieces) + 7) / 8);
        int at = 0;
        foreach (Piece piece in pieces)
        {
            ReadOnlySpan<byte> bits = piece.Data.Buffers[buffer].Span;
            if (bits.IsEmpty)
            {
                Bits.Fill(memory.Span, at, piece.Length);
            }
            else
            {
                Bits.Copy(bits, piece.Offset, memory.Span, at, piece.Length);
            }

            at += piece.Length;
        }

        _frame.AddBody(memory);
        EndBuffer(memory.Length);
    }

    /// <summary>One more offset than there are rows, from zero; an empty array may come without any.</summary>
    private void AddOffsets<T>(List<Piece> pieces)
        where T : unmanaged, INumber<T>
    {
        int size = Marshal.SizeOf<T>();
        long bytes = size * (Length(pieces) + 1L);
        if (pieces.Count == 1 && pieces[0].Data.Buffers[1].Length > 0)
        {
            ReadOnlyMemory<byte> own = pieces[0].Data.Buffers[1].Memory.Slice(size * pieces[0].Offset, (int)bytes);
            if (T.IsZero(MemoryMarshal.Read<T>(own.Span)))
            {
                _frame.AddBody(own);
                EndBuffer(bytes);
                return;
            }
        }

        Memory<byte> memory = _scratch.Rent((int)bytes);
        Span<T> target = MemoryMarshal.Cast<byte, T>(memory.Span);
        T end = T.Zero;
        int at = 0;
        foreach (Piece piece in pieces)
        {
            if (piece.Length > 0)
            {
                ReadOnlySpan<T> offsets = MemoryMarshal.Cast<byte, T>(piece.Data.Buffers[1].Span).Slice(piece.Offset, piece.Length + 1);
                Add(offsets, end - offsets[0], target[at..]);
                end = target[at + piece.Length];
                at += piece.Length;
            }
        }

        _frame.AddBody(memory);
        EndBuffer(bytes);
    }

    private void EndBuffer(long length)
    {
        if (_compressor is not null && length > 0)
        {
            ReadOnlyMemory<byte> compressed = _compressor.Compress(CollectionsMarshal.AsSpan(_frame.Body)[_bufferPiece..], (int)length, _scratch);
            if (compressed.IsEmpty)
            {
                _frame.Insert(_bufferPiece, NotCompressed);
                length += NotCompressed.Length;
            }
            else
            {
                _frame.ReplaceFrom(_bufferPiece, compressed);
                length = compressed.Length;
            }
        }

        _buffers.Add((_frame.BodyLength - length, length));
        _frame.EndBuffer();
        _bufferPiece = _frame.Body.Count;
    }

    private static int Length(List<Piece> pieces)
    {
        int length = 0;
        foreach (Piece piece in pieces)
        {
            length += piece.Length;
        }

        return length;
    }

    private static void Add<T>(ReadOnlySpan<T> source, T addend, Span<T> target)
        where T : unmanaged, INumber<T>
    {
        int i = 0;
        for (var addends = new Vector<T>(addend); i <= source.Length - Vector<T>.Count; i += Vector<T>.Count)
        {
            (new Vector<T>(source[i..]) + addends).CopyTo(target[i..]);
        }

        for (; i < source.Length; i++)
        {
            target[i] = source[i] + addend;
        }
    }

    /// <summary>Rows of an array: <paramref name="Offset"/> counts from the beginning of its buffers.</summary>
    private readonly record struct Piece(ArrayData Data, int Offset, int Length)
    {
        public int Nulls
        {
            get
            {
                ReadOnlySpan<byte> bits = Data.Buffers[0].Span;
                return Data.NullCount == 0 || bits.IsEmpty ? 0
                    : Data.NullCount > 0 && Offset == Data.Offset && Length == Data.Length ? Data.NullCount
                    : Length - Bits.Count(bits, Offset, Length);
            }
        }

        public int Offset32(int row) => Length == 0 ? 0 : MemoryMarshal.Cast<byte, int>(Data.Buffers[1].Span)[Offset + row];

        public long Offset64(int row) => Length == 0 ? 0 : MemoryMarshal.Cast<byte, long>(Data.Buffers[1].Span)[Offset + row];
    }
}
