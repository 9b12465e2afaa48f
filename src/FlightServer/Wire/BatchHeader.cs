using System.Buffers.Binary;

namespace LakeHolo.FlightServer.Wire;

/// <summary>Writes the Message flatbuffer of a record batch, and reads the two facts of any Message that bounds depend on.</summary>
/// <remarks>
/// The written layout is fixed but for the number of nodes and buffers (Arrow format, Message.fbs):
/// <code>
///   0  offset of Message (16)
///   4  vtable of Message:      version at 16, header_type at 18, header at 4, bodyLength at 8
///  16  Message:                vtable distance, header offset, bodyLength (24), version (32), header_type (34)
///  40  vtable of RecordBatch:  length at 4, nodes at 12, buffers at 16, compression at 20 where there is one
///  52  RecordBatch:            vtable distance, length (56), nodes offset (64), buffers offset (68), compression offset (72)
///  76  count of nodes, then {length, null_count} each; count of buffers, then {offset, length} each
///      BodyCompression:        vtable of 8 bytes, then vtable distance, codec at 4, method at 5 (0: each buffer by itself)
/// </code>
/// </remarks>
internal static class BatchHeader
{
    private const short MetadataV5 = 4;
    private const byte RecordBatchType = 3;
    private const int MessageAt = 16;
    private const int BatchAt = 52;
    private const int NodesAt = 76;
    private const int CompressionBytes = 16;

    /// <summary>Message.fbs: header_type, then bodyLength, as positions of a vtable.</summary>
    private const int HeaderTypeSlot = 1;
    private const int BodyLengthSlot = 3;

    /// <summary>Writes a header into <paramref name="target"/>, which is grown when it is too short; returns the bytes used.</summary>
    public static int Write(
        ref byte[] target, long rows, List<(long Length, long NullCount)> nodes, List<(long Offset, long Length)> buffers, long bodyLength, BodyCodec codec = BodyCodec.None)
    {
        int compressionAt = NodesAt + 4 + (16 * nodes.Count) + 8 + (16 * buffers.Count);
        int size = compressionAt + (codec == BodyCodec.None ? 0 : CompressionBytes);
        if (target.Length < size)
        {
            target = new byte[size * 2];
        }

        Span<byte> bytes = target.AsSpan(0, size);
        bytes.Clear();
        Int(bytes, 0, MessageAt);
        Shorts(bytes[4..], [12, 20, 16, 18, 4, 8]);
        Int(bytes, MessageAt, MessageAt - 4);
        Int(bytes, 20, BatchAt - 20);
        Long(bytes, 24, bodyLength);
        Shorts(bytes[32..], [MetadataV5]);
        bytes[34] = RecordBatchType;
        Shorts(bytes[40..], [12, 24, 4, 12, 16, 0]);
        Int(bytes, BatchAt, BatchAt - 40);
        Long(bytes, 56, rows);
        Int(bytes, 64, NodesAt - 64);
        int buffersAt = NodesAt + 8 + (16 * nodes.Count);
        Int(bytes, 68, buffersAt - 68);
        Int(bytes, NodesAt, nodes.Count);
        int at = NodesAt + 4;
        foreach ((long length, long nullCount) in nodes)
        {
            Long(bytes, at, length);
            Long(bytes, at + 8, nullCount);
            at += 16;
        }

        Int(bytes, buffersAt, buffers.Count);
        at = buffersAt + 4;
        foreach ((long offset, long length) in buffers)
        {
            Long(bytes, at, offset);
            Long(bytes, at + 8, length);
            at += 16;
        }

        if (codec != BodyCodec.None)
        {
            Shorts(bytes[50..], [20]);
            Int(bytes, BatchAt + 20, compressionAt + 8 - (BatchAt + 20));
            Shorts(bytes[compressionAt..], [8, 8, 4, 5]);
            Int(bytes, compressionAt + 8, 8);
            bytes[compressionAt + 12] = codec == BodyCodec.Zstd ? (byte)1 : (byte)0;
        }

        return size;
    }

    /// <summary>The body length that a Message of any kind declares; every access is checked.</summary>
    /// <exception cref="InvalidDataException">The bytes are not a Message.</exception>
    public static long ReadBodyLength(ReadOnlySpan<byte> message, out int headerType)
    {
        int table = checked((int)BinaryPrimitives.ReadUInt32LittleEndian(Part(message, 0, 4)));
        int vtable = checked(table - BinaryPrimitives.ReadInt32LittleEndian(Part(message, table, 4)));
        int slots = (BinaryPrimitives.ReadUInt16LittleEndian(Part(message, vtable, 2)) / 2) - 2;
        int Slot(ReadOnlySpan<byte> m, int slot) => slot < slots ? BinaryPrimitives.ReadUInt16LittleEndian(Part(m, vtable + 4 + (2 * slot), 2)) : 0;
        int type = Slot(message, HeaderTypeSlot);
        int length = Slot(message, BodyLengthSlot);
        headerType = type == 0 ? 0 : Part(message, table + type, 1)[0];
        return length == 0 ? 0 : BinaryPrimitives.ReadInt64LittleEndian(Part(message, table + length, 8));
    }

    private static ReadOnlySpan<byte> Part(ReadOnlySpan<byte> message, int start, int length) =>
        start >= 0 && start <= message.Length - length
            ? message.Slice(start, length)
            : throw new InvalidDataException("The IPC message points outside of itself");

    private static void Int(Span<byte> bytes, int at, int value) => BinaryPrimitives.WriteInt32LittleEndian(bytes[at..], value);

    private static void Long(Span<byte> bytes, int at, long value) => BinaryPrimitives.WriteInt64LittleEndian(bytes[at..], value);

    private static void Shorts(Span<byte> bytes, ReadOnlySpan<short> values)
    {
        for (int i = 0; i < values.Length; i++)
        {
            BinaryPrimitives.WriteInt16LittleEndian(bytes[(2 * i)..], values[i]);
        }
    }
}
