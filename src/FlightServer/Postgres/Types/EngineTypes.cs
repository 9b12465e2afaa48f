using System.Globalization;
using Apache.Arrow;
using Apache.Arrow.Types;

namespace LakeHolo.FlightServer.Postgres.Types;

/// <summary>The engine's types as PostgreSQL's. Unsigned ones are widened, huge integers are numeric, what has no counterpart is json or text.</summary>
internal static class EngineTypes
{
    /// <summary>A type modifier is what it says and four more.</summary>
    private const int ModifierBase = 4;

    /// <summary>The digits of the largest 128-bit integer.</summary>
    private const int HugeDigits = 39;

    /// <summary>By the engine's name of a type.</summary>
    public static (PgType Type, int Modifier) OfName(string name)
    {
        if (name.EndsWith(']'))
        {
            (PgType element, int modifier) = OfName(name[..name.LastIndexOf('[')]);
            return element.Element is null && element != PgType.Json ? (element.Array, modifier) : (PgType.Json, -1);
        }

        if (name.StartsWith("DECIMAL(", StringComparison.Ordinal))
        {
            string[] parts = name[8..^1].Split(',');
            return Numeric(int.Parse(parts[0], CultureInfo.InvariantCulture), int.Parse(parts[1], CultureInfo.InvariantCulture));
        }

        return name switch
        {
            "BOOLEAN" => (PgType.Bool, -1),
            "TINYINT" or "SMALLINT" or "UTINYINT" => (PgType.Int2, -1),
            "INTEGER" or "USMALLINT" => (PgType.Int4, -1),
            "BIGINT" or "UINTEGER" => (PgType.Int8, -1),
            "UBIGINT" => Numeric(20, 0),
            "HUGEINT" or "UHUGEINT" => Numeric(HugeDigits, 0),
            "FLOAT" => (PgType.Float4, -1),
            "DOUBLE" => (PgType.Float8, -1),
            "BLOB" => (PgType.Bytea, -1),
            "DATE" => (PgType.Date, -1),
            "TIME" or "TIME_NS" => (PgType.Time, -1),
            "TIMESTAMP" or "TIMESTAMP_S" or "TIMESTAMP_MS" or "TIMESTAMP_NS" => (PgType.Timestamp, -1),
            "TIMESTAMP WITH TIME ZONE" or "TIMESTAMPTZ" => (PgType.TimestampTz, -1),
            "INTERVAL" => (PgType.Interval, -1),
            "UUID" => (PgType.Uuid, -1),
            "JSON" => (PgType.Json, -1),
            _ when name.StartsWith("STRUCT(", StringComparison.Ordinal) || name.StartsWith("MAP(", StringComparison.Ordinal) || name.StartsWith("UNION(", StringComparison.Ordinal)
                => (PgType.Json, -1),
            _ => (PgType.Text, -1),
        };
    }

    /// <summary>By an Arrow field, for results whose engine types are not told.</summary>
    public static (PgType Type, int Modifier) OfField(Field field) => OfArrow(field.DataType);

    /// <summary>The columns of a result.</summary>
    /// <param name="schema">Its schema.</param>
    /// <param name="engineTypes">The engine's names of the types, or nothing.</param>
    public static PgColumn[] Columns(Schema schema, IReadOnlyList<string> engineTypes) =>
        [.. schema.FieldsList.Select((f, i) =>
        {
            (PgType type, int modifier) = engineTypes.Count == schema.FieldsList.Count ? OfName(engineTypes[i]) : OfField(f);
            return new PgColumn(f.Name, type, modifier);
        })];

    private static (PgType, int) OfArrow(IArrowType type)
    {
        switch (type)
        {
            case BooleanType:
                return (PgType.Bool, -1);
            case Int8Type or Int16Type or UInt8Type:
                return (PgType.Int2, -1);
            case Int32Type or UInt16Type:
                return (PgType.Int4, -1);
            case Int64Type or UInt32Type:
                return (PgType.Int8, -1);
            case UInt64Type:
                return Numeric(20, 0);
            case FloatType:
                return (PgType.Float4, -1);
            case DoubleType:
                return (PgType.Float8, -1);
            case Decimal128Type d:
                return Numeric(d.Precision, d.Scale);
            case BinaryType or LargeBinaryType or FixedSizeBinaryType:
                return (PgType.Bytea, -1);
            case Date32Type:
                return (PgType.Date, -1);
            case Time32Type or Time64Type:
                return (PgType.Time, -1);
            case TimestampType t:
                return (t.Timezone is null ? PgType.Timestamp : PgType.TimestampTz, -1);
            case IntervalType:
                return (PgType.Interval, -1);
            case MapType or StructType or UnionType:
                return (PgType.Json, -1);
            case ListType l:
                return ListOf(l.ValueDataType);
            case LargeListType l:
                return ListOf(l.ValueDataType);
            case FixedSizeListType l:
                return ListOf(l.ValueDataType);
            default:
                return (PgType.Text, -1);
        }
    }

    private static (PgType, int) ListOf(IArrowType element)
    {
        (PgType type, int modifier) = OfArrow(element);
        return type.Element is null && type != PgType.Json ? (type.Array, modifier) : (PgType.Json, -1);
    }

    private static (PgType, int) Numeric(int precision, int scale) => (PgType.Numeric, ((precision << 16) | scale) + ModifierBase);
}
