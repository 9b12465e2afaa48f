using Apache.Arrow;
using Apache.Arrow.Types;

namespace LakeHolo.LakeCatalog.Paimon;

/// <summary>Paimon types as Arrow types, the way the engine returns them.</summary>
public static class PaimonArrowTypes
{
    /// <summary>The Arrow field of a column.</summary>
    public static Field ToField(PaimonField field)
    {
        var metadata = new Dictionary<string, string>();
        if (field.Description is not null)
        {
            metadata["comment"] = field.Description;
        }

        if (field.Type.Kind is PaimonTypeKind.Variant)
        {
            metadata["sqltype"] = "JSON";
        }

        return new Field(field.Name, ToArrow(field.Type), field.Type.Nullable, metadata.Count == 0 ? null : metadata);
    }

    /// <summary>The Arrow type of a Paimon type. Unknown types become strings, which no query ever gets to see.</summary>
    public static IArrowType ToArrow(PaimonType type) => type.Kind switch
    {
        PaimonTypeKind.Char or PaimonTypeKind.VarChar or PaimonTypeKind.Variant or PaimonTypeKind.Unknown => StringType.Default,
        PaimonTypeKind.Binary or PaimonTypeKind.VarBinary or PaimonTypeKind.Blob => BinaryType.Default,
        PaimonTypeKind.Boolean => BooleanType.Default,
        PaimonTypeKind.Decimal => new Decimal128Type(type.Length, type.Scale),
        PaimonTypeKind.TinyInt => Int8Type.Default,
        PaimonTypeKind.SmallInt => Int16Type.Default,
        PaimonTypeKind.Int => Int32Type.Default,
        PaimonTypeKind.BigInt => Int64Type.Default,
        PaimonTypeKind.Float => FloatType.Default,
        PaimonTypeKind.Double => DoubleType.Default,
        PaimonTypeKind.Date => Date32Type.Default,
        PaimonTypeKind.Time => new Time64Type(TimeUnit.Microsecond),
        PaimonTypeKind.Timestamp => new TimestampType(type.Length > 6 ? TimeUnit.Nanosecond : TimeUnit.Microsecond, (string?)null),
        // The engine has no instants in nanoseconds: such a column is given as the UTC wall clock.
        PaimonTypeKind.TimestampLtz => type.Length > 6 ? new TimestampType(TimeUnit.Nanosecond, (string?)null) : new TimestampType(TimeUnit.Microsecond, "UTC"),
        PaimonTypeKind.Array or PaimonTypeKind.Vector => new ListType(new Field("element", ToArrow(type.Element!), type.Element!.Nullable)),
        PaimonTypeKind.Map => new MapType(
            new Field("key", ToArrow(type.Element!), nullable: false), new Field("value", ToArrow(type.Value!), type.Value!.Nullable)),
        PaimonTypeKind.Multiset => new MapType(new Field("key", ToArrow(type.Element!), nullable: false), new Field("value", Int32Type.Default, nullable: false)),
        PaimonTypeKind.Row => new StructType([.. type.Fields.Select(f => new Field(f.Name, ToArrow(f.Type), f.Type.Nullable))]),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type.Kind, null),
    };
}
