using System.Runtime.InteropServices;
using System.Text;

namespace LakeHolo.Integration.Tests.Harness;

/// <summary>An ODBC connection through the driver manager (unixODBC), by the functions that applications call.</summary>
internal sealed partial class OdbcConnection : IDisposable
{
    private const short Success = 0;
    private const short SuccessWithInfo = 1;
    private const short NoData = 100;
    private const int TextBytes = 4096;

    private readonly IntPtr _environment;
    private readonly IntPtr _connection;

    public OdbcConnection(string connectionString)
    {
        Assert.Equal(Success, SQLAllocHandle(1, 0, out _environment));
        Assert.Equal(Success, SQLSetEnvAttr(_environment, 200, 3, 0));
        Assert.Equal(Success, SQLAllocHandle(2, _environment, out _connection));
        Check(SQLDriverConnect(_connection, 0, connectionString, -3, null, 0, out _, 0), 2, _connection);
    }

    /// <summary>Why a connection is refused.</summary>
    public static string Refused(string connectionString)
    {
        var error = Assert.ThrowsAny<Exception>(() => new OdbcConnection(connectionString).Dispose());
        return error.Message;
    }

    public IntPtr NewStatement()
    {
        Check(SQLAllocHandle(3, _connection, out IntPtr statement), 2, _connection);
        return statement;
    }

    public static void Free(IntPtr statement) => SQLFreeHandle(3, statement);

    public static void Check(short code, IntPtr statement) => Check(code, 3, statement);

    /// <summary>Runs something that gives rows and reads all as text, NULL as <c>-</c>.</summary>
    public (string[] Names, string[][] Rows) Read(Func<IntPtr, short> run)
    {
        IntPtr statement = NewStatement();
        try
        {
            Check(run(statement), statement);
            return ReadAll(statement);
        }
        finally
        {
            Free(statement);
        }
    }

    public static (string[] Names, string[][] Rows) ReadAll(IntPtr statement)
    {
        Check(SQLNumResultCols(statement, out short count), statement);
        string[] names = [.. Enumerable.Range(1, count).Select(c => Describe(statement, (ushort)c).Name)];
        var rows = new List<string[]>();
        for (short code = SQLFetch(statement); code != NoData; code = SQLFetch(statement))
        {
            Check(code, statement);
            rows.Add([.. Enumerable.Range(1, count).Select(c => Text(statement, (ushort)c))]);
        }

        return (names, [.. rows]);
    }

    /// <summary>SQLDescribeCol.</summary>
    public static (string Name, short Type, ulong Size, short Digits, bool? Nullable) Describe(IntPtr statement, ushort column)
    {
        byte[] name = new byte[256];
        Check(SQLDescribeCol(statement, column, name, (short)name.Length, out short length, out short type, out ulong size, out short digits, out short nullable), statement);
        return (Encoding.UTF8.GetString(name, 0, length), type, size, digits, nullable switch { 0 => false, 1 => true, _ => null });
    }

    /// <summary>SQLColAttribute of a text.</summary>
    public static string Attribute(IntPtr statement, ushort column, ushort field)
    {
        byte[] text = new byte[256];
        Check(SQLColAttribute(statement, column, field, text, (short)text.Length, out short length, out _), statement);
        return Encoding.UTF8.GetString(text, 0, length);
    }

    /// <summary>Runs something that fails; gives its SQLSTATE and message.</summary>
    public (string State, string Message) Fail(Func<IntPtr, short> run)
    {
        IntPtr statement = NewStatement();
        try
        {
            Assert.Equal(-1, run(statement));
            return Diagnosis(3, statement);
        }
        finally
        {
            Free(statement);
        }
    }

    /// <summary>Reads rows by portions into bound columns: two columns, both as numbers.</summary>
    public unsafe (int Rows, long Sum, int Portions) ReadByArrays(string sql, int size)
    {
        IntPtr statement = NewStatement();
        try
        {
            long* values = stackalloc long[size];
            long* lengths = stackalloc long[size];
            ulong fetched = 0;
            Check(SQLSetStmtAttr(statement, 27, (IntPtr)size, 0), statement); // SQL_ATTR_ROW_ARRAY_SIZE
            Check(SQLSetStmtAttr(statement, 26, (IntPtr)(&fetched), 0), statement); // SQL_ATTR_ROWS_FETCHED_PTR
            Check(SQLBindCol(statement, 1, -25, (IntPtr)values, 8, (IntPtr)lengths), statement); // SQL_C_SBIGINT
            Check(SQLExecDirect(statement, sql, -3), statement);
            (int rows, long sum, int portions) = (0, 0L, 0);
            while (SQLFetch(statement) is var code && code != NoData)
            {
                Check(code, statement);
                portions++;
                rows += (int)fetched;
                for (int i = 0; i < (int)fetched; i++)
                {
                    sum += values[i];
                }
            }

            return (rows, sum, portions);
        }
        finally
        {
            Free(statement);
        }
    }

    /// <summary>Prepares a statement, binds values as C text of SQL types, and runs it for each row of values.</summary>
    public unsafe string[][][] ReadPrepared(string sql, short[] sqlTypes, params string?[][] executions)
    {
        IntPtr statement = NewStatement();
        var answers = new List<string[][]>();
        long* lengths = stackalloc long[sqlTypes.Length];
        try
        {
            Check(SQLPrepare(statement, sql, -3), statement);
            foreach (string?[] values in executions)
            {
                var held = new List<IntPtr>();
                for (int i = 0; i < values.Length; i++)
                {
                    held.Add(Marshal.StringToCoTaskMemUTF8(values[i] ?? string.Empty));
                    lengths[i] = values[i] is { } text ? Encoding.UTF8.GetByteCount(text) : -1;
                    Check(SQLBindParameter(statement, (ushort)(i + 1), 1, 1, sqlTypes[i], 100, 0, held[i], 0, (IntPtr)(lengths + i)), statement);
                }

                Check(SQLExecute(statement), statement);
                answers.Add(ReadAll(statement).Rows);
                Check(SQLFreeStmt(statement, 0), statement); // SQL_CLOSE
                held.ForEach(Marshal.FreeCoTaskMem);
            }

            return [.. answers];
        }
        finally
        {
            Free(statement);
        }
    }

    /// <summary>Prepares a statement, binds values as they lie in a C program (type in C, type in SQL, digits in all and after the point, bytes; null for NULL), and reads its rows.</summary>
    public unsafe string[][] ReadBound(string sql, params (short C, short Sql, ulong Size, short Digits, byte[]? Value)[] values)
    {
        IntPtr statement = NewStatement();
        long* lengths = stackalloc long[values.Length];
        var held = new List<GCHandle>();
        try
        {
            Check(SQLPrepare(statement, sql, -3), statement);
            for (int i = 0; i < values.Length; i++)
            {
                byte[] bytes = values[i].Value ?? new byte[16];
                held.Add(GCHandle.Alloc(bytes, GCHandleType.Pinned));
                lengths[i] = values[i].Value is null ? -1 : bytes.Length;
                Check(SQLBindParameter(statement, (ushort)(i + 1), 1, values[i].C, values[i].Sql, values[i].Size, values[i].Digits, held[i].AddrOfPinnedObject(), bytes.Length, (IntPtr)(lengths + i)), statement);
            }

            Check(SQLExecute(statement), statement);
            return ReadAll(statement).Rows;
        }
        finally
        {
            Free(statement);
            held.ForEach(h => h.Free());
        }
    }

    /// <summary>Cancels a statement from another thread once it runs; gives the SQLSTATE that it ends with.</summary>
    public async Task<string> CancelAsync(string sql)
    {
        IntPtr statement = NewStatement();
        Task<short> running = Task.Run(() => SQLExecDirect(statement, sql, -3));
        await Task.Delay(500);
        Assert.False(running.IsCompleted);
        Check(SQLCancel(statement), statement);
        Assert.Equal(-1, await running.WaitAsync(TimeSpan.FromSeconds(30)));
        string state = Diagnosis(3, statement).State;
        Free(statement);
        return state;
    }

    public void Dispose()
    {
        SQLDisconnect(_connection);
        SQLFreeHandle(2, _connection);
        SQLFreeHandle(1, _environment);
    }

    private static string Text(IntPtr statement, ushort column)
    {
        byte[] text = new byte[TextBytes];
        Check(SQLGetData(statement, column, 1, text, text.Length, out long length), statement);
        return length < 0 ? "-" : Encoding.UTF8.GetString(text, 0, (int)length);
    }

    private static void Check(short code, short kind, IntPtr handle)
    {
        if (code is not (Success or SuccessWithInfo or NoData))
        {
            (string state, string message) = Diagnosis(kind, handle);
            Assert.Fail($"{state}: {message}");
        }
    }

    private static (string State, string Message) Diagnosis(short kind, IntPtr handle)
    {
        byte[] state = new byte[6];
        byte[] message = new byte[1024];
        SQLGetDiagRec(kind, handle, 1, state, out _, message, (short)message.Length, out short length);
        return (Encoding.ASCII.GetString(state, 0, 5), Encoding.UTF8.GetString(message, 0, Math.Max((short)0, length)));
    }

    private const string Library = "libodbc.so.2";

    [LibraryImport(Library)]
    private static partial short SQLAllocHandle(short kind, IntPtr input, out IntPtr output);

    [LibraryImport(Library)]
    private static partial short SQLFreeHandle(short kind, IntPtr handle);

    [LibraryImport(Library)]
    private static partial short SQLSetEnvAttr(IntPtr environment, int attribute, IntPtr value, int length);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    private static partial short SQLDriverConnect(IntPtr connection, IntPtr window, string input, short inputLength, byte[]? output, short outputSize, out short outputLength, ushort completion);

    [LibraryImport(Library)]
    private static partial short SQLDisconnect(IntPtr connection);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    public static partial short SQLExecDirect(IntPtr statement, string sql, int length);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    public static partial short SQLPrepare(IntPtr statement, string sql, int length);

    [LibraryImport(Library)]
    public static partial short SQLExecute(IntPtr statement);

    [LibraryImport(Library)]
    private static partial short SQLCancel(IntPtr statement);

    [LibraryImport(Library)]
    private static partial short SQLFetch(IntPtr statement);

    [LibraryImport(Library)]
    private static partial short SQLFreeStmt(IntPtr statement, ushort option);

    [LibraryImport(Library)]
    private static partial short SQLNumResultCols(IntPtr statement, out short count);

    [LibraryImport(Library)]
    private static partial short SQLDescribeCol(
        IntPtr statement, ushort column, byte[] name, short nameSize, out short nameLength, out short type, out ulong size, out short digits, out short nullable);

    [LibraryImport(Library)]
    private static partial short SQLColAttribute(IntPtr statement, ushort column, ushort field, byte[] text, short size, out short length, out long number);

    [LibraryImport(Library)]
    private static partial short SQLGetData(IntPtr statement, ushort column, short type, byte[] value, long size, out long length);

    [LibraryImport(Library)]
    private static partial short SQLBindCol(IntPtr statement, ushort column, short type, IntPtr value, long size, IntPtr lengths);

    [LibraryImport(Library)]
    private static partial short SQLBindParameter(
        IntPtr statement, ushort number, short direction, short valueType, short parameterType, ulong columnSize, short digits, IntPtr value, long size, IntPtr lengths);

    [LibraryImport(Library)]
    private static partial short SQLSetStmtAttr(IntPtr statement, int attribute, IntPtr value, int length);

    [LibraryImport(Library)]
    private static partial short SQLGetDiagRec(short kind, IntPtr handle, short record, byte[] state, out int native, byte[] message, short size, out short length);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    public static partial short SQLTables(IntPtr statement, string? catalog, short catalogLength, string? schema, short schemaLength, string? table, short tableLength, string? types, short typesLength);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    public static partial short SQLColumns(IntPtr statement, string? catalog, short catalogLength, string? schema, short schemaLength, string? table, short tableLength, string? column, short columnLength);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    public static partial short SQLPrimaryKeys(IntPtr statement, string? catalog, short catalogLength, string? schema, short schemaLength, string? table, short tableLength);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    public static partial short SQLForeignKeys(
        IntPtr statement, string? keyCatalog, short keyCatalogLength, string? keySchema, short keySchemaLength, string? keyTable, short keyTableLength, string? catalog, short catalogLength,
        string? schema, short schemaLength, string? table, short tableLength);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    public static partial short SQLStatistics(IntPtr statement, string? catalog, short catalogLength, string? schema, short schemaLength, string? table, short tableLength, ushort unique, ushort reserved);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    public static partial short SQLSpecialColumns(
        IntPtr statement, ushort kind, string? catalog, short catalogLength, string? schema, short schemaLength, string? table, short tableLength, ushort scope, ushort nullable);

    [LibraryImport(Library)]
    public static partial short SQLGetTypeInfo(IntPtr statement, short type);
}
