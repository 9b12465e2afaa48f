namespace LakeHolo.LakeCatalog.Snapshots;

/// <summary>A table format's metadata side: from a folder to snapshots. Stateless, but for caches of immutable metadata.</summary>
public interface ITableFormat
{
    /// <summary>Lower-case name, as in <see cref="LakeTable.Format"/>.</summary>
    string Name { get; }

    /// <summary>Loads a snapshot.</summary>
    /// <param name="table">The table.</param>
    /// <param name="at">Which snapshot.</param>
    /// <param name="known">A snapshot of the same table loaded before (any version), whose immutable parts may be reused so that following a commit
    /// costs what the commit costs; returned itself when it is still the one asked for.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    /// <exception cref="LakeException">NotFound: no such version; FeatureUnsupported: names the feature; FormatInvalid: broken metadata.</exception>
    ValueTask<Snapshot> LoadSnapshotAsync(LakeTable table, SnapshotSelector at, Snapshot? known, CancellationToken cancellationToken = default);

    /// <summary>Whether a newer snapshot than <paramref name="known"/> may exist; costs one or two small requests. May say true without need, never false wrongly.</summary>
    ValueTask<bool> HasChangedAsync(Snapshot known, CancellationToken cancellationToken = default);

    /// <summary>The retained history, newest first.</summary>
    ValueTask<IReadOnlyList<SnapshotInfo>> ListSnapshotsAsync(LakeTable table, CancellationToken cancellationToken = default);

    /// <summary>The difference between two snapshots of one table.</summary>
    ValueTask<SnapshotDiff> DiffAsync(Snapshot from, Snapshot to, CancellationToken cancellationToken = default);

    /// <summary>The versions after one snapshot and before another, oldest first, so that a follower can go step by step; empty where it cannot be told.</summary>
    IReadOnlyList<string> VersionsBetween(Snapshot from, Snapshot to) => [];

    /// <summary>The schemas of the table's history, for <c>t$schemas</c>: id and Arrow schema, oldest first.</summary>
    ValueTask<IReadOnlyList<(string Id, Apache.Arrow.Schema Schema)>> ListSchemasAsync(LakeTable table, CancellationToken cancellationToken = default);

    /// <summary>Named things that point into the table's history, for <c>t$tags</c>, <c>t$branches</c> and <c>t$consumers</c>.</summary>
    /// <param name="table">The table.</param>
    /// <param name="kind"><c>tags</c>, <c>branches</c> or <c>consumers</c>.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    /// <returns>Ordered by name; empty for a format that has no such things.</returns>
    ValueTask<IReadOnlyList<SnapshotReference>> ListReferencesAsync(LakeTable table, string kind, CancellationToken cancellationToken = default)
        => ValueTask.FromResult<IReadOnlyList<SnapshotReference>>([]);
}

/// <summary>A tag, a branch or a consumer.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Snapshot">The snapshot of a tag, the newest one of a branch, the next one of a consumer; null if there is none yet.</param>
/// <param name="CommittedAt">When that snapshot was committed, if known.</param>
public sealed record SnapshotReference(string Name, SnapshotId? Snapshot, DateTimeOffset? CommittedAt);
