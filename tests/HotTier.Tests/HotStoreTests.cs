using Apache.Arrow;
using Apache.Arrow.Types;
using DuckDB.NET.Data;
using LakeHolo.Accelerator.Sources;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.HotTier.Tests;

public sealed class HotStoreTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("lakeholo-hot-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task A_published_copy_is_found_again_after_a_restart_at_its_snapshot()
    {
        using (EngineDatabase engine = Engine())
        using (var store = new HotStore(_directory, engine))
        {
            await PromoteAsync(store, "7", "SELECT 1 AS id UNION ALL SELECT 2");
        }

        using EngineDatabase restarted = Engine();
        using var again = new HotStore(_directory, restarted);
        HotCopy copy = again.Find(Table)!;
        Assert.Equal(("7", 2L), (copy.State.Stamp.Snapshot, copy.State.Stamp.Rows));
        Assert.Equal(2L, Count(restarted, copy));
    }

    [Fact]
    public async Task A_quarantined_copy_stays_out_of_service_after_a_restart()
    {
        using (EngineDatabase engine = Engine())
        using (var store = new HotStore(_directory, engine))
        {
            store.Quarantine(await PromoteAsync(store, "7", "SELECT 1 AS id"));
        }

        using EngineDatabase restarted = Engine();
        using var again = new HotStore(_directory, restarted);
        Assert.True(again.Find(Table)!.IsQuarantined);
    }

    [Fact]
    public async Task A_copy_that_does_not_fit_drives_out_the_one_used_longest_ago_or_is_refused()
    {
        using EngineDatabase engine = Engine();
        using var store = new HotStore(_directory, engine);
        HotCopy old = await PromoteAsync(store, "1", "SELECT 1 AS id");
        long bytes = store.BytesOf(old);
        var upkeep = new HotUpkeep(store, new HotLimits(1, 2 * bytes), Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
        LakeTable other = Table with { Name = "other" };

        upkeep.MakeRoom(other, bytes);
        Assert.Same(old, store.Find(Table));
        upkeep.MakeRoom(other, bytes + 1);
        Assert.Null(store.Find(Table));
        Assert.Equal(LakeErrorKind.ResourcesExhausted, Assert.Throws<LakeException>(() => upkeep.MakeRoom(other, 2 * bytes + 1)).Kind);
    }

    [Fact]
    public async Task A_replaced_copy_is_deleted_when_its_last_reader_leaves()
    {
        using EngineDatabase engine = Engine();
        using var store = new HotStore(_directory, engine);
        HotCopy old = await PromoteAsync(store, "1", "SELECT 1 AS id");
        IAsyncDisposable reader = old.TryHold(DateTimeOffset.UnixEpoch)!;

        HotCopy current = await PromoteAsync(store, "2", "SELECT 1 AS id UNION ALL SELECT 2");

        Assert.Same(current, store.Find(Table));
        Assert.Equal(1L, Count(engine, old));
        Assert.Null(old.TryHold(DateTimeOffset.UnixEpoch));
        await reader.DisposeAsync();
        Assert.False(File.Exists(Path.Combine(_directory, old.Record.File)));
        Assert.True(File.Exists(Path.Combine(_directory, current.Record.File)));
    }

    [Fact]
    public async Task A_build_that_was_not_published_leaves_nothing_behind_after_a_restart()
    {
        using (EngineDatabase engine = Engine())
        using (var store = new HotStore(_directory, engine))
        {
            await PromoteAsync(store, "1", "SELECT 1 AS id");
            await BuildAsync(store, "2", "SELECT 1 AS id");
            Assert.Equal(2, Directory.GetFiles(_directory, "*.duckdb").Length);
        }

        using EngineDatabase restarted = Engine();
        using var again = new HotStore(_directory, restarted);
        Assert.Equal("1", again.Find(Table)!.State.Stamp.Snapshot);
        Assert.Single(Directory.GetFiles(_directory, "*.duckdb"));
    }

    [Fact]
    public async Task A_copy_whose_file_is_damaged_is_as_good_as_none()
    {
        string file;
        using (EngineDatabase engine = Engine())
        using (var store = new HotStore(_directory, engine))
        {
            file = Path.Combine(_directory, (await PromoteAsync(store, "1", "SELECT 1 AS id")).Record.File);
        }

        await File.WriteAllBytesAsync(file, new byte[4096]);
        using EngineDatabase restarted = Engine();
        using var again = new HotStore(_directory, restarted);
        Assert.Null(again.Find(Table));
        Assert.Empty(again.Copies);
    }

    [Fact]
    public async Task A_list_that_cannot_be_understood_is_refused_and_nothing_is_deleted()
    {
        using (EngineDatabase engine = Engine())
        using (var store = new HotStore(_directory, engine))
        {
            await PromoteAsync(store, "1", "SELECT 1 AS id");
        }

        await File.WriteAllTextAsync(Path.Combine(_directory, "hot.json"), "{ \"version\": 1, \"copies\": [");
        using EngineDatabase restarted = Engine();
        LakeException refusal = Assert.Throws<LakeException>(() => new HotStore(_directory, restarted));
        Assert.Equal(LakeErrorKind.FormatInvalid, refusal.Kind);
        Assert.Single(Directory.GetFiles(_directory, "*.duckdb"));
    }

    [Fact]
    public void A_folder_is_used_by_one_process_at_a_time()
    {
        using EngineDatabase engine = Engine();
        using var store = new HotStore(_directory, engine);
        LakeException refusal = Assert.Throws<LakeException>(() => new HotStore(_directory, engine));
        Assert.Equal(LakeErrorKind.ResourcesExhausted, refusal.Kind);
    }

    [Theory]
    [InlineData("'text ' || (i % 100) AS c0, i AS c1", "DICT_FSST")]
    [InlineData("'text ' || i AS c0, 'text' AS c1", "Dictionary, FSST")]
    [InlineData("CASE WHEN i % 50 = 0 THEN 'text ' || i END AS c0", "DICT_FSST")]
    [InlineData("'text ' || (i % 100) AS c0, [CAST(i AS VARCHAR)] AS c1", "Dictionary, FSST")]
    public void Texts_that_repeat_are_compressed_to_be_scanned_and_others_so_that_one_is_reached_fast(string columns, string compressions)
    {
        using EngineDatabase engine = Engine();
        using DuckDBConnection connection = engine.OpenConnection();
        string rows = $"SELECT {columns} FROM range(300000) t(i)";
        var database = new HotDatabase(engine, "hot_texts");
        database.Create(Path.Combine(_directory, "texts.duckdb"), HotDatabase.TextsRepeat(connection, rows));
        HotDatabase.Change(connection, $"CREATE TABLE {database.Rows} AS {rows}");
        Assert.Equal(compressions, Compressions(connection, database));
    }

    [Fact]
    public void Texts_that_are_looked_up_are_kept_in_dictionaries()
    {
        using EngineDatabase engine = Engine();
        using DuckDBConnection connection = engine.OpenConnection();
        const string rows = "SELECT 'text ' || (i % 20000) AS c0 FROM range(300000) t(i)";
        var database = new HotDatabase(engine, "hot_texts");
        database.Create(Path.Combine(_directory, "texts.duckdb"), textsRepeat: false);
        database.CreateRows(connection, rows);
        HotDatabase.Change(connection, $"INSERT INTO {database.Rows} {rows}");
        Assert.Equal("Dictionary", Compressions(connection, database));
    }

    private static object? Compressions(DuckDBConnection connection, HotDatabase database)
    {
        EngineDatabase.Execute(connection, $"CHECKPOINT {database.Alias}");
        return HotDatabase.Scalar(
            connection,
            $"SELECT string_agg(DISTINCT compression, ', ' ORDER BY compression) FROM pragma_storage_info('{database.Rows}') WHERE segment_type = 'VARCHAR' AND compression <> 'Constant'");
    }

    private LakeTable Table { get; } = new("lake", "dwd", "orders", "delta", new TableRoot(new LocalFolderStore(Path.GetTempPath()), "dwd/orders/"));

    private EngineDatabase Engine() => new(new EngineOptions { Threads = 1, AllowedDirectories = [_directory] });

    private async Task<HotCopy> PromoteAsync(HotStore store, string snapshot, string rows)
        => store.Publish(await BuildAsync(store, snapshot, rows), null, DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch);

    private async Task<HotBuild> BuildAsync(HotStore store, string snapshot, string rows)
        => await store.BuildAsync(
            Snapshot(snapshot), [null], (_, _) => ValueTask.FromResult(new TableScan(rows, new ScanStatistics { FilesTotal = 1, FilesRead = 1, BytesRead = 0 })), null, PromotionSpec.Whole, "promotion",
            new HotWork(), default);

    private FakeSnapshot Snapshot(string id) => new()
    {
        Table = Table,
        Id = new SnapshotId(id),
        CommittedAt = null,
        Schema = new Schema([new Field("id", Int32Type.Default, true)], null),
        PartitionColumns = [],
    };

    private static long Count(EngineDatabase engine, HotCopy copy)
    {
        using DuckDBConnection connection = engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT count(*) FROM {copy.Database.Rows}";
        return (long)command.ExecuteScalar()!;
    }

    private sealed class FakeSnapshot : Snapshot
    {
        public override long FileCount => 0;

        public override long SizeBytes => 0;

        public override long? RowCount => null;

        public override IEnumerable<DataFileInfo> EnumerateFiles() => [];
    }
}
