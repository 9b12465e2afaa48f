using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace LakeHolo.LakeCatalog.Hudi.LogFiles;

/// <summary>What a log block holds.</summary>
public enum LogBlockType
{
    /// <summary>An instruction: a rollback.</summary>
    Command = 0,
    /// <summary>Keys of deleted records.</summary>
    Delete = 1,
    /// <summary>Bytes that are no whole block.</summary>
    Corrupt = 2,
    /// <summary>Records in Avro.</summary>
    AvroData = 3,
    /// <summary>Records in an HFile.</summary>
    HFileData = 4,
    /// <summary>Records in a Parquet file.</summary>
    ParquetData = 5,
    /// <summary>Change records, no part of snapshots.</summary>
    CdcData = 6,
}

/// <summary>Header entries of a log block, by their ordinal.</summary>
public enum LogHeader
{
    /// <summary>The instant that wrote the block.</summary>
    InstantTime = 0,
    /// <summary>The instant that a rollback undoes.</summary>
    TargetInstantTime = 1,
    /// <summary>Avro JSON of the records.</summary>
    Schema = 2,
    /// <summary>The command.</summary>
    CommandBlockType = 3,
    /// <summary>Instants whose blocks a log compaction merged.</summary>
    CompactedBlockTimes = 4,
    /// <summary>Positions of the records in the base file.</summary>
    RecordPositions = 5,
    /// <summary>Attempt and sequence of the writer.</summary>
    BlockIdentifier = 6,
    /// <summary>Whether records hold changed columns only.</summary>
    IsPartial = 7,
    /// <summary>The base file that the positions refer to.</summary>
    BaseFileInstantTimeOfRecordPositions = 8,
}

/// <summary>One block of a log file: header and where its content lies.</summary>
public sealed record LogBlock
{
    /// <summary>What it holds.</summary>
    public required LogBlockType Type { get; init; }

    /// <summary>Offset of the block's magic in the file.</summary>
    public required int Offset { get; init; }

    /// <summary>Where its content begins in the file.</summary>
    public int ContentOffset { get; init; }

    /// <summary>Bytes of content.</summary>
    public int ContentLength { get; init; }

    /// <summary>Header entries.</summary>
    public IReadOnlyDictionary<LogHeader, string> Headers { get; init; } = new Dictionary<LogHeader, string>();

    /// <summary>The instant that wrote it; empty for a corrupt block.</summary>
    public string Instant => Headers.GetValueOrDefault(LogHeader.InstantTime) ?? "";

    /// <summary>Whether its records hold only the columns that changed.</summary>
    public bool IsPartial => string.Equals(Headers.GetValueOrDefault(LogHeader.IsPartial), "true", StringComparison.OrdinalIgnoreCase);

    /// <summary>The instants whose blocks a log compaction merged into this one; empty for an ordinary block.</summary>
    public string[] CompactedInstants => (Headers.GetValueOrDefault(LogHeader.CompactedBlockTimes) ?? "")
        .Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}

/// <summary>Finds the blocks of a log file.</summary>
/// <remarks><code>
/// "#HUDI#"  i64 size  i32 version=1  i32 type  header  i64 content length  content  footer  i64 size+6
/// header, footer: i32 count, then count x (i32 key, i32 length, UTF-8)                     all big-endian
/// </code>The size counts everything after itself. A block whose size, trailer or successor does not fit is corrupt (a torn append); reading goes on
/// at the next magic.</remarks>
public static class LogFileParser
{
    private const int MagicLength = 6;
    private const int MaxHeaders = 64;

    private static ReadOnlySpan<byte> Magic => "#HUDI#"u8;

    /// <summary>The blocks of a file in order, corrupt stretches as blocks of their own.</summary>
    /// <exception cref="LakeException">FormatInvalid: not a log file; FeatureUnsupported names an unknown version, block type or header.</exception>
    public static IReadOnlyList<LogBlock> Parse(ReadOnlySpan<byte> file, string path)
    {
        var blocks = new List<LogBlock>();
        // The first append may have been torn within the magic.
        if (file.Length > 0 && !file.StartsWith(Magic[..Math.Min(file.Length, MagicLength)]))
        {
            throw LakeException.FormatInvalid("Hudi: a log file does not begin with #HUDI#", path);
        }

        int position = 0;
        while (position < file.Length)
        {
            int end = EndOf(file, position);
            if (end < 0)
            {
                blocks.Add(new LogBlock { Type = LogBlockType.Corrupt, Offset = position });
                int next = file[Math.Min(file.Length, position + MagicLength)..].IndexOf(Magic);
                position = next < 0 ? file.Length : position + MagicLength + next;
                continue;
            }

            blocks.Add(ParseBlock(file[..end], position, path));
            position = end;
        }

        return blocks;
    }

    // The end of a whole block, or -1.
    private static int EndOf(ReadOnlySpan<byte> file, int start)
    {
        if (file.Length - start < MagicLength + 8)
        {
            return -1;
        }

        long size = BinaryPrimitives.ReadInt64BigEndian(file[(start + MagicLength)..]);
        long end = start + MagicLength + 8 + size;
        if (size < 8 || end > file.Length || end < 0)
        {
            return -1;
        }

        return BinaryPrimitives.ReadInt64BigEndian(file[(int)(end - 8)..]) == size + MagicLength && (end == file.Length || file[(int)end..].StartsWith(Magic)) ? (int)end : -1;
    }

    private static LogBlock ParseBlock(ReadOnlySpan<byte> file, int start, string path)
    {
        var cursor = new Cursor(file, start + MagicLength + 8, path);
        int version = cursor.Int();
        if (version != 1)
        {
            throw LakeException.FeatureUnsupported(string.Create(CultureInfo.InvariantCulture, $"Hudi: log format version {version} is not supported"), path);
        }

        int type = cursor.Int();
        if (type is < 0 or > 6 or 2)
        {
            throw LakeException.FeatureUnsupported(string.Create(CultureInfo.InvariantCulture, $"Hudi: log block type {type} is not supported"), path);
        }

        Dictionary<LogHeader, string> headers = cursor.Map();
        long length = cursor.Long();
        int content = cursor.Position;
        cursor.Skip(length);
        cursor.Map();
        if (cursor.Position + 8 != file.Length)
        {
            throw LakeException.FormatInvalid($"Hudi: the log block at byte {start} ends {file.Length - cursor.Position - 8} bytes before its size says", path);
        }

        return new LogBlock { Type = (LogBlockType)type, Offset = start, ContentOffset = content, ContentLength = (int)length, Headers = headers };
    }

    private ref struct Cursor(ReadOnlySpan<byte> file, int position, string path)
    {
        private readonly ReadOnlySpan<byte> _file = file;
        private readonly string _path = path;

        public int Position { get; private set; } = position;

        public int Int() => BinaryPrimitives.ReadInt32BigEndian(Take(4));

        public long Long() => BinaryPrimitives.ReadInt64BigEndian(Take(8));

        public void Skip(long length) => Take(length);

        public Dictionary<LogHeader, string> Map()
        {
            int count = Int();
            if (count is < 0 or > MaxHeaders)
            {
                throw LakeException.FormatInvalid($"Hudi: a log block claims {count} header entries", _path);
            }

            var map = new Dictionary<LogHeader, string>();
            for (; count > 0; count--)
            {
                int key = Int();
                if (key is < 0 or > (int)LogHeader.BaseFileInstantTimeOfRecordPositions)
                {
                    throw LakeException.FeatureUnsupported(string.Create(CultureInfo.InvariantCulture, $"Hudi: log block header {key} is not supported"), _path);
                }

                map[(LogHeader)key] = Encoding.UTF8.GetString(Take(Int()));
            }

            return map;
        }

        private ReadOnlySpan<byte> Take(long length)
        {
            if (length < 0 || length > _file.Length - Position)
            {
                throw LakeException.FormatInvalid($"Hudi: a length of {length} at byte {Position} passes the log block's end", _path);
            }

            ReadOnlySpan<byte> taken = _file.Slice(Position, (int)length);
            Position += (int)length;
            return taken;
        }
    }
}
