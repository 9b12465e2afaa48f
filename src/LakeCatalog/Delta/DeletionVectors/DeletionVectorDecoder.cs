using System.Buffers.Binary;

namespace LakeHolo.LakeCatalog.Delta.DeletionVectors;

/// <summary>Decodes deletion vectors: no I/O (Delta PROTOCOL.md, "Deletion Vector Format").</summary>
internal static class DeletionVectorDecoder
{
    private const uint Magic = 1681511377;
    private const uint ObsoleteMagic = 1681511376;
    private const ushort CookieWithRuns = 12347;
    private const ushort CookieWithoutRuns = 12346;
    private const int MaxArrayCardinality = 4096;
    private const int BitmapBytes = 8192;
    private const int OffsetsFromContainers = 4;

    private const string Z85Alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

    /// <summary>Row positions, ascending.</summary>
    /// <param name="data">Little-endian: magic, count of bitmaps, then key and 32-bit Roaring bitmap each.</param>
    /// <param name="cardinality">What the log declares.</param>
    /// <param name="path">For messages.</param>
    public static long[] Decode(ReadOnlySpan<byte> data, long cardinality, string path)
    {
        var cursor = new Cursor(data, path);
        uint magic = cursor.UInt32();
        if (magic == ObsoleteMagic)
        {
            throw LakeException.FeatureUnsupported($"The deletion vector has the obsolete layout {ObsoleteMagic}", path);
        }

        if (magic != Magic)
        {
            throw LakeException.FormatInvalid($"The deletion vector begins with {magic}, expected {Magic}", path);
        }

        ulong count = cursor.UInt64();

        // A set of 2^16 positions takes a few bytes at least (a run), so the data's length bounds what can be declared.
        if (cardinality < 0 || (ulong)cardinality > (ulong)data.Length * 65536)
        {
            throw CardinalityMismatch(cardinality, -1, path);
        }

        var positions = new List<long>((int)Math.Min(cardinality, 1 << 20));
        long previousKey = -1;
        for (ulong i = 0; i < count; i++)
        {
            long key = cursor.UInt32();
            if (key <= previousKey || key > int.MaxValue)
            {
                throw LakeException.FormatInvalid($"The deletion vector's bitmap keys are not ascending at {key}", path);
            }

            previousKey = key;
            DecodeBitmap(ref cursor, key << 32, positions, cardinality);
        }

        if (positions.Count != cardinality)
        {
            throw CardinalityMismatch(cardinality, positions.Count, path);
        }

        return cursor.AtEnd
            ? [.. positions]
            : throw LakeException.FormatInvalid("The deletion vector has bytes after its last bitmap", path);
    }

    /// <summary>Decodes Z85 text, five characters for four bytes; a last group that is padded on its left with '#' gives fewer bytes.</summary>
    public static byte[] DecodeZ85(string text, string path)
    {
        if (text.Length % 5 != 0)
        {
            throw LakeException.FormatInvalid($"The Z85 text of a deletion vector has {text.Length} characters, no multiple of 5", path);
        }

        byte[] bytes = new byte[text.Length / 5 * 4];
        int length = 0;
        for (int i = 0; i < text.Length; i += 5)
        {
            // A group cannot begin with '#' (its value would exceed 32 bits) but for the padding that the z85 crate of Rust writes.
            int padding = 0;
            while (i + 5 == text.Length && padding < 4 && text[i + padding] == '#')
            {
                padding++;
            }

            ulong value = 0;
            for (int j = padding; j < 5; j++)
            {
                int digit = Z85Alphabet.IndexOf(text[i + j], StringComparison.Ordinal);
                value = digit >= 0
                    ? (value * 85) + (ulong)digit
                    : throw LakeException.FormatInvalid($"The Z85 text of a deletion vector has the character U+{(int)text[i + j]:X4}", path);
            }

            int size = 4 - padding;
            if (value >> (size * 8) != 0)
            {
                throw LakeException.FormatInvalid("The Z85 text of a deletion vector has a group beyond its range", path);
            }

            for (int j = size - 1; j >= 0; j--)
            {
                bytes[length++] = (byte)(value >> (j * 8));
            }
        }

        return bytes[..length];
    }

    private static void DecodeBitmap(ref Cursor cursor, long high, List<long> positions, long limit)
    {
        uint cookie = cursor.UInt32();
        ReadOnlySpan<byte> runFlags = [];
        int containers;
        if ((cookie & 0xFFFF) == CookieWithRuns)
        {
            containers = (int)(cookie >> 16) + 1;
            runFlags = cursor.Bytes((containers + 7) / 8);
        }
        else if (cookie == CookieWithoutRuns)
        {
            uint count = cursor.UInt32();
            containers = count <= 65536 ? (int)count : throw LakeException.FormatInvalid($"A bitmap declares {count} containers", cursor.Path);
        }
        else
        {
            throw LakeException.FormatInvalid($"A bitmap begins with the unknown cookie {cookie}", cursor.Path);
        }

        ReadOnlySpan<byte> headers = cursor.Bytes(containers * 4);
        if (runFlags.IsEmpty || containers >= OffsetsFromContainers)
        {
            // Offsets of containers: not needed for reading in order.
            cursor.Bytes(containers * 4);
        }

        int previous = -1;
        for (int i = 0; i < containers; i++)
        {
            int key = BinaryPrimitives.ReadUInt16LittleEndian(headers[(i * 4)..]);
            int cardinality = BinaryPrimitives.ReadUInt16LittleEndian(headers[((i * 4) + 2)..]) + 1;
            if (key <= previous)
            {
                throw LakeException.FormatInvalid($"A bitmap's container keys are not ascending at {key}", cursor.Path);
            }

            previous = key;
            bool isRun = !runFlags.IsEmpty && (runFlags[i / 8] >> (i % 8) & 1) != 0;
            DecodeContainer(ref cursor, high | ((long)key << 16), cardinality, isRun, positions);
            if (positions.Count > limit)
            {
                throw CardinalityMismatch(limit, positions.Count, cursor.Path);
            }
        }
    }

    private static void DecodeContainer(ref Cursor cursor, long high, int cardinality, bool isRun, List<long> positions)
    {
        int before = positions.Count;
        if (isRun)
        {
            int runs = cursor.UInt16();
            int next = 0;
            for (int r = 0; r < runs; r++)
            {
                int start = cursor.UInt16();
                int end = start + cursor.UInt16();
                if (start < next || end > ushort.MaxValue)
                {
                    throw LakeException.FormatInvalid("A bitmap's runs overlap or leave their container", cursor.Path);
                }

                for (int v = start; v <= end; v++)
                {
                    positions.Add(high | (long)v);
                }

                next = end + 1;
            }
        }
        else if (cardinality <= MaxArrayCardinality)
        {
            ReadOnlySpan<byte> values = cursor.Bytes(cardinality * 2);
            int last = -1;
            for (int v = 0; v < cardinality; v++)
            {
                int value = BinaryPrimitives.ReadUInt16LittleEndian(values[(v * 2)..]);
                if (value <= last)
                {
                    throw LakeException.FormatInvalid("A bitmap's values are not ascending", cursor.Path);
                }

                last = value;
                positions.Add(high | (long)value);
            }
        }
        else
        {
            ReadOnlySpan<byte> bits = cursor.Bytes(BitmapBytes);
            for (int word = 0; word < BitmapBytes / 8; word++)
            {
                for (ulong w = BinaryPrimitives.ReadUInt64LittleEndian(bits[(word * 8)..]); w != 0; w &= w - 1)
                {
                    positions.Add(high | (long)((word * 64) + System.Numerics.BitOperations.TrailingZeroCount(w)));
                }
            }
        }

        if (positions.Count - before != cardinality)
        {
            throw LakeException.FormatInvalid(
                $"A bitmap's container declares {cardinality} values and holds {positions.Count - before}", cursor.Path);
        }
    }

    private static LakeException CardinalityMismatch(long declared, long found, string path) => LakeException.FormatInvalid(
        $"Deletion vector cardinality mismatch: the log says {declared}, the vector holds {(found < 0 ? "fewer" : found)}", path);

    private ref struct Cursor(ReadOnlySpan<byte> data, string path)
    {
        private ReadOnlySpan<byte> _rest = data;

        public string Path { get; } = path;

        public readonly bool AtEnd => _rest.IsEmpty;

        public ReadOnlySpan<byte> Bytes(int count)
        {
            if (count > _rest.Length)
            {
                throw LakeException.FormatInvalid($"The deletion vector ends early: {count} bytes expected, {_rest.Length} left", Path);
            }

            ReadOnlySpan<byte> bytes = _rest[..count];
            _rest = _rest[count..];
            return bytes;
        }

        public ushort UInt16() => BinaryPrimitives.ReadUInt16LittleEndian(Bytes(2));

        public uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Bytes(4));

        public ulong UInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Bytes(8));
    }
}
