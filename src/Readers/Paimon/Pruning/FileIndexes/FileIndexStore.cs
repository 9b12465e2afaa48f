using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Readers.Paimon.Pruning.FileIndexes;

/// <summary>Loads the indexes of data files, out of the manifest or of the file beside the data file, and keeps the recent ones. They only prune: one that
/// is missing, broken or of an unknown version is as good as none.</summary>
internal sealed class FileIndexStore(ExternalLocations locations)
{
    private const long MaxIndexBytes = 64 << 20;
    private const long MaxHeldBytes = 128 << 20;
    private const string Suffix = ".index";

    private readonly Lock _lock = new();
    private readonly Dictionary<string, LinkedListNode<(string Key, FileIndex? Index)>> _held = [];
    private readonly LinkedList<(string Key, FileIndex? Index)> _recent = [];
    private long _heldBytes;

    /// <summary>The index of a file, or null.</summary>
    public async ValueTask<FileIndex?> TryLoadAsync(PaimonSnapshot snapshot, PaimonDataFile file, CancellationToken cancellationToken)
    {
        if (file.EmbeddedFileIndex is { Length: > 0 } embedded)
        {
            return TryOpen(embedded, file.Path);
        }

        if (file.ExtraFiles.Where(f => f.EndsWith(Suffix, StringComparison.Ordinal)).ToArray() is not [string name])
        {
            return null;
        }

        string path = file.Path[..(file.Path.LastIndexOf('/') + 1)] + name;
        string key = snapshot.Table.Root.Location + "\n" + path;
        lock (_lock)
        {
            if (_held.TryGetValue(key, out LinkedListNode<(string Key, FileIndex? Index)>? node))
            {
                _recent.Remove(node);
                _recent.AddFirst(node);
                return node.Value.Index;
            }
        }

        FileIndex? index = null;
        try
        {
            (IObjectStore store, string location) = locations.Resolve(snapshot.Table.Root, path);
            index = TryOpen(await store.ReadAsync(location, MaxIndexBytes, cancellationToken), path);
        }
        catch (LakeException e) when (!e.IsTransient)
        {
            // Without the index the file is read.
        }

        Hold(key, index);
        return index;
    }

    private static FileIndex? TryOpen(byte[] bytes, string path)
    {
        try
        {
            return FileIndex.Open(bytes, path);
        }
        catch (LakeException)
        {
            return null;
        }
    }

    private void Hold(string key, FileIndex? index)
    {
        lock (_lock)
        {
            if (_held.ContainsKey(key))
            {
                return;
            }

            _held[key] = _recent.AddFirst((key, index));
            _heldBytes += Size(index);
            while (_heldBytes > MaxHeldBytes && _recent.Last is { } last)
            {
                _recent.RemoveLast();
                _held.Remove(last.Value.Key);
                _heldBytes -= Size(last.Value.Index);
            }
        }
    }

    private static long Size(FileIndex? index) => 256 + (index?.SizeBytes ?? 0);
}
