namespace LakeHolo.LakeCatalog.Storage;

/// <summary>A folder of the local disk and all below it, as it was when it was listed: tells, with one look at each folder and file, whether a new
/// listing would give the same. A look costs a tenth of a file's part of a listing.</summary>
/// <remarks>A folder's time of change (ctime, which nobody sets) moves with every name that comes, goes or is replaced in it; size and times of each file
/// tell what was done to it in place. Times move in ticks, so what changed shortly before it was looked at proves nothing. File systems that are not known to
/// keep such times (network, FUSE), trees with links and trees of several file systems are not told this way. Hidden names (<see cref="HiddenNames"/>) are no data.</remarks>
internal sealed class LocalTree
{
    // Coarser than the ticks of any file system in the list.
    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(2);

    private static readonly HashSet<string> KeepTimes = new(StringComparer.Ordinal) { "ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "tmpfs", "overlay", "overlayfs" };

    private readonly List<(byte[] Path, FileStatus Status)> _entries = [];

    private LocalTree()
    {
    }

    /// <summary>Looks at the tree; to be called before it is listed, so that what changes meanwhile shows later.</summary>
    /// <param name="path">The root.</param>
    /// <param name="now">The time.</param>
    /// <returns>Null where looks do not tell.</returns>
    public static LocalTree? TryCapture(string path, DateTimeOffset now) => TryCapture(path, now, Depth.Tree);

    /// <summary>Looks at a folder and the files directly in it.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="now">The time.</param>
    /// <returns>Null where looks do not tell.</returns>
    public static LocalTree? TryCaptureFiles(string path, DateTimeOffset now) => TryCapture(path, now, Depth.Files);

    /// <summary>Looks at a folder alone, before it is listed: tells later whether a name in it came, went or was replaced, not what was done to a file in place.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="now">The time.</param>
    /// <returns>Null where looks do not tell.</returns>
    public static LocalTree? TryCaptureNames(string path, DateTimeOffset now) => TryCapture(path, now, Depth.Names);

    private static LocalTree? TryCapture(string path, DateTimeOffset now, Depth depth)
    {
        try
        {
            var tree = new LocalTree();
            var pending = new Stack<string>([path]);
            while (OperatingSystem.IsLinux() && pending.TryPop(out string? entry))
            {
                byte[] name = FileStatus.Terminated(entry);
                FileStatus? looked = FileStatus.Of(name);
                if (depth == Depth.Files && tree._entries.Count > 0 && looked is { IsFolder: true })
                {
                    continue;
                }

                if (looked is not { } status || now - status.ChangedAt < Settled || !(status.IsFolder || status.IsFile)
                    || (status.IsFolder && tree._entries.Count > 0 && status.Device != tree._entries[0].Status.Device))
                {
                    return null;
                }

                tree._entries.Add((name, status));
                if (status.IsFolder && depth != Depth.Names)
                {
                    foreach (string child in Directory.EnumerateFileSystemEntries(entry).Where(c => !HiddenNames.IsHidden(Path.GetFileName(c.AsSpan()))))
                    {
                        pending.Push(child);
                    }
                }
            }

            return tree._entries.Count > 0 && KeepTimes.Contains(new DriveInfo(path).DriveFormat) ? tree : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or EntryPointNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Whether names, sizes and times are what they were.</summary>
    public bool IsUnchanged()
    {
        foreach ((byte[] path, FileStatus status) in _entries)
        {
            if (FileStatus.Of(path) != status)
            {
                return false;
            }
        }

        return true;
    }

    private enum Depth
    {
        Names,
        Files,
        Tree,
    }
}
