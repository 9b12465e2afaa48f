namespace LakeHolo.Cli.Commands;

/// <summary>Splits a text at the semicolons between statements, not at those in strings, quoted names or comments.</summary>
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
            if (c is '\'' or '"')
            {
                int end = text.IndexOf(c, i + 1);
                i = end < 0 ? text.Length : end + 1;
                hasContent = true;
            }
            else if (c == '-' && i + 1 < text.Length && text[i + 1] == '-')
            {
                int end = text.IndexOf('\n', i);
                i = end < 0 ? text.Length : end + 1;
            }
            else if (c == '/' && i + 1 < text.Length && text[i + 1] == '*')
            {
                int end = text.IndexOf("*/", i + 2, StringComparison.Ordinal);
                i = end < 0 ? text.Length : end + 2;
            }
            else if (c == ';')
            {
                Add(text[start..i]);
                start = ++i;
            }
            else
            {
                hasContent |= !char.IsWhiteSpace(c);
                i++;
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
}
