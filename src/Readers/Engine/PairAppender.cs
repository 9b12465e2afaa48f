using System.Runtime.InteropServices;
using DuckDB.NET.Data;
using DuckDB.NET.Native;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Readers.Engine;

/// <summary>Appends pairs to a table of two columns, INTEGER and BIGINT, in the engine's own chunks. Value by value, positions cost twenty times as much.</summary>
/// <remarks>Source: duckdb.h, "Appender" and "Data Chunk Interface".</remarks>
internal sealed unsafe partial class PairAppender : IDisposable
{
    private const int TypeInteger = 4;
    private const int TypeBigInt = 5;

    private readonly int _capacity = (int)VectorSize();
    private nint _appender;
    private nint _chunk;
    private int* _firsts;
    private long* _seconds;
    private int _size;

    /// <param name="connection">Its transaction takes the rows.</param>
    /// <param name="schema">The table's schema.</param>
    /// <param name="table">The table.</param>
    /// <exception cref="LakeException">Internal: the table is not there. The other methods: ResourcesExhausted; Internal where it has other columns.</exception>
    public PairAppender(DuckDBConnection connection, string schema, string table)
    {
        bool added = false;
        DuckDBNativeConnection native = connection.NativeConnection;
        try
        {
            native.DangerousAddRef(ref added);
            nint appender;
            DuckDBState state = Create(native.DangerousGetHandle(), schema, table, &appender);
            _appender = appender;
            Check(state);
        }
        catch
        {
            Release();
            throw;
        }
        finally
        {
            if (added)
            {
                native.DangerousRelease();
            }
        }

        nint* types = stackalloc nint[2] { LogicalType(TypeInteger), LogicalType(TypeBigInt) };
        _chunk = CreateChunk(types, 2);
        DestroyType(&types[0]);
        DestroyType(&types[1]);
        Begin();
    }

    /// <summary>Appends a pair.</summary>
    public void Append(int first, long second)
    {
        if (_size == _capacity)
        {
            Flush();
        }

        _firsts[_size] = first;
        _seconds[_size++] = second;
    }

    /// <summary>Appends a pair for each of <paramref name="seconds"/>.</summary>
    public void Append(int first, ReadOnlySpan<long> seconds)
    {
        while (seconds.Length > 0)
        {
            if (_size == _capacity)
            {
                Flush();
            }

            int count = Math.Min(seconds.Length, _capacity - _size);
            new Span<int>(_firsts + _size, count).Fill(first);
            seconds[..count].CopyTo(new Span<long>(_seconds + _size, count));
            _size += count;
            seconds = seconds[count..];
        }
    }

    /// <summary>Ends the table's rows; without it they are not all there.</summary>
    public void Complete()
    {
        Flush();
        Check(Close(_appender));
    }

    /// <inheritdoc/>
    public void Dispose() => Release();

    private void Flush()
    {
        if (_size > 0)
        {
            SetSize(_chunk, (ulong)_size);
            Check(AppendChunk(_appender, _chunk));
            Reset(_chunk);
            Begin();
        }
    }

    private void Begin()
    {
        _firsts = (int*)NativeChunks.Data(NativeChunks.Vector(_chunk, 0));
        _seconds = (long*)NativeChunks.Data(NativeChunks.Vector(_chunk, 1));
        _size = 0;
    }

    private void Check(DuckDBState state)
    {
        if (state != DuckDBState.Success)
        {
            string message = Marshal.PtrToStringUTF8(Error(_appender)) ?? "rows cannot be appended";
            throw message.Contains("could not allocate", StringComparison.OrdinalIgnoreCase) || message.Contains("Out of Memory", StringComparison.OrdinalIgnoreCase)
                ? LakeException.ResourcesExhausted("Positions of superseded and deleted rows do not fit into the engine's memory: " + message)
                : new LakeException(LakeErrorKind.Internal, message);
        }
    }

    private void Release()
    {
        nint chunk = _chunk;
        nint appender = _appender;
        (_chunk, _appender) = (0, 0);
        if (chunk != 0)
        {
            DestroyChunk(&chunk);
        }

        if (appender != 0)
        {
            _ = Destroy(&appender);
        }
    }

    [LibraryImport("duckdb", EntryPoint = "duckdb_vector_size")]
    private static partial ulong VectorSize();

    [LibraryImport("duckdb", EntryPoint = "duckdb_appender_create", StringMarshalling = StringMarshalling.Utf8)]
    private static partial DuckDBState Create(nint connection, string schema, string table, nint* appender);

    [LibraryImport("duckdb", EntryPoint = "duckdb_appender_error")]
    private static partial nint Error(nint appender);

    [LibraryImport("duckdb", EntryPoint = "duckdb_appender_close")]
    private static partial DuckDBState Close(nint appender);

    [LibraryImport("duckdb", EntryPoint = "duckdb_appender_destroy")]
    private static partial DuckDBState Destroy(nint* appender);

    [LibraryImport("duckdb", EntryPoint = "duckdb_append_data_chunk")]
    private static partial DuckDBState AppendChunk(nint appender, nint chunk);

    [LibraryImport("duckdb", EntryPoint = "duckdb_create_logical_type")]
    private static partial nint LogicalType(int type);

    [LibraryImport("duckdb", EntryPoint = "duckdb_destroy_logical_type")]
    private static partial void DestroyType(nint* type);

    [LibraryImport("duckdb", EntryPoint = "duckdb_create_data_chunk")]
    private static partial nint CreateChunk(nint* types, ulong columns);

    [LibraryImport("duckdb", EntryPoint = "duckdb_destroy_data_chunk")]
    private static partial void DestroyChunk(nint* chunk);

    [LibraryImport("duckdb", EntryPoint = "duckdb_data_chunk_reset")]
    private static partial void Reset(nint chunk);

    [LibraryImport("duckdb", EntryPoint = "duckdb_data_chunk_set_size")]
    private static partial void SetSize(nint chunk, ulong size);
}
