using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;

namespace LakeHolo.LakeCatalog.Paimon.Manifests;

/// <summary>What tells two files apart, as 128 bits (XXH128) of all of it: partition, bucket, level, name, companion files, external path, embedded index.</summary>
/// <remarks>Source: FileEntry.Identifier. The level belongs to it: an upgraded file is deleted at one level and added at another, under one name. Not for several threads.</remarks>
internal sealed class FileIdentity
{
    private byte[] _bytes = new byte[256];
    private int _length;

    /// <summary>The identity of a file that is decoded.</summary>
    public static UInt128 Of(PaimonDataFile file)
    {
        var identity = new FileIdentity();
        foreach (string extra in file.ExtraFiles)
        {
            identity.Add(Encoding.UTF8.GetBytes(extra));
        }

        return identity.Close(
            file.PartitionBytes, file.Bucket, file.Level, Encoding.UTF8.GetBytes(file.Name), file.ExtraFiles.Count,
            file.ExternalPath is null ? default : Encoding.UTF8.GetBytes(file.ExternalPath), file.ExternalPath is not null, file.EmbeddedFileIndex, file.EmbeddedFileIndex is not null);
    }

    /// <summary>A hash of the last part of a path.</summary>
    public static int NameHash(string path) => NameHash(Encoding.UTF8.GetBytes(path));

    /// <summary>The same, of UTF-8.</summary>
    public static int NameHash(ReadOnlySpan<byte> path) => (int)XxHash3.HashToUInt64(path[(path.LastIndexOf((byte)'/') + 1)..]);

    /// <summary>Adds a text or bytes: a companion file's name.</summary>
    public void Add(ReadOnlySpan<byte> value)
    {
        Add(value.Length);
        value.CopyTo(Reserve(value.Length));
    }

    /// <summary>The identity, of what was added and the rest; then the next one begins.</summary>
    public UInt128 Close(
        ReadOnlySpan<byte> partition, int bucket, int level, ReadOnlySpan<byte> name, int extraFiles, ReadOnlySpan<byte> externalPath, bool isExternal, ReadOnlySpan<byte> embeddedIndex, bool isIndexed)
    {
        Add(extraFiles);
        Add(partition);
        Add(bucket);
        Add(level);
        Add(name);
        Add((isExternal ? 1 : 0) + (isIndexed ? 2 : 0));
        Add(externalPath);
        Add(embeddedIndex);
        UInt128 identity = XxHash128.HashToUInt128(_bytes.AsSpan(0, _length));
        _length = 0;
        return identity;
    }

    private void Add(int value) => BinaryPrimitives.WriteInt32LittleEndian(Reserve(4), value);

    private Span<byte> Reserve(int more)
    {
        if (_length + more > _bytes.Length)
        {
            Array.Resize(ref _bytes, Math.Max(_length + more, checked(2 * _bytes.Length)));
        }

        _length += more;
        return _bytes.AsSpan(_length - more, more);
    }
}
