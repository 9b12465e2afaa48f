using System.Diagnostics;

namespace LakeHolo.HotTier.Tests;

/// <summary>File systems of a test's own, where the machine allows them.</summary>
internal static class Mounts
{
    /// <summary>Whether a program was there and did its work.</summary>
    public static bool Run(string program, params string[] arguments)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
