namespace LakeHolo.Cli.Commands;

/// <summary>Splits a text at the semicolons between statements, not at those in strings (<c>'…'</c>, <c>E'…\'…'</c>, <c>$$…$$</c>, <c>$tag$…$tag$</c>), quoted names or
/// comments, which nest, as the engine's lexer reads them.</summary>
internal static class StatementSplitter
{
    public static IReadOnlyList<string> Split(string text)
    {
        var statements = new List<string>();
        int start = 0;
        int i = 0;
        bool hasContent = false;
        while (i < text.Length)
        {
            char c = text[i];
            if (c == ';')
            {
                Add(text[start..i]);
                start = ++i;
            }
            else if (text.AsSpan(i).StartsWith("--"))
            {
                i = After(text, "\n", i);
            }
            else if (text.AsSpan(i).StartsWith("/*"))
            {
                i = AfterComment(text, i);
            }
            else
            {
                hasContent |= !char.IsWhiteSpace(c);
                i = AfterToken(text, i);
            }
        }

        Add(text[start..]);
        return statements;

        void Add(string statement)
        {
            if (hasContent)
            {
                statements.Add(statement.Trim());
            }

            hasContent = false;
        }
    }

    private static int AfterToken(string text, int i)
    {
        char c = text[i];
        if (c is '\'' or '"')
        {
            // A doubled quote ends one string and begins the next.
            return After(text, c.ToString(), i + 1);
        }

        if (c == '$' && Tag(text, i) is { } tag)
        {
            return After(text, tag, i + tag.Length);
        }

        if (!IsWord(c))
        {
            return i + 1;
        }

        // A dollar inside a name is part of it: t$snapshots.
        int end = i + 1;
        while (end < text.Length && (IsWord(text[end]) || text[end] == '$'))
        {
            end++;
        }

        bool escapes = end == i + 1 && c is 'e' or 'E' && end < text.Length && text[end] == '\'';
        return escapes ? AfterEscapeString(text, end + 1) : end;
    }

    private static int AfterEscapeString(string text, int i)
    {
        while (i < text.Length && text[i] != '\'')
        {
            i += text[i] == '\\' ? 2 : 1;
        }

        return Math.Min(i + 1, text.Length);
    }

    private static int AfterComment(string text, int i)
    {
        int depth = 0;
        do
        {
            bool opens = text.AsSpan(i).StartsWith("/*");
            bool closes = text.AsSpan(i).StartsWith("*/");
            depth += opens ? 1 : closes ? -1 : 0;
            i += opens || closes ? 2 : 1;
        }
        while (depth > 0 && i < text.Length);
        return i;
    }

    /// <summary><c>$$</c> or <c>$tag$</c>; a parameter such as <c>$1</c> is none.</summary>
    private static string? Tag(string text, int i)
    {
        int end = i + 1;
        while (end < text.Length && IsWord(text[end]) && !(end == i + 1 && char.IsAsciiDigit(text[end])))
        {
            end++;
        }

        return end < text.Length && text[end] == '$' ? text[i..(end + 1)] : null;
    }

    private static int After(string text, string end, int from)
    {
        int at = from >= text.Length ? -1 : text.IndexOf(end, from, StringComparison.Ordinal);
        return at < 0 ? text.Length : at + end.Length;
    }

    private static bool IsWord(char c) => char.IsLetterOrDigit(c) || c == '_';
}
