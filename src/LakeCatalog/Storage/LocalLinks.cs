using System.Runtime.InteropServices;

namespace LakeHolo.LakeCatalog.Storage;

/// <summary>Where the symbolic links of a path lead.</summary>
internal enum LinkVerdict
{
    /// <summary>Nowhere outside.</summary>
    Inside,

    /// <summary>Inside, to a folder above the link.</summary>
    Loops,

    /// <summary>Out of the root.</summary>
    Leaves,
}

/// <summary>What the local store needs of the file system beyond the class library.</summary>
internal static partial class LocalLinks
{
    private const int FileExists = 17; // EEXIST, the same on Linux and macOS
    private const int MaxLinks = 40; // Linux path_resolution(7) gives up after as many

    /// <summary>The path with every symbolic link in it resolved, or null if one leads nowhere.</summary>
    public static string? ResolveFully(string fullPath)
    {
        string resolved = "/";
        var pending = new Stack<string>(fullPath.Split('/', StringSplitOptions.RemoveEmptyEntries).Reverse());
        for (int links = 0; pending.TryPop(out string? segment);)
        {
            if (segment == "..")
            {
                resolved = Path.GetDirectoryName(resolved) ?? "/";
                continue;
            }

            string path = Path.Combine(resolved, segment);
            string? target = segment == "." ? null : new FileInfo(path).LinkTarget;
            if (target is null)
            {
                resolved = segment == "." ? resolved : path;
                continue;
            }

            if (++links > MaxLinks)
            {
                return null;
            }

            resolved = target.StartsWith('/') ? "/" : resolved;
            foreach (string part in target.Split('/', StringSplitOptions.RemoveEmptyEntries).Reverse())
            {
                pending.Push(part);
            }
        }

        return resolved;
    }

    /// <summary>Follows the links of a path below a root that is itself free of links.</summary>
    public static LinkVerdict Check(string root, string relativePath)
    {
        var verdict = LinkVerdict.Inside;
        string real = root;
        foreach (string segment in relativePath.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            string path = Path.Combine(real, segment);
            if (new FileInfo(path).LinkTarget is null)
            {
                real = path;
                continue;
            }

            string? target = ResolveFully(path);
            if (target is null || !IsBelow(root, target))
            {
                return LinkVerdict.Leaves;
            }

            verdict = IsBelow(target, path) ? LinkVerdict.Loops : verdict;
            real = target;
        }

        return verdict;
    }

    /// <summary>Gives a file its final name, unless that is taken; one atomic step.</summary>
    public static bool TryMoveIfAbsent(string source, string target)
    {
        // File.Move without overwriting looks first and renames then: two writers may both find the name free. link(2) decides.
        if (Link(source, target) == 0)
        {
            return true;
        }

        int error = Marshal.GetLastPInvokeError();
        return error == FileExists ? false : throw new IOException($"link failed with error {error}: {Marshal.GetPInvokeErrorMessage(error)}");
    }

    /// <summary>Makes a rename in a folder durable.</summary>
    public static void FlushFolder(string path)
    {
        int descriptor = Open(path, 0);
        if (descriptor < 0)
        {
            return; // a folder that may be written but not read: the rename is atomic all the same
        }

        _ = FileSync(descriptor);
        _ = Close(descriptor);
    }

    private static bool IsBelow(string folder, string path) =>
        path == folder || folder == "/" || (path.StartsWith(folder, StringComparison.Ordinal) && path[folder.Length] == '/');

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Link(string existing, string created);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FileSync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}
