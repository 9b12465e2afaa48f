using Apache.Arrow;
using DuckDB.NET.Data;
using LakeHolo.Accelerator;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Engine;
using LakeHolo.Tests.Shared;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace LakeHolo.HotTier.Tests;

public sealed class LakeInstanceTests : IDisposable
{
    /// <summary>Sorted, its rows take several times the memory that the engine has here.</summary>
    private const string Big = "SELECT md5(CAST(range AS VARCHAR)) AS s, range AS r FROM range(3000000) ORDER BY s";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_source_with_a_cron_expression_is_synced_when_its_time_comes()
    {
        WriteTable("dwd", "old");
        var time = new FakeTimeProvider(DateTimeOffset.Parse("2026-01-01T00:00:01Z"));
        await using LakeInstance instance = await StartAsync(time, cron: "*/5 * * * *");
        instance.StartSync();
        WriteTable("dwd", "fresh");
        Assert.Single(instance.Catalog.Runs);

        await Eventually.TrueAsync(() => Task.FromResult(instance.Catalog.Runs.Count > 1), () => time.Advance(TimeSpan.FromSeconds(10)));

        Assert.Equal(["fresh", "old"], instance.Catalog.Tables.Select(t => t.Table.Name));
        Assert.True(instance.Catalog.Runs.Last().StartedAt >= DateTimeOffset.Parse("2026-01-01T00:05:00Z"));
    }

    [Fact]
    public async Task A_sync_that_fails_in_whatever_way_is_followed_by_the_next()
    {
        WriteTable("dwd", "old");
        var time = new FakeTimeProvider(DateTimeOffset.Parse("2026-01-01T00:00:01Z"));
        var store = new VanishingStore(new LocalFolderStore(_folder.File("lake")));
        await using LakeInstance instance = await LakeInstance.StartAsync(
            new LakeOptions
            {
                Sources = [new LakeSource { Name = "lake", Root = new TableRoot(store, string.Empty) }],
                DataDirectory = _folder.File("data"),
                Engine = new EngineOptions { Threads = 1 },
            },
            NullLoggerFactory.Instance, time);
        store.FailingListings = 2;
        instance.StartSync();
        await Eventually.TrueAsync(() => Task.FromResult(instance.Catalog.Runs.Count > 1), () => time.Advance(TimeSpan.FromSeconds(10)));

        Assert.Equal(0, store.FailingListings);
    }

    [Fact]
    public async Task A_query_that_needs_more_memory_than_there_is_spills_to_its_folder_and_leaves_it_clean()
    {
        await using LakeInstance instance = await StartAsync(TimeProvider.System, memory: 100 << 20);
        QuerySession session = instance.Engine.OpenSession(new SessionIdentity("u", "", ""));
        IPreparedQuery query = await instance.Engine.PrepareAsync(session, Big, default);
        string last = string.Empty;
        long rows = 0;
        bool spilled = false;
        await using (IQueryResult result = await query.ExecuteAsync(session, null, 0, default))
        {
            await foreach (RecordBatch batch in result.ReadBatchesAsync(default))
            {
                using (batch)
                {
                    spilled |= rows == 0 && Directory.GetFiles(Spill).Length > 0;
                    var texts = (StringArray)batch.Column(0);
                    Assert.True(string.CompareOrdinal(last, texts.GetString(0)) < 0);
                    last = texts.GetString(batch.Length - 1);
                    rows += batch.Length;
                }
            }
        }

        Assert.Equal(3_000_000, rows);
        Assert.True(spilled);
        Assert.Empty(Directory.GetFiles(Spill));
    }

    [Fact]
    public async Task Without_room_to_spill_the_query_is_refused_and_the_server_goes_on()
    {
        await using LakeInstance instance = await StartAsync(TimeProvider.System, memory: 60 << 20, spill: 1 << 20);
        QuerySession session = instance.Engine.OpenSession(new SessionIdentity("u", "", ""));
        IPreparedQuery query = await instance.Engine.PrepareAsync(session, Big, default);
        LakeException e = await Assert.ThrowsAsync<LakeException>(async () =>
        {
            await using IQueryResult result = await query.ExecuteAsync(session, null, 0, default);
            await result.ReadBatchesAsync(default).Select(b => b.Length).SumAsync();
        });
        Assert.Equal(LakeErrorKind.ResourcesExhausted, e.Kind);
        IPreparedQuery small = await instance.Engine.PrepareAsync(session, "SELECT 1 AS x", default);
        await using IQueryResult one = await small.ExecuteAsync(session, null, 0, default);
        Assert.Equal(1, await one.ReadBatchesAsync(default).Select(b => b.Length).SumAsync());
    }

    [Fact]
    public async Task An_engine_that_failed_inside_is_noticed_and_the_next_instance_answers()
    {
        await using var lake = new SmallLake();
        await lake.StartAsync();
        lake.Write("dwd/t/a.parquet", "SELECT range AS x FROM range(1000)");
        await lake.RowsAsync("SYNC");
        await lake.RowsAsync("PROMOTE dwd.t");
        lake.Instance.StartSync();

        // Plans of such joins cannot run twice (DuckDB 1.5.6).
        using (DuckDBConnection connection = lake.Instance.Database.OpenConnection())
        {
            EngineDatabase.Execute(connection, "CREATE TEMP TABLE a AS SELECT range AS t, range % 10 AS k FROM range(30000)");
            EngineDatabase.Execute(connection, "PREPARE twice AS SELECT x.t, y.t FROM a x ASOF JOIN a y ON x.k = y.k AND x.t >= y.t");
            EngineDatabase.Execute(connection, "EXECUTE twice");
            Assert.False(lake.Instance.EngineLost.IsCompleted);
            DuckDBException inside = Assert.Throws<DuckDBException>(() => EngineDatabase.Execute(connection, "EXECUTE twice"));
            Assert.StartsWith("INTERNAL Error", inside.Message, StringComparison.Ordinal);
        }

        await lake.Instance.EngineLost.WaitAsync(TimeSpan.FromSeconds(30));
        foreach (string sql in (string[])["SELECT sum(x) FROM dwd.t", "SELECT x + 1 FROM dwd.t ORDER BY x LIMIT 1"])
        {
            LakeException e = await Assert.ThrowsAsync<LakeException>(() => lake.RowsAsync(sql));
            Assert.Equal((LakeErrorKind.StorageUnavailable, true), (e.Kind, e.IsTransient));
            Assert.DoesNotContain(".so", e.Message, StringComparison.Ordinal);
        }

        await lake.StartAsync();
        Assert.Equal(["1000|999"], await lake.RowsAsync("SELECT count(*), max(x) FROM dwd.t"));
        Assert.Equal(["ready"], await lake.RowsAsync("SELECT state FROM lakeholo.hot_tables"));
    }

    [Fact]
    public async Task What_a_killed_process_spilled_is_deleted_at_the_next_start()
    {
        Directory.CreateDirectory(Spill);
        await File.WriteAllTextAsync(Path.Combine(Spill, "duckdb_temp_storage_DEFAULT-0.tmp"), "left");
        await using LakeInstance instance = await StartAsync(TimeProvider.System);
        Assert.Empty(Directory.GetFiles(Spill));
    }

    private string Spill => Path.Combine(_folder.File("data"), "spill");

    private async Task<LakeInstance> StartAsync(TimeProvider time, string? cron = null, long memory = 0, long spill = 0)
    {
        Directory.CreateDirectory(_folder.File("lake"));
        return await LakeInstance.StartAsync(
            new LakeOptions
            {
                Sources = [new LakeSource { Name = "lake", Root = new TableRoot(new LocalFolderStore(_folder.File("lake")), string.Empty), SyncCron = cron }],
                DataDirectory = _folder.File("data"),
                Engine = new EngineOptions { Threads = 2, MemoryLimitBytes = memory, MaxSpillBytes = spill },
            },
            NullLoggerFactory.Instance, time);
    }

    private void WriteTable(string schema, string name)
    {
        string folder = Path.Combine(_folder.File("lake"), schema, name);
        Directory.CreateDirectory(folder);
        using var connection = new DuckDBConnection("DataSource=:memory:");
        connection.Open();
        EngineDatabase.Execute(connection, $"COPY (SELECT 1 AS x) TO '{folder}/data.parquet'");
    }

    /// <summary>A folder that is removed while it is listed.</summary>
    private sealed class VanishingStore(IObjectStore inner) : IObjectStore
    {
        private int _failing;

        public int FailingListings
        {
            get => Volatile.Read(ref _failing);
            set => Volatile.Write(ref _failing, value);
        }

        public Uri Root => inner.Root;

        public IAsyncEnumerable<ObjectEntry> ListAsync(string prefix, bool recursive, string? startAfter = null, CancellationToken cancellationToken = default)
        {
            if (FailingListings > 0)
            {
                Interlocked.Decrement(ref _failing);
                throw new DirectoryNotFoundException(prefix);
            }

            return inner.ListAsync(prefix, recursive, startAfter, cancellationToken);
        }

        public ValueTask<ObjectEntry?> HeadAsync(string key, CancellationToken cancellationToken = default) => inner.HeadAsync(key, cancellationToken);

        public ValueTask<byte[]> ReadAsync(string key, long maxSizeBytes = 1L << 30, CancellationToken cancellationToken = default) => inner.ReadAsync(key, maxSizeBytes, cancellationToken);

        public ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>> ReadRangesAsync(
            string key, IReadOnlyList<ByteRange> ranges, string? ifMatch = null, CancellationToken cancellationToken = default) => inner.ReadRangesAsync(key, ranges, ifMatch, cancellationToken);

        public ValueTask<bool> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellationToken = default)
            => inner.PutAsync(key, content, condition, cancellationToken);

        public string? TryGetLocalPath(string key) => inner.TryGetLocalPath(key);

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
