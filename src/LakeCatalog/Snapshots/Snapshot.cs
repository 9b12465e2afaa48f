using Apache.Arrow;

namespace LakeHolo.LakeCatalog.Snapshots;

/// <summary>One table at one version: schema, keys, live files. Immutable; a newer version is a new object. Each format derives its own, with its
/// file list in columnar form.</summary>
public abstract class Snapshot
{
    /// <summary>The table.</summary>
    public required LakeTable Table { get; init; }

    /// <summary>The version.</summary>
    public required SnapshotId Id { get; init; }

    /// <summary>Text that differs for snapshots of different content, also where the format gives an <see cref="Id"/> out again: after a rollback, or for a
    /// table made anew in the same place. What is derived from a snapshot and kept (a hot copy) is compared by it.</summary>
    public virtual string Identity => Id.Text;

    /// <summary>When it was committed, where the format knows.</summary>
    public required DateTimeOffset? CommittedAt { get; init; }

    /// <summary>Columns in the table's order, logical names; Arrow types as the engine returns them (strings utf8, timestamps in microseconds,
    /// instants with zone "UTC"). A field's metadata may hold <c>comment</c>, and <c>sqltype</c> where Arrow has no such type (VARIANT, JSON).</summary>
    public required Schema Schema { get; init; }

    /// <summary>Names of the partition columns, in order.</summary>
    public required IReadOnlyList<string> PartitionColumns { get; init; }

    /// <summary>Names of the primary or record key columns; empty without.</summary>
    public IReadOnlyList<string> PrimaryKey { get; init; } = [];

    /// <summary>Text that names a column and stays when it is renamed.</summary>
    /// <param name="column">Name in this snapshot.</param>
    public virtual string ColumnIdentity(string column) => column;

    /// <summary>Whether <see cref="ColumnIdentity"/> is never given out again: a column of a new identity is in no file that was there before.</summary>
    public virtual bool HasColumnIdentities => false;

    /// <summary>Number of live data files (base and log files).</summary>
    public abstract long FileCount { get; }

    /// <summary>Their bytes.</summary>
    public abstract long SizeBytes { get; }

    /// <summary>Exact number of rows if metadata alone tells, else null.</summary>
    public abstract long? RowCount { get; }

    /// <summary>Features that the table uses, and what becomes of each; for <c>inspect</c> and the catalog.</summary>
    public IReadOnlyList<TableFeature> Features { get; init; } = [];

    /// <summary>Table properties as the format stores them (for <c>t$options</c>).</summary>
    public IReadOnlyDictionary<string, string> Options { get; init; } = new Dictionary<string, string>();

    /// <summary>The live files, for <c>t$files</c> and <c>t$partitions</c>; made on demand from the columnar list.</summary>
    public abstract IEnumerable<DataFileInfo> EnumerateFiles();
}

/// <summary>A feature of a table's format.</summary>
/// <param name="Name">As the format's specification spells it.</param>
/// <param name="Handling">What becomes of it: <c>read</c>, <c>ignored (writers only)</c>, <c>refused</c>.</param>
public sealed record TableFeature(string Name, string Handling);

/// <summary>A live file of a snapshot, as system tables show it.</summary>
public sealed record DataFileInfo
{
    /// <summary>Path relative to the table's root, or absolute where the format stores it so.</summary>
    public required string Path { get; init; }

    /// <summary>Kind: <c>data</c>, <c>base</c>, <c>log</c>, <c>blob</c>.</summary>
    public string Kind { get; init; } = "data";

    /// <summary>Parquet, ORC, Avro, …, lower case.</summary>
    public required string Format { get; init; }

    /// <summary>Size in bytes.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>Rows in the file before deletions, if known.</summary>
    public long? RowCount { get; init; }

    /// <summary>Rows of it that are deleted by deletion vectors, if known.</summary>
    public long? DeletedRowCount { get; init; }

    /// <summary>Partition values as text by column, null for NULL.</summary>
    public IReadOnlyDictionary<string, string?> Partition { get; init; } = new Dictionary<string, string?>();

    /// <summary>Bucket (Paimon) or file group id (Hudi).</summary>
    public string? Group { get; init; }

    /// <summary>LSM level (Paimon).</summary>
    public int? Level { get; init; }

    /// <summary>Statistics as a JSON object <c>{"column":{"min":…,"max":…,"nulls":…}}</c>, or null.</summary>
    public string? StatisticsJson { get; init; }
}

/// <summary>A snapshot of a table's history, for <c>t$snapshots</c>.</summary>
/// <param name="Id">The version.</param>
/// <param name="CommittedAt">When.</param>
/// <param name="Operation">What the writer says it did (WRITE, MERGE, COMPACT, …).</param>
/// <param name="SchemaId">The schema's id where the format counts them.</param>
/// <param name="Details">Further facts as a JSON object, or null.</param>
public sealed record SnapshotInfo(SnapshotId Id, DateTimeOffset? CommittedAt, string Operation, string? SchemaId, string? Details);
