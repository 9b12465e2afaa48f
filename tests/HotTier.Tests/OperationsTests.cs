using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Engine;
using Microsoft.Extensions.Time.Testing;

namespace LakeHolo.HotTier.Tests;

/// <summary>The hot tier while something else happens to it: time passes, sources go away, disks are full, somebody cancels.</summary>
public sealed class OperationsTests : IAsyncLifetime
{
    private const string Sums = "SELECT count(*), sum(x) FROM dwd.t";

    private readonly FakeTimeProvider _time = new(DateTimeOffset.Parse("2026-11-01T12:00:00Z"));
    private readonly SmallLake _lake = new();

    public ValueTask InitializeAsync()
    {
        _lake.Write("dwd/t/1.parquet", "SELECT i AS x FROM range(1000) t(i)");
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync() => _lake.DisposeAsync();

    [Fact]
    public async Task The_last_days_are_held_and_those_that_are_over_go_with_the_next_commit()
    {
        foreach (string day in (string[])["2026-10-20", "2026-10-30", "2026-10-31", "2026-11-01"])
        {
            _lake.Write($"dwd/d/dt={day}/1.parquet", $"SELECT i AS x, '{day}' AS day FROM range(10) t(i)");
        }

        const string ByDay = "SELECT dt, count(*), sum(x) FROM dwd.d GROUP BY dt";
        await _lake.StartAsync(_time);
        string[] expected = (await _lake.AnswerAsync(ByDay)).Rows;
        await _lake.RowsAsync("PROMOTE TABLE dwd.d LAST 2 DAYS");
        Assert.Equal("20", await RowCountAsync("lake.dwd.d"));
        await AnswersAsync(ByDay, expected, "partly hot");
        Assert.Equal("hot", (await _lake.AnswerAsync("SELECT sum(x) FROM dwd.d WHERE dt >= '2026-10-31'")).Tiers);

        _time.Advance(TimeSpan.FromDays(1));
        _lake.Write("dwd/d/dt=2026-11-02/1.parquet", "SELECT i AS x, '2026-11-02' AS day FROM range(5) t(i)");
        await _lake.RowsAsync("REFRESH TABLE dwd.d");
        Assert.Equal("15", await RowCountAsync("lake.dwd.d"));
        Assert.Equal("files", await _lake.ValueAsync("SELECT last_refresh FROM lakeholo.hot_tables"));
        Assert.Equal(5, (await _lake.AnswerAsync(ByDay)).Rows.Length);
        Assert.StartsWith("LAST 2 DAYS", await _lake.ValueAsync("SELECT part FROM lakeholo.hot_tables"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Within_a_budget_the_newest_partitions_are_held()
    {
        foreach (int hour in (int[])[8, 9, 10, 11])
        {
            _lake.Write($"dwd/h/hour={hour}/1.parquet", "SELECT i AS x FROM range(10) t(i)");
        }

        const string ByHour = "SELECT hour, count(x), sum(x) FROM dwd.h GROUP BY hour";
        await _lake.StartAsync(_time);
        string[] expected = (await _lake.AnswerAsync(ByHour)).Rows;
        long bytes = new FileInfo(Path.Combine(_lake.Directory, "dwd/h/hour=8/1.parquet")).Length;
        await _lake.RowsAsync($"PROMOTE TABLE dwd.h WITH (budget = '{(2 * bytes) + 10}')");
        Assert.Equal("20", await RowCountAsync("lake.dwd.h"));
        await AnswersAsync(ByHour, expected, "partly hot");
        Assert.Equal("hot", (await _lake.AnswerAsync("SELECT sum(x) FROM dwd.h WHERE hour >= 10")).Tiers);

        _lake.Write("dwd/h/hour=12/1.parquet", "SELECT i AS x FROM range(10) t(i)");
        await _lake.RowsAsync("REFRESH TABLE dwd.h");
        Assert.Equal("20", await RowCountAsync("lake.dwd.h"));
        Assert.Equal("hot", (await _lake.AnswerAsync("SELECT sum(x) FROM dwd.h WHERE hour >= 11")).Tiers);
        Assert.Equal(5, (await _lake.AnswerAsync(ByHour)).Rows.Length);
        await Assert.ThrowsAsync<LakeException>(() => _lake.RowsAsync("PROMOTE TABLE dwd.h WITH (budget = 'much')"));
    }

    [Fact]
    public async Task Sorted_by_a_column_its_values_lie_in_few_row_groups()
    {
        _lake.Write("dwd/wide/1.parquet", "SELECT i AS id, (hash(i) % 1000)::INTEGER AS k FROM range(800000) t(i)");
        await _lake.StartAsync(_time);
        await _lake.RowsAsync("PROMOTE TABLE dwd.wide");
        Assert.InRange(Groups(), 5, 100);
        await _lake.RowsAsync("PROMOTE TABLE dwd.wide ORDER BY k");
        Assert.InRange(Groups(), 1, 2);
        await _lake.RowsAsync("PROMOTE TABLE dwd.wide ORDER BY k DESC, id");
        Assert.InRange(Groups(), 1, 2);
        Assert.Equal("500", await _lake.ValueAsync("SELECT k::VARCHAR FROM dwd.wide WHERE k = 500 LIMIT 1"));

        // Row groups whose least and greatest value let 500 be in them.
        long Groups()
        {
            HotCopy copy = _lake.Instance.Store.Copies.Single();
            using DuckDBConnection connection = _lake.Instance.Store.Engine.OpenConnection();
            return (long)HotDatabase.Scalar(
                connection, $"SELECT count(DISTINCT row_group_id) FROM pragma_storage_info('{copy.Database.Rows}') WHERE column_name = 'c1' AND segment_type <> 'VALIDITY' "
                + "AND regexp_extract(stats, 'Min: (-?\\d+)', 1)::BIGINT <= 500 AND regexp_extract(stats, 'Max: (-?\\d+)', 1)::BIGINT >= 500")!;
        }
    }

    [Fact]
    public async Task A_tables_own_staleness_holds_without_the_sessions()
    {
        await _lake.StartAsync(_time);
        await _lake.RowsAsync("PROMOTE TABLE dwd.t WITH (max_staleness = '5m')");
        (string[] old, string _) = await _lake.AnswerAsync(Sums);
        _lake.Write("dwd/t/2.parquet", "SELECT 1::BIGINT AS x");
        _time.Advance(TimeSpan.FromMinutes(4));
        await AnswersAsync(Sums, old, "hot");
        Assert.Equal(TimeSpan.FromMinutes(4), _lake.LastAge);
        _time.Advance(TimeSpan.FromMinutes(2));
        (string[] rows, string tiers) = await _lake.AnswerAsync(Sums);
        Assert.Equal("lake", tiers);
        Assert.NotEqual(old, rows);
    }

    [Fact]
    public async Task While_its_source_is_away_a_copy_answers_within_its_staleness_and_says_its_age()
    {
        await _lake.StartAsync(_time);
        await _lake.RowsAsync("PROMOTE TABLE dwd.t");
        (string[] rows, string _) = await _lake.AnswerAsync(Sums);
        Directory.Move(_lake.Directory, _lake.Directory + ".away");
        try
        {
            _time.Advance(TimeSpan.FromMinutes(10));
            await Assert.ThrowsAsync<LakeException>(() => _lake.AnswerAsync(Sums));
            await _lake.RowsAsync("SET max_staleness = '1h'");
            await AnswersAsync(Sums, rows, "hot");
            Assert.Equal(TimeSpan.FromMinutes(10), _lake.LastAge);
            await Assert.ThrowsAsync<LakeException>(() => _lake.RowsAsync("REFRESH TABLE dwd.t"));
            Assert.NotEqual("NULL", await _lake.ValueAsync("SELECT last_error FROM lakeholo.hot_tables"));
            await AnswersAsync(Sums, rows, "hot");
            _time.Advance(TimeSpan.FromHours(1));
            await Assert.ThrowsAsync<LakeException>(() => _lake.AnswerAsync(Sums));
        }
        finally
        {
            Directory.Move(_lake.Directory + ".away", _lake.Directory);
        }

        await _lake.RowsAsync("RESET max_staleness");
        await AnswersAsync(Sums, rows, "hot");
    }

    [Fact]
    public async Task The_lake_is_never_written_to()
    {
        await _lake.StartAsync(_time);
        string[] before = Files();
        await _lake.RowsAsync("PROMOTE TABLE dwd.t ORDER BY x");
        await _lake.RowsAsync("PROMOTE QUERY q AS SELECT x % 2 AS odd, count(*) AS n FROM dwd.t GROUP BY 1");
        await _lake.RowsAsync("REFRESH TABLE *.*");
        await _lake.RowsAsync("VERIFY TABLE *.*");
        await _lake.AnswerAsync(Sums);
        await _lake.RowsAsync("DEMOTE TABLE *.*");
        Assert.Equal(before, Files());

        string[] Files() => [.. Directory.EnumerateFileSystemEntries(_lake.Directory, "*", SearchOption.AllDirectories).Select(f => $"{f} {File.GetLastWriteTimeUtc(f):O}").Order(StringComparer.Ordinal)];
    }

    [Fact]
    public async Task Without_room_a_promotion_is_refused_leaves_nothing_and_takes_nothing_away()
    {
        _lake.Write("dwd/big/1.parquet", "SELECT md5(i::VARCHAR) AS s FROM range(100000) t(i)");
        await _lake.StartAsync(_time, o => o with { HotBytes = 1 << 20 });
        await _lake.RowsAsync("PROMOTE TABLE dwd.t");
        LakeException e = await Assert.ThrowsAsync<LakeException>(() => _lake.RowsAsync("PROMOTE TABLE dwd.big"));
        Assert.Equal(LakeErrorKind.ResourcesExhausted, e.Kind);
        Assert.Equal("hot", (await _lake.AnswerAsync(Sums)).Tiers);
        Assert.Single(Directory.GetFiles(_lake.HotDirectory, "*.duckdb"));
    }

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
        while ((await _lake.RowsAsync("SELECT progress_files FROM lakeholo.hot_tables WHERE state = 'promoting' AND progress_files > 0")).Length == 0)
        {
            if (promotion.IsCompleted)
            {
                // It was quicker than the look at it.
                await _lake.RowsAsync("DEMOTE TABLE dwd.long");
                promotion = _lake.RowsAsync("PROMOTE TABLE dwd.long ORDER BY s", cancel.Token);
            }
        }

        Assert.Equal(["800000"], (await _lake.AnswerAsync(Count)).Rows);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => promotion);
        Assert.Empty(Directory.GetFiles(_lake.HotDirectory, "*.duckdb*"));
        Assert.Empty(await _lake.RowsAsync("SELECT * FROM lakeholo.hot_tables"));

        // Once more, to its end: whoever asks meanwhile is answered by the lake, then by the copy.
        promotion = _lake.RowsAsync("PROMOTE TABLE dwd.long ORDER BY s");
        while (!promotion.IsCompleted)
        {
            Assert.Equal(["800000"], (await _lake.AnswerAsync(Count)).Rows);
        }

        await promotion;
        await AnswersAsync(Count, ["800000"], "hot");
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
        Task<string[]> promotion = _lake.RowsAsync(promote);
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
            while (true)
            {
                if (_lake.Instance.Store.FindBuilding(_lake.Instance.Catalog.Tables.Single(t => t.Table.Schema == "parts").Table) is { State.IsPart: true } building)
                {
                    return building;
                }

                Assert.False(promotion.IsCompleted);
                await Task.Yield();
            }
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
        Task<string[]> promotions = _lake.RowsAsync("PROMOTE SCHEMA many");
        while (!promotions.IsCompleted)
        {
            Assert.InRange(long.Parse(await _lake.ValueAsync("SELECT count(*) FROM lakeholo.hot_tables WHERE progress_files > 0"), System.Globalization.CultureInfo.InvariantCulture), 0, 2);
        }

        Assert.All(await promotions, row => Assert.Contains("|promoted|", row, StringComparison.Ordinal));
        Assert.Equal(6, (await promotions).Length);
    }

    [Fact]
    public async Task A_copy_follows_as_soon_as_the_system_tells_of_a_file()
    {
        await _lake.StartAsync(configure: o => o with { Sources = [o.Sources[0] with { SyncInterval = TimeSpan.FromDays(1) }] });
        await _lake.RowsAsync("PROMOTE TABLE dwd.t");
        await _lake.RowsAsync("PROMOTE QUERY q AS SELECT x % 2 AS odd, count(*) AS n FROM dwd.t GROUP BY 1");
        _lake.Instance.StartSync();
        _lake.Write("dwd/t/2.parquet", "SELECT i AS x FROM range(500) t(i)");
        while ((await _lake.RowsAsync("SELECT last_refresh FROM lakeholo.hot_tables WHERE state = 'ready'")) is not ["files", "groups"])
        {
            await Task.Yield();
        }

        Assert.Equal("hot", (await _lake.AnswerAsync(Sums)).Tiers);
        await AnswersAsync("FROM hot.q", ["0|750", "1|750"], "hot");
    }

    [Fact]
    public async Task A_damaged_copy_is_found_in_the_background_and_built_anew()
    {
        await _lake.StartAsync(_time);
        await _lake.RowsAsync("PROMOTE TABLE dwd.t");
        string[] expected = (await _lake.AnswerAsync(Sums)).Rows;
        using (DuckDBConnection connection = _lake.Instance.Store.Engine.OpenConnection())
        {
            EngineDatabase.Execute(connection, $"UPDATE {_lake.Instance.Store.Copies.Single().Database.Rows} SET c0 = c0 + 1 WHERE c0 = 17");
        }

        Assert.NotEqual(expected, (await _lake.AnswerAsync(Sums)).Rows);
        _lake.Instance.StartSync();
        while (!(await _lake.ValueAsync("SELECT last_refresh FROM lakeholo.hot_tables")).StartsWith("rebuild: verification found 1 units that differ", StringComparison.Ordinal))
        {
            _time.Advance(TimeSpan.FromSeconds(30));
            await Task.Yield();
        }

        await AnswersAsync(Sums, expected, "hot");
        while (await _lake.ValueAsync("SELECT verified_at IS NOT NULL FROM lakeholo.hot_tables") != "True")
        {
            _time.Advance(TimeSpan.FromSeconds(30));
            await Task.Yield();
        }

        await AnswersAsync(Sums, expected, "hot");
    }

    [Fact]
    public async Task Without_a_sort_key_the_column_is_taken_that_statements_filtered_by_most()
    {
        _lake.Write("dwd/u/1.parquet", "SELECT i AS a, i % 7 AS b FROM range(1000) t(i)");
        await _lake.StartAsync(_time);
        foreach (int i in (int[])[1, 2, 3])
        {
            await _lake.AnswerAsync($"SELECT sum(a) FROM dwd.u WHERE b = {i}");
        }

        await _lake.RowsAsync("PROMOTE TABLE dwd.*");
        Assert.Equal("ORDER BY b", await _lake.ValueAsync("SELECT part FROM lakeholo.hot_tables WHERE \"table\" = 'lake.dwd.u'"));
        Assert.Equal("NULL", await _lake.ValueAsync("SELECT part FROM lakeholo.hot_tables WHERE \"table\" = 'lake.dwd.t'"));
        Assert.Contains("unchanged", (await _lake.RowsAsync("PROMOTE TABLE dwd.u"))[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_speed_up_is_told_from_the_log()
    {
        await _lake.StartAsync(_time);
        await _lake.AnswerAsync(Sums);
        await _lake.RowsAsync("PROMOTE TABLE dwd.t");
        Assert.Equal("True", await _lake.ValueAsync("SELECT speed_up IS NULL FROM lakeholo.hot_tables"));
        await _lake.AnswerAsync(Sums);
        Assert.Equal("True", await _lake.ValueAsync("SELECT speed_up > 0 FROM lakeholo.hot_tables"));
    }

    private async Task<string> RowCountAsync(string table) => await _lake.ValueAsync($"SELECT row_count FROM lakeholo.hot_tables WHERE \"table\" = '{table}'");

    private async Task AnswersAsync(string sql, string[] rows, string tiers)
    {
        (string[] actual, string actualTiers) = await _lake.AnswerAsync(sql);
        Assert.Equal(rows, actual);
        Assert.Equal(tiers, actualTiers);
    }
}
