using System.Buffers.Binary;
using System.IO.Hashing;
using LakeHolo.LakeCatalog.Delta.Files;
using LakeHolo.LakeCatalog.Delta.Log;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Delta.DeletionVectors;

/// <summary>Fetches deletion vectors.</summary>
public static class DeletionVectorReader
{
    private const int UuidCharacters = 20;
    private const byte FileVersion = 1;

    // Larger vectors would delete billions of rows of one file.
    private const int MaxSizeBytes = 1 << 30;

    // A few bytes can stand for 65,536 rows, and each becomes a position of eight bytes.
    private const long MaxCardinality = 1 << 28;

    /// <summary>The deleted row positions, ascending.</summary>
    /// <exception cref="LakeException">FormatInvalid when bytes, checksum or cardinality contradict the descriptor; NotFound names a missing file.</exception>
    public static async ValueTask<long[]> ReadAsync(
        DeltaSnapshot snapshot, DeletionVectorDescriptor vector, CancellationToken cancellationToken = default)
    {
        TableRoot root = snapshot.Table.Root;
        if (vector.SizeBytes is < 0 or > MaxSizeBytes || vector.Cardinality < 0 || vector.Offset < 0)
        {
            throw LakeException.FormatInvalid(
                $"The deletion vector declares {vector.SizeBytes} bytes, {vector.Cardinality} rows, offset {vector.Offset}", root.Location);
        }

        if (vector.Cardinality > MaxCardinality)
        {
            throw LakeException.ResourcesExhausted($"A deletion vector deletes {vector.Cardinality} rows of one file, more than {MaxCardinality} of {root.Location}", isTransient: false);
        }

        switch (vector.StorageType)
        {
            case "i":
                byte[] inline = DeletionVectorDecoder.DecodeZ85(vector.PathOrInlineDv, root.Location);
                return vector.SizeBytes > inline.Length || vector.Offset is not null
                    ? throw LakeException.FormatInvalid($"The inline deletion vector holds {inline.Length} bytes, the log says {vector.SizeBytes}", root.Location)
                    : DeletionVectorDecoder.Decode(inline.AsSpan(0, vector.SizeBytes), vector.Cardinality, root.Location);
            case "u":
                return await ReadFileAsync(root.Store, root.Key(RelativePath(vector.PathOrInlineDv, root.Location)), vector, cancellationToken);
            case "p":
                string path = DeltaPath.Canonical(vector.PathOrInlineDv, root.Location);
                (IObjectStore store, string key) = snapshot.Locations.Resolve(root, path);
                return await ReadFileAsync(store, key, vector, cancellationToken);
            default:
                throw LakeException.FeatureUnsupported($"The deletion vector storage type {vector.StorageType} is unknown", root.Location);
        }
    }

    /// <summary>The file of a vector of storage type <c>u</c>, relative to the table's root.</summary>
    internal static string RelativePath(string pathOrInline, string location)
    {
        if (pathOrInline.Length < UuidCharacters)
        {
            throw LakeException.FormatInvalid($"The deletion vector path has {pathOrInline.Length} characters, {UuidCharacters} are needed", location);
        }

        string prefix = pathOrInline[..^UuidCharacters];
        byte[] uuid = DeletionVectorDecoder.DecodeZ85(pathOrInline[^UuidCharacters..], location);
        if (uuid.Length != 16)
        {
            throw LakeException.FormatInvalid("The deletion vector path holds no UUID", location);
        }

        string name = $"deletion_vector_{new Guid(uuid, bigEndian: true):D}.bin";
        return prefix.Length == 0 ? name : prefix + "/" + name;
    }

    // Byte 0 is the version. At the offset, big-endian: size, the vector, its CRC-32.
    private static async ValueTask<long[]> ReadFileAsync(
        IObjectStore store, string key, DeletionVectorDescriptor vector, CancellationToken cancellationToken)
    {
        // Writers always set the offset; the first vector of a file follows the version byte.
        long offset = vector.Offset ?? 1;
        IReadOnlyList<ReadOnlyMemory<byte>> parts;
        try
        {
            parts = await store.ReadRangesAsync(key, [new ByteRange(0, 1), new ByteRange(offset, vector.SizeBytes + 8L)], null, cancellationToken);
        }
        catch (LakeException e) when (e.Kind == LakeErrorKind.NotFound)
        {
            throw LakeException.NotFound("A deletion vector file is missing", key, e);
        }

        return Check(parts[0].Span, parts[1].Span, vector, key);
    }

    private static long[] Check(ReadOnlySpan<byte> version, ReadOnlySpan<byte> slice, DeletionVectorDescriptor vector, string key)
    {
        if (version.IsEmpty || slice.Length < vector.SizeBytes + 8L)
        {
            throw LakeException.FormatInvalid($"The deletion vector file ends inside the vector: {vector.SizeBytes + 8L} bytes expected, {slice.Length} are there", key);
        }

        if (version[0] != FileVersion)
        {
            throw LakeException.FormatInvalid($"The deletion vector file version {version[0]} is unknown, expected {FileVersion}", key);
        }

        uint size = BinaryPrimitives.ReadUInt32BigEndian(slice);
        if (size != vector.SizeBytes)
        {
            throw LakeException.FormatInvalid($"Deletion vector size mismatch: the log says {vector.SizeBytes} bytes, the file {size}", key);
        }

        ReadOnlySpan<byte> data = slice.Slice(4, vector.SizeBytes);
        uint expected = BinaryPrimitives.ReadUInt32BigEndian(slice[(4 + vector.SizeBytes)..]);
        return Crc32.HashToUInt32(data) == expected
            ? DeletionVectorDecoder.Decode(data, vector.Cardinality, key)
            : throw LakeException.FormatInvalid("Deletion vector checksum mismatch", key);
    }
}
