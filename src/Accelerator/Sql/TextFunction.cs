using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using DuckDB.NET.Data;
using DuckDB.NET.Native;

namespace LakeHolo.Accelerator.Sql;

/// <summary>A function of the engine from one text to another, prepared once per connection: parsing, binding and optimising the call would take several
/// times as long as the call.</summary>
/// <param name="sql">A SELECT of one row and one text column, with one marker.</param>
internal sealed class TextFunction(string sql)
{
    private readonly ConditionalWeakTable<DuckDBConnection, DuckDBPreparedStatement> _prepared = [];

    /// <summary>Calls it.</summary>
    /// <exception cref="TextFunctionException">The engine's message.</exception>
    public string Call(DuckDBConnection connection, string argument)
    {
        DuckDBPreparedStatement statement = _prepared.GetValue(connection, Prepare);
        NativeMethods.PreparedStatements.DuckDBBindVarchar(statement, 1, argument);
        DuckDBState state = NativeMethods.PreparedStatements.DuckDBExecutePrepared(statement, out DuckDBResult result);
        try
        {
            if (state != DuckDBState.Success)
            {
                throw new TextFunctionException(NativeMethods.Query.DuckDBResultError(ref result));
            }

            using DuckDBDataChunk rows = NativeMethods.Query.DuckDBFetchChunk(result);
            return Only(rows);
        }
        finally
        {
            NativeMethods.Query.DuckDBDestroyResult(ref result);
        }
    }

    private DuckDBPreparedStatement Prepare(DuckDBConnection connection)
    {
        DuckDBState state = NativeMethods.PreparedStatements.DuckDBPrepare(connection.NativeConnection, sql, out DuckDBPreparedStatement statement);
        return state == DuckDBState.Success ? statement : throw new TextFunctionException(NativeMethods.PreparedStatements.DuckDBPrepareError(statement));
    }

    private static unsafe string Only(DuckDBDataChunk rows)
    {
        if (rows.IsInvalid || NativeMethods.DataChunks.DuckDBDataChunkGetSize(rows) != 1)
        {
            throw new TextFunctionException("one row was expected");
        }

        IntPtr column = NativeMethods.DataChunks.DuckDBDataChunkGetVector(rows, 0);
        ulong* valid = NativeMethods.Vectors.DuckDBVectorGetValidity(column);
        if (valid is not null && (*valid & 1) == 0)
        {
            throw new TextFunctionException("the result is NULL");
        }

        var text = (DuckDBString*)NativeMethods.Vectors.DuckDBVectorGetData(column);
        return Encoding.UTF8.GetString((byte*)text->Data, text->Length);
    }
}

/// <summary>The engine refused a call.</summary>
/// <param name="message">Its message.</param>
internal sealed class TextFunctionException(string message) : Exception(message);
