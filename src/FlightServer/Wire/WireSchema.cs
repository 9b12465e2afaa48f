using System.Globalization;
using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog;

namespace LakeHolo.FlightServer.Wire;

/// <summary>The schema that clients are told: types every driver takes, and the column metadata that tools read.</summary>
internal static class WireSchema
{
    private const string Prefix = "ARROW:FLIGHT:SQL:";

    /// <summary>ODBC drivers cut text at 1,024 characters when they are told nothing.</summary>
    private const string TextPrecision = "65536";

    /// <summary>The schema for a client.</summary>
    /// <param name="schema">As the engine gives it.</param>
    /// <param name="jdbc">The JDBC driver cannot <c>getObject</c> a timestamp with a zone, so it gets the same UTC values without; the engine widens unsigned numbers in
    /// its results, so the columns of tables are told as they will come.</param>
    /// <param name="table">Catalog, schema and table of the columns, where they belong to one.</param>
    /// <exception cref="LakeException">FeatureUnsupported for a column type that is not sent, by name.</exception>
    public static Schema For(Schema schema, bool jdbc, (string Catalog, string Schema, string Table)? table = null)
    {
        return new Schema([.. schema.FieldsList.Select(f => Adapt(f, jdbc, table))], null);
    }

    /// <summary>The engine's name of a type, without parameters.</summary>
    public static string TypeName(IArrowType type) => type switch
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
        Decimal128Type or Decimal256Type => "DECIMAL",
        StringType or LargeStringType => "VARCHAR",
        BinaryType or LargeBinaryType or FixedSizeBinaryType => "BLOB",
        Date32Type or Date64Type => "DATE",
        Time32Type or Time64Type => "TIME",
        TimestampType { Timezone: null } => "TIMESTAMP",
        TimestampType => "TIMESTAMP WITH TIME ZONE",
        IntervalType or DurationType => "INTERVAL",
        ListType or LargeListType or FixedSizeListType => "LIST",
        MapType => "MAP",
        StructType => "STRUCT",
        UnionType => "UNION",
        NullType => "NULL",
        _ => type.Name.ToUpperInvariant(),
    };

    /// <summary>Whether two schemas have the same columns: names and types, whatever their metadata.</summary>
    public static bool SameColumns(Schema a, Schema b) =>
        a.FieldsList.Count == b.FieldsList.Count && a.FieldsList.Zip(b.FieldsList).All(p => p.First.Name == p.Second.Name && SameType(p.First.DataType, p.Second.DataType));

    /// <summary>Whether batches of one schema can be sent under the other: the same but for zones of timestamps, which are not in the data.</summary>
    public static bool SameShape(Schema a, Schema b) => SameColumns(WithoutZones(a), WithoutZones(b));

    private static Schema WithoutZones(Schema schema) => new(
        [.. schema.FieldsList.Select(f => f.DataType is TimestampType t ? new Field(f.Name, new TimestampType(t.Unit, (string?)null), f.IsNullable) : f)], null);

    private static bool SameType(IArrowType a, IArrowType b)
    {
        if (a.TypeId != b.TypeId)
        {
            return false;
        }

        return (a, b) switch
        {
            (Decimal128Type x, Decimal128Type y) => x.Precision == y.Precision && x.Scale == y.Scale,
            (TimestampType x, TimestampType y) => x.Unit == y.Unit && x.Timezone == y.Timezone,
            (TimeBasedType x, TimeBasedType y) => x.Unit == y.Unit,
            (NestedType x, NestedType y) => x.Fields.Count == y.Fields.Count && x.Fields.Zip(y.Fields).All(p => SameType(p.First.DataType, p.Second.DataType)),
            (FixedSizeBinaryType x, FixedSizeBinaryType y) => x.ByteWidth == y.ByteWidth,
            _ => true,
        };
    }

    private static Field Adapt(Field field, bool jdbc, (string Catalog, string Schema, string Table)? table)
    {
        Check(field.DataType, field.Name);
        IArrowType type = !jdbc ? Utc(field.DataType) : field.DataType switch
        {
            TimestampType { Timezone: not null } t => new TimestampType(t.Unit, (string?)null),
            UInt8Type when table is not null => Int16Type.Default,
            UInt16Type when table is not null => Int32Type.Default,
            UInt32Type when table is not null => Int64Type.Default,
            UInt64Type when table is not null => new Decimal128Type(20, 0),
            var other => other,
        };
        var metadata = new Dictionary<string, string>
        {
            [Prefix + "TYPE_NAME"] = TypeName(type),
            [Prefix + "IS_SEARCHABLE"] = "1",
            [Prefix + "IS_READ_ONLY"] = "1",
            [Prefix + "IS_AUTO_INCREMENT"] = "0",
        };
        switch (type)
        {
            case Decimal128Type d:
                metadata[Prefix + "PRECISION"] = d.Precision.ToString(CultureInfo.InvariantCulture);
                metadata[Prefix + "SCALE"] = d.Scale.ToString(CultureInfo.InvariantCulture);
                break;
            case StringType:
                metadata[Prefix + "PRECISION"] = TextPrecision;
                metadata[Prefix + "IS_CASE_SENSITIVE"] = "1";
                break;
        }

        if (table is { } owner)
        {
            metadata[Prefix + "CATALOG_NAME"] = owner.Catalog;
            metadata[Prefix + "DB_SCHEMA_NAME"] = owner.Schema;
            metadata[Prefix + "TABLE_NAME"] = owner.Table;
        }

        return new Field(field.Name, type, field.IsNullable, metadata);
    }

    /// <summary>The engine calls the zone by its canonical name, which clients show; most know it by its short one.</summary>
    private static IArrowType Utc(IArrowType type) => type is TimestampType { Timezone: "Etc/UTC" } t ? new TimestampType(t.Unit, "UTC") : type;

    private static void Check(IArrowType type, string column)
    {
        switch (type.TypeId)
        {
            case ArrowTypeId.Dictionary or ArrowTypeId.RunEndEncoded or ArrowTypeId.StringView or ArrowTypeId.BinaryView or ArrowTypeId.ListView or ArrowTypeId.LargeListView:
                throw LakeException.FeatureUnsupported($"Column {column} has the Arrow type {type.Name}, which is not sent to clients; cast it in the query");
        }

        if (type is NestedType nested)
        {
            foreach (Field child in nested.Fields)
            {
                Check(child.DataType, column);
            }
        }
    }
}
