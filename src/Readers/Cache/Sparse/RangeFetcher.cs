using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Readers.Cache.Sparse;

/// <summary>Asks remote stores, for all files of the cache together: counted, and with bounded memory.</summary>
internal sealed class RangeFetcher(long bufferBytes, int leastEndBytes) : IDisposable
{
    /// <summary>Longest range of one request. Long enough that the time to the first byte does not count, short enough to travel side by side.</summary>
    public const int MaxRequestBytes = 8 << 20;

    private const int MaxFooterGuess = 4 << 20;

    private readonly SemaphoreSlim _buffers = new((int)Math.Clamp(bufferBytes / MaxRequestBytes, 1, 1024));
    private long _requests;
    private long _fetchedBytes;
    private int _footerGuess = leastEndBytes;

    public long Requests => Interlocked.Read(ref _requests);

    public long FetchedBytes => Interlocked.Read(ref _fetchedBytes);

    /// <summary>How much of a file's end is asked for before the length of its footer is known; learnt from the files before.</summary>
    public int FooterGuess => _footerGuess;

    public void LearnFooter(long footerBytes)
    {
        if (footerBytes > _footerGuess)
        {
            _footerGuess = (int)Math.Min(footerBytes + (footerBytes / 4), MaxFooterGuess);
        }
    }

    /// <summary>The file as it is now.</summary>
    public async ValueTask<ObjectEntry> HeadAsync(CacheableFile file, CancellationToken cancellationToken)
    {
        if (file.Store.TryGetLocalPath(file.Key) is null)
        {
            Count(0);
        }

        return await file.Store.HeadAsync(file.Key, cancellationToken)
            ?? throw Missing(file);
    }

    /// <summary>The file as it is now, and its end.</summary>
    public async ValueTask<ObjectEnd> EndAsync(CacheableFile file, int mostBytes, CancellationToken cancellationToken)
    {
        await _buffers.WaitAsync(cancellationToken);
        try
        {
            ObjectEnd? end = await file.Store.ReadEndAsync(file.Key, mostBytes, cancellationToken);
            Count(end?.Bytes.Length ?? 0);
            return end ?? throw Missing(file);
        }
        finally
        {
            _buffers.Release();
        }
    }

    /// <summary>Fetches one range and hands its bytes over while they are in memory.</summary>
    public async Task FetchAsync(
        CacheableFile file, string etag, ByteRange range, Func<ReadOnlyMemory<byte>, ValueTask> take, CancellationToken cancellationToken)
    {
        await _buffers.WaitAsync(cancellationToken);
        try
        {
            IReadOnlyList<ReadOnlyMemory<byte>> bytes = await file.Store.ReadRangesAsync(file.Key, [range], etag.Length == 0 ? null : etag, cancellationToken);
            Count(range.Length);
            await take(bytes[0]);
        }
        finally
        {
            _buffers.Release();
        }
    }

    public void Dispose() => _buffers.Dispose();

    private static LakeException Missing(CacheableFile file) => LakeException.NotFound("The file does not exist", file.Store.Root.OriginalString + file.Key);

    private void Count(long bytes)
    {
        Interlocked.Increment(ref _requests);
        Interlocked.Add(ref _fetchedBytes, bytes);
        CacheMetrics.Requests.Add(1);
        CacheMetrics.FetchedBytes.Add(bytes);
    }
}
