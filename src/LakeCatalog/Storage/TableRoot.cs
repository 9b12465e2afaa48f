namespace LakeHolo.LakeCatalog.Storage;

/// <summary>A folder inside a store: where a table lives. Relative paths of the table's metadata are resolved here, and nowhere else.</summary>
/// <param name="Store">The store.</param>
/// <param name="Prefix">Key prefix of the folder, empty or ending in '/'.</param>
public sealed record TableRoot(IObjectStore Store, string Prefix)
{
    /// <summary>The folder's full location, for messages and catalogs.</summary>
    public string Location => (Store.Root.OriginalString.TrimEnd('/') + "/" + Prefix).TrimEnd('/');

    /// <summary>The key of a path relative to this folder, taken literally (no percent-decoding).</summary>
    /// <exception cref="LakeException"><see cref="LakeErrorKind.FormatInvalid"/> if the path would leave the folder.</exception>
    public string Key(string relativePath)
    {
        if (relativePath.StartsWith('/') || relativePath.Contains('\0', StringComparison.Ordinal) || relativePath.Split('/').Contains(".."))
        {
            throw LakeException.FormatInvalid($"The path '{relativePath}' leaves the table's folder", Location);
        }

        return Prefix + relativePath;
    }

    /// <summary>A folder below this one.</summary>
    public TableRoot Child(string name) => this with { Prefix = Key(name.TrimEnd('/')) + "/" };
}
