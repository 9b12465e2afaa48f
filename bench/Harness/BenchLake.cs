using Apache.Arrow;
using LakeHolo.Accelerator;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.HotTier;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Engine;
using Microsoft.Extensions.Logging.Abstractions;

namespace LakeHolo.Bench.Harness;

/// <summary>A LakeHolo in this process over a lake, with a data folder of its own.</summary>
internal sealed class BenchLake : IAsyncDisposable
{
    private readonly string _data;

    private BenchLake(LakeInstance instance, string data)
    {
        Instance = instance;
        _data = data;
    }

    public LakeInstance Instance { get; }

    public LakeEngine Engine => Instance.Engine;

    /// <summary>Starts one over a location; tables are named <c>schema.table</c> after their folders.</summary>
    public static async Task<BenchLake> StartAsync(BenchContext bench, string location, StorageOptions? storage = null, Func<LakeOptions, LakeOptions>? configure = null)
    {
        string data = bench.Data.NewTemporary("lake");
        var options = new LakeOptions
        {
            Sources = [new LakeSource { Name = "lake", Root = ObjectStores.Open(location, storage ?? new StorageOptions()) }],
            DataDirectory = data,
            Engine = new EngineOptions { Threads = bench.Options.Threads, MemoryLimitBytes = bench.Options.MemoryBytes },
        };
        return new BenchLake(await LakeInstance.StartAsync(configure?.Invoke(options) ?? options, NullLoggerFactory.Instance, TimeProvider.System), data);
    }

    /// <summary>Runs a statement as a client would, and drops its rows.</summary>
    /// <param name="sql">The statement.</param>
    /// <param name="schema">Where tables without a schema are looked for.</param>
    /// <returns>The number of rows.</returns>
    public async Task<long> RunAsync(string sql, string? schema = null)
    {
        await using IQueryResult result = await ExecuteAsync(sql, schema);
        long rows = 0;
        await foreach (RecordBatch batch in result.ReadBatchesAsync(CancellationToken.None))
        {
            rows += batch.Length;
            batch.Dispose();
        }

        return rows;
    }

    /// <summary>Runs a statement and keeps its rows.</summary>
    /// <param name="sql">The statement.</param>
    /// <param name="schema">Where tables without a schema are looked for.</param>
    /// <param name="staleness">How old hot copies may be.</param>
    /// <param name="tier">What answers: <c>lake</c>, <c>hot</c> or <c>auto</c>.</param>
    public async Task<Answer> AnswerAsync(string sql, string? schema = null, string? staleness = null, string? tier = null)
    {
        await using IQueryResult result = await ExecuteAsync(sql, schema, staleness, tier);
        return await Answer.ReadAsync(result.ReadBatchesAsync(CancellationToken.None));
    }

    /// <summary>Runs a statement and streams its rows; the caller disposes each batch.</summary>
    public async IAsyncEnumerable<RecordBatch> BatchesAsync(string sql)
    {
        await using IQueryResult result = await ExecuteAsync(sql, null);
        await foreach (RecordBatch batch in result.ReadBatchesAsync(CancellationToken.None))
        {
            yield return batch;
        }
    }

    private async Task<IQueryResult> ExecuteAsync(string sql, string? schema, string? staleness = null, string? tier = null)
    {
        QuerySession session = Engine.OpenSession(new SessionIdentity("bench", "local", "bench"));
        if (staleness is not null)
        {
            session.Options["max_staleness"] = staleness;
        }

        if (tier is not null)
        {
            session.Options["tier"] = tier;
        }

        if (schema is not null)
        {
            session.Options["schema"] = schema;
        }

        IPreparedQuery prepared = await Engine.PrepareAsync(session, sql, CancellationToken.None);
        return await prepared.ExecuteAsync(session, null, 0, CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await Instance.DisposeAsync();
        Directory.Delete(_data, recursive: true);
    }
}
