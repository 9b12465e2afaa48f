using LakeHolo.LakeCatalog.Snapshots;

namespace LakeHolo.Readers.Scanning;

/// <summary>A table format's row side: from a snapshot and what a query needs to a relation for the engine.</summary>
public interface ITableReader
{
    /// <summary>Name of the format, as in <see cref="LakeTable.Format"/>.</summary>
    string Format { get; }

    /// <summary>Prunes files, resolves deletions and merges (cached per snapshot), makes remote or non-Parquet files readable, and gives the relation.</summary>
    /// <exception cref="LakeCatalog.LakeException">FeatureUnsupported names the feature and column; NotFound when a file of the snapshot was cleaned up.</exception>
    ValueTask<TableScan> PlanAsync(Snapshot snapshot, ScanRequest request, CancellationToken cancellationToken = default);
}
