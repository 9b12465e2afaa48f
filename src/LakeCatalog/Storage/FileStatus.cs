using System.Runtime.InteropServices;
using System.Text;

namespace LakeHolo.LakeCatalog.Storage;

/// <summary>What statx(2) of Linux says of a file or folder, a link at its end not followed.</summary>
internal readonly partial record struct FileStatus(ulong Device, ulong Inode, int Kind, long SizeBytes, FileInstant Modified, FileInstant Changed)
{
    private const int CurrentFolder = -100; // AT_FDCWD
    private const int NoFollow = 0x100; // AT_SYMLINK_NOFOLLOW
    private const uint BasicStats = 0x7FF; // STATX_BASIC_STATS
    private const int StatxBytes = 256;
    private const int KindMask = 0xF000; // S_IFMT
    private const int FolderKind = 0x4000; // S_IFDIR
    private const int FileKind = 0x8000; // S_IFREG

    public bool IsFolder => Kind == FolderKind;

    public bool IsFile => Kind == FileKind;

    public DateTimeOffset ChangedAt => DateTimeOffset.FromUnixTimeSeconds(Changed.Seconds);

    /// <summary>A path as the system takes it.</summary>
    public static byte[] Terminated(string path) => [.. Encoding.UTF8.GetBytes(path), 0];

    /// <summary>Looks at a path that ends in a zero byte.</summary>
    /// <returns>Null if there is nothing, or it cannot be looked at.</returns>
    public static unsafe FileStatus? Of(ReadOnlySpan<byte> terminatedPath)
    {
        // struct statx: mode at 28 (2 bytes), ino 32, size 40, ctime 96 and mtime 112 (seconds 8, nanoseconds 4), device 136 (major 4, minor 4)
        byte* result = stackalloc byte[StatxBytes];
        fixed (byte* path = terminatedPath)
        {
            if (Statx(CurrentFolder, path, NoFollow, BasicStats, result) != 0)
            {
                return null;
            }
        }

        return new FileStatus(
            *(ulong*)(result + 136), *(ulong*)(result + 32), *(ushort*)(result + 28) & KindMask, *(long*)(result + 40),
            new FileInstant(*(long*)(result + 112), *(uint*)(result + 120)), new FileInstant(*(long*)(result + 96), *(uint*)(result + 104)));
    }

    [LibraryImport("libc", EntryPoint = "statx")]
    private static unsafe partial int Statx(int folder, byte* path, int flags, uint mask, byte* result);
}

/// <summary>A time as file systems keep it, since 1970.</summary>
internal readonly record struct FileInstant(long Seconds, uint Nanoseconds);
