using System.Globalization;
using Apache.Arrow;
using Apache.Arrow.Types;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.DataFiles.Parquet;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Integration.Tests.Storage;

/// <summary>The engine over the disk cache over a real object store.</summary>
public sealed class CacheOverS3Tests : IDisposable
{
    private const string Question = "SELECT count(*), sum(id), min(name), max(name), count(DISTINCT name) FROM read_parquet({0})";
    private const string SomeIdsSql = " WHERE id >= 25000 AND id < 30000";
    private const int FileCount = 4;

    private readonly S3Server _server;
    private readonly TemporaryFolder _local = new();
    private readonly TemporaryFolder _cacheFolder = new();
    private readonly EngineDatabase _engine;

    public CacheOverS3Tests(S3Server server)
    {
        _server = server;
        _engine = new EngineDatabase(new EngineOptions { Threads = 2, AllowedDirectories = [_local.Path, _cacheFolder.Path] });
        using DuckDBConnection connection = _engine.OpenConnection();
        for (int i = 0; i < FileCount; i++)
        {
            EngineDatabase.Execute(connection, $"""
                COPY (SELECT i AS id, 'name ' || (i * 7919 % 1000) AS name, md5(i::VARCHAR) AS digest FROM range({i * 100_000}, {(i + 1) * 100_000}) r(i))
                TO {SqlText.Literal(_local.File($"{i}.parquet"))} (FORMAT parquet, ROW_GROUP_SIZE 20480)
                """);
        }
    }

    public void Dispose()
    {
        _engine.Dispose();
        _local.Dispose();
        _cacheFolder.Dispose();
    }

    [Fact]
    public async Task A_scan_fetches_the_columns_once_and_the_second_one_nothing()
    {
        string bucket = await UploadAsync();
        await using var store = new S3ObjectStore(bucket, _server.Options);
        using DiskCache cache = NewCache();
        long needed = Convert.ToInt64(Ask(
            "SELECT sum(total_compressed_size)::BIGINT FROM parquet_metadata({0}) WHERE path_in_schema IN ('id', 'name')", LocalPaths), CultureInfo.InvariantCulture);

        string first = await AskThroughAsync(cache, store);
        CacheCounts cold = cache.Counts;
        string second = await AskThroughAsync(cache, store);

        Assert.Equal(Ask(Question, LocalPaths), first);
        Assert.Equal(first, second);
        Assert.Equal(cold.Requests, store.RequestCount);
        Assert.Equal(cold.Requests, cache.Counts.Requests);
        // Footers are guessed at 64 KiB: in files of 5 MB that is what counts beside the columns.
        Assert.InRange(cold.FetchedBytes, needed, (needed * 11 / 10) + (FileCount * 64 << 10));
        Assert.Equal(FileCount, cache.Counts.Hits);
    }

    [Fact]
    public async Task Of_the_row_groups_only_needed_ones_are_fetched_and_nothing_is_fetched_twice()
    {
        string bucket = await UploadAsync();
        await using var store = new S3ObjectStore(bucket, _server.Options);
        using DiskCache cache = NewCache();
        long needed = Convert.ToInt64(Ask(
            "SELECT sum(total_compressed_size)::BIGINT FROM parquet_metadata({0}) WHERE path_in_schema IN ('id', 'name') AND row_group_id = 1", LocalPaths[..1]), CultureInfo.InvariantCulture);

        string first = await AskThroughAsync(cache, store, SomeIds);
        CacheCounts cold = cache.Counts;
        string second = await AskThroughAsync(cache, store, SomeIds);
        CacheCounts warm = cache.Counts;
        string all = await AskThroughAsync(cache, store);

        Assert.Equal(Ask(Question + SomeIdsSql, LocalPaths), first);
        Assert.Equal(first, second);
        Assert.Equal(Ask(Question, LocalPaths), all);
        // Of each file its version with its footer, of one a row group's chunks, which lie side by side.
        Assert.Equal(FileCount + 1, cold.Requests);
        Assert.InRange(cold.FetchedBytes, needed, (needed * 11 / 10) + (FileCount * 64 << 10));
        Assert.Equal((cold.Requests, cold.FetchedBytes), (warm.Requests, warm.FetchedBytes));
        Assert.InRange(cache.Counts.FetchedBytes, 0, LocalPaths.Sum(p => new FileInfo(p).Length));
        Assert.Equal(cache.Counts.Requests, store.RequestCount);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Whatever_the_network_does_an_answer_is_exact_or_an_error_and_the_cache_stays_clean(int seed)
    {
        string bucket = await UploadAsync();
        var random = new Random(seed);
        await using var proxy = new FaultProxy(_server.Endpoint);
        await using var store = new S3ObjectStore(
            bucket, _server.Options with { Endpoint = proxy.Address, MaxAttempts = 2, RequestTimeout = TimeSpan.FromMilliseconds(500) });
        using DiskCache cache = NewCache();
        string expected = Ask(Question, LocalPaths);
        string expectedOfSome = Ask(Question + SomeIdsSql, LocalPaths);
        for (int round = 0; round < 6; round++)
        {
            for (int i = 0; i < 12; i++)
            {
                proxy.Enqueue(new Fault((FaultKind)random.Next(Enum.GetValues<FaultKind>().Length), AfterBytes: random.Next(20_000), Delay: TimeSpan.FromMilliseconds(random.Next(2))));
            }

            try
            {
                Assert.Equal(expectedOfSome, await AskThroughAsync(cache, store, SomeIds));
                Assert.Equal(expected, await AskThroughAsync(cache, store));
            }
            catch (LakeException e)
            {
                Assert.Equal((LakeErrorKind.StorageUnavailable, true), (e.Kind, e.IsTransient));
            }
        }

        await using var direct = new S3ObjectStore(bucket, _server.Options);
        Assert.Equal(expectedOfSome, await AskThroughAsync(cache, direct, SomeIds));
        Assert.Equal(expected, await AskThroughAsync(cache, direct));
    }

    [Fact]
    public async Task A_file_that_vanished_is_named()
    {
        string bucket = await UploadAsync();
        await using var store = new S3ObjectStore(bucket, _server.Options);
        using DiskCache cache = NewCache();

        LakeException e = await Assert.ThrowsAsync<LakeException>(() => cache.OpenAsync([new CacheableFile(store, "t/gone.parquet", 100)], null).AsTask());

        Assert.Equal((LakeErrorKind.NotFound, $"s3://{bucket}/t/gone.parquet"), (e.Kind, e.Path));
    }

    private string[] LocalPaths => [.. Enumerable.Range(0, FileCount).Select(i => _local.File($"{i}.parquet"))];

    private DiskCache NewCache() => new(new DiskCacheOptions { Directory = _cacheFolder.Path });

    private async Task<string> UploadAsync()
    {
        string bucket = await _server.NewBucketAsync();
        await _server.PutFolderAsync(bucket, "t/", _local.Path);
        return bucket;
    }

    private static RowGroupCondition SomeIds { get; } = RowGroupCondition.TryCreate(
        new ScanFilter.And([new ScanFilter.Compare("id", ScanComparison.GreaterOrEqual, new ScanLiteral(25_000L)), new ScanFilter.Compare("id", ScanComparison.Less, new ScanLiteral(30_000L))]),
        name => (name, new Field(name, Int64Type.Default, true)))!;

    private async Task<string> AskThroughAsync(DiskCache cache, S3ObjectStore store, RowGroupCondition? needed = null)
    {
        CacheableFile[] files = [.. Enumerable.Range(0, FileCount).Select(i => new CacheableFile(store, $"t/{i}.parquet", -1) { Needed = needed })];
        await using FileLease lease = await cache.OpenAsync(files, ["id", "name"]);
        return Ask(needed is null ? Question : Question + SomeIdsSql, lease.LocalPaths);
    }

    private string Ask(string question, IReadOnlyList<string> paths)
    {
        using DuckDBConnection connection = _engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = question.Replace("{0}", SqlText.LiteralList(paths), StringComparison.Ordinal);
        using DuckDBDataReader reader = command.ExecuteReader();
        Assert.True(reader.Read());
        return string.Join('|', Enumerable.Range(0, reader.FieldCount).Select(i => Convert.ToString(reader.GetValue(i), CultureInfo.InvariantCulture)));
    }
}
