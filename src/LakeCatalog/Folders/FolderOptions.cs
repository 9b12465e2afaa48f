using Apache.Arrow;
using Apache.Arrow.Types;

namespace LakeHolo.LakeCatalog.Folders;

/// <summary>What the files of plain folders do not tell themselves.</summary>
public sealed record FolderOptions
{
    private const string Types = "STRING, VARCHAR, BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, FLOAT, DOUBLE, DECIMAL(p,s), DATE, TIMESTAMP";

    /// <summary>Columns of tables of SequenceFiles, or of CSV files without a header, by <c>schema.table</c> (or <c>source.schema.table</c>): <c>sku STRING, product_id INT, price DECIMAL(10,2)</c>.
    /// Types: <see cref="Types"/>.</summary>
    public IReadOnlyDictionary<string, string> Columns { get; init; } = new Dictionary<string, string>();

    /// <summary>The configured columns of a table, or null.</summary>
    /// <exception cref="ArgumentException">A declaration that is not understood.</exception>
    public Schema? ColumnsOf(Snapshots.LakeTable table) =>
        Columns.TryGetValue(table.FullName, out string? text) || Columns.TryGetValue($"{table.Schema}.{table.Name}", out text) ? ParseColumns(text) : null;

    /// <summary>Parses a declaration of columns.</summary>
    /// <exception cref="ArgumentException">A declaration that is not understood.</exception>
    public static Schema ParseColumns(string declaration)
    {
        var schema = new Schema.Builder();
        foreach (string column in Split(declaration))
        {
            string[] parts = column.Trim().Split(' ', 2, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            schema.Field(parts.Length == 2
                ? new Field(parts[0].Trim('`', '"'), TypeOf(parts[1]), nullable: true)
                : throw new ArgumentException($"'{column.Trim()}' is not a column: a name and a type are expected"));
        }

        return schema.Build();
    }

    private static IEnumerable<string> Split(string text)
    {
        int start = 0, depth = 0;
        for (int i = 0; i < text.Length; i++)
        {
            depth += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
            if (text[i] == ',' && depth == 0)
            {
                yield return text[start..i];
                start = i + 1;
            }
        }

        yield return text[start..];
    }

    private static IArrowType TypeOf(string text)
    {
        string[] parts = text.ToUpperInvariant().Split('(', ')', ',').Select(p => p.Trim()).ToArray();
        switch (parts[0])
        {
            case "STRING" or "VARCHAR" or "CHAR" or "TEXT":
                return StringType.Default;
            case "BOOLEAN":
                return BooleanType.Default;
            case "TINYINT":
                return Int8Type.Default;
            case "SMALLINT":
                return Int16Type.Default;
            case "INT" or "INTEGER":
                return Int32Type.Default;
            case "BIGINT":
                return Int64Type.Default;
            case "FLOAT":
                return FloatType.Default;
            case "DOUBLE":
                return DoubleType.Default;
            case "DATE":
                return Date32Type.Default;
            case "TIMESTAMP":
                return new TimestampType(TimeUnit.Microsecond, (string?)null);
            case "DECIMAL" when parts.Length >= 3 && byte.TryParse(parts[1], out byte precision) && byte.TryParse(parts[2], out byte scale) && precision is > 0 and <= 38 && scale <= precision:
                return new Decimal128Type(precision, scale);
            default:
                throw new ArgumentException($"the type '{text}' is not known; expected one of {Types}");
        }
    }
}
