using System.Buffers;
using System.Buffers.Binary;
using K4os.Compression.LZ4;
using ZstdSharp;

namespace LakeHolo.FlightServer.Wire;

/// <summary>How the buffers of a record batch are compressed.</summary>
internal enum BodyCodec
{
    None,
    Lz4,
    Zstd,
}

/// <summary>Compresses the buffers of record batches, each by itself. Not thread-safe.</summary>
/// <remarks>
/// A compressed buffer (Arrow columnar format, "Compression"; an LZ4 frame as "LZ4 Frame Format Description" 1.6):
/// <code>
///   int64 length before; then the frame.   int64 -1; then the bytes as they are, where compression does not make them fewer.
///   LZ4 frame:  04 22 4D 18 | FLG: version 1, blocks independent | BD: blocks of at most 4 MiB | header checksum | { uint32 length, block }… | uint32 0
/// </code>
/// </remarks>
internal sealed class BodyCompressor(BodyCodec codec) : IDisposable
{
    private const int PrefixBytes = 8;
    private const int BlockBytes = 4 << 20;
    private const uint StoredBlock = 0x8000_0000;

    /// <summary>The last byte is the second of the XXH32 of the two before.</summary>
    private static readonly byte[] Lz4Header = [0x04, 0x22, 0x4D, 0x18, 0x60, 0x70, 0x73];

    private readonly Compressor? _zstd = codec == BodyCodec.Zstd ? new Compressor(1) : null;

    public BodyCodec Codec => codec;

    /// <summary>Compresses a buffer that lies in pieces.</summary>
    /// <param name="pieces">Its bytes.</param>
    /// <param name="length">How many.</param>
    /// <param name="scratch">Gives the memory of the outcome.</param>
    /// <returns>The prefix and what follows it; nothing if compression does not make it smaller.</returns>
    public ReadOnlyMemory<byte> Compress(ReadOnlySpan<ReadOnlyMemory<byte>> pieces, int length, Scratch scratch)
    {
        byte[]? gathered = pieces.Length == 1 ? null : ArrayPool<byte>.Shared.Rent(length);
        try
        {
            ReadOnlySpan<byte> source = gathered is null ? pieces[0].Span : Gather(pieces, gathered.AsSpan(0, length));

            // What does not fit is not smaller.
            Memory<byte> target = scratch.Rent(PrefixBytes + length);
            int written = _zstd is not null ? Zstd(source, target.Span[PrefixBytes..]) : Lz4(source, target.Span[PrefixBytes..]);
            if (written == 0)
            {
                scratch.GiveBack(target.Length);
                return default;
            }

            BinaryPrimitives.WriteInt64LittleEndian(target.Span, length);
            scratch.GiveBack(target.Length - PrefixBytes - written);
            return target[..(PrefixBytes + written)];
        }
        finally
        {
            if (gathered is not null)
            {
                ArrayPool<byte>.Shared.Return(gathered);
            }
        }
    }

    public void Dispose() => _zstd?.Dispose();

    private static Span<byte> Gather(ReadOnlySpan<ReadOnlyMemory<byte>> pieces, Span<byte> target)
    {
        int at = 0;
        foreach (ReadOnlyMemory<byte> piece in pieces)
        {
            piece.Span.CopyTo(target[at..]);
            at += piece.Length;
        }

        return target;
    }

    private int Zstd(ReadOnlySpan<byte> source, Span<byte> target) => _zstd!.TryWrap(source, target, out int written) ? written : 0;

    private static int Lz4(ReadOnlySpan<byte> source, Span<byte> target)
    {
        if (target.Length < Lz4Header.Length + 12)
        {
            return 0;
        }

        Lz4Header.CopyTo(target);
        int at = Lz4Header.Length;
        for (; !source.IsEmpty; source = source[Math.Min(source.Length, BlockBytes)..])
        {
            ReadOnlySpan<byte> block = source[..Math.Min(source.Length, BlockBytes)];
            if (target.Length - at < 12)
            {
                return 0;
            }

            // Leaves room for the end mark.
            int written = LZ4Codec.Encode(block, target[(at + 4)..^4]);
            if (written <= 0 || written >= block.Length)
            {
                if (target.Length - at - 8 < block.Length)
                {
                    return 0;
                }

                BinaryPrimitives.WriteUInt32LittleEndian(target[at..], StoredBlock | (uint)block.Length);
                block.CopyTo(target[(at + 4)..]);
                written = block.Length;
            }
            else
            {
                BinaryPrimitives.WriteUInt32LittleEndian(target[at..], (uint)written);
            }

            at += 4 + written;
        }

        BinaryPrimitives.WriteUInt32LittleEndian(target[at..], 0);
        return at + 4;
    }
}
