using LakeHolo.LakeCatalog.Delta.Files;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Delta;

/// <summary>Options of the Delta format.</summary>
public sealed record DeltaOptions
{
    /// <summary>Where absolute paths may lead (shallow clones, absolute deletion vectors): URI prefix and the folder it stands for. Paths inside
    /// the table's own store are always allowed; everything else is refused.</summary>
    public IReadOnlyDictionary<string, TableRoot> Locations { get; init; } = new Dictionary<string, TableRoot>();

    /// <summary>The store and key of a canonical path.</summary>
    /// <exception cref="LakeException">FeatureUnsupported for an absolute path outside of the configured locations.</exception>
    public (IObjectStore Store, string Key) Resolve(TableRoot root, string canonicalPath)
    {
        if (!DeltaPath.IsAbsolute(canonicalPath))
        {
            return (root.Store, root.Key(canonicalPath));
        }

        foreach ((string prefix, TableRoot folder) in Locations)
        {
            if (TryStrip(canonicalPath, prefix) is { } below)
            {
                return (folder.Store, folder.Key(below));
            }
        }

        return TryStrip(canonicalPath, root.Store.Root.OriginalString) is { } key
            ? (root.Store, new TableRoot(root.Store, string.Empty).Key(key))
            : throw LakeException.FeatureUnsupported("The table refers to a file outside of the configured locations", canonicalPath);
    }

    private static string? TryStrip(string canonicalPath, string prefix)
    {
        string normalized = DeltaPath.NormalizeAbsolute(prefix) + "/";
        return canonicalPath.StartsWith(normalized, StringComparison.Ordinal) ? canonicalPath[normalized.Length..] : null;
    }
}
