using System.Buffers.Binary;
using System.Text;

namespace LakeHolo.LakeCatalog.Hudi.HFiles;

/// <summary>Gives bytes of a file.</summary>
/// <param name="offset">Where they begin.</param>
/// <param name="length">How many.</param>
/// <param name="cancellationToken">Observed inside storage reads.</param>
public delegate ValueTask<ReadOnlyMemory<byte>> RangeReader(long offset, int length, CancellationToken cancellationToken);

/// <summary>A cell of an HFile.</summary>
/// <param name="Key">Its key's content: UTF-8 text.</param>
/// <param name="Value">Its value.</param>
public readonly record struct HFileCell(ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> Value);

/// <summary>Reads HFiles of version 3, as Hudi and HBase write them: sorted cells of key and value, found by a block index of one to three levels.</summary>
/// <remarks><code>
/// data blocks, leaf and intermediate index blocks, ... | load-on-open: data index root, meta index root, file info | trailer, the last 4096 bytes
/// </code>The trailer is <c>TRABLK"$</c>, a length-delimited protobuf message, zeros, and a 32-bit version whose lower 24 bits are 3.</remarks>
public sealed class HFileReader
{
    private const int TrailerLength = 4096;
    private const int MajorVersion = 3;
    private const int MaxIndexLevels = 8;
    private const long MaxIndexEntries = 50_000_000;

    private readonly RangeReader _read;
    private readonly string _path;
    private readonly int _codec;
    private readonly List<IndexEntry> _blocks = [];

    private HFileReader(RangeReader read, string path, Trailer trailer)
    {
        (_read, _path) = (read, path);
        _codec = trailer.Codec;
        EntryCount = trailer.EntryCount;
    }

    /// <summary>How many cells the trailer counts.</summary>
    public long EntryCount { get; }

    /// <summary>Named values of the file info block.</summary>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> FileInfo { get; private set; } = new Dictionary<string, ReadOnlyMemory<byte>>();

    /// <summary>Opens a file that is held in memory.</summary>
    public static async ValueTask<HFileReader> OpenAsync(ReadOnlyMemory<byte> file, string path, CancellationToken cancellationToken = default)
        => await OpenAsync(
            (offset, length, _) => offset >= 0 && length >= 0 && offset <= file.Length - length
                ? ValueTask.FromResult(file.Slice((int)offset, length))
                : throw LakeException.FormatInvalid($"HFile: {length} bytes at {offset} of {file.Length}", path),
            file.Length, path, cancellationToken);

    /// <summary>Opens a file: reads its trailer and indexes.</summary>
    /// <exception cref="LakeException">FeatureUnsupported names the version, codec or encryption; FormatInvalid for broken bytes.</exception>
    public static async ValueTask<HFileReader> OpenAsync(RangeReader read, long length, string path, CancellationToken cancellationToken = default)
    {
        if (length < TrailerLength)
        {
            throw LakeException.FormatInvalid($"HFile: {length} bytes are too few", path);
        }

        Trailer trailer = Trailer.Parse((await read(length - TrailerLength, TrailerLength, cancellationToken)).Span, path);
        long loadLength = length - TrailerLength - trailer.LoadOnOpenOffset;
        if (trailer.LoadOnOpenOffset < 0 || loadLength is < 0 or > int.MaxValue)
        {
            throw LakeException.FormatInvalid($"HFile: the load-on-open section at {trailer.LoadOnOpenOffset} of {length}", path);
        }

        var file = new HFileReader(read, path, trailer);
        ReadOnlyMemory<byte> load = await read(trailer.LoadOnOpenOffset, (int)loadLength, cancellationToken);
        int position = 0;
        ReadOnlyMemory<byte> root = HFileBlock.Read(load, ref position, trailer.Codec, out string magic, path);
        Expect("IDXROOT2", magic, path);
        await file.AddBlocksAsync(RootEntries(root, trailer.DataIndexCount, path), trailer.IndexLevels, cancellationToken);
        HFileBlock.Read(load, ref position, trailer.Codec, out magic, path);
        Expect("IDXROOT2", magic, path);
        ReadOnlyMemory<byte> info = HFileBlock.Read(load, ref position, trailer.Codec, out magic, path);
        Expect("FILEINF2", magic, path);
        file.FileInfo = HFileProto.FileInfo(info, path);
        if (file.FileInfo.TryGetValue("MAX_MEMSTORE_TS_KEY", out ReadOnlyMemory<byte> stamp) && stamp.Length == 8 && BinaryPrimitives.ReadInt64BigEndian(stamp.Span) > 0)
        {
            throw LakeException.FeatureUnsupported("Hudi: HFiles with memstore timestamps are not supported", path);
        }

        return file;
    }

    /// <summary>All cells in the file's order.</summary>
    public async ValueTask<IReadOnlyList<HFileCell>> ReadAllAsync(CancellationToken cancellationToken = default)
    {
        var cells = new List<HFileCell>();
        foreach (IndexEntry block in _blocks)
        {
            cells.AddRange(await ReadBlockAsync(block, cancellationToken));
        }

        return cells;
    }

    /// <summary>The cells of some keys, or of all keys that begin with one of some texts; only the blocks that may hold them are read.</summary>
    /// <param name="keys">The keys, UTF-8.</param>
    /// <param name="arePrefixes">Whether keys that begin so are meant, too.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    public async ValueTask<IReadOnlyList<HFileCell>> FindAsync(IEnumerable<byte[]> keys, bool arePrefixes, CancellationToken cancellationToken = default)
    {
        byte[][] wanted = [.. keys.Order(Comparer<byte[]>.Create((a, b) => a.AsSpan().SequenceCompareTo(b)))];
        var cells = new List<HFileCell>();
        int found = -1;
        IReadOnlyList<HFileCell> block = [];
        foreach (byte[] key in wanted)
        {
            for (int i = FirstBlockOf(key); i < _blocks.Count && (i == 0 || MayHold(_blocks[i].Key.Span, key, arePrefixes)); i++)
            {
                if (i != found)
                {
                    block = await ReadBlockAsync(_blocks[i], cancellationToken);
                    found = i;
                }

                cells.AddRange(block.Where(c => arePrefixes ? c.Key.Span.StartsWith(key) : c.Key.Span.SequenceEqual(key)));
            }
        }

        return cells;
    }

    // The last block whose first key is less than the key: equal keys may begin in the block before.
    private int FirstBlockOf(byte[] key)
    {
        int low = 0;
        int high = _blocks.Count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_blocks[middle].Key.Span.SequenceCompareTo(key) < 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return Math.Max(0, low - 1);
    }

    // Whether a block that begins with this key may still hold the one that is looked for.
    private static bool MayHold(ReadOnlySpan<byte> first, byte[] key, bool isPrefix) => first.SequenceCompareTo(key) <= 0 || (isPrefix && first.StartsWith(key));

    private async ValueTask<IReadOnlyList<HFileCell>> ReadBlockAsync(IndexEntry block, CancellationToken cancellationToken)
    {
        ReadOnlyMemory<byte> bytes = await _read(block.Offset, block.Size, cancellationToken);
        int position = 0;
        ReadOnlyMemory<byte> payload = HFileBlock.Read(bytes, ref position, _codec, out string magic, _path);
        Expect("DATABLK*", magic, _path);
        return HFileCells.Parse(payload, _path);
    }

    private async ValueTask AddBlocksAsync(List<IndexEntry> entries, int levels, CancellationToken cancellationToken)
    {
        if (levels is < 0 or > MaxIndexLevels)
        {
            throw LakeException.FormatInvalid($"HFile: an index of {levels} levels", _path);
        }

        if (levels <= 1)
        {
            _blocks.AddRange(entries);
            return;
        }

        foreach (IndexEntry entry in entries)
        {
            ReadOnlyMemory<byte> bytes = await _read(entry.Offset, entry.Size, cancellationToken);
            int position = 0;
            ReadOnlyMemory<byte> payload = HFileBlock.Read(bytes, ref position, _codec, out string magic, _path);
            if (magic is not ("IDXLEAF2" or "IDXINTE2"))
            {
                throw LakeException.FormatInvalid($"HFile: an index block of kind '{magic}'", _path);
            }

            await AddBlocksAsync(LeafEntries(payload, _path), magic == "IDXLEAF2" ? 1 : levels - 1, cancellationToken);
            if (_blocks.Count > MaxIndexEntries)
            {
                throw LakeException.FormatInvalid("HFile: too many blocks", _path);
            }
        }
    }

    // count x (i64 offset, i32 size, length, key)
    private static List<IndexEntry> RootEntries(ReadOnlyMemory<byte> payload, long count, string path)
    {
        var cursor = new HFileCursor(payload, path);
        var entries = new List<IndexEntry>();
        for (; count > 0; count--)
        {
            long offset = cursor.Int64();
            int size = cursor.Int32();
            entries.Add(Entry(offset, size, cursor.Take(cursor.VLong()), path));
        }

        return entries;
    }

    // i32 count, (count + 1) x i32 relative offset, then count x (i64 offset, i32 size, key)
    private static List<IndexEntry> LeafEntries(ReadOnlyMemory<byte> payload, string path)
    {
        var cursor = new HFileCursor(payload, path);
        int count = cursor.Int32();
        var ends = new HFileCursor(cursor.Take((count + 1L) * 4), path);
        int start = ends.Int32();
        var entries = new List<IndexEntry>();
        for (int i = 0; i < count; i++)
        {
            int end = ends.Int32();
            long offset = cursor.Int64();
            int size = cursor.Int32();
            entries.Add(Entry(offset, size, cursor.Take((long)end - start - 12), path));
            start = end;
        }

        return entries;
    }

    private static IndexEntry Entry(long offset, int size, ReadOnlyMemory<byte> key, string path)
        => size is > 0 and <= HFileBlock.MaxBlockBytes && offset >= 0
            ? new IndexEntry(offset, size, HFileCells.ContentOf(key, path))
            : throw LakeException.FormatInvalid($"HFile: an index entry of {size} bytes at {offset}", path);

    private static void Expect(string kind, string magic, string path)
    {
        if (magic != kind)
        {
            throw LakeException.FormatInvalid($"HFile: a block of kind '{magic}' where {kind} is expected", path);
        }
    }

    private readonly record struct IndexEntry(long Offset, int Size, ReadOnlyMemory<byte> Key);

    private sealed record Trailer(long LoadOnOpenOffset, long DataIndexCount, long EntryCount, int IndexLevels, int Codec)
    {
        public static Trailer Parse(ReadOnlySpan<byte> bytes, string path)
        {
            if (!bytes.StartsWith("TRABLK\"$"u8))
            {
                throw LakeException.FormatInvalid("HFile: the trailer's magic is missing", path);
            }

            int version = BinaryPrimitives.ReadInt32BigEndian(bytes[^4..]) & 0xFFFFFF;
            if (version != MajorVersion)
            {
                throw LakeException.FeatureUnsupported($"Hudi: HFile version {version} is not supported", path);
            }

            Dictionary<int, ulong> fields = HFileProto.Trailer(bytes[8..^4].ToArray(), path);
            if (fields.ContainsKey(HFileProto.EncryptionKey))
            {
                throw LakeException.FeatureUnsupported("Hudi: encrypted HFiles are not supported", path);
            }

            const ulong None = 2;
            return new Trailer(
                (long)fields.GetValueOrDefault(2), (long)fields.GetValueOrDefault(5), (long)fields.GetValueOrDefault(7),
                (int)Math.Min(fields.GetValueOrDefault(8), MaxIndexLevels + 1UL), (int)Math.Min(fields.GetValueOrDefault(12, None), 99UL));
        }
    }
}

/// <summary>Takes data blocks apart.</summary>
internal static class HFileCells
{
    /// <summary>i32 key length, i32 value length, key, value, timestamp (VLong); until the end.</summary>
    public static List<HFileCell> Parse(ReadOnlyMemory<byte> payload, string path)
    {
        var cursor = new HFileCursor(payload, path);
        var cells = new List<HFileCell>();
        while (cursor.Remaining > 0)
        {
            int keyLength = cursor.Int32();
            int valueLength = cursor.Int32();
            ReadOnlyMemory<byte> key = ContentOf(cursor.Take(keyLength), path);
            cells.Add(new HFileCell(key, cursor.Take(valueLength)));
            cursor.VLong();
        }

        return cells;
    }

    /// <summary>The content of a key: i16 length, content, then family, timestamp and type, which Hudi leaves alike.</summary>
    public static ReadOnlyMemory<byte> ContentOf(ReadOnlyMemory<byte> key, string path)
    {
        int length = key.Length < 2 ? -1 : BinaryPrimitives.ReadInt16BigEndian(key.Span);
        return length >= 0 && length <= key.Length - 2
            ? key.Slice(2, length)
            : throw LakeException.FormatInvalid($"HFile: a key of {key.Length} bytes with a content of {length}", path);
    }
}

/// <summary>Reads big-endian numbers of some bytes, checked.</summary>
internal sealed class HFileCursor(ReadOnlyMemory<byte> bytes, string path)
{
    private int _position;

    public int Remaining => bytes.Length - _position;

    public int Int32() => BinaryPrimitives.ReadInt32BigEndian(Take(4).Span);

    public long Int64() => BinaryPrimitives.ReadInt64BigEndian(Take(8).Span);

    public byte Byte() => Take(1).Span[0];

    /// <summary>Hadoop's variable-length number.</summary>
    public long VLong()
    {
        sbyte first = (sbyte)Byte();
        if (first >= -112)
        {
            return first;
        }

        bool isNegative = first < -120;
        int count = isNegative ? -120 - first : -112 - first;
        long value = 0;
        for (; count > 0; count--)
        {
            value = (value << 8) | Byte();
        }

        return isNegative ? ~value : value;
    }

    public ReadOnlyMemory<byte> Take(long count)
    {
        if (count < 0 || count > Remaining)
        {
            throw LakeException.FormatInvalid($"HFile: {count} bytes are wanted at byte {_position} of {bytes.Length}", path);
        }

        ReadOnlyMemory<byte> taken = bytes.Slice(_position, (int)count);
        _position += (int)count;
        return taken;
    }
}

/// <summary>The two protobuf messages of an HFile.</summary>
internal static class HFileProto
{
    public const int EncryptionKey = 13;

    /// <summary>Numbers of the trailer by field; of fields that hold bytes only that they are there.</summary>
    public static Dictionary<int, ulong> Trailer(ReadOnlyMemory<byte> bytes, string path)
    {
        var outer = new HFileCursor(bytes, path);
        var cursor = new HFileCursor(outer.Take(Length(outer, path)), path);
        var fields = new Dictionary<int, ulong>();
        while (cursor.Remaining > 0)
        {
            (int field, int type) = Tag(cursor, path);
            switch (type)
            {
                case 0:
                    fields[field] = Varint(cursor, path);
                    break;
                case 2:
                    cursor.Take(Length(cursor, path));
                    fields[field] = 0;
                    break;
                default:
                    throw LakeException.FormatInvalid($"HFile: a trailer field of wire type {type}", path);
            }
        }

        return fields;
    }

    /// <summary><c>PBUF</c>, then a message of pairs of name and value.</summary>
    public static Dictionary<string, ReadOnlyMemory<byte>> FileInfo(ReadOnlyMemory<byte> payload, string path)
    {
        if (!payload.Span.StartsWith("PBUF"u8))
        {
            throw LakeException.FormatInvalid("HFile: the file info is not a protobuf message", path);
        }

        var outer = new HFileCursor(payload[4..], path);
        var cursor = new HFileCursor(outer.Take(Length(outer, path)), path);
        var info = new Dictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal);
        while (cursor.Remaining > 0)
        {
            Tag(cursor, path);
            var pair = new HFileCursor(cursor.Take(Length(cursor, path)), path);
            ReadOnlyMemory<byte> name = default, value = default;
            while (pair.Remaining > 0)
            {
                (int field, _) = Tag(pair, path);
                ReadOnlyMemory<byte> bytes = pair.Take(Length(pair, path));
                (name, value) = field == 1 ? (bytes, value) : (name, bytes);
            }

            info[Encoding.UTF8.GetString(name.Span)] = value;
        }

        return info;
    }

    private static (int Field, int Type) Tag(HFileCursor cursor, string path)
    {
        ulong tag = Varint(cursor, path);
        return ((int)Math.Min(tag >> 3, int.MaxValue), (int)(tag & 7));
    }

    private static long Length(HFileCursor cursor, string path) => (long)Math.Min(Varint(cursor, path), long.MaxValue);

    private static ulong Varint(HFileCursor cursor, string path)
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            byte next = cursor.Byte();
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }

        throw LakeException.FormatInvalid("HFile: a number of too many bytes", path);
    }
}
