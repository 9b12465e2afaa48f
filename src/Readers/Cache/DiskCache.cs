using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Readers.Cache;

/// <summary>The disk cache: gives local paths of remote and of decoded files, within a budget; survives restarts and kills.</summary>
public sealed class DiskCache : IFileMaterializer, IDisposable
{
    private readonly CacheIndex _index;
    private readonly SemaphoreSlim _decodes;
    private readonly int _maxConcurrentFiles;

    /// <summary>Opens the cache and removes what a killed process left unfinished.</summary>
    /// <param name="options">Its bounds.</param>
    /// <param name="time">Null for the system's clock.</param>
    public DiskCache(DiskCacheOptions options, TimeProvider? time = null)
    {
        _index = new CacheIndex(options.Directory, options.BudgetBytes, time ?? TimeProvider.System);
        _decodes = new SemaphoreSlim(options.MaxConcurrentDecodes > 0 ? options.MaxConcurrentDecodes : Environment.ProcessorCount);
        _maxConcurrentFiles = options.MaxConcurrentFetches;
    }

    /// <summary>Bytes on disk.</summary>
    public long SizeBytes => _index.SizeBytes;

    /// <inheritdoc/>
    public async ValueTask<FileLease> OpenAsync(
        IReadOnlyList<CacheableFile> files, IReadOnlyCollection<string>? columns, CancellationToken cancellationToken = default)
    {
        return TryGetLocalPaths(files) is { } paths ? new FileLease(paths) : await LeaseAllAsync(files, OpenOneAsync, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<FileLease> OpenDecodedAsync(
        IReadOnlyList<CacheableFile> files, string decoderKey, FileDecoder decode, CancellationToken cancellationToken = default) =>
        LeaseAllAsync(files, (file, token) => OpenDecodedOneAsync(file, decoderKey, decode, token), cancellationToken);

    /// <inheritdoc/>
    public void Dispose()
    {
        _index.Dispose();
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

    private static ValueTask<(string Path, CacheEntry? Entry)> OpenOneAsync(CacheableFile file, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (file.Store.TryGetLocalPath(file.Key) is not { } path)
        {
            throw LakeException.FeatureUnsupported("Files of remote stores cannot be opened", file.Key);
        }

        return File.Exists(path) ? new((path, null)) : throw LakeException.NotFound("The file does not exist", path);
    }

    private async ValueTask<(string Path, CacheEntry? Entry)> OpenDecodedOneAsync(
        CacheableFile file, string decoderKey, FileDecoder decode, CancellationToken cancellationToken)
    {
        ObjectEntry version = await VersionOfAsync(file, cancellationToken);
        string name = CacheNames.For(file, version, "decoded " + decoderKey, ".parquet");
        (CacheEntry entry, _) = await _index.AcquireAsync(name, (e, token) => DecodeAsync(e, file, decode, token), cancellationToken);
        return (entry.Path, entry);
    }

    private async Task DecodeAsync(CacheEntry entry, CacheableFile file, FileDecoder decode, CancellationToken cancellationToken)
    {
        await _decodes.WaitAsync(cancellationToken);
        string temporary = _index.NewTemporaryPath();
        try
        {
            await decode(file, temporary, cancellationToken);
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

    private static async ValueTask<ObjectEntry> VersionOfAsync(CacheableFile file, CancellationToken cancellationToken)
    {
        ObjectEntry version = file is { ETag: not null, SizeBytes: >= 0 }
            ? new ObjectEntry(file.Key, file.SizeBytes, default, file.ETag)
            : await file.Store.HeadAsync(file.Key, cancellationToken) ?? throw LakeException.NotFound("The file does not exist", file.Store.Root + file.Key);
        if (file.SizeBytes >= 0 && version.SizeBytes != file.SizeBytes)
        {
            throw LakeException.FormatInvalid(
                $"The file has {version.SizeBytes} bytes, the table's metadata says {file.SizeBytes}: it changed under its name", file.Store.Root + file.Key);
        }

        return version;
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
                new ParallelOptions { MaxDegreeOfParallelism = _maxConcurrentFiles, CancellationToken = cancellationToken },
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
