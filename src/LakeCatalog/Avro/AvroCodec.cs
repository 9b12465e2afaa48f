using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;
using Snappier;
using ZstdSharp;

namespace LakeHolo.LakeCatalog.Avro;

/// <summary>Decompresses the blocks of object container files.</summary>
internal static class AvroCodec
{
    // Writers cut blocks at 64 KiB to a few MiB; a block that inflates beyond this is damage or an attack.
    private const int MaxBlockBytes = 1 << 29;

    private static readonly string[] Known = ["null", "deflate", "snappy", "zstandard"];

    internal static void Check(string codec, string path)
    {
        if (!Known.Contains(codec))
        {
            throw LakeException.FeatureUnsupported($"The Avro codec '{codec}' is not supported ({string.Join(", ", Known)} are)", path);
        }
    }

    internal static ReadOnlyMemory<byte> Decompress(string codec, ReadOnlyMemory<byte> block, string path)
    {
        try
        {
            return codec switch
            {
                "null" => block,
                "deflate" => Inflate(new DeflateStream(new MemoryReader(block), CompressionMode.Decompress), block.Length, path),
                "zstandard" => Inflate(new DecompressionStream(new MemoryReader(block)), block.Length, path),
                _ => Snappy(block.Span, path),
            };
        }
        catch (Exception e) when (e is InvalidDataException or IOException or ZstdException or ArgumentException or IndexOutOfRangeException)
        {
            throw LakeException.FormatInvalid($"An Avro block does not decompress with {codec}: {e.Message}", path, e);
        }
    }

    private static byte[] Inflate(Stream stream, int compressedBytes, string path)
    {
        using (stream)
        {
            byte[] buffer = new byte[Math.Clamp((long)compressedBytes * 4, 256, 1 << 22)];
            int length = 0;
            for (int read = stream.Read(buffer); read > 0; read = stream.Read(buffer, length, buffer.Length - length))
            {
                length += read;
                if (length < buffer.Length)
                {
                    continue;
                }

                if (length >= MaxBlockBytes)
                {
                    throw LakeException.FormatInvalid($"An Avro block inflates beyond {MaxBlockBytes} bytes", path);
                }

                Array.Resize(ref buffer, (int)Math.Min(2L * buffer.Length, MaxBlockBytes));
            }

            Array.Resize(ref buffer, length);
            return buffer;
        }
    }

    private static byte[] Snappy(ReadOnlySpan<byte> block, string path)
    {
        // The compressed bytes are followed by the big-endian CRC-32 of the uncompressed ones (Avro specification, "snappy").
        if (block.Length < 5)
        {
            throw LakeException.FormatInvalid($"A snappy block of {block.Length} bytes has no room for its checksum", path);
        }

        ReadOnlySpan<byte> compressed = block[..^4];
        int length = Snappier.Snappy.GetUncompressedLength(compressed);
        // A snappy copy of three bytes yields at most 64.
        if (length < 0 || length > Math.Min(MaxBlockBytes, 32L * compressed.Length))
        {
            throw LakeException.FormatInvalid($"A snappy block of {block.Length} bytes declares {length} uncompressed bytes", path);
        }

        byte[] bytes = new byte[length];
        int written = Snappier.Snappy.Decompress(compressed, bytes);
        uint expected = BinaryPrimitives.ReadUInt32BigEndian(block[^4..]);
        return written == length && Crc32.HashToUInt32(bytes) == expected
            ? bytes
            : throw LakeException.FormatInvalid("A snappy block does not match its checksum", path);
    }

    /// <summary>A stream over memory that need not be an array.</summary>
    private sealed class MemoryReader(ReadOnlyMemory<byte> memory) : Stream
    {
        private ReadOnlyMemory<byte> _rest = memory;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            int count = Math.Min(buffer.Length, _rest.Length);
            _rest.Span[..count].CopyTo(buffer);
            _rest = _rest[count..];
            return count;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
