using System.Globalization;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Merging;
using LakeHolo.Readers.Paimon.Evolution;
using LakeHolo.Readers.Paimon.MergeEngines;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Paimon;

/// <summary>What a scan reads.</summary>
/// <param name="Plain">Files that are read as they are.</param>
/// <param name="Merged">Merge results with their files.</param>
/// <param name="Vectors">Positions that deletion vectors kill.</param>
internal sealed record ScanPieces(
    IReadOnlyList<PaimonDataFile> Plain, IReadOnlyList<MergeCache.Use> Merged, IReadOnlyDictionary<PaimonDataFile, List<long>> Vectors)
{
    /// <summary>Files that hold columns of the same rows.</summary>
    public IReadOnlyList<EvolutionGroup> Groups { get; init; } = [];

    /// <summary>Local copies of merged buckets.</summary>
    public IReadOnlyList<MergedCopy> Copies { get; init; } = [];

    /// <summary>The data files that the copies stand for.</summary>
    public IReadOnlyList<PaimonDataFile> Copied { get; init; } = [];

    /// <summary>All files that are read.</summary>
    public IReadOnlyList<PaimonDataFile> Files => [.. Plain, .. Merged.SelectMany(m => m.Files).Select(f => f.File), .. Groups.SelectMany(g => g.Files), .. Copied];
}

/// <summary>The relation of a scan: plain files, files with dead positions, merged rows; UNION ALL of as few parts as the schemas allow.</summary>
/// <param name="snapshot">The snapshot.</param>
/// <param name="columns">The columns.</param>
/// <param name="engine">Holds positions.</param>
/// <param name="opener">Opens files.</param>
/// <param name="withRowIds">Whether row ids are given.</param>
/// <param name="origins">Set where rows tell their origin.</param>
/// <param name="withKinds">Whether rows tell their kind, and delete rows stay (view <c>audit_log</c>); for tables with a primary key.</param>
internal sealed class ScanSql(
    PaimonSnapshot snapshot, IReadOnlyList<PaimonField> columns, EngineDatabase engine, PaimonFileOpener opener, bool withRowIds = false, PaimonOrigins? origins = null,
    bool withKinds = false)
{
    private readonly bool _isKeyed = snapshot.PrimaryKey.Count > 0;

    /// <summary>What every needed row fulfils; null for nothing.</summary>
    public ScanFilter? Filter { get; init; }

    /// <summary>Whether files may still be under way when the relation is told.</summary>
    public bool FilesMayArrive { get; init; }

    public async ValueTask<string> BuildAsync(ScanPieces pieces, List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        var parts = new List<string>();
        List<PaimonDataFile> clean = [.. pieces.Plain.Where(f => !pieces.Vectors.ContainsKey(f))];
        List<PaimonDataFile> withVectors = [.. pieces.Plain.Where(pieces.Vectors.ContainsKey)];
        foreach (bool hasRetracts in (bool[])[false, true])
        {
            parts.AddRange(await SelectAsync([.. clean.Where(f => HasRetracts(f) == hasRetracts)], null, null, hasRetracts, leases, cancellationToken));
        }

        List<PaimonDataFile> anchors = [.. pieces.Groups.Select(g => g.Anchor).Where(pieces.Vectors.ContainsKey)];
        string? deadTable = null;
        var deadNumbers = new Dictionary<PaimonDataFile, int>(ReferenceEqualityComparer.Instance);
        if (withVectors.Count + anchors.Count > 0)
        {
            using DuckDBConnection connection = engine.OpenConnection();
            EngineTable dead = EngineTable.OfPositions(engine, connection, withVectors.Concat(anchors).Select((f, i) => (i, pieces.Vectors[f])));
            leases.Add(new TableLease(dead));
            deadTable = dead.Name;
            foreach (PaimonDataFile file in withVectors.Concat(anchors))
            {
                deadNumbers[file] = deadNumbers.Count;
            }

            parts.AddRange(await SelectAsync(withVectors, dead.Name, deadNumbers, withVectors.Any(HasRetracts), leases, cancellationToken));
        }

        parts.AddRange(await new EvolutionSql(snapshot, columns, opener, withRowIds, origins).SelectAsync(pieces.Groups, deadTable, deadNumbers, leases, cancellationToken));

        foreach (IGrouping<string, MergedCopy> alike in pieces.Copies.GroupBy(c => c.Columns))
        {
            parts.Add($"SELECT {string.Join(", ", columns.Select(c => SqlText.Identifier(c.Name)))} FROM read_parquet({SqlText.LiteralList(alike.Select(c => c.Path))}, {SqlText.PlainFiles})");
        }

        foreach (MergeCache.Use use in pieces.Merged)
        {
            foreach (PaimonField column in columns)
            {
                if (use.Batch.Refused.TryGetValue(column.Name, out string? reason))
                {
                    throw LakeException.FeatureUnsupported(reason, snapshot.Table.Root.Location);
                }
            }

            var numbers = use.Files.ToDictionary(f => f.File, f => f.Number, (IEqualityComparer<PaimonDataFile>)ReferenceEqualityComparer.Instance);
            List<PaimonDataFile> files = [.. use.Files.Select(f => f.File)];
            foreach (bool hasRetracts in (bool[])[false, true])
            {
                List<PaimonDataFile> alike = [.. files.Where(f => HasRetracts(f) == hasRetracts)];
                parts.AddRange(await SelectAsync(
                    [.. alike.Where(f => use.Batch.KeyedFiles.Contains(numbers[f]))], use.Batch.HasVectors ? use.Batch.Dead!.Name : null, numbers, hasRetracts, leases,
                    cancellationToken, use.Batch));
                parts.AddRange(use.Batch.Newest is not null ? [] : await SelectAsync(
                    [.. alike.Where(f => !use.Batch.KeyedFiles.Contains(numbers[f]))], use.Batch.Dead!.Name, numbers, hasRetracts, leases, cancellationToken));
            }

            // Rows that delete their key are among the dead ones.
            parts.AddRange(use.Batch.Newest is null ? [] : await SelectAsync(
                [.. files.Where(f => !use.Batch.KeyedFiles.Contains(numbers[f]))], null, numbers, hasRetracts: false, leases, cancellationToken, use.Batch));

            if (use.Batch.Merged is EngineTable merged)
            {
                string buckets = string.Join(", ", use.Buckets.Select(b => b.ToString(CultureInfo.InvariantCulture)));
                string origin = (withKinds ? "CASE WHEN kept THEN '+I' ELSE '-D' END AS rowkind, " : "") + origins?.SqlOfMerged(use);
                parts.Add($"SELECT {origin}{string.Join(", ", columns.Select(c => $"c{IndexOf(c)} AS {SqlText.Identifier(c.Name)}"))} FROM {merged.Name} WHERE g IN ({buckets})");
            }
        }

        return parts.Count > 0
            ? string.Join(" UNION ALL ", parts)
            : $"SELECT {(withKinds ? "'' AS rowkind, " : "")}{(origins is null ? "" : PaimonOrigins.Nothing)}{string.Join(", ", columns.Concat(withRowIds ? RowTracking.Physical : []).Select(c => $"CAST(NULL AS {PaimonColumns.TypeOf(c)}) AS {SqlText.Identifier(c.Name)}"))} WHERE false";
    }

    /// <summary>All rows of the snapshot's files, unmerged, behind their kinds.</summary>
    public async ValueTask<string> BuildChangesAsync(List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        IReadOnlyList<PaimonFileGroup> groups = await opener.OpenAsync(snapshot, [.. snapshot.Files], columns, leases, cancellationToken);
        IEnumerable<string> parts = groups.Select(g => Select(g, null, null, hasRetracts: false, _isKeyed ? RowKinds.Name(g) : "'+I'"));
        string names = string.Join(", ", columns.Select(c => $"CAST(NULL AS {PaimonColumns.TypeOf(c)}) AS {SqlText.Identifier(c.Name)}"));
        return groups.Count == 0 ? $"SELECT '' AS rowkind, {names} WHERE false" : string.Join(" UNION ALL ", parts);
    }

    // Unknown counts as yes.
    private bool HasRetracts(PaimonDataFile file) => _isKeyed && file.DeleteRowCount != 0;

    private async ValueTask<IEnumerable<string>> SelectAsync(
        IReadOnlyList<PaimonDataFile> files, string? dead, IReadOnlyDictionary<PaimonDataFile, int>? numbers, bool hasRetracts,
        List<IAsyncDisposable> leases, CancellationToken cancellationToken, MergeBatch? batch = null)
    {
        if (files.Count == 0)
        {
            return [];
        }

        // Positions matter where they are told, where some are dead, and where row ids follow from them.
        bool positionsMatter = dead is not null || batch is not null || withRowIds || origins is not null;
        IReadOnlyList<PaimonFileGroup> groups = await opener.OpenAsync(snapshot, files, columns, leases, cancellationToken, positionsMatter ? null : Filter, FilesMayArrive);
        return groups.Select(g => Select(g, dead, numbers, hasRetracts, withKinds ? RowKinds.Name(g) : null, batch, leases)).ToArray();
    }

    private string Select(PaimonFileGroup group, string? dead, IReadOnlyDictionary<PaimonDataFile, int>? numbers, bool hasRetracts, string? kind = null,
        MergeBatch? batch = null, List<IAsyncDisposable>? leases = null)
    {
        IReadOnlyList<PaimonColumnSource> sources = group.Resolve(snapshot, columns);
        var conditions = new List<string>();
        if (hasRetracts && !withKinds)
        {
            conditions.Add(RowKinds.IsAdded(group));
        }

        string rowKind = kind is null ? "" : $"{kind} AS rowkind, ";
        rowKind += origins is null ? "" : origins.SqlOf(group.Files);
        string select = rowKind + string.Join(", ", columns.Select((c, i) => $"{sources[i].Expression} AS {SqlText.Identifier(c.Name)}"));
        IEnumerable<PaimonField> physical = sources.Where(s => s.Physical is not null).Select(s => s.Physical!);
        string superseded = "";
        if (batch?.Keys is EngineTable keys)
        {
            (superseded, IEnumerable<PaimonField> keyColumns) =
                new MergeSql(snapshot, new MergeOptions(snapshot)).KeyAntiJoin(group, keys.Name, [.. group.Files.Select(f => batch.BucketOf(numbers![f]))]);
            physical = physical.Concat(keyColumns);
        }
        else if (batch?.Newest is NewestRows newest)
        {
            (string? live, IEnumerable<PaimonField> keyColumns) = LiveRowsOf(group, batch, newest, numbers!, leases!);
            conditions.AddRange(live is null ? [] : [live]);
            physical = physical.Concat(keyColumns);
        }

        string from = group.From(
            snapshot, withRowIds ? physical.Concat(RowTracking.Physical) : physical, hasRetracts || (kind is not null && _isKeyed), MergeSql.NeedsPartition(sources)) + superseded;
        if (dead is not null)
        {
            from += " ANTI JOIN " + DeadPositions(dead, group.Files.Select((f, i) => (i, numbers![f]))) + " ON d.i = r.file_index AND d.pos = r.file_row_number";
        }

        if (withRowIds)
        {
            from += $" JOIN {RowTracking.Values(group.Files)} ON t.i = r.file_index";
            select += ", " + RowTracking.Columns("r");
        }

        return $"SELECT {select} FROM {from}{(conditions.Count == 0 ? "" : " WHERE " + string.Join(" AND ", conditions))}";
    }

    private (string? Condition, IEnumerable<PaimonField> Physical) LiveRowsOf(
        PaimonFileGroup group, MergeBatch batch, NewestRows newest, IReadOnlyDictionary<PaimonDataFile, int> numbers, List<IAsyncDisposable> leases)
    {
        int[] files = [.. group.Files.Select(f => numbers[f])];
        if (!batch.KeyedFiles.Contains(files[0]))
        {
            return (LiveRows.Positions(engine, [.. files.Select(newest.DeadOf)], "r", leases), []);
        }

        (IReadOnlyList<string> key, IEnumerable<PaimonField> physical) = new MergeSql(snapshot, new MergeOptions(snapshot)).KeyNumbers(group);
        return (LiveRows.Keys(engine, [.. files.Select(f => newest.KeysOf(batch.BucketOf(f)))], key, "r", leases), physical);
    }

    /// <summary>A FROM item <c>d(i, pos)</c> of dead positions by the file's index in a list of files.</summary>
    public static string DeadPositions(string table, IEnumerable<(int Index, int Number)> files)
    {
        // The numbers are put on the side of the dead positions, which are few.
        string map = string.Join(", ", files.Select(f => string.Create(CultureInfo.InvariantCulture, $"({f.Index}, {f.Number})")));
        return $"(SELECT n.i::UBIGINT AS i, p.pos FROM {table} p JOIN (VALUES {map}) n(i, f) ON p.f = n.f) d";
    }

    private int IndexOf(PaimonField column)
    {
        IReadOnlyList<PaimonField> fields = snapshot.TableSchema.Fields;
        for (int i = 0; i < fields.Count; i++)
        {
            if (fields[i].Id == column.Id && fields[i].Name == column.Name)
            {
                return i;
            }
        }

        throw new ArgumentException($"The snapshot has no column {column.Name}");
    }
}
