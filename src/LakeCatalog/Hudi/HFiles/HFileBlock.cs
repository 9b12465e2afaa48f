using System.Buffers.Binary;
using System.Globalization;
using System.IO.Compression;

namespace LakeHolo.LakeCatalog.Hudi.HFiles;

/// <summary>One block of an HFile of version 3, decompressed.</summary>
/// <remarks><code>
/// magic 8 | i32 size on disk without header | i32 uncompressed size | i64 previous block | u8 checksum type | i32 bytes per checksum
///   | i32 size on disk with header, without checksums | payload (compressed) | checksums                          all big-endian
/// </code></remarks>
internal static class HFileBlock
{
    public const int HeaderLength = 33;

    /// <summary>Most bytes of one block after decompression: Hudi writes blocks of 1 MiB, with single values beyond that.</summary>
    public const int MaxBlockBytes = 1 << 28;

    /// <summary>The payload of the block that begins at a place of some bytes.</summary>
    /// <param name="bytes">Bytes that hold the block whole.</param>
    /// <param name="position">Where it begins; moved behind it.</param>
    /// <param name="codec">The file's compression codec.</param>
    /// <param name="magic">The block's kind.</param>
    /// <param name="path">For messages.</param>
    public static ReadOnlyMemory<byte> Read(ReadOnlyMemory<byte> bytes, ref int position, int codec, out string magic, string path)
    {
        if (position < 0 || position > bytes.Length - HeaderLength)
        {
            throw LakeException.FormatInvalid($"HFile: a block at byte {position} of {bytes.Length}", path);
        }

        ReadOnlySpan<byte> header = bytes.Span.Slice(position, HeaderLength);
        magic = System.Text.Encoding.ASCII.GetString(header[..8]);
        int size = BinaryPrimitives.ReadInt32BigEndian(header[8..]);
        int uncompressed = BinaryPrimitives.ReadInt32BigEndian(header[12..]);
        int payload = BinaryPrimitives.ReadInt32BigEndian(header[29..]) - HeaderLength;
        if (size < 0 || size > bytes.Length - position - HeaderLength || payload < 0 || payload > size || uncompressed is < 0 or > MaxBlockBytes)
        {
            throw LakeException.FormatInvalid($"HFile: the block at byte {position} declares {size} bytes, {payload} of data, {uncompressed} uncompressed", path);
        }

        ReadOnlyMemory<byte> content = bytes.Slice(position + HeaderLength, payload);
        position += HeaderLength + size;
        return Decompress(content, uncompressed, codec, path);
    }

    private static ReadOnlyMemory<byte> Decompress(ReadOnlyMemory<byte> content, int size, int codec, string path)
    {
        const int Gzip = 1, None = 2;
        if (codec == None)
        {
            return content.Length >= size ? content[..size] : throw LakeException.FormatInvalid($"HFile: a block of {content.Length} bytes, {size} expected", path);
        }

        if (codec != Gzip)
        {
            throw LakeException.FeatureUnsupported(string.Create(CultureInfo.InvariantCulture, $"Hudi: HFile compression codec {codec} is not supported"), path);
        }

        try
        {
            // The stream is read up to the declared size, so that a forged block cannot grow without bound.
            using var stream = new GZipStream(new MemoryStream(content.ToArray(), writable: false), CompressionMode.Decompress);
            byte[] result = new byte[Math.Min(size, checked(content.Length * 1100L + 1100))];
            stream.ReadExactly(result);
            return result.Length == size ? result : throw LakeException.FormatInvalid($"HFile: {content.Length} compressed bytes cannot hold {size}", path);
        }
        catch (Exception error) when (error is InvalidDataException or EndOfStreamException)
        {
            throw LakeException.FormatInvalid("HFile: a block does not decompress: " + error.Message, path, error);
        }
    }
}
