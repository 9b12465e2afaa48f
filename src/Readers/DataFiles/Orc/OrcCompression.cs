using System.IO.Compression;
using K4os.Compression.LZ4;
using LakeHolo.LakeCatalog;
using ZstdSharp;

namespace LakeHolo.Readers.DataFiles.Orc;

/// <summary>Decompresses a stream of chunks.</summary>
/// <remarks>Each chunk has a 3-byte little-endian header, <c>length * 2 + isOriginal</c> (ORC specification, "Compression").</remarks>
internal static class OrcCompression
{
    internal static ReadOnlyMemory<byte> Decompress(OrcPostScript format, ReadOnlyMemory<byte> stream, string path)
    {
        if (format.Compression == OrcCompressionKind.None)
        {
            return stream;
        }

        try
        {
            return DecompressChunks(format, stream, path);
        }
        catch (Exception e) when (e is InvalidDataException or IOException or ZstdException or ArgumentException or IndexOutOfRangeException)
        {
            throw LakeException.FormatInvalid($"An ORC chunk does not decompress with {format.Compression}: {e.Message}", path, e);
        }
    }

    private static ReadOnlyMemory<byte> DecompressChunks(OrcPostScript format, ReadOnlyMemory<byte> stream, string path)
    {
        ReadOnlySpan<byte> rest = stream.Span;
        byte[] target = [];
        int length = 0;
        while (rest.Length > 0)
        {
            if (rest.Length < 3)
            {
                throw LakeException.FormatInvalid("An ORC stream ends inside a chunk header", path);
            }

            int header = rest[0] | (rest[1] << 8) | (rest[2] << 16);
            int size = header >> 1;
            if (size > rest.Length - 3)
            {
                throw LakeException.FormatInvalid($"An ORC chunk declares {size} bytes where {rest.Length - 3} are left", path);
            }

            ReadOnlySpan<byte> chunk = rest.Slice(3, size);
            rest = rest[(3 + size)..];
            bool isOriginal = (header & 1) != 0;
            int room = isOriginal ? size : format.BlockSize;
            if (isOriginal && length == 0 && rest.Length == 0)
            {
                return stream.Slice(3, size);
            }

            if ((long)length + room > target.Length)
            {
                long grown = Math.Max(length + (long)room, Math.Min(2L * target.Length, length + (1L << 26)));
                System.Array.Resize(ref target, grown <= System.Array.MaxLength ? (int)grown : throw LakeException.ResourcesExhausted("An ORC stream of more than 2 GiB", isTransient: false));
            }

            Span<byte> free = target.AsSpan(length, room);
            length += isOriginal ? Copy(chunk, free) : Decompress(format.Compression, chunk, free, path);
        }

        return target.AsMemory(0, length);
    }

    private static int Copy(ReadOnlySpan<byte> chunk, Span<byte> target)
    {
        chunk.CopyTo(target);
        return chunk.Length;
    }

    private static int Decompress(OrcCompressionKind kind, ReadOnlySpan<byte> chunk, Span<byte> target, string path)
    {
        switch (kind)
        {
            case OrcCompressionKind.Zlib:
                return Inflate(chunk, target, path);
            case OrcCompressionKind.Snappy:
                // The library allocates what a chunk declares, up to 2 GiB, before it looks at the target.
                return Snappier.Snappy.GetUncompressedLength(chunk) <= target.Length
                    ? Snappier.Snappy.Decompress(chunk, target)
                    : throw LakeException.FormatInvalid("An ORC chunk decompresses beyond the block size", path);
            case OrcCompressionKind.Lz4:
                int written = LZ4Codec.Decode(chunk, target);
                return written >= 0 ? written : throw LakeException.FormatInvalid("An ORC chunk does not decompress with Lz4", path);
            default:
                using (var zstd = new Decompressor())
                {
                    return zstd.Unwrap(chunk, target);
                }
        }
    }

    private static unsafe int Inflate(ReadOnlySpan<byte> chunk, Span<byte> target, string path)
    {
        fixed (byte* pointer = chunk)
        {
            using var source = new UnmanagedMemoryStream(pointer, chunk.Length);
            using var inflate = new DeflateStream(source, CompressionMode.Decompress);
            int length = inflate.ReadAtLeast(target, target.Length, throwOnEndOfStream: false);
            return length < target.Length || inflate.ReadByte() < 0 ? length : throw LakeException.FormatInvalid("An ORC chunk inflates beyond the block size", path);
        }
    }
}
