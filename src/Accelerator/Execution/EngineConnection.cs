using Apache.Arrow;
using Apache.Arrow.C;
using DuckDB.NET.Data;
using DuckDB.NET.Native;

namespace LakeHolo.Accelerator.Execution;

/// <summary>A connection of the shared engine, and the statements that are prepared on it. One thread at a time, but for <see cref="Interrupt"/>.</summary>
/// <remarks>A prepared statement saves the engine its parser and one of two bindings; with values it binds each time, since a scan of a table cannot be kept over
/// executions. Without values it keeps the whole plan, in which the engine may have put what it knows of the rows (their number, the bounds of a column): so it is kept for the
/// version of the rows alone. Its text names the generation of each hot copy: it never means another one, and fails when that is gone.</remarks>
internal sealed class EngineConnection(DuckDBConnection connection) : IDisposable
{
    /// <summary>A plan that is kept holds memory of the engine's (a megabyte where it groups or joins), the connection's idle time long.</summary>
    private const int MaxPrepared = 32;

    private readonly Dictionary<string, Prepared> _prepared = new(StringComparer.Ordinal);
    private long _uses;
    private DuckDBArrowOptions? _options;

    public DuckDBConnection Connection => connection;

    /// <summary>Its tray of <see cref="LookupKeys"/>.</summary>
    public int? Tray { get; set; }

    /// <summary>How many statements are prepared on it.</summary>
    internal int Kept => _prepared.Count;

    /// <summary>Whether a text is among them.</summary>
    internal bool Keeps(string sql) => _prepared.ContainsKey(sql);

    /// <summary>Stops what runs, from any thread.</summary>
    public void Interrupt() => NativeMethods.Startup.DuckDBInterrupt(connection.NativeConnection);

    /// <summary>Runs a statement, prepared by its text when it comes for the first time.</summary>
    /// <param name="sql">The text.</param>
    /// <param name="values">Values of its markers, that <see cref="BoundValues.AreBindable"/> accepts.</param>
    /// <param name="schema">Columns of its rows, known from an execution with values of the same types.</param>
    /// <param name="version">Another one with every change of the rows that it reads.</param>
    /// <exception cref="EngineException">The engine's message.</exception>
    public PreparedRows Execute(string sql, IReadOnlyList<object?> values, Schema schema, string version)
        => Execute(values.Count == 0 ? Prepare(sql, version, StatementMetrics.AddKeptPlan) : Prepare(sql, string.Empty, null), values, schema, isKept: true);

    /// <summary>Runs a statement that is not kept.</summary>
    /// <param name="sql">The text.</param>
    /// <param name="values">Values of its markers, that <see cref="BoundValues.AreBindable"/> accepts.</param>
    /// <exception cref="EngineException">The engine's message.</exception>
    public PreparedRows Execute(string sql, IReadOnlyList<object?> values)
    {
        if (values.Count == 0 && FileScans.BoundLate(sql) is { } late)
        {
            (sql, values) = (late, FileScans.LateValues);
        }

        DuckDBPreparedStatement statement = PrepareNew(connection, sql);
        try
        {
            return Execute(statement, values, null, isKept: false);
        }
        catch
        {
            statement.Dispose();
            throw;
        }
    }

    /// <summary>Gives up what is prepared on it.</summary>
    public void Forget()
    {
        foreach (Prepared prepared in _prepared.Values)
        {
            prepared.Statement.Dispose();
        }

        _prepared.Clear();
    }

    public void Dispose()
    {
        Forget();
        _options?.Dispose();
        connection.Dispose();
    }

    /// <summary>The rows of a statement whose columns are texts, such as an EXPLAIN.</summary>
    /// <param name="connection">Where it runs.</param>
    /// <param name="sql">The text.</param>
    /// <param name="values">Values of its markers, that <see cref="BoundValues.AreBindable"/> accepts.</param>
    /// <exception cref="EngineException">The engine's message.</exception>
    public static List<string?[]> Texts(DuckDBConnection connection, string sql, IReadOnlyList<object?> values)
    {
        using DuckDBPreparedStatement statement = PrepareNew(connection, sql);
        DuckDBResult result = Run(statement, values);
        using DuckDBArrowOptions options = NativeMethods.Arrow.DuckDBResultGetArrowOptions(ref result);
        using var rows = new PreparedRows(result, options, EngineSchema.Of(ref result, options), null);
        var texts = new List<string?[]>();
        while (rows.Next() is { } batch)
        {
            using (batch)
            {
                texts.AddRange(Enumerable.Range(0, batch.Length).Select(row => Enumerable.Range(0, batch.ColumnCount).Select(c => ((StringArray)batch.Column(c)).GetString(row)).ToArray()));
            }
        }

        return texts;
    }

    private PreparedRows Execute(DuckDBPreparedStatement statement, IReadOnlyList<object?> values, Schema? schema, bool isKept)
    {
        DuckDBResult result = Run(statement, values);
        try
        {
            _options ??= NativeMethods.Arrow.DuckDBResultGetArrowOptions(ref result);
            return new PreparedRows(result, _options, schema ?? EngineSchema.Of(ref result, _options), isKept ? null : statement);
        }
        catch
        {
            result.Close();
            throw;
        }
    }

    private static DuckDBResult Run(DuckDBPreparedStatement statement, IReadOnlyList<object?> values)
    {
        for (int i = 0; i < values.Count; i++)
        {
            if (BoundValues.Bind(statement, i + 1, values[i]) != DuckDBState.Success)
            {
                throw new EngineException(NativeMethods.PreparedStatements.DuckDBPrepareError(statement) ?? "the value cannot be bound");
            }
        }

        return PendingExecution.Run(statement);
    }

    private DuckDBPreparedStatement Prepare(string sql, string version, Action? isKept)
    {
        if (_prepared.TryGetValue(sql, out Prepared? known) && known.Version == version)
        {
            isKept?.Invoke();
            known.LastUse = ++_uses;
            return known.Statement;
        }

        DuckDBPreparedStatement statement = PrepareNew(connection, sql);
        known?.Statement.Dispose();
        if (known is null && _prepared.Count >= MaxPrepared)
        {
            (string unused, Prepared oldest) = _prepared.MinBy(p => p.Value.LastUse);
            oldest.Statement.Dispose();
            _prepared.Remove(unused);
        }

        _prepared[sql] = new Prepared(statement, version) { LastUse = ++_uses };
        return statement;
    }

    private static DuckDBPreparedStatement PrepareNew(DuckDBConnection connection, string sql)
    {
        DuckDBState state = NativeMethods.PreparedStatements.DuckDBPrepare(connection.NativeConnection, sql, out DuckDBPreparedStatement statement);
        if (state != DuckDBState.Success)
        {
            string message = NativeMethods.PreparedStatements.DuckDBPrepareError(statement);
            statement.Dispose();
            throw new EngineException(message);
        }

        return statement;
    }

    private sealed class Prepared(DuckDBPreparedStatement statement, string version)
    {
        public DuckDBPreparedStatement Statement => statement;

        public string Version => version;

        public long LastUse { get; set; }
    }
}

/// <summary>An error of the engine, with its message.</summary>
internal sealed class EngineException(string message) : Exception(message);

/// <summary>The rows of a prepared statement, as they come.</summary>
/// <param name="result">What runs.</param>
/// <param name="options">How the engine gives Arrow.</param>
/// <param name="schema">The columns.</param>
/// <param name="own">The statement, where nobody else keeps it.</param>
internal sealed unsafe class PreparedRows(DuckDBResult result, DuckDBArrowOptions options, Schema schema, DuckDBPreparedStatement? own) : IDisposable
{
    private readonly ChunkColumns? _columns = ChunkColumns.Of(ref result, schema);
    private DuckDBResult _result = result;
    private bool _disposed;

    public Schema Schema => schema;

    /// <summary>The next rows; null after the last.</summary>
    /// <exception cref="EngineException">The engine's message.</exception>
    public RecordBatch? Next()
    {
        DuckDBDataChunk chunk = NativeMethods.StreamingResult.DuckDBStreamFetchChunk(_result);
        if (chunk.IsInvalid)
        {
            chunk.Dispose();
            string error = NativeMethods.Query.DuckDBResultError(ref _result);
            return string.IsNullOrEmpty(error) ? null : throw new EngineException(error);
        }

        return _columns?.Take(chunk) ?? Convert(chunk);
    }

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _result.Close();
            own?.Dispose();
        }
    }

    private RecordBatch Convert(DuckDBDataChunk chunk)
    {
        using (chunk)
        {
            CArrowArray* array = CArrowArray.Create();
            try
            {
                using DuckDBErrorData error = NativeMethods.Arrow.DuckDBDataChunkToArrow(options, chunk, (IntPtr)array);
                return error.HasError ? throw new EngineException(error.Message ?? "rows cannot be given as Arrow") : CArrowArrayImporter.ImportRecordBatch(array, schema);
            }
            finally
            {
                CArrowArray.Free(array);
            }
        }
    }
}
