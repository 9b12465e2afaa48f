namespace LakeHolo.LakeCatalog.Storage;

/// <summary>From a location as users write it to a store and a folder in it.</summary>
public static class ObjectStores
{
    /// <summary>Opens <c>/path</c>, <c>file:///path</c> or <c>s3://bucket/prefix</c> (also as <c>s3a</c>, <c>s3n</c>, <c>oss</c>). The caller disposes
    /// the root's store.</summary>
    /// <param name="location">Taken literally: no percent-decoding.</param>
    /// <param name="options">How storage is reached.</param>
    /// <exception cref="LakeException">NotFound for a missing local folder; FeatureUnsupported for another scheme.</exception>
    /// <exception cref="ArgumentException">Options that contradict each other, all of them named.</exception>
    public static TableRoot Open(string location, StorageOptions options)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(location);
        int colon = location.IndexOf("://", StringComparison.Ordinal);
        if (colon < 0)
        {
            string path = location.StartsWith("file:/", StringComparison.Ordinal) ? location["file:".Length..] : location;
            return new TableRoot(new LocalFolderStore(path), string.Empty);
        }

        string rest = location[(colon + 3)..];
        switch (location[..colon].ToLowerInvariant())
        {
            case "file" when rest.StartsWith('/'):
                return new TableRoot(new LocalFolderStore(rest), string.Empty);
            case "s3" or "s3a" or "s3n" or "oss":
                string[] parts = rest.Split('/', 2);
                string prefix = parts.Length == 1 ? string.Empty : parts[1].Trim('/');
                return new TableRoot(new S3ObjectStore(parts[0], options.S3), prefix.Length == 0 ? string.Empty : prefix + "/");
            default:
                throw LakeException.FeatureUnsupported("Locations are /path, file:///path or s3://bucket/prefix", location);
        }
    }
}
