namespace LakeHolo.LakeCatalog.Snapshots;

/// <summary>The version of a table as its format counts it: Delta version, Paimon snapshot id, Hudi completed instant, a hash of the listing for
/// plain folders. Compared for equality only; order comes from the format.</summary>
/// <param name="Text">As users write and read it.</param>
public readonly record struct SnapshotId(string Text)
{
    /// <inheritdoc/>
    public override string ToString() => Text;
}

/// <summary>Which snapshot of a table is asked for.</summary>
public abstract record SnapshotSelector
{
    private SnapshotSelector()
    {
    }

    /// <summary>The newest committed snapshot.</summary>
    public static SnapshotSelector Latest { get; } = new LatestSelector();

    /// <summary>A version number, tag or instant, as the format understands the text.</summary>
    public static SnapshotSelector Version(string text) => new VersionSelector(text);

    /// <summary>The newest snapshot committed at or before a moment.</summary>
    public static SnapshotSelector AsOf(DateTimeOffset timestamp) => new TimestampSelector(timestamp);

    /// <summary>See <see cref="Latest"/>.</summary>
    public sealed record LatestSelector : SnapshotSelector;

    /// <summary>See <see cref="Version(string)"/>.</summary>
    /// <param name="Text">Version, tag or instant.</param>
    public sealed record VersionSelector(string Text) : SnapshotSelector;

    /// <summary>See <see cref="AsOf(DateTimeOffset)"/>.</summary>
    /// <param name="Timestamp">The moment.</param>
    public sealed record TimestampSelector(DateTimeOffset Timestamp) : SnapshotSelector;
}
