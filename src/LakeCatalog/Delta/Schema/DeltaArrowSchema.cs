using Apache.Arrow;
using Apache.Arrow.Types;

namespace LakeHolo.LakeCatalog.Delta.Schema;

/// <summary>Delta types as Arrow types, as the engine returns them.</summary>
internal static class DeltaArrowSchema
{
    private static readonly TimestampType Instant = new(TimeUnit.Microsecond, "UTC");
    private static readonly TimestampType WallClock = new(TimeUnit.Microsecond, (string?)null);
    private static readonly Dictionary<string, string> Json = new() { ["sqltype"] = "JSON" };

    public static Apache.Arrow.Schema ToArrow(DeltaStruct schema) => new([.. schema.Fields.Select(ToArrow)], null);

    private static Field ToArrow(DeltaField field) => ToArrow(field.Name, field.Type, field.Nullable, field.Comment);

    private static Field ToArrow(string name, DeltaType type, bool nullable, string? comment)
    {
        Dictionary<string, string>? metadata = type is DeltaPrimitive { Kind: DeltaPrimitiveKind.Variant } ? new(Json) : null;
        if (comment is not null)
        {
            metadata ??= [];
            metadata["comment"] = comment;
        }

        return new Field(name, ToArrow(type), nullable, metadata);
    }

    private static IArrowType ToArrow(DeltaType type) => type switch
    {
        DeltaDecimal d => new Decimal128Type(d.Precision, d.Scale),
        DeltaArray a => new ListType(ToArrow("element", a.Element, true, null)),
        DeltaMap m => new MapType(ToArrow("key", m.Key, false, null), ToArrow("value", m.Value, true, null)),
        DeltaStruct s => new StructType([.. s.Fields.Select(ToArrow)]),
        DeltaPrimitive p => p.Kind switch
        {
            DeltaPrimitiveKind.Long => Int64Type.Default,
            DeltaPrimitiveKind.Integer => Int32Type.Default,
            DeltaPrimitiveKind.Short => Int16Type.Default,
            DeltaPrimitiveKind.Byte => Int8Type.Default,
            DeltaPrimitiveKind.Float => FloatType.Default,
            DeltaPrimitiveKind.Double => DoubleType.Default,
            DeltaPrimitiveKind.Boolean => BooleanType.Default,
            DeltaPrimitiveKind.Binary => BinaryType.Default,
            DeltaPrimitiveKind.Date => Date32Type.Default,
            DeltaPrimitiveKind.Timestamp => Instant,
            DeltaPrimitiveKind.TimestampNtz => WallClock,
            DeltaPrimitiveKind.YearMonthInterval or DeltaPrimitiveKind.DayTimeInterval => IntervalType.MonthDayNanosecond,

            // A void column is null in every row; text is a type that every client knows. A variant is given as JSON text.
            _ => StringType.Default,
        },
        _ => throw new ArgumentException($"Unknown type {type}", nameof(type)),
    };
}
