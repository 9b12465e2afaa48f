using System.Globalization;
using System.Text;
using LakeHolo.LakeCatalog.Delta.Schema;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Delta;

/// <summary>The engine's types for Delta types.</summary>
internal static class DeltaSqlTypes
{
    /// <summary>Type text with logical field names.</summary>
    public static string Logical(DeltaType type) => Text(type, f => f.Name);

    /// <summary>Type text with physical field names.</summary>
    public static string Physical(DeltaType type) => Text(type, f => f.PhysicalName);

    /// <summary>An interval of months.</summary>
    public static string Months(string expression) => $"to_months(CAST({expression} AS INTEGER))";

    /// <summary>An interval of microseconds, as days of 24 hours and the rest: Arrow counts the rest in nanoseconds, which end at 292 years.</summary>
    public static string Microseconds(string expression) =>
        $"(to_days(CAST({expression} // 86400000000 AS INTEGER)) + to_microseconds({expression} % 86400000000))";

    private static string Text(DeltaType type, Func<DeltaField, string> name) => type switch
    {
        DeltaDecimal d => string.Create(CultureInfo.InvariantCulture, $"DECIMAL({d.Precision},{d.Scale})"),
        DeltaArray a => Text(a.Element, name) + "[]",
        DeltaMap m => $"MAP({Text(m.Key, name)}, {Text(m.Value, name)})",
        DeltaStruct s => Struct(s, name),
        DeltaPrimitive p => p.Kind switch
        {
            DeltaPrimitiveKind.Long => "BIGINT",
            DeltaPrimitiveKind.Integer => "INTEGER",
            DeltaPrimitiveKind.Short => "SMALLINT",
            DeltaPrimitiveKind.Byte => "TINYINT",
            DeltaPrimitiveKind.Float => "FLOAT",
            DeltaPrimitiveKind.Double => "DOUBLE",
            DeltaPrimitiveKind.Boolean => "BOOLEAN",
            DeltaPrimitiveKind.Binary => "BLOB",
            DeltaPrimitiveKind.Date => "DATE",
            DeltaPrimitiveKind.Timestamp => "TIMESTAMPTZ",
            DeltaPrimitiveKind.TimestampNtz => "TIMESTAMP",
            DeltaPrimitiveKind.Variant => "JSON",
            DeltaPrimitiveKind.YearMonthInterval or DeltaPrimitiveKind.DayTimeInterval => "INTERVAL",
            _ => "VARCHAR",
        },
        _ => throw new ArgumentException($"Unknown type {type}", nameof(type)),
    };

    private static string Struct(DeltaStruct type, Func<DeltaField, string> name)
    {
        var text = new StringBuilder("STRUCT(");
        for (int i = 0; i < type.Fields.Count; i++)
        {
            text.Append(i == 0 ? "" : ", ").Append(SqlText.Identifier(name(type.Fields[i]))).Append(' ').Append(Text(type.Fields[i].Type, name));
        }

        return text.Append(')').ToString();
    }
}
