using System.Globalization;
using LakeHolo.LakeCatalog.Paimon.Manifests;
using LakeHolo.LakeCatalog.Snapshots;

namespace LakeHolo.LakeCatalog.Paimon;

/// <summary>One snapshot of a Paimon table: its live files, schemas and deletion vectors.</summary>
public sealed class PaimonSnapshot : Snapshot
{
    private readonly Lazy<int> _visibleCount;
    private readonly Lazy<bool> _mergesByKey;

    /// <summary>Creates a snapshot.</summary>
    public PaimonSnapshot()
    {
        _visibleCount = new Lazy<int>(() => PrimaryKey.Count == 0 ? Files!.Count : Files!.CountOf(default, VisibleLevels));
        _mergesByKey = new Lazy<bool>(() => PrimaryKey.Count > 0 && (!SkipsLevelZero || Files!.Any(EntryFlags.MayHoldDeletes, VisibleLevels)));
    }

    /// <summary>The commit, or null for a table without any.</summary>
    public required PaimonCommit? Commit { get; init; }

    /// <summary>The branch; <c>main</c> for the table itself.</summary>
    public required string Branch { get; init; }

    /// <summary>The schema whose columns and keys are read, with the options in force.</summary>
    public required PaimonSchema TableSchema { get; init; }

    /// <summary>Every schema by id; each data file is read through its own.</summary>
    public required IReadOnlyDictionary<long, PaimonSchema> Schemas { get; init; }

    /// <summary>The live files.</summary>
    public required PaimonFileList Files { get; init; }

    /// <summary>Deletion vectors by partition, bucket and data file name.</summary>
    public required IReadOnlyDictionary<(string Partition, int Bucket, string DataFile), PaimonDeletionVector> DeletionVectors { get; init; }

    /// <summary>The snapshot of the branch that gives the partitions which this one has not (<c>scan.fallback-branch</c>), with just their files; or null.</summary>
    public PaimonSnapshot? Fallback { get; init; }

    /// <summary>The manifests read, by name; immutable, so the next snapshot takes them over.</summary>
    internal IReadOnlyDictionary<string, ManifestBlock> Manifests { get; init; } = new Dictionary<string, ManifestBlock>();

    /// <inheritdoc/>
    public override string Identity => Commit is null ? Fallback?.Identity ?? "" : $"{Commit.Id}/{Commit.BaseManifestList}/{Commit.DeltaManifestList}/{TableSchema.Id}{(Fallback is null ? "" : "+" + Fallback.Identity)}";

    /// <inheritdoc/>
    public override string ColumnIdentity(string column) => TableSchema.Field(column).Id.ToString(CultureInfo.InvariantCulture);

    /// <inheritdoc/>
    public override bool HasColumnIdentities => true;

    /// <inheritdoc/>
    public override long FileCount => Files.Count + (Fallback?.FileCount ?? 0);

    /// <inheritdoc/>
    public override long SizeBytes => Files.SizeBytes + (Fallback?.SizeBytes ?? 0);

    /// <inheritdoc/>
    public override long? RowCount
    {
        get
        {
            // With data evolution several files hold the columns of one row.
            if (PrimaryKey.Count > 0 || TableSchema.Flag("data-evolution.enabled") || Files.Flags.HasFlag(EntryFlags.IsPart) || !Files.IsRowCountKnown
                || (Fallback is not null && Fallback.RowCount is null))
            {
                return null;
            }

            long deleted = 0;
            foreach (PaimonDataFile file in DeletionVectors.Count > 0 ? (IEnumerable<PaimonDataFile>)Files : [])
            {
                if (DeletionVectorOf(file) is PaimonDeletionVector vector)
                {
                    if (vector.Cardinality is not long cardinality)
                    {
                        return null;
                    }

                    deleted += cardinality;
                }
            }

            return Files.RowCount - deleted + (Fallback?.RowCount ?? 0);
        }
    }

    /// <summary>The merge engine, lower case; means nothing without a primary key.</summary>
    public string MergeEngine => PaimonFeatures.MergeEngine(TableSchema);

    /// <summary>Whether retract rows are passed over while merging.</summary>
    public bool IgnoresDelete => PaimonFeatures.IgnoresDelete(TableSchema);

    /// <summary>Whether deletion vectors are kept for a primary key table.</summary>
    public bool HasDeletionVectorsEnabled => TableSchema.Flag("deletion-vectors.enabled");

    /// <summary>Whether rows of level 0 are invisible until a compaction has taken them up.</summary>
    public bool SkipsLevelZero => PassesOverLevelZero(TableSchema);

    /// <summary>The levels that a batch read looks at.</summary>
    public PaimonLevels VisibleLevels => LevelsOf(TableSchema);

    /// <summary>Whether a batch read looks at the file at all.</summary>
    public bool IsVisible(PaimonDataFile file) => VisibleLevels.Include(file.Bucket, file.Level);

    /// <summary>Number of files that a batch read looks at.</summary>
    public int VisibleCount => _visibleCount.Value;

    /// <summary>Whether rows of several files may have to be merged by key.</summary>
    public bool MergesByKey => _mergesByKey.Value;

    /// <summary>The levels of a table that a batch read looks at.</summary>
    internal static PaimonLevels LevelsOf(PaimonSchema schema) => new(schema.PrimaryKeys.Count > 0, PassesOverLevelZero(schema), null);

    /// <summary>Whether files that come and go tell which parts of the table changed. Where several hold columns of the same rows these are partitions, if there are any.</summary>
    public bool HasParts => !TableSchema.Flag("data-evolution.enabled") || (PrimaryKey.Count == 0 && PartitionColumns.Count > 0);

    /// <summary>The deletion vector of a file, or null.</summary>
    public PaimonDeletionVector? DeletionVectorOf(PaimonDataFile file) =>
        DeletionVectors.Count == 0 ? null : DeletionVectors.GetValueOrDefault((Convert.ToBase64String(file.PartitionBytes), file.Bucket, file.Name));

    /// <summary>The same columns over other files, without deletion vectors.</summary>
    internal PaimonSnapshot WithFiles(PaimonFileList files) =>
        With(files, new Dictionary<(string, int, string), PaimonDeletionVector>());

    /// <summary>The same columns over some of the files.</summary>
    internal PaimonSnapshot OfPartitions(Func<PaimonDataFile, bool> isWanted) => With([.. Files.Where(isWanted)], DeletionVectors);

    private static bool PassesOverLevelZero(PaimonSchema schema) => schema.PrimaryKeys.Count > 0
        && (schema.Flag("pk-clustering-override") || PaimonFeatures.MergeEngine(schema) == "first-row"
            || (schema.Flag("deletion-vectors.enabled") && !schema.Flag("deletion-vectors.merge-on-read")));

    private PaimonSnapshot With(PaimonFileList files, IReadOnlyDictionary<(string Partition, int Bucket, string DataFile), PaimonDeletionVector> vectors) => new()
    {
        Table = Table,
        Id = Id,
        CommittedAt = CommittedAt,
        Schema = Schema,
        PartitionColumns = PartitionColumns,
        PrimaryKey = PrimaryKey,
        Options = Options,
        Features = Features,
        Commit = Commit,
        Branch = Branch,
        TableSchema = TableSchema,
        Schemas = Schemas,
        Files = files,
        DeletionVectors = vectors,
        Manifests = Manifests,
    };

    /// <inheritdoc/>
    public override IEnumerable<DataFileInfo> EnumerateFiles() => Files.Select(ToInfo).Concat(Fallback?.EnumerateFiles() ?? []);

    internal DataFileInfo ToInfo(PaimonDataFile file)
    {
        IReadOnlyList<PaimonType> types = [.. TableSchema.PartitionKeys.Select(k => TableSchema.Field(k).Type)];
        var partition = new Dictionary<string, string?>();
        for (int i = 0; i < types.Count; i++)
        {
            partition[TableSchema.PartitionKeys[i]] = PaimonValue.ToText(file.Partition[i], types[i]);
        }

        return new DataFileInfo
        {
            Path = file.Path,
            Kind = file.Format == "blob" ? "blob" : "data",
            Format = file.Format,
            SizeBytes = file.SizeBytes,
            RowCount = file.RowCount,
            DeletedRowCount = DeletionVectorOf(file)?.Cardinality,
            Partition = partition,
            Group = file.Bucket.ToString(CultureInfo.InvariantCulture),
            Level = file.Level,
        };
    }
}
