using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Cache.Sparse;
using LakeHolo.Readers.Engine;
using LakeHolo.Tests.Shared;
using Microsoft.Extensions.Time.Testing;
using ParquetSharp;

namespace LakeHolo.Readers.Tests.Cache;

public sealed class SparseParquetTests : IDisposable
{
    private const string Rows =
        "SELECT i AS id, 'name ' || (i * 7919 % 1000) AS name, hash(i) AS noise, {'x': i, 'y': 'y' || i % 100} AS nested, md5(i::VARCHAR) AS digest FROM range(200_000) r(i)";

    private static readonly string[] Questions =
    [
        "SELECT count(*), sum(id), min(name), max(name), count(DISTINCT name) FROM {0}",
        "SELECT id, name FROM {0} WHERE name = 'name 77' ORDER BY id",
        "SELECT name FROM {0} WHERE id = 123456",
        "SELECT id, name, file_row_number FROM {0} WHERE id BETWEEN 99990 AND 100010 ORDER BY id",
        "SELECT id FROM {0} ORDER BY name DESC, id LIMIT 20",
    ];

    private readonly TemporaryFolder _source = new();
    private readonly TemporaryFolder _cacheFolder = new();
    private readonly EngineDatabase _engine;
    private readonly RemoteFolder _remote;

    public SparseParquetTests()
    {
        _engine = new EngineDatabase(new EngineOptions { Threads = 2, AllowedDirectories = [_source.Path, _cacheFolder.Path] });
        _remote = new RemoteFolder(_source.Path);
    }

    public void Dispose()
    {
        _engine.Dispose();
        _source.Dispose();
        _cacheFolder.Dispose();
    }

    [Theory]
    [InlineData("ROW_GROUP_SIZE 20480")]
    [InlineData("ROW_GROUP_SIZE 20480, COMPRESSION zstd, PARQUET_VERSION v2")]
    [InlineData("ROW_GROUP_SIZE 122880, COMPRESSION uncompressed")]
    public async Task Holes_filled_with_noise_do_not_change_an_answer(string options)
    {
        Write(options);
        using DiskCache cache = NewCache();

        await using FileLease lease = await cache.OpenAsync([FileOf("t.parquet")], ["id", "name"]);

        Assert.True(Poison(lease.LocalPaths[0]) > new FileInfo(_source.File("t.parquet")).Length / 2);
        AssertSameAnswers(lease.LocalPaths[0]);
    }

    [Fact]
    public async Task Page_indexes_of_another_writer_are_there_when_the_engine_wants_them()
    {
        using (WriterProperties properties = new WriterPropertiesBuilder().EnableWritePageIndex().DataPagesize(4096).Compression(Compression.Zstd).Build())
        using (var writer = new ParquetFileWriter(
            _source.File("t.parquet"), [new Column<long>("id"), new Column<string>("name"), new Column<byte[]>("digest")], properties))
        {
            for (long group = 0; group < 4; group++)
            {
                long[] ids = [.. Enumerable.Range(0, 50_000).Select(i => (group * 50_000) + i)];
                using RowGroupWriter rows = writer.AppendRowGroup();
                using (LogicalColumnWriter<long> column = rows.NextColumn().LogicalWriter<long>())
                {
                    column.WriteBatch(ids);
                }

                using (LogicalColumnWriter<string> column = rows.NextColumn().LogicalWriter<string>())
                {
                    column.WriteBatch([.. ids.Select(i => $"name {i * 7919 % 1000}")]);
                }

                using (LogicalColumnWriter<byte[]> column = rows.NextColumn().LogicalWriter<byte[]>())
                {
                    column.WriteBatch([.. ids.Select(i => System.Security.Cryptography.SHA256.HashData(BitConverter.GetBytes(i)))]);
                }
            }

            writer.Close();
        }

        using DiskCache cache = NewCache();
        await using FileLease lease = await cache.OpenAsync([FileOf("t.parquet")], ["id", "name"]);

        Assert.True(Poison(lease.LocalPaths[0]) > 0);
        AssertSameAnswers(lease.LocalPaths[0]);
    }

    [Fact]
    public async Task Columns_that_come_later_are_read_by_the_same_engine_and_nested_ones_whole()
    {
        Write("ROW_GROUP_SIZE 20480");
        using DiskCache cache = NewCache();
        await using FileLease first = await cache.OpenAsync([FileOf("t.parquet")], ["ID"]);
        Poison(first.LocalPaths[0]);
        Assert.Equal(Ask("SELECT sum(id) FROM {0}", _source.File("t.parquet")), Ask("SELECT sum(id) FROM {0}", first.LocalPaths[0]));

        await using FileLease second = await cache.OpenAsync([FileOf("t.parquet")], ["nested", "missing"]);
        Poison(second.LocalPaths[0]);

        Assert.Equal(first.LocalPaths, second.LocalPaths);
        const string Question = "SELECT sum(nested.x), max(nested.y), sum(id) FROM {0}";
        Assert.Equal(Ask(Question, _source.File("t.parquet")), Ask(Question, second.LocalPaths[0]));
        await using FileLease whole = await cache.OpenAsync([FileOf("t.parquet")], null);
        Assert.Equal(File.ReadAllBytes(_source.File("t.parquet")), File.ReadAllBytes(whole.LocalPaths[0]));
    }

    [Fact]
    public async Task The_footer_alone_answers_what_needs_no_column()
    {
        Write("ROW_GROUP_SIZE 20480");
        using DiskCache cache = NewCache();
        await using FileLease lease = await cache.OpenAsync([FileOf("t.parquet")], []);
        Poison(lease.LocalPaths[0]);

        Assert.Equal([[200_000L]], Ask("SELECT count(*) FROM {0}", lease.LocalPaths[0]));
        Assert.Equal([[199_999L, 200_000L]], Ask("SELECT max(file_row_number)::BIGINT, count(*) FROM {0}", lease.LocalPaths[0]));
        Assert.Equal([[5L]], Ask("SELECT count(*) FROM {0} WHERE file_row_number < 5", lease.LocalPaths[0]));
    }

    [Fact]
    public async Task Only_what_is_needed_is_fetched_and_only_once()
    {
        Write("ROW_GROUP_SIZE 50_000, COMPRESSION uncompressed");
        long needed = Convert.ToInt64(Ask(
            "SELECT sum(total_compressed_size)::BIGINT FROM parquet_metadata('" + _source.File("t.parquet") + "') WHERE path_in_schema IN ('digest')", "")[0][0],
            System.Globalization.CultureInfo.InvariantCulture);
        using DiskCache cache = NewCache();

        await (await cache.OpenAsync([FileOf("t.parquet")], ["digest"])).DisposeAsync();
        CacheCounts cold = cache.Counts;
        await (await cache.OpenAsync([FileOf("t.parquet")], ["digest"])).DisposeAsync();
        await (await cache.OpenAsync([FileOf("t.parquet")], [])).DisposeAsync();

        // One for the version and the footer, one for each of the four row groups' chunks.
        Assert.Equal(5, cold.Requests);
        Assert.InRange(cold.FetchedBytes, needed, needed * 11 / 10);
        Assert.Equal(cold.FetchedBytes, cold.SizeBytes);
        Assert.Equal((cold.Requests, cold.FetchedBytes, 2L, 1L), (cache.Counts.Requests, cache.Counts.FetchedBytes, cache.Counts.Hits, cache.Counts.Misses));
    }

    [Fact]
    public async Task A_small_file_of_known_size_is_one_request_and_its_bytes_count_as_fetched_only()
    {
        File.WriteAllBytes(_source.File("small"), new byte[200 << 10]);
        using DiskCache cache = NewCache();
        var use = new StorageUse();
        StorageUse.Current = use;

        await using FileLease lease = await cache.OpenAsync([FileOf("small") with { SizeBytes = 200 << 10 }], null);

        Assert.Equal((1L, 200L << 10, 0L, 1L), (cache.Counts.Requests, cache.Counts.FetchedBytes, cache.Counts.Hits, cache.Counts.Misses));
        Assert.Equal(0, use.CachedBytes);
        await (await cache.OpenAsync([FileOf("small") with { SizeBytes = 200 << 10 }], null)).DisposeAsync();
        Assert.Equal((200L << 10, 1L), (use.CachedBytes, cache.Counts.Requests));
    }

    [Fact]
    public async Task The_bound_of_one_statement_does_not_end_another_that_waits_for_the_same_file()
    {
        Write("ROW_GROUP_SIZE 50_000");
        using DiskCache cache = NewCache();
        var bound = new TaskCompletionSource();
        int reads = 0;
        _remote.BeforeRead = async _ =>
        {
            if (Interlocked.Increment(ref reads) == 1)
            {
                await bound.Task;
                throw LakeException.ResourcesExhausted("too many requests", isTransient: false);
            }
        };
        Task<FileLease> first = cache.OpenAsync([FileOf("t.parquet")], ["id"]).AsTask();
        await Eventually.TrueAsync(() => Volatile.Read(ref reads) == 1);
        Task<FileLease> second = cache.OpenAsync([FileOf("t.parquet")], ["id"]).AsTask();
        await Task.Delay(100); // by now it waits for the first one's request
        Assert.Equal(1, reads);

        bound.SetResult();

        Assert.Equal(LakeErrorKind.ResourcesExhausted, (await Assert.ThrowsAsync<LakeException>(() => first)).Kind);
        await using FileLease lease = await second;
        Assert.Equal(Ask("SELECT sum(id) FROM {0}", _source.File("t.parquet")), Ask("SELECT sum(id) FROM {0}", lease.LocalPaths[0]));
    }

    [Fact]
    public async Task A_restart_fetches_nothing_again_except_what_was_torn()
    {
        Write("ROW_GROUP_SIZE 50_000, COMPRESSION uncompressed");
        string path;
        using (DiskCache cache = NewCache())
        {
            await using FileLease lease = await cache.OpenAsync([FileOf("t.parquet")], ["digest"]);
            path = lease.LocalPaths[0];
        }

        using (DiskCache cache = NewCache())
        {
            await using FileLease lease = await cache.OpenAsync([FileOf("t.parquet")], ["digest"]);
            Assert.Equal((1L, 0L), (cache.Counts.Requests, cache.Counts.FetchedBytes)); // it asks only whether the file is the same
        }

        Segment torn = SegmentMap.TryRead(path + CacheIndex.CompanionSuffix, new FileInfo(path).Length)![1];
        using (FileStream stream = File.OpenWrite(path))
        {
            stream.Position = torn.Offset + (torn.Length / 2);
            stream.Write(new byte[4096]);
        }

        using (DiskCache cache = NewCache())
        {
            await using FileLease lease = await cache.OpenAsync([FileOf("t.parquet")], ["digest"]);
            Assert.Equal((2L, torn.Length), (cache.Counts.Requests, cache.Counts.FetchedBytes));
            Assert.Equal(Ask("SELECT max(digest), min(digest) FROM {0}", _source.File("t.parquet")), Ask("SELECT max(digest), min(digest) FROM {0}", path));
        }

        File.WriteAllBytes(path + CacheIndex.CompanionSuffix, new byte[100]);
        using (DiskCache cache = NewCache())
        {
            Assert.Equal(0, cache.Counts.SizeBytes);
            Assert.False(File.Exists(path));
        }
    }

    [Fact]
    public async Task What_arrived_before_a_failure_is_kept_and_the_rest_fetched_by_the_next()
    {
        Write("ROW_GROUP_SIZE 50_000, COMPRESSION uncompressed");
        using DiskCache cache = NewCache();
        int reads = 0;
        _remote.BeforeRead = _ => Interlocked.Increment(ref reads) == 3 ? throw LakeException.StorageUnavailable("down") : Task.CompletedTask;
        LakeException e = await Assert.ThrowsAsync<LakeException>(() => cache.OpenAsync([FileOf("t.parquet")], ["digest", "id"]).AsTask());
        Assert.Equal(LakeErrorKind.StorageUnavailable, e.Kind);
        long kept = cache.Counts.SizeBytes;
        Assert.Equal(cache.Counts.FetchedBytes, kept);
        _remote.BeforeRead = null;

        await using FileLease lease = await cache.OpenAsync([FileOf("t.parquet")], ["digest", "id"]);

        Assert.Equal(cache.Counts.FetchedBytes, cache.Counts.SizeBytes);
        Assert.Equal(Ask("SELECT max(digest), sum(id) FROM {0}", _source.File("t.parquet")), Ask("SELECT max(digest), sum(id) FROM {0}", lease.LocalPaths[0]));
    }

    [Fact]
    public async Task A_file_that_changes_under_its_name_is_an_error_and_never_a_mixture()
    {
        Write("ROW_GROUP_SIZE 20480, COMPRESSION uncompressed");
        using DiskCache cache = NewCache();
        await (await cache.OpenAsync([FileOf("t.parquet")], ["id"])).DisposeAsync();
        Write("ROW_GROUP_SIZE 20480, COMPRESSION zstd");

        LakeException e = await Assert.ThrowsAsync<LakeException>(() => cache.OpenAsync([FileOf("t.parquet")], ["digest"]).AsTask());
        Assert.Equal((LakeErrorKind.NotFound, true), (e.Kind, e.IsTransient));
        Assert.Contains("rewritten", e.Message, StringComparison.Ordinal);

        await using FileLease again = await cache.OpenAsync([FileOf("t.parquet")], ["id", "name"]);
        AssertSameAnswers(again.LocalPaths[0]);
        LakeException size = await Assert.ThrowsAsync<LakeException>(() => cache.OpenAsync([FileOf("t.parquet") with { SizeBytes = 5 }], null).AsTask());
        Assert.Equal(LakeErrorKind.FormatInvalid, size.Kind);
    }

    [Fact]
    public async Task A_rewritten_file_whose_copy_is_complete_is_noticed_when_its_tag_is_asked_for_again()
    {
        var time = new FakeTimeProvider();
        File.WriteAllText(_source.File("a"), "old");
        using var cache = new DiskCache(new DiskCacheOptions { Directory = _cacheFolder.Path, RevalidateAfter = TimeSpan.FromMinutes(5) }, time);
        await (await cache.OpenAsync([FileOf("a")], null)).DisposeAsync();
        File.WriteAllText(_source.File("a"), "newer");

        time.Advance(TimeSpan.FromMinutes(6));
        await using FileLease lease = await cache.OpenAsync([FileOf("a")], null);

        Assert.Equal("newer", File.ReadAllText(lease.LocalPaths[0]));
    }

    [Fact]
    public async Task Many_at_once_with_a_small_budget_read_exactly_what_they_lease()
    {
        string[] names = [.. Enumerable.Range(0, 12).Select(i => $"f{i}")];
        foreach (string name in names)
        {
            File.WriteAllText(_source.File(name), string.Concat(Enumerable.Repeat(name + ";", 10_000)));
        }

        using DiskCache cache = NewCache(budgetBytes: 12 * 40_000); // room for most, not for all
        await Parallel.ForAsync(0, 200, new ParallelOptions { MaxDegreeOfParallelism = 6 }, async (i, token) =>
        {
            string name = names[new Random(i).Next(names.Length)];
            await using FileLease lease = await cache.OpenAsync([FileOf(name)], null, token);
            Assert.Equal(await File.ReadAllBytesAsync(_source.File(name), token), await File.ReadAllBytesAsync(lease.LocalPaths[0], token));
        });

        Assert.InRange(cache.Counts.SizeBytes, 1, 12 * 40_000);
        Assert.Equal(cache.Counts.FetchedBytes - cache.Counts.EvictedBytes, cache.Counts.SizeBytes);
        Assert.Equal(200, cache.Counts.Hits + cache.Counts.Misses);
    }

    [Fact]
    public async Task Files_that_are_no_Parquet_are_fetched_whole()
    {
        File.WriteAllBytes(_source.File("t.csv"), [.. Enumerable.Repeat((byte)'x', 9 << 20)]);
        File.WriteAllText(_source.File("empty.csv"), "");
        using DiskCache cache = NewCache();

        await using FileLease lease = await cache.OpenAsync([FileOf("t.csv"), FileOf("empty.csv")], ["a"]);

        Assert.Equal(File.ReadAllBytes(_source.File("t.csv")), File.ReadAllBytes(lease.LocalPaths[0]));
        Assert.EndsWith(".csv", lease.LocalPaths[0], StringComparison.Ordinal);
        Assert.Empty(File.ReadAllBytes(lease.LocalPaths[1]));
    }

    [Fact]
    public async Task Room_is_made_by_dropping_files_and_a_query_that_needs_more_than_the_budget_is_told_so()
    {
        foreach (string name in (string[])["a", "b", "c"])
        {
            File.WriteAllBytes(_source.File(name), new byte[100_000]);
        }

        using DiskCache cache = NewCache(budgetBytes: 250_000);
        await (await cache.OpenAsync([FileOf("a"), FileOf("b")], null)).DisposeAsync();
        await (await cache.OpenAsync([FileOf("c")], null)).DisposeAsync();
        Assert.Equal((200_000L, 100_000L), (cache.Counts.SizeBytes, cache.Counts.EvictedBytes));

        LakeException e = await Assert.ThrowsAsync<LakeException>(() => cache.OpenAsync([FileOf("a"), FileOf("b"), FileOf("c")], null).AsTask());

        Assert.Equal(LakeErrorKind.ResourcesExhausted, e.Kind);
        Assert.Contains("250000", e.Message, StringComparison.Ordinal);
    }

    private DiskCache NewCache(long budgetBytes = 1L << 30) => new(new DiskCacheOptions { Directory = _cacheFolder.Path, BudgetBytes = budgetBytes });

    private CacheableFile FileOf(string name) => new(_remote, name, -1);

    private void Write(string options)
    {
        using DuckDBConnection connection = _engine.OpenConnection();
        EngineDatabase.Execute(connection, $"COPY ({Rows}) TO {SqlText.Literal(_source.File("t.parquet"))} (FORMAT parquet, {options})");
    }

    private static long Poison(string path)
    {
        long size = new FileInfo(path).Length;
        List<ByteRange> holes = Ranges.Missing([new ByteRange(0, size)], SegmentMap.TryRead(path + CacheIndex.CompanionSuffix, size)!);
        var random = new Random(7);
        using FileStream stream = File.OpenWrite(path);
        foreach (ByteRange hole in holes)
        {
            byte[] noise = new byte[hole.Length];
            random.NextBytes(noise);
            stream.Position = hole.Offset;
            stream.Write(noise);
        }

        return holes.Sum(h => h.Length);
    }

    private void AssertSameAnswers(string path)
    {
        foreach (string question in Questions)
        {
            List<object[]> expected = Ask(question, _source.File("t.parquet"));
            Assert.NotEmpty(expected);
            Assert.Equal(expected, Ask(question, path));
        }
    }

    private List<object[]> Ask(string question, string path)
    {
        using DuckDBConnection connection = _engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = question.Replace("{0}", $"read_parquet({SqlText.Literal(path)})", StringComparison.Ordinal);
        using DuckDBDataReader reader = command.ExecuteReader();
        var rows = new List<object[]>();
        while (reader.Read())
        {
            object[] row = new object[reader.FieldCount];
            reader.GetValues(row);
            rows.Add(row);
        }

        return rows;
    }
}
