using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Hudi.Metadata;
using LakeHolo.LakeCatalog.Hudi.Timeline;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Hudi;

/// <summary>A Hudi table as of an instant: one file slice per live file group.</summary>
public sealed class HudiSnapshot : Snapshot
{
    /// <summary>The table's properties.</summary>
    public required HudiProperties Properties { get; init; }

    /// <summary>The active timeline it was made from.</summary>
    public required HudiTimeline Timeline { get; init; }

    /// <summary>The folders of the properties and of the timeline as they were when they were read last and had nothing newer; null where that is not known.</summary>
    internal IReadOnlyList<LocalTree>? Looked { get; set; }

    /// <summary>The greatest instant it holds.</summary>
    public required string Instant { get; init; }

    /// <summary>Instants up to <see cref="Instant"/> that it does not hold, since they were pending.</summary>
    public required IReadOnlySet<string> ExcludedInstants { get; init; }

    /// <summary>The data columns, without meta columns.</summary>
    public required IReadOnlyList<HudiColumn> Columns { get; init; }

    /// <summary>Live slices, ordered by partition and file group.</summary>
    public required IReadOnlyList<FileSlice> Slices { get; init; }

    /// <summary>What the read-optimised view reads: newest committed base files.</summary>
    public required IReadOnlyList<FileSlice> ReadOptimizedSlices { get; init; }

    /// <summary>Metadata of the completed commits up to <see cref="Instant"/> that are still on the active timeline, by instant.</summary>
    public required IReadOnlyDictionary<string, CommitMetadata> Commits { get; init; }

    /// <summary>Schema versions of a table with schema-on-read; null without.</summary>
    public SchemaHistory? SchemaHistory { get; init; }

    /// <summary>The table's metadata table, if it was used to find the files; its statistics are of the newest snapshot's files.</summary>
    public MetadataTable? MetadataTable { get; init; }

    /// <summary>Facts that the next snapshot of this table reuses.</summary>
    internal HudiMetadataCache Cache { get; init; } = HudiMetadataCache.Empty;

    /// <summary>Whether the snapshot holds every completed commit of its timeline: what indexes tell of the table's present state holds for it.</summary>
    public bool IsNewest => Timeline.Commits.All(c => Holds(c.Time));

    /// <summary>Whether the snapshot holds what the instant wrote.</summary>
    public bool Holds(string instant)
        => string.CompareOrdinal(instant, Instant) <= 0 && Timeline.IsCommitted(instant) && !ExcludedInstants.Contains(instant);

    /// <inheritdoc/>
    public override string ColumnIdentity(string column) => SchemaHistory?.IdOf(column) is { } id ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $"#{id}") : column;

    /// <inheritdoc/>
    public override bool HasColumnIdentities => SchemaHistory is not null;

    /// <inheritdoc/>
    public override long FileCount => Slices is SliceList list ? list.FileCount : Slices.Sum(s => (long)s.Files.Count());

    /// <inheritdoc/>
    public override long SizeBytes => Slices is SliceList list ? list.SizeBytes : Slices.Sum(s => s.Files.Sum(f => f.SizeBytes));

    /// <inheritdoc/>
    public override long? RowCount => null;

    /// <inheritdoc/>
    public override IEnumerable<DataFileInfo> EnumerateFiles() => FilesOf(Slices);

    /// <summary>The slices of partitions whose blocks another snapshot does not share.</summary>
    internal IEnumerable<FileSlice> SlicesNotSharedWith(HudiSnapshot other)
    {
        if (Slices is not SliceList list || other.Slices is not SliceList others)
        {
            return Slices;
        }

        var shared = new HashSet<SliceBlock>(others.Blocks, ReferenceEqualityComparer.Instance);
        return list.Blocks.Where(b => !shared.Contains(b)).SelectMany(b => b.Read());
    }

    internal IEnumerable<DataFileInfo> FilesOf(IEnumerable<FileSlice> slices)
    {
        foreach (FileSlice slice in slices)
        {
            IReadOnlyDictionary<string, string?> partition = PartitionPath.Parse(slice.Partition, PartitionColumns, Properties) ?? new Dictionary<string, string?>();
            foreach (HudiFile file in slice.Files)
            {
                yield return new DataFileInfo
                {
                    Path = file.Path,
                    Kind = file.LogVersion == 0 ? "base" : "log",
                    Format = file.LogVersion == 0 ? file.Extension : "log",
                    SizeBytes = file.SizeBytes,
                    Partition = partition,
                    Group = slice.FileId,
                };
            }
        }
    }
}

/// <summary>Decoded commits by the key and size of their files, which never change.</summary>
internal sealed class HudiMetadataCache
{
    public static HudiMetadataCache Empty { get; } = new();

    public IReadOnlyDictionary<(string Key, long Size), CommitMetadata> Commits { get; init; } = new Dictionary<(string, long), CommitMetadata>();

    public FileSchema? FileSchema { get; init; }

    /// <summary>Whether the table's folders were listed, and partitions told by their markers.</summary>
    public bool HasMarkers { get; init; }

    public IReadOnlyDictionary<(string Key, long Size), CleanMetadata> Cleans { get; init; } = new Dictionary<(string, long), CleanMetadata>();

    public MetadataTableCache MetadataTable { get; init; } = new();

    public IReadOnlyDictionary<(string Key, long Size), IReadOnlyList<(string Partition, string FileId)>> Plans { get; init; }
        = new Dictionary<(string, long), IReadOnlyList<(string, string)>>();
}
