using System.Globalization;
using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Folders;

/// <summary>From the engine's types to Arrow's.</summary>
internal static class EngineArrowType
{
    /// <summary>A column of the engine as a field.</summary>
    internal static Field ToField(string name, string sqlType, string path)
    {
        try
        {
            return new Field(name, ToArrow(EngineType.Parse(sqlType), name, path), nullable: true);
        }
        catch (LakeException e) when (e.Kind == LakeErrorKind.Internal)
        {
            throw LakeException.FeatureUnsupported($"The column '{name}' has the type {sqlType}, which is not supported", path);
        }
    }

    private static IArrowType ToArrow(EngineType type, string column, string path) => type.Name switch
    {
        "BOOLEAN" => BooleanType.Default,
        "TINYINT" => Int8Type.Default,
        "SMALLINT" => Int16Type.Default,
        "INTEGER" => Int32Type.Default,
        "BIGINT" => Int64Type.Default,
        "UTINYINT" => UInt8Type.Default,
        "USMALLINT" => UInt16Type.Default,
        "UINTEGER" => UInt32Type.Default,
        "UBIGINT" => UInt64Type.Default,
        "HUGEINT" or "UHUGEINT" => new Decimal128Type(38, 0),
        "FLOAT" => FloatType.Default,
        "DOUBLE" => DoubleType.Default,
        "VARCHAR" or "UUID" or "JSON" => StringType.Default,
        "BLOB" => BinaryType.Default,
        "DATE" => Date32Type.Default,
        "TIME" => new Time64Type(TimeUnit.Microsecond),
        "TIMESTAMP" or "TIMESTAMP_S" or "TIMESTAMP_MS" => new TimestampType(TimeUnit.Microsecond, (string?)null),
        "TIMESTAMP_NS" => new TimestampType(TimeUnit.Nanosecond, (string?)null),
        "TIMESTAMP WITH TIME ZONE" => new TimestampType(TimeUnit.Microsecond, "UTC"),
        "LIST" => new ListType(new Field("item", ToArrow(type.Children[0].Type, column, path), nullable: true)),
        "MAP" => new MapType(
            new Field("key", ToArrow(type.Children[0].Type, column, path), nullable: false), new Field("value", ToArrow(type.Children[1].Type, column, path), nullable: true)),
        "STRUCT" => new StructType([.. type.Children.Select(c => new Field(c.Name, ToArrow(c.Type, column, path), nullable: true))]),
        _ when type.Name.StartsWith("DECIMAL(", StringComparison.Ordinal) => ToDecimal(type.Name),
        _ => throw LakeException.FeatureUnsupported($"The column '{column}' has the type {type.Name}, which is not supported", path),
    };

    private static Decimal128Type ToDecimal(string name)
    {
        string[] parts = name["DECIMAL(".Length..^1].Split(',');
        return new Decimal128Type(int.Parse(parts[0], CultureInfo.InvariantCulture), int.Parse(parts[1], CultureInfo.InvariantCulture));
    }
}
