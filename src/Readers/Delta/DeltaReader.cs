using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Delta.Files;
using LakeHolo.LakeCatalog.Delta.Log;
using LakeHolo.LakeCatalog.Delta.Schema;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Delta;

/// <summary>Rows of Delta tables: prunes files, resolves deletion vectors, and lets the engine read the Parquet files.</summary>
/// <remarks>The view <c>row_ids</c> adds the columns <c>_row_id</c> and <c>_row_commit_version</c> for tables that track rows.</remarks>
public sealed class DeltaReader(EngineDatabase engine, IFileMaterializer files) : IUnitReader
{
    // More values cost more to evaluate than their files cost to open.
    private const int MaxEvaluatedValues = 20_000;

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
        if (FileLayouts.Has(columns, DeltaPrimitiveKind.Variant))
        {
            VariantText.Register(engine);
        }

        PruningResult pruned = Files(delta, request);
        if (!withRowIds && !request.WithOrigin && CountedRows.TrySql(delta, columns, request.OnlyCounts, pruned.Files) is { } counted)
        {
            return new TableScan(counted, Statistics(delta, pruned) with { FilesRead = 0, BytesRead = 0, FilesCounted = pruned.Files.Count });
        }

        pruned = pruned with { Files = FileOrder.By(request.Order, delta, pruned.Files) };
        var scan = new FileScan(delta, columns) { RowIds = withRowIds, WithOrigin = request.WithOrigin, Filter = request.Filter, FilesMayArrive = request.FilesMayArrive };
        foreach ((FileBlock block, int row) in pruned.Files)
        {
            scan.Add(new ScanFile
            {
                Path = block.Path(row),
                SizeBytes = block.SizeBytes(row),
                Partition = [.. block.Partitions.Select(p => p.Value(row))],
                Vector = block.DeletionVector(row),
                EstimatedRows = block.RowCount(row) is >= 0 and var rows ? rows : block.SizeBytes(row) / (10L * Math.Max(1, delta.Columns.Fields.Count)),
                BaseRowId = block.BaseRowId(row),
                RowCommitVersion = block.RowCommitVersion(row),
            });
        }

        var leases = new List<IAsyncDisposable>();
        try
        {
            string sql = await scan.ToSqlAsync(files, _layouts, _deadPositions, leases, cancellationToken);
            return new TableScan(sql, Statistics(delta, pruned), leases)
            {
                Units = request.WithOrigin ? [.. pruned.Files.Select(f => f.Block.Path(f.Row))] : [],
            };
        }
        catch
        {
            await DisposeAsync(leases);
            throw;
        }
    }

    /// <inheritdoc/>
    public SnapshotFacts? FactsOf(Snapshot snapshot, IReadOnlyCollection<string> columns) => ExactFacts.Of((DeltaSnapshot)snapshot, columns);

    /// <inheritdoc/>
    public UnitKind? UnitsOf(Snapshot snapshot) => UnitKind.Files;

    /// <inheritdoc/>
    public string UnitOf(Snapshot snapshot, DataFileInfo file) => file.Path;

    /// <inheritdoc/>
    public async ValueTask<TableScan> PlanDeletedAsync(Snapshot snapshot, IReadOnlyCollection<string> units, CancellationToken cancellationToken = default)
    {
        var delta = (DeltaSnapshot)snapshot;
        var names = new List<string>();
        var vectors = new List<DeletionVectorDescriptor>();
        foreach (string unit in units)
        {
            if (delta.Files.Find(unit) is var (block, row) && block.DeletionVector(row) is { } vector)
            {
                names.Add(unit);
                vectors.Add(vector);
            }
        }

        (IReadOnlyList<int> numbers, IAsyncDisposable lease) = await _deadPositions.OpenAsync(delta, vectors, cancellationToken);
        string map = string.Join(", ", numbers.Select((n, i) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"({i}, {n})")).DefaultIfEmpty("(-1, -1)"));
        return new TableScan(
            $"SELECT m.f AS {RowOrigin.Unit}, d.pos AS {RowOrigin.Position} FROM {DeadPositions.Table} d JOIN (VALUES {map}) m(f, dv) ON d.dv = m.dv",
            new ScanStatistics { FilesTotal = delta.FileCount, FilesRead = names.Count, BytesRead = 0 },
            [lease])
        {
            Units = names,
        };
    }

    /// <summary>The changes of an inclusive range of versions: the table's columns (as of the range's end), <c>_change_type</c>, <c>_commit_version</c> and
    /// <c>_commit_timestamp</c>. Where the change data feed is on, its rows; where it is off, the rows by which each commit's data files differ, in which an
    /// update is a delete and an insert.</summary>
    /// <param name="snapshot">Any snapshot of the table.</param>
    /// <param name="from">First version.</param>
    /// <param name="to">Last version.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    /// <exception cref="LakeException">FeatureUnsupported names what prevents an exact answer; NotFound a file that was cleaned up.</exception>
    public ValueTask<TableScan> PlanChangesAsync(Snapshot snapshot, string from, string to, CancellationToken cancellationToken = default) =>
        PlanChangesAsync(snapshot, from, to, useFeed: true, cancellationToken);

    internal async ValueTask<TableScan> PlanChangesAsync(Snapshot snapshot, string from, string to, bool useFeed, CancellationToken cancellationToken = default)
    {
        (DeltaSnapshot end, IReadOnlyList<DeltaCommitChanges> commits) =
            await DeltaChangeFeed.ReadAsync((DeltaSnapshot)snapshot, Version(from), Version(to), useFeed, cancellationToken);
        if (FileLayouts.Has(end.Columns.Fields, DeltaPrimitiveKind.Variant))
        {
            VariantText.Register(engine);
        }

        var changes = new DeltaChangeScan(end, commits);
        var leases = new List<IAsyncDisposable>();
        try
        {
            var parts = new List<string>();
            foreach (FileScan scan in new[] { changes.ChangeFiles, changes.DataFiles, changes.RewrittenFiles })
            {
                if (scan.Count > 0 || (scan == changes.DataFiles && changes.Count == 0))
                {
                    string sql = await scan.ToSqlAsync(files, _layouts, _deadPositions, leases, cancellationToken);
                    parts.Add($"({(scan == changes.RewrittenFiles ? changes.Difference(sql) : sql)})");
                }
            }

            return new TableScan(
                string.Join("\nUNION ALL\n", parts), new ScanStatistics { FilesTotal = changes.Count, FilesRead = changes.Count, BytesRead = changes.SizeBytes }, leases);
        }
        catch
        {
            await DisposeAsync(leases);
            throw;
        }
    }

    private static ScanStatistics Statistics(DeltaSnapshot snapshot, PruningResult pruned) => new()
    {
        FilesTotal = snapshot.FileCount,
        FilesRead = pruned.Files.Count,
        BytesRead = pruned.Files.Sum(f => Math.Max(0, f.Block.SizeBytes(f.Row))),
        FilesPrunedByPartition = pruned.PrunedByPartition,
        FilesPrunedByStatistics = pruned.PrunedByStatistics,
    };

    // The engine's own word on an expression for each value of a partition column; null when it cannot tell (some value fails in a cast, say).
    private bool[]? EvaluateOnValues(DeltaField column, string expression, IReadOnlyList<string?> values)
    {
        if (values.Count > MaxEvaluatedValues)
        {
            return null;
        }

        bool[] mayBeTrue = new bool[values.Count];

        // A name that the column cannot have: of two columns of one name the engine takes the first.
        string number = SqlText.Identifier(column.Name + "_");
        IEnumerable<string> rows = values.Select((v, i) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"({i}, {PartitionText.ToSql(v, column)})"));
        try
        {
            using DuckDBConnection connection = engine.OpenConnection();
            using DuckDBCommand command = connection.CreateCommand();
            command.CommandText = $"SELECT {number} FROM (VALUES {string.Join(", ", rows)}) v({number}, {SqlText.Identifier(column.Name)}) WHERE {expression}";
            using DuckDBDataReader reader = command.ExecuteReader();
            while (reader.Read())
            {
                mayBeTrue[reader.GetInt32(0)] = true;
            }

            return mayBeTrue;
        }
        catch (DuckDBException)
        {
            return null;
        }
    }

    private static long Version(string text) =>
        long.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out long version)
            ? version
            : throw LakeException.QueryInvalid($"'{text}' is no version of a Delta table: a number is expected");

    private PruningResult Files(DeltaSnapshot snapshot, ScanRequest request)
    {
        if (request.Units is { Except: false } wanted)
        {
            // Looked up by path: the cost is that of the units, not of the table.
            return new PruningResult([.. wanted.Names.Select(n => snapshot.Files.Find(n) ?? throw LakeException.NotFound("The snapshot has no such data file", n))], 0, 0);
        }

        PruningResult pruned = new DeltaPruner(snapshot, EvaluateOnValues).Prune(request.Filter);
        return request.Units is { } units ? pruned with { Files = [.. pruned.Files.Where(f => units.Has(f.Block.Path(f.Row)))] } : pruned;
    }

    private static async ValueTask DisposeAsync(List<IAsyncDisposable> leases)
    {
        foreach (IAsyncDisposable lease in leases)
        {
            await lease.DisposeAsync();
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
