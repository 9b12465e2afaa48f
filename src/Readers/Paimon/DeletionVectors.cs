using System.Buffers.Binary;
using System.IO.Hashing;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Merging;

namespace LakeHolo.Readers.Paimon;

/// <summary>Decodes deletion vectors out of index files.</summary>
/// <remarks>
/// <code>
/// version 1: int32 BE length of magic and bitmap | int32 BE magic | roaring bitmap, 32 bit | int32 BE CRC-32 of magic and bitmap
/// version 2: int32 BE length of magic and bitmap | int32 LE magic | int64 LE count, { int32 LE high word, roaring bitmap } | int32 BE CRC-32
/// </code>
/// Which one it is only the magic tells: a table may hold both. The length of the index manifest counts magic and bitmap in version 1, everything in version 2.
/// </remarks>
internal static class DeletionVectors
{
    private const int MagicV1 = 1581511376;
    private const int MagicV2 = 1681511377;
    private const byte FileVersion = 1;

    /// <summary>Bytes to read for a vector: what the length field leaves out is included, as far as the file goes.</summary>
    public static long BytesToRead(PaimonDeletionVector vector, long fileSize) => Math.Min(vector.Length + 8, fileSize - vector.Offset);

    public static void CheckFileVersion(byte version, string path)
    {
        if (version != FileVersion)
        {
            throw LakeException.FeatureUnsupported($"Deletion vector index version {version} is not supported, only {FileVersion}", path);
        }
    }

    /// <summary>The dead positions of a vector, ascending.</summary>
    /// <param name="bytes">The vector's bytes.</param>
    /// <param name="vector">What the manifest says of it.</param>
    /// <param name="rowCount">Rows of the data file.</param>
    public static List<long> Decode(ReadOnlySpan<byte> bytes, PaimonDeletionVector vector, long rowCount)
    {
        string path = vector.IndexPath;
        if (bytes.Length < 12)
        {
            throw LakeException.FormatInvalid($"The deletion vector of {vector.DataFile} has only {bytes.Length} bytes", path);
        }

        int length = BinaryPrimitives.ReadInt32BigEndian(bytes);
        bool isV1 = BinaryPrimitives.ReadInt32BigEndian(bytes[4..]) == MagicV1;
        if (!isV1 && BinaryPrimitives.ReadInt32LittleEndian(bytes[4..]) != MagicV2)
        {
            throw LakeException.FeatureUnsupported($"The deletion vector of {vector.DataFile} has an unknown magic number", path);
        }

        if (length < 4 || length > bytes.Length - 8 || vector.Length != (isV1 ? length : length + 8L))
        {
            throw LakeException.FormatInvalid(
                $"The deletion vector of {vector.DataFile} declares {length} bytes, the index manifest says {vector.Length}, {bytes.Length} are there", path);
        }

        uint checksum = BinaryPrimitives.ReadUInt32BigEndian(bytes[(4 + length)..]);
        if (Crc32.HashToUInt32(bytes.Slice(4, length)) != checksum)
        {
            throw LakeException.FormatInvalid($"The deletion vector of {vector.DataFile} does not match its checksum", path);
        }

        ReadOnlySpan<byte> body = bytes.Slice(8, length - 4);
        var positions = new List<long>();
        if (isV1)
        {
            RoaringBitmapReader.Read(ref body, 0, positions, rowCount, path);
        }
        else
        {
            long count = body.Length < 8 ? -1 : BinaryPrimitives.ReadInt64LittleEndian(body);
            if (count < 0 || count > body.Length / 8)
            {
                throw LakeException.FormatInvalid($"The deletion vector of {vector.DataFile} declares {count} bitmaps", path);
            }

            body = body[8..];
            for (long i = 0; i < count; i++)
            {
                if (body.Length < 4)
                {
                    throw LakeException.FormatInvalid($"The deletion vector of {vector.DataFile} ends early", path);
                }

                long high = BinaryPrimitives.ReadUInt32LittleEndian(body);
                body = body[4..];
                RoaringBitmapReader.Read(ref body, high << 32, positions, rowCount, path);
            }
        }

        if (vector.Cardinality is long expected && expected != positions.Count)
        {
            throw LakeException.FormatInvalid($"The deletion vector of {vector.DataFile} has {positions.Count} positions, its manifest says {expected}", path);
        }

        return positions;
    }
}
