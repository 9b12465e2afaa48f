using LakeHolo.Readers.Engine;

namespace LakeHolo.Accelerator.Execution;

/// <summary>Statements that read files. The engine keeps no plan of such a scan: it would make one when it prepares the statement, and one more when it runs it.</summary>
internal static class FileScans
{
    /// <summary>The value of the marker that <see cref="BoundLate"/> puts into a text.</summary>
    public static IReadOnlyList<object?> LateValues { get; } = [false];

    /// <summary>The same statement with a marker for an argument of its first scan of files: while its value is not known, the engine does nothing but parse. Null for a statement without such a
    /// scan.</summary>
    /// <param name="sql">A statement without markers.</param>
    public static string? BoundLate(string sql)
    {
        ReadOnlySpan<char> text = sql;
        for (int at = 0; at < text.Length;)
        {
            int next = text[at..].IndexOfAny('\'', '"', SqlText.PlainNames[0]);
            if (next < 0)
            {
                break;
            }

            at += next;
            if (text[at..].StartsWith(SqlText.PlainNames, StringComparison.Ordinal))
            {
                return string.Concat(text[..at], SqlText.PlainNames.AsSpan()[..^"false".Length], "$1", text[(at + SqlText.PlainNames.Length)..]);
            }

            // What stands in quotes is skipped; a quote inside is written twice, which reads as two texts without anything between them.
            int end = text[at] is '\'' or '"' ? text[(at + 1)..].IndexOf(text[at]) : 0;
            if (end < 0)
            {
                break;
            }

            at += end + (text[at] is '\'' or '"' ? 2 : 1);
        }

        return null;
    }
}
