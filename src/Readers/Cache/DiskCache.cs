using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache.Sparse;

namespace LakeHolo.Readers.Cache;

/// <summary>The disk cache: gives local paths of remote and of decoded files, within a budget; survives restarts and kills.</summary>
public sealed class DiskCache : IFileMaterializer, IDisposable
{
    // Whoever else wants one of the files waits until those before it are there.
    private const int MaxEarlyFiles = 64;

    private readonly DiskCacheOptions _options;
    private readonly CacheIndex _index;
    private readonly RangeFetcher _fetcher;
    private readonly SemaphoreSlim _decodes;
    private readonly FileVersions _versions;
    private long _hits;
    private long _misses;
    private long _evictedBytes;

    /// <summary>Opens the cache and removes what a killed process left unfinished.</summary>
    /// <param name="options">Its bounds.</param>
    /// <param name="time">Null for the system's clock.</param>
    public DiskCache(DiskCacheOptions options, TimeProvider? time = null)
    {
        _options = options;
        time ??= TimeProvider.System;
        _index = new CacheIndex(options.Directory, options.BudgetBytes, time) { Evicted = CountEvicted };
        _fetcher = new RangeFetcher(options.FetchBufferBytes, options.LeastEndBytes);
        _versions = new FileVersions(_fetcher, options, _index.IsKept, time);
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
    public async ValueTask<FileLease> OpenEarlyAsync(
        IReadOnlyList<CacheableFile> files, IReadOnlyCollection<string> columns, CancellationToken cancellationToken = default)
    {
        if (!FileHold.IsPossible || files.Count is < 2 or > MaxEarlyFiles || StorageUse.Current is { IsBounded: true } || files.All(f => f.Store.TryGetLocalPath(f.Key) is not null))
        {
            return await OpenAsync(files, columns, cancellationToken);
        }

        using IDisposable? clock = StorageUse.MeasureFetching();
        var begun = new EarlyFetch?[files.Count];
        var opened = new Opened[files.Count];
        FileArrival? arrival = null;
        try
        {
            // Nobody waits for another statement here: that one may wait for a file that is held by now.
            await ForAllAsync(files.Count, async (i, token) => (opened[i], begun[i]) = await BeginOneAsync(files[i], columns, token), cancellationToken);
            if (begun.OfType<EarlyFetch>().ToList() is { Count: > 0 } fetches)
            {
                arrival = new FileArrival(
                    token => EarlyFetch.RunAllAsync(fetches, token), () => fetches.Exists(f => f.IsAwaited),
                    CancellationTokenSource.CreateLinkedTokenSource(cancellationToken));
            }

            await ForAllAsync(
                files.Count, async (i, token) => opened[i] = begun[i] is null ? await OpenOneAsync(files[i], columns, token) : opened[i], cancellationToken);
        }
        catch
        {
            await (arrival?.StopAsync() ?? default);
            Array.ForEach(begun, b => b?.End());
            ReleaseAll(opened);
            throw;
        }

        return new FileLease([.. opened.Select(o => o.Path)], () => ReleaseAll(opened)) { RowGroupsLeftOut = opened.Sum(o => (long)o.LeftOut), Arrival = arrival };
    }

    /// <inheritdoc/>
    public ValueTask<FileLease> OpenDecodedAsync(
        IReadOnlyList<CacheableFile> files, string decoderKey, FileDecoder decode, CancellationToken cancellationToken = default)
        => OpenDecodedAsync(files, decoderKey, decode, outlives: true, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<FileLease?> TryOpenDecodedAsync(CacheableFile file, string decoderKey, CancellationToken cancellationToken = default)
    {
        using IDisposable? clock = StorageUse.MeasureFetching();
        ObjectEntry version = await _versions.OfAsync(file, cancellationToken);
        if (_index.TryAcquire(CacheNames.ForDecoded(file, version, decoderKey, outlives: true)) is not { } entry)
        {
            return null;
        }

        CountOpened(hit: true);
        return new FileLease([entry.Path], () => _index.Release(entry));
    }

    /// <inheritdoc/>
    public ValueTask<FileLease> OpenPassingAsync(
        IReadOnlyList<CacheableFile> files, string decoderKey, FileDecoder decode, CancellationToken cancellationToken = default)
        => OpenDecodedAsync(files, decoderKey, decode, outlives: false, cancellationToken);

    /// <inheritdoc/>
    public void Dispose()
    {
        _index.Dispose();
        _fetcher.Dispose();
        _decodes.Dispose();
    }

    /// <summary>The paths themselves if every file is local, spelled by version where a file may be replaced.</summary>
    private static string[]? TryGetLocalPaths(IReadOnlyList<CacheableFile> files)
    {
        string[] paths = new string[files.Count];
        for (int i = 0; i < paths.Length; i++)
        {
            if (files[i].Store.TryGetLocalPath(files[i].Key) is not { } path)
            {
                return null;
            }

            paths[i] = File.Exists(path) ? LocalNames.Of(path, files[i].ETag) : throw LakeException.NotFound("The file does not exist", path);
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
                Opened opened = await OpenOneAsync(file, columns is null ? null : [], token, withoutData: true);
                try
                {
                    var copy = (SparseFile)opened.Entry!.State!;
                    RowGroupChoice? choice = columns is null ? null : await copy.ChooseAsync(file, (await _versions.OfAsync(file, token)).ETag, columns, token);
                    (long moreRequests, long moreBytes) = await copy.NeedsAsync(columns, choice, token);
                    Interlocked.Add(ref requests, moreRequests);
                    Interlocked.Add(ref bytes, moreBytes);
                    return opened;
                }
                catch
                {
                    _index.Release(opened.Entry!);
                    throw;
                }
            },
            cancellationToken);
        use.CheckNeeds(requests, bytes, remote.Length);
    }

    private async ValueTask<Opened> OpenOneAsync(
        CacheableFile file, IReadOnlyCollection<string>? columns, CancellationToken cancellationToken, bool withoutData = false)
    {
        if (file.Store.TryGetLocalPath(file.Key) is { } path)
        {
            return new Opened(LocalNames.Of(path, file.ETag), null);
        }

        (ObjectEntry version, CacheEntry entry, SparseFile copy, bool isNew) = await AcquireCopyAsync(file, cancellationToken);
        try
        {
            if (columns is not null && await copy.ChooseAsync(file, version.ETag, columns, cancellationToken) is { } choice)
            {
                return await OpenViewAsync(file, version, entry, copy, choice, columns, cancellationToken);
            }

            if (columns is not null || !withoutData)
            {
                bool hit = await copy.EnsureAsync(file, version.ETag, columns, cancellationToken);
                if (!withoutData)
                {
                    CountOpened(hit && !isNew);
                }
            }

            return new Opened(entry.Path, entry);
        }
        catch (Exception e)
        {
            if (e is LakeException { Kind: LakeErrorKind.NotFound })
            {
                _versions.Forget(file); // rewritten or gone: whoever asks next asks the store
            }

            _index.Release(entry);
            throw;
        }
    }

    /// <summary>Leases a file that is held until its columns are there; nothing if it has to be opened as ever.</summary>
    private async ValueTask<(Opened Opened, EarlyFetch? Fetch)> BeginOneAsync(CacheableFile file, IReadOnlyCollection<string> columns, CancellationToken cancellationToken)
    {
        if (file.Store.TryGetLocalPath(file.Key) is not null)
        {
            return default;
        }

        (ObjectEntry version, CacheEntry entry, SparseFile copy, _) = await AcquireCopyAsync(file, cancellationToken);
        EarlyFetch? begun = null;
        try
        {
            begun = await copy.TryBeginAsync(file, version.ETag, columns, cancellationToken);
        }
        finally
        {
            if (begun is null)
            {
                _index.Release(entry);
            }
        }

        if (begun is null)
        {
            return default;
        }

        CountOpened(hit: false);
        return (new Opened(entry.Path, entry), begun);
    }

    /// <summary>Leases the local copy of a remote file.</summary>
    /// <returns>The file's version, the lease, the copy, and whether its end is new.</returns>
    private async ValueTask<(ObjectEntry Version, CacheEntry Entry, SparseFile Copy, bool IsNew)> AcquireCopyAsync(CacheableFile file, CancellationToken cancellationToken)
    {
        try
        {
            (ObjectEntry version, ReadOnlyMemory<byte> end) = await _versions.WithEndAsync(file, cancellationToken);
            (CacheEntry entry, _) = await _index.AcquireAsync(CacheNames.ForRanges(file, version), (e, _) => CreateSparse(e, version.SizeBytes), cancellationToken);
            try
            {
                SparseFile copy = CopyOf(entry, version);
                return (version, entry, copy, await copy.TakeEndAsync(file, version.ETag, end));
            }
            catch
            {
                _index.Release(entry);
                throw;
            }
        }
        finally
        {
            _versions.DropEnd(file);
        }
    }

    private SparseFile CopyOf(CacheEntry entry, ObjectEntry version)
    {
        lock (entry)
        {
            return (SparseFile)(entry.State ??= new SparseFile(_index, entry, _fetcher, version.SizeBytes, _options));
        }
    }

    /// <summary>Opens a view instead of the sparse file, whose lease ends if this succeeds.</summary>
    private async ValueTask<Opened> OpenViewAsync(
        CacheableFile file, ObjectEntry version, CacheEntry source, SparseFile copy, RowGroupChoice choice, IReadOnlyCollection<string> columns,
        CancellationToken cancellationToken)
    {
        (CacheEntry entry, _) = await _index.AcquireAsync(
            CacheNames.ForView(file, version, choice.Key), (e, token) => copy.CreateViewAsync(file, version.ETag, choice, e, token).AsTask(), cancellationToken);
        try
        {
            CountOpened(await copy.EnsureViewAsync(file, version.ETag, choice, (RowGroupView)entry.State!, columns, cancellationToken));
        }
        catch
        {
            _index.Release(entry);
            throw;
        }

        _index.Release(source);
        return new Opened(entry.Path, entry, choice.LeftOut);
    }

    private Task CreateSparse(CacheEntry entry, long sizeBytes)
    {
        SparseFile.Create(entry.Path, _index.NewTemporaryPath(), sizeBytes);
        return Task.CompletedTask;
    }

    private async ValueTask<FileLease> OpenDecodedAsync(
        IReadOnlyList<CacheableFile> files, string decoderKey, FileDecoder decode, bool outlives, CancellationToken cancellationToken)
    {
        using IDisposable? clock = StorageUse.MeasureFetching();
        return await LeaseAllAsync(files, (file, token) => OpenDecodedOneAsync(file, decoderKey, decode, outlives, token), cancellationToken);
    }

    private async ValueTask<Opened> OpenDecodedOneAsync(
        CacheableFile file, string decoderKey, FileDecoder decode, bool outlives, CancellationToken cancellationToken)
    {
        ObjectEntry version = await _versions.OfAsync(file, cancellationToken);
        string name = CacheNames.ForDecoded(file, version, decoderKey, outlives);
        (CacheEntry entry, bool hit) = await _index.AcquireAsync(name, (e, token) => DecodeAsync(e, file, version, decode, outlives, token), cancellationToken);
        CountOpened(hit);
        return new Opened(entry.Path, entry);
    }

    private async Task DecodeAsync(CacheEntry entry, CacheableFile file, ObjectEntry version, FileDecoder decode, bool outlives, CancellationToken cancellationToken)
    {
        await _decodes.WaitAsync(cancellationToken);
        string temporary = _index.NewTemporaryPath();
        try
        {
            await decode(file, temporary, cancellationToken);
            if ((await _fetcher.HeadAsync(file, cancellationToken)).ETag != version.ETag)
            {
                // The entry's name promises the version that was asked for; what was decoded may be another.
                _versions.Forget(file);
                throw new LakeException(
                    LakeErrorKind.NotFound, "The file was rewritten while it was being read", file.Store.Root.OriginalString + file.Key, isTransient: true);
            }

            using (var written = new FileStream(temporary, FileMode.Open, FileAccess.ReadWrite))
            {
                written.Flush(flushToDisk: outlives); // else a power cut may leave the name with an empty file
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
        IReadOnlyList<CacheableFile> files, Func<CacheableFile, CancellationToken, ValueTask<Opened>> open, CancellationToken cancellationToken)
    {
        var opened = new Opened[files.Count];
        try
        {
            await ForAllAsync(files.Count, async (i, token) => opened[i] = await open(files[i], token), cancellationToken);
        }
        catch
        {
            ReleaseAll(opened);
            throw;
        }

        return new FileLease([.. opened.Select(o => o.Path)], () => ReleaseAll(opened)) { RowGroupsLeftOut = opened.Sum(o => (long)o.LeftOut) };
    }

    private Task ForAllAsync(int count, Func<int, CancellationToken, ValueTask> act, CancellationToken cancellationToken) => Parallel.ForAsync(
        0, count, new ParallelOptions { MaxDegreeOfParallelism = _options.MaxConcurrentFetches, CancellationToken = cancellationToken }, act);

    private void ReleaseAll(Opened[] opened)
    {
        foreach (Opened one in opened)
        {
            if (one.Entry is { } entry)
            {
                _index.Release(entry);
            }
        }
    }

    /// <param name="Path">Where the engine opens it.</param>
    /// <param name="Entry">What is leased; null for a local file.</param>
    /// <param name="LeftOut">Row groups that it does not name.</param>
    private readonly record struct Opened(string Path, CacheEntry? Entry, int LeftOut = 0);
}
