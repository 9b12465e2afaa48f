using System.Buffers.Binary;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Hudi.LogFiles;
using LakeHolo.Readers.Merging;

namespace LakeHolo.Readers.Hudi.LogFiles;

/// <summary>Positions of a block's records in the base file: a portable 64-bit Roaring bitmap in Base64 (header RECORD_POSITIONS), whose i-th smallest number belongs to the i-th
/// record.</summary>
internal static class RecordPositions
{
    /// <summary>Whether all blocks of a slice tell positions in its base file; if not, its records are found by key.</summary>
    public static bool Tell(FileSlice slice, IReadOnlyList<LiveBlock> live)
        => slice.Base is { Extension: "parquet" } file && live.Count > 0 && live.All(b => !b.Block.IsPartial && b.Block.Headers.ContainsKey(LogHeader.RecordPositions)
            && b.Block.Headers.GetValueOrDefault(LogHeader.BaseFileInstantTimeOfRecordPositions) == file.Instant);

    /// <summary>The positions in ascending order; null if the header cannot be read.</summary>
    public static IReadOnlyList<long>? TryRead(LiveBlock block)
    {
        try
        {
            return Decode(Convert.FromBase64String(block.Block.Headers[LogHeader.RecordPositions]), block.Block.ContentLength, block.Log.File.Path);
        }
        catch (Exception error) when (error is FormatException || error is LakeException { Kind: LakeErrorKind.FormatInvalid })
        {
            return null;
        }
    }

    // u64 buckets, then for each u32 of the high bits and a 32-bit bitmap. No record is shorter than a byte.
    internal static IReadOnlyList<long> Decode(ReadOnlySpan<byte> bytes, long limit, string path)
    {
        var positions = new List<long>();
        if (bytes.Length < 8)
        {
            throw LakeException.FormatInvalid($"Hudi: record positions of {bytes.Length} bytes", path);
        }

        ulong buckets = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        bytes = bytes[8..];
        for (ulong i = 0; i < buckets; i++)
        {
            if (bytes.Length < 4)
            {
                throw LakeException.FormatInvalid("Hudi: record positions end early", path);
            }

            uint high = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
            if (high > int.MaxValue)
            {
                throw LakeException.FormatInvalid($"Hudi: a record position of {high} times 2^32", path);
            }

            bytes = bytes[4..];
            RoaringBitmapReader.Read(ref bytes, (long)high << 32, positions, limit, path);
        }

        return positions;
    }
}
