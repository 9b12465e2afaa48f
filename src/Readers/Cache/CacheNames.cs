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

    /// <summary>Begins the names of decoded files that do not outlive the process.</summary>
    public const string PassingPrefix = "passing-";

    private const int MaxReadableLength = 60;

    private const int FileDigestBytes = 8;

    /// <summary>The name of the local copy of a file.</summary>
    public static string ForRanges(CacheableFile file, ObjectEntry version) => ForRangesOfAny(file) + For(file, version, "ranges", string.Empty);

    /// <summary>What the names of local copies of all versions of a file begin with, and hardly any other's.</summary>
    public static string ForRangesOfAny(CacheableFile file) =>
        string.Concat(SparsePrefix, Convert.ToHexStringLower(Digest(file.Store.Root.OriginalString, file.Key).AsSpan(0, FileDigestBytes)), "-");

    /// <summary>The part of a local copy's name that <see cref="ForRangesOfAny"/> gives.</summary>
    public static string AnyVersionOf(string rangesName) => rangesName[..Math.Min(rangesName.Length, SparsePrefix.Length + (2 * FileDigestBytes) + 1)];

    /// <summary>The name of a view of some row groups of a file.</summary>
    public static string ForView(CacheableFile file, ObjectEntry version, string rowGroups) => ViewPrefix + For(file, version, "view " + rowGroups, string.Empty);

    /// <summary>Whether files of the name are of use to a later process.</summary>
    public static bool Outlives(string name) => !name.StartsWith(ViewPrefix, StringComparison.Ordinal) && !name.StartsWith(PassingPrefix, StringComparison.Ordinal);

    /// <summary>The name of a decoded file.</summary>
    public static string ForDecoded(CacheableFile file, ObjectEntry version, string decoderKey, bool outlives) =>
        (outlives ? "decoded-" : PassingPrefix) + For(file, version, "decoded " + decoderKey, ".parquet");

    // A digest of all that decides the content, then the end of the original name: for the person who looks into the folder, and for the engine, which tells
    // compression by the extension.
    private static string For(CacheableFile file, ObjectEntry version, string kind, string extension)
    {
        byte[] digest = Digest(file.Store.Root.OriginalString, file.Key, version.SizeBytes.ToString(CultureInfo.InvariantCulture), version.ETag, kind);
        return Convert.ToHexStringLower(digest.AsSpan(0, 20)) + "-" + Readable(version.Name) + extension;
    }

    private static byte[] Digest(params IEnumerable<string> parts) => SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', parts)));

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
