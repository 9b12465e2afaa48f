using System.Globalization;
using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;

namespace LakeHolo.LakeCatalog.Storage;

/// <summary>A folder of the local file system. Symbolic links are followed as long as they stay inside it.</summary>
/// <remarks>A link that leaves the folder is listed by its name, and refused when it is read or descended into: a table that reaches outside is an
/// error, not a table with fewer rows.</remarks>
public sealed class LocalFolderStore : IObjectStore
{
    private const string TemporaryPrefix = ".lakeholo-put-";

    /// <summary>A read that is not awaited: the system has no other kind, so an awaited one blocks another thread of the pool, after it waited for it.</summary>
    private const int ReadAtOnceBytes = 64 << 10;

    private readonly string _root;

    /// <summary>Opens a folder, which must exist.</summary>
    /// <exception cref="LakeException">NotFound.</exception>
    public LocalFolderStore(string path)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (!Directory.Exists(full))
        {
            throw LakeException.NotFound("The folder does not exist", full);
        }

        _root = LocalLinks.ResolveFully(full) ?? throw LakeException.NotFound("The folder's symbolic link leads nowhere", full);
        Root = new Uri("file://" + (_root == "/" ? "/" : _root + "/"));
    }

    /// <inheritdoc/>
    public Uri Root { get; }

    /// <inheritdoc/>
    public string? TryGetLocalPath(string key) => Resolve(key);

    /// <inheritdoc/>
    public ValueTask<ObjectEntry?> HeadAsync(string key, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var file = new FileInfo(Resolve(key));
        return ValueTask.FromResult(Guard(key, () => !key.EndsWith('/') && file.Exists ? EntryOf(key, file) : (ObjectEntry?)null));
    }

    /// <inheritdoc/>
    public async ValueTask<byte[]> ReadAsync(string key, long maxSizeBytes = 1L << 30, CancellationToken cancellationToken = default)
    {
        using SafeFileHandle handle = OpenForRead(key);
        long size = RandomAccess.GetLength(handle);
        if (size > Math.Min(maxSizeBytes, Array.MaxLength))
        {
            throw new LakeException(LakeErrorKind.ResourcesExhausted, $"The object has {size} bytes, the bound is {maxSizeBytes}", PathOf(key));
        }

        byte[] content = new byte[size];
        await ReadFullyAsync(handle, content, 0, key, cancellationToken);
        return content;
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>> ReadRangesAsync(
        string key, IReadOnlyList<ByteRange> ranges, string? ifMatch = null, CancellationToken cancellationToken = default)
    {
        using SafeFileHandle handle = OpenForRead(key);
        long size = RandomAccess.GetLength(handle);
        if (ifMatch is not null && ifMatch != ETagOf(size, File.GetLastWriteTimeUtc(handle)))
        {
            throw ObjectErrors.Rewritten(PathOf(key));
        }

        ObjectErrors.CheckRanges(ranges, size, PathOf(key));
        var results = new ReadOnlyMemory<byte>[ranges.Count];
        for (int i = 0; i < results.Length; i++)
        {
            byte[] buffer = new byte[ranges[i].Length];
            await ReadFullyAsync(handle, buffer, ranges[i].Offset, key, cancellationToken);
            results[i] = buffer;
        }

        return results;
    }

    /// <inheritdoc/>
    public async ValueTask<bool> PutAsync(
        string key, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellationToken = default)
    {
        string target = Resolve(key);
        if (key.Length == 0 || key.EndsWith('/'))
        {
            throw new ArgumentException("A key of an object is not empty and does not end in '/'", nameof(key));
        }

        string folder = Path.GetDirectoryName(target)!;
        string temporary = Path.Combine(folder, TemporaryPrefix + Guid.NewGuid().ToString("N"));
        try
        {
            Directory.CreateDirectory(folder);
            await using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0, useAsync: true))
            {
                await stream.WriteAsync(content, cancellationToken);
                stream.Flush(flushToDisk: true);
            }

            if (condition == PutCondition.None)
            {
                File.Move(temporary, target, overwrite: true);
            }
            else if (!LocalLinks.TryMoveIfAbsent(temporary, target))
            {
                return false;
            }

            LocalLinks.FlushFolder(folder);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw LakeException.StorageUnavailable($"The object cannot be written: {e.Message}", PathOf(key), isTransient: false, e);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<ObjectEntry> ListAsync(
        string prefix, bool recursive, string? startAfter = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        // Folders are walked depth first with their children sorted as keys ("name/" for a folder), which gives ordinal order of whole keys.
        string folderKey = prefix[..(prefix.LastIndexOf('/') + 1)];
        var pending = new Stack<IEnumerator<Child>>();
        pending.Push(((IEnumerable<Child>)ChildrenOf(folderKey, prefix)).GetEnumerator());
        while (pending.TryPeek(out IEnumerator<Child>? children))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!children.MoveNext())
            {
                pending.Pop().Dispose();
                continue;
            }

            Child child = children.Current;
            bool isFolder = child.Key.EndsWith('/');
            bool after = startAfter is null || KeyOrder.Instance.Compare(child.Key, startAfter) > 0;
            if (isFolder && recursive)
            {
                // Keys inside a folder begin with its key: all of them come before startAfter unless that is one of them.
                if (after || startAfter!.StartsWith(child.Key, StringComparison.Ordinal))
                {
                    pending.Push(((IEnumerable<Child>)ChildrenOf(child.Key, child.Key, isPlain: child.IsPlain)).GetEnumerator());
                }
            }
            else if (after)
            {
                yield return isFolder
                    ? new ObjectEntry(child.Key, 0, new DateTimeOffset(child.Info.LastWriteTimeUtc, TimeSpan.Zero), string.Empty)
                    : TargetEntryOf(child.Key, (FileInfo)child.Info);
            }
        }

        await ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    // A folder that was reached from another without a link needs no look at the links above it.
    private List<Child> ChildrenOf(string folderKey, string prefix, bool isPlain = false)
    {
        var folder = new DirectoryInfo(isPlain ? PathOf(folderKey) : Resolve(folderKey, refuseLoops: true));
        return Guard(folderKey, () =>
        {
            var children = new List<Child>();
            if (!folder.Exists)
            {
                return children;
            }

            foreach (FileSystemInfo info in folder.EnumerateFileSystemInfos())
            {
                bool isFolder = info is DirectoryInfo;
                string key = folderKey + info.Name + (isFolder ? "/" : "");
                if (key.StartsWith(prefix, StringComparison.Ordinal) && !info.Name.StartsWith(TemporaryPrefix, StringComparison.Ordinal)
                    && TargetOf(info) is { } target)
                {
                    children.Add(new Child(key, target, ReferenceEquals(target, info)));
                }
            }

            children.Sort(static (a, b) => KeyOrder.Instance.Compare(a.Key, b.Key));
            return children;
        });
    }

    // Links are listed with their target's size and time; a link that leads nowhere is as good as absent.
    private static FileSystemInfo? TargetOf(FileSystemInfo info) =>
        !info.Attributes.HasFlag(FileAttributes.ReparsePoint) ? info : info.ResolveLinkTarget(returnFinalTarget: true) is { Exists: true } target ? target : null;

    private string Resolve(string key, bool refuseLoops = false)
    {
        if (key.StartsWith('/') || key.Contains('\0', StringComparison.Ordinal) || key.Split('/').Any(s => s is ".." or "."))
        {
            throw LakeException.StorageUnavailable($"The key '{key}' leaves the folder", Root.OriginalString, isTransient: false);
        }

        string path = PathOf(key);
        switch (Guard(key, () => LocalLinks.Check(_root, key.TrimEnd('/'))))
        {
            case LinkVerdict.Leaves:
                throw LakeException.StorageUnavailable("A symbolic link leaves the source's folder", path, isTransient: false);
            case LinkVerdict.Loops when refuseLoops:
                throw LakeException.StorageUnavailable("A symbolic link leads back to a folder above it", path, isTransient: false);
            default:
                return path;
        }
    }

    private string PathOf(string key) => Path.Combine(_root, key);

    private SafeFileHandle OpenForRead(string key)
    {
        string path = Resolve(key);
        return Guard(key, () => File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, FileOptions.Asynchronous));
    }

    private async ValueTask ReadFullyAsync(SafeFileHandle handle, Memory<byte> buffer, long offset, string key, CancellationToken cancellationToken)
    {
        while (!buffer.IsEmpty)
        {
            int read = buffer.Length <= ReadAtOnceBytes ? RandomAccess.Read(handle, buffer.Span, offset) : await RandomAccess.ReadAsync(handle, buffer, offset, cancellationToken);
            if (read == 0)
            {
                throw ObjectErrors.Rewritten(PathOf(key));
            }

            buffer = buffer[read..];
            offset += read;
        }
    }

    private T Guard<T>(string key, Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw ObjectErrors.Missing(PathOf(key), e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw LakeException.StorageUnavailable($"The file system refuses: {e.Message}", PathOf(key), isTransient: false, e);
        }
    }

    private static ObjectEntry EntryOf(string key, FileInfo file)
    {
        return TargetEntryOf(key, file.LinkTarget is null ? file : (FileInfo)file.ResolveLinkTarget(returnFinalTarget: true)!);
    }

    // Of a file that is known to be no link; asking for its target costs as much as its size and times.
    private static ObjectEntry TargetEntryOf(string key, FileInfo target)
    {
        return new ObjectEntry(key, target.Length, new DateTimeOffset(target.LastWriteTimeUtc, TimeSpan.Zero), ETagOf(target.Length, target.LastWriteTimeUtc));
    }

    private static string ETagOf(long sizeBytes, DateTime modifiedUtc) =>
        string.Create(CultureInfo.InvariantCulture, $"{sizeBytes:x}-{modifiedUtc.Ticks:x}");

    private readonly record struct Child(string Key, FileSystemInfo Info, bool IsPlain);
}
