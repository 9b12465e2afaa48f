using System.Globalization;
using System.Runtime.InteropServices;
using Apache.Arrow;
using Apache.Arrow.Types;
using DuckDB.NET.Data;
using DuckDB.NET.Native;

namespace LakeHolo.Accelerator.Planning;

/// <summary>What fits the markers of a statement, as far as the engine can tell; text is cast to whatever else is needed.</summary>
internal static class ParameterTypes
{
    /// <summary>Columns <c>$1</c>, <c>$2</c>, … for the markers.</summary>
    /// <param name="connection">A connection of the planning engine.</param>
    /// <param name="sql">The statement over its tables.</param>
    /// <param name="count">Its markers.</param>
    /// <param name="jdbc">The JDBC driver writes milliseconds into whatever vector a time is bound by.</param>
    public static Schema Infer(DuckDBConnection connection, string sql, int count, bool jdbc)
    {
        IArrowType[] types = [.. Enumerable.Repeat<IArrowType>(StringType.Default, count)];
        if (count > 0 && NativeMethods.PreparedStatements.DuckDBPrepare(connection.NativeConnection, sql, out DuckDBPreparedStatement statement) is var state)
        {
            using (statement)
            {
                for (int i = 0; state == DuckDBState.Success && i < count; i++)
                {
                    types[i] = ArrowType(ParameterType(statement.DangerousGetHandle(), (ulong)i + 1), jdbc);
                }
            }
        }

        return new Schema([.. types.Select((t, i) => new Field($"${(i + 1).ToString(CultureInfo.InvariantCulture)}", t, nullable: true))], null);
    }

    private static IArrowType ArrowType(DuckDBType type, bool jdbc) => type switch
    {
        DuckDBType.Boolean => BooleanType.Default,
        DuckDBType.TinyInt => Int8Type.Default,
        DuckDBType.SmallInt or DuckDBType.UnsignedTinyInt => Int16Type.Default,
        DuckDBType.Integer or DuckDBType.UnsignedSmallInt => Int32Type.Default,
        DuckDBType.BigInt or DuckDBType.UnsignedInteger => Int64Type.Default,
        DuckDBType.Float => FloatType.Default,
        DuckDBType.Double => DoubleType.Default,
        DuckDBType.Date => Date32Type.Default,
        DuckDBType.Time => jdbc ? new Time32Type(TimeUnit.Millisecond) : new Time64Type(TimeUnit.Microsecond),
        DuckDBType.Timestamp => new TimestampType(jdbc ? TimeUnit.Millisecond : TimeUnit.Microsecond, (string?)null),
        DuckDBType.TimestampTz => new TimestampType(jdbc ? TimeUnit.Millisecond : TimeUnit.Microsecond, jdbc ? null : "UTC"),
        DuckDBType.Blob => BinaryType.Default,
        _ => StringType.Default,
    };

    // The engine's wrapper does not have this one of its functions.
    [DllImport("duckdb", EntryPoint = "duckdb_param_type")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.AssemblyDirectory | DllImportSearchPath.SafeDirectories)]
    private static extern DuckDBType ParameterType(nint statement, ulong index);
}
