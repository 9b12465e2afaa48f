using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.DataFiles.Parquet;

namespace LakeHolo.Readers.Cache;

/// <summary>Makes a table's files readable by the engine: gives a local path for each.</summary>
public interface IFileMaterializer
{
    /// <summary>Local paths, in the order asked for, of Parquet (or CSV) files that the engine reads itself. Files of a local store are given as they are;
    /// remote ones come through the disk cache, whole or sparse.</summary>
    /// <param name="files">The files.</param>
    /// <param name="columns">Top-level Parquet column names that will be read, or null for all.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    ValueTask<FileLease> OpenAsync(IReadOnlyList<CacheableFile> files, IReadOnlyCollection<string>? columns, CancellationToken cancellationToken = default);

    /// <summary>The same, but of files that nobody else uses the missing parts may still be under way (<see cref="FileLease.Arrival"/>): who opens such a file waits until it is complete.</summary>
    /// <param name="files">The files, in the order in which the engine opens them.</param>
    /// <param name="columns">Top-level Parquet column names that will be read.</param>
    /// <param name="cancellationToken">Observed inside storage reads, also of what arrives later.</param>
    ValueTask<FileLease> OpenEarlyAsync(IReadOnlyList<CacheableFile> files, IReadOnlyCollection<string> columns, CancellationToken cancellationToken = default);

    /// <summary>Local Parquet paths of files that only our own decoders read (ORC, Avro, log files): decoded once, kept in the disk cache.</summary>
    /// <param name="files">The files.</param>
    /// <param name="decoderKey">Names the decoder, its version and every parameter that changes its output (schema, columns); part of the cache key.</param>
    /// <param name="decode">Writes the Parquet file to the given local path.</param>
    /// <param name="cancellationToken">Observed inside storage reads and between batches.</param>
    ValueTask<FileLease> OpenDecodedAsync(
        IReadOnlyList<CacheableFile> files, string decoderKey, FileDecoder decode, CancellationToken cancellationToken = default);

    /// <summary>Such a file if it is there, else null.</summary>
    /// <param name="file">The source.</param>
    /// <param name="decoderKey">As above.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    ValueTask<FileLease?> TryOpenDecodedAsync(CacheableFile file, string decoderKey, CancellationToken cancellationToken = default);

    /// <summary>Decoded files that do not outlive the process, so that nobody waits until they are safe on disk.</summary>
    /// <param name="files">The files.</param>
    /// <param name="decoderKey">As above.</param>
    /// <param name="decode">As above.</param>
    /// <param name="cancellationToken">Observed inside storage reads and between batches.</param>
    ValueTask<FileLease> OpenPassingAsync(
        IReadOnlyList<CacheableFile> files, string decoderKey, FileDecoder decode, CancellationToken cancellationToken = default);
}

/// <summary>Decodes one file into a Parquet file.</summary>
/// <param name="file">The source.</param>
/// <param name="targetPath">Local path to create.</param>
/// <param name="cancellationToken">Observed between batches.</param>
public delegate ValueTask FileDecoder(CacheableFile file, string targetPath, CancellationToken cancellationToken);

/// <summary>An immutable file of a table.</summary>
/// <param name="Store">Its store.</param>
/// <param name="Key">Its key.</param>
/// <param name="SizeBytes">Its size where metadata tells, else -1.</param>
/// <param name="ETag">Its tag where a listing told it, else null: the cache asks for it.</param>
public sealed record CacheableFile(IObjectStore Store, string Key, long SizeBytes, string? ETag = null)
{
    /// <summary>Tells row groups that the query does not need; null for none, and wherever the positions of rows matter. Of a remote Parquet file the local
    /// one may then name the others only.</summary>
    public RowGroupCondition? Needed { get; init; }
}

/// <summary>Local paths that stay readable until the lease is disposed.</summary>
public sealed class FileLease(IReadOnlyList<string> localPaths, Action? release = null) : IAsyncDisposable
{
    private Action? _release = release;

    /// <summary>Local paths, in the order asked for.</summary>
    public IReadOnlyList<string> LocalPaths { get; } = localPaths;

    /// <summary>Row groups of the files that the local ones do not name, as no needed row can be there.</summary>
    public long RowGroupsLeftOut { get; init; }

    /// <summary>What is still under way; null if everything is there.</summary>
    public FileArrival? Arrival { get; init; }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _release, null) is { } release)
        {
            await (Arrival?.StopAsync() ?? default);
            release();
        }
    }
}
