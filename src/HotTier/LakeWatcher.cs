using System.Collections.Concurrent;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.HotTier;

/// <summary>Tells of changes below a local folder as they happen. What it misses, the next sync finds.</summary>
internal sealed class LakeWatcher : IDisposable
{
    // A commit is several files; they are taken together.
    private static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(10);

    private readonly FileSystemWatcher _watcher;
    private readonly string _directory;
    private readonly ConcurrentDictionary<string, bool> _changed = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _signal = new(0);

    private LakeWatcher(string directory)
    {
        _directory = directory.TrimEnd('/') + "/";
        _watcher = new FileSystemWatcher(directory) { IncludeSubdirectories = true, NotifyFilter = NotifyFilters.FileName | NotifyFilters.LastWrite };
        _watcher.Created += (_, e) => Note(e.FullPath);
        _watcher.Changed += (_, e) => Note(e.FullPath);
        _watcher.Deleted += (_, e) => Note(e.FullPath);
        _watcher.Renamed += (_, e) => Note(e.FullPath);

        // Too many at once: everything may have changed.
        _watcher.Error += (_, _) => Note(_directory);
        _watcher.EnableRaisingEvents = true;
    }

    /// <summary>Watches a source's folder; null where there is none, or the system allows no more watches.</summary>
    public static LakeWatcher? TryWatch(TableRoot root)
    {
        try
        {
            return root.Store.TryGetLocalPath(root.Prefix.Length == 0 ? string.Empty : root.Prefix) is { } directory && Directory.Exists(directory) ? new LakeWatcher(directory) : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Waits for changes; says for each table whether it is among them.</summary>
    public async ValueTask<Func<CatalogTable, bool>> NextAsync(TableRoot source, CancellationToken cancellationToken)
    {
        await _signal.WaitAsync(cancellationToken);
        await Task.Delay(Gathering, cancellationToken);
        string[] paths = [.. _changed.Keys];
        foreach (string path in paths)
        {
            _changed.TryRemove(path, out _);
        }

        return table => table.Table.Root.Store == source.Store && paths.Any(p => (source.Prefix + p).StartsWith(table.Table.Root.Prefix, StringComparison.Ordinal) || p.Length == 0);
    }

    public void Dispose()
    {
        _watcher.Dispose();
        _signal.Dispose();
    }

    private void Note(string path)
    {
        string folder = path.Length > _directory.Length ? path[_directory.Length..(path.LastIndexOf('/') + 1)] : string.Empty;
        if (_changed.TryAdd(folder, true))
        {
            _signal.Release();
        }
    }
}
