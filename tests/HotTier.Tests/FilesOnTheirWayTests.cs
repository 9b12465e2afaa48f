using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Tests.Shared;

namespace LakeHolo.HotTier.Tests;

/// <summary>Statements that begin while files of a bucket are still under way.</summary>
public sealed class FilesOnTheirWayTests : IAsyncLifetime
{
    private const string Question = "SELECT count(*), sum(x)::BIGINT, max(t) FROM dwd.t";
    private const int Rows = 400_000;

    private static readonly string Expected = $"{Rows}|{(long)Rows * (Rows - 1) / 2}|t{Rows - 1:D8}";

    private readonly SmallLake _lake = new();
    private readonly TaskCompletionSource _bucket = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private RemoteFolder _remote = null!;
    private int _chunks; // asked for

    public async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "There are no leases of files here");
        for (int i = 0; i < 4; i++)
        {
            _lake.Write($"dwd/t/{i}.parquet", $"SELECT i AS x, 't' || lpad(i::VARCHAR, 8, '0') AS t, md5(i::VARCHAR) AS other FROM range({i * Rows / 4}, {(i + 1) * Rows / 4}) r(i)");
        }

        _remote = new RemoteFolder(_lake.Directory);
        await _lake.StartAsync(store: _remote);

        // Chunks begin after the magic and end before the footer: what begins at the file's end is a footer.
        Hold(_ => _bucket.Task);
    }

    public ValueTask DisposeAsync() => _lake.DisposeAsync();

    [Fact]
    public async Task The_engine_waits_where_it_opens_a_file_and_other_statements_go_on()
    {
        Task<string[]> asked = _lake.RowsAsync(Question);
        await WaitsAsync();
        Assert.Equal(["4999950000"], await _lake.RowsAsync("SELECT sum(i)::BIGINT AS s FROM range(100000) r(i)"));
        Assert.False(asked.IsCompleted);

        _bucket.SetResult();
        Assert.Equal([Expected], await asked);
        Assert.Equal([Expected], await _lake.RowsAsync(Question));
    }

    [Fact]
    public async Task What_was_lost_on_the_way_is_fetched_again_and_nothing_of_the_first_run_is_given_out()
    {
        int lost = 0;
        Hold(_ => _chunks > 1 && Interlocked.Exchange(ref lost, 1) == 0 ? Task.FromException(LakeException.StorageUnavailable("lost", "x", isTransient: true)) : Task.CompletedTask);
        Assert.Equal([Expected], await _lake.RowsAsync(Question));
        Assert.Equal(1, lost);
        Assert.Equal([Expected], await _lake.RowsAsync(Question));
    }

    [Fact]
    public async Task A_bucket_that_fails_is_an_error_and_later_answers_are_right()
    {
        Hold(_ => Task.FromException(LakeException.StorageUnavailable("lost", "x", isTransient: true)));
        LakeException e = await Assert.ThrowsAsync<LakeException>(() => _lake.RowsAsync(Question));
        Assert.Equal((LakeErrorKind.StorageUnavailable, true), (e.Kind, e.IsTransient));
        _remote.BeforeRead = null;
        Assert.Equal([Expected], await _lake.RowsAsync(Question));
    }

    [Fact]
    public async Task Who_leaves_while_the_engine_waits_ends_the_statement()
    {
        using var leaves = new CancellationTokenSource();
        Hold(_ => Task.Delay(Timeout.Infinite, leaves.Token));
        Task<string[]> asked = _lake.RowsAsync(Question, leaves.Token);
        await WaitsAsync();
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
        _remote.BeforeRead = null;
        Assert.Equal([Expected], await _lake.RowsAsync(Question));
    }

    [Fact]
    public async Task A_statement_that_fails_fails_as_ever()
    {
        Task<string[]> asked = _lake.RowsAsync("SELECT sum(CAST(t AS INTEGER)) FROM dwd.t");
        await WaitsAsync();
        _bucket.SetResult();
        LakeException e = await Assert.ThrowsAsync<LakeException>(() => asked);
        Assert.Equal(LakeErrorKind.QueryInvalid, e.Kind);
    }

    private void Hold(Func<ByteRange, Task> chunk) => _remote.BeforeRead = range =>
    {
        if (range.Offset + range.Length >= new FileInfo(Path.Combine(_lake.Directory, "dwd/t/3.parquet")).Length - 8)
        {
            return Task.CompletedTask;
        }

        Interlocked.Increment(ref _chunks);
        return chunk(range);
    };

    // The engine has begun, and chunks are asked for.
    private Task WaitsAsync() => Eventually.TrueAsync(() => _chunks > 0 && _lake.Instance.Engine.Log.Entries.Any(e => e.State == "running" && e.Tables.Count > 0));
}
