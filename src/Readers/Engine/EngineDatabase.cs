using System.Globalization;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Readers.Engine;

/// <summary>Bounds of the embedded engine.</summary>
public sealed record EngineOptions
{
    /// <summary>Worker threads; 0 for one per processor.</summary>
    public int Threads { get; init; }

    /// <summary>Memory limit in bytes; 0 for the engine's default (80 % of the machine).</summary>
    public long MemoryLimitBytes { get; init; }

    /// <summary>Folder for spilled data; null to refuse spilling.</summary>
    public string? SpillDirectory { get; init; }

    /// <summary>Bound of spilled data in bytes; 0 for the engine's default.</summary>
    public long MaxSpillBytes { get; init; }

    /// <summary>Folders (and what is below them) that the engine may open: local sources, the cache, the hot tier. Everything else is locked, and
    /// the settings with it.</summary>
    public IReadOnlyList<string> AllowedDirectories { get; init; } = [];
}

/// <summary>The embedded engine: one in-memory DuckDB database per process, shared by readers (bulk work on keys and positions) and sessions.</summary>
public sealed class EngineDatabase : IDisposable
{
    /// <summary>What a connection has to set so that the engine tells how far a statement is; nothing else can be set once the settings are locked.</summary>
    private static readonly Dictionary<string, string> ProgressSettings = new(StringComparer.Ordinal)
    {
        ["enable_progress_bar"] = "true",
        ["enable_progress_bar_print"] = "false",
        ["progress_bar_time"] = "0",
    };

    private readonly DuckDBConnection _keeper;
    private readonly LentThreads _lent;
    private readonly int _threads;

    /// <summary>Opens the database, applies the bounds and locks them.</summary>
    /// <param name="options">The bounds.</param>
    /// <param name="setting">One more SET statement, before the settings are locked.</param>
    public EngineDatabase(EngineOptions options, string? setting = null)
    {
        // The database lives while a connection to it is open. A name after ':memory:' would make it a file in the working folder.
        MemoryLimitBytes = options.MemoryLimitBytes > 0 ? options.MemoryLimitBytes : GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 5 * 4;
        _keeper = new DuckDBConnection("DataSource=:memory:");
        _keeper.Open();
        _lent = new LentThreads(_keeper);
        _threads = options.Threads > 0 ? options.Threads : Environment.ProcessorCount;
        foreach (string statement in (setting is null ? Settings(options) : Settings(options).Prepend(setting)))
        {
            Execute(_keeper, statement);
        }
    }

    /// <summary>What all its statements may hold together, in bytes; where nothing was set, about what the engine takes by itself.</summary>
    public long MemoryLimitBytes { get; }

    /// <summary>What they hold now, in bytes.</summary>
    public long MemoryBytes()
    {
        using DuckDBConnection connection = OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = "SELECT CAST(sum(memory_usage_bytes) AS BIGINT) FROM duckdb_memory()";
        return (long)command.ExecuteScalar()!;
    }

    /// <summary>What holds the memory: the engine's own names of it, with their bytes, in memory and in temporary files, largest first.</summary>
    public string MemoryByUse()
    {
        using DuckDBConnection connection = OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText =
            "SELECT string_agg(tag || ' ' || memory_usage_bytes || '/' || temporary_storage_bytes, ', ' ORDER BY memory_usage_bytes DESC) FROM duckdb_memory() WHERE memory_usage_bytes + temporary_storage_bytes > 0";
        return command.ExecuteScalar() as string ?? "nothing";
    }

    /// <summary>Whether it answers. After an error inside itself it refuses every statement: then only a new one helps.</summary>
    public bool IsUsable()
    {
        try
        {
            using DuckDBConnection connection = OpenConnection();
            Execute(connection, "SELECT 1");
            return true;
        }
        catch (DuckDBException e)
        {
            return FailureInside(e) is null; // of others it may say that it has no memory just now
        }
    }

    /// <summary>What users are told of an error inside the engine (a check of its own failed), or of a statement that was refused because of an earlier one: without the engine's stack. Null for other errors.</summary>
    public static LakeException? FailureInside(Exception error) =>
        error.Message.StartsWith("INTERNAL Error", StringComparison.Ordinal) || error.Message.Contains("because of a previous fatal error", StringComparison.Ordinal)
            ? LakeException.StorageUnavailable("The engine failed inside and refuses every statement until it is started anew, which a server does by itself", null, isTransient: true, error)
            : null;

    /// <summary>Opens a connection; the caller disposes it. One thread at a time.</summary>
    public DuckDBConnection OpenConnection()
    {
        DuckDBConnection connection = _keeper.Duplicate();
        connection.Open();
        return connection;
    }

    /// <summary>Opens a connection whose <see cref="DuckDBConnection.GetQueryProgress"/> tells how far a long statement is.</summary>
    public DuckDBConnection OpenWatchedConnection()
    {
        DuckDBConnection connection = OpenConnection();
        foreach ((string name, string value) in ProgressSettings)
        {
            Execute(connection, $"SET {name} = {value}");
        }

        return connection;
    }

    /// <summary>Whether statements may open files that others wait for: then threads are lent to the engine in place of those that wait.</summary>
    public bool CanWait => _lent.IsPossible;

    /// <summary>Lends the engine as many threads as it has, while some of its own wait for files.</summary>
    /// <param name="isOver">Whether nobody will wait any more.</param>
    /// <param name="isAwaited">Whether a thread waits now.</param>
    public void LendThreads(Func<bool> isOver, Func<bool> isAwaited) => _lent.Lend(_threads, isOver, isAwaited);

    /// <summary>Runs a statement without a result.</summary>
    public static void Execute(DuckDBConnection connection, string sql)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    /// <inheritdoc/>
    public void Dispose() => _keeper.Dispose();

    private static IEnumerable<string> Settings(EngineOptions options)
    {
        if (options.Threads > 0)
        {
            yield return $"SET threads = {options.Threads.ToString(CultureInfo.InvariantCulture)}";
        }

        if (options.MemoryLimitBytes > 0)
        {
            yield return $"SET memory_limit = '{(options.MemoryLimitBytes / 1024).ToString(CultureInfo.InvariantCulture)}KiB'";
        }

        yield return $"SET temp_directory = {SqlText.Literal(options.SpillDirectory ?? string.Empty)}";
        if (options.MaxSpillBytes > 0)
        {
            yield return $"SET max_temp_directory_size = '{(options.MaxSpillBytes / 1024).ToString(CultureInfo.InvariantCulture)}KiB'";
        }

        // Without GLOBAL it would be the keeper's alone, and the machine's zone that of all others.
        yield return "SET GLOBAL TimeZone = 'UTC'";
        yield return "SET preserve_insertion_order = false";
        // What footers say is kept, within the memory limit: parsing that of a wide file takes longer than many a query. Cache/LocalNames.cs says why that is exact.
        yield return "SET GLOBAL parquet_metadata_cache = true";
        // The engine's own cache of files' bytes goes by a time of change in whole seconds and the size: of a file that is replaced within the second it was read in, it gave the old bytes.
        yield return "SET enable_external_file_cache = false";
        yield return "SET autoinstall_known_extensions = false";
        yield return "SET autoload_known_extensions = false";
        yield return "SET allow_community_extensions = false";
        string[] directories = [.. options.AllowedDirectories.Select(d => SqlText.Literal(d.EndsWith('/') ? d : d + "/"))];
        yield return $"SET allowed_directories = [{string.Join(", ", directories)}]";
        yield return "SET enable_external_access = false";
        yield return $"SET allowed_configs = [{string.Join(", ", ProgressSettings.Keys.Select(SqlText.Literal))}]";
        yield return "SET lock_configuration = true";
    }
}
