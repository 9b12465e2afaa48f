using System.Collections.Concurrent;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache.Sparse;

namespace LakeHolo.Readers.Cache;

/// <summary>The disk cache: gives local paths of remote and of decoded files, within a budget; survives restarts and kills.</summary>
public sealed class DiskCache : IFileMaterializer, IDisposable
{
    private const int MaxKnownVersions = 200_000;

    private readonly DiskCacheOptions _options;
    private readonly TimeProvider _time;
    private readonly CacheIndex _index;
    private readonly RangeFetcher _fetcher;
    private readonly SemaphoreSlim _decodes;
    private readonly ConcurrentDictionary<(string Root, string Key), (ObjectEntry Version, DateTimeOffset At)> _versions = new();
    private long _hits;
    private long _misses;
    private long _evictedBytes;

    /// <summary>Opens the cache and removes what a killed process left unfinished.</summary>
    /// <param name="options">Its bounds.</param>
    /// <param name="time">Null for the system's clock.</param>
    public DiskCache(DiskCacheOptions options, TimeProvider? time = null)
    {
        _options = options;
        _time = time ?? TimeProvider.System;
        _index = new CacheIndex(options.Directory, options.BudgetBytes, _time) { Evicted = CountEvicted };
        _fetcher = new RangeFetcher(options.FetchBufferBytes);
        _decodes = new SemaphoreSlim(options.MaxConcurrentDecodes > 0 ? options.MaxConcurrentDecodes : Environment.ProcessorCount);
    }

    /// <summary>Counts since it was opened.</summary>
    public CacheCounts Counts => new(
        _fetcher.Requests,
        _fetcher.FetchedBytes,
        Interlocked.Read(ref _hits),
        Interlocked.Read(ref _misses),
        Interlocked.Read(ref _evictedBytes),
        _index.SizeBytes);

    /// <inheritdoc/>
    public async ValueTask<FileLease> OpenAsync(
        IReadOnlyList<CacheableFile> files, IReadOnlyCollection<string>? columns, CancellationToken cancellationToken = default)
    {
        if (TryGetLocalPaths(files) is { } paths)
        {
            return new FileLease(paths);
        }

        using IDisposable? clock = StorageUse.MeasureFetching();
        if (StorageUse.Current is { IsBounded: true } use)
        {
            await CheckNeedsAsync(use, files, columns, cancellationToken);
        }

        return await LeaseAllAsync(files, (file, token) => OpenOneAsync(file, columns, token), cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<FileLease> OpenDecodedAsync(
        IReadOnlyList<CacheableFile> files, string decoderKey, FileDecoder decode, CancellationToken cancellationToken = default)
    {
        using IDisposable? clock = StorageUse.MeasureFetching();
        return await LeaseAllAsync(files, (file, token) => OpenDecodedOneAsync(file, decoderKey, decode, token), cancellationToken);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _index.Dispose();
        _fetcher.Dispose();
        _decodes.Dispose();
    }

    /// <summary>The paths themselves if every file is local.</summary>
    private static string[]? TryGetLocalPaths(IReadOnlyList<CacheableFile> files)
    {
        string[] paths = new string[files.Count];
        for (int i = 0; i < paths.Length; i++)
        {
            if (files[i].Store.TryGetLocalPath(files[i].Key) is not { } path)
            {
                return null;
            }

            paths[i] = File.Exists(path) ? path : throw LakeException.NotFound("The file does not exist", path);
        }

        return paths;
    }

    /// <summary>Fetches the footers, which tell what else is needed, and fails if that is more than the statement may take.</summary>
    private async ValueTask CheckNeedsAsync(
        StorageUse use, IReadOnlyList<CacheableFile> files, IReadOnlyCollection<string>? columns, CancellationToken cancellationToken)
    {
        CacheableFile[] remote = [.. files.Where(f => f.Store.TryGetLocalPath(f.Key) is null)];
        long requests = 0;
        long bytes = 0;
        await using FileLease footers = await LeaseAllAsync(
            remote,
            async (file, token) =>
            {
                (string path, CacheEntry? entry) = await OpenOneAsync(file, columns is null ? null : [], token, withoutData: true);
                (long moreRequests, long moreBytes) = await ((SparseFile)entry!.State!).NeedsAsync(columns, token);
                Interlocked.Add(ref requests, moreRequests);
                Interlocked.Add(ref bytes, moreBytes);
                return (path, entry);
            },
            cancellationToken);
        use.CheckNeeds(requests, bytes, remote.Length);
    }

    private async ValueTask<(string Path, CacheEntry? Entry)> OpenOneAsync(
        CacheableFile file, IReadOnlyCollection<string>? columns, CancellationToken cancellationToken, bool withoutData = false)
    {
        if (file.Store.TryGetLocalPath(file.Key) is { } path)
        {
            return (path, null);
        }

        ObjectEntry version = await VersionOfAsync(file, cancellationToken);
        (CacheEntry entry, _) = await _index.AcquireAsync(CacheNames.ForRanges(file, version), (e, _) => CreateSparse(e, version.SizeBytes), cancellationToken);
        try
        {
            SparseFile copy;
            lock (entry)
            {
                copy = (SparseFile)(entry.State ??= new SparseFile(_index, entry, _fetcher, version.SizeBytes));
            }

            if (columns is not null || !withoutData)
            {
                bool hit = await copy.EnsureAsync(file, version.ETag, columns, cancellationToken);
                if (!withoutData)
                {
                    CountOpened(hit);
                }
            }

            return (entry.Path, entry);
        }
        catch (Exception e)
        {
            if (e is LakeException { Kind: LakeErrorKind.NotFound })
            {
                _versions.TryRemove(VersionKey(file), out _); // rewritten or gone: whoever asks next asks the store
            }

            _index.Release(entry);
            throw;
        }
    }

    private Task CreateSparse(CacheEntry entry, long sizeBytes)
    {
        SparseFile.Create(entry.Path, _index.NewTemporaryPath(), sizeBytes);
        return Task.CompletedTask;
    }

    private async ValueTask<(string Path, CacheEntry? Entry)> OpenDecodedOneAsync(
        CacheableFile file, string decoderKey, FileDecoder decode, CancellationToken cancellationToken)
    {
        ObjectEntry version = await VersionOfAsync(file, cancellationToken);
        string name = CacheNames.ForDecoded(file, version, decoderKey);
        (CacheEntry entry, bool hit) = await _index.AcquireAsync(name, (e, token) => DecodeAsync(e, file, version, decode, token), cancellationToken);
        CountOpened(hit);
        return (entry.Path, entry);
    }

    private async Task DecodeAsync(CacheEntry entry, CacheableFile file, ObjectEntry version, FileDecoder decode, CancellationToken cancellationToken)
    {
        await _decodes.WaitAsync(cancellationToken);
        string temporary = _index.NewTemporaryPath();
        try
        {
            await decode(file, temporary, cancellationToken);
            if ((await _fetcher.HeadAsync(file, cancellationToken)).ETag != version.ETag)
            {
                // The entry's name promises the version that was asked for; what was decoded may be another.
                _versions.TryRemove(VersionKey(file), out _);
                throw new LakeException(
                    LakeErrorKind.NotFound, "The file was rewritten while it was being read", file.Store.Root.OriginalString + file.Key, isTransient: true);
            }

            using (var written = new FileStream(temporary, FileMode.Open, FileAccess.ReadWrite))
            {
                written.Flush(flushToDisk: true); // else a power cut may leave the name with an empty file
                _index.Grow(entry, written.Length);
            }

            File.Move(temporary, entry.Path, overwrite: true);
        }
        finally
        {
            _decodes.Release();
            File.Delete(temporary);
        }
    }

    private async ValueTask<ObjectEntry> VersionOfAsync(CacheableFile file, CancellationToken cancellationToken)
    {
        ObjectEntry version = file is { ETag: not null, SizeBytes: >= 0 }
            ? new ObjectEntry(file.Key, file.SizeBytes, default, file.ETag)
            : await AskVersionAsync(file, cancellationToken);
        if (file.SizeBytes >= 0 && version.SizeBytes != file.SizeBytes)
        {
            _versions.TryRemove(VersionKey(file), out _);
            throw LakeException.FormatInvalid(
                $"The file has {version.SizeBytes} bytes, the table's metadata says {file.SizeBytes}: it changed under its name",
                file.Store.Root.OriginalString + file.Key);
        }

        return version;
    }

    private async ValueTask<ObjectEntry> AskVersionAsync(CacheableFile file, CancellationToken cancellationToken)
    {
        bool isRemote = file.Store.TryGetLocalPath(file.Key) is null;
        DateTimeOffset now = _time.GetUtcNow();
        if (isRemote && _versions.TryGetValue(VersionKey(file), out (ObjectEntry Version, DateTimeOffset At) known) && now - known.At < _options.RevalidateAfter)
        {
            return known.Version;
        }

        ObjectEntry version = await _fetcher.HeadAsync(file, cancellationToken);
        if (isRemote)
        {
            if (_versions.Count >= MaxKnownVersions)
            {
                _versions.Clear();
            }

            _versions[VersionKey(file)] = (version, now);
        }

        return version;
    }

    private static (string Root, string Key) VersionKey(CacheableFile file) => (file.Store.Root.OriginalString, file.Key);

    private void CountOpened(bool hit)
    {
        Interlocked.Increment(ref hit ? ref _hits : ref _misses);
        (hit ? CacheMetrics.Hits : CacheMetrics.Misses).Add(1);
    }

    private void CountEvicted(long bytes)
    {
        Interlocked.Add(ref _evictedBytes, bytes);
        CacheMetrics.EvictedBytes.Add(bytes);
    }

    private async ValueTask<FileLease> LeaseAllAsync(
        IReadOnlyList<CacheableFile> files, Func<CacheableFile, CancellationToken, ValueTask<(string Path, CacheEntry? Entry)>> open,
        CancellationToken cancellationToken)
    {
        string[] paths = new string[files.Count];
        var entries = new CacheEntry?[files.Count];
        try
        {
            await Parallel.ForAsync(
                0,
                files.Count,
                new ParallelOptions { MaxDegreeOfParallelism = _options.MaxConcurrentFetches, CancellationToken = cancellationToken },
                async (i, token) => (paths[i], entries[i]) = await open(files[i], token));
        }
        catch
        {
            ReleaseAll(entries);
            throw;
        }

        return new FileLease(paths, () => ReleaseAll(entries));
    }

    private void ReleaseAll(CacheEntry?[] entries)
    {
        foreach (CacheEntry? entry in entries)
        {
            if (entry is not null)
            {
                _index.Release(entry);
            }
        }
    }
}
