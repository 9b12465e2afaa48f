using Apache.Arrow;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.DataFiles.Parquet;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Hudi.Changes;
using LakeHolo.Readers.Hudi.LogFiles;
using LakeHolo.Readers.Hudi.Merging;
using LakeHolo.Readers.Hudi.Pruning;
using LakeHolo.Readers.Merging;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Hudi;

/// <summary>Reads Hudi snapshots: base files as they are; slices with log files are merged once, for all snapshots that hold the same of them.</summary>
/// <param name="engine">Holds superseded positions and the places of winning log rows.</param>
/// <param name="files">Makes files readable.</param>
public sealed class HudiReader(EngineDatabase engine, IFileMaterializer files) : IUnitReader, IDisposable
{
    private readonly SliceFiles _files = new(engine, files);
    private readonly MergeResults<MergedSlices> _merges = new();
    private readonly MergedCopies _copies = new(engine, files, "hudi-merged-7\u0001");
    private readonly FooterPruning _footers = new(engine);
    private SliceMerges? _merging;

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
            var copied = new Dictionary<FileSlice, MergedCopy>();
            var columns = new CopyColumns(fields.Select(f => f.Name), [.. hudi.Schema.FieldsList.Select(f => f.Name)]);
            IReadOnlyList<MergeUse<MergedSlices, SliceLogs>> merges = await MergeAsync(hudi, pruned.NeededLogs, columns, origins is null ? copied : null, leases, cancellationToken);
            bool mayArrive = request.FilesMayArrive && merges.Count == 0; // merging looks into base files while it is planned
            IReadOnlyList<ReadableFile> readable = await OpenAsync(
                hudi, [.. pruned.Bases.Where(s => !copied.ContainsKey(s))], request.Filter, fields, origins is not null, mayArrive, leases, cancellationToken);
            var scan = new MergedScan(hudi, _files, fields, origins is null ? DecodedColumns(columns) : null, origins);
            List<string> parts = [.. scan.Bases(readable, merges, leases)];
            foreach (MergeUse<MergedSlices, SliceLogs> use in merges)
            {
                parts.AddRange(await scan.RowsAsync(use, leases, cancellationToken));
            }

            parts.AddRange(scan.Copies(copied.Values));

            string sql = parts.Count > 0 ? string.Join(" UNION ALL ", parts) : SliceScan.Nothing(origins is null ? fields : [.. HudiOrigins.Fields, .. fields]);
            return new TableScan(sql, pruned.Statistics(readable.Count + copied.Keys.Count(s => s.Base is not null)), leases) { Units = origins?.Names ?? [] };
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

        // What a row was at a time whose commits are archived is not known any more.
        if (history.HasArchive && history.First is { } oldest && string.CompareOrdinal(start, end) < 0 && string.CompareOrdinal(end, HudiHistory.TimeOf(oldest)) < 0)
        {
            throw LakeException.FeatureUnsupported($"Hudi: changes up to a time before the first commit that is not archived ({oldest.Time}) are not supported", snapshot.Table.FullName);
        }

        if (string.CompareOrdinal(start, end) >= 0 || history.At(end) is not { } last)
        {
            return new TableScan(SliceScan.Nothing(hudi.Schema.FieldsList), new ScanStatistics { FilesTotal = 0, FilesRead = 0, BytesRead = 0 });
        }

        string archived = beginsInArchive ? " OR " + await ArchivedSqlAsync(hudi, history, start, end, cancellationToken) : "";
        TableScan all = await PlanAsync(last, ScanRequest.All, cancellationToken);
        return new TableScan(
            $"SELECT * FROM ({all.Sql}) WHERE list_contains({SqlText.LiteralList(history.Between(start, end).Select(i => i.Time))}::VARCHAR[], {CommitTime}){archived}", all.Statistics, [all]);
    }

    private static string CommitTime => SqlText.Identifier("_hoodie_commit_time");

    // Rows whose newest version an archived commit of the range wrote. Version 6 counts by requested times, which the rows tell.
    private static async ValueTask<string> ArchivedSqlAsync(HudiSnapshot snapshot, HudiHistory history, string start, string end, CancellationToken cancellationToken)
    {
        string isArchived = $"{CommitTime} < {SqlText.Literal(snapshot.Timeline.Commits.First().Time)}";
        if (snapshot.Properties.TimelineLayout == 1 || start == "0")
        {
            return $"({isArchived} AND {CommitTime} > {SqlText.Literal(start)})";
        }

        IReadOnlyList<(string Time, string Completion)> archive = await history.ReadArchivedAsync(cancellationToken);
        if (archive.FirstOrDefault(c => string.CompareOrdinal(c.Completion, end) > 0).Time is { } late)
        {
            throw LakeException.FeatureUnsupported($"Hudi: changes up to a time before the archived commit {late} completed are not supported", snapshot.Table.FullName);
        }

        // An archived commit's own instant stands for it, too.
        start = archive.FirstOrDefault(c => c.Time == start).Completion ?? start;
        // A row of a commit that is not in the archive cannot be placed.
        string within = SqlText.LiteralList(archive.Where(c => string.CompareOrdinal(c.Completion, start) > 0).Select(c => c.Time));
        return $"({isArchived} AND CASE WHEN list_contains({SqlText.LiteralList(archive.Select(c => c.Time))}::VARCHAR[], {CommitTime}) THEN list_contains({within}::VARCHAR[], {CommitTime}) "
            + $"ELSE error('Hudi: the commit ' || {CommitTime} || ' is not in the archived timeline, so that its changes cannot be placed') END)";
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _copies.Dispose();
        _merges.Dispose();
    }

    /// <summary>Waits until no merged slice is being copied, for tests.</summary>
    internal Task SettleAsync() => _copies.SettleAsync();

    // Slices that have a copy go there, if copies may be used; the others are merged, and copied when the scan is over.
    private async ValueTask<IReadOnlyList<MergeUse<MergedSlices, SliceLogs>>> MergeAsync(
        HudiSnapshot snapshot, IReadOnlyList<FileSlice> slices, CopyColumns columns, Dictionary<FileSlice, MergedCopy>? copied, List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        if (slices.Count == 0)
        {
            return [];
        }

        var merged = new List<SliceLogs>();
        foreach (SliceLogs slice in await _files.FindLogsAsync(snapshot, slices, cancellationToken))
        {
            if (copied is not null && await _copies.TryOpenAsync(slice.Identity, CopySource(snapshot, slice.Slice), columns, leases, cancellationToken) is { } copy)
            {
                copied[slice.Slice] = copy;
            }
            else
            {
                merged.Add(slice);
            }
        }

        IReadOnlyList<MergeUse<MergedSlices, SliceLogs>> uses = await _merges.GetAsync(
            merged, s => s.Identity, missing => (_merging ??= new SliceMerges(engine, _files)).MergeAsync(snapshot, missing, copied is null ? null : DecodedColumns(columns), cancellationToken), leases, cancellationToken);
        if (copied is not null)
        {
            leases.AddRange(uses.Select(u => _copies.Count(
                u.Members.Select(m => new CopyCandidate(m.Identity, CopySource(snapshot, m.Slice), m.Slice.Files.Sum(f => f.SizeBytes), (c, l, token) => RowsOfAsync(snapshot, u, m, c, l, token))),
                columns,
                u.Lease)));
        }

        return uses;
    }

    // What was merged for a query is copied with the same columns: the others of its log blocks may never be needed.
    private static IReadOnlyCollection<string>? DecodedColumns(CopyColumns columns) => CopyColumns.NamesOf(columns.Set);

    // One of the slice's own files stands for it in the cache.
    private static CacheableFile CopySource(HudiSnapshot snapshot, FileSlice slice) => SliceFiles.Source(snapshot, slice.Files.First());

    private async ValueTask<string> RowsOfAsync(
        HudiSnapshot snapshot, MergeUse<MergedSlices, SliceLogs> use, SliceLogs slice, IReadOnlyCollection<string>? columns, List<IAsyncDisposable> leases,
        CancellationToken cancellationToken)
    {
        IReadOnlyList<Field> fields = columns is null ? snapshot.Schema.FieldsList : [.. snapshot.Schema.FieldsList.Where(f => columns.Contains(f.Name))];
        MergeUse<MergedSlices, SliceLogs> alone = use with { Members = [slice] };
        var scan = new MergedScan(snapshot, _files, fields, columns);
        IReadOnlyList<ReadableFile> bases = await _files.OpenBasesAsync(snapshot, [slice.Slice], SliceFiles.NamesOf(snapshot, fields.Select(f => f.Name)), leases, cancellationToken);
        string[] parts = [.. scan.Bases(bases, [alone], leases), .. await scan.RowsAsync(alone, leases, cancellationToken)];
        return parts.Length > 0 ? string.Join(" UNION ALL ", parts) : SliceScan.Nothing(fields);
    }

    private async ValueTask<IReadOnlyList<ReadableFile>> OpenAsync(
        HudiSnapshot snapshot, IReadOnlyList<FileSlice> slices, ScanFilter? filter, IReadOnlyList<Field> fields, bool withOrigins, bool mayArrive,
        List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        IReadOnlyCollection<string> names = SliceFiles.NamesOf(snapshot, fields.Select(f => f.Name));
        RowGroupCondition? needed = withOrigins ? null : FooterPruning.ConditionOf(snapshot, fields, filter);
        mayArrive &= slices.Count > 1 && snapshot.Table.Root.Store.TryGetLocalPath(string.Empty) is null;
        if (slices.Count < 2 || (filter is null && !mayArrive))
        {
            return await _files.OpenBasesAsync(snapshot, slices, names, leases, cancellationToken, needed);
        }

        // Of remote files only the footers are fetched before it is known which of them are needed, and which columns they have.
        var probing = new List<IAsyncDisposable>();
        try
        {
            IReadOnlyList<ReadableFile> probed = await _files.OpenBasesAsync(snapshot, slices, [], probing, cancellationToken);
            bool[]? mayMatch = filter is null ? null : _footers.MayMatch(snapshot, probed, filter);
            return await _files.OpenBasesAsync(snapshot, [.. slices.Where((_, i) => mayMatch?[i] != false)], names, leases, cancellationToken, needed, mayArrive);
        }
        finally
        {
            await DisposeAsync(probing);
        }
    }

    private static async ValueTask DisposeAsync(List<IAsyncDisposable> leases)
    {
        foreach (IAsyncDisposable lease in leases)
        {
            await lease.DisposeAsync();
        }
    }
}
