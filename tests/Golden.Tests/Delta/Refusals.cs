using System.Text.RegularExpressions;

namespace LakeHolo.Golden.Tests.Delta;

/// <summary>Whether a refusal names what a case says it must.</summary>
internal static partial class Refusals
{
    /// <summary>All words of the expectation that carry meaning are in the message; "name of the missing …" asks for a file name.</summary>
    public static bool Names(string message, string expected) => expected switch
    {
        _ when expected.StartsWith("name of", StringComparison.Ordinal) => FileName().IsMatch(message),
        _ when expected.StartsWith("data file missing", StringComparison.Ordinal) =>
            message.Contains("missing", StringComparison.Ordinal) && FileName().IsMatch(message),
        _ => Words().Matches(expected).All(w => message.Contains(w.Value, StringComparison.OrdinalIgnoreCase)),
    };

    [GeneratedRegex(@"[\w.-]+\.(parquet|bin)\b")]
    private static partial Regex FileName();

    [GeneratedRegex(@"\b(?!no\b|the\b|is\b|at\b|in\b|a\b|there\b|and\b|longer\b)[\w-]+")]
    private static partial Regex Words();
}
