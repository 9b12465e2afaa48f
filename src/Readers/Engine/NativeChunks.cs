using System.Runtime.InteropServices;

namespace LakeHolo.Readers.Engine;

/// <summary>The engine's own chunks of rows: columns as vectors, a vector's values, and its validity as a bit for each row (null where all are valid).</summary>
/// <remarks>Source: duckdb.h, "Data Chunk Interface" and "Vector Interface".</remarks>
internal static partial class NativeChunks
{
    [LibraryImport("duckdb", EntryPoint = "duckdb_data_chunk_get_size")]
    [SuppressGCTransition]
    public static partial ulong Size(nint chunk);

    [LibraryImport("duckdb", EntryPoint = "duckdb_data_chunk_get_column_count")]
    [SuppressGCTransition]
    public static partial ulong Columns(nint chunk);

    [LibraryImport("duckdb", EntryPoint = "duckdb_data_chunk_get_vector")]
    [SuppressGCTransition]
    public static partial nint Vector(nint chunk, ulong column);

    [LibraryImport("duckdb", EntryPoint = "duckdb_vector_get_data")]
    [SuppressGCTransition]
    public static partial nint Data(nint vector);

    [LibraryImport("duckdb", EntryPoint = "duckdb_vector_get_validity")]
    [SuppressGCTransition]
    public static partial nint Validity(nint vector);
}
