using Apache.Arrow;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Hudi;

/// <summary>Reads Hudi snapshots: base files as they are, slices with log files merged by key once per snapshot.</summary>
/// <param name="engine">Holds superseded positions and winning log rows.</param>
/// <param name="files">Makes files readable.</param>
public sealed class HudiReader(EngineDatabase engine, IFileMaterializer files) : ITableReader
{
    private readonly ParquetShapes _shapes = new();

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
        IReadOnlyList<Field> fields = Fields(hudi, request.Columns);
        if (slices.FirstOrDefault(s => s.Logs.Count > 0) is { } merged)
        {
            throw LakeException.FeatureUnsupported("Hudi: log files of merge-on-read tables are not supported", merged.Logs[0].Path);
        }

        var leases = new List<IAsyncDisposable>();
        IReadOnlyList<ReadableFile> readable = await OpenAsync(hudi, [.. slices.Where(s => s.Base is not null)], null, leases, cancellationToken);
        var scan = new SliceScan(hudi);
        string[] parts = [.. scan.Group(readable).Select(g => $"SELECT {scan.Columns(g, fields)} FROM {SliceScan.From(g)}")];
        return new TableScan(
            parts.Length == 0 ? Nothing(fields) : string.Join(" UNION ALL ", parts),
            new ScanStatistics { FilesTotal = slices.Sum(s => (long)s.Files.Count()), FilesRead = readable.Count, BytesRead = slices.Sum(s => s.Files.Sum(f => f.SizeBytes)) },
            leases);
    }

    /// <summary>Rows whose newest version was written in a range of the timeline: Hudi's incremental query. Deletions do not show.</summary>
    /// <param name="snapshot">The table as of the end of the range.</param>
    /// <param name="from">Exclusive start: a requested time (table version 6) or a completion time (version 8 and later); zeros for the beginning.</param>
    /// <param name="to">Inclusive end, counted alike.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    public async ValueTask<TableScan> PlanChangesAsync(HudiSnapshot snapshot, string from, string to, CancellationToken cancellationToken = default)
    {
        if (!snapshot.Properties.PopulatesMetaFields)
        {
            throw LakeException.FeatureUnsupported("Hudi: changes of a table without meta fields (hoodie.populate.meta.fields=false) are not supported", snapshot.Table.FullName);
        }

        TableScan all = await PlanAsync(snapshot, ScanRequest.All, cancellationToken);
        string time = SqlText.Identifier("_hoodie_commit_time");
        IEnumerable<string> instants = snapshot.Timeline.Commits
            .Where(i => string.CompareOrdinal(i.CompletionTime ?? i.Time, from) > 0 && string.CompareOrdinal(i.CompletionTime ?? i.Time, to) <= 0)
            .Select(i => i.Time);
        string start = snapshot.Timeline.Commits.FirstOrDefault()?.Time ?? to;
        return new TableScan(
            $"SELECT * FROM ({all.Sql}) WHERE list_contains({SqlText.LiteralList(instants)}::VARCHAR[], {time})"
            + $" OR ({time} < {SqlText.Literal(start)} AND {time} > {SqlText.Literal(from)} AND {time} <= {SqlText.Literal(to)})",
            all.Statistics,
            [all]);
    }

    private async ValueTask<IReadOnlyList<ReadableFile>> OpenAsync(
        HudiSnapshot snapshot, IReadOnlyList<FileSlice> slices, IReadOnlyCollection<string>? columns, List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        CacheableFile[] sources = [.. slices.Select(s => new CacheableFile(snapshot.Table.Root.Store, snapshot.Table.Root.Key(s.Base!.Path), s.Base.SizeBytes))];
        FileLease lease = await files.OpenAsync(sources, columns, cancellationToken);
        leases.Add(lease);
        using DuckDBConnection connection = engine.OpenConnection();
        return
        [
            .. slices.Select((slice, i) =>
            {
                string identity = SliceScan.Text(sources[i].SizeBytes) + ":" + snapshot.Table.Root.Location + "/" + slice.Base!.Path;
                return new ReadableFile(lease.LocalPaths[i], identity, slice.Partition, _shapes.Of(connection, identity, lease.LocalPaths[i]));
            }),
        ];
    }

    private static IReadOnlyList<Field> Fields(HudiSnapshot snapshot, IReadOnlyList<string>? columns)
        => columns is null ? snapshot.Schema.FieldsList : [.. snapshot.Schema.FieldsList.Where(f => columns.Contains(f.Name, StringComparer.OrdinalIgnoreCase))];

    private static string Nothing(IReadOnlyList<Field> fields)
        => "SELECT " + (fields.Count == 0 ? "1" : string.Join(", ", fields.Select(f => $"CAST(NULL AS {SqlText.TypeOf(f)}) AS {SqlText.Identifier(f.Name)}"))) + " WHERE false";
}
