using System.Collections.Concurrent;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Golden.Tests.SampleLake;

/// <summary>Counts requests by key, a listing as one however many pages it has here.</summary>
internal sealed class CountingStore(IObjectStore inner, bool isRemote = false) : IObjectStore
{
    private readonly ConcurrentQueue<string> _requests = new();

    public Uri Root => inner.Root;

    /// <summary>The keys and prefixes asked for since the last call.</summary>
    public IReadOnlyList<string> TakeRequests()
    {
        string[] taken = [.. _requests];
        _requests.Clear();
        return taken;
    }

    public IAsyncEnumerable<ObjectEntry> ListAsync(string prefix, bool recursive, string? startAfter = null, CancellationToken cancellationToken = default)
    {
        _requests.Enqueue(prefix);
        return inner.ListAsync(prefix, recursive, startAfter, cancellationToken);
    }

    public ValueTask<ObjectEntry?> HeadAsync(string key, CancellationToken cancellationToken = default)
    {
        _requests.Enqueue(key);
        return inner.HeadAsync(key, cancellationToken);
    }

    public ValueTask<byte[]> ReadAsync(string key, long maxSizeBytes = 1L << 30, CancellationToken cancellationToken = default)
    {
        _requests.Enqueue(key);
        return inner.ReadAsync(key, maxSizeBytes, cancellationToken);
    }

    public ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>> ReadRangesAsync(
        string key, IReadOnlyList<ByteRange> ranges, string? ifMatch = null, CancellationToken cancellationToken = default)
    {
        _requests.Enqueue(key);
        return inner.ReadRangesAsync(key, ranges, ifMatch, cancellationToken);
    }

    public ValueTask<ObjectEnd?> ReadEndAsync(string key, int mostBytes, CancellationToken cancellationToken = default)
    {
        _requests.Enqueue(key);
        return inner.ReadEndAsync(key, mostBytes, cancellationToken);
    }

    public ValueTask<bool> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellationToken = default)
    {
        _requests.Enqueue(key);
        return inner.PutAsync(key, content, condition, cancellationToken);
    }

    public string? TryGetLocalPath(string key) => isRemote ? null : inner.TryGetLocalPath(key);

    public ValueTask DisposeAsync() => inner.DisposeAsync();
}
