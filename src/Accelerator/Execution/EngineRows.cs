using Apache.Arrow;
using Apache.Arrow.Ipc;
using DuckDB.NET.Data;

namespace LakeHolo.Accelerator.Execution;

/// <summary>A statement at the engine, and its rows.</summary>
internal interface IEngineRows : IDisposable
{
    /// <summary>Columns of the rows; known once it is started.</summary>
    Schema Schema { get; }

    /// <summary>Runs it until the first rows are there, or it is known that there are none.</summary>
    ValueTask StartAsync();

    /// <summary>Whether all rows are there: the engine has nothing to compute any more.</summary>
    bool IsComplete { get; }

    /// <summary>The next rows; null after the last. The engine computes them on the calling thread, which has to be one that nobody's I/O waits for, unless all are there.</summary>
    ValueTask<RecordBatch?> NextAsync();
}

/// <summary>A text that is parsed, bound and run.</summary>
internal sealed class StreamedRows(EngineConnection connection, string sql, IReadOnlyList<object?> parameters) : IEngineRows
{
    private PreparedRows? _rows;

    public Schema Schema => _rows!.Schema;

    public bool IsComplete => false;

    public async ValueTask StartAsync() => _rows = await Task.Run(() => connection.Execute(sql, parameters), CancellationToken.None);

    public ValueTask<RecordBatch?> NextAsync() => ValueTask.FromResult(_rows!.Next());

    public void Dispose() => _rows?.Dispose();
}

/// <summary>A text that is parsed, bound and run, with values of any type, or that is no query.</summary>
internal sealed class CommandRows : IEngineRows
{
    private readonly DuckDBCommand _command;
    private IArrowArrayStream? _stream;

    public CommandRows(EngineConnection connection, string sql, IReadOnlyList<object?> parameters)
    {
        _command = connection.Connection.CreateCommand();
        _command.CommandText = sql;
        _command.UseStreamingMode = true;
        foreach (object? value in parameters)
        {
            _command.Parameters.Add(new DuckDBParameter(value ?? DBNull.Value));
        }
    }

    public Schema Schema => _stream!.Schema;

    public bool IsComplete => false;

    public async ValueTask StartAsync() => _stream = await Task.Run(_command.ExecuteArrowStream, CancellationToken.None);

    public ValueTask<RecordBatch?> NextAsync() => _stream!.ReadNextRecordBatchAsync(CancellationToken.None);

    public void Dispose()
    {
        _stream?.Dispose();
        _command.Dispose();
    }
}

/// <summary>A statement that ran before, prepared on its connection. One that was quick then runs on the calling thread, with the whole of a short answer.</summary>
internal sealed class PreparedStatementRows(EngineConnection connection, string sql, IReadOnlyList<object?> parameters, RepeatedStatement known) : IEngineRows
{
    private readonly bool _isQuick = known.IsQuick;
    private PreparedRows? _rows;
    private RecordBatch? _first;
    private RecordBatch? _second;

    public Schema Schema => known.Schema;

    public bool IsComplete { get; private set; }

    public async ValueTask StartAsync()
    {
        if (_isQuick)
        {
            Start();
        }
        else
        {
            await Task.Run(Start, CancellationToken.None);
        }
    }

    public ValueTask<RecordBatch?> NextAsync()
    {
        if (_first is { } first)
        {
            (_first, _second) = (_second, null);
            return ValueTask.FromResult<RecordBatch?>(first);
        }

        return IsComplete ? default : ValueTask.FromResult(_rows!.Next());
    }

    public void Dispose()
    {
        _first?.Dispose();
        _second?.Dispose();
        _rows?.Dispose();
    }

    private void Start()
    {
        _rows = connection.Execute(sql, parameters, known.Schema);
        _first = _rows.Next();
        IsComplete = _first is null;
        if (_first is { Length: < RepeatedStatement.FewRows } && _isQuick)
        {
            // Most often that was all.
            _second = _rows.Next();
            IsComplete = _second is null;
        }
    }
}
