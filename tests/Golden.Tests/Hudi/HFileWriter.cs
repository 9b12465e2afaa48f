using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>Writes HFiles of version 3 for tests, with one to three index levels.</summary>
internal sealed class HFileWriter(bool isCompressed, int cellsPerBlock, int entriesPerIndex, int levels)
{
    private readonly List<byte> _file = [];

    public byte[] Write(IEnumerable<(string Key, byte[] Value)> sorted, string? schema = null, bool withStamps = false)
    {
        (string Key, byte[] Value)[] cells = [.. sorted];
        List<(long Offset, int Size, byte[] Key)> index = [.. cells.Chunk(cellsPerBlock).Select(c => Block("DATABLK*", [.. c.SelectMany(Cell)], c[0].Key))];
        for (int level = 1; level < levels; level++)
        {
            string magic = level == 1 ? "IDXLEAF2" : "IDXINTE2";
            index = [.. index.Chunk(entriesPerIndex).Select(e => Block(magic, Leaf(e), e[0].Key))];
        }

        long load = _file.Count;
        Block("IDXROOT2", [.. index.SelectMany(e => (byte[])[.. Big(e.Offset), .. Big(e.Size), .. VLong(e.Key.Length), .. e.Key])], []);
        Block("IDXROOT2", [], []);
        byte[] stamps = withStamps ? Field(1, [.. Field(1, "MAX_MEMSTORE_TS_KEY"u8.ToArray()), .. Field(2, Big(7L))]) : [];
        byte[] info = schema is null ? stamps : Field(1, [.. Field(1, "schema"u8.ToArray()), .. Field(2, Encoding.UTF8.GetBytes(schema))]);
        Block("FILEINF2", [.. "PBUF"u8, .. Varint((ulong)info.Length), .. info], []);
        byte[] trailer = [.. Number(2, load), .. Number(5, index.Count), .. Number(7, cells.Length), .. Number(8, levels), .. Number(12, isCompressed ? 1 : 2)];
        byte[] tail = new byte[4096];
        ((byte[])[.. "TRABLK\"$"u8, .. Varint((ulong)trailer.Length), .. trailer]).CopyTo(tail, 0);
        BinaryPrimitives.WriteInt32BigEndian(tail.AsSpan(4092), 3);
        _file.AddRange(tail);
        return [.. _file];
    }

    private (long Offset, int Size, byte[] Key) Block(string magic, byte[] payload, string first) => Block(magic, payload, KeyOf(first));

    private (long Offset, int Size, byte[] Key) Block(string magic, byte[] payload, byte[] first)
    {
        long offset = _file.Count;
        byte[] stored = isCompressed ? Compress(payload) : payload;
        byte[] checksum = new byte[4];
        _file.AddRange([.. Encoding.ASCII.GetBytes(magic), .. Big(stored.Length + checksum.Length), .. Big(payload.Length), .. Big(-1L), 0, .. Big(16384), .. Big(stored.Length + 33), .. stored, .. checksum]);
        return (offset, _file.Count - (int)offset, first);
    }

    private static byte[] Leaf((long Offset, int Size, byte[] Key)[] entries)
    {
        byte[][] parts = [.. entries.Select(e => (byte[])[.. Big(e.Offset), .. Big(e.Size), .. e.Key])];
        int end = 0;
        return [.. Big(entries.Length), .. Big(0), .. parts.SelectMany(p => Big(end += p.Length)), .. parts.SelectMany(p => p)];
    }

    private static byte[] Cell((string Key, byte[] Value) cell)
    {
        byte[] key = KeyOf(cell.Key);
        return [.. Big(key.Length), .. Big(cell.Value.Length), .. key, .. cell.Value, 0];
    }

    private static byte[] KeyOf(string text)
    {
        byte[] content = Encoding.UTF8.GetBytes(text);
        return [(byte)(content.Length >> 8), (byte)content.Length, .. content, 0, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 4];
    }

    private static byte[] Compress(byte[] payload)
    {
        using var stream = new MemoryStream();
        using (var gzip = new GZipStream(stream, CompressionLevel.Fastest))
        {
            gzip.Write(payload);
        }

        return stream.ToArray();
    }

    internal static byte[] Big(int value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        return bytes;
    }

    internal static byte[] Big(long value)
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, value);
        return bytes;
    }

    // Lengths of keys here are below 65536.
    private static byte[] VLong(int value) => value <= 127 ? [(byte)value] : value <= 255 ? [unchecked((byte)-113), (byte)value] : [unchecked((byte)-114), (byte)(value >> 8), (byte)value];

    private static byte[] Number(int field, long value) => [.. Varint((ulong)field << 3), .. Varint((ulong)value)];

    private static byte[] Field(int field, byte[] bytes) => [.. Varint(((ulong)field << 3) | 2), .. Varint((ulong)bytes.Length), .. bytes];

    private static byte[] Varint(ulong value)
    {
        var bytes = new List<byte>();
        for (; value >= 0x80; value >>= 7)
        {
            bytes.Add((byte)(value | 0x80));
        }

        bytes.Add((byte)value);
        return [.. bytes];
    }
}
