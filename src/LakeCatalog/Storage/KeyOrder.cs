namespace LakeHolo.LakeCatalog.Storage;

/// <summary>The order of keys in listings: that of their UTF-8 bytes, as S3 defines it (API reference, ListObjectsV2), which is that of code points.</summary>
internal sealed class KeyOrder : IComparer<string>
{
    public static KeyOrder Instance { get; } = new();

    public int Compare(string? x, string? y)
    {
        ReadOnlySpan<char> a = x, b = y;
        int common = a.CommonPrefixLength(b);
        if (common == a.Length || common == b.Length)
        {
            return a.Length - b.Length;
        }

        // UTF-16 units differ from code points in order only where a surrogate meets a unit above the surrogates.
        char left = a[common], right = b[common];
        return char.IsSurrogate(left) != char.IsSurrogate(right) && left >= '\uD800' && right >= '\uD800'
            ? char.IsSurrogate(left) ? 1 : -1
            : left - right;
    }
}
