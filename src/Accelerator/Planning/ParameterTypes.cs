using System.Globalization;
using Apache.Arrow;
using Apache.Arrow.Types;
using DuckDB.NET.Data;
using DuckDB.NET.Native;

namespace LakeHolo.Accelerator.Planning;

/// <summary>What fits the markers of a statement, as far as the engine can tell; text is cast to whatever else is needed.</summary>
public static class ParameterTypes
{
    /// <summary>The engine's names of the types, in the markers' order; empty where nothing says.</summary>
    public static IReadOnlyList<string> Infer(DuckDBConnection connection, string sql, int count)
    {
        if (count == 0)
        {
            return [];
        }

        string[] types = [.. Enumerable.Repeat(string.Empty, count)];
        DuckDBState state = NativeMethods.PreparedStatements.DuckDBPrepare(connection.NativeConnection, sql, out DuckDBPreparedStatement statement);
        using (statement)
        {
            if (state != DuckDBState.Success)
            {
                return types;
            }

            long known = Math.Min(count, NativeMethods.PreparedStatements.DuckDBParams(statement));
            for (int i = 0; i < known; i++)
            {
                using DuckDBLogicalType type = NativeMethods.PreparedStatements.DuckDBParamLogicalType(statement, i + 1);
                types[i] = type.IsInvalid ? string.Empty : Name(type);
            }
        }

        return types;
    }

    /// <summary>Columns <c>$1</c>, <c>$2</c>, … of Arrow types for the markers.</summary>
    /// <param name="types">The engine's names of their types.</param>
    /// <param name="jdbc">The JDBC driver writes milliseconds into whatever vector a time is bound by.</param>
    public static Schema ToArrow(IReadOnlyList<string> types, bool jdbc)
        => new([.. types.Select((t, i) => new Field($"${(i + 1).ToString(CultureInfo.InvariantCulture)}", ArrowType(t, jdbc), nullable: true))], null);

    /// <summary>A value of a type; null where none is needed for the engine to tell the type of a result.</summary>
    public static object? Example(string type) => type switch
    {
        "BOOLEAN" => true,
        "TINYINT" or "SMALLINT" or "UTINYINT" or "INTEGER" or "USMALLINT" => 1,
        "BIGINT" or "UINTEGER" => 1L,
        "FLOAT" or "DOUBLE" => 1d,
        "VARCHAR" => "1",
        "DATE" => new DateOnly(2000, 1, 1),
        "TIMESTAMP" => new DateTime(2000, 1, 1, 0, 0, 0, DateTimeKind.Unspecified),
        "BLOB" => new byte[1],
        "TIME" => new TimeOnly(1, 0),
        "TIMESTAMP WITH TIME ZONE" => new DateTimeOffset(2000, 1, 1, 0, 0, 0, TimeSpan.Zero),
        _ when type.StartsWith("DECIMAL(", StringComparison.Ordinal) => 1m,
        _ => null,
    };

    private static IArrowType ArrowType(string type, bool jdbc) => type switch
    {
        "BOOLEAN" => BooleanType.Default,
        "TINYINT" => Int8Type.Default,
        "SMALLINT" or "UTINYINT" => Int16Type.Default,
        "INTEGER" or "USMALLINT" => Int32Type.Default,
        "BIGINT" or "UINTEGER" => Int64Type.Default,
        "FLOAT" => FloatType.Default,
        "DOUBLE" => DoubleType.Default,
        "DATE" => Date32Type.Default,
        "TIME" => jdbc ? new Time32Type(TimeUnit.Millisecond) : new Time64Type(TimeUnit.Microsecond),
        "TIMESTAMP" => new TimestampType(jdbc ? TimeUnit.Millisecond : TimeUnit.Microsecond, (string?)null),
        "TIMESTAMP WITH TIME ZONE" => new TimestampType(jdbc ? TimeUnit.Millisecond : TimeUnit.Microsecond, jdbc ? null : "UTC"),
        "BLOB" => BinaryType.Default,
        _ => StringType.Default,
    };

    private static string Name(DuckDBLogicalType type)
    {
        switch (NativeMethods.LogicalType.DuckDBGetTypeId(type))
        {
            case DuckDBType.Boolean:
                return "BOOLEAN";
            case DuckDBType.TinyInt:
                return "TINYINT";
            case DuckDBType.SmallInt:
                return "SMALLINT";
            case DuckDBType.Integer:
                return "INTEGER";
            case DuckDBType.BigInt:
                return "BIGINT";
            case DuckDBType.UnsignedTinyInt:
                return "UTINYINT";
            case DuckDBType.UnsignedSmallInt:
                return "USMALLINT";
            case DuckDBType.UnsignedInteger:
                return "UINTEGER";
            case DuckDBType.UnsignedBigInt:
                return "UBIGINT";
            case DuckDBType.HugeInt:
                return "HUGEINT";
            case DuckDBType.Float:
                return "FLOAT";
            case DuckDBType.Double:
                return "DOUBLE";
            case DuckDBType.Timestamp or DuckDBType.TimestampMs or DuckDBType.TimestampNs or DuckDBType.TimestampS:
                return "TIMESTAMP";
            case DuckDBType.TimestampTz:
                return "TIMESTAMP WITH TIME ZONE";
            case DuckDBType.Date:
                return "DATE";
            case DuckDBType.Time:
                return "TIME";
            case DuckDBType.Interval:
                return "INTERVAL";
            case DuckDBType.Varchar:
                return "VARCHAR";
            case DuckDBType.Blob:
                return "BLOB";
            case DuckDBType.Uuid:
                return "UUID";
            case DuckDBType.Decimal:
                return string.Create(
                    CultureInfo.InvariantCulture, $"DECIMAL({NativeMethods.LogicalType.DuckDBDecimalWidth(type)},{NativeMethods.LogicalType.DuckDBDecimalScale(type)})");
            case DuckDBType.List:
                using (DuckDBLogicalType element = NativeMethods.LogicalType.DuckDBListTypeChildType(type))
                {
                    string name = Name(element);
                    return name.Length == 0 ? string.Empty : name + "[]";
                }

            default:
                return string.Empty;
        }
    }
}

