using System.Buffers.Binary;
using System.Numerics;

namespace LakeHolo.FlightServer.Wire;

/// <summary>Arrow bitmaps: bit i is bit i % 8, counted from the lowest, of byte i / 8.</summary>
internal static class Bits
{
    /// <summary>The ones among <paramref name="length"/> bits.</summary>
    public static int Count(ReadOnlySpan<byte> bits, int offset, int length)
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

    /// <summary>Copies bits to a place where all are zero.</summary>
    public static void Copy(ReadOnlySpan<byte> source, int from, Span<byte> target, int to, int length)
    {
        while (length > 0 && (to & 7) != 0)
        {
            target[to >> 3] |= (byte)(((source[from >> 3] >> (from & 7)) & 1) << (to & 7));
            from++;
            to++;
            length--;
        }

        int shift = from & 7;
        ReadOnlySpan<byte> bytes = source[(from >> 3)..];
        Span<byte> whole = target.Slice(to >> 3, length >> 3);
        if (shift == 0)
        {
            bytes[..whole.Length].CopyTo(whole);
        }
        else
        {
            for (int i = 0; i < whole.Length; i++)
            {
                whole[i] = (byte)((bytes[i] >> shift) | (bytes[i + 1] << (8 - shift)));
            }
        }

        for (int i = length & ~7; i < length; i++)
        {
            target[(to + i) >> 3] |= (byte)(((source[(from + i) >> 3] >> ((from + i) & 7)) & 1) << ((to + i) & 7));
        }
    }

    /// <summary>Sets bits.</summary>
    public static void Fill(Span<byte> target, int to, int length)
    {
        while (length > 0 && (to & 7) != 0)
        {
            target[to >> 3] |= (byte)(1 << (to & 7));
            to++;
            length--;
        }

        target.Slice(to >> 3, length >> 3).Fill(0xFF);
        for (int i = length & ~7; i < length; i++)
        {
            target[(to + i) >> 3] |= (byte)(1 << ((to + i) & 7));
        }
    }
}
