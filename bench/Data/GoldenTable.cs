using System.IO.Compression;
using LakeHolo.Bench.Harness;

namespace LakeHolo.Bench.Data;

/// <summary>Tables of the golden cases that are large enough to be measured.</summary>
internal static class GoldenTable
{
    /// <summary>Unpacks the table of a case to <c>bench.db/NAME</c> of a lake; null if the case is not there.</summary>
    public static async Task<string?> UnpackAsync(BenchContext bench, string format, string name)
    {
        string zip = ZipOf(format, name);
        if (!File.Exists(zip))
        {
            return null;
        }

        return await bench.Data.MakeAsync("golden-" + name, 1, (_, folder) =>
        {
            string unpacked = Path.Combine(folder, "unpacked");
            ZipFile.ExtractToDirectory(zip, unpacked);
            Directory.CreateDirectory(Path.Combine(folder, "bench.db"));
            Directory.Move(Path.Combine(unpacked, "table"), Path.Combine(folder, "bench.db", "lineitem"));
            Directory.Delete(unpacked, recursive: true);
        });
    }

    /// <summary>Where a case lies, if it is there.</summary>
    public static string ZipOf(string format, string name)
    {
        string? root = AppContext.BaseDirectory;
        while (root is not null && !File.Exists(Path.Combine(root, "LakeHolo.sln")))
        {
            root = Path.GetDirectoryName(root);
        }

        return Path.Combine(root ?? ".", "tests", "Golden.Tests", "cases", format, name + ".zip");
    }
}
