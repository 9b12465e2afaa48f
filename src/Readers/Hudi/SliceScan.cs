using System.Globalization;
using System.Text;
using Apache.Arrow;
using Apache.Arrow.Types;
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

    /// <summary>Whether its rows are log records of changed columns only.</summary>
    public bool IsPartial { get; init; }

    /// <summary>Names of the columns that it was decoded with; null for all.</summary>
    public IReadOnlySet<string>? DecodedColumns { get; init; }

    /// <summary>Paths of what the source itself stores as UTC instants in microseconds; a decoder may have brought others to that unit.</summary>
    public IReadOnlySet<string> MicrosecondInstants { get; init; } = Shape.MicrosecondInstants;
}

/// <summary>SELECTs over files in the table's types.</summary>
/// <param name="snapshot">Whose columns and partition rules apply.</param>
internal sealed class SliceScan(HudiSnapshot snapshot)
{
    /// <summary>Files in groups that one scan can read; the order inside a group is the position of <c>file_index</c>.</summary>
    public IReadOnlyList<IReadOnlyList<ReadableFile>> Group(IEnumerable<ReadableFile> files)
        => [.. files.GroupBy(f => (f.IsPartial ? "partial" : "") + "\0" + f.SchemaVersion + "\0" + string.Join(',', f.MicrosecondInstants.Order(StringComparer.Ordinal)) + "\0" + f.Shape.Signature + "\0" + (TakesPartitionFromPath(f.Shape) ? f.Partition : ""), StringComparer.Ordinal).Select(g => g.ToList())];

    /// <summary>FROM clause of a group.</summary>
    public static string From(IReadOnlyList<ReadableFile> group)
        => $"read_parquet({SqlText.LiteralList(group.Select(f => f.LocalPath))}, {SqlText.PlainFiles})";

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
        ColumnMap names = NamesOf(file);
        string name = "";
        if (SourceOf(file, field.Name) is { } inFile && ColumnSql.Find(file.Shape.Columns, inFile, field.Name, out name) is { } type)
        {
            return ColumnSql.Convert(SqlText.Identifier(name), type, field.DataType, new ColumnSql.Place(field.Name, name, names.ChildrenOf(field.Name), StampsOf(file, field.Name)) { Defaults = DefaultsOf(field.Name), Source = file.Path });
        }

        string target = SqlText.TypeOf(field.DataType);
        if (!snapshot.Properties.DropsPartitionColumns || !snapshot.PartitionColumns.Contains(field.Name))
        {
            // A partial record does not tell the column; what it becomes is decided when versions are combined.
            if (!file.IsPartial && DefaultsOf(field.Name) is { } defaults && defaults.Contains(field.Name))
            {
                throw ColumnSql.HasDefault(field.Name, file.Path);
            }

            return $"CAST(NULL AS {target})";
        }

        return $"CAST({SqlText.LiteralOrNull(PartitionValue(file.Partition, field))} AS {target})";
    }

    /// <summary>The name that a column has in a file; null if the file does not hold it.</summary>
    public string? NameIn(ReadableFile file, string column)
        => SourceOf(file, column) is { } inFile && ColumnSql.Find(file.Shape.Columns, inFile, column, out string name) is not null ? name : null;

    /// <summary>The table's columns that a file holds, under the names they have in the table.</summary>
    public IReadOnlyList<string> NamesIn(ReadableFile file) => [.. snapshot.Schema.FieldsList.Select(f => f.Name).Where(n => NameIn(file, n) is not null)];

    // A column that was left out must not be taken for one that the file does not have.
    private string? SourceOf(ReadableFile file, string column) => NamesOf(file).SourceOf(column) is { } inFile && file.DecodedColumns?.Contains(inFile) == false
        ? throw new LakeException(LakeErrorKind.Internal, $"Hudi: the column {column} was not decoded", file.Path)
        : NamesOf(file).SourceOf(column);

    private ColumnMap NamesOf(ReadableFile file) => snapshot.SchemaHistory?.MapFor(file.SchemaVersion) ?? ColumnMap.Empty;

    // Of a column that is not in the files: its path is all there is.
    private string? PartitionValue(string partition, Field field)
    {
        bool isSlashed = snapshot.Properties.HasSlashSeparatedDates;
        string? reason = !snapshot.Properties.PathHoldsValueOf(field.Name) ? "whose key generator does not write the column's own value into the path"
            : isSlashed && field.DataType is not Date32Type ? "with slash-separated dates of another type than date"
            : field.DataType is not (StringType or BooleanType or Int32Type or Int64Type or FloatType or DoubleType or Date32Type) ? $"of type {SqlText.TypeOf(field)}"
            : null;
        if (reason is not null)
        {
            throw LakeException.FeatureUnsupported($"Hudi: a dropped partition column ({field.Name}) {reason} is not supported", snapshot.Table.FullName);
        }

        IReadOnlyDictionary<string, string?> values = PartitionPath.Parse(partition, snapshot.PartitionColumns, snapshot.Properties)
            ?? throw LakeException.FormatInvalid($"Hudi: the partition path does not tell the values of the partition columns, which are not in the files", partition);
        return isSlashed ? values[field.Name]?.Replace('/', '-') : values[field.Name];
    }

    private IReadOnlySet<string>? DefaultsOf(string column)
        => snapshot.Columns.FirstOrDefault(c => c.Name == column) is { Defaults.Count: > 0 } known ? known.Defaults : null;

    private StampUnits? StampsOf(ReadableFile file, string column)
        => snapshot.Columns.FirstOrDefault(c => c.Name == column) is { } known && known.MillisecondInstants.Count + known.LocalMilliseconds.Count > 0
            ? new StampUnits(known.MillisecondInstants, known.LocalMilliseconds, file.MicrosecondInstants)
            : null;

    /// <summary>A relation of no rows.</summary>
    public static string Nothing(IReadOnlyList<Field> fields) => "SELECT "
        + (fields.Count == 0 ? "1" : string.Join(", ", fields.Select(f => $"CAST(NULL AS {SqlText.TypeOf(f)}) AS {SqlText.Identifier(f.Name)}"))) + " WHERE false";

    private bool TakesPartitionFromPath(ParquetShape shape) => snapshot.Properties.DropsPartitionColumns
        && snapshot.PartitionColumns.Any(p => !shape.Columns.Any(c => c.Name == p));

    /// <summary>A number for SQL text.</summary>
    public static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
