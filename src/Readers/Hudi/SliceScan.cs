using System.Globalization;
using System.Text;
using Apache.Arrow;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Hudi;

/// <summary>A readable Parquet file (a base file, or a decoded one) and what it stands for.</summary>
/// <param name="LocalPath">Where the engine opens it.</param>
/// <param name="Identity">Key and size of the source.</param>
/// <param name="Partition">Its partition path.</param>
/// <param name="Shape">Its columns.</param>
/// <param name="SchemaVersion">The schema version it was written with, where the table has a schema history; else null.</param>
internal sealed record ReadableFile(string LocalPath, string Identity, string Partition, ParquetShape Shape, string? SchemaVersion)
{
    /// <summary>Path of the source, relative to the table.</summary>
    public required string Path { get; init; }

    /// <summary>Columns that the source itself stores as UTC instants in microseconds; a decoder may have brought others to that unit.</summary>
    public IReadOnlySet<string> MicrosecondInstants { get; init; } = Shape.MicrosecondInstants;
}

/// <summary>SELECTs over files in the table's types.</summary>
/// <param name="snapshot">Whose columns and partition rules apply.</param>
internal sealed class SliceScan(HudiSnapshot snapshot)
{
    /// <summary>Files in groups that one scan can read; the order inside a group is the position of <c>file_index</c>.</summary>
    public IReadOnlyList<IReadOnlyList<ReadableFile>> Group(IEnumerable<ReadableFile> files)
        => [.. files.GroupBy(f => f.SchemaVersion + "\0" + string.Join(',', f.MicrosecondInstants.Order(StringComparer.Ordinal)) + "\0" + f.Shape.Signature + "\0" + (TakesPartitionFromPath(f.Shape) ? f.Partition : ""), StringComparer.Ordinal).Select(g => g.ToList())];

    /// <summary>FROM clause of a group.</summary>
    public static string From(IReadOnlyList<ReadableFile> group)
        => $"read_parquet({SqlText.LiteralList(group.Select(f => f.LocalPath))}, hive_partitioning = false)";

    /// <summary>The select list for some columns of a group, each under its name.</summary>
    public string Columns(IReadOnlyList<ReadableFile> group, IEnumerable<Field> fields)
    {
        var text = new StringBuilder();
        foreach (Field field in fields)
        {
            text.Append(text.Length == 0 ? "" : ", ").Append(Column(group[0], field)).Append(" AS ").Append(SqlText.Identifier(field.Name));
        }

        return text.Length == 0 ? "1 AS \"1\"" : text.ToString();
    }

    /// <summary>One column's expression.</summary>
    public string Column(ReadableFile file, Field field)
    {
        ColumnMap names = snapshot.SchemaHistory?.MapFor(file.SchemaVersion) ?? ColumnMap.Empty;
        string name = "";
        if (names.SourceOf(field.Name) is { } inFile && ColumnSql.Find(file.Shape.Columns, inFile, field.Name, out name) is { } type)
        {
            string value = SqlText.Identifier(name);
            switch (snapshot.Columns.FirstOrDefault(c => c.Name == field.Name)?.LogicalType)
            {
                // Writers before 1.1 labelled milliseconds as microseconds: the table's schema is right, the stored number counts milliseconds.
                case "timestamp-millis" when file.MicrosecondInstants.Contains(name):
                    return $"make_timestamptz(epoch_us({value}) * 1000)";
                case "local-timestamp-millis" when type.Name == "BIGINT":
                    return $"make_timestamp({value} * 1000)";
                default:
                    return ColumnSql.Convert(value, type, field.DataType, field.Name, names.ChildrenOf(field.Name));
            }
        }

        string target = SqlText.TypeOf(field.DataType);
        if (!snapshot.Properties.DropsPartitionColumns || !snapshot.PartitionColumns.Contains(field.Name))
        {
            return $"CAST(NULL AS {target})";
        }

        IReadOnlyDictionary<string, string?> values = PartitionPath.Parse(file.Partition, snapshot.PartitionColumns, snapshot.Properties.UrlEncodesPartitions)
            ?? throw LakeException.FormatInvalid($"Hudi: the partition path does not fit the partition columns, which are not in the files", file.Partition);
        return $"CAST({SqlText.LiteralOrNull(values[field.Name])} AS {target})";
    }

    /// <summary>A relation of no rows.</summary>
    public static string Nothing(IReadOnlyList<Field> fields) => "SELECT "
        + (fields.Count == 0 ? "1" : string.Join(", ", fields.Select(f => $"CAST(NULL AS {SqlText.TypeOf(f)}) AS {SqlText.Identifier(f.Name)}"))) + " WHERE false";

    private bool TakesPartitionFromPath(ParquetShape shape) => snapshot.Properties.DropsPartitionColumns
        && snapshot.PartitionColumns.Any(p => !shape.Columns.Any(c => c.Name == p));

    /// <summary>A number for SQL text.</summary>
    public static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
