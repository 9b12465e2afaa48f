using Apache.Arrow;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Queries;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Accelerator.Sources;

/// <summary>Who can serve a table's rows at a snapshot: the lake, or a hot copy. Asked in order; the first that can, serves.</summary>
public interface ITableSource
{
    /// <summary>Decides whether this source serves a reference of a statement, and pins what it will serve.</summary>
    /// <returns>Null if another source has to.</returns>
    ValueTask<ITableVersion?> TryResolveAsync(TableRequest request, CancellationToken cancellationToken = default);

    /// <summary>Serves <c>table_changes('t', from, to)</c>.</summary>
    /// <returns>Null if another source has to.</returns>
    ValueTask<ITableVersion?> TryResolveChangesAsync(TableRequest request, string from, string to, CancellationToken cancellationToken = default)
        => ValueTask.FromResult<ITableVersion?>(null);
}

/// <summary>A reference to a table in a statement.</summary>
/// <param name="Table">The table.</param>
/// <param name="At">Which snapshot.</param>
/// <param name="View">See <see cref="ScanRequest.View"/>.</param>
/// <param name="Pins">The snapshots that the statement has seen; loads each once.</param>
/// <param name="Options">What the session allows.</param>
public sealed record TableRequest(CatalogTable Table, SnapshotSelector At, string? View, StatementPins Pins, ReadOptions Options);

/// <summary>How fresh answers have to be.</summary>
/// <param name="MaxStaleness">How old a hot copy may be; zero: it must be at the newest snapshot.</param>
/// <param name="Synced">Take the newest snapshot that the last sync saw, without asking storage.</param>
/// <param name="Tier"><c>auto</c>, <c>lake</c> or <c>hot</c>.</param>
public sealed record ReadOptions(TimeSpan MaxStaleness, bool Synced, string Tier);

/// <summary>A table as one statement sees it: pinned.</summary>
public interface ITableVersion
{
    /// <summary><c>lake</c>, <c>hot</c>, or <c>partly hot</c> where a part comes from the lake, at the same snapshot; known once it is planned.</summary>
    string Tier { get; }

    /// <summary>The table.</summary>
    LakeTable Table { get; }

    /// <summary>The snapshot.</summary>
    SnapshotId Id { get; }

    /// <summary>When it was committed, where known.</summary>
    DateTimeOffset? CommittedAt { get; }

    /// <summary>When it was last known to be the newest; null when an older one was asked for.</summary>
    DateTimeOffset? KnownNewestAt { get; }

    /// <summary>Its columns.</summary>
    Schema Schema { get; }

    /// <summary>Whether the engine holds all its rows and columns in a table: what is asked of a scan prunes nothing there that the engine would not.</summary>
    bool IsHeldWhole => false;

    /// <summary>Columns that the engine finds rows by through an index.</summary>
    IReadOnlyList<string> IndexedColumns => [];

    /// <summary>What metadata tell of its rows exactly; null where they are not asked.</summary>
    /// <param name="columns">Names of columns.</param>
    SnapshotFacts? Facts(IReadOnlyCollection<string> columns) => null;

    /// <summary>The relation for what the query needs.</summary>
    ValueTask<TableScan> PlanAsync(ScanRequest request, CancellationToken cancellationToken = default);
}

/// <summary>The snapshots of one statement: each table is loaded once per selector, so that a statement sees it at one version.</summary>
public sealed class StatementPins(CatalogService catalog)
{
    private readonly Dictionary<(CatalogTable, SnapshotSelector), Task<Snapshot>> _snapshots = [];

    /// <summary>Fixes what the newest snapshot of a table is.</summary>
    internal void Pin(CatalogTable table, Snapshot snapshot)
    {
        lock (_snapshots)
        {
            _snapshots[(table, SnapshotSelector.Latest)] = Task.FromResult(snapshot);
        }
    }

    /// <summary>The pinned snapshot.</summary>
    public Task<Snapshot> LoadAsync(CatalogTable table, SnapshotSelector at, bool synced, CancellationToken cancellationToken)
    {
        lock (_snapshots)
        {
            if (!_snapshots.TryGetValue((table, at), out Task<Snapshot>? task) || task.IsFaulted || task.IsCanceled)
            {
                // A query is read at the snapshots that the statement sees its tables at.
                task = table.Format is QueryTables queries && at is SnapshotSelector.LatestSelector
                    ? queries.ComposeAsync(table, t => new ValueTask<Snapshot>(LoadAsync(t.Table, at, synced, cancellationToken)), cancellationToken).AsTask()
                    : catalog.LoadSnapshotAsync(table, at, synced, cancellationToken).AsTask();
                _snapshots[(table, at)] = task;
            }

            return task;
        }
    }
}
