using System.Runtime.CompilerServices;
using Apache.Arrow;
using Apache.Arrow.Ipc;
using Apache.Arrow.Types;
using DuckDB.NET.Data;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.LakeCatalog;

namespace LakeHolo.FlightServer.Tests.Harness;

/// <summary>A query service without a lake: DuckDB in memory. <c>PROMOTE x</c> is counted and does nothing; <c>WAIT</c> starts only when <see cref="Release"/> says so.</summary>
internal sealed class DuckDbQueryService : IQueryService, IDisposable
{
    private readonly DuckDBConnection _keeper;
    private int _sessions;

    public DuckDbQueryService()
    {
        _keeper = new DuckDBConnection("DataSource=:memory:");
        _keeper.Open();
        Execute("SET TimeZone = 'UTC'");
        Execute("CREATE TABLE orders AS SELECT range::BIGINT AS order_id, 'c' || range AS customer, (range / 4)::DECIMAL(12,2) AS amount FROM range(100)");
    }

    public List<string> Promoted { get; } = [];

    public int OpenResults;

    /// <summary>Rows that results gave out.</summary>
    public long Produced;

    public TaskCompletionSource Release { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public QuerySession OpenSession(SessionIdentity identity) => new($"s{Interlocked.Increment(ref _sessions)}", identity);

    public ValueTask<IPreparedQuery> PrepareAsync(QuerySession session, string sql, CancellationToken cancellationToken)
    {
        if (sql.StartsWith("PROMOTE", StringComparison.Ordinal))
        {
            return new(new Prepared(this, sql, new Schema([], null), 0, isUpdate: true));
        }

        if (sql.StartsWith("INSERT", StringComparison.Ordinal))
        {
            throw LakeException.FeatureUnsupported("INSERT is not supported: lake tables are read only");
        }

        string query = sql == "WAIT" ? "SELECT 1 AS x" : sql;
        int markers = query.Count(c => c == '?');
        try
        {
            using DuckDBConnection connection = Connect();
            using DuckDBCommand command = connection.CreateCommand();
            command.CommandText = $"SELECT * FROM ({query}) LIMIT 0";
            for (int i = 0; i < markers; i++)
            {
                command.Parameters.Add(new DuckDBParameter(DBNull.Value));
            }

            using IArrowArrayStream stream = command.ExecuteArrowStream();
            return new(new Prepared(this, sql, stream.Schema, markers, isUpdate: false));
        }
        catch (DuckDBException e)
        {
            throw LakeException.QueryInvalid(e.Message, e);
        }
    }

    public ValueTask<CatalogListing> ListCatalogAsync(QuerySession session, CatalogFilter filter, CancellationToken cancellationToken)
    {
        Schema? schema = filter.IncludeSchemas ? new Schema([new Field("order_id", Int64Type.Default, true), new Field("customer", StringType.Default, true)], null) : null;
        CatalogEntry[] tables =
        [
            new("lake", "dws", "sales_daily", "TABLE", schema, []), new("lake", "dwd", "orders", "TABLE", schema, ["order_id"]), new("lake", "dwd", "ordersX", "VIEW", schema, []),
        ];
        return new(new CatalogListing(["lake"], [("lake", "dws"), ("lake", "dwd")], tables));
    }

    public void Dispose() => _keeper.Dispose();

    private DuckDBConnection Connect()
    {
        DuckDBConnection connection = _keeper.Duplicate();
        connection.Open();
        return connection;
    }

    public void Run(string sql) => Execute(sql);

    private void Execute(string sql)
    {
        using DuckDBCommand command = _keeper.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private sealed class Prepared(DuckDbQueryService service, string sql, Schema schema, int markers, bool isUpdate) : IPreparedQuery
    {
        public Schema ResultSchema => schema;

        public Schema ParameterSchema { get; } = new([.. Enumerable.Range(1, markers).Select(i => new Field("p" + i, StringType.Default, true))], null);

        public bool IsUpdate => isUpdate;

        public bool IsOrdered => sql.Contains("ORDER BY", StringComparison.Ordinal);

        public async ValueTask<IQueryResult> ExecuteAsync(QuerySession session, RecordBatch? parameters, int parameterRow, CancellationToken cancellationToken)
        {
            if (isUpdate)
            {
                lock (service.Promoted)
                {
                    service.Promoted.Add(sql);
                }

                return new Result(service, null, null, null, schema);
            }

            if (sql == "WAIT")
            {
                await service.Release.Task.WaitAsync(cancellationToken);
            }

            DuckDBConnection connection = service.Connect();
            DuckDBCommand command = connection.CreateCommand();
            command.CommandText = sql == "WAIT" ? "SELECT 1 AS x" : sql;
            for (int i = 0; i < markers; i++)
            {
                object? value = parameters!.Column(i) switch
                {
                    Int64Array a => a.GetValue(parameterRow),
                    StringArray a => a.GetString(parameterRow),
                    var other => throw LakeException.QueryInvalid($"{other.Data.DataType.Name} cannot be bound here"),
                };
                command.Parameters.Add(new DuckDBParameter(value ?? DBNull.Value));
            }

            command.UseStreamingMode = true;
            IArrowArrayStream stream = command.ExecuteArrowStream();
            Interlocked.Increment(ref service.OpenResults);
            return new Result(service, connection, command, stream, schema);
        }
    }

    private sealed class Result(DuckDbQueryService service, DuckDBConnection? connection, DuckDBCommand? command, IArrowArrayStream? stream, Schema schema) : IQueryResult
    {
        private readonly SemaphoreSlim _computing = new(1, 1);
        private int _disposed;

        public Schema Schema => schema;

        public long AffectedRows => connection is null ? 1 : -1;

        public ReadOnlyMemory<byte> AppMetadata { get; } = "{\"tables\":[]}"u8.ToArray();

        public async IAsyncEnumerable<RecordBatch> ReadBatchesAsync([EnumeratorCancellation] CancellationToken cancellationToken)
        {
            while (stream is not null && await NextAsync(stream, cancellationToken) is { } batch)
            {
                Interlocked.Add(ref service.Produced, batch.Length);
                yield return batch;
            }
        }

        public async ValueTask DisposeAsync()
        {
            if (connection is not null && Interlocked.Exchange(ref _disposed, 1) == 0)
            {
                await _computing.WaitAsync();
                stream!.Dispose();
                command!.Dispose();
                _computing.Release();
                connection.Dispose();
                Interlocked.Decrement(ref service.OpenResults);
            }
        }

        /// <summary>What is read is not freed meanwhile.</summary>
        private async Task<RecordBatch?> NextAsync(IArrowArrayStream from, CancellationToken cancellationToken)
        {
            await _computing.WaitAsync(cancellationToken);
            try
            {
                return _disposed != 0
                    ? throw new OperationCanceledException("The result was closed")
                    : await Task.Run(async () => await from.ReadNextRecordBatchAsync(cancellationToken), CancellationToken.None);
            }
            finally
            {
                _computing.Release();
            }
        }
    }
}
