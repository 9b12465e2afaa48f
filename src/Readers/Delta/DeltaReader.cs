using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Delta.Files;
using LakeHolo.LakeCatalog.Delta.Schema;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Delta;

/// <summary>Rows of Delta tables: prunes files, resolves deletion vectors, and lets the engine read the Parquet files.</summary>
/// <remarks>The view <c>row_ids</c> adds the columns <c>_row_id</c> and <c>_row_commit_version</c> for tables that track rows.</remarks>
public sealed class DeltaReader(EngineDatabase engine, IFileMaterializer files) : ITableReader
{
    private readonly DeadPositions _deadPositions = new(engine);
    private readonly FileLayouts _layouts = new();

    /// <inheritdoc/>
    public string Format => "delta";

    /// <inheritdoc/>
    public async ValueTask<TableScan> PlanAsync(Snapshot snapshot, ScanRequest request, CancellationToken cancellationToken = default)
    {
        var delta = (DeltaSnapshot)snapshot;
        bool withRowIds = request.View == "row_ids";
        if (withRowIds && !delta.HasRowTracking)
        {
            throw LakeException.FeatureUnsupported("Row ids were asked for, but row tracking is not enabled", delta.Table.FullName);
        }

        IReadOnlyList<DeltaField> columns = Columns(delta, request.Columns);
        PruningResult pruned = new DeltaPruner(delta).Prune(request.Filter);
        var scan = new FileScan(delta, columns) { RowIds = withRowIds };
        foreach ((FileBlock block, int row) in pruned.Files)
        {
            scan.Add(new ScanFile
            {
                Path = block.Path(row),
                SizeBytes = block.SizeBytes(row),
                Partition = [.. block.Partitions.Select(p => p.Value(row))],
                Vector = block.DeletionVector(row),
                BaseRowId = block.BaseRowId(row),
                RowCommitVersion = block.RowCommitVersion(row),
            });
        }

        var leases = new List<IAsyncDisposable>();
        try
        {
            string sql = await scan.ToSqlAsync(files, _layouts, _deadPositions, leases, cancellationToken);
            return new TableScan(
                sql,
                new ScanStatistics
                {
                    FilesTotal = delta.FileCount,
                    FilesRead = pruned.Files.Count,
                    BytesRead = pruned.Files.Sum(f => Math.Max(0, f.Block.SizeBytes(f.Row))),
                    FilesPrunedByPartition = pruned.PrunedByPartition,
                    FilesPrunedByStatistics = pruned.PrunedByStatistics,
                },
                leases);
        }
        catch
        {
            foreach (IAsyncDisposable lease in leases)
            {
                await lease.DisposeAsync();
            }

            throw;
        }
    }

    /// <summary>The columns asked for, in the table's order; at least one, since a relation has columns.</summary>
    private static IReadOnlyList<DeltaField> Columns(DeltaSnapshot snapshot, IReadOnlyList<string>? names)
    {
        if (names is null)
        {
            return snapshot.Columns.Fields;
        }

        var wanted = new HashSet<string>(names, StringComparer.OrdinalIgnoreCase);
        DeltaField[] columns = [.. snapshot.Columns.Fields.Where(f => wanted.Contains(f.Name))];
        return columns.Length > 0 ? columns : [.. snapshot.Columns.Fields.Take(1)];
    }
}
