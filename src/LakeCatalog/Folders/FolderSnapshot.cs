using Apache.Arrow;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Folders;

/// <summary>A plain folder as it was listed.</summary>
public sealed class FolderSnapshot : Snapshot
{
    private readonly long? _rowCount;

    internal FolderSnapshot(IReadOnlyList<FolderFile> files, Schema fileSchema, long? rowCount)
    {
        Files = files;
        FileSchema = fileSchema;
        _rowCount = rowCount;
        SizeBytes = files.Sum(f => f.SizeBytes);
    }

    /// <summary>The files, in ordinal order of their paths.</summary>
    public IReadOnlyList<FolderFile> Files { get; }

    /// <summary>Columns that are read from the files, without the partition columns.</summary>
    public Schema FileSchema { get; }

    /// <summary>Whether names and types come from the configuration; CSV files have no header then.</summary>
    public bool HasConfiguredColumns { get; internal init; }

    /// <summary>Tells whether a listing would give the same; null where only a listing tells.</summary>
    internal LocalTree? Tree { get; set; }

    /// <inheritdoc/>
    public override long FileCount => Files.Count;

    /// <inheritdoc/>
    public override long SizeBytes { get; }

    /// <inheritdoc/>
    public override long? RowCount => _rowCount;

    /// <inheritdoc/>
    public override IEnumerable<DataFileInfo> EnumerateFiles() => Files.Select(f => new DataFileInfo
    {
        Path = f.Path,
        Format = Table.Format,
        SizeBytes = f.SizeBytes,
        Partition = PartitionColumns.Zip(f.Partition).ToDictionary(p => p.First, p => p.Second, StringComparer.Ordinal),
    });
}
