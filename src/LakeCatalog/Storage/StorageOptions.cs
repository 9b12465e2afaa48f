namespace LakeHolo.LakeCatalog.Storage;

/// <summary>How storage is reached. Local folders need none of it.</summary>
public sealed record StorageOptions
{
    /// <summary>Access to S3 and whatever speaks its protocol.</summary>
    public S3Options S3 { get; init; } = new();
}
