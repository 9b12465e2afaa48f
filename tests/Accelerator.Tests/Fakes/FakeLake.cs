using Apache.Arrow;
using DuckDB.NET.Data;
using LakeHolo.Accelerator;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Execution;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.Accelerator.Sources;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Accelerator.Tests.Fakes;

/// <summary>A lake of Parquet folders, with a reader that keeps what it was asked for: the layers under the planner, without a table format.</summary>
internal sealed class FakeLake : ITableFormat, ITableReader, IAsyncDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("lakeholo-fake-").FullName;
    private readonly Dictionary<string, Schema> _schemas = [];
    private readonly EngineDatabase _writer = new(new EngineOptions { AllowedDirectories = [Path.GetTempPath()] });
    private EngineDatabase? _engine;

    public List<(string Table, ScanRequest Request)> Requests { get; } = [];

    public int Loads { get; private set; }

    /// <summary>The columns that tables had at the version <c>old</c>.</summary>
    public Dictionary<string, string[]> OldSchemas { get; } = [];

    public ManualTime Time { get; } = new();

    public LakeEngine Engine { get; private set; } = null!;

    public CatalogService Catalog { get; private set; } = null!;

    public string Name => "parquet";

    public string Format => "parquet";

    public void AddTable(string schema, string name, string select)
    {
        string folder = Path.Combine(_directory, schema, name);
        Directory.CreateDirectory(folder);
        using DuckDBConnection connection = _writer.OpenConnection();
        EngineDatabase.Execute(connection, $"COPY ({select}) TO {SqlText.Literal(folder + "/data.parquet")}");
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT * FROM ({select}) LIMIT 0";
        using Apache.Arrow.Ipc.IArrowArrayStream stream = command.ExecuteArrowStream();
        _schemas[$"{schema}/{name}/"] = stream.Schema;
    }

    /// <summary>Asked before the lake.</summary>
    public ITableSource? Copies { get; set; }

    public Accelerator.Access.AccessOptions? Access { get; set; }

    public List<Accelerator.Access.AccessDenial> Denials { get; } = [];

    public async Task<FakeLake> StartAsync(ExecutionLimits? limits = null, params LayerRule[] layers)
    {
        _engine = new EngineDatabase(new EngineOptions { AllowedDirectories = [_directory] });
        TableRoot root = new(new LocalFolderStore(_directory), string.Empty);
        Catalog = new CatalogService([new LakeSource { Name = "lake", Root = root }], [this], layers, TimeProvider.System);
        await Catalog.SyncAsync(Catalog.Sources[0]);
        var lake = new LakeTableSource([this], _engine, TimeProvider.System);
        Engine = new LakeEngine(_engine, Catalog, Copies is null ? [lake] : [Copies, lake], null, limits ?? new ExecutionLimits(), Time, Access, Denials.Add);
        return this;
    }

    /// <summary>The place of a table.</summary>
    public string FolderOf(string schema, string name) => Path.Combine(_directory, schema, name);

    public QuerySession Session { get; } = new("test", new SessionIdentity("tester", "here", "xunit"));

    /// <summary>Runs a statement and gives its rows as text, columns apart by '|'.</summary>
    public Task<List<string>> QueryAsync(string sql, RecordBatch? parameters = null) => QueryAsync(Session, sql, parameters);

    /// <summary>The same for another session.</summary>
    public async Task<List<string>> QueryAsync(QuerySession session, string sql, RecordBatch? parameters = null)
    {
        IPreparedQuery prepared = await Engine.PrepareAsync(session, sql, default);
        await using IQueryResult result = await prepared.ExecuteAsync(session, parameters, 0, default);
        Assert.Equal(prepared.ResultSchema.FieldsList.Select(f => (f.Name, f.DataType.TypeId)), result.Schema.FieldsList.Select(f => (f.Name, f.DataType.TypeId)));
        var rows = new List<string>();
        await foreach (RecordBatch batch in result.ReadBatchesAsync(default))
        {
            using (batch)
            {
                for (int r = 0; r < batch.Length; r++)
                {
                    rows.Add(string.Join('|', Enumerable.Range(0, batch.ColumnCount).Select(c => Text(batch.Column(c), r))));
                }
            }
        }

        return rows;
    }

    public async ValueTask<Snapshot> LoadSnapshotAsync(LakeTable table, SnapshotSelector at, Snapshot? known, CancellationToken cancellationToken = default)
    {
        await Task.Yield();
        Loads++;
        return new FakeSnapshot
        {
            Table = table,
            Id = new SnapshotId(at is SnapshotSelector.VersionSelector v ? v.Text : "1"),
            CommittedAt = DateTimeOffset.UnixEpoch,
            Schema = at is SnapshotSelector.VersionSelector { Text: "old" } && OldSchemas.TryGetValue(table.Root.Prefix, out string[]? old)
                ? new Schema(_schemas[table.Root.Prefix].FieldsList.Where(f => old.Contains(f.Name)), null)
                : _schemas[table.Root.Prefix],
            PartitionColumns = [],
        };
    }

    public ValueTask<bool> HasChangedAsync(Snapshot known, CancellationToken cancellationToken = default) => ValueTask.FromResult(false);

    public ValueTask<IReadOnlyList<SnapshotInfo>> ListSnapshotsAsync(LakeTable table, CancellationToken cancellationToken = default)
        => ValueTask.FromResult<IReadOnlyList<SnapshotInfo>>([new SnapshotInfo(new SnapshotId("1"), DateTimeOffset.UnixEpoch, "WRITE", null, "{\"predicate\":\"ssn = 'secret3'\"}")]);

    public ValueTask<SnapshotDiff> DiffAsync(Snapshot from, Snapshot to, CancellationToken cancellationToken = default)
        => ValueTask.FromResult(new SnapshotDiff { From = from.Id, To = to.Id });

    public ValueTask<IReadOnlyList<(string Id, Schema Schema)>> ListSchemasAsync(LakeTable table, CancellationToken cancellationToken = default)
        => ValueTask.FromResult<IReadOnlyList<(string, Schema)>>([("1", _schemas[table.Root.Prefix])]);

    public ValueTask<TableScan> PlanAsync(Snapshot snapshot, ScanRequest request, CancellationToken cancellationToken = default)
    {
        lock (Requests)
        {
            Requests.Add(($"{snapshot.Table.Schema}.{snapshot.Table.Name}", request));
        }

        string path = Path.Combine(_directory, snapshot.Table.Root.Prefix, "data.parquet");
        string columns = request.Columns is null ? "*" : string.Join(", ", request.Columns.Select(SqlText.Identifier));
        return ValueTask.FromResult(new TableScan(
            $"SELECT {columns} FROM read_parquet({SqlText.Literal(path)})", new ScanStatistics { FilesTotal = 1, FilesRead = 1, BytesRead = 1 }));
    }

    public async ValueTask DisposeAsync()
    {
        await Task.CompletedTask;
        Engine?.Dispose();
        _engine?.Dispose();
        _writer.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private static string Text(IArrowArray array, int row) => array.IsNull(row) ? "NULL" : array switch
    {
        StringArray a => a.GetString(row),
        Int32Array a => a.GetValue(row)!.Value.ToString(),
        Int64Array a => a.GetValue(row)!.Value.ToString(),
        DoubleArray a => a.GetValue(row)!.Value.ToString("R"),
        BooleanArray a => a.GetValue(row)!.Value.ToString(),
        Decimal128Array a => a.GetString(row),
        Date32Array a => a.GetDateTime(row)!.Value.ToString("yyyy-MM-dd"),
        _ => array.Data.DataType.Name,
    };

    private sealed class FakeSnapshot : Snapshot
    {
        public override long FileCount => 1;

        public override long SizeBytes => 1;

        public override long? RowCount => null;

        public override IEnumerable<DataFileInfo> EnumerateFiles() => [new DataFileInfo { Path = "data.parquet", Format = "parquet", SizeBytes = 1 }];
    }
}
