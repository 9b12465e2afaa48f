using Apache.Arrow;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Hudi.Changes;
using LakeHolo.Readers.Hudi.Merging;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Hudi;

/// <summary>Reads Hudi snapshots: base files as they are, slices with log files merged by key once per snapshot.</summary>
/// <param name="engine">Holds superseded positions and winning log rows.</param>
/// <param name="files">Makes files readable.</param>
public sealed class HudiReader(EngineDatabase engine, IFileMaterializer files) : IUnitReader
{
    private readonly SliceFiles _files = new(engine, files);
    private readonly MergeCache _merges = new();

    /// <inheritdoc/>
    public string Format => "hudi";

    /// <inheritdoc/>
    public async ValueTask<TableScan> PlanAsync(Snapshot snapshot, ScanRequest request, CancellationToken cancellationToken = default)
    {
        var hudi = (HudiSnapshot)snapshot;
        IReadOnlyList<FileSlice> slices = request.View switch
        {
            null => hudi.Slices,
            "ro" => hudi.ReadOptimizedSlices,
            _ => throw LakeException.FeatureUnsupported($"Hudi: the view '{request.View}' does not exist", snapshot.Table.FullName),
        };
        IReadOnlyList<Field> fields = request.Columns is null
            ? hudi.Schema.FieldsList
            : [.. hudi.Schema.FieldsList.Where(f => request.Columns.Contains(f.Name, StringComparer.OrdinalIgnoreCase))];
        slices = request.Units is { } units ? [.. slices.Where(s => units.Has(HudiOrigins.UnitOf(s)))] : slices;
        HudiOrigins? origins = request.WithOrigin ? new HudiOrigins(slices) : null;
        FileSlice[] merged = [.. slices.Where(s => s.Logs.Count > 0)];
        var pruning = new PartitionPruning(hudi);
        FileSlice[] plain = [.. slices.Where(s => s.Logs.Count == 0 && pruning.MayMatch(s, request.Filter))];
        var leases = new List<IAsyncDisposable>();
        try
        {
            var parts = new List<string>();
            var scan = new SliceScan(hudi);
            IReadOnlyList<ReadableFile> readable = await _files.OpenBasesAsync(hudi, plain, leases, cancellationToken, [.. fields.Select(f => f.Name)]);
            if (merged.Length > 0)
            {
                parts.AddRange(await MergeAsync(hudi, scan, merged, i => pruning.MayMatch(merged[i], request.Filter), fields, origins, leases, cancellationToken));
            }

            parts.InsertRange(0, scan.Group(readable).Select(g => $"SELECT {origins?.SqlOf(g)}{scan.Columns(g, fields)} FROM {SliceScan.From(g)}"));
            string sql = parts.Count > 0 ? string.Join(" UNION ALL ", parts) : SliceScan.Nothing(origins is null ? fields : [.. HudiOrigins.Fields, .. fields]);
            return new TableScan(sql, Statistics(slices, [.. plain, .. merged]), leases) { Units = origins?.Names ?? [] };
        }
        catch
        {
            await DisposeAsync(leases);
            throw;
        }
    }

    /// <inheritdoc/>
    public UnitKind? UnitsOf(Snapshot snapshot) => UnitKind.Slices;

    /// <inheritdoc/>
    public string UnitOf(Snapshot snapshot, DataFileInfo file) => HudiOrigins.UnitOf(file);

    /// <inheritdoc/>
    public ValueTask<TableScan> PlanDeletedAsync(Snapshot snapshot, IReadOnlyCollection<string> units, CancellationToken cancellationToken = default)
        => throw new LakeException(LakeErrorKind.Internal, "File groups have no positions", snapshot.Table.FullName);

    /// <summary>The changes in a range of the timeline: of a table with change capture what each commit did to each row; of another one Hudi's incremental query, the rows
    /// whose newest version was written in the range (deletions do not show).</summary>
    /// <param name="snapshot">A snapshot of the table.</param>
    /// <param name="from">Exclusive start: a requested time (table version 6) or a completion time (version 8 and later); zeros or <c>earliest</c> for the beginning.
    /// The instant of a commit stands for that commit.</param>
    /// <param name="to">Inclusive end, counted alike; empty or <c>latest</c> for the newest commit.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    public async ValueTask<TableScan> PlanChangesAsync(Snapshot snapshot, string from, string to, CancellationToken cancellationToken = default)
    {
        var hudi = (HudiSnapshot)snapshot;
        HudiHistory history = await HudiHistory.LoadAsync(hudi, cancellationToken);
        (string start, string end) = (history.Bound(from), history.Bound(to));
        bool beginsInArchive = history.HasArchive && history.First is { } first && string.CompareOrdinal(start, HudiHistory.TimeOf(first)) < 0;
        if (hudi.Properties.IsCdcEnabled)
        {
            return beginsInArchive
                ? throw LakeException.FeatureUnsupported($"Hudi: changes of archived commits are not supported; the first commit that is not archived is {history.First!.Time}", snapshot.Table.FullName)
                : await new ChangeScan(this, _files, engine, history).PlanAsync(hudi, history.Between(start, end), cancellationToken);
        }

        if (!hudi.Properties.PopulatesMetaFields)
        {
            throw LakeException.FeatureUnsupported("Hudi: changes of a table without meta fields (hoodie.populate.meta.fields=false) are not supported", snapshot.Table.FullName);
        }

        // When archived commits completed is not looked up: of them only all can be told, or (by their requested times) those of version 6.
        if (beginsInArchive && start != "0" && hudi.Properties.TimelineLayout == 2)
        {
            throw LakeException.FeatureUnsupported($"Hudi: changes since a time before the first commit that is not archived ({history.First!.Time}) are not supported", snapshot.Table.FullName);
        }

        if (history.At(end) is not { } last)
        {
            return new TableScan(SliceScan.Nothing(hudi.Schema.FieldsList), new ScanStatistics { FilesTotal = 0, FilesRead = 0, BytesRead = 0 });
        }

        TableScan all = await PlanAsync(last, ScanRequest.All, cancellationToken);
        string time = SqlText.Identifier("_hoodie_commit_time");
        string archived = beginsInArchive ? $" OR ({time} < {SqlText.Literal(hudi.Timeline.Commits.First().Time)} AND {time} > {SqlText.Literal(start)})" : "";
        return new TableScan(
            $"SELECT * FROM ({all.Sql}) WHERE list_contains({SqlText.LiteralList(history.Between(start, end).Select(i => i.Time))}::VARCHAR[], {time}){archived}", all.Statistics, [all]);
    }

    private async ValueTask<IEnumerable<string>> MergeAsync(
        HudiSnapshot snapshot, SliceScan scan, FileSlice[] slices, Func<int, bool> isNeeded, IReadOnlyList<Field> fields, HudiOrigins? origins,
        List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        IReadOnlyDictionary<int, ReadableFile> bases = await _files.OpenBasesByOrdinalAsync(snapshot, slices, leases, cancellationToken);
        MergedSlices merge = await _merges.GetAsync(
            MergeCache.KeyOf(snapshot, slices), () => _files.MergeAsync(snapshot, slices, bases, cancellationToken), cancellationToken);
        leases.Add(merge);
        var parts = new List<string>();
        IEnumerable<IReadOnlyList<ReadableFile>> untouched = scan.Group(bases.Where(b => isNeeded(b.Key) && !merge.SlicesWithDeadRows.Contains(b.Key)).Select(b => b.Value));
        parts.AddRange(untouched.Select(g => $"SELECT {origins?.SqlOf(g)}{scan.Columns(g, fields)} FROM {SliceScan.From(g)}"));
        var ordinals = bases.Where(b => isNeeded(b.Key) && merge.SlicesWithDeadRows.Contains(b.Key)).ToDictionary(b => b.Value, b => b.Key);
        foreach (IReadOnlyList<ReadableFile> group in scan.Group(ordinals.OrderBy(b => b.Value).Select(b => b.Key)))
        {
            string ordinal = SliceMerger.OrdinalSql([.. group.Select(f => ordinals[f])]).Replace("file_index", "r.file_index", StringComparison.Ordinal);
            parts.Add($"SELECT {origins?.SqlOf(group)}{scan.Columns(group, fields)} FROM {SliceScan.From(group)} r WHERE NOT EXISTS "
                + $"(SELECT 1 FROM {merge.DeadTable} d WHERE d.f = {ordinal} AND d.pos = r.file_row_number)");
        }

        string columns = fields.Count == 0 ? "1" : string.Join(", ", fields.Select(f => SqlText.Identifier(f.Name)));
        parts.Add($"SELECT {origins?.SqlOfMerged(slices)}{columns} FROM {merge.RowsTable}");
        return parts;
    }

    private static ScanStatistics Statistics(IReadOnlyList<FileSlice> all, IReadOnlyList<FileSlice> read) => new()
    {
        FilesTotal = all.Sum(s => (long)s.Files.Count()),
        FilesPrunedByPartition = all.Sum(s => (long)s.Files.Count()) - read.Sum(s => (long)s.Files.Count()),
        FilesRead = read.Sum(s => (long)s.Files.Count()),
        BytesRead = read.Sum(s => s.Files.Sum(f => f.SizeBytes)),
    };

    private static async ValueTask DisposeAsync(List<IAsyncDisposable> leases)
    {
        foreach (IAsyncDisposable lease in leases)
        {
            await lease.DisposeAsync();
        }
    }
}
