using System.Collections.Immutable;
using System.IO.Hashing;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;
using Microsoft.Win32.SafeHandles;

namespace LakeHolo.Readers.Cache.Sparse;

/// <summary>The local copy of one remote file: as long as the file, with the parts fetched so far at their own offsets and holes elsewhere.</summary>
internal sealed partial class SparseFile : IDisposable
{
    private const int MaxConcurrentRequests = 16;
    private const int VerifyBufferBytes = 1 << 20;

    private readonly CacheIndex _index;
    private readonly CacheEntry _entry;
    private readonly RangeFetcher _fetcher;
    private readonly long _sizeBytes;
    private readonly long _wholeFileBytes;
    private readonly bool _alwaysViews;
    private readonly TimeSpan _mostWaiting;
    private readonly SemaphoreSlim _gate = new(1);
    private readonly List<Segment> _segments;
    private readonly HashSet<Segment> _unverified; // written by an earlier process, perhaps torn since
    private volatile ImmutableHashSet<string> _ready = ImmutableHashSet.Create<string>(StringComparer.OrdinalIgnoreCase);
    private volatile bool _hasFooter;
    private volatile ParquetLayout? _layout;
    private volatile bool _isWhole;
    private long _uncounted; // of the end that came with the version

    public SparseFile(CacheIndex index, CacheEntry entry, RangeFetcher fetcher, long sizeBytes, DiskCacheOptions options)
    {
        _index = index;
        _entry = entry;
        _fetcher = fetcher;
        _sizeBytes = sizeBytes;
        _wholeFileBytes = Math.Max(options.WholeFileBytes, ParquetLayout.TailBytes);
        _alwaysViews = options.AlwaysViews;
        _mostWaiting = options.MostWaiting;
        _segments = SegmentMap.TryRead(MapPath, sizeBytes) ?? [];
        _unverified = [.. _segments];
    }

    private string MapPath => _entry.Path + CacheIndex.CompanionSuffix;

    /// <summary>Makes an empty copy.</summary>
    public static void Create(string path, string temporaryPath, long sizeBytes)
    {
        using (SafeFileHandle handle = File.OpenHandle(temporaryPath, FileMode.CreateNew, FileAccess.Write))
        {
            RandomAccess.SetLength(handle, sizeBytes);
        }

        File.Move(temporaryPath, path, overwrite: true);
    }

    /// <summary>Fetches what is missing of the footer and of the columns, or of the whole file.</summary>
    /// <returns>Whether everything was there already.</returns>
    public async ValueTask<bool> EnsureAsync(CacheableFile source, string etag, IReadOnlyCollection<string>? columns, CancellationToken cancellationToken)
    {
        if (IsReady(columns))
        {
            CountCached(columns);
            return true;
        }

        return await WithFileAsync(
            source,
            etag,
            fetch => IsReady(columns) ? Task.FromResult(true)
                : columns is null || _sizeBytes <= _wholeFileBytes ? EnsureWholeAsync(fetch, cancellationToken)
                : EnsureColumnsAsync(fetch, columns, cancellationToken),
            cancellationToken);
    }

    /// <summary>Keeps the end of the file, which came with its version. Waits for nobody: who is at the file fetches it too.</summary>
    /// <returns>Whether it was new.</returns>
    public async ValueTask<bool> TakeEndAsync(CacheableFile source, string etag, ReadOnlyMemory<byte> bytes)
    {
        if (bytes.IsEmpty || !await _gate.WaitAsync(0, CancellationToken.None))
        {
            return false;
        }

        return await WithHeldFileAsync(source, etag, async fetch =>
        {
            ByteRange end = End(bytes.Length);
            if (Ranges.Missing([end], _segments) is not [var missing] || missing != end)
            {
                return false;
            }

            await fetch.KeepAsync(end, take => take(bytes).AsTask());
            _uncounted += end.Length;
            SegmentMap.Write(MapPath, _index.NewTemporaryPath(), _sizeBytes, _segments);
            return true;
        });
    }

    // One at a time for each file.
    private async Task<T> WithFileAsync<T>(CacheableFile source, string etag, Func<Fetch, Task<T>> act, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        return await WithHeldFileAsync(source, etag, act);
    }

    private async Task<T> WithHeldFileAsync<T>(CacheableFile source, string etag, Func<Fetch, Task<T>> act)
    {
        try
        {
            using SafeFileHandle handle = OpenLocal();
            return await act(new Fetch(this, source, etag, handle));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw LakeException.StorageUnavailable($"The disk cache cannot be used: {e.Message}", _entry.Path, isTransient: false, e);
        }
        finally
        {
            _gate.Release();
        }
    }

    private SafeFileHandle OpenLocal() =>
        File.OpenHandle(_entry.Path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete, FileOptions.Asynchronous);

    /// <summary>What has to be fetched yet so that columns (or all of the file) are there; the footer must be.</summary>
    /// <param name="columns">The columns; null for all of the file.</param>
    /// <param name="choice">Of which row groups; null for all.</param>
    /// <param name="cancellationToken">Observed while another statement fetches.</param>
    public async ValueTask<(long Requests, long Bytes)> NeedsAsync(IReadOnlyCollection<string>? columns, RowGroupChoice? choice, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken); // another statement may be fetching parts of this file
        try
        {
            IReadOnlyList<ByteRange> wanted = columns is null ? [new ByteRange(0, _sizeBytes)]
                : _layout is { } layout ? [layout.Footer, .. layout.ChunksOf(columns, choice?.Needed)]
                : [];
            List<ByteRange> requests = _isWhole ? [] : Ranges.Requests(Ranges.Missing(wanted, _segments), RangeFetcher.MaxRequestBytes);
            return (requests.Count, requests.Sum(r => r.Length));
        }
        finally
        {
            _gate.Release();
        }
    }

    public void Dispose() => _gate.Dispose();

    private bool IsReady(IReadOnlyCollection<string>? columns) => _isWhole || (columns is not null && _hasFooter && !_isHeld && columns.All(_ready.Contains));

    private void CountCached(IReadOnlyCollection<string>? columns)
    {
        if (StorageUse.Current is { } use)
        {
            use.CountCached(columns is null || _layout is null ? _sizeBytes : _layout.RangesOf(columns).Sum(r => r.Length));
        }
    }

    private async Task<bool> EnsureWholeAsync(Fetch fetch, CancellationToken cancellationToken)
    {
        bool hit = await EnsureRangesAsync(fetch, [new ByteRange(0, _sizeBytes)], cancellationToken);
        _isWhole = true;
        return hit;
    }

    private async Task<bool> EnsureColumnsAsync(Fetch fetch, IReadOnlyCollection<string> columns, CancellationToken cancellationToken)
    {
        (ParquetLayout? layout, bool hit) = await EnsureFooterAsync(fetch, cancellationToken);
        if (layout is null)
        {
            return await EnsureWholeAsync(fetch, cancellationToken) && hit;
        }

        hit &= await EnsureRangesAsync(fetch, [.. layout.RangesOf(columns)], cancellationToken);
        _hasFooter = true;
        _ready = _ready.Union(columns);
        return hit;
    }

    // What the footer says, null if this is no plain Parquet file, and whether it was there already.
    private async Task<(ParquetLayout? Layout, bool Hit)> EnsureFooterAsync(Fetch fetch, CancellationToken cancellationToken)
    {
        if (_layout is { } known)
        {
            return (known, true);
        }

        // The end that is there already tells the footer's length; else a guess takes both with one request.
        var tail = new ByteRange(_sizeBytes - ParquetLayout.TailBytes, ParquetLayout.TailBytes);
        bool hasTail = Ranges.Missing([tail], _segments).Count == 0;
        ByteRange end = hasTail ? tail : End(_fetcher.FooterGuess);
        bool hit = await EnsureRangesAsync(fetch, [end], cancellationToken);

        byte[] bytes = await ReadLocalAsync(fetch.Handle, tail, cancellationToken);
        if (ParquetLayout.FooterBytes(bytes, _sizeBytes) is not { } footerBytes)
        {
            return (null, hit);
        }

        _fetcher.LearnFooter(footerBytes);
        hit &= await EnsureRangesAsync(fetch, [End(footerBytes)], cancellationToken);
        byte[] footer = await ReadLocalAsync(fetch.Handle, End(footerBytes), cancellationToken);
        _layout = Parse(footer, fetch.Source);
        return (_layout, hit);
    }

    private ByteRange End(long bytes) => new(_sizeBytes - Math.Min(bytes, _sizeBytes), Math.Min(bytes, _sizeBytes));

    private ParquetLayout Parse(byte[] footer, CacheableFile source)
    {
        try
        {
            return ParquetLayout.Parse(footer, _sizeBytes);
        }
        catch (LakeException e) when (e.Path is null)
        {
            throw LakeException.FormatInvalid(e.Message, source.Store.Root.OriginalString + source.Key, e);
        }
    }

    private async Task<bool> EnsureRangesAsync(Fetch fetch, IReadOnlyList<ByteRange> wanted, CancellationToken cancellationToken)
    {
        List<ByteRange> requests = await MissingAsync(fetch.Handle, wanted, cancellationToken);
        if (requests.Count == 0)
        {
            return true;
        }

        try
        {
            await Parallel.ForEachAsync(
                requests,
                new ParallelOptions { MaxDegreeOfParallelism = MaxConcurrentRequests, CancellationToken = cancellationToken },
                (request, token) => fetch.RunAsync(request, token));
        }
        finally
        {
            // What did arrive before a failure is kept.
            SegmentMap.Write(MapPath, _index.NewTemporaryPath(), _sizeBytes, _segments);
        }

        return false;
    }

    private async ValueTask<List<ByteRange>> MissingAsync(SafeFileHandle handle, IReadOnlyList<ByteRange> wanted, CancellationToken cancellationToken)
    {
        await VerifyAsync(handle, wanted, cancellationToken);
        List<ByteRange> missing = Ranges.Missing(wanted, _segments);
        long there = Math.Max(0, wanted.Sum(r => r.Length) - missing.Sum(r => r.Length));
        long isNew = Math.Min(there, _uncounted); // was fetched for this
        _uncounted -= isNew;
        StorageUse.Current?.CountCached(there - isNew);
        return Ranges.Requests(missing, RangeFetcher.MaxRequestBytes);
    }

    private async Task VerifyAsync(SafeFileHandle handle, IReadOnlyList<ByteRange> wanted, CancellationToken cancellationToken)
    {
        if (_unverified.Count == 0)
        {
            return;
        }

        byte[] buffer = new byte[VerifyBufferBytes];
        foreach (Segment segment in Ranges.Touched(wanted, _unverified).ToList())
        {
            var hash = new XxHash3();
            for (long position = segment.Offset; position < segment.End;)
            {
                int read = await RandomAccess.ReadAsync(handle, buffer.AsMemory(0, (int)Math.Min(buffer.Length, segment.End - position)), position, cancellationToken);
                if (read == 0)
                {
                    break;
                }

                hash.Append(buffer.AsSpan(0, read));
                position += read;
            }

            _unverified.Remove(segment);
            if (hash.GetCurrentHashAsUInt64() != segment.Checksum)
            {
                _segments.Remove(segment);
                _index.Grow(_entry, -segment.Length);
            }
        }
    }

    private static async Task<byte[]> ReadLocalAsync(SafeFileHandle handle, ByteRange range, CancellationToken cancellationToken)
    {
        byte[] bytes = new byte[range.Length];
        for (int done = 0; done < bytes.Length;)
        {
            int read = await RandomAccess.ReadAsync(handle, bytes.AsMemory(done), range.Offset + done, cancellationToken);
            done += read > 0 ? read : throw new EndOfStreamException("A cached file is shorter than it was made");
        }

        return bytes;
    }

    /// <summary>What the requests of one call share.</summary>
    private sealed class Fetch(SparseFile owner, CacheableFile source, string etag, SafeFileHandle handle)
    {
        private readonly Lock _lock = new();

        public CacheableFile Source { get; } = source;

        public SafeFileHandle Handle { get; } = handle;

        public ValueTask RunAsync(ByteRange range, CancellationToken cancellationToken) =>
            KeepAsync(range, take => owner._fetcher.FetchAsync(Source, etag, range, take, cancellationToken));

        /// <summary>Writes a range whose bytes are handed over by a source.</summary>
        public async ValueTask KeepAsync(ByteRange range, Func<Func<ReadOnlyMemory<byte>, ValueTask>, Task> source)
        {
            owner._index.Grow(owner._entry, range.Length);
            bool stored = false;
            try
            {
                await source(WriteAsync);
                stored = true;
            }
            finally
            {
                if (!stored)
                {
                    owner._index.Grow(owner._entry, -range.Length);
                }
            }

            async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes)
            {
                // Not cancelled when a request beside it fails: what was paid for is kept.
                await RandomAccess.WriteAsync(Handle, bytes, range.Offset, CancellationToken.None);
                var segment = new Segment(range.Offset, range.Length, XxHash3.HashToUInt64(bytes.Span));
                lock (_lock)
                {
                    owner._segments.Add(segment);
                }
            }
        }
    }
}
