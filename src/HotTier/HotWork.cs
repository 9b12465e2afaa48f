using DuckDB.NET.Data;

namespace LakeHolo.HotTier;

/// <summary>What is being done to a table's copy, and how far it is.</summary>
internal sealed class HotWork
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _gate = new();
    private DuckDBConnection? _connection;
    private string? _path;
    private (int Number, int Of, long RowsBefore) _part = (0, 1, 0);

    /// <summary>Files of the lake that are or were read.</summary>
    public long? Files { get; private set; }

    public Task Done => _done.Task;

    /// <summary>A part of the work begins.</summary>
    /// <param name="number">Its number.</param>
    /// <param name="of">How many of about the same size there are.</param>
    /// <param name="rowsBefore">Rows of those before.</param>
    /// <param name="files">Files that it reads.</param>
    public void Begin(int number, int of, long rowsBefore, long? files)
    {
        lock (_gate)
        {
            _part = (number, of, rowsBefore);
            Files = files is null ? Files : (Files ?? 0) + files;
        }
    }

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
                ? (((_part.Number * 100) + progress.Percentage) / _part.Of, _part.RowsBefore + (long)progress.RowsProcessed, bytes)
                : (_part.Number > 0 ? _part.Number * 100.0 / _part.Of : null, _part.Number > 0 ? _part.RowsBefore : null, bytes);
        }
    }

    public void Finish() => _done.TrySetResult();
}
