using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Readers.Cache;

/// <summary>Names of cached files.</summary>
internal static class CacheNames
{
    /// <summary>Begins the names of files that may have holes.</summary>
    public const string SparsePrefix = "ranges-";

    /// <summary>Begins the names of views, which do not outlive the process.</summary>
    public const string ViewPrefix = "view-";

    private const int MaxReadableLength = 60;

    /// <summary>The name of the local copy of a file.</summary>
    public static string ForRanges(CacheableFile file, ObjectEntry version) => SparsePrefix + For(file, version, "ranges", string.Empty);

    /// <summary>The name of a view of some row groups of a file.</summary>
    public static string ForView(CacheableFile file, ObjectEntry version, string rowGroups) => ViewPrefix + For(file, version, "view " + rowGroups, string.Empty);

    /// <summary>The name of a decoded file.</summary>
    public static string ForDecoded(CacheableFile file, ObjectEntry version, string decoderKey) =>
        "decoded-" + For(file, version, "decoded " + decoderKey, ".parquet");

    // A digest of all that decides the content, then the end of the original name: for the person who looks into the folder, and for the engine, which tells
    // compression by the extension.
    private static string For(CacheableFile file, ObjectEntry version, string kind, string extension)
    {
        string[] parts = [file.Store.Root.OriginalString, file.Key, version.SizeBytes.ToString(CultureInfo.InvariantCulture), version.ETag, kind];
        byte[] digest = SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', parts)));
        return Convert.ToHexStringLower(digest.AsSpan(0, 20)) + "-" + Readable(version.Name) + extension;
    }

    private static string Readable(string name)
    {
        ReadOnlySpan<char> end = name.AsSpan(Math.Max(0, name.Length - MaxReadableLength));
        var readable = new StringBuilder(end.Length);
        foreach (char c in end)
        {
            readable.Append(char.IsAsciiLetterOrDigit(c) || c is '.' or '-' ? c : '_');
        }

        return readable.ToString();
    }
}
