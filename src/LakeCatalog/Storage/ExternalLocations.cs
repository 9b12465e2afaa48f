namespace LakeHolo.LakeCatalog.Storage;

/// <summary>Where absolute paths in a table's metadata may lead: the folders that are configured, and nowhere else.</summary>
public sealed class ExternalLocations
{
    /// <summary>Begins a relative path that would look absolute without it (<c>./ab:/x</c>).</summary>
    public const string RelativeMark = "./";

    private readonly List<(string Prefix, TableRoot Folder)> _folders;

    /// <summary>Folders by the prefix that stands for them in absolute paths.</summary>
    public ExternalLocations(IEnumerable<KeyValuePair<string, TableRoot>> folders) =>
        _folders = [.. folders.Select(f => (Normalize(f.Key) + "/", f.Value)).OrderByDescending(f => f.Item1.Length)];

    /// <summary>Folders under their own locations.</summary>
    public ExternalLocations(IEnumerable<TableRoot> folders)
        : this(folders.Select(f => KeyValuePair.Create(f.Location, f)))
    {
    }

    /// <summary>No folder but the table's own store.</summary>
    public static ExternalLocations None { get; } = new(Array.Empty<TableRoot>());

    /// <summary>Whether a path is absolute: begins with '/' or with a scheme of at least two letters.</summary>
    public static bool IsAbsolute(string path)
    {
        int colon = path.IndexOf(':', StringComparison.Ordinal);
        return path.StartsWith('/') || (colon > 1 && colon + 1 < path.Length && path[colon + 1] == '/' && path.AsSpan(0, colon).IndexOfAnyExcept(SchemeCharacters) < 0);
    }

    /// <summary>The store and key of a path of a table's metadata, taken literally (no percent-decoding).</summary>
    /// <param name="root">The table's folder; relative paths are below it, and absolute ones may lead anywhere into its store.</param>
    /// <param name="path">Relative or absolute.</param>
    /// <exception cref="LakeException">FeatureUnsupported for an absolute path outside of the configured locations.</exception>
    public (IObjectStore Store, string Key) Resolve(TableRoot root, string path)
    {
        if (!IsAbsolute(path))
        {
            bool isMarked = path.StartsWith(RelativeMark, StringComparison.Ordinal) && IsAbsolute(path[RelativeMark.Length..]);
            return (root.Store, root.Key(isMarked ? path[RelativeMark.Length..] : path));
        }

        string wanted = Normalize(path);
        foreach ((string prefix, TableRoot folder) in _folders)
        {
            if (wanted.StartsWith(prefix, StringComparison.Ordinal))
            {
                return (folder.Store, folder.Key(wanted[prefix.Length..]));
            }
        }

        string own = Normalize(root.Store.Root.OriginalString) + "/";
        return wanted.StartsWith(own, StringComparison.Ordinal)
            ? (root.Store, new TableRoot(root.Store, string.Empty).Key(wanted[own.Length..]))
            : throw LakeException.FeatureUnsupported("The table refers to a file outside of the configured locations", path);
    }

    private static readonly System.Buffers.SearchValues<char> SchemeCharacters =
        System.Buffers.SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");

    // /x, file:/x and file:///x are one place, and so are the names of S3's scheme.
    private static string Normalize(string location)
    {
        if (!IsAbsolute(location) || location.StartsWith('/'))
        {
            return "/" + location.Trim('/');
        }

        int colon = location.IndexOf(':', StringComparison.Ordinal);
        string scheme = location[..colon].ToLowerInvariant();
        string rest = location[(colon + 1)..].Trim('/');
        return scheme == "file" ? "/" + rest : (scheme is "s3a" or "s3n" ? "s3" : scheme) + "://" + rest;
    }
}
