using System.Text;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Delta.Files;

/// <summary>Paths of the log: URI strings, percent-encoded once (Delta PROTOCOL.md, "Add File and Remove File"). Joining is plain text, because
/// <see cref="Uri"/> would rewrite escapes, dots and case.</summary>
internal static class DeltaPath
{
    /// <summary>The decoded path: relative to the table's root, or absolute as <c>scheme://authority/path</c>. Different spellings of one
    /// location give one text. A relative path that would look absolute once decoded (<c>ab%3A/x</c>) begins with <c>./</c>.</summary>
    /// <param name="encoded">As in the log.</param>
    /// <param name="rootLocation">The table's root; absolute paths below it become relative.</param>
    public static string Canonical(string encoded, string rootLocation)
    {
        if (!IsAbsolute(encoded))
        {
            return Relative(Decode(encoded));
        }

        string absolute = NormalizeAbsolute(Decode(encoded));
        string root = NormalizeAbsolute(rootLocation) + "/";
        return absolute.StartsWith(root, StringComparison.Ordinal) ? Relative(absolute[root.Length..]) : absolute;
    }

    private static string Relative(string decoded) => ExternalLocations.IsAbsolute(decoded) ? ExternalLocations.RelativeMark + decoded : decoded;

    /// <summary>Whether a path (encoded or canonical) is absolute: starts with '/' or with a scheme of at least two letters.</summary>
    public static bool IsAbsolute(string path)
    {
        if (path.StartsWith('/'))
        {
            return true;
        }

        int colon = path.IndexOf(':', StringComparison.Ordinal);
        if (colon < 2 || colon + 1 >= path.Length || path[colon + 1] != '/' || !char.IsAsciiLetter(path[0]))
        {
            return false;
        }

        for (int i = 1; i < colon; i++)
        {
            if (!char.IsAsciiLetterOrDigit(path[i]) && path[i] is not ('+' or '.' or '-'))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Decodes <c>%XX</c> once; '+' stays, a '%' without two digits stays.</summary>
    public static string Decode(string encoded)
    {
        if (!encoded.Contains('%', StringComparison.Ordinal))
        {
            return encoded;
        }

        byte[] bytes = Encoding.UTF8.GetBytes(encoded);
        int length = 0;
        for (int i = 0; i < bytes.Length; i++)
        {
            if (bytes[i] == '%' && i + 2 < bytes.Length && char.IsAsciiHexDigit((char)bytes[i + 1]) && char.IsAsciiHexDigit((char)bytes[i + 2]))
            {
                bytes[length++] = (byte)((HexValue(bytes[i + 1]) << 4) | HexValue(bytes[i + 2]));
                i += 2;
            }
            else
            {
                bytes[length++] = bytes[i];
            }
        }

        return Encoding.UTF8.GetString(bytes, 0, length);
    }

    /// <summary><c>/x</c>, <c>file:/x</c> and <c>file:///x</c> become <c>file:///x</c>; aliases of S3's scheme become <c>s3</c>.</summary>
    public static string NormalizeAbsolute(string absolute)
    {
        if (absolute.StartsWith('/'))
        {
            return "file:///" + absolute.TrimStart('/').TrimEnd('/');
        }

        int colon = absolute.IndexOf(':', StringComparison.Ordinal);
        string scheme = absolute[..colon].ToLowerInvariant();
        string rest = absolute[(colon + 1)..].TrimEnd('/');
        if (scheme == "file")
        {
            return "file:///" + rest.TrimStart('/');
        }

        string authorityAndPath = rest.TrimStart('/');
        int slash = authorityAndPath.IndexOf('/', StringComparison.Ordinal);
        string authority = slash < 0 ? authorityAndPath : authorityAndPath[..slash];
        string path = slash < 0 ? string.Empty : authorityAndPath[slash..];
        return (scheme is "s3a" or "s3n" ? "s3" : scheme) + "://" + authority.ToLowerInvariant() + path;
    }

    private static int HexValue(byte digit) => digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
}
