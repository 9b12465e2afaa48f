using System.Globalization;
using System.Text;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Delta.Log;
using LakeHolo.LakeCatalog.Delta.Schema;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.DataFiles.Parquet;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Delta;

/// <summary>A data or change file that a scan reads.</summary>
internal sealed record ScanFile
{
    /// <summary>Canonical path.</summary>
    public required string Path { get; init; }

    public required long SizeBytes { get; init; }

    /// <summary>Texts, in the order of the table's partition columns.</summary>
    public required IReadOnlyList<string?> Partition { get; init; }

    /// <summary>Positions that are left out.</summary>
    public DeletionVectorDescriptor? Vector { get; init; }

    /// <summary>Positions to which the scan is confined, less those of <see cref="Vector"/>; null for all.</summary>
    public DeletionVectorDescriptor? Only { get; init; }

    /// <summary>Rows, of which the engine orders joins by their number.</summary>
    public long EstimatedRows { get; init; } = 1_000;

    public long BaseRowId { get; init; } = -1;

    public long RowCommitVersion { get; init; } = -1;

    /// <summary>Further constant columns as SQL, in the order of <see cref="FileScan.ExtraColumns"/>.</summary>
    public IReadOnlyList<string> Extra { get; init; } = [];
}

/// <summary>Builds the relation over files: one SELECT per layout of files and for files with and without deletions, joined by UNION ALL.</summary>
internal sealed class FileScan(DeltaSnapshot snapshot, IReadOnlyList<DeltaField> columns)
{
    // Up to this many files, constants of files are a CASE; beyond, a join with a list.
    private const int MaxCaseFiles = 8;

    private readonly List<ScanFile> _files = [];

    /// <summary>Whether row ids and row commit versions are given.</summary>
    public bool RowIds { get; init; }

    /// <summary>Whether <see cref="Scanning.RowOrigin"/> is given; units are numbered as the files were added.</summary>
    public bool WithOrigin { get; init; }

    /// <summary>Whether files may be still under way.</summary>
    public bool FilesMayArrive { get; init; }

    /// <summary>What every needed row fulfils; null for nothing.</summary>
    public ScanFilter? Filter { get; init; }

    /// <summary>Names of further columns whose values are constants of files.</summary>
    public IReadOnlyList<string> ExtraColumns { get; init; } = [];

    /// <summary>A text column of the files (physical name) that is given too: the kind of change in change files.</summary>
    public string? ChangeTypeColumn { get; init; }

    /// <summary>Number of files.</summary>
    public int Count => _files.Count;

    /// <summary>Their bytes, as far as the log tells.</summary>
    public long SizeBytes => _files.Sum(f => Math.Max(0, f.SizeBytes));

    public void Add(ScanFile file) => _files.Add(file);

    /// <summary>Opens files and deletion vectors, and gives the SELECT.</summary>
    public async ValueTask<string> ToSqlAsync(
        IFileMaterializer materializer, FileLayouts layouts, DeadPositions deadPositions, List<IAsyncDisposable> leases,
        CancellationToken cancellationToken)
    {
        if (_files.Count == 0)
        {
            return Empty();
        }

        DeltaField[] stored = [.. columns.Where(c => !snapshot.PartitionFields.Contains(c))];
        (IReadOnlyList<string> paths, IReadOnlyList<FileGroup> groups) = await OpenFilesAsync(materializer, layouts, stored, leases, cancellationToken);
        DeletionVectorDescriptor[] vectors = [.. _files.SelectMany(f => new[] { f.Vector, f.Only }).OfType<DeletionVectorDescriptor>()];
        var numbers = new Dictionary<DeletionVectorDescriptor, long>();
        if (vectors.Length > 0)
        {
            (IReadOnlyList<int> loaded, IAsyncDisposable lease) = await deadPositions.OpenAsync(snapshot, vectors, cancellationToken);
            leases.Add(lease);
            for (int i = 0; i < vectors.Length; i++)
            {
                numbers[vectors[i]] = loaded[i];
            }
        }

        var parts = new List<string>();
        foreach ((FileColumn[] layout, List<int> members) in groups)
        {
            foreach (IGrouping<int, int> group in members.GroupBy(i => (_files[i].Vector is null ? 0 : 1) + (_files[i].Only is null ? 0 : 2)))
            {
                parts.Add(Select(layout, stored, [.. group], paths, numbers));
            }
        }

        return string.Join("\nUNION ALL\n", parts);
    }

    // Footers first, since they tell where the columns stand; then the columns.
    private async ValueTask<(IReadOnlyList<string> Paths, IReadOnlyList<FileGroup> Groups)> OpenFilesAsync(
        IFileMaterializer materializer, FileLayouts layouts, DeltaField[] stored, List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        var opened = new CacheableFile[_files.Count];
        string[] local = new string[_files.Count];
        bool isLocal = true;
        for (int i = 0; i < opened.Length; i++)
        {
            ScanFile file = _files[i];
            (IObjectStore store, string key) = snapshot.Locations.Resolve(snapshot.Table.Root, file.Path);
            opened[i] = new CacheableFile(store, key, file.SizeBytes);

            // Asked once for each file: the store follows the links of the path.
            local[i] = store.TryGetLocalPath(key) ?? string.Empty;
            isLocal &= local[i].Length > 0;
            if (local[i].Length > 0 && !File.Exists(local[i]))
            {
                throw Missing(file.Path);
            }
        }

        if (isLocal)
        {
            ParquetFooter[] footers = layouts.Read(local, _files);
            return (await RewriteForeignAsync(materializer, opened, footers, local, leases, cancellationToken), Group(stored, footers));
        }

        try
        {
            FileLease ends = await materializer.OpenAsync(opened, [], cancellationToken);
            leases.Add(ends);
            ParquetFooter[] footers = layouts.Read(ends.LocalPaths, _files);
            IReadOnlyList<FileGroup> groups = Group(stored, footers);
            HashSet<string> names = [.. groups.SelectMany(g => g.Layout).Select(c => c.FileName).OfType<string>(), .. RowIdColumns().OfType<string>()];
            if (ChangeTypeColumn is not null)
            {
                names.Add(ChangeTypeColumn);
            }

            if (names.Count == 0)
            {
                return (await RewriteForeignAsync(materializer, opened, footers, ends.LocalPaths, leases, cancellationToken), groups);
            }

            CacheableFile[] conditioned = WithConditions(opened, stored, groups);
            FileLease lease = FilesMayArrive
                ? await materializer.OpenEarlyAsync(conditioned, names, cancellationToken)
                : await materializer.OpenAsync(conditioned, names, cancellationToken);
            leases.Add(lease);
            leases.Remove(ends);
            await ends.DisposeAsync();
            return (await RewriteForeignAsync(materializer, opened, footers, lease.LocalPaths, leases, cancellationToken), groups);
        }
        catch (LakeException e) when (e.Kind == LakeErrorKind.NotFound && !e.Message.Contains("vacuumed", StringComparison.Ordinal))
        {
            throw new LakeException(LakeErrorKind.NotFound, "A data file of the table is missing (vacuumed?): " + e.Message, e.Path, e.IsTransient, e);
        }
    }

    // Where rows are known by their positions in the file, all row groups have to be there.
    private CacheableFile[] WithConditions(CacheableFile[] opened, DeltaField[] stored, IReadOnlyList<FileGroup> groups)
    {
        if (Filter is null || RowIds || WithOrigin)
        {
            return opened;
        }

        CacheableFile[] conditioned = [.. opened];
        foreach (FileGroup group in groups)
        {
            var condition = RowGroupCondition.TryCreate(Filter, name => Array.FindIndex(stored, f => f.Name.Equals(name, StringComparison.OrdinalIgnoreCase)) is >= 0 and var i
                && group.Layout[i].FileName is { } fileName ? (fileName, snapshot.Schema.GetFieldByName(stored[i].Name)) : null);
            foreach (int member in group.Members.Where(m => _files[m] is { Vector: null, Only: null }))
            {
                conditioned[member] = opened[member] with { Needed = condition };
            }
        }

        return conditioned;
    }

    private static LakeException Missing(string path) => LakeException.NotFound("A data file of the table is missing (vacuumed?)", path);

    private IReadOnlyList<FileGroup> Group(DeltaField[] stored, ParquetFooter[] footers)
    {
        for (int i = 0; ChangeTypeColumn is not null && i < footers.Length; i++)
        {
            if (!footers[i].Schema.Children.Any(c => c.Name == ChangeTypeColumn))
            {
                throw LakeException.FormatInvalid($"A change file has no column {ChangeTypeColumn}", _files[i].Path);
            }
        }

        return FileLayouts.Group(snapshot, stored, footers, _files);
    }

    private static async ValueTask<IReadOnlyList<string>> RewriteForeignAsync(
        IFileMaterializer materializer, CacheableFile[] opened, ParquetFooter[] footers, IReadOnlyList<string> paths, List<IAsyncDisposable> leases,
        CancellationToken cancellationToken)
    {
        int[] foreign = [.. Enumerable.Range(0, footers.Length).Where(i => footers[i].Foreign is not null)];
        if (foreign.Length == 0)
        {
            return paths;
        }

        foreach (int i in foreign)
        {
            (string codec, string column) = footers[i].Foreign!.Value;
            if (codec != "LZ4")
            {
                throw LakeException.FeatureUnsupported($"The column '{column}' of a data file is compressed by {codec}", opened[i].Key);
            }
        }

        FileLease rewritten = await materializer.OpenDecodedAsync(
            [.. foreign.Select(i => opened[i])], ForeignCodecDecoder.DecoderKey, ForeignCodecDecoder.DecodeAsync, cancellationToken);
        leases.Add(rewritten);
        string[] all = [.. paths];
        for (int i = 0; i < foreign.Length; i++)
        {
            all[foreign[i]] = rewritten.LocalPaths[i];
        }

        return all;
    }

    private string?[] RowIdColumns() => RowIds
        ? [snapshot.Options.GetValueOrDefault("delta.rowTracking.materializedRowIdColumnName"),
            snapshot.Options.GetValueOrDefault("delta.rowTracking.materializedRowCommitVersionColumnName")]
        : [];

    private string Select(
        FileColumn[] layout, DeltaField[] stored, int[] members, IReadOnlyList<string> paths, Dictionary<DeletionVectorDescriptor, long> numbers)
    {
        var constants = new FileConstants(members.Length <= MaxCaseFiles);
        var outputs = new List<string>();
        foreach (DeltaField column in columns)
        {
            int partition = snapshot.PartitionIndex(column);
            string expression = partition >= 0
                ? constants.Add([.. members.Select(i => PartitionText.ToSql(_files[i].Partition[partition], column))])
                : layout[Array.IndexOf(stored, column)].Project("r.c" + Number(Array.IndexOf(stored, column)));
            outputs.Add($"{expression} AS {SqlText.Identifier(column.Name)}");
        }

        var mapping = new List<string>();
        for (int i = 0; i < layout.Length; i++)
        {
            if (layout[i].FileName is { } name)
            {
                mapping.Add(MapEntry(name, "c" + Number(i), layout[i].FileType()));
            }
        }

        if (WithOrigin)
        {
            outputs.InsertRange(0, [$"{Scanning.UnitNumbers.Sql(members, "r.file_index")} AS {Scanning.RowOrigin.Unit}", $"r.file_row_number::BIGINT AS {Scanning.RowOrigin.Position}"]);
        }

        AddRowIds(members, constants, outputs, mapping);
        if (ChangeTypeColumn is not null)
        {
            mapping.Add(MapEntry(ChangeTypeColumn, "change_type", "VARCHAR"));
            outputs.Add($"r.change_type AS {SqlText.Identifier(ChangeTypeColumn)}");
        }

        for (int i = 0; i < ExtraColumns.Count; i++)
        {
            outputs.Add($"{constants.Add([.. members.Select(m => _files[m].Extra[i])])} AS {SqlText.Identifier(ExtraColumns[i])}");
        }

        if (mapping.Count == 0)
        {
            // The engine needs a column to map; one that no file has costs nothing.
            mapping.Add(MapEntry("\u0001none", "none", "BOOLEAN"));
        }

        var sql = new StringBuilder("SELECT ").AppendJoin(", ", outputs)
            .Append("\nFROM read_parquet(").Append(SqlText.LiteralList(members.Select(i => paths[i])))
            .Append(", schema = MAP {").AppendJoin(", ", mapping).Append($"}}, {SqlText.PlainFiles}, explicit_cardinality = ")
            .Append(Number(members.Sum(i => _files[i].EstimatedRows)))
            .Append(FileLayouts.ReadOptions(stored)).Append(") r").Append(constants.Join());
        AppendPositions(sql, members, numbers);
        return sql.ToString();
    }

    private void AddRowIds(int[] members, FileConstants constants, List<string> outputs, List<string> mapping)
    {
        if (!RowIds)
        {
            return;
        }

        if (Array.Find(members, i => _files[i].BaseRowId < 0 || _files[i].RowCommitVersion < 0) is var missing && members.Contains(missing)
            && (_files[missing].BaseRowId < 0 || _files[missing].RowCommitVersion < 0))
        {
            throw LakeException.FormatInvalid("Row tracking is enabled, but a file has no baseRowId", _files[missing].Path);
        }

        string rowId = $"{constants.Add([.. members.Select(i => $"CAST({Number(_files[i].BaseRowId)} AS BIGINT)")])} + r.file_row_number";
        string version = constants.Add([.. members.Select(i => $"CAST({Number(_files[i].RowCommitVersion)} AS BIGINT)")]);
        if (snapshot.Options.TryGetValue("delta.rowTracking.materializedRowIdColumnName", out string? idColumn))
        {
            mapping.Add(MapEntry(idColumn, "row_id", "BIGINT"));
            rowId = $"coalesce(r.row_id, {rowId})";
        }

        if (snapshot.Options.TryGetValue("delta.rowTracking.materializedRowCommitVersionColumnName", out string? versionColumn))
        {
            mapping.Add(MapEntry(versionColumn, "row_version", "BIGINT"));
            version = $"coalesce(r.row_version, {version})";
        }

        outputs.Add($"{rowId} AS _row_id");
        outputs.Add($"{version} AS _row_commit_version");
    }

    // Positions count in the file, whatever the engine skips in it.
    private void AppendPositions(StringBuilder sql, int[] members, Dictionary<DeletionVectorDescriptor, long> numbers)
    {
        string? dead = Positions(members, f => f.Vector, numbers);
        string? only = Positions(members, f => f.Only, numbers);
        string[] conditions = [.. new[] { dead is null ? null : $"NOT EXISTS ({dead})", only is null ? null : $"EXISTS ({only})" }.OfType<string>()];
        if (conditions.Length > 0)
        {
            sql.Append("\nWHERE ").AppendJoin(" AND ", conditions);
        }
    }

    private string? Positions(int[] members, Func<ScanFile, DeletionVectorDescriptor?> vector, Dictionary<DeletionVectorDescriptor, long> numbers)
    {
        var pairs = new List<string>();
        for (int i = 0; i < members.Length; i++)
        {
            if (vector(_files[members[i]]) is { } descriptor)
            {
                pairs.Add($"({Number(i)}, {Number(numbers[descriptor])})");
            }
        }

        if (pairs.Count == 0)
        {
            return null;
        }

        string dead = $"SELECT m.f, d.pos FROM {DeadPositions.Table} d JOIN (VALUES {string.Join(", ", pairs)}) m(f, dv) ON d.dv = m.dv";
        return $"SELECT 1 FROM ({dead}) x WHERE x.f = r.file_index AND x.pos = r.file_row_number";
    }

    private string Empty()
    {
        IEnumerable<string> outputs = columns.Select(c => $"CAST(NULL AS {DeltaSqlTypes.Logical(c.Type)}) AS {SqlText.Identifier(c.Name)}");
        if (WithOrigin)
        {
            outputs = outputs.Prepend($"CAST(NULL AS BIGINT) AS {Scanning.RowOrigin.Position}").Prepend($"CAST(NULL AS INTEGER) AS {Scanning.RowOrigin.Unit}");
        }

        if (RowIds)
        {
            outputs = outputs.Concat(["CAST(NULL AS BIGINT) AS _row_id", "CAST(NULL AS BIGINT) AS _row_commit_version"]);
        }

        if (ChangeTypeColumn is not null)
        {
            outputs = outputs.Append($"CAST(NULL AS VARCHAR) AS {SqlText.Identifier(ChangeTypeColumn)}");
        }

        outputs = outputs.Concat(ExtraColumns.Select(c => $"CAST(NULL AS {ExtraType(c)}) AS {SqlText.Identifier(c)}"));
        return $"SELECT {string.Join(", ", outputs)} WHERE false";
    }

    private static string ExtraType(string column) => column switch
    {
        "_commit_version" => "BIGINT",
        "_commit_timestamp" => "TIMESTAMPTZ",
        _ => "VARCHAR",
    };

    private static string MapEntry(string fileName, string name, string type) =>
        $"{SqlText.Literal(fileName)}: {{name: {SqlText.Literal(name)}, type: {SqlText.Literal(type)}, default_value: NULL}}";

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    /// <summary>Values that are constant within a file.</summary>
    private sealed class FileConstants(bool asCase)
    {
        private readonly List<string[]> _columns = [];

        /// <summary>Adds a column of constants, one a file; gives the expression for it.</summary>
        public string Add(string[] values)
        {
            if (values.Distinct().Count() == 1)
            {
                return values[0];
            }

            if (asCase)
            {
                IEnumerable<string> cases = values.Select((v, i) => $"WHEN {Number(i)} THEN {v}");
                return $"CASE r.file_index {string.Join(" ", cases)} END";
            }

            _columns.Add(values);
            return "k.k" + Number(_columns.Count - 1);
        }

        /// <summary>The join that gives the columns, if there are any.</summary>
        public string Join()
        {
            if (_columns.Count == 0)
            {
                return string.Empty;
            }

            IEnumerable<string> rows = Enumerable.Range(0, _columns[0].Length).Select(i => $"({Number(i)}, {string.Join(", ", _columns.Select(c => c[i]))})");
            IEnumerable<string> names = Enumerable.Range(0, _columns.Count).Select(i => "k" + Number(i));
            return $"\nJOIN (VALUES {string.Join(", ", rows)}) k(f, {string.Join(", ", names)}) ON k.f = r.file_index";
        }
    }
}
