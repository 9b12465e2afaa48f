using System.Globalization;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Delta;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Merging;
using LakeHolo.Readers.Paimon.Evolution;
using LakeHolo.Readers.Paimon.Pruning;
using LakeHolo.Readers.Paimon.Pruning.FileIndexes;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Paimon;

/// <summary>Rows of Paimon tables: append tables as they lie, primary key tables merged by key.</summary>
/// <remarks>Views: see <see cref="PaimonViews"/>.</remarks>
public sealed class PaimonReader : IUnitReader, IDisposable
{
    private readonly EngineDatabase _engine;
    private readonly PaimonFileOpener _opener;
    private readonly MergeCache _merges;
    private readonly BucketCopies _copies;
    private readonly FileIndexStore _indexes;

    /// <summary>Creates the reader.</summary>
    /// <param name="engine">Keeps merge results; shared with the queries that use them.</param>
    /// <param name="files">Makes data files local.</param>
    /// <param name="locations">Where files outside of the tables' own store may lie (<c>_EXTERNAL_PATH</c>); null for nowhere.</param>
    public PaimonReader(EngineDatabase engine, IFileMaterializer files, ExternalLocations? locations = null)
    {
        _engine = engine;
        _opener = new PaimonFileOpener(files, locations ?? ExternalLocations.None);
        _merges = new MergeCache(engine, _opener);
        _copies = new BucketCopies(engine, files, _opener);
        _indexes = new FileIndexStore(_opener.Locations);
        EngineTable.CreateSchema(engine);
    }

    /// <inheritdoc/>
    public string Format => "paimon";

    /// <inheritdoc/>
    public Apache.Arrow.Schema SchemaOf(Snapshot snapshot, string? view) => PaimonViews.SchemaOf(snapshot, view);

    /// <inheritdoc/>
    public async ValueTask<TableScan> PlanAsync(Snapshot snapshot, ScanRequest request, CancellationToken cancellationToken = default)
    {
        var paimon = (PaimonSnapshot)snapshot;
        if (request is { OnlyCounts: true, View: null, Units: null, WithOrigin: false } && Counted(paimon, request) is { } counted)
        {
            return counted;
        }

        TableScan scan = await PlanBranchAsync(paimon, request, cancellationToken);
        if (paimon.Fallback is not PaimonSnapshot fallback)
        {
            return scan;
        }

        try
        {
            TableScan other = await PlanBranchAsync(fallback, request, cancellationToken);
            return new TableScan($"{scan.Sql} UNION ALL {other.Sql}", scan.Statistics.Plus(other.Statistics), [scan, other]);
        }
        catch
        {
            await scan.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public SnapshotFacts? FactsOf(Snapshot snapshot, IReadOnlyCollection<string> columns) => PaimonFacts.Of((PaimonSnapshot)snapshot, columns);

    private async ValueTask<TableScan> PlanBranchAsync(PaimonSnapshot paimon, ScanRequest request, CancellationToken cancellationToken)
    {
        IReadOnlyList<PaimonField> columns = SelectColumns(paimon, request.Columns);
        // Conditions on arrays say nothing of the columns in the files.
        ScanFilter? filter = ReadDefaults.Has(paimon) || request.View == PaimonViews.Binlog ? null : request.Filter;
        var pruning = new PaimonPruning(paimon, filter);
        ViewFiles files = new ViewFiles(paimon, request);
        PaimonOrigins? origins = request.WithOrigin ? new PaimonOrigins(paimon) : null;
        List<PaimonDataFile> candidates = [.. files.Select(pruning.Places)];
        var leases = new List<IAsyncDisposable>();
        try
        {
            bool withKinds = PaimonViews.TellsKinds(request.View) && paimon.PrimaryKey.Count > 0;
            ScanPieces pieces = await PlanPiecesAsync(paimon, candidates, columns, pruning, request.View, origins is null && !withKinds, leases, cancellationToken);
            var builder = new ScanSql(paimon, columns, _engine, _opener, request.View == RowTracking.View, origins, withKinds) { Filter = filter, FilesMayArrive = request.FilesMayArrive };
            string sql = ReadDefaults.Guard(await builder.BuildAsync(pieces, leases, cancellationToken), paimon, columns);
            sql = PaimonViews.TellsKinds(request.View) && !withKinds ? $"SELECT '+I' AS rowkind, * FROM ({sql})" : sql;
            sql = request.View == PaimonViews.Binlog ? PaimonViews.Arrays(sql, columns) : sql;
            int inPartition = files.Count(pruning.Places with { InBucket = null, Bounds = null });
            var statistics = new ScanStatistics
            {
                FilesTotal = paimon.Files.Count,
                FilesRead = pieces.Files.Count,
                BytesRead = pieces.Files.Sum(f => f.SizeBytes),
                FilesPrunedByPartition = files.Count() - inPartition,
                FilesPrunedByStatistics = inPartition - pieces.Files.Count,
            };
            return new TableScan(sql, statistics, leases) { Units = origins?.Names(candidates) ?? [] };
        }
        catch
        {
            await ReleaseAsync(leases);
            throw;
        }
    }

    /// <inheritdoc/>
    public UnitKind? UnitsOf(Snapshot snapshot) => PaimonOrigins.KindOrNone((PaimonSnapshot)snapshot);

    /// <inheritdoc/>
    public string UnitOf(Snapshot snapshot, DataFileInfo file) => PaimonOrigins.UnitOf((PaimonSnapshot)snapshot, file);

    /// <inheritdoc/>
    public async ValueTask<TableScan> PlanDeletedAsync(Snapshot snapshot, IReadOnlyCollection<string> units, CancellationToken cancellationToken = default)
    {
        var paimon = (PaimonSnapshot)snapshot;
        var wanted = units.ToHashSet(StringComparer.Ordinal);
        List<PaimonDataFile> files = [.. paimon.Files.SelectPaths(wanted).Where(f => paimon.DeletionVectorOf(f) is not null)];
        var vectors = await new DeletionVectorLoader(paimon, _opener.Locations).LoadAsync(files, cancellationToken);
        using DuckDBConnection connection = _engine.OpenConnection();
        EngineTable dead = EngineTable.OfPositions(_engine, connection, files.Select((f, i) => (i, vectors[f])));
        return new TableScan(
            $"SELECT f AS {RowOrigin.Unit}, pos AS {RowOrigin.Position} FROM {dead.Name}",
            new ScanStatistics { FilesTotal = paimon.FileCount, FilesRead = files.Count, BytesRead = 0 },
            [new TableLease(dead)])
        {
            Units = [.. files.Select(f => f.Path)],
        };
    }

    /// <inheritdoc/>
    public async ValueTask<TableScan?> PlanKeysAsync(Snapshot from, Snapshot to, SnapshotDiff diff, CancellationToken cancellationToken = default)
    {
        var (older, newer) = ((PaimonSnapshot)from, (PaimonSnapshot)to);
        if (NewestVersions.FilesOf(older, newer, diff) is not { } added)
        {
            return null;
        }

        var leases = new List<IAsyncDisposable>();
        try
        {
            IReadOnlyList<PaimonField> columns = SelectColumns(newer, null);
            IReadOnlyList<PaimonFileGroup> groups = await _opener.OpenAsync(newer, added, columns, leases, cancellationToken);
            var origins = new PaimonOrigins(newer);
            string sql = ReadDefaults.Guard(NewestVersions.Sql(newer, groups, columns, origins), newer, columns);
            return new TableScan(sql, new ScanStatistics { FilesTotal = newer.FileCount, FilesRead = added.Count, BytesRead = added.Sum(f => f.SizeBytes) }, leases)
            {
                Units = origins.Names([]),
            };
        }
        catch
        {
            await ReleaseAsync(leases);
            throw;
        }
    }

    /// <summary>What happened between two versions: the table's columns behind <c>rowkind</c> (+I, -U, +U, -D).</summary>
    /// <param name="snapshot">A snapshot of the table; its columns are read.</param>
    /// <param name="from">Snapshot id or tag, exclusive.</param>
    /// <param name="to">Snapshot id or tag, inclusive.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    /// <remarks>From changelog files where the table's producer wrote them, else the rows its commits added; between two tags the states are compared: +I is a
    /// row that is new or changed, -D the old row of a key that is gone. Commits of kind OVERWRITE bring no changes, as in Paimon's own incremental read.</remarks>
    public async ValueTask<TableScan> PlanChangesAsync(Snapshot snapshot, string from, string to, CancellationToken cancellationToken = default)
    {
        var paimon = (PaimonSnapshot)snapshot;
        PaimonChanges changes = await PaimonChanges.LoadAsync(paimon, from, to, cancellationToken);
        if (changes.Changes is null)
        {
            return await CompareAsync(changes.Before!, changes.After!, cancellationToken);
        }

        IReadOnlyList<PaimonField> columns = SelectColumns(paimon, null);
        var leases = new List<IAsyncDisposable>();
        try
        {
            string sql = ReadDefaults.Guard(await new ScanSql(changes.Changes, columns, _engine, _opener).BuildChangesAsync(leases, cancellationToken), paimon, columns);
            return new TableScan(sql, new ScanStatistics { FilesTotal = paimon.FileCount, FilesRead = changes.Changes.FileCount, BytesRead = changes.Changes.SizeBytes }, leases);
        }
        catch
        {
            await ReleaseAsync(leases);
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _copies.Dispose();
        _merges.Dispose();
    }

    /// <summary>Versions that are combined at once, for tests.</summary>
    internal long MaxFolded
    {
        set => _merges.MaxFolded = value;
    }

    /// <summary>Waits until no merged bucket is being copied, for tests.</summary>
    internal Task SettleAsync() => _copies.SettleAsync();

    private static async ValueTask ReleaseAsync(List<IAsyncDisposable> leases)
    {
        foreach (IAsyncDisposable lease in leases)
        {
            await lease.DisposeAsync();
        }
    }

    private async ValueTask<TableScan> CompareAsync(PaimonSnapshot before, PaimonSnapshot after, CancellationToken cancellationToken)
    {
        if (after.PrimaryKey.Count == 0 || before.TableSchema.Id != after.TableSchema.Id)
        {
            throw LakeException.FeatureUnsupported("Two tags can be compared only for a table with a primary key and one schema", after.Table.Root.Location);
        }

        TableScan old = await PlanAsync(before, ScanRequest.All, cancellationToken);
        try
        {
            TableScan now = await PlanAsync(after, ScanRequest.All, cancellationToken);
            string keys = string.Join(" AND ", after.PrimaryKey.Select(k => $"n.{SqlText.Identifier(k)} IS NOT DISTINCT FROM o.{SqlText.Identifier(k)}"));
            string sql = $"SELECT '+I' AS rowkind, * FROM (({now.Sql}) EXCEPT ({old.Sql})) UNION ALL "
                + $"SELECT '-D' AS rowkind, o.* FROM ({old.Sql}) o WHERE NOT EXISTS (SELECT 1 FROM ({now.Sql}) n WHERE {keys})";
            return new TableScan(sql, now.Statistics, [old, now]);
        }
        catch
        {
            await old.DisposeAsync();
            throw;
        }
    }

    private IReadOnlyList<PaimonField> SelectColumns(PaimonSnapshot snapshot, IReadOnlyList<string>? wanted)
    {
        IReadOnlyList<PaimonField> fields = snapshot.TableSchema.Fields;
        List<PaimonField> columns = wanted is null ? [.. fields] : [.. fields.Where(f => wanted.Contains(f.Name, StringComparer.OrdinalIgnoreCase))];
        foreach (PaimonField column in columns)
        {
            PaimonColumns.CheckReadable(column, snapshot);
        }

        // Merging reads all columns, whatever the query needs.
        if (fields.Any(f => f.Type.HoldsVariant))
        {
            VariantText.Register(_engine);
        }

        return columns.Count > 0 ? columns : [fields.FirstOrDefault(f => !f.Type.IsNested) ?? fields[0]];
    }

    /// <summary>As many rows as the manifests and deletion vectors of an append table tell, without opening a file; null where they do not tell.</summary>
    private TableScan? Counted(PaimonSnapshot snapshot, ScanRequest request)
    {
        if (snapshot.PrimaryKey.Count > 0 || snapshot.Fallback is not null || snapshot.RowCount is not (>= 0 and <= PaimonFileList.MaxRows and var rows))
        {
            return null;
        }

        IEnumerable<string> columns = SelectColumns(snapshot, request.Columns).Select(c => $"CAST(NULL AS {PaimonColumns.TypeOf(c)}) AS {SqlText.Identifier(c.Name)}");
        return new TableScan(
            string.Create(CultureInfo.InvariantCulture, $"SELECT {string.Join(", ", columns)} FROM range({rows})"),
            new ScanStatistics { FilesTotal = snapshot.Files.Count, FilesRead = 0, BytesRead = 0, FilesCounted = snapshot.Files.Count });
    }

    private async ValueTask<ScanPieces> PlanPiecesAsync(
        PaimonSnapshot snapshot, IReadOnlyList<PaimonDataFile> files, IReadOnlyList<PaimonField> columns, PaimonPruning pruning, string? view, bool mayCopy,
        List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        var vectors = await new DeletionVectorLoader(snapshot, _opener.Locations).LoadAsync(files, cancellationToken);
        if (EvolutionPlan.IsNeeded(snapshot))
        {
            (IReadOnlyList<PaimonDataFile> alone, IReadOnlyList<EvolutionGroup> groups) = EvolutionPlan.Of(files);
            return new ScanPieces(await PruneAsync(snapshot, alone, pruning, isMerged: false, cancellationToken), [], vectors) { Groups = groups };
        }

        if (snapshot.PrimaryKey.Count == 0 || view == "ro")
        {
            return new ScanPieces(await PruneAsync(snapshot, files, pruning, isMerged: false, cancellationToken), [], vectors);
        }

        var plain = new List<PaimonDataFile>();
        var merged = new List<(string Identity, IReadOnlyList<MergeSection> Sections)>();
        var wanted = new HashSet<PaimonDataFile>(ReferenceEqualityComparer.Instance);
        var copies = new List<MergedCopy>();
        var copied = new List<PaimonDataFile>();
        bool keepsDeletes = PaimonViews.TellsKinds(view);
        foreach (var bucket in files.GroupBy(f => (Partition: Convert.ToBase64String(f.PartitionBytes), f.Bucket)))
        {
            // A bucket is merged as a whole, so that all queries share the result; what a query reads of it is pruned by its key afterwards.
            MergePlan plan = MergePlan.Of(snapshot, [.. bucket]);
            plain.AddRange(await PruneAsync(snapshot, plan.Plain, pruning, isMerged: false, cancellationToken));
            IReadOnlyList<PaimonDataFile> needed = await PruneAsync(snapshot, [.. plan.Sections.SelectMany(s => s.Base.Concat(s.Newer))], pruning, isMerged: true, cancellationToken);
            if (needed.Count == 0)
            {
                continue;
            }

            string identity = MergeCache.IdentityOf(snapshot, bucket.Key.Partition, plan.Sections, keepsDeletes);
            if (mayCopy && await _copies.TryOpenAsync(snapshot, identity, plan.Sections, columns, leases, cancellationToken) is { } copy)
            {
                copies.Add(copy);
                copied.AddRange(needed);
                continue;
            }

            wanted.UnionWith(needed);
            merged.Add((identity, plan.Sections));
        }

        IReadOnlyList<MergeCache.Use> uses = merged.Count == 0 ? [] : await _merges.GetAsync(snapshot, merged, vectors, keepsDeletes, leases, cancellationToken);
        leases.AddRange(mayCopy ? uses.Select(u => _copies.Count(snapshot, merged, u, columns)) : []);
        return new ScanPieces(plain, [.. uses.Select(u => u with { Files = [.. u.Files.Where(f => wanted.Contains(f.File))] })], vectors) { Copies = copies, Copied = copied };
    }

    private async ValueTask<IReadOnlyList<PaimonDataFile>> PruneAsync(
        PaimonSnapshot snapshot, IReadOnlyList<PaimonDataFile> files, PaimonPruning pruning, bool isMerged, CancellationToken cancellationToken)
    {
        var kept = new List<PaimonDataFile>();
        foreach (PaimonDataFile file in files.Where(f => pruning.MatchesStatistics(f, isMerged)))
        {
            FileIndex? index = pruning.MayUseIndexes ? await _indexes.TryLoadAsync(snapshot, file, cancellationToken) : null;
            if (index is null || pruning.MatchesIndex(file, index, isMerged))
            {
                kept.Add(file);
            }
        }

        return kept;
    }
}
