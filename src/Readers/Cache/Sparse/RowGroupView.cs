using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Immutable;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;
using Microsoft.Win32.SafeHandles;

namespace LakeHolo.Readers.Cache.Sparse;

/// <summary>A local Parquet file that names some row groups of a remote one: their chunks, copied from the sparse file to the same offsets, and a footer
/// that lists no others, so that a reader cannot come upon a hole where a row group was left out.</summary>
/// <remarks>Everything in the footer but the list of row groups and the number of rows stays as it is, byte for byte, offsets included. Views do not outlive
/// the process: what was fetched lies in the sparse file, whose checksums tell what is whole.</remarks>
internal sealed class RowGroupView : IDisposable
{
    private const int RowsField = 3; // of FileMetaData
    private const int RowGroupsField = 4;
    private const int CopyBytes = 1 << 20;

    private readonly CacheIndex _index;
    private readonly CacheEntry _entry;
    private readonly long _footerOffset;
    private readonly SemaphoreSlim _gate = new(1);
    private readonly List<Segment> _copied = [];
    private volatile ImmutableHashSet<string> _ready = ImmutableHashSet.Create<string>(StringComparer.OrdinalIgnoreCase);

    private RowGroupView(CacheIndex index, CacheEntry entry, long footerOffset)
    {
        _index = index;
        _entry = entry;
        _footerOffset = footerOffset;
    }

    /// <summary>Makes the file of an entry, without any chunk yet, and its <see cref="CacheEntry.State"/>.</summary>
    /// <param name="index">The index, for room.</param>
    /// <param name="entry">The view's entry, which the caller leases.</param>
    /// <param name="footer">The file's whole footer, tail included.</param>
    /// <param name="layout">What it says.</param>
    /// <param name="needed">For each row group whether it is named.</param>
    public static void Create(CacheIndex index, CacheEntry entry, ReadOnlySpan<byte> footer, ParquetLayout layout, IReadOnlyList<bool> needed)
    {
        byte[] rewritten = FooterOf(footer, layout.RowGroups, needed);
        index.Grow(entry, rewritten.Length);
        string temporary = index.NewTemporaryPath();
        using (SafeFileHandle handle = File.OpenHandle(temporary, FileMode.CreateNew, FileAccess.Write))
        {
            RandomAccess.Write(handle, rewritten, layout.FooterOffset);
        }

        File.Move(temporary, entry.Path, overwrite: true);
        entry.State = new RowGroupView(index, entry, layout.FooterOffset);
    }

    /// <summary>A footer that lists some of the row groups of another.</summary>
    public static byte[] FooterOf(ReadOnlySpan<byte> footer, IReadOnlyList<long> rowGroups, IReadOnlyList<bool> needed)
    {
        ReadOnlySpan<byte> content = footer[..^ParquetLayout.TailBytes];
        var rewritten = new ArrayBufferWriter<byte>(footer.Length);
        var thrift = new CompactThrift(content);
        int field = 0;
        int start = 0;
        while (thrift.NextField(ref field, out int type))
        {
            // A field's head tells how far its number is from the one before: no field is added or left out, so heads stay.
            int value = thrift.Position;
            if (field == RowsField)
            {
                thrift.Skip(type);
                rewritten.Write(content[start..value]);
                WriteVarint(rewritten, (ulong)rowGroups.Where((_, i) => needed[i]).Sum() << 1); // zigzag
            }
            else if (field == RowGroupsField)
            {
                rewritten.Write(content[start..value]);
                CopyRowGroups(ref thrift, content, rewritten, needed);
            }
            else
            {
                thrift.Skip(type);
                rewritten.Write(content[start..thrift.Position]);
            }

            start = thrift.Position;
        }

        rewritten.Write(content[start..]);
        Span<byte> tail = rewritten.GetSpan(ParquetLayout.TailBytes);
        BinaryPrimitives.WriteInt32LittleEndian(tail, rewritten.WrittenCount);
        "PAR1"u8.CopyTo(tail[4..]);
        rewritten.Advance(ParquetLayout.TailBytes);
        return rewritten.WrittenSpan.ToArray();
    }

    /// <summary>Whether the chunks of columns are there.</summary>
    public bool IsReady(IReadOnlyCollection<string> columns) => columns.All(_ready.Contains);

    /// <summary>Copies the chunks of columns that are not there yet.</summary>
    /// <param name="source">The sparse file; the ranges are there.</param>
    /// <param name="columns">The columns.</param>
    /// <param name="chunks">The ranges of their chunks.</param>
    /// <param name="cancellationToken">Observed between parts.</param>
    public async ValueTask CopyAsync(string source, IReadOnlyCollection<string> columns, IEnumerable<ByteRange> chunks, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(CopyBytes);
        try
        {
            // Where a range reaches beyond its chunk it must not touch this file's own footer.
            List<ByteRange> missing = Ranges.Missing(chunks.Select(c => c with { Length = Math.Min(c.Length, _footerOffset - c.Offset) }).Where(c => c.Length > 0), _copied);
            using SafeFileHandle from = File.OpenHandle(source, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, FileOptions.Asynchronous);
            using SafeFileHandle to = File.OpenHandle(_entry.Path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, FileOptions.Asynchronous);
            foreach (ByteRange range in missing)
            {
                await CopyAsync(from, to, range, buffer, cancellationToken);
                _copied.Add(new Segment(range.Offset, range.Length, 0));
            }

            _ready = _ready.Union(columns);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw LakeException.StorageUnavailable($"The disk cache cannot be used: {e.Message}", _entry.Path, isTransient: false, e);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
            _gate.Release();
        }
    }

    public void Dispose() => _gate.Dispose();

    private async Task CopyAsync(SafeFileHandle from, SafeFileHandle to, ByteRange range, byte[] buffer, CancellationToken cancellationToken)
    {
        _index.Grow(_entry, range.Length);
        long position = range.Offset;
        try
        {
            for (long end = range.Offset + range.Length; position < end;)
            {
                int read = await RandomAccess.ReadAsync(from, buffer.AsMemory(0, (int)Math.Min(CopyBytes, end - position)), position, cancellationToken);
                if (read == 0)
                {
                    throw new EndOfStreamException("A cached file is shorter than it was made");
                }

                await RandomAccess.WriteAsync(to, buffer.AsMemory(0, read), position, cancellationToken);
                position += read;
            }
        }
        finally
        {
            if (position < range.Offset + range.Length)
            {
                _index.Grow(_entry, -range.Length);
            }
        }
    }

    private static void CopyRowGroups(ref CompactThrift thrift, ReadOnlySpan<byte> content, ArrayBufferWriter<byte> target, IReadOnlyList<bool> needed)
    {
        const int LongList = 15; // a count of 15 and more stands behind the head
        int count = thrift.List(out int elementType);
        if (count != needed.Count || elementType != CompactThrift.Struct)
        {
            throw LakeException.FormatInvalid($"The Parquet footer lists {count} row groups of type {elementType}");
        }

        int kept = needed.Count(n => n);
        target.Write([(byte)((Math.Min(kept, LongList) << 4) | elementType)]);
        if (kept >= LongList)
        {
            WriteVarint(target, (ulong)kept);
        }

        for (int i = 0; i < count; i++)
        {
            int start = thrift.Position;
            thrift.Skip(elementType);
            if (needed[i])
            {
                target.Write(content[start..thrift.Position]);
            }
        }
    }

    private static void WriteVarint(ArrayBufferWriter<byte> target, ulong value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            target.Write([(byte)(value | 0x80)]);
        }

        target.Write([(byte)value]);
    }
}
