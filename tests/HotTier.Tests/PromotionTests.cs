using LakeHolo.LakeCatalog;
using LakeHolo.Tests.Shared;
using Microsoft.Extensions.Time.Testing;

namespace LakeHolo.HotTier.Tests;

/// <summary>Promotions under way: what is asked meanwhile, and what is left of those that end early.</summary>
public sealed class PromotionTests : IAsyncLifetime
{
    private const string Sums = "SELECT count(*), sum(x) FROM dwd.t";

    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    private readonly FakeTimeProvider _time = new(DateTimeOffset.Parse("2026-11-01T12:00:00Z"));
    private readonly SmallLake _lake = new();

    public ValueTask InitializeAsync()
    {
        _lake.Write("dwd/t/1.parquet", "SELECT i AS x FROM range(1000) t(i)");
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync() => _lake.DisposeAsync();

    [Fact]
    public async Task A_build_that_breaks_off_leaves_nothing_and_the_old_copy_in_service()
    {
        await _lake.StartAsync(_time);
        await _lake.RowsAsync("PROMOTE TABLE dwd.t");
        string[] before = Directory.GetFiles(_lake.HotDirectory, "*.duckdb");

        // Its metadata is whole, its rows are not.
        _lake.Write("dwd/t/2.parquet", "SELECT (hash(i) // 2)::BIGINT AS x FROM range(100000) t(i)");
        string path = Path.Combine(_lake.Directory, "dwd/t/2.parquet");
        byte[] bytes = await File.ReadAllBytesAsync(path);
        bytes.AsSpan(4, bytes.Length / 2).Fill(0xA5);
        await File.WriteAllBytesAsync(path, bytes);
        await Assert.ThrowsAsync<LakeException>(() => _lake.RowsAsync("PROMOTE TABLE dwd.t ORDER BY x"));
        Assert.Equal(before, Directory.GetFiles(_lake.HotDirectory, "*.duckdb"));
        _lake.Delete("dwd/t/2.parquet");
        Assert.Equal("hot", (await _lake.AnswerAsync(Sums)).Tiers);
    }

    [Fact]
    public async Task A_cancelled_promotion_leaves_nothing_and_while_it_runs_answers_are_right()
    {
        _lake.Write("dwd/long/1.parquet", "SELECT md5(i::VARCHAR) AS s FROM range(800000) t(i)");
        await _lake.StartAsync();
        const string Count = "SELECT count(*) FROM dwd.long";
        using var cancel = new CancellationTokenSource();
        Task<string[]> promotion = _lake.RowsAsync("PROMOTE TABLE dwd.long ORDER BY s", cancel.Token);
        await Eventually.TrueAsync(async () =>
        {
            if (promotion.IsCompleted)
            {
                // It was quicker than the look at it.
                await _lake.RowsAsync("DEMOTE TABLE dwd.long");
                promotion = _lake.RowsAsync("PROMOTE TABLE dwd.long ORDER BY s", cancel.Token);
            }

            return (await _lake.RowsAsync("SELECT progress_files FROM lakeholo.hot_tables WHERE state = 'promoting' AND progress_files > 0")).Length > 0;
        });

        Assert.Equal(["800000"], (await _lake.AnswerAsync(Count)).Rows);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => promotion.WaitAsync(Limit));
        Assert.Empty(Directory.GetFiles(_lake.HotDirectory, "*.duckdb*"));
        Assert.Empty(await _lake.RowsAsync("SELECT * FROM lakeholo.hot_tables"));

        // Once more, to its end: whoever asks meanwhile is answered by the lake, then by the copy.
        promotion = _lake.RowsAsync("PROMOTE TABLE dwd.long ORDER BY s").WaitAsync(Limit);
        while (!promotion.IsCompleted)
        {
            Assert.Equal(["800000"], (await _lake.AnswerAsync(Count)).Rows);
        }

        await promotion;
        await AnswersAsync(Count, ["800000"], "hot");
    }

    [Fact]
    public async Task A_stop_ends_a_promotion_under_way_and_leaves_nothing_of_it()
    {
        _lake.Write("dwd/long/1.parquet", "SELECT md5(i::VARCHAR) AS s FROM range(800000) t(i)");
        await _lake.StartAsync();
        await _lake.RowsAsync("PROMOTE TABLE dwd.t");
        Task<string[]> promotion = _lake.RowsAsync("PROMOTE TABLE dwd.long ORDER BY s");
        await Eventually.TrueAsync(() => Task.FromResult(promotion.IsCompleted || Directory.GetFiles(_lake.HotDirectory, "*.duckdb").Length == 2));
        await _lake.StopAsync().WaitAsync(Limit);
        bool wasQuicker = promotion.IsCompletedSuccessfully;
        if (!wasQuicker)
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => promotion.WaitAsync(Limit));
        }

        Assert.Equal(wasQuicker ? 2 : 1, Directory.GetFiles(_lake.HotDirectory, "*.duckdb").Length);
        await _lake.StartAsync();
        await AnswersAsync(Sums, ["1000|499500"], "hot");
    }

    [Theory]
    [InlineData("PROMOTE TABLE parts.t")]
    [InlineData("PROMOTE TABLE parts.t (day, x) WHERE day <> 1")]
    public async Task While_a_table_is_promoted_what_was_copied_already_serves_with_the_rest_from_the_lake(string promote)
    {
        for (int i = 0; i < 100; i++)
        {
            _lake.Write($"parts/t/day={i % 5}/{i}.parquet", $"SELECT x, {i} AS f FROM range({i}, {i + 1000}) t(x)");
        }

        await _lake.StartAsync(configure: o => o with { HotPartBytes = 1 });
        const string ByDay = "SELECT day, count(*), sum(x), count(DISTINCT x) FROM parts.t GROUP BY day";
        const string Other = "SELECT sum(f) FROM parts.t";
        string[] expected = (await _lake.AnswerAsync(ByDay)).Rows;
        string[] other = (await _lake.AnswerAsync(Other)).Rows;
        Task<string[]> promotion = _lake.RowsAsync(promote).WaitAsync(Limit);
        HotCopy copy = await BuildingAsync();
        int held;
        Action leave = await copy.Readers.EnterAsync(default);
        try
        {
            // Nothing more is committed until this reader has left.
            held = copy.State.Units.Count;
            Assert.InRange(held, 1, 99);
            await AnswersAsync(ByDay, expected, "partly hot");
            await AnswersAsync(Other, other, promote.Contains('(', StringComparison.Ordinal) ? "lake" : "partly hot");
            Assert.Contains("|promoting|", string.Join('\n', await _lake.RowsAsync("SELECT \"table\", state, '' FROM lakeholo.hot_tables")), StringComparison.Ordinal);
            await _lake.RowsAsync("SET tier = 'hot'");
            await Assert.ThrowsAsync<LakeException>(() => _lake.AnswerAsync(ByDay));
            await _lake.RowsAsync("RESET tier");
        }
        finally
        {
            leave();
        }

        while (!promotion.IsCompleted)
        {
            Assert.Equal(expected, (await _lake.AnswerAsync(ByDay)).Rows);
        }

        Assert.Contains("|promoted|", (await promotion)[0], StringComparison.Ordinal);
        Assert.Null(_lake.Instance.Store.FindBuilding(copy.State.Snapshot!.Table));
        Assert.InRange(copy.State.Units.Count, held + 1, 100);
        await AnswersAsync(ByDay, expected, promote.Contains("WHERE", StringComparison.Ordinal) ? "partly hot" : "hot");
        Assert.Contains("|verified|", (await _lake.RowsAsync("VERIFY TABLE parts.t"))[0], StringComparison.Ordinal);
        await _lake.StartAsync();
        await AnswersAsync(ByDay, expected, promote.Contains("WHERE", StringComparison.Ordinal) ? "partly hot" : "hot");

        async Task<HotCopy> BuildingAsync()
        {
            HotCopy? building = null;
            await Eventually.TrueAsync(() =>
            {
                building = _lake.Instance.Store.FindBuilding(_lake.Instance.Catalog.Tables.Single(t => t.Table.Schema == "parts").Table);
                Assert.False(promotion.IsCompleted);
                return Task.FromResult(building is { State.IsPart: true });
            });
            return building!;
        }
    }

    [Fact]
    public async Task A_promotion_in_parts_that_fails_takes_back_what_served_already()
    {
        for (int i = 0; i < 40; i++)
        {
            _lake.Write($"parts/t/{i:00}.parquet", $"SELECT (hash(x) // 2)::BIGINT AS x FROM range({i}, {i + 20000}) t(x)");
        }

        // The last file's metadata is whole, its rows are not.
        string path = Path.Combine(_lake.Directory, "parts/t/39.parquet");
        byte[] whole = await File.ReadAllBytesAsync(path);
        byte[] broken = [.. whole];
        broken.AsSpan(4, broken.Length / 2).Fill(0xA5);
        await _lake.StartAsync(configure: o => o with { HotPartBytes = 1 });
        await File.WriteAllBytesAsync(path, broken);
        const string Counted = "SELECT count(*) FROM parts.t";
        await Assert.ThrowsAsync<LakeException>(() => _lake.RowsAsync("PROMOTE TABLE parts.t"));
        Assert.Empty(Directory.GetFiles(_lake.HotDirectory, "*.duckdb*"));
        Assert.Equal("failed", await _lake.ValueAsync("SELECT state FROM lakeholo.hot_tables"));
        await File.WriteAllBytesAsync(path, whole);
        await AnswersAsync(Counted, ["800000"], "lake");
        await _lake.RowsAsync("PROMOTE TABLE parts.t");
        await AnswersAsync(Counted, ["800000"], "hot");
    }

    [Fact]
    public async Task No_more_copies_are_built_at_once_than_the_limit()
    {
        for (int i = 0; i < 6; i++)
        {
            _lake.Write($"many/t{i}/1.parquet", "SELECT md5(i::VARCHAR) AS s FROM range(100000) t(i)");
        }

        await _lake.StartAsync(configure: o => o with { MaxConcurrentBuilds = 2 });
        Task<string[]> promotions = _lake.RowsAsync("PROMOTE SCHEMA many").WaitAsync(Limit);
        while (!promotions.IsCompleted)
        {
            Assert.InRange(long.Parse(await _lake.ValueAsync("SELECT count(*) FROM lakeholo.hot_tables WHERE progress_files > 0"), System.Globalization.CultureInfo.InvariantCulture), 0, 2);
        }

        Assert.All(await promotions, row => Assert.Contains("|promoted|", row, StringComparison.Ordinal));
        Assert.Equal(6, (await promotions).Length);
    }

    private async Task AnswersAsync(string sql, string[] rows, string tiers)
    {
        (string[] actual, string actualTiers) = await _lake.AnswerAsync(sql);
        Assert.Equal(rows, actual);
        Assert.Equal(tiers, actualTiers);
    }
}
