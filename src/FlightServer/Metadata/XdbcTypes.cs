using Apache.Arrow;
using Apache.Arrow.Types;

namespace LakeHolo.FlightServer.Metadata;

/// <summary>The engine's types as ODBC and JDBC number them.</summary>
internal static class XdbcTypes
{
    private const int DateTimeClass = 9;
    private const int SearchableAll = 3;
    private const int SearchableExceptLike = 2;

    private static readonly Row[] All =
    [
        new("BIGINT", -5, 19, Radix: 10), new("BLOB", -3, int.MaxValue, "'", "'"), new("BOOLEAN", -7, 1), new("DATE", 91, 10, "DATE '", "'", Subcode: 1),
        new("DECIMAL", 3, 38, Params: ["precision", "scale"], MinScale: 0, MaxScale: 38, Radix: 10), new("DOUBLE", 8, 15, Radix: 10), new("FLOAT", 7, 7, Radix: 10),
        new("INTEGER", 4, 10, Radix: 10), new("SMALLINT", 5, 5, Radix: 10), new("TIME", 92, 15, "TIME '", "'", Subcode: 2), new("TIMESTAMP", 93, 26, "TIMESTAMP '", "'", Subcode: 3),
        new("TIMESTAMP WITH TIME ZONE", 93, 32, "TIMESTAMPTZ '", "'", Subcode: 5), new("TINYINT", -6, 3, Radix: 10), new("UBIGINT", -5, 20, Radix: 10, Unsigned: true),
        new("UINTEGER", 4, 10, Radix: 10, Unsigned: true), new("USMALLINT", 5, 5, Radix: 10, Unsigned: true), new("UTINYINT", -6, 3, Radix: 10, Unsigned: true),
        new("VARCHAR", 12, int.MaxValue, "'", "'"),
    ];

    /// <summary>All types, or those of one number, by number and name.</summary>
    public static RecordBatch Rows(int? dataType)
    {
        Row[] rows = [.. All.Where(r => dataType is null || r.Type == dataType).OrderBy(r => r.Type).ThenBy(r => r.Name, StringComparer.Ordinal)];
        var parameters = new ListArray.Builder(((ListType)MetadataSchemas.XdbcTypeInfo.FieldsList[5].DataType).ValueField);
        foreach (Row row in rows)
        {
            if (row.Params is null)
            {
                parameters.AppendNull();
            }
            else
            {
                parameters.Append();
                ((StringArray.Builder)parameters.ValueBuilder).AppendRange(row.Params);
            }
        }

        IArrowArray[] columns =
        [
            Text(rows, r => r.Name), Int(rows, r => r.Type), Int(rows, r => r.Size), Text(rows, r => r.Prefix), Text(rows, r => r.Suffix), parameters.Build(),
            Int(rows, _ => 1), Bool(rows, r => r.Type == 12), Int(rows, r => r.Radix is null ? SearchableAll : SearchableExceptLike),
            Bool(rows, r => r.Radix is null ? null : r.Unsigned), Bool(rows, _ => false), Bool(rows, _ => false), Text(rows, r => r.Name), Int(rows, r => r.MinScale),
            Int(rows, r => r.MaxScale), Int(rows, r => r.Subcode is null ? r.Type : DateTimeClass), Int(rows, r => r.Subcode), Int(rows, r => r.Radix), Int(rows, _ => null),
        ];
        return new RecordBatch(MetadataSchemas.XdbcTypeInfo, columns, rows.Length);
    }

    private static StringArray Text(Row[] rows, Func<Row, string?> value) => new StringArray.Builder().AppendRange(rows.Select(value)).Build();

    private static Int32Array Int(Row[] rows, Func<Row, int?> value)
    {
        var builder = new Int32Array.Builder();
        foreach (Row row in rows)
        {
            builder.Append(value(row));
        }

        return builder.Build();
    }

    private static BooleanArray Bool(Row[] rows, Func<Row, bool?> value)
    {
        var builder = new BooleanArray.Builder();
        foreach (Row row in rows)
        {
            if (value(row) is { } flag)
            {
                builder.Append(flag);
            }
            else
            {
                builder.AppendNull();
            }
        }

        return builder.Build();
    }

    private sealed record Row(
        string Name, int Type, int Size, string? Prefix = null, string? Suffix = null, string[]? Params = null, int? MinScale = null, int? MaxScale = null, int? Subcode = null,
        int? Radix = null, bool Unsigned = false);
}
