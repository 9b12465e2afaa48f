using System.Globalization;
using System.Text;
using Apache.Arrow;
using Apache.Arrow.Types;

namespace LakeHolo.Readers.Engine;

/// <summary>Pieces of SQL text for the embedded engine, escaped.</summary>
public static class SqlText
{
    /// <summary>An argument of each scan of Parquet files: names of folders are no columns to the engine; what they mean is the reader's to say.</summary>
    public const string PlainNames = "hive_partitioning = false";

    /// <summary>Arguments of each scan of Parquet files. Bounds of floating-point columns may leave out NaN (Arrow's writers do so), which is above all numbers to the engine.</summary>
    public const string PlainFiles = "can_have_nan = true, " + PlainNames;

    /// <summary>A string literal; the engine's parser ends at a zero character, so such a one is made by a function.</summary>
    public static string Literal(string value) => value.Contains('\0', StringComparison.Ordinal)
        ? $"concat({string.Join(", chr(0), ", value.Split('\0').Select(Quoted))})"
        : Quoted(value);

    /// <summary>A string literal, or NULL.</summary>
    public static string LiteralOrNull(string? value) => value is null ? "NULL" : Literal(value);

    /// <summary>A quoted identifier.</summary>
    public static string Identifier(string name) => "\"" + name.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";

    /// <summary>A list of string literals.</summary>
    public static string LiteralList(IEnumerable<string> values) => "[" + string.Join(", ", values.Select(Literal)) + "]";

    /// <summary>The engine's type for a field: its <c>sqltype</c> metadata where Arrow has no such type, else by its Arrow type.</summary>
    public static string TypeOf(Field field) =>
        field.HasMetadata && field.Metadata.TryGetValue("sqltype", out string? text) ? text : TypeOf(field.DataType);

    /// <summary>The engine's type for an Arrow type.</summary>
    /// <exception cref="LakeCatalog.LakeException">FeatureUnsupported for a type that the engine does not have.</exception>
    public static string TypeOf(IArrowType type) => type switch
    {
        BooleanType => "BOOLEAN",
        Int8Type => "TINYINT",
        Int16Type => "SMALLINT",
        Int32Type => "INTEGER",
        Int64Type => "BIGINT",
        UInt8Type => "UTINYINT",
        UInt16Type => "USMALLINT",
        UInt32Type => "UINTEGER",
        UInt64Type => "UBIGINT",
        FloatType => "FLOAT",
        DoubleType => "DOUBLE",
        Decimal128Type d => string.Create(CultureInfo.InvariantCulture, $"DECIMAL({d.Precision},{d.Scale})"),
        StringType => "VARCHAR",
        BinaryType or FixedSizeBinaryType => "BLOB",
        Date32Type => "DATE",
        Time32Type or Time64Type => "TIME",
        TimestampType t => (t.Timezone, t.Unit) switch
        {
            (null, TimeUnit.Nanosecond) => "TIMESTAMP_NS",
            (null, _) => "TIMESTAMP",
            _ => "TIMESTAMPTZ",
        },
        NullType => "\"NULL\"",
        StructType s => Struct(s),
        MapType m => $"MAP({TypeOf(m.KeyField)}, {TypeOf(m.ValueField)})",
        ListType l => TypeOf(l.ValueField) + "[]",
        FixedSizeListType l => string.Create(CultureInfo.InvariantCulture, $"{TypeOf(l.ValueField)}[{l.ListSize}]"),
        IntervalType { Unit: IntervalUnit.MonthDayNanosecond } => "INTERVAL",
        _ => throw LakeCatalog.LakeException.FeatureUnsupported($"The type {type.Name} is not supported"),
    };

    private static string Quoted(string value) => "'" + value.Replace("'", "''", StringComparison.Ordinal) + "'";

    private static string Struct(StructType type)
    {
        var text = new StringBuilder("STRUCT(");
        for (int i = 0; i < type.Fields.Count; i++)
        {
            text.Append(i == 0 ? "" : ", ").Append(Identifier(type.Fields[i].Name)).Append(' ').Append(TypeOf(type.Fields[i]));
        }

        return text.Append(')').ToString();
    }
}
