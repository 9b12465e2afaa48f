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

    /// <summary>The columns of a view of a snapshot: the snapshot's own, and those that the view adds.</summary>
    Apache.Arrow.Schema SchemaOf(Snapshot snapshot, string? view) => snapshot.Schema;

    /// <summary>What changed between two versions, in the format's own terms (its README says which columns come with the table's, and whether bounds are inclusive).</summary>
    /// <param name="snapshot">A snapshot of the table.</param>
    /// <param name="from">First version, as the format writes versions.</param>
    /// <param name="to">Last version.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    /// <exception cref="LakeCatalog.LakeException">FeatureUnsupported: the format, or this table, cannot tell exactly.</exception>
    ValueTask<TableScan> PlanChangesAsync(Snapshot snapshot, string from, string to, CancellationToken cancellationToken = default)
        => throw LakeCatalog.LakeException.FeatureUnsupported($"table_changes: tables of format {Format} do not tell their changes", snapshot.Table.FullName);

    /// <summary>What metadata tell of a snapshot's rows exactly; null where they are not asked.</summary>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="columns">Names of its columns.</param>
    SnapshotFacts? FactsOf(Snapshot snapshot, IReadOnlyCollection<string> columns) => null;
}
