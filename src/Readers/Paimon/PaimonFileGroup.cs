using System.Globalization;
using System.Text;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Paimon;

/// <summary>Data files that one call of the engine's Parquet reader reads: of one schema, with local paths.</summary>
/// <param name="Schema">The schema they were written with.</param>
/// <param name="Written">Names of the columns in the files, or null for all.</param>
/// <param name="Files">The files.</param>
/// <param name="LocalPaths">Their local paths, in the same order.</param>
internal sealed record PaimonFileGroup(PaimonSchema Schema, IReadOnlyList<string>? Written, IReadOnlyList<PaimonDataFile> Files, IReadOnlyList<string> LocalPaths)
{
    /// <summary>Format of the files before they were decoded.</summary>
    public string Format { get; init; } = "parquet";

    /// <summary>How the files store variants.</summary>
    public StoredVariants Variants { get; init; } = StoredVariants.None;

    /// <summary>Some of the files.</summary>
    public PaimonFileGroup Of(Func<PaimonDataFile, bool> isWanted)
    {
        int[] wanted = [.. Enumerable.Range(0, Files.Count).Where(i => isWanted(Files[i]))];
        return this with { Files = [.. wanted.Select(i => Files[i])], LocalPaths = [.. wanted.Select(i => LocalPaths[i])] };
    }

    /// <summary>Sources of columns in these files.</summary>
    public IReadOnlyList<PaimonColumnSource> Resolve(PaimonSnapshot snapshot, IReadOnlyList<PaimonField> columns, string alias = "r") =>
        [.. columns.Select(c => PaimonColumns.Resolve(c, Schema, IndexOf(snapshot.TableSchema.PartitionKeys, c.Name), Written, Format, alias, Variants))];

    /// <summary>A FROM item (<c>r</c>) of these files (with <c>file_index</c> and <c>file_row_number</c>) and, if the partition is needed, <c>p</c>.</summary>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="physical">The columns that are read.</param>
    /// <param name="withSystemColumns">Whether sequence number and row kind are read.</param>
    /// <param name="withPartition">Whether the partition's values are wanted as <c>p.c0</c>, ….</param>
    /// <param name="alias">The item's name.</param>
    public string From(PaimonSnapshot snapshot, IEnumerable<PaimonField> physical, bool withSystemColumns, bool withPartition, string alias = "r")
    {
        var columns = new Dictionary<string, string>();
        foreach (PaimonField field in physical)
        {
            columns[field.Name] = Variants.FileTypeOf(field);
        }

        if (withSystemColumns)
        {
            columns[PaimonColumns.Sequence] = "BIGINT";
            columns[PaimonColumns.ValueKind] = "TINYINT";
        }

        var sql = new StringBuilder("read_parquet(").Append(SqlText.LiteralList(LocalPaths));
        if (columns.Count > 0)
        {
            IEnumerable<string> entries = columns.Select(c =>
                $"{SqlText.Literal(c.Key)}: {{'name': {SqlText.Literal(c.Key)}, 'type': {SqlText.Literal(c.Value)}, 'default_value': NULL}}");
            sql.Append(", schema = MAP {").AppendJoin(", ", entries).Append('}');
        }

        sql.Append(", ").Append(SqlText.PlainFiles);

        // With a schema of its own the engine would estimate a few rows and build its hash tables on the wrong side.
        sql.Append(", explicit_cardinality = ").Append(Math.Max(1, Files.Sum(f => f.RowCount)).ToString(CultureInfo.InvariantCulture)).Append(") ").Append(alias);
        if (withPartition)
        {
            sql.Append(" JOIN ").Append(Partitions(snapshot, Files)).Append(" ON p.i = ").Append(alias).Append(".file_index");
        }

        return sql.ToString();
    }

    /// <summary>A FROM item <c>p</c> with the partition values of files.</summary>
    public static string Partitions(PaimonSnapshot snapshot, IReadOnlyList<PaimonDataFile> files)
    {
        PaimonType[] types = [.. snapshot.TableSchema.PartitionKeys.Select(k => snapshot.TableSchema.Field(k).Type)];
        IEnumerable<string> rows = files.Select((f, i) =>
            $"({i.ToString(CultureInfo.InvariantCulture)}, {string.Join(", ", f.Partition.Select((v, c) => Literal(v, types[c])))})");
        return $"(VALUES {string.Join(", ", rows)}) p(i, {string.Join(", ", types.Select((_, c) => $"c{c}"))})";
    }

    /// <summary>A value as a typed SQL literal.</summary>
    public static string Literal(object? value, PaimonType type)
    {
        string name = PaimonColumns.TypeOf(type);
        if (value is byte[] bytes && !type.IsString)
        {
            return $"unhex('{System.Convert.ToHexString(bytes)}')";
        }

        return value is null ? $"CAST(NULL AS {name})" : $"CAST({SqlText.Literal(PaimonValue.ToText(value, type)!)} AS {name})";
    }

    /// <summary>Place of a name, or -1.</summary>
    public static int IndexOf(IReadOnlyList<string> names, string name)
    {
        for (int i = 0; i < names.Count; i++)
        {
            if (names[i] == name)
            {
                return i;
            }
        }

        return -1;
    }
}
