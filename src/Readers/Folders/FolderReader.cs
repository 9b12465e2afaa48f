using System.Globalization;
using Apache.Arrow;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Folders;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.DataFiles.Orc;
using LakeHolo.Readers.DataFiles.Parquet;
using LakeHolo.Readers.DataFiles.SequenceFile;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Folders;

/// <summary>Reads plain folders: Parquet files as they are, the others decoded once; partition values are constants of each file.</summary>
/// <param name="engine">Reads CSV.</param>
/// <param name="files">Makes files readable.</param>
/// <param name="format">parquet, csv, orc or sequencefile.</param>
public sealed class FolderReader(EngineDatabase engine, IFileMaterializer files, string format) : IUnitReader
{
    /// <inheritdoc/>
    public string Format => format;

    /// <inheritdoc/>
    public async ValueTask<TableScan> PlanAsync(Snapshot snapshot, ScanRequest request, CancellationToken cancellationToken = default)
    {
        var folder = (FolderSnapshot)snapshot;
        if (request.View is not null)
        {
            throw LakeException.FeatureUnsupported($"Plain folders have no view '{request.View}'", snapshot.Table.FullName);
        }

        var pruning = new FolderPruning(folder);
        FolderFile[] live = [.. folder.Files.Where(f => pruning.CanMatch(f, request.Filter) && request.Units?.Has(f.Path) != false)];
        Field[] fields = [.. folder.Schema.FieldsList.Where(f => request.Columns?.Contains(f.Name, StringComparer.OrdinalIgnoreCase) != false)];
        var statistics = new ScanStatistics
        {
            FilesTotal = folder.FileCount,
            FilesRead = live.Length,
            BytesRead = live.Sum(f => f.SizeBytes),
            FilesPrunedByPartition = folder.FileCount - live.Length,
        };
        if (live.Length == 0)
        {
            return new TableScan($"SELECT {(request.WithOrigin ? NoOrigin : "")}{List(fields, f => $"CAST(NULL AS {SqlText.TypeOf(f)})")} WHERE false", statistics);
        }

        FileLease lease = await OpenAsync(folder, live, fields, request.WithOrigin ? null : request.Filter, request.FilesMayArrive, cancellationToken);
        return new TableScan(Relation(folder, live, fields, lease.LocalPaths, request.WithOrigin), statistics, [lease])
        {
            Units = request.WithOrigin ? [.. live.Select(f => f.Path)] : [],
        };
    }

    /// <inheritdoc/>
    public UnitKind? UnitsOf(Snapshot snapshot) => UnitKind.Files;

    /// <inheritdoc/>
    public string UnitOf(Snapshot snapshot, DataFileInfo file) => file.Path;

    /// <inheritdoc/>
    public ValueTask<TableScan> PlanDeletedAsync(Snapshot snapshot, IReadOnlyCollection<string> units, CancellationToken cancellationToken = default)
        => ValueTask.FromResult(new TableScan(
            $"SELECT {NoOrigin}1 WHERE false", new ScanStatistics { FilesTotal = snapshot.FileCount, FilesRead = 0, BytesRead = 0 }));

    private static string NoOrigin => $"CAST(NULL AS INTEGER) AS {RowOrigin.Unit}, CAST(NULL AS BIGINT) AS {RowOrigin.Position}, ";

    internal static CacheableFile Cacheable(LakeTable table, FolderFile file) => new(table.Root.Store, table.Root.Prefix + file.Path, file.SizeBytes, file.ETag);

    // With a condition where the positions of rows do not matter.
    private async ValueTask<FileLease> OpenAsync(
        FolderSnapshot folder, FolderFile[] live, Field[] fields, ScanFilter? filter, bool mayArrive, CancellationToken cancellationToken)
    {
        CacheableFile[] sources = [.. live.Select(f => Cacheable(folder.Table, f))];
        // The pinned types are part of what a decoded CSV file holds.
        string columns = string.Join('\u0001', folder.FileSchema.FieldsList.Select(f => f.Name + " " + SqlText.TypeOf(f)));
        switch (format)
        {
            case "parquet":
                var condition = RowGroupCondition.TryCreate(filter, name => fields.FirstOrDefault(f => f.Name.Equals(name, StringComparison.OrdinalIgnoreCase)) is { } field
                    && !folder.PartitionColumns.Contains(field.Name) ? (field.Name, field) : null);
                CacheableFile[] conditioned = [.. sources.Select(s => s with { Needed = condition })];
                string[] names = [.. fields.Select(f => f.Name).Except(folder.PartitionColumns)];
                return mayArrive ? await files.OpenEarlyAsync(conditioned, names, cancellationToken) : await files.OpenAsync(conditioned, names, cancellationToken);
            case "orc":
                var options = new OrcReadOptions();
                return await files.OpenDecodedAsync(sources, OrcFileDecoder.DecoderKey(options), OrcFileDecoder.Create(options), cancellationToken);
            case "csv":
                return await files.OpenDecodedAsync(sources, CsvFiles.DecoderVersion + folder.HasConfiguredColumns + columns, new CsvFiles(engine).Create(folder.FileSchema, folder.HasConfiguredColumns, files), cancellationToken);
            default:
                string[] all = [.. folder.FileSchema.FieldsList.Select(f => f.Name)];
                return await files.OpenDecodedAsync(
                    sources, DelimitedTextDecoder.DecoderVersion + string.Join('\u0001', all), DelimitedTextDecoder.Create(all), cancellationToken);
        }
    }

    private string Relation(FolderSnapshot folder, FolderFile[] live, Field[] fields, IReadOnlyList<string> localPaths, bool withOrigin)
    {
        // Lines of text are kept as text; what is no value of its column's type is NULL, as Hive has it.
        bool isText = format == "sequencefile";
        // The engine looks for every column of the list in every file: only those that are needed, and one at least.
        HashSet<string> needed = [.. fields.Select(f => f.Name).Except(folder.PartitionColumns)];
        Field[] stored = [.. folder.FileSchema.FieldsList.Where(f => needed.Count == 0 || needed.Contains(f.Name)).Take(needed.Count == 0 ? 1 : int.MaxValue)];
        string shape = string.Join(", ", stored.Select(f =>
            $"{SqlText.Literal(f.Name)}: {{name: {SqlText.Literal(f.Name)}, type: {SqlText.Literal(isText ? "VARCHAR" : SqlText.TypeOf(f))}, default_value: NULL}}"));
        string source = $"read_parquet({SqlText.LiteralList(localPaths)}, schema = MAP {{{shape}}}, {SqlText.PlainFiles}, explicit_cardinality = {EstimatedRows(folder, live)}) r";
        bool IsSame(int partition) => live.All(f => f.Partition[partition] == live[0].Partition[partition]);
        string Column(Field field)
        {
            int partition = folder.PartitionColumns.ToList().FindIndex(p => p == field.Name);
            string type = SqlText.TypeOf(field);
            return partition >= 0 && IsSame(partition) ? $"CAST({SqlText.LiteralOrNull(live[0].Partition[partition])} AS {type})"
                : partition >= 0 ? string.Create(CultureInfo.InvariantCulture, $"CAST(p.v{partition} AS {type})")
                : isText && type != "VARCHAR" ? $"TRY_CAST(r.{SqlText.Identifier(field.Name)} AS {type})"
                : $"r.{SqlText.Identifier(field.Name)}";
        }

        if (fields.Any(f => folder.PartitionColumns.ToList().FindIndex(p => p == f.Name) is >= 0 and var p && !IsSame(p)))
        {
            string values = string.Join(", ", live.Select((file, i) =>
                string.Create(CultureInfo.InvariantCulture, $"({i}::UBIGINT, {string.Join(", ", file.Partition.Select(v => SqlText.LiteralOrNull(v) + "::VARCHAR"))})")));
            string names = string.Join(", ", folder.PartitionColumns.Select((_, i) => string.Create(CultureInfo.InvariantCulture, $"v{i}")));
            source += $" JOIN (VALUES {values}) p(f, {names}) ON r.file_index = p.f";
        }

        string origin = withOrigin ? $"{UnitNumbers.Sql([.. live.Select((_, i) => i)], "r.file_index")} AS {RowOrigin.Unit}, r.file_row_number::BIGINT AS {RowOrigin.Position}, " : "";
        return $"SELECT {origin}{List(fields, Column)} FROM {source}";
    }

    // The engine plans joins by it. Files of which nobody counted the rows are taken for rows of ten bytes a column.
    private static long EstimatedRows(FolderSnapshot folder, FolderFile[] live)
    {
        long bytes = live.Sum(f => f.SizeBytes);
        return folder.RowCount is { } rows && folder.SizeBytes > 0
            ? (long)(rows * ((double)bytes / folder.SizeBytes))
            : bytes / (10 * Math.Max(1, folder.FileSchema.FieldsList.Count));
    }

    private static string List(Field[] fields, Func<Field, string> expression) =>
        fields.Length == 0 ? "1" : string.Join(", ", fields.Select(f => $"{expression(f)} AS {SqlText.Identifier(f.Name)}"));
}
