namespace LakeHolo.LakeCatalog.Snapshots;

/// <summary>The difference between two snapshots of one table, as operations on files. Hot copies, <c>table_changes</c> and cached merge results
/// are kept current from it; its cost is that of the change.</summary>
/// <remarks>Applying <see cref="Removed"/>, <see cref="PositionsRemoved"/> and <see cref="Added"/> to the rows of <see cref="From"/> gives the rows
/// of <see cref="To"/>, as a multiset, for tables whose files are read independently. Where rows of several files are merged by key
/// (<see cref="MergedByKey"/>), the files tell which groups changed, and the rows of those groups have to be read again.</remarks>
public sealed record SnapshotDiff
{
    /// <summary>The older snapshot.</summary>
    public required SnapshotId From { get; init; }

    /// <summary>The newer snapshot.</summary>
    public required SnapshotId To { get; init; }

    /// <summary>Why the difference cannot be given (history gone, restore, …); null if it can. When set, the lists are empty and a full rebuild is needed.</summary>
    public string? NotFollowable { get; init; }

    /// <summary>Files live in <see cref="To"/> but not in <see cref="From"/>.</summary>
    public IReadOnlyList<DataFileInfo> Added { get; init; } = [];

    /// <summary>Files live in <see cref="From"/> but not in <see cref="To"/>.</summary>
    public IReadOnlyList<DataFileInfo> Removed { get; init; } = [];

    /// <summary>Files live in both whose set of deleted positions changed; the info is that of <see cref="To"/>.</summary>
    public IReadOnlyList<DataFileInfo> PositionsRemoved { get; init; } = [];

    /// <summary>The files were rewritten without changing a row (compaction, clustering, optimize), by the writer's own word.</summary>
    public bool RowsUnchanged { get; init; }

    /// <summary>Rows of several files are merged by key: touched groups must be read again (<see cref="DataFileInfo.Partition"/> and
    /// <see cref="DataFileInfo.Group"/> name them).</summary>
    public bool MergedByKey { get; init; }

    /// <summary>Columns, types or names differ between the two.</summary>
    public bool SchemaChanged { get; init; }
}
