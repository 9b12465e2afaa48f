using System.Collections.Concurrent;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache.Sparse;

namespace LakeHolo.Readers.Cache;

/// <summary>Which version of a file is the current one: its size and tag, asked for now and then.</summary>
internal sealed class FileVersions(RangeFetcher fetcher, TimeSpan revalidateAfter, TimeProvider time)
{
    private const int MaxKnown = 200_000;

    private readonly ConcurrentDictionary<(string Root, string Key), (ObjectEntry Version, DateTimeOffset At)> _known = new();

    /// <summary>The version of a file.</summary>
    /// <exception cref="LakeException">NotFound; FormatInvalid when its size is not the one that metadata tells.</exception>
    public async ValueTask<ObjectEntry> OfAsync(CacheableFile file, CancellationToken cancellationToken)
    {
        ObjectEntry version = file is { ETag: not null, SizeBytes: >= 0 }
            ? new ObjectEntry(file.Key, file.SizeBytes, default, file.ETag)
            : await AskAsync(file, cancellationToken);
        if (file.SizeBytes >= 0 && version.SizeBytes != file.SizeBytes)
        {
            Forget(file);
            throw LakeException.FormatInvalid(
                $"The file has {version.SizeBytes} bytes, the table's metadata says {file.SizeBytes}: it changed under its name",
                file.Store.Root.OriginalString + file.Key);
        }

        return version;
    }

    /// <summary>Whoever asks next asks the store.</summary>
    public void Forget(CacheableFile file) => _known.TryRemove(NameOf(file), out _);

    private async ValueTask<ObjectEntry> AskAsync(CacheableFile file, CancellationToken cancellationToken)
    {
        bool isRemote = file.Store.TryGetLocalPath(file.Key) is null;
        DateTimeOffset now = time.GetUtcNow();
        if (isRemote && _known.TryGetValue(NameOf(file), out (ObjectEntry Version, DateTimeOffset At) known) && now - known.At < revalidateAfter)
        {
            return known.Version;
        }

        ObjectEntry version = await fetcher.HeadAsync(file, cancellationToken);
        if (isRemote)
        {
            if (_known.Count >= MaxKnown)
            {
                _known.Clear();
            }

            _known[NameOf(file)] = (version, now);
        }

        return version;
    }

    private static (string Root, string Key) NameOf(CacheableFile file) => (file.Store.Root.OriginalString, file.Key);
}
