using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using DuckDB.NET.Data;
using DuckDB.NET.Native;
using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Merging;

/// <summary>Functions of the engine that tell which rows of a scan are live, by positions or keys that lie in memory of ours: an anti join with a table of them takes three to four times as
/// long over a million rows, and the table has to be made.</summary>
/// <remarks>Source: duckdb.h, "Scalar Functions". Statements of users cannot call them: they are not among the allowed functions.</remarks>
internal static unsafe partial class LiveRows
{
    private const string PositionFunction = "lakeholo_live_position";
    private const string KeyFunction = "lakeholo_live_key";
    private const int TypeBoolean = 1;
    private const int TypeInteger = 4;
    private const int TypeBigInt = 5;
    private const int TypeUBigInt = 9;

    // Positions and keys of all results that are kept; what does not find room here is left to tables of the engine, which its own limit holds for.
    private const long MaxBytes = 256L << 20;

    private static readonly ConditionalWeakTable<EngineDatabase, object> Known = [];
    private static readonly ConcurrentDictionary<int, Array> Scans = new();
    private static int _scans;
    private static long _bytes;

    /// <summary>Takes room for positions or keys; whoever got it gives it back with a negative number.</summary>
    public static bool TryReserve(long bytes)
    {
        if (Interlocked.Add(ref _bytes, bytes) <= MaxBytes || bytes <= 0)
        {
            return true;
        }

        Interlocked.Add(ref _bytes, -bytes);
        return false;
    }

    /// <summary>A condition on the rows of a scan: their positions are in none of the sets; null where there are none.</summary>
    /// <param name="engine">Runs the scan.</param>
    /// <param name="dead">A set, or null, for each file of the scan, in its order.</param>
    /// <param name="alias">Name of the scan, which tells <c>file_index</c> and <c>file_row_number</c>.</param>
    /// <param name="leases">Takes what keeps the sets until the scan is over.</param>
    public static string? Positions(EngineDatabase engine, IReadOnlyList<PositionSet?> dead, string alias, List<IAsyncDisposable> leases)
        => dead.All(d => d is null) ? null : $"{PositionFunction}({Enter(engine, dead.ToArray(), leases)}, {alias}.file_index, {alias}.file_row_number)";

    /// <summary>The same for keys.</summary>
    /// <param name="engine">Runs the scan.</param>
    /// <param name="superseded">A set, or null, for each file of the scan, in its order.</param>
    /// <param name="key">The parts of a row's key: whole numbers of at most 64 bits. A row with a NULL in its key is live.</param>
    /// <param name="alias">Name of the scan, which tells <c>file_index</c>.</param>
    /// <param name="leases">Takes what keeps the sets until the scan is over.</param>
    public static string? Keys(EngineDatabase engine, IReadOnlyList<KeySet?> superseded, IEnumerable<string> key, string alias, List<IAsyncDisposable> leases)
        => superseded.All(s => s is null) ? null : $"{KeyFunction}({Enter(engine, superseded.ToArray(), leases)}, {alias}.file_index, {string.Join(", ", key)})";

    private static string Enter(EngineDatabase engine, Array sets, List<IAsyncDisposable> leases)
    {
        lock (Known)
        {
            if (!Known.TryGetValue(engine, out _))
            {
                Register(engine);
                Known.Add(engine, Scans);
            }
        }

        int scan = Interlocked.Increment(ref _scans);
        Scans[scan] = sets;
        leases.Add(new ActionOnDispose(() => Scans.TryRemove(scan, out _)));
        return scan.ToString(CultureInfo.InvariantCulture);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TellByPosition(nint info, nint chunk, nint output)
    {
        try
        {
            int rows = (int)NativeChunks.Size(chunk);
            ulong* files = (ulong*)NativeChunks.Data(NativeChunks.Vector(chunk, 1));
            long* positions = (long*)NativeChunks.Data(NativeChunks.Vector(chunk, 2));
            byte* live = (byte*)NativeChunks.Data(output);
            if (rows == 0)
            {
                return;
            }

            var sets = (PositionSet?[])Scans[*(int*)NativeChunks.Data(NativeChunks.Vector(chunk, 0))];
            for (int from = 0, to; from < rows; from = to)
            {
                PositionSet? dead = sets[files[from]];
                for (to = from; to < rows && files[to] == files[from]; to++)
                {
                    live[to] = dead is null || !dead.Contains(positions[to]) ? (byte)1 : (byte)0;
                }
            }
        }
        catch (Exception error)
        {
            SetError(info, error.Message);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TellByKey(nint info, nint chunk, nint output)
    {
        try
        {
            int rows = (int)NativeChunks.Size(chunk);
            int parts = (int)NativeChunks.Columns(chunk) - 2;
            ulong* files = (ulong*)NativeChunks.Data(NativeChunks.Vector(chunk, 1));
            long** key = stackalloc long*[KeySet.MaxParts];
            byte* live = (byte*)NativeChunks.Data(output);
            if (rows == 0)
            {
                return;
            }

            for (int part = 0; part < parts; part++)
            {
                key[part] = (long*)NativeChunks.Data(NativeChunks.Vector(chunk, (ulong)part + 2));
            }

            var sets = (KeySet?[])Scans[*(int*)NativeChunks.Data(NativeChunks.Vector(chunk, 0))];
            for (int from = 0, to; from < rows; from = to)
            {
                for (to = from + 1; to < rows && files[to] == files[from]; to++)
                {
                }

                if (sets[files[from]] is { } superseded)
                {
                    superseded.Absent(key, from, to, live);
                }
                else
                {
                    new Span<byte>(live + from, to - from).Fill(1);
                }
            }

            for (int part = 0; part < parts; part++)
            {
                ulong* valid = (ulong*)NativeChunks.Validity(NativeChunks.Vector(chunk, (ulong)part + 2));
                for (int row = 0; valid is not null && row < rows; row++)
                {
                    live[row] |= (byte)(1 - ((valid[row >> 6] >> (row & 63)) & 1));
                }
            }
        }
        catch (Exception error)
        {
            SetError(info, error.Message);
        }
    }

    private static void Register(EngineDatabase engine)
    {
        using DuckDBConnection connection = engine.OpenConnection();
        Register(connection, PositionFunction, [TypeInteger, TypeUBigInt, TypeBigInt], &TellByPosition);
        nint overloads = CreateSet(KeyFunction);
        for (int parts = 1; parts <= KeySet.MaxParts; parts++)
        {
            nint function = Function(KeyFunction, [TypeInteger, TypeUBigInt, .. Enumerable.Repeat(TypeBigInt, parts)], &TellByKey);
            AddToSet(overloads, function);
            DestroyFunction(&function);
        }

        Check(RegisterSet(connection.NativeConnection.DangerousGetHandle(), overloads), KeyFunction);
        DestroySet(&overloads);
    }

    private static void Register(DuckDBConnection connection, string name, int[] types, delegate* unmanaged[Cdecl]<nint, nint, nint, void> tell)
    {
        nint function = Function(name, types, tell);
        Check(RegisterFunction(connection.NativeConnection.DangerousGetHandle(), function), name);
        DestroyFunction(&function);
    }

    private static nint Function(string name, int[] types, delegate* unmanaged[Cdecl]<nint, nint, nint, void> tell)
    {
        nint function = CreateFunction();
        SetName(function, name);
        foreach (int type in types)
        {
            nint parameter = LogicalType(type);
            AddParameter(function, parameter);
            DestroyType(&parameter);
        }

        nint result = LogicalType(TypeBoolean);
        SetReturnType(function, result);
        DestroyType(&result);
        SetSpecialHandling(function);
        SetFunction(function, tell);
        return function;
    }

    private static void Check(DuckDBState state, string name)
    {
        if (state != DuckDBState.Success)
        {
            throw new LakeException(LakeErrorKind.Internal, $"The engine does not take the function {name}");
        }
    }

    [LibraryImport("duckdb", EntryPoint = "duckdb_create_scalar_function")]
    private static partial nint CreateFunction();

    [LibraryImport("duckdb", EntryPoint = "duckdb_destroy_scalar_function")]
    private static partial void DestroyFunction(nint* function);

    [LibraryImport("duckdb", EntryPoint = "duckdb_scalar_function_set_name", StringMarshalling = StringMarshalling.Utf8)]
    private static partial void SetName(nint function, string name);

    [LibraryImport("duckdb", EntryPoint = "duckdb_scalar_function_add_parameter")]
    private static partial void AddParameter(nint function, nint type);

    [LibraryImport("duckdb", EntryPoint = "duckdb_scalar_function_set_return_type")]
    private static partial void SetReturnType(nint function, nint type);

    [LibraryImport("duckdb", EntryPoint = "duckdb_scalar_function_set_special_handling")]
    private static partial void SetSpecialHandling(nint function);

    [LibraryImport("duckdb", EntryPoint = "duckdb_scalar_function_set_function")]
    private static partial void SetFunction(nint function, delegate* unmanaged[Cdecl]<nint, nint, nint, void> tell);

    [LibraryImport("duckdb", EntryPoint = "duckdb_scalar_function_set_error", StringMarshalling = StringMarshalling.Utf8)]
    private static partial void SetError(nint info, string message);

    [LibraryImport("duckdb", EntryPoint = "duckdb_register_scalar_function")]
    private static partial DuckDBState RegisterFunction(nint connection, nint function);

    [LibraryImport("duckdb", EntryPoint = "duckdb_create_scalar_function_set", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint CreateSet(string name);

    [LibraryImport("duckdb", EntryPoint = "duckdb_add_scalar_function_to_set")]
    private static partial DuckDBState AddToSet(nint set, nint function);

    [LibraryImport("duckdb", EntryPoint = "duckdb_register_scalar_function_set")]
    private static partial DuckDBState RegisterSet(nint connection, nint set);

    [LibraryImport("duckdb", EntryPoint = "duckdb_destroy_scalar_function_set")]
    private static partial void DestroySet(nint* set);

    [LibraryImport("duckdb", EntryPoint = "duckdb_create_logical_type")]
    private static partial nint LogicalType(int type);

    [LibraryImport("duckdb", EntryPoint = "duckdb_destroy_logical_type")]
    private static partial void DestroyType(nint* type);
}
