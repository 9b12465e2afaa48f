using System.Runtime.InteropServices;
using DuckDB.NET.Data;
using DuckDB.NET.Native;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Readers.Engine;

/// <summary>Rows of whole numbers from the engine, in its own chunks. Value by value they cost ten times as much.</summary>
/// <remarks>Source: duckdb.h, "Query Execution" and "Data Chunk Interface".</remarks>
internal static unsafe partial class EngineNumbers
{
    /// <summary>Takes some rows.</summary>
    /// <param name="columns">Their values, column by column.</param>
    /// <param name="rows">How many there are.</param>
    public delegate void Take(long** columns, int rows);

    /// <summary>Runs a query.</summary>
    /// <param name="connection">Runs it.</param>
    /// <param name="sql">The query; all its columns are BIGINT.</param>
    /// <param name="take">Takes its rows, in no order.</param>
    /// <returns>False where a value is NULL: not all rows were taken.</returns>
    /// <exception cref="DuckDBException">As for any other query.</exception>
    public static bool TryRead(DuckDBConnection connection, string sql, Take take)
    {
        Result result;
        DuckDBState state = Query(connection.NativeConnection.DangerousGetHandle(), sql, &result);
        try
        {
            if (state != DuckDBState.Success)
            {
                string message = Marshal.PtrToStringUTF8(Error(&result)) ?? "a query failed";
                // Once more for the exception that everybody knows.
                EngineDatabase.Execute(connection, sql);
                throw new LakeException(LakeErrorKind.Internal, message);
            }

            int width = (int)Columns(&result);
            long** columns = stackalloc long*[width];
            for (nint chunk = Fetch(result); chunk != 0; chunk = Fetch(result))
            {
                int rows = (int)NativeChunks.Size(chunk);
                bool isWhole = true;
                for (int i = 0; i < width; i++)
                {
                    nint vector = NativeChunks.Vector(chunk, (ulong)i);
                    columns[i] = (long*)NativeChunks.Data(vector);
                    isWhole &= AreValid((ulong*)NativeChunks.Validity(vector), rows);
                }

                if (isWhole)
                {
                    take(columns, rows);
                }

                DestroyChunk(&chunk);
                if (!isWhole)
                {
                    return false;
                }
            }

            return true;
        }
        finally
        {
            DestroyResult(&result);
        }
    }

    private static bool AreValid(ulong* mask, int rows)
    {
        for (int row = 0; mask is not null && row < rows; row++)
        {
            if (((mask[row >> 6] >> (row & 63)) & 1) == 0)
            {
                return false;
            }
        }

        return true;
    }

    [LibraryImport("duckdb", EntryPoint = "duckdb_query", StringMarshalling = StringMarshalling.Utf8)]
    private static partial DuckDBState Query(nint connection, string sql, Result* result);

    [LibraryImport("duckdb", EntryPoint = "duckdb_result_error")]
    private static partial nint Error(Result* result);

    [LibraryImport("duckdb", EntryPoint = "duckdb_column_count")]
    private static partial ulong Columns(Result* result);

    [LibraryImport("duckdb", EntryPoint = "duckdb_fetch_chunk")]
    private static partial nint Fetch(Result result);

    [LibraryImport("duckdb", EntryPoint = "duckdb_destroy_result")]
    private static partial void DestroyResult(Result* result);

    [LibraryImport("duckdb", EntryPoint = "duckdb_destroy_data_chunk")]
    private static partial void DestroyChunk(nint* chunk);

    // duckdb_result: fields of its own.
    [StructLayout(LayoutKind.Sequential)]
    private readonly struct Result
    {
        private readonly ulong _columns;
        private readonly ulong _rows;
        private readonly ulong _changed;
        private readonly nint _values;
        private readonly nint _message;
        private readonly nint _data;
    }
}
