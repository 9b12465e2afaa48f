using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Readers.Cache;

/// <summary>Names of cached files.</summary>
internal static class CacheNames
{
    private const int MaxReadableLength = 60;

    /// <summary>A digest of all that decides the content, then the end of the original name for the person who looks into the folder (and for the engine,
    /// which tells compression by the extension).</summary>
    /// <param name="file">The source.</param>
    /// <param name="version">Its size and tag.</param>
    /// <param name="kind">How the content was made from the source.</param>
    /// <param name="extension">Appended to the name.</param>
    public static string For(CacheableFile file, ObjectEntry version, string kind, string extension = "")
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
