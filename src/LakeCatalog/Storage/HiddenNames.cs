namespace LakeHolo.LakeCatalog.Storage;

/// <summary>Names that engines of the lake take for no data: those that begin with a dot, and those that begin with an underscore (<c>_SUCCESS</c>, <c>_temporary</c>) unless they are a
/// partition's, <c>_column=value</c> (Spark, HadoopFSUtils.shouldFilterOutPathName).</summary>
internal static class HiddenNames
{
    /// <summary>Whether a file or folder is no data, by its last segment.</summary>
    public static bool IsHidden(ReadOnlySpan<char> name) => name is ['.', ..] || (name is ['_', ..] && !name.Contains('='));
}
