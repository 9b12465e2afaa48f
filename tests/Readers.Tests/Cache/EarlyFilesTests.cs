using System.Globalization;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Cache.Sparse;
using LakeHolo.Readers.Engine;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Readers.Tests.Cache;

/// <summary>The engine over files that are still under way.</summary>
public sealed class EarlyFilesTests : IDisposable
{
    private const string Question = "SELECT count(*), sum(id), min(name), max(name), count(DISTINCT name) FROM read_parquet({0})";
    private const int FileCount = 4;

    private static readonly string[] Columns = ["id", "name"];

    private readonly TemporaryFolder _source = new();
    private readonly TemporaryFolder _cacheFolder = new();
    private readonly EngineDatabase _engine;
    private readonly RemoteFolder _remote;
    private readonly TaskCompletionSource _bucket = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private DiskCache _cache;

    public EarlyFilesTests()
    {
        Assert.SkipUnless(FileHold.IsPossible, "There are no leases of files here");
        _engine = new EngineDatabase(new EngineOptions { Threads = 2, AllowedDirectories = [_source.Path, _cacheFolder.Path] });
        _remote = new RemoteFolder(_source.Path);
        _cache = NewCache();
        using DuckDBConnection connection = _engine.OpenConnection();
        for (int i = 0; i < FileCount; i++)
        {
            EngineDatabase.Execute(connection, $"""
                COPY (SELECT i AS id, 'name ' || (i * 7919 % 1000) AS name, md5(i::VARCHAR) AS digest FROM range({i * 100_000}, {(i + 1) * 100_000}) r(i))
                TO {SqlText.Literal(_source.File($"{i}.parquet"))} (FORMAT parquet)
                """);
        }
    }

    public void Dispose()
    {
        _cache?.Dispose();
        _engine?.Dispose();
        _source.Dispose();
        _cacheFolder.Dispose();
    }

    [Fact]
    public async Task The_engine_waits_for_the_files_that_it_opens_and_other_statements_do_not()
    {
        await using FileLease lease = await BeginAsync();
        Task<string> asking = Task.Run(() => Ask(lease.LocalPaths));
        await Eventually.TrueAsync(() => lease.Arrival!.IsAwaited);
        _engine.LendThreads(() => lease.Arrival!.Completion.IsCompleted, () => lease.Arrival!.IsAwaited);

        Assert.Equal("49999995000000", Scalar("SELECT sum(i)::VARCHAR FROM range(10_000_000) r(i)"));
        Assert.False(asking.IsCompleted);

        _bucket.SetResult();
        Assert.Equal(Expected, await asking);
        await lease.Arrival!.Completion;
        Assert.True(lease.Arrival.Use.Requests == 0 && _cache.Counts.FetchedBytes > 0); // the store of this test counts no requests
        await using FileLease again = await _cache.OpenEarlyAsync(Files, Columns);
        Assert.Null(again.Arrival);
        Assert.Equal(Expected, Ask(again.LocalPaths));
    }

    [Fact]
    public async Task A_file_can_be_opened_as_soon_as_it_is_complete()
    {
        int first = 0;
        _remote.BeforeRead = _ => Interlocked.Increment(ref first) == 1 ? Task.CompletedTask : _bucket.Task;
        await using FileLease lease = await _cache.OpenEarlyAsync(await WithFootersAsync(), Columns);
        Assert.Equal(Ask([_source.File("0.parquet")]), await Task.Run(() => Ask([lease.LocalPaths[0]])));
        Assert.False(lease.Arrival!.Completion.IsCompleted);
        _bucket.SetResult();
        await lease.Arrival.Completion;
    }

    [Fact]
    public async Task What_does_not_arrive_is_no_file_of_rows_and_is_fetched_anew()
    {
        int reads = 0;
        FileLease lease = await BeginAsync(async _ =>
        {
            await _bucket.Task;
            if (Interlocked.Increment(ref reads) > 2)
            {
                throw new IOException("lost");
            }
        });
        Task<string> asking = Task.Run(() => Ask(lease.LocalPaths));
        await Eventually.TrueAsync(() => lease.Arrival!.IsAwaited);
        _bucket.SetResult();

        await Assert.ThrowsAnyAsync<Exception>(() => lease.Arrival!.Completion);
        DuckDBException e = await Assert.ThrowsAsync<DuckDBException>(() => asking);
        Assert.Contains("No magic bytes", e.Message, StringComparison.Ordinal);
        await lease.DisposeAsync();

        _remote.BeforeRead = null;
        await using FileLease again = await _cache.OpenAsync(Files, Columns);
        Assert.Equal(Expected, Ask(again.LocalPaths));
    }

    [Fact]
    public async Task What_did_not_arrive_before_a_kill_is_fetched_by_the_next_process()
    {
        FileLease lease = await BeginAsync(_ => Task.FromException(new IOException("lost")));
        await Assert.ThrowsAnyAsync<Exception>(() => lease.Arrival!.Completion);
        _cache.Dispose();

        _remote.BeforeRead = null;
        _cache = NewCache();
        await using FileLease again = await _cache.OpenAsync(Files, Columns);
        Assert.Equal(Expected, Ask(again.LocalPaths));
    }

    [Fact]
    public async Task Who_gives_up_lets_in_who_waits()
    {
        FileLease lease = await BeginAsync();
        Task<string> asking = Task.Run(() => Ask(lease.LocalPaths));
        await Eventually.TrueAsync(() => lease.Arrival!.IsAwaited);
        await lease.DisposeAsync();
        await Assert.ThrowsAsync<DuckDBException>(() => asking);
    }

    [Fact]
    public async Task What_the_engine_waited_for_too_long_is_no_file_of_rows_either()
    {
        _cache.Dispose();
        _cache = new DiskCache(new DiskCacheOptions { Directory = _cacheFolder.Path, MostWaiting = TimeSpan.FromMilliseconds(1) });
        FileLease lease = await BeginAsync();
        Task<string> asking = Task.Run(() => Ask(lease.LocalPaths));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => lease.Arrival!.Completion);
        DuckDBException e = await Assert.ThrowsAsync<DuckDBException>(() => asking);
        Assert.Contains("No magic bytes", e.Message, StringComparison.Ordinal);
        await lease.DisposeAsync();

        _bucket.SetResult();
        await using FileLease again = await _cache.OpenAsync(Files, Columns);
        Assert.Equal(Expected, Ask(again.LocalPaths));
    }

    [Fact]
    public async Task What_arrives_after_the_engine_waited_for_too_long_is_not_believed()
    {
        _cache.Dispose();
        _cache = new DiskCache(new DiskCacheOptions { Directory = _cacheFolder.Path, MostWaiting = TimeSpan.FromTicks(-1) });
        FileLease lease = await BeginAsync();
        Task<string> asking = Task.Run(() => Ask(lease.LocalPaths));
        await Eventually.TrueAsync(() => lease.Arrival!.IsAwaited);
        _bucket.SetResult();
        await Assert.ThrowsAnyAsync<Exception>(() => lease.Arrival!.Completion);
        await Task.WhenAny(asking);
        await lease.DisposeAsync();

        await using FileLease again = await _cache.OpenAsync(Files, Columns);
        Assert.Equal(Expected, Ask(again.LocalPaths));
    }

    [Fact]
    public async Task Another_statement_that_wants_the_same_files_waits_without_a_thread_and_may_leave()
    {
        await using FileLease lease = await BeginAsync();
        using var leaves = new CancellationTokenSource();
        Task<FileLease> other = _cache.OpenAsync(Files, ["id"], leaves.Token).AsTask();
        Task<FileLease> early = _cache.OpenEarlyAsync(Files, ["id"], CancellationToken.None).AsTask();
        Assert.False(other.IsCompleted);
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => other);

        _bucket.SetResult();
        await using FileLease afterwards = await early;
        Assert.Null(afterwards.Arrival);
        Assert.Equal(Expected, Ask(lease.LocalPaths));
    }

    [Fact]
    public async Task Files_of_which_others_read_columns_and_files_that_are_open_are_not_held()
    {
        await using (await _cache.OpenAsync(Files[..2], ["id"]))
        {
        }

        await using (FileLease read = await _cache.OpenEarlyAsync(Files[..2], Columns))
        {
            Assert.Null(read.Arrival);
        }

        await using FileLease footers = await _cache.OpenAsync(Files[2..], []);
        using (FileStream open = File.OpenRead(footers.LocalPaths[0]), other = File.OpenRead(footers.LocalPaths[1]))
        {
            await using FileLease lease = await _cache.OpenEarlyAsync(Files[2..], Columns);
            Assert.Null(lease.Arrival);
        }
    }

    private string Expected => Ask([.. Enumerable.Range(0, FileCount).Select(i => _source.File($"{i}.parquet"))]);

    private CacheableFile[] Files => [.. Enumerable.Range(0, FileCount).Select(i => new CacheableFile(_remote, $"{i}.parquet", -1))];

    private DiskCache NewCache() => new(new DiskCacheOptions { Directory = _cacheFolder.Path });

    private async Task<CacheableFile[]> WithFootersAsync()
    {
        Func<ByteRange, Task>? before = _remote.BeforeRead;
        _remote.BeforeRead = null;
        await using FileLease footers = await _cache.OpenAsync(Files, []);
        _remote.BeforeRead = before;
        return Files;
    }

    // Everything but footers is held back.
    private async Task<FileLease> BeginAsync(Func<ByteRange, Task>? before = null)
    {
        CacheableFile[] files = await WithFootersAsync();
        _remote.BeforeRead = before ?? (_ => _bucket.Task);
        FileLease lease = await _cache.OpenEarlyAsync(files, Columns);
        Assert.NotNull(lease.Arrival);
        return lease;
    }

    private string Ask(IReadOnlyList<string> paths) => Scalar($"SELECT concat_ws('|', COLUMNS(*)) FROM ({Question.Replace("{0}", SqlText.LiteralList(paths), StringComparison.Ordinal)})");

    private string Scalar(string sql)
    {
        using DuckDBConnection connection = _engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = sql;
        return Convert.ToString(command.ExecuteScalar(), CultureInfo.InvariantCulture)!;
    }
}
