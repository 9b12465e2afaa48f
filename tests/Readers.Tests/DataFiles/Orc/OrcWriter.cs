using System.IO.Compression;
using System.Numerics;
using System.Text;

namespace LakeHolo.Readers.Tests.DataFiles.Orc;

/// <summary>Writes the pieces of ORC files that tests need: every run kind, streams, and a whole file of one stripe.</summary>
internal static class OrcWriter
{
    public static byte[] Varint(UInt128 value)
    {
        var bytes = new List<byte>();
        for (; value >= 0x80; value >>= 7)
        {
            bytes.Add((byte)((byte)value | 0x80));
        }

        bytes.Add((byte)value);
        return [.. bytes];
    }

    public static ulong ZigZag(long value) => (ulong)((value << 1) ^ (value >> 63));

    public static byte[] Number(long value, bool isSigned) => Varint(isSigned ? ZigZag(value) : (ulong)value);

    public static byte[] Literals1(ReadOnlySpan<long> values, bool isSigned)
    {
        var bytes = new List<byte> { (byte)-values.Length };
        foreach (long value in values)
        {
            bytes.AddRange(Number(value, isSigned));
        }

        return [.. bytes];
    }

    public static byte[] Run1(long start, sbyte delta, int length, bool isSigned) => [(byte)(length - 3), (byte)delta, .. Number(start, isSigned)];

    public static byte[] ShortRepeat(long value, int length, bool isSigned)
    {
        ulong stored = isSigned ? ZigZag(value) : (ulong)value;
        int size = Math.Max(1, (64 - BitOperations.LeadingZeroCount(stored) + 7) / 8);
        return [(byte)(((size - 1) << 3) | (length - 3)), .. BigEndian(stored, size)];
    }

    public static byte[] Direct(ReadOnlySpan<long> values, bool isSigned, int atLeastCode = 0)
    {
        var stored = new ulong[values.Length];
        ulong all = 0;
        for (int i = 0; i < values.Length; i++)
        {
            stored[i] = isSigned ? ZigZag(values[i]) : (ulong)values[i];
            all |= stored[i];
        }

        int code = Math.Max(CodeOf(64 - BitOperations.LeadingZeroCount(all)), atLeastCode);
        return [.. Header(1, code, values.Length), .. Packed(stored, WidthOf(code))];
    }

    /// <summary>A delta run: a start, and steps that all have the sign of the first.</summary>
    public static byte[] Delta(long start, long firstDelta, ReadOnlySpan<ulong> steps, bool isSigned)
    {
        ulong all = 0;
        foreach (ulong step in steps)
        {
            all |= step;
        }

        // Code 0 means a fixed delta, so one bit is written as two.
        int code = steps.Length == 0 ? 0 : Math.Max(1, CodeOf(64 - BitOperations.LeadingZeroCount(all)));
        return [.. Header(3, code, steps.Length + 2), .. Number(start, isSigned), .. Varint(ZigZag(firstDelta)), .. steps.Length == 0 ? [] : Packed(steps, WidthOf(code))];
    }

    public static byte[] FixedDelta(long start, long delta, int length, bool isSigned) => [.. Header(3, 0, length), .. Number(start, isSigned), .. Varint(ZigZag(delta))];

    /// <summary>A patched run: small values over a base, and a few large ones whose upper bits are patches.</summary>
    public static byte[] Patched(long start, ReadOnlySpan<ulong> offsets, int widthCode)
    {
        int width = WidthOf(widthCode);
        ulong mask = (1UL << width) - 1;
        var patches = new List<(int Gap, ulong Patch)>();
        int last = 0;
        ulong all = 0;
        for (int i = 0; i < offsets.Length; i++)
        {
            ulong patch = offsets[i] >> width;
            if (patch == 0)
            {
                continue;
            }

            int gap = i - last;
            for (; gap > 255; gap -= 255)
            {
                patches.Add((255, 0));
            }

            patches.Add((gap, patch));
            all |= patch;
            last = i;
        }

        int patchCode = CodeOf(64 - BitOperations.LeadingZeroCount(all));
        int patchWidth = WidthOf(patchCode);
        int entryWidth = WidthOf(CodeOf(patchWidth + 8));
        ulong magnitude = (ulong)Math.Abs(start);
        int baseBytes = Math.Max(1, (64 - BitOperations.LeadingZeroCount(magnitude) + 8) / 8);
        ulong stored = magnitude | (start < 0 ? 1UL << ((8 * baseBytes) - 1) : 0);
        return
        [
            .. Header(2, widthCode, offsets.Length), (byte)(((baseBytes - 1) << 5) | patchCode), (byte)((7 << 5) | patches.Count), .. BigEndian(stored, baseBytes),
            .. Packed([.. offsets.ToArray().Select(o => o & mask)], width), .. Packed([.. patches.Select(p => ((ulong)p.Gap << patchWidth) | p.Patch)], entryWidth),
        ];
    }

    public static byte[] ByteLiterals(ReadOnlySpan<byte> values)
    {
        var bytes = new List<byte>();
        for (; values.Length > 0; values = values[Math.Min(128, values.Length)..])
        {
            ReadOnlySpan<byte> part = values[..Math.Min(128, values.Length)];
            bytes.Add((byte)-part.Length);
            bytes.AddRange(part);
        }

        return [.. bytes];
    }

    public static byte[] Bits(IReadOnlyList<bool> flags)
    {
        byte[] packed = new byte[(flags.Count + 7) / 8];
        for (int i = 0; i < flags.Count; i++)
        {
            packed[i / 8] |= (byte)(flags[i] ? 0x80 >> (i % 8) : 0);
        }

        return ByteLiterals(packed);
    }

    public static byte[] Message(params (int Field, object Value)[] fields)
    {
        var bytes = new List<byte>();
        foreach ((int field, object value) in fields)
        {
            byte[]? body = value switch
            {
                byte[] b => b,
                string s => Encoding.UTF8.GetBytes(s),
                _ => null,
            };
            bytes.AddRange(Varint((UInt128)((field << 3) | (body is null ? 0 : 2))));
            bytes.AddRange(body is null ? Varint((UInt128)Convert.ToInt64(value, System.Globalization.CultureInfo.InvariantCulture)) : [.. Varint((UInt128)body.Length), .. body]);
        }

        return [.. bytes];
    }

    /// <summary>A file of one stripe. Columns are leaves of the root struct: name, kind, encoding (a dictionary has two entries) and streams (kind, bytes).</summary>
    public static byte[] File(int rows, int compression, params (string Name, int Kind, int Encoding, (int Kind, byte[] Bytes)[] Streams)[] columns)
    {
        byte[] Chunk(byte[] bytes) => compression == 0 ? bytes : bytes.Length == 0 ? [] : Compressed(bytes, compression);
        var streams = new List<(int, object)>();
        var body = new List<byte>();
        for (int i = 0; i < columns.Length; i++)
        {
            foreach ((int kind, byte[] bytes) in columns[i].Streams)
            {
                byte[] chunk = Chunk(bytes);
                streams.Add((1, Message((1, kind), (2, i + 1), (3, chunk.Length))));
                body.AddRange(chunk);
            }
        }

        byte[] stripeFooter = Chunk(Message([.. streams, (2, Message((1, 0))), .. columns.Select(c => (2, (object)Message((1, c.Encoding), (2, c.Encoding is 1 or 3 ? 2 : 0)))), (3, "UTC")]));
        byte[] root = Message([(1, 12), .. columns.Select((_, i) => (2, (object)(i + 1))), .. columns.Select(c => (3, (object)c.Name))]);
        byte[] footer = Chunk(Message(
        [
            (1, 3), (2, body.Count + stripeFooter.Length), (3, Message((1, 3), (2, 0), (3, body.Count), (4, stripeFooter.Length), (5, rows))), (4, root),
            .. columns.Select(c => (4, (object)(c.Kind == 14 ? Message((1, c.Kind), (5, 38), (6, 2)) : Message((1, c.Kind))))), (6, rows),
        ]));
        byte[] postScript = Message((1, footer.Length), (2, compression), (3, 65536), (4, new byte[] { 0, 12 }), (8000, "ORC"));
        return [.. "ORC"u8, .. body, .. stripeFooter, .. footer, .. postScript, (byte)postScript.Length];
    }

    private static byte[] Compressed(byte[] bytes, int compression)
    {
        byte[] packed;
        switch (compression)
        {
            case 1:
                var target = new MemoryStream();
                using (var deflate = new DeflateStream(target, CompressionLevel.Optimal, leaveOpen: true))
                {
                    deflate.Write(bytes);
                }

                packed = target.ToArray();
                break;
            case 2:
                packed = Snappier.Snappy.CompressToArray(bytes);
                break;
            case 4:
                packed = new byte[K4os.Compression.LZ4.LZ4Codec.MaximumOutputSize(bytes.Length)];
                packed = packed[..K4os.Compression.LZ4.LZ4Codec.Encode(bytes, packed)];
                break;
            default:
                using (var zstd = new ZstdSharp.Compressor())
                {
                    packed = zstd.Wrap(bytes).ToArray();
                }

                break;
        }

        bool isOriginal = packed.Length >= bytes.Length;
        byte[] body = isOriginal ? bytes : packed;
        int header = (body.Length << 1) | (isOriginal ? 1 : 0);
        return [(byte)header, (byte)(header >> 8), (byte)(header >> 16), .. body];
    }

    private static byte[] Header(int kind, int code, int length) => [(byte)((kind << 6) | (code << 1) | ((length - 1) >> 8)), (byte)(length - 1)];

    private static byte[] BigEndian(ulong value, int size) => [.. Enumerable.Range(0, size).Select(i => (byte)(value >> (8 * (size - 1 - i))))];

    private static byte[] Packed(ReadOnlySpan<ulong> values, int width)
    {
        byte[] bytes = new byte[((values.Length * width) + 7) / 8];
        int bit = 0;
        foreach (ulong value in values)
        {
            for (int i = width - 1; i >= 0; i--, bit++)
            {
                bytes[bit / 8] |= (byte)(((value >> i) & 1) << (7 - (bit % 8)));
            }
        }

        return bytes;
    }

    private static int CodeOf(int bits) => bits switch
    {
        0 => 0,
        <= 24 => bits - 1,
        <= 26 => 24,
        <= 28 => 25,
        <= 30 => 26,
        <= 32 => 27,
        <= 40 => 28,
        <= 48 => 29,
        <= 56 => 30,
        _ => 31,
    };

    private static int WidthOf(int code) => code <= 23 ? code + 1 : new[] { 26, 28, 30, 32, 40, 48, 56, 64 }[code - 24];
}
