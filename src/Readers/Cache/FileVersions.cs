using System.Collections.Concurrent;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache.Sparse;

namespace LakeHolo.Readers.Cache;

/// <summary>Which version of a file is the current one: its size and tag, asked for now and then.</summary>
/// <param name="fetcher">Asks.</param>
/// <param name="options">How long a tag is trusted.</param>
/// <param name="isKept">Whether parts of the file may have been kept by an earlier process.</param>
/// <param name="time">The clock.</param>
internal sealed class FileVersions(RangeFetcher fetcher, DiskCacheOptions options, Func<CacheableFile, bool> isKept, TimeProvider time)
{
    private const int MaxKnown = 200_000;

    private readonly ConcurrentDictionary<(string Root, string Key), (ObjectEntry Version, DateTimeOffset At)> _known = new();
    private readonly ConcurrentDictionary<(string Root, string Key), Lazy<Task<ObjectEnd>>> _ends = new();

    /// <summary>The version of a file.</summary>
    /// <exception cref="LakeException">NotFound; FormatInvalid when its size is not the one that metadata tells.</exception>
    public async ValueTask<ObjectEntry> OfAsync(CacheableFile file, CancellationToken cancellationToken)
    {
        ObjectEntry version = TryGet(file) ?? Learn(file, await fetcher.HeadAsync(file, cancellationToken));
        Check(file, version);
        return version;
    }

    /// <summary>The version of a Parquet file whose footer will be read next; of one that was never seen the end comes with it, once for all who ask until <see cref="DropEnd"/>.</summary>
    /// <returns>The version and the file's last bytes; none where the version was known, or where parts of the file may be there already.</returns>
    /// <exception cref="LakeException">As of <see cref="OfAsync"/>.</exception>
    public async ValueTask<ObjectEnd> WithEndAsync(CacheableFile file, CancellationToken cancellationToken)
    {
        var own = new Lazy<Task<ObjectEnd>>(() => AskForEndAsync(file));
        Lazy<Task<ObjectEnd>>? asked = _ends.GetValueOrDefault(NameOf(file));
        if (asked is null)
        {
            if (TryGet(file) is not null || _known.ContainsKey(NameOf(file)) || isKept(file))
            {
                return new ObjectEnd(await OfAsync(file, cancellationToken), default);
            }

            asked = _ends.GetOrAdd(NameOf(file), own);
            if (asked == own && _known.ContainsKey(NameOf(file)))
            {
                DropEnd(file); // somebody else asked, and kept it, since we looked
                return new ObjectEnd(await OfAsync(file, cancellationToken), default);
            }
        }

        try
        {
            ObjectEnd end = await asked.Value.WaitAsync(cancellationToken);
            Check(file, end.Entry);
            return end;
        }
        catch (LakeException e) when (asked != own && e is { Kind: LakeErrorKind.ResourcesExhausted, IsTransient: false })
        {
            return new ObjectEnd(await OfAsync(file, cancellationToken), default); // a bound of the statement that was first, not of ours
        }
    }

    /// <summary>To be called by all who asked for a file's end, once it is kept or nobody will keep it.</summary>
    public void DropEnd(CacheableFile file) => _ends.TryRemove(NameOf(file), out _);

    /// <summary>Whoever asks next asks the store.</summary>
    public void Forget(CacheableFile file) => _known.TryRemove(NameOf(file), out _);

    private async Task<ObjectEnd> AskForEndAsync(CacheableFile file)
    {
        // Of a small file all is wanted at once.
        int mostBytes = file.SizeBytes > 0 && file.SizeBytes <= options.WholeFileBytes ? (int)file.SizeBytes : fetcher.FooterGuess;
        ObjectEnd end = await fetcher.EndAsync(file, mostBytes, CancellationToken.None); // others may wait for it
        Learn(file, end.Entry);
        return end;
    }

    private void Check(CacheableFile file, ObjectEntry version)
    {
        if (file.SizeBytes >= 0 && version.SizeBytes != file.SizeBytes)
        {
            Forget(file);
            throw LakeException.FormatInvalid(
                $"The file has {version.SizeBytes} bytes, the table's metadata says {file.SizeBytes}: it changed under its name",
                file.Store.Root.OriginalString + file.Key);
        }
    }

    // What metadata tells, or the store did not long ago.
    private ObjectEntry? TryGet(CacheableFile file) =>
        file is { ETag: not null, SizeBytes: >= 0 } ? new ObjectEntry(file.Key, file.SizeBytes, default, file.ETag)
        : _known.TryGetValue(NameOf(file), out (ObjectEntry Version, DateTimeOffset At) known) && time.GetUtcNow() - known.At < options.RevalidateAfter ? known.Version
        : null;

    private ObjectEntry Learn(CacheableFile file, ObjectEntry version)
    {
        if (file.Store.TryGetLocalPath(file.Key) is null)
        {
            if (_known.Count >= MaxKnown)
            {
                _known.Clear();
            }

            _known[NameOf(file)] = (version, time.GetUtcNow());
        }

        return version;
    }

    private static (string Root, string Key) NameOf(CacheableFile file) => (file.Store.Root.OriginalString, file.Key);
}
