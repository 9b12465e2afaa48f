using System.IO.Enumeration;

namespace LakeHolo.Accelerator.Catalog;

/// <summary>Globs over names: <c>*</c> and <c>?</c>, without regard to case.</summary>
public static class NamePattern
{
    /// <summary>Whether a name matches.</summary>
    public static bool Matches(string pattern, string name) => FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: true);
}

/// <summary>How far two names are apart, for suggestions.</summary>
public static class NameDistance
{
    /// <summary>The Levenshtein distance, without regard to case.</summary>
    public static int Between(string a, string b)
    {
        string left = a.ToUpperInvariant();
        string right = b.ToUpperInvariant();
        int[] row = [.. Enumerable.Range(0, right.Length + 1)];
        for (int i = 1; i <= left.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= right.Length; j++)
            {
                int substitution = diagonal + (left[i - 1] == right[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(substitution, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[^1];
    }
}
