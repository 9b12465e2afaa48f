using System.Globalization;
using Apache.Arrow;
using Apache.Arrow.Ipc;
using DuckDB.NET.Data;
using LakeHolo.Accelerator.Execution;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Bench.Harness;

/// <summary>DuckDB through its own API, with the threads, memory and order setting of ours.</summary>
internal sealed class DuckPeer : IDisposable
{
    private readonly DuckDBConnection _connection;

    /// <param name="bench">Tells threads and memory.</param>
    /// <param name="file">A database file, or null for one in memory.</param>
    public DuckPeer(BenchContext bench, string? file = null)
    {
        _connection = new DuckDBConnection($"DataSource={file ?? ":memory:"}");
        _connection.Open();
        Execute(string.Create(
            CultureInfo.InvariantCulture,
            $"SET threads = {bench.Options.Threads}; SET memory_limit = '{bench.Options.MemoryBytes >> 20}MiB'; SET TimeZone = 'UTC'; SET preserve_insertion_order = false"));
    }

    private DuckPeer(DuckDBConnection connection)
    {
        _connection = connection;
        _connection.Open();
    }

    /// <summary>One more connection to the same database.</summary>
    public DuckPeer Another() => new(_connection.Duplicate());

    /// <summary>Makes a view of each folder of Parquet files below a folder, named as LakeHolo names them: <c>schema.table</c>.</summary>
    public void ViewFolders(string location, string schema)
    {
        Execute($"CREATE SCHEMA IF NOT EXISTS {SqlText.Identifier(schema)}");
        foreach (string table in Directory.GetDirectories(Path.Combine(location, schema)))
        {
            Execute(
                $"CREATE VIEW {SqlText.Identifier(schema)}.{SqlText.Identifier(Path.GetFileName(table))} AS SELECT * FROM read_parquet({SqlText.Literal(table + "/**/*.parquet")}, hive_partitioning = {(Directory.EnumerateDirectories(table).Any() ? "true" : "false")})");
        }
    }

    public void Execute(string sql)
    {
        using DuckDBCommand command = _connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    /// <summary>Runs a statement and drops its rows, which come as Arrow batches.</summary>
    public Task<long> RunAsync(string sql) => ReadAsync(sql, async stream =>
    {
        long rows = 0;
        while (await stream.ReadNextRecordBatchAsync() is { } batch)
        {
            rows += batch.Length;
            batch.Dispose();
        }

        return rows;
    });

    /// <summary>Runs a statement, drops its rows and tells the bytes of their buffers.</summary>
    public Task<long> BytesAsync(string sql) => ReadAsync(sql, async stream =>
    {
        long bytes = 0;
        while (await stream.ReadNextRecordBatchAsync() is { } batch)
        {
            bytes += BatchBytes.Of(batch);
            batch.Dispose();
        }

        return bytes;
    });

    /// <summary>Runs a statement and keeps its rows.</summary>
    public Task<Answer> AnswerAsync(string sql) => ReadAsync(sql, stream => Answer.ReadAsync(BatchesAsync(stream)));

    public void Dispose() => _connection.Dispose();

    private static async IAsyncEnumerable<RecordBatch> BatchesAsync(IArrowArrayStream stream)
    {
        while (await stream.ReadNextRecordBatchAsync() is { } batch)
        {
            yield return batch;
        }
    }

    private async Task<T> ReadAsync<T>(string sql, Func<IArrowArrayStream, Task<T>> read)
    {
        using DuckDBCommand command = _connection.CreateCommand();
        command.CommandText = sql;
        command.UseStreamingMode = true;
        using IArrowArrayStream stream = command.ExecuteArrowStream();
        return await read(stream);
    }
}
