using Apache.Arrow;
using Apache.Arrow.Types;

namespace LakeHolo.FlightServer.Metadata;

/// <summary>The engine's types as GetXdbcTypeInfo lists them.</summary>
internal static class XdbcTypes
{
    private static readonly Row[] Types =
    [
        new("BIGINT", -5, 19, null, [], 2, false), new("BLOB", -3, null, "'", [], 3, null), new("TINYINT", -6, 3, null, [], 2, false), new("BOOLEAN", -7, 1, null, [], 2, null),
        new("DECIMAL", 3, 38, null, ["precision", "scale"], 2, false) { MaxScale = 38 }, new("INTEGER", 4, 10, null, [], 2, false), new("SMALLINT", 5, 5, null, [], 2, false),
        new("REAL", 7, 7, null, [], 2, false), new("DOUBLE", 8, 15, null, [], 2, false), new("VARCHAR", 12, 65536, "'", [], 3, null),
        new("DATE", 91, 10, "'", [], 3, null) { Subcode = 1 }, new("TIME", 92, 15, "'", [], 3, null) { Subcode = 2 }, new("TIMESTAMP", 93, 26, "'", [], 3, null) { Subcode = 3 },
    ];

    /// <summary>All rows, or those of one data type.</summary>
    public static RecordBatch Rows(int? dataType)
    {
        Row[] rows = [.. Types.Where(t => dataType is null || t.DataType == dataType).OrderBy(t => t.DataType).ThenBy(t => t.Name, StringComparer.Ordinal)];
        IArrowArray[] columns =
        [
            CatalogRows.Text(rows.Select(r => r.Name)), Ints(rows.Select(r => (int?)r.DataType)), Ints(rows.Select(r => r.Size)), CatalogRows.Text(rows.Select(r => r.Quote)),
            CatalogRows.Text(rows.Select(r => r.Quote)), Lists(rows.Select(r => r.Parameters)), Ints(rows.Select(_ => (int?)1)), Bools(rows.Select(r => (bool?)(r.DataType == 12))),
            Ints(rows.Select(r => (int?)r.Searchable)), Bools(rows.Select(r => r.Unsigned)), Bools(rows.Select(_ => (bool?)false)), Bools(rows.Select(_ => (bool?)false)),
            CatalogRows.Text(rows.Select(r => r.Name)), Ints(rows.Select(r => r.MaxScale is null ? null : (int?)0)), Ints(rows.Select(r => r.MaxScale)),
            Ints(rows.Select(r => (int?)(r.Subcode is null ? r.DataType : 9))), Ints(rows.Select(r => r.Subcode)), Ints(rows.Select(r => r.Unsigned is null ? null : (int?)10)),
            Ints(rows.Select(_ => (int?)null)),
        ];
        return new RecordBatch(MetadataSchemas.XdbcTypes, columns, rows.Length);
    }

    private static Int32Array Ints(IEnumerable<int?> values)
    {
        var builder = new Int32Array.Builder();
        foreach (int? value in values)
        {
            builder.Append(value);
        }

        return builder.Build();
    }

    private static BooleanArray Bools(IEnumerable<bool?> values)
    {
        var builder = new BooleanArray.Builder();
        foreach (bool? value in values)
        {
            if (value is { } flag)
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

    private static ListArray Lists(IEnumerable<string[]> values)
    {
        var builder = new ListArray.Builder(new Field("item", StringType.Default, false));
        var items = (StringArray.Builder)builder.ValueBuilder;
        foreach (string[] value in values)
        {
            if (value.Length == 0)
            {
                builder.AppendNull();
            }
            else
            {
                builder.Append();
                items.AppendRange(value);
            }
        }

        return builder.Build();
    }

    private sealed record Row(string Name, int DataType, int? Size, string? Quote, string[] Parameters, int Searchable, bool? Unsigned)
    {
        public int? MaxScale { get; init; }

        public int? Subcode { get; init; }
    }
}
