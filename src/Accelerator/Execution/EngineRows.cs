using System.Diagnostics;
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
    /// <param name="started">Called as soon as the engine sees what it reads as it was.</param>
    ValueTask StartAsync(Action started);

    /// <summary>Whether the next rows are there, or there are none: the engine has nothing to compute for them.</summary>
    bool IsReady { get; }

    /// <summary>The next rows; null after the last. The engine computes them on the calling thread, which has to be one that nobody's I/O waits for, unless they are there.</summary>
    ValueTask<RecordBatch?> NextAsync();
}

/// <summary>Rows that are given on together.</summary>
/// <param name="begun">When the first of them was asked for.</param>
internal struct BatchGroup(long begun)
{
    /// <summary>About what one message to a client holds.</summary>
    private const long MostBytes = 1_900_000;

    /// <summary>Rows that are there do not wait longer than this for those of a slow query that follow.</summary>
    private static readonly TimeSpan MostTime = TimeSpan.FromMilliseconds(50);

    private long _bytes;

    /// <summary>Whether it should be given on.</summary>
    public readonly bool IsFull => _bytes >= MostBytes || Stopwatch.GetElapsedTime(begun) >= MostTime;

    /// <summary>Takes note of some more.</summary>
    public void Add(RecordBatch batch) => _bytes += BatchBytes.Of(batch);
}

/// <summary>A text that is run; one that ran before is prepared on the connection, and one that was quick then runs on the calling thread. The first rows are fetched where it is started:
/// most often these are all.</summary>
/// <param name="connection">Where it runs.</param>
/// <param name="sql">The text.</param>
/// <param name="parameters">Values of its markers, that <see cref="BoundValues.AreBindable"/> accepts.</param>
/// <param name="known">What is known of it, if it is to be kept.</param>
/// <param name="version">Of one that is to be kept: another one with every change of the rows that it reads.</param>
internal sealed class StatementRows(EngineConnection connection, string sql, IReadOnlyList<object?> parameters, RepeatedStatement? known, string version) : IEngineRows
{
    private readonly Queue<RecordBatch> _first = new();
    private PreparedRows? _rows;
    private bool _hasEnded;

    public Schema Schema => _rows!.Schema;

    public bool IsReady => _first.Count > 0 || _hasEnded;

    public async ValueTask StartAsync(Action started)
    {
        if (known is { IsQuick: true })
        {
            Start(started);
        }
        else
        {
            await Task.Run(() => Start(started), CancellationToken.None);
        }
    }

    public ValueTask<RecordBatch?> NextAsync() => ValueTask.FromResult(_first.TryDequeue(out RecordBatch? batch) ? batch : _hasEnded ? null : _rows!.Next());

    public void Dispose()
    {
        foreach (RecordBatch batch in _first)
        {
            batch.Dispose();
        }

        _first.Clear();
        _rows?.Dispose();
    }

    private void Start(Action started)
    {
        var group = new BatchGroup(Stopwatch.GetTimestamp());
        _rows = known is null ? connection.Execute(sql, parameters) : connection.Execute(sql, parameters, known.Schema, version);
        started();
        while (!group.IsFull)
        {
            if (_rows.Next() is not { } batch)
            {
                _hasEnded = true;
                break;
            }

            group.Add(batch);
            _first.Enqueue(batch);
        }
    }
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

    public bool IsReady => false;

    public async ValueTask StartAsync(Action started)
    {
        _stream = await Task.Run(_command.ExecuteArrowStream, CancellationToken.None);
        started();
    }

    public ValueTask<RecordBatch?> NextAsync() => _stream!.ReadNextRecordBatchAsync(CancellationToken.None);

    public void Dispose()
    {
        _stream?.Dispose();
        _command.Dispose();
    }
}
