using System.Collections.Concurrent;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Tests.Shared;

/// <summary>A folder that behaves like a remote store: without local paths, its requests recorded.</summary>
internal sealed class RemoteFolder(string path) : IObjectStore
{
    private readonly LocalFolderStore _store = new(path);

    public ConcurrentQueue<ByteRange> Ranges { get; } = new();

    /// <summary>Called before each ranged read.</summary>
    public Func<ByteRange, Task>? BeforeRead { get; set; }

    public Uri Root { get; } = new("s3://remote/");

    public string? TryGetLocalPath(string key) => null;

    public IAsyncEnumerable<ObjectEntry> ListAsync(string prefix, bool recursive, string? startAfter = null, CancellationToken cancellationToken = default) =>
        _store.ListAsync(prefix, recursive, startAfter, cancellationToken);

    public ValueTask<ObjectEntry?> HeadAsync(string key, CancellationToken cancellationToken = default) => _store.HeadAsync(key, cancellationToken);

    public ValueTask<byte[]> ReadAsync(string key, long maxSizeBytes = 1L << 30, CancellationToken cancellationToken = default) =>
        _store.ReadAsync(key, maxSizeBytes, cancellationToken);

    public async ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>> ReadRangesAsync(
        string key, IReadOnlyList<ByteRange> ranges, string? ifMatch = null, CancellationToken cancellationToken = default)
    {
        foreach (ByteRange range in ranges)
        {
            Ranges.Enqueue(range);
            await (BeforeRead?.Invoke(range) ?? Task.CompletedTask).WaitAsync(cancellationToken);
        }

        return await _store.ReadRangesAsync(key, ranges, ifMatch, cancellationToken);
    }

    public ValueTask<bool> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellationToken = default) =>
        _store.PutAsync(key, content, condition, cancellationToken);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
