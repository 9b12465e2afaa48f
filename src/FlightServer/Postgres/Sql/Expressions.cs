using System.Text;
using System.Text.RegularExpressions;

namespace LakeHolo.FlightServer.Postgres.Sql;

/// <summary>Regular expressions of PostgreSQL (15, "POSIX Regular Expressions") in the engine's syntax (RE2).</summary>
internal static class Expressions
{
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(100);

    /// <summary>An expression in the engine's syntax; null where the two differ and it cannot be said. What RE2 does not know at all (back references, look-around) fails there.</summary>
    public static string? Convert(string pattern)
    {
        if (pattern.StartsWith("***", StringComparison.Ordinal))
        {
            return null;
        }

        var text = new StringBuilder();
        for (int i = 0; i < pattern.Length; i++)
        {
            if (pattern.AsSpan(i).StartsWith("(?") && pattern.AsSpan(i + 2).TrimStart("is") is not [':' or ')', ..])
            {
                return null; // Options of other meanings, look-around.
            }

            if (pattern[i] != '\\' || i + 1 == pattern.Length)
            {
                text.Append(pattern[i]);
                continue;
            }

            char escaped = pattern[++i];
            if (escaped is 'b' or 'B' or 'C' or 'Q' or 'E' or 'p' or 'P' or 'z' or 'm' or 'M' or 'a' or 'x')
            {
                return null; // Backspace, backslash and others in PostgreSQL, something else in RE2.
            }

            text.Append(escaped switch { 'y' => "\\b", 'Y' => "\\B", 'Z' => "\\z", _ => $"\\{escaped}" });
        }

        return text.ToString();
    }

    /// <summary>The number of groups that capture; −1 where PostgreSQL, which takes the longest match of all, may take another than RE2, which takes the first: alternatives,
    /// both kinds of repetition in one expression, groups that may be left out and begin with what stands before them.</summary>
    public static int Groups(string pattern)
    {
        int groups = 0;
        bool lazy = false;
        bool greedy = false;
        string previous = string.Empty; // the single character or class before, if it is repeated
        var opened = new Stack<(string Before, string Inside, bool IsCapturing)>();
        (string Before, string Inside, bool IsCapturing) closed = (string.Empty, string.Empty, false);
        string atom = string.Empty;
        for (int i = 0; i < pattern.Length; i++)
        {
            char c = pattern[i];
            if (c == '|')
            {
                return -1;
            }

            if (c == '(')
            {
                bool capturing = !pattern.AsSpan(i).StartsWith("(?");
                groups += capturing ? 1 : 0;
                int inside = capturing ? i + 1 : pattern.IndexOf(':', i) + 1;
                opened.Push((previous, inside > 0 && inside < pattern.Length ? Atom(pattern, inside) : string.Empty, capturing));
                i = capturing ? i : Math.Max(i, pattern.IndexOfAny([':', ')'], i));
                (previous, atom) = (string.Empty, string.Empty);
                continue;
            }

            if (c == ')')
            {
                closed = opened.Count > 0 ? opened.Pop() : (string.Empty, string.Empty, false);
                atom = ")";
                continue;
            }

            if (c is '*' or '+' or '?' or '{' && atom.Length > 0)
            {
                int end = c == '{' ? pattern.IndexOf('}', i) : i;
                bool isLazy = end > 0 && end + 1 < pattern.Length && pattern[end + 1] == '?';
                (lazy, greedy) = (lazy || isLazy, greedy || !isLazy);
                if (atom == ")" && (closed.IsCapturing || (closed.Before.Length > 0 && CanBegin(closed.Before, closed.Inside))))
                {
                    return -1; // A group that is left out is NULL in PostgreSQL and empty in the engine; one that repeats is its last.
                }

                previous = atom == ")" ? "." : atom;
                i = Math.Max(i, end) + (isLazy ? 1 : 0);
                atom = string.Empty;
                continue;
            }

            atom = Atom(pattern, i);
            previous = string.Empty;
            i += atom.Length - 1;
        }

        return lazy && greedy ? -1 : groups;
    }

    /// <summary>Whether an expression may match nothing between two characters, which both count in their own ways.</summary>
    public static bool CanBeEmpty(string pattern)
    {
        try
        {
            return Regex.IsMatch(string.Empty, pattern, RegexOptions.None, Patience);
        }
        catch (ArgumentException)
        {
            return false; // No expression: the engine says so.
        }
    }

    private static bool CanBegin(string repeated, string first)
    {
        if (first.Length == 0 || first[0] is '[' or '.' or '(' || (first[0] == '\\' && char.IsLetterOrDigit(first[^1])))
        {
            return true;
        }

        try
        {
            return Regex.IsMatch(first[^1..], $"^{repeated}$", RegexOptions.IgnoreCase, Patience);
        }
        catch (ArgumentException)
        {
            return true;
        }
    }

    private static string Atom(string pattern, int at)
    {
        if (pattern[at] == '\\' && at + 1 < pattern.Length)
        {
            return pattern.Substring(at, 2);
        }

        if (pattern[at] != '[')
        {
            return pattern.Substring(at, 1);
        }

        int end = pattern.IndexOf(']', Math.Min(pattern.Length - 1, at + (at + 1 < pattern.Length && pattern[at + 1] == '^' ? 3 : 2)));
        int named = pattern.IndexOf("[:", at + 1, StringComparison.Ordinal); // [[:alpha:]]
        if (named > 0 && named < end)
        {
            end = pattern.IndexOf(']', Math.Min(pattern.Length - 1, pattern.IndexOf(":]", named, StringComparison.Ordinal) + 2));
        }

        return end < 0 ? pattern[at..] : pattern[at..(end + 1)];
    }
}
