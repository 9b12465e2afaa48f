using Apache.Arrow;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Hudi.Changes;
using LakeHolo.Readers.Hudi.Merging;
using LakeHolo.Readers.Hudi.Pruning;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Hudi;

/// <summary>Reads Hudi snapshots: base files as they are, slices with log files merged by key once per snapshot.</summary>
/// <param name="engine">Holds superseded positions and winning log rows.</param>
/// <param name="files">Makes files readable.</param>
public sealed class HudiReader(EngineDatabase engine, IFileMaterializer files) : IUnitReader
{
    private readonly SliceFiles _files = new(engine, files);
    private readonly MergeCache _merges = new();
    private readonly FooterPruning _footers = new(engine);

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
        var leases = new List<IAsyncDisposable>();
        try
        {
            PrunedSlices pruned = await PrunedSlices.OfAsync(hudi, slices, request.Filter, cancellationToken);
            var scan = new SliceScan(hudi);
            (MergedSlices? merge, IReadOnlyList<FileSlice> merged) = await MergeAsync(hudi, pruned, leases, cancellationToken);
            IReadOnlyList<ReadableFile> readable = await OpenAsync(hudi, pruned.Bases, request.Filter, fields, leases, cancellationToken);
            var parts = new List<string>();
            var deadSlices = new Dictionary<ReadableFile, int>();
            var whole = new List<ReadableFile>();
            foreach (ReadableFile file in readable)
            {
                if (merge?.DeadSliceOf(file) is { } ordinal)
                {
                    deadSlices[file] = ordinal;
                }
                else
                {
                    whole.Add(file);
                }
            }

            parts.AddRange(scan.Group(whole).Select(g => $"SELECT {origins?.SqlOf(g)}{scan.Columns(g, fields)} FROM {SliceScan.From(g)}"));
            if (merge is not null)
            {
                parts.AddRange(MergedParts(scan, merge, merged, deadSlices, fields, origins));
            }

            string sql = parts.Count > 0 ? string.Join(" UNION ALL ", parts) : SliceScan.Nothing(origins is null ? fields : [.. HudiOrigins.Fields, .. fields]);
            return new TableScan(sql, pruned.Statistics(readable.Count), leases) { Units = origins?.Names ?? [] };
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

    // Slices are merged all together, since the outcome serves every query of the snapshot; a query that needs only a small part of them does not wait for the rest.
    private async ValueTask<(MergedSlices? Merge, IReadOnlyList<FileSlice> Slices)> MergeAsync(
        HudiSnapshot snapshot, PrunedSlices pruned, List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        if (pruned.NeededLogs.Count == 0)
        {
            return (null, []);
        }

        string all = MergeCache.KeyOf(snapshot, pruned.AllLogs);
        bool takesAll = pruned.NeededLogs.Count * 4 >= pruned.AllLogs.Count || _merges.Contains(all);
        IReadOnlyList<FileSlice> slices = takesAll ? pruned.AllLogs : pruned.NeededLogs;
        MergedSlices merge = await _merges.GetAsync(
            takesAll ? all : MergeCache.KeyOf(snapshot, slices), () => _files.MergeAsync(snapshot, slices, CancellationToken.None), cancellationToken);
        leases.Add(merge);
        return (merge, slices);
    }

    private async ValueTask<IReadOnlyList<ReadableFile>> OpenAsync(
        HudiSnapshot snapshot, IReadOnlyList<FileSlice> slices, ScanFilter? filter, IReadOnlyList<Field> fields, List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        IReadOnlyCollection<string> names = SliceFiles.NamesOf(snapshot, fields.Select(f => f.Name));
        if (filter is null || slices.Count < 2)
        {
            return await _files.OpenBasesAsync(snapshot, slices, names, leases, cancellationToken);
        }

        // Of remote files only the footers are fetched before it is known which of them are needed.
        var probing = new List<IAsyncDisposable>();
        try
        {
            bool[] mayMatch = _footers.MayMatch(snapshot, await _files.OpenBasesAsync(snapshot, slices, [], probing, cancellationToken), filter);
            return await _files.OpenBasesAsync(snapshot, [.. slices.Where((_, i) => mayMatch[i])], names, leases, cancellationToken);
        }
        finally
        {
            await DisposeAsync(probing);
        }
    }

    private static IEnumerable<string> MergedParts(
        SliceScan scan, MergedSlices merge, IReadOnlyList<FileSlice> slices, Dictionary<ReadableFile, int> ordinals, IReadOnlyList<Field> fields, HudiOrigins? origins)
    {
        foreach (IReadOnlyList<ReadableFile> group in scan.Group(ordinals.OrderBy(b => b.Value).Select(b => b.Key)))
        {
            string ordinal = SliceMerger.OrdinalSql([.. group.Select(f => ordinals[f])]).Replace("file_index", "r.file_index", StringComparison.Ordinal);
            // Not as NOT EXISTS: the engine would collect all rows of the scan to decorrelate it.
            yield return $"SELECT {origins?.SqlOf(group)}{scan.Columns(group, fields)} FROM {SliceScan.From(group)} r ANTI JOIN {merge.DeadTable} d ON d.f = {ordinal} AND d.pos = r.file_row_number";
        }

        string columns = fields.Count == 0 ? "1" : string.Join(", ", fields.Select(f => SqlText.Identifier(f.Name)));
        yield return $"SELECT {origins?.SqlOfMerged(slices)}{columns} FROM {merge.RowsTable}";
    }

    private static async ValueTask DisposeAsync(List<IAsyncDisposable> leases)
    {
        foreach (IAsyncDisposable lease in leases)
        {
            await lease.DisposeAsync();
        }
    }
}
