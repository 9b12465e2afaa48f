using System.Runtime.InteropServices;
using System.Text;

namespace LakeHolo.Bench.Data;

/// <summary>Values in Avro's binary encoding.</summary>
internal sealed class AvroBytes
{
    private readonly List<byte> _bytes = [];

    public ReadOnlySpan<byte> Span => CollectionsMarshal.AsSpan(_bytes);

    public AvroBytes Int(long value)
    {
        ulong rest = (ulong)((value << 1) ^ (value >> 63));
        for (; rest > 0x7F; rest >>= 7)
        {
            _bytes.Add((byte)(rest | 0x80));
        }

        _bytes.Add((byte)rest);
        return this;
    }

    public AvroBytes Bytes(ReadOnlySpan<byte> value)
    {
        Int(value.Length);
        _bytes.AddRange(value);
        return this;
    }

    public AvroBytes Text(string value) => Bytes(Encoding.UTF8.GetBytes(value));
}

/// <summary>Writes Avro container files.</summary>
internal static class AvroFile
{
    private const int RecordsPerBlock = 200;

    /// <summary>Writes records, in blocks without compression or compressed by zstd.</summary>
    public static void Write(string path, string schema, IEnumerable<AvroBytes> records, bool compressed = false)
    {
        byte[] sync = "lakeholo's bench"u8.ToArray();
        using var zstd = new ZstdSharp.Compressor();
        using FileStream file = File.Create(path);
        file.Write("Obj\u0001"u8);
        file.Write(new AvroBytes().Int(2).Text("avro.schema").Text(schema).Text("avro.codec").Text(compressed ? "zstandard" : "null").Int(0).Span);
        file.Write(sync);
        foreach (AvroBytes[] block in records.Chunk(RecordsPerBlock))
        {
            byte[] bytes = [.. block.SelectMany(r => r.Span.ToArray())];
            bytes = compressed ? zstd.Wrap(bytes).ToArray() : bytes;
            file.Write(new AvroBytes().Int(block.Length).Int(bytes.Length).Span);
            file.Write(bytes);
            file.Write(sync);
        }
    }
}
