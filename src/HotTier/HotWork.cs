using DuckDB.NET.Data;

namespace LakeHolo.HotTier;

/// <summary>What is being done to a table's copy, and how far it is.</summary>
internal sealed class HotWork
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _gate = new();
    private DuckDBConnection? _connection;
    private string? _path;

    /// <summary>Files of the lake that are read.</summary>
    public long? Files { get; set; }

    public Task Done => _done.Task;

    /// <summary>The connection that builds and the file that it writes; null when it is through, before the connection is closed.</summary>
    public void Watch(DuckDBConnection? connection, string path)
    {
        lock (_gate)
        {
            _connection = connection;
            _path = path;
        }
    }

    /// <summary>Percent and rows that the engine has worked through, and bytes of the file; it keeps the last of them in memory.</summary>
    public (double? Percent, long? Rows, long? Bytes) Progress()
    {
        lock (_gate)
        {
            long? bytes = _path is { } path && new FileInfo(path) is { Exists: true } file ? file.Length : null;
            return _connection?.GetQueryProgress() is { Percentage: >= 0 } progress
                ? (progress.Percentage, (long)progress.RowsProcessed, bytes)
                : (null, null, bytes);
        }
    }

    public void Finish() => _done.TrySetResult();
}
