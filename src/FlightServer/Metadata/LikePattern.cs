namespace LakeHolo.FlightServer.Metadata;

/// <summary>The patterns of metadata commands: <c>%</c> any run, <c>_</c> one character, <c>\</c> escapes; case-sensitive, linear in the text times the pattern.</summary>
internal static class LikePattern
{
    public static bool Matches(string? pattern, string text)
    {
        if (pattern is null)
        {
            return true;
        }

        int p = 0;
        int t = 0;
        int star = -1;
        int mark = 0;
        while (t < text.Length)
        {
            bool escaped = p + 1 < pattern.Length && pattern[p] == '\\';
            if (p < pattern.Length && !escaped && pattern[p] == '%')
            {
                star = p++;
                mark = t;
            }
            else if (p < pattern.Length && (escaped ? pattern[p + 1] == text[t] : pattern[p] == '_' || pattern[p] == text[t]))
            {
                p += escaped ? 2 : 1;
                t++;
            }
            else if (star >= 0)
            {
                p = star + 1;
                t = ++mark;
            }
            else
            {
                return false;
            }
        }

        while (p < pattern.Length && pattern[p] == '%')
        {
            p++;
        }

        return p == pattern.Length;
    }
}
