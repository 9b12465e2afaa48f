namespace LakeHolo.LakeCatalog.Storage;

/// <summary>One local folder or one bucket. Keys are relative to <see cref="Root"/>, use '/' and never begin with one.</summary>
/// <remarks>Two implementations, one contract suite. Errors: <see cref="LakeException"/> with <see cref="LakeErrorKind.NotFound"/> for a missing
/// object on reads, <see cref="LakeErrorKind.StorageUnavailable"/> for the rest (after the configured retries). Keys that would leave the root
/// (<c>..</c> segments, symbolic links out of it) are refused with <see cref="LakeErrorKind.StorageUnavailable"/>, not transient.</remarks>
public interface IObjectStore : IAsyncDisposable
{
    /// <summary>What keys are relative to, ending in '/': <c>file:///data/lake/</c> or <c>s3://bucket/</c>.</summary>
    Uri Root { get; }

    /// <summary>Lists objects (and, with a delimiter, folders) below a prefix, in ordinal order of keys, page by page as it is consumed.</summary>
    /// <param name="prefix">Empty, or a key prefix; a folder is listed with its trailing '/'.</param>
    /// <param name="recursive">False: only direct children; deeper objects appear as one folder entry whose key ends in '/'.</param>
    /// <param name="startAfter">Only keys ordinally greater than this one, or null.</param>
    /// <param name="cancellationToken">Observed between pages and inside requests.</param>
    IAsyncEnumerable<ObjectEntry> ListAsync(string prefix, bool recursive, string? startAfter = null, CancellationToken cancellationToken = default);

    /// <summary>Size, time and tag of one object, or null if it is not there.</summary>
    ValueTask<ObjectEntry?> HeadAsync(string key, CancellationToken cancellationToken = default);

    /// <summary>Reads a whole object; refuses one larger than <paramref name="maxSizeBytes"/> before allocating.</summary>
    ValueTask<byte[]> ReadAsync(string key, long maxSizeBytes = 1L << 30, CancellationToken cancellationToken = default);

    /// <summary>Reads the ranges of one object, coalescing near ones, a bounded number at once; results in the order asked for.
    /// A range that reaches past the end is an error.</summary>
    /// <param name="ifMatch">An <see cref="ObjectEntry.ETag"/>: fail (NotFound, transient) when the object was rewritten since.</param>
    /// <param name="key">The object.</param>
    /// <param name="ranges">Byte ranges, in any order.</param>
    /// <param name="cancellationToken">Observed inside requests.</param>
    ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>> ReadRangesAsync(
        string key, IReadOnlyList<ByteRange> ranges, string? ifMatch = null, CancellationToken cancellationToken = default);

    /// <summary>Reads the end of an object and what <see cref="HeadAsync"/> tells, both of one version; stores that can do so ask once.</summary>
    /// <param name="key">The object.</param>
    /// <param name="mostBytes">How much of its end; all of a shorter object.</param>
    /// <param name="cancellationToken">Observed inside requests.</param>
    /// <returns>Null if it is not there.</returns>
    ValueTask<ObjectEnd?> ReadEndAsync(string key, int mostBytes, CancellationToken cancellationToken = default) =>
        ObjectEnd.OfTwoRequestsAsync(this, key, mostBytes, cancellationToken);

    /// <summary>Writes a whole object; visible whole or not at all.</summary>
    /// <returns>False if <paramref name="condition"/> did not hold and nothing was written.</returns>
    ValueTask<bool> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellationToken = default);

    /// <summary>The path of an object in the local file system, where the engine can open it; null for remote stores.</summary>
    string? TryGetLocalPath(string key);
}

/// <summary>A listed object, or a folder (key ends in '/', size 0).</summary>
/// <param name="Key">Relative to the store's root.</param>
/// <param name="SizeBytes">Size; 0 for a folder.</param>
/// <param name="ModifiedAt">Last change.</param>
/// <param name="ETag">Changes whenever the content does (local: size and time in ticks).</param>
public readonly record struct ObjectEntry(string Key, long SizeBytes, DateTimeOffset ModifiedAt, string ETag)
{
    /// <summary>Whether this is a folder entry of a non-recursive listing.</summary>
    public bool IsFolder => Key.EndsWith('/');

    /// <summary>The last path segment, without a folder's trailing '/'.</summary>
    public string Name
    {
        get
        {
            ReadOnlySpan<char> key = Key.AsSpan().TrimEnd('/');
            return key[(key.LastIndexOf('/') + 1)..].ToString();
        }
    }
}

/// <summary>An object's last bytes.</summary>
/// <param name="Entry">The object.</param>
/// <param name="Bytes">Its last bytes.</param>
public readonly record struct ObjectEnd(ObjectEntry Entry, ReadOnlyMemory<byte> Bytes)
{
    /// <summary>What <see cref="IObjectStore.ReadEndAsync"/> gives, from a store that has to be asked for the size first.</summary>
    internal static async ValueTask<ObjectEnd?> OfTwoRequestsAsync(IObjectStore store, string key, int mostBytes, CancellationToken cancellationToken)
    {
        if (await store.HeadAsync(key, cancellationToken) is not { } entry)
        {
            return null;
        }

        long length = Math.Min(mostBytes, entry.SizeBytes);
        return new ObjectEnd(entry, (await store.ReadRangesAsync(key, [new ByteRange(entry.SizeBytes - length, length)], entry.ETag, cancellationToken))[0]);
    }
}

/// <summary>A byte range of an object.</summary>
public readonly record struct ByteRange(long Offset, long Length);

/// <summary>When a PUT may write.</summary>
public enum PutCondition
{
    /// <summary>Always; replaces what is there.</summary>
    None,

    /// <summary>Only if no object has that key (S3 If-None-Match: *).</summary>
    IfAbsent,
}
