using System.Globalization;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Paimon.Evolution;

/// <summary>The relation of groups of files that hold the same rows: each column from the newest file that has it, rows put together by position.</summary>
/// <remarks>Groups of one shape (equal files in equal order) are read by one join, whose sides list one file a group in the same order: rows match by
/// <c>file_index</c> and <c>file_row_number</c>.</remarks>
internal sealed class EvolutionSql(PaimonSnapshot snapshot, IReadOnlyList<PaimonField> columns, PaimonFileOpener opener, bool withRowIds, PaimonOrigins? origins = null)
{
    /// <summary>One SELECT per shape.</summary>
    /// <param name="groups">The groups.</param>
    /// <param name="dead">Engine table of dead positions by the number of the anchor, or null.</param>
    /// <param name="numbers">Numbers of the anchors that have dead positions.</param>
    /// <param name="leases">Receives what must be disposed after the last row was read.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    public async ValueTask<IReadOnlyList<string>> SelectAsync(
        IReadOnlyList<EvolutionGroup> groups, string? dead, IReadOnlyDictionary<PaimonDataFile, int> numbers, List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        var parts = new List<string>();
        foreach (var shape in groups.GroupBy(ShapeOf))
        {
            EvolutionGroup[] members = [.. shape];
            parts.Add(await SelectShapeAsync(members, members.Any(m => numbers.ContainsKey(m.Anchor)) ? dead : null, numbers, leases, cancellationToken));
        }

        return parts;
    }

    private static string ShapeOf(EvolutionGroup group) =>
        string.Join('\n', group.Normal.Select(f => $"{f.SchemaId}\t{f.Format}\t{(f.WriteColumns is null ? "*" : string.Join('\r', f.WriteColumns))}")) + (group.Blobs.Count == 0 ? "" : "\n+")
        + string.Concat(group.Vectors.Select(f => $"\n{f.SchemaId}\t{(f.WriteColumns is null ? "*" : string.Join('\r', f.WriteColumns))}"));

    private async ValueTask<string> SelectShapeAsync(
        EvolutionGroup[] groups, string? dead, IReadOnlyDictionary<PaimonDataFile, int> numbers, List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        // Which file of the shape gives each column; -1 for none.
        int[] providers = [.. columns.Select(c => ProviderOf(c, groups[0]))];
        int[] used = [.. providers.Where(p => p >= 0).Concat(withRowIds ? [0] : []).Distinct().DefaultIfEmpty(0)];
        var from = new List<string>();
        string?[] expressions = new string?[columns.Count];
        foreach (int provider in used)
        {
            PaimonField[] own = [.. columns.Where((_, i) => providers[i] == provider)];
            IReadOnlyList<PaimonFileGroup> opened = await opener.OpenAsync(snapshot, groups.Select(g => g.Normal[provider]), own, leases, cancellationToken);
            if (opened.Count > 1)
            {
                // Files of one shape that store variants in different ways.
                var parts = new List<string>();
                foreach (EvolutionGroup group in groups)
                {
                    parts.Add(await SelectShapeAsync([group], numbers.ContainsKey(group.Anchor) ? dead : null, numbers, leases, cancellationToken));
                }

                return string.Join(" UNION ALL ", parts);
            }

            PaimonFileGroup files = opened[0];
            string alias = $"r{provider}";
            IReadOnlyList<PaimonColumnSource> sources = files.Resolve(snapshot, own, alias);
            for (int i = 0, next = 0; i < columns.Count; i++)
            {
                if (providers[i] == provider)
                {
                    expressions[i] = sources[next++].Expression;
                }
            }

            IEnumerable<PaimonField> physical = sources.Where(s => s.Physical is not null).Select(s => s.Physical!);
            from.Add(files.From(snapshot, withRowIds && provider == 0 ? physical.Concat(RowTracking.Physical) : physical, withSystemColumns: false, withPartition: false, alias)
                + (from.Count == 0 ? "" : $" ON {alias}.file_index = r{used[0]}.file_index AND {alias}.file_row_number = r{used[0]}.file_row_number"));
        }

        string first = $"r{used[0]}";
        string sql = string.Join(" JOIN ", from);
        for (int i = 0; i < columns.Count; i++)
        {
            int partition = PaimonFileGroup.IndexOf(snapshot.TableSchema.PartitionKeys, columns[i].Name);
            if (columns[i].Type.Kind == PaimonTypeKind.Blob)
            {
                sql += await JoinBlobsAsync(groups, columns[i], i, first, leases, cancellationToken);
                expressions[i] = $"b{i}.value";
            }

            if (expressions[i] is null && partition < 0)
            {
                PaimonColumns.CheckMayBeAbsent(columns[i], []);
            }

            expressions[i] ??= partition >= 0 ? $"p.c{partition}" : $"CAST(NULL AS {PaimonColumns.TypeOf(columns[i])})";
        }

        string select = string.Join(", ", columns.Select((c, i) => $"{expressions[i]} AS {SqlText.Identifier(c.Name)}"));
        if (columns.Any(c => snapshot.TableSchema.PartitionKeys.Contains(c.Name)))
        {
            sql += $" JOIN {PaimonFileGroup.Partitions(snapshot, [.. groups.Select(g => g.Anchor)])} ON p.i = {first}.file_index";
        }

        if (withRowIds)
        {
            sql += $" JOIN {RowTracking.Values([.. groups.Select(g => g.Normal[0])])} ON t.i = {first}.file_index";
            select += ", " + RowTracking.Columns("r0");
        }

        if (dead is not null)
        {
            sql += $" ANTI JOIN {ScanSql.DeadPositions(dead, groups.Select((g, i) => (i, numbers.GetValueOrDefault(g.Anchor, -1))))} "
                + $"ON d.i = {first}.file_index AND d.pos = {first}.file_row_number";
        }

        return $"SELECT {origins?.SqlOf(groups, first)}{select} FROM {sql}";
    }

    private int ProviderOf(PaimonField column, EvolutionGroup group)
    {
        if (column.Type.Kind == PaimonTypeKind.Blob || snapshot.TableSchema.PartitionKeys.Contains(column.Name))
        {
            return -1;
        }

        foreach (PaimonDataFile vectors in group.Vectors)
        {
            string name = SchemaOf(vectors).Fields.FirstOrDefault(f => f.Id == column.Id)?.Name ?? "";
            if ((vectors.WriteColumns ?? throw LakeException.FormatInvalid("A file of VECTOR columns does not name them", vectors.Path)).Contains(name))
            {
                throw LakeException.FeatureUnsupported($"The column '{column.Name}' lies in files of its own (vector-field), which is not supported", vectors.Path);
            }
        }

        for (int i = 0; i < group.Normal.Count; i++)
        {
            PaimonDataFile file = group.Normal[i];
            PaimonSchema schema = SchemaOf(file);
            PaimonField? physical = schema.Fields.FirstOrDefault(f => f.Id == column.Id);
            if (physical is not null && PaimonColumns.WrittenPart(physical, schema, file.WriteColumns) is string part)
            {
                throw LakeException.FeatureUnsupported($"The column '{column.Name}' is written in parts ('{part}'), which is not supported", file.Path);
            }

            if (physical is not null && (file.WriteColumns is null || file.WriteColumns.Contains(physical.Name)))
            {
                return i;
            }
        }

        return -1;
    }

    private PaimonSchema SchemaOf(PaimonDataFile file) => snapshot.Schemas.GetValueOrDefault(file.SchemaId)
        ?? throw LakeException.FormatInvalid($"The data file names schema {file.SchemaId}, which is not there", file.Path);

    // Blob files hold some of the rows each; where they overlap the newest that knows the value has it.
    private async ValueTask<string> JoinBlobsAsync(
        EvolutionGroup[] groups, PaimonField column, int index, string first, List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        var files = new List<(PaimonDataFile File, int Group, long Offset)>();
        for (int g = 0; g < groups.Length; g++)
        {
            foreach (PaimonDataFile blob in groups[g].Blobs)
            {
                PaimonSchema? schema = snapshot.Schemas.GetValueOrDefault(blob.SchemaId);
                if (blob.WriteColumns is not [string name] || schema is null)
                {
                    throw LakeException.FormatInvalid("A blob file does not name the one column that it holds", blob.Path);
                }

                if (schema.Fields.FirstOrDefault(f => f.Name == name)?.Id == column.Id)
                {
                    if (blob.Format == "video")
                    {
                        throw LakeException.FeatureUnsupported($"The column '{column.Name}' lies in files of the format 'video', which are not supported", blob.Path);
                    }

                    files.Add((blob, g, blob.FirstRowId!.Value - groups[g].FirstRowId));
                }
            }
        }

        if (files.Count == 0)
        {
            return $" LEFT JOIN (SELECT 0 AS i, 0::BIGINT AS pos, NULL::BLOB AS value WHERE false) b{index} ON b{index}.i = {first}.file_index";
        }

        string[] paths = await opener.OpenBlobsAsync(snapshot, [.. files.Select(f => f.File)], leases, cancellationToken);
        string map = string.Join(", ", files.Select((f, i) => string.Create(CultureInfo.InvariantCulture, $"({i}, {f.Group}, {f.Offset}::BIGINT, {f.File.MaxSequenceNumber}::BIGINT)")));
        return $" LEFT JOIN (SELECT m.g AS i, m.off + v.file_row_number AS pos, v.value FROM read_parquet({SqlText.LiteralList(paths)}) v "
            + $"JOIN (VALUES {map}) m(i, g, off, seq) ON m.i = v.file_index WHERE NOT v.elsewhere "
            + $"QUALIFY row_number() OVER (PARTITION BY m.g, m.off + v.file_row_number ORDER BY m.seq DESC, m.i DESC) = 1) b{index} "
            + $"ON b{index}.i = {first}.file_index AND b{index}.pos = {first}.file_row_number";
    }
}
