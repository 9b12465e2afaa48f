using LakeHolo.LakeCatalog;
using LakeHolo.Tests.Shared;

namespace LakeHolo.HotTier.Tests;

/// <summary>Promotions under way: what is asked meanwhile, and what is left of those that end early.</summary>
public sealed class PromotionTests : OverOneTable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);


    [Fact]
    public async Task A_build_that_breaks_off_leaves_nothing_and_the_old_copy_in_service()
    {
        await Lake.StartAsync(Time);
        await Lake.RowsAsync("PROMOTE TABLE dwd.t");
        string[] before = Directory.GetFiles(Lake.HotDirectory, "*.duckdb");

        // Its metadata is whole, its rows are not.
        Lake.Write("dwd/t/2.parquet", "SELECT (hash(i) // 2)::BIGINT AS x FROM range(100000) t(i)");
        string path = Path.Combine(Lake.Directory, "dwd/t/2.parquet");
        byte[] bytes = await File.ReadAllBytesAsync(path);
        bytes.AsSpan(4, bytes.Length / 2).Fill(0xA5);
        await File.WriteAllBytesAsync(path, bytes);
        await Assert.ThrowsAsync<LakeException>(() => Lake.RowsAsync("PROMOTE TABLE dwd.t ORDER BY x"));
        Assert.Equal(before, Directory.GetFiles(Lake.HotDirectory, "*.duckdb"));
        Lake.Delete("dwd/t/2.parquet");
        Assert.Equal("hot", (await Lake.AnswerAsync(Sums)).Tiers);
    }

    [Fact]
    public async Task A_cancelled_promotion_leaves_nothing_and_while_it_runs_answers_are_right()
    {
        Lake.Write("dwd/long/1.parquet", "SELECT md5(i::VARCHAR) AS s FROM range(800000) t(i)");
        await Lake.StartAsync();
        const string Count = "SELECT count(*) FROM dwd.long";
        using var cancel = new CancellationTokenSource();
        Task<string[]> promotion = Lake.RowsAsync("PROMOTE TABLE dwd.long ORDER BY s", cancel.Token);
        await Eventually.TrueAsync(async () =>
        {
            if (promotion.IsCompleted)
            {
                // It was quicker than the look at it.
                await Lake.RowsAsync("DEMOTE TABLE dwd.long");
                promotion = Lake.RowsAsync("PROMOTE TABLE dwd.long ORDER BY s", cancel.Token);
            }

            return (await Lake.RowsAsync("SELECT progress_files FROM lakeholo.hot_tables WHERE state = 'promoting' AND progress_files > 0")).Length > 0;
        });

        Assert.Equal(["800000"], (await Lake.AnswerAsync(Count)).Rows);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => promotion.WaitAsync(Limit));
        Assert.Empty(Directory.GetFiles(Lake.HotDirectory, "*.duckdb*"));
        Assert.Empty(await Lake.RowsAsync("SELECT * FROM lakeholo.hot_tables"));

        // Once more, to its end: whoever asks meanwhile is answered by the lake, then by the copy.
        promotion = Lake.RowsAsync("PROMOTE TABLE dwd.long ORDER BY s").WaitAsync(Limit);
        while (!promotion.IsCompleted)
        {
            Assert.Equal(["800000"], (await Lake.AnswerAsync(Count)).Rows);
        }

        await promotion;
        await AnswersAsync(Count, ["800000"], "hot");
    }

    [Fact]
    public async Task A_stop_ends_a_promotion_under_way_and_leaves_nothing_of_it()
    {
        Lake.Write("dwd/long/1.parquet", "SELECT md5(i::VARCHAR) AS s FROM range(800000) t(i)");
        await Lake.StartAsync();
        await Lake.RowsAsync("PROMOTE TABLE dwd.t");
        Task<string[]> promotion = Lake.RowsAsync("PROMOTE TABLE dwd.long ORDER BY s");
        await Eventually.TrueAsync(() => Task.FromResult(promotion.IsCompleted || Directory.GetFiles(Lake.HotDirectory, "*.duckdb").Length == 2));
        await Lake.StopAsync().WaitAsync(Limit);
        bool wasQuicker = promotion.IsCompletedSuccessfully;
        if (!wasQuicker)
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => promotion.WaitAsync(Limit));
        }

        Assert.Equal(wasQuicker ? 2 : 1, Directory.GetFiles(Lake.HotDirectory, "*.duckdb").Length);
        await Lake.StartAsync();
        await AnswersAsync(Sums, ["1000|499500"], "hot");
    }

    [Theory]
    [InlineData("PROMOTE TABLE parts.t")]
    [InlineData("PROMOTE TABLE parts.t (day, x) WHERE day <> 1")]
    public async Task While_a_table_is_promoted_what_was_copied_already_serves_with_the_rest_from_theLake(string promote)
    {
        for (int i = 0; i < 100; i++)
        {
            Lake.Write($"parts/t/day={i % 5}/{i}.parquet", $"SELECT x, {i} AS f FROM range({i}, {i + 1000}) t(x)");
        }

        await Lake.StartAsync(configure: o => o with { HotPartBytes = 1 });
        const string ByDay = "SELECT day, count(*), sum(x), count(DISTINCT x) FROM parts.t GROUP BY day";
        const string Other = "SELECT sum(f) FROM parts.t";
        string[] expected = (await Lake.AnswerAsync(ByDay)).Rows;
        string[] other = (await Lake.AnswerAsync(Other)).Rows;
        Task<string[]> promotion = Lake.RowsAsync(promote).WaitAsync(Limit);
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
            Assert.Contains("|promoting|", string.Join('\n', await Lake.RowsAsync("SELECT \"table\", state, '' FROM lakeholo.hot_tables")), StringComparison.Ordinal);
            await Lake.RowsAsync("SET tier = 'hot'");
            await Assert.ThrowsAsync<LakeException>(() => Lake.AnswerAsync(ByDay));
            await Lake.RowsAsync("RESET tier");
        }
        finally
        {
            leave();
        }

        while (!promotion.IsCompleted)
        {
            Assert.Equal(expected, (await Lake.AnswerAsync(ByDay)).Rows);
        }

        Assert.Contains("|promoted|", (await promotion)[0], StringComparison.Ordinal);
        Assert.Null(Lake.Instance.Store.FindBuilding(copy.State.Snapshot!.Table));
        Assert.InRange(copy.State.Units.Count, held + 1, 100);
        await AnswersAsync(ByDay, expected, promote.Contains("WHERE", StringComparison.Ordinal) ? "partly hot" : "hot");
        Assert.Contains("|verified|", (await Lake.RowsAsync("VERIFY TABLE parts.t"))[0], StringComparison.Ordinal);
        await Lake.StartAsync();
        await AnswersAsync(ByDay, expected, promote.Contains("WHERE", StringComparison.Ordinal) ? "partly hot" : "hot");

        async Task<HotCopy> BuildingAsync()
        {
            HotCopy? building = null;
            await Eventually.TrueAsync(() =>
            {
                building = Lake.Instance.Store.FindBuilding(Lake.Instance.Catalog.Tables.Single(t => t.Table.Schema == "parts").Table);
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
            Lake.Write($"parts/t/{i:00}.parquet", $"SELECT (hash(x) // 2)::BIGINT AS x FROM range({i}, {i + 20000}) t(x)");
        }

        // The last file's metadata is whole, its rows are not.
        string path = Path.Combine(Lake.Directory, "parts/t/39.parquet");
        byte[] whole = await File.ReadAllBytesAsync(path);
        byte[] broken = [.. whole];
        broken.AsSpan(4, broken.Length / 2).Fill(0xA5);
        await Lake.StartAsync(configure: o => o with { HotPartBytes = 1 });
        await File.WriteAllBytesAsync(path, broken);
        const string Counted = "SELECT count(*) FROM parts.t";
        await Assert.ThrowsAsync<LakeException>(() => Lake.RowsAsync("PROMOTE TABLE parts.t"));
        Assert.Empty(Directory.GetFiles(Lake.HotDirectory, "*.duckdb*"));
        Assert.Equal("failed", await Lake.ValueAsync("SELECT state FROM lakeholo.hot_tables"));
        await File.WriteAllBytesAsync(path, whole);
        await AnswersAsync(Counted, ["800000"], "lake");
        await Lake.RowsAsync("PROMOTE TABLE parts.t");
        await AnswersAsync(Counted, ["800000"], "hot");
    }

    [Fact]
    public async Task No_more_copies_are_built_at_once_than_the_limit()
    {
        for (int i = 0; i < 6; i++)
        {
            Lake.Write($"many/t{i}/1.parquet", "SELECT md5(i::VARCHAR) AS s FROM range(100000) t(i)");
        }

        await Lake.StartAsync(configure: o => o with { MaxConcurrentBuilds = 2 });
        Task<string[]> promotions = Lake.RowsAsync("PROMOTE SCHEMA many").WaitAsync(Limit);
        while (!promotions.IsCompleted)
        {
            Assert.InRange(long.Parse(await Lake.ValueAsync("SELECT count(*) FROM lakeholo.hot_tables WHERE progress_files > 0"), System.Globalization.CultureInfo.InvariantCulture), 0, 2);
        }

        Assert.All(await promotions, row => Assert.Contains("|promoted|", row, StringComparison.Ordinal));
        Assert.Equal(6, (await promotions).Length);
    }
}
