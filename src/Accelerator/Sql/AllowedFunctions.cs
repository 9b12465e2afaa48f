using System.Collections.Frozen;

namespace LakeHolo.Accelerator.Sql;

/// <summary>The functions that users' SQL may call: computing on values only. No file, network, setting, sequence, log or engine state can be reached
/// by any of them. The list is a text file beside this one; a name that is not on it is refused.</summary>
internal static class AllowedFunctions
{
    /// <summary>Table functions; <c>table_changes</c> is ours and handled before the engine sees it.</summary>
    public static FrozenSet<string> Table { get; } =
        new[] { "range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree", "table_changes" }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>Scalar and aggregate functions and macros.</summary>
    public static FrozenSet<string> Scalar { get; } = Load();

    /// <summary>Whether a function of an expression is allowed; operators are spelled with symbols and always are.</summary>
    public static bool IsScalarAllowed(string name) => Scalar.Contains(name) || !name.Any(c => char.IsLetter(c) || c == '_') || name is "!__postfix";

    private static FrozenSet<string> Load()
    {
        using Stream stream = typeof(AllowedFunctions).Assembly.GetManifestResourceStream("LakeHolo.Accelerator.Sql.AllowedFunctions.txt")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .ToFrozenSet(StringComparer.OrdinalIgnoreCase);
    }
}
