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
