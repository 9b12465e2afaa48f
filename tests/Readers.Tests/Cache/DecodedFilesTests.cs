using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Readers.Tests.Cache;

public sealed class DecodedFilesTests : IDisposable
{
    private readonly TemporaryFolder _source = new();
    private readonly TemporaryFolder _cacheFolder = new();
    private int _decodes;

    public void Dispose()
    {
        _source.Dispose();
        _cacheFolder.Dispose();
    }

    [Fact]
    public async Task Local_files_are_given_as_they_are_and_missing_ones_are_named()
    {
        File.WriteAllText(_source.File("a.parquet"), "x");
        using DiskCache cache = NewCache();

        await using FileLease lease = await cache.OpenAsync([FileOf("a.parquet")], null);

        Assert.Equal([_source.File("a.parquet")], lease.LocalPaths);
        LakeException e = await Assert.ThrowsAsync<LakeException>(() => cache.OpenAsync([FileOf("b.parquet")], null).AsTask());
        Assert.Equal(LakeErrorKind.NotFound, e.Kind);
        Assert.Equal(_source.File("b.parquet"), e.Path);
    }

    [Fact]
    public async Task A_file_is_decoded_once_for_all_who_ask_at_the_same_time_and_after_a_restart()
    {
        File.WriteAllText(_source.File("a.orc"), "content");
        var gate = new TaskCompletionSource();
        using (DiskCache cache = NewCache())
        {
            Task<FileLease>[] opens = [.. Enumerable.Range(0, 8).Select(_ => OpenAsync(cache, "a.orc", gate.Task))];
            gate.SetResult();
            foreach (FileLease lease in await Task.WhenAll(opens))
            {
                Assert.Equal("decoded content", await File.ReadAllTextAsync(lease.LocalPaths[0]));
                await lease.DisposeAsync();
            }

            Assert.Equal(1, _decodes);
        }

        using DiskCache reopened = NewCache();
        await using FileLease again = await OpenAsync(reopened, "a.orc");
        Assert.Equal("decoded content", await File.ReadAllTextAsync(again.LocalPaths[0]));
        Assert.Equal(1, _decodes);
    }

    [Fact]
    public async Task A_passing_file_is_decoded_once_in_a_process_and_is_not_there_after_a_restart()
    {
        File.WriteAllText(_source.File("a.log"), "content");
        string path;
        using (DiskCache cache = NewCache())
        {
            await using FileLease first = await OpenPassingAsync(cache);
            await using FileLease second = await OpenPassingAsync(cache);
            path = first.LocalPaths[0];
            Assert.Equal("decoded", await File.ReadAllTextAsync(second.LocalPaths[0]));
            Assert.Equal((1, 7), (_decodes, cache.Counts.SizeBytes));
            Assert.Null(await cache.TryOpenDecodedAsync(FileOf("a.log"), "v1"));
        }

        Assert.True(File.Exists(path));
        using DiskCache reopened = NewCache();
        Assert.False(File.Exists(path));
        await using FileLease again = await OpenPassingAsync(reopened);
        Assert.Equal((2, 7), (_decodes, reopened.Counts.SizeBytes));

        ValueTask<FileLease> OpenPassingAsync(DiskCache cache) => cache.OpenPassingAsync([FileOf("a.log")], "v1", async (_, target, token) =>
        {
            Interlocked.Increment(ref _decodes);
            await File.WriteAllTextAsync(target, "decoded", token);
        });
    }

    [Fact]
    public async Task A_decoded_file_is_found_where_it_is_complete()
    {
        File.WriteAllText(_source.File("a.orc"), "content");
        using DiskCache cache = NewCache();
        Assert.Null(await cache.TryOpenDecodedAsync(FileOf("a.orc"), "v1"));
        var gate = new TaskCompletionSource();
        Task<FileLease> opening = OpenAsync(cache, "a.orc", gate.Task);
        Assert.Null(await cache.TryOpenDecodedAsync(FileOf("a.orc"), "v1"));
        gate.SetResult();
        await (await opening).DisposeAsync();

        await using FileLease? found = await cache.TryOpenDecodedAsync(FileOf("a.orc"), "v1");
        Assert.Equal("decoded content", await File.ReadAllTextAsync(found!.LocalPaths[0]));
        Assert.Null(await cache.TryOpenDecodedAsync(FileOf("a.orc"), "v2"));
    }

    [Fact]
    public async Task A_bound_of_the_statement_that_came_first_does_not_fail_the_one_that_waits_for_the_same_file()
    {
        File.WriteAllText(_source.File("a.orc"), "content");
        using DiskCache cache = NewCache();
        var entered = new TaskCompletionSource();
        var gate = new TaskCompletionSource();
        Task<FileLease> first = cache.OpenDecodedAsync([FileOf("a.orc")], "v1", async (_, _, _) =>
        {
            entered.SetResult();
            await gate.Task;
            throw LakeException.ResourcesExhausted("the first one's bound", isTransient: false);
        }).AsTask();
        await entered.Task;
        Task<FileLease> second = OpenAsync(cache, "a.orc");
        gate.SetResult();

        await Assert.ThrowsAsync<LakeException>(() => first);
        await using FileLease lease = await second;
        Assert.Equal("decoded content", await File.ReadAllTextAsync(lease.LocalPaths[0]));
    }

    [Fact]
    public async Task A_rewritten_source_and_another_decoder_are_decoded_anew()
    {
        File.WriteAllText(_source.File("a.orc"), "one");
        using DiskCache cache = NewCache();
        await using FileLease first = await OpenAsync(cache, "a.orc");
        File.WriteAllText(_source.File("a.orc"), "other");
        await using FileLease second = await OpenAsync(cache, "a.orc");
        await using FileLease third = await OpenAsync(cache, "a.orc", decoderKey: "v2");

        Assert.Equal("decoded one", await File.ReadAllTextAsync(first.LocalPaths[0]));
        Assert.Equal("decoded other", await File.ReadAllTextAsync(second.LocalPaths[0]));
        Assert.NotEqual(second.LocalPaths[0], third.LocalPaths[0]);
    }

    [Fact]
    public async Task A_source_that_is_rewritten_while_it_is_decoded_is_not_kept()
    {
        File.WriteAllText(_source.File("a.orc"), "one");
        using DiskCache cache = NewCache();

        LakeException e = await Assert.ThrowsAsync<LakeException>(() => cache.OpenDecodedAsync([FileOf("a.orc")], "v1", (_, target, _) =>
        {
            File.WriteAllText(_source.File("a.orc"), "other");
            File.WriteAllText(target, "decoded other");
            return ValueTask.CompletedTask;
        }).AsTask());

        Assert.Equal((LakeErrorKind.NotFound, true), (e.Kind, e.IsTransient));
        Assert.Equal(0, cache.Counts.SizeBytes);
    }

    [Fact]
    public async Task A_failed_or_abandoned_decode_leaves_nothing_and_the_next_one_succeeds()
    {
        File.WriteAllText(_source.File("a.orc"), "x");
        using DiskCache cache = NewCache();
        await Assert.ThrowsAsync<LakeException>(() => cache.OpenDecodedAsync([FileOf("a.orc")], "v1", (_, target, _) =>
        {
            File.WriteAllText(target, "half");
            throw LakeException.FormatInvalid("broken");
        }).AsTask());
        using var cancellation = new CancellationTokenSource();
        var started = new TaskCompletionSource();
        Task<FileLease> abandoned = cache.OpenDecodedAsync([FileOf("a.orc")], "v1", async (_, _, token) =>
        {
            started.SetResult();
            await new TaskCompletionSource().Task.WaitAsync(token);
        }, cancellation.Token).AsTask();
        await started.Task;
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => abandoned);

        await using FileLease lease = await OpenAsync(cache, "a.orc");

        Assert.Equal("decoded x", await File.ReadAllTextAsync(lease.LocalPaths[0]));
        Assert.Empty(Directory.GetFiles(Path.Combine(_cacheFolder.Path, "part0", "temporary")));
    }

    [Fact]
    public async Task The_least_recently_used_file_goes_first_and_a_leased_one_never()
    {
        foreach (string name in (string[])["a", "b", "c", "d"])
        {
            File.WriteAllText(_source.File(name), new string('x', 92)); // 100 bytes decoded
        }

        using DiskCache cache = NewCache(budgetBytes: 250);
        FileLease a = await OpenAsync(cache, "a");
        await (await OpenAsync(cache, "b")).DisposeAsync();
        FileLease c = await OpenAsync(cache, "c");
        LakeException full = await Assert.ThrowsAsync<LakeException>(() => OpenAsync(cache, "d"));
        await a.DisposeAsync();
        await using FileLease d = await OpenAsync(cache, "d");

        Assert.Equal(LakeErrorKind.ResourcesExhausted, full.Kind);
        Assert.False(File.Exists(a.LocalPaths[0]));
        Assert.True(File.Exists(c.LocalPaths[0]));
        Assert.Equal(200, cache.Counts.SizeBytes);
        await c.DisposeAsync();
    }

    [Fact]
    public void What_a_killed_process_left_unfinished_is_removed_and_a_second_process_takes_a_part_of_its_own()
    {
        string temporary = Path.Combine(_cacheFolder.Path, "part0", "temporary");
        Directory.CreateDirectory(temporary);
        File.WriteAllText(Path.Combine(temporary, "torn"), "half");

        using DiskCache first = NewCache();
        using DiskCache second = NewCache();

        Assert.Empty(Directory.GetFiles(temporary));
        Assert.True(Directory.Exists(Path.Combine(_cacheFolder.Path, "part1")));
    }

    private DiskCache NewCache(long budgetBytes = 1 << 20) => new(new DiskCacheOptions { Directory = _cacheFolder.Path, BudgetBytes = budgetBytes });

    private CacheableFile FileOf(string name) => new(new LocalFolderStore(_source.Path), name, -1);

    private Task<FileLease> OpenAsync(DiskCache cache, string name, Task? gate = null, string decoderKey = "v1") =>
        cache.OpenDecodedAsync([FileOf(name)], decoderKey, async (file, target, token) =>
        {
            Interlocked.Increment(ref _decodes);
            await (gate ?? Task.CompletedTask);
            await File.WriteAllTextAsync(target, "decoded " + System.Text.Encoding.UTF8.GetString(await file.Store.ReadAsync(file.Key, cancellationToken: token)), token);
        }).AsTask();
}
