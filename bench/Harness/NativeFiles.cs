using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace LakeHolo.Bench.Harness;

/// <summary>What .NET does not offer for files.</summary>
internal static partial class NativeFiles
{
    private const int DontNeed = 4; // POSIX_FADV_DONTNEED

    /// <summary>Makes a hard link.</summary>
    /// <returns>0 if it is there.</returns>
    public static int Link(string file, string link) => LinkFile(file, link);

    /// <summary>Has the system forget the pages of every file below a folder, so that the next read goes to the disk.</summary>
    public static void DropPages(string folder)
    {
        foreach (string file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            using SafeFileHandle handle = File.OpenHandle(file);
            _ = Advise((int)handle.DangerousGetHandle(), 0, 0, DontNeed);
        }
    }

    [LibraryImport("libc", EntryPoint = "link", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int LinkFile(string file, string link);

    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Advise(int descriptor, long offset, long length, int advice);
}
