using System.Text.Json;
using Apache.Arrow;
using DuckDB.NET.Data;
using LakeHolo.Accelerator;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Engine;
using LakeHolo.Tests.Shared;
using Microsoft.Extensions.Logging.Abstractions;

namespace LakeHolo.HotTier.Tests;

/// <summary>An instance over a lake of Parquet folders that tests write to; it can be stopped and started again.</summary>
internal sealed class SmallLake : IAsyncDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly EngineDatabase _writer = new(new EngineOptions { Threads = 1, AllowedDirectories = [Path.GetTempPath()] });
    private QuerySession _session = null!;

    public LakeInstance Instance { get; private set; } = null!;

    public string Directory => _folder.File("lake");

    public string HotDirectory => Path.Combine(_folder.File("data"), "hot");

    /// <summary>Starts, or starts again, with the same folders.</summary>
    public async Task<SmallLake> StartAsync(TimeProvider? time = null, Func<LakeOptions, LakeOptions>? configure = null, IObjectStore? store = null)
    {
        await StopAsync();
        System.IO.Directory.CreateDirectory(Directory);
        var options = new LakeOptions
        {
            Sources = [new LakeSource { Name = "lake", Root = new TableRoot(store ?? new LocalFolderStore(Directory), string.Empty) }],
            DataDirectory = _folder.File("data"),
            Engine = new EngineOptions { Threads = 2 },
        };
        Instance = await LakeInstance.StartAsync(configure?.Invoke(options) ?? options, NullLoggerFactory.Instance, time ?? TimeProvider.System);
        _session = Instance.Engine.OpenSession(new SessionIdentity("test", "local", "xunit"));
        return this;
    }

    /// <summary>Stops the instance; its folders stay.</summary>
    public async Task StopAsync()
    {
        if (Instance is not null)
        {
            await Instance.DisposeAsync();
            Instance = null!;
        }
    }

    /// <summary>Writes a file of a table; it appears whole.</summary>
    public void Write(string path, string select, string options = "FORMAT parquet")
    {
        string target = Path.Combine(Directory, path);
        System.IO.Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        using DuckDBConnection connection = _writer.OpenConnection();
        string scratch = _folder.File("written.parquet");
        EngineDatabase.Execute(connection, $"COPY ({select}) TO {SqlText.Literal(scratch)} ({options})");
        File.Move(scratch, target, overwrite: true);
    }

    public void Delete(string path) => File.Delete(Path.Combine(Directory, path));

    /// <summary>Rows of a query or statement, columns apart by '|', in the order of their texts.</summary>
    public async Task<string[]> RowsAsync(string sql, CancellationToken cancellationToken = default)
    {
        IPreparedQuery prepared = await Instance.Engine.PrepareAsync(_session, sql, default);
        await using IQueryResult result = await prepared.ExecuteAsync(_session, null, 0, cancellationToken);
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

        return [.. rows.Order(StringComparer.Ordinal)];
    }

    /// <summary>The first column of the first row, as text.</summary>
    public async Task<string> ValueAsync(string sql) => (await RowsAsync(sql))[0].Split('|')[0];

    /// <summary>How old the tables of the last <see cref="AnswerAsync"/> were known to be.</summary>
    public TimeSpan LastAge { get; private set; }

    /// <summary>Rows of a query whose cells are the engine's own text of them, and the tiers of the tables that it read.</summary>
    public async Task<(string[] Rows, string Tiers)> AnswerAsync(string sql)
    {
        IPreparedQuery prepared = await Instance.Engine.PrepareAsync(_session, $"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ({sql})", default);
        await using IQueryResult result = await prepared.ExecuteAsync(_session, null, 0, default);
        using JsonDocument metadata = JsonDocument.Parse(result.AppMetadata);
        string tiers = string.Join(' ', metadata.RootElement.GetProperty("tables").EnumerateArray().Select(t => t.GetProperty("tier").GetString()));
        LastAge = TimeSpan.FromMilliseconds(metadata.RootElement.GetProperty("tables").EnumerateArray().Select(t => t.GetProperty("ageMs").GetDouble()).DefaultIfEmpty().Max());
        var rows = new List<string>();
        await foreach (RecordBatch batch in result.ReadBatchesAsync(default))
        {
            using (batch)
            {
                rows.AddRange(Enumerable.Range(0, batch.Length).Select(r => string.Join('|', Enumerable.Range(0, batch.ColumnCount).Select(c => Text(batch.Column(c), r)))));
            }
        }

        return ([.. rows.Order(StringComparer.Ordinal)], tiers);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _writer.Dispose();
        _folder.Dispose();
    }

    private static string Text(IArrowArray array, int row) => array.IsNull(row) ? "NULL" : array switch
    {
        StringArray a => a.GetString(row),
        Int32Array a => a.GetValue(row)!.Value.ToString(),
        Int64Array a => a.GetValue(row)!.Value.ToString(),
        BooleanArray a => a.GetValue(row)!.Value.ToString(),
        _ => "…",
    };
}
