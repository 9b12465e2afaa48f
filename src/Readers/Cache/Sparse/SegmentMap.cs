using System.Buffers.Binary;
using System.IO.Hashing;

namespace LakeHolo.Readers.Cache.Sparse;

/// <summary>The file beside a sparse file that tells which parts of it are there.</summary>
/// <remarks><code>
/// "LHM1" | size of the file, 8 bytes | n × (offset 8, length 8, checksum 8) | XXH3 of all before, 8 bytes      all little-endian
/// </code>
/// It is replaced as a whole, after the data was written. A power cut may leave it ahead of the data; hence the checksum of every part.</remarks>
internal static class SegmentMap
{
    private const int HeaderBytes = 12;
    private const int EntryBytes = 24;
    private const int ChecksumBytes = 8;

    /// <summary>Writes the map of a file in one step.</summary>
    public static void Write(string path, string temporaryPath, long fileSize, IReadOnlyList<Segment> segments)
    {
        byte[] bytes = new byte[HeaderBytes + (EntryBytes * segments.Count) + ChecksumBytes];
        "LHM1"u8.CopyTo(bytes);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(4), fileSize);
        Span<byte> rest = bytes.AsSpan(HeaderBytes);
        foreach (Segment segment in segments)
        {
            BinaryPrimitives.WriteInt64LittleEndian(rest, segment.Offset);
            BinaryPrimitives.WriteInt64LittleEndian(rest[8..], segment.Length);
            BinaryPrimitives.WriteUInt64LittleEndian(rest[16..], segment.Checksum);
            rest = rest[EntryBytes..];
        }

        BinaryPrimitives.WriteUInt64LittleEndian(rest, XxHash3.HashToUInt64(bytes.AsSpan(0, bytes.Length - ChecksumBytes)));
        File.WriteAllBytes(temporaryPath, bytes);
        File.Move(temporaryPath, path, overwrite: true);
    }

    /// <summary>The segments of a file, or null if the map is missing, torn or of another file.</summary>
    public static List<Segment>? TryRead(string path, long fileSize)
    {
        var info = new FileInfo(path);
        if (!info.Exists || info.Length < HeaderBytes + ChecksumBytes || (info.Length - HeaderBytes - ChecksumBytes) % EntryBytes != 0)
        {
            return null;
        }

        ReadOnlySpan<byte> bytes = File.ReadAllBytes(path);
        ReadOnlySpan<byte> content = bytes[..^ChecksumBytes];
        if (!content.StartsWith("LHM1"u8) || BinaryPrimitives.ReadInt64LittleEndian(content[4..]) != fileSize
            || BinaryPrimitives.ReadUInt64LittleEndian(bytes[^ChecksumBytes..]) != XxHash3.HashToUInt64(content))
        {
            return null;
        }

        var segments = new List<Segment>();
        for (ReadOnlySpan<byte> rest = content[HeaderBytes..]; !rest.IsEmpty; rest = rest[EntryBytes..])
        {
            segments.Add(new Segment(
                BinaryPrimitives.ReadInt64LittleEndian(rest),
                BinaryPrimitives.ReadInt64LittleEndian(rest[8..]),
                BinaryPrimitives.ReadUInt64LittleEndian(rest[16..])));
        }

        return segments;
    }
}
