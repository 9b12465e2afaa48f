using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace LakeHolo.Readers.Cache.Sparse;

/// <summary>A file that nobody can open until it is released: an open() of it, in this process too, waits.</summary>
/// <remarks>A write lease of Linux, which is given only while nobody else has the file open. Who opens it waits until the lease is given up, or as long as the system allows (45 s, if it is
/// not set otherwise). Source: fcntl(2), "Leases"; proc_sys_fs(5), lease-break-time.</remarks>
internal sealed partial class FileHold
{
    private const int SetSignal = 10; // F_SETSIG
    private const int SetLease = 1024; // F_SETLEASE
    private const int GetLease = 1025; // F_GETLEASE
    private const int WriteLease = 1; // F_WRLCK
    private const int NoLease = 2; // F_UNLCK
    private const int UrgentData = 23; // SIGURG, which is ignored by default: that of leases would end the process

    /// <summary>Less than the system allows, by what it may take to notice.</summary>
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan? Allowed = ReadAllowed();

    private readonly SafeFileHandle _handle;
    private readonly TimeSpan _most;
    private readonly Lock _lock = new();
    private long _unawaited; // when nobody waited yet
    private bool _released;

    private FileHold(SafeFileHandle handle, TimeSpan most, long taken)
    {
        _handle = handle;
        _most = most < Allowed!.Value ? most : Allowed.Value;
        _unawaited = taken;
    }

    /// <summary>Whether the system has such leases.</summary>
    public static bool IsPossible => Allowed is not null;

    /// <summary>Whether somebody waits in open().</summary>
    public bool IsAwaited
    {
        get
        {
            lock (_lock)
            {
                if (_released)
                {
                    return false;
                }

                long now = Stopwatch.GetTimestamp();
                if (Control(_handle, GetLease, 0) != WriteLease)
                {
                    return true;
                }

                _unawaited = now;
                return false;
            }
        }
    }

    /// <summary>How long nobody gets in before the file is released; it is to be released before that.</summary>
    public TimeSpan Left => IsAwaited ? _most - Stopwatch.GetElapsedTime(_unawaited) : _most;

    /// <summary>Holds a file by the one handle that is open to it, which has to be open for writing.</summary>
    /// <param name="handle">The handle.</param>
    /// <param name="most">How long somebody may wait, where that is less than the system allows.</param>
    /// <returns>Null if somebody else has it open, or the file system has no leases.</returns>
    public static FileHold? TryTake(SafeFileHandle handle, TimeSpan most)
    {
        long taken = Stopwatch.GetTimestamp();
        return IsPossible && Control(handle, SetSignal, UrgentData) == 0 && Control(handle, SetLease, WriteLease) == 0 ? new FileHold(handle, most, taken) : null;
    }

    /// <summary>Lets those in who wait.</summary>
    public void Release()
    {
        lock (_lock)
        {
            if (!_released)
            {
                _released = true;
                _ = Control(_handle, SetLease, NoLease);
            }
        }
    }

    private static TimeSpan? ReadAllowed()
    {
        try
        {
            return OperatingSystem.IsLinux()
                && int.TryParse(File.ReadAllText("/proc/sys/fs/lease-break-time").Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out int seconds) && seconds > Margin.TotalSeconds
                    ? TimeSpan.FromSeconds(seconds) - Margin : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Control(SafeFileHandle file, int command, int argument);
}
