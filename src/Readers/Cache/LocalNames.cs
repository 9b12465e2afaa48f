using System.IO.Hashing;
using System.Text;

namespace LakeHolo.Readers.Cache;

/// <summary>Local paths as the engine is told them.</summary>
internal static class LocalNames
{
    private const int VersionBits = 40;

    /// <summary>A path to a file that may be replaced in place, spelled otherwise for each version of it.</summary>
    /// <remarks>The engine keeps what footers say by path, whole second of change and size. A file that is replaced twice in a second, at one size, must not be
    /// answered by the footer of the one before, so its tag goes into the path: <c>./</c> for a one and <c>/</c> for a zero, before the file's name.</remarks>
    /// <param name="path">The absolute path.</param>
    /// <param name="etag">What changes with the content; null for files that never change under their names, whose paths stay as they are.</param>
    public static string Of(string path, string? etag)
    {
        if (etag is null)
        {
            return path;
        }

        ulong version = XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(etag));
        int name = path.LastIndexOf('/') + 1;
        var spelled = new StringBuilder(path, 0, name, path.Length + (2 * VersionBits));
        for (int bit = 0; bit < VersionBits; bit++)
        {
            spelled.Append((version >> bit & 1) == 0 ? "/" : "./");
        }

        return spelled.Append(path, name, path.Length - name).ToString();
    }
}
