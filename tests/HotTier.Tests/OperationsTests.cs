using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Engine;
using LakeHolo.Tests.Shared;

namespace LakeHolo.HotTier.Tests;

/// <summary>The hot tier while something else happens to it: time passes, sources go away, disks are full, somebody cancels.</summary>
public sealed class OperationsTests : OverOneTable
{
    [Fact]
    public async Task The_last_days_are_held_and_those_that_are_over_go_with_the_next_commit()
    {
        foreach (string day in (string[])["2026-10-20", "2026-10-30", "2026-10-31", "2026-11-01"])
        {
            Lake.Write($"dwd/d/dt={day}/1.parquet", $"SELECT i AS x, '{day}' AS day FROM range(10) t(i)");
        }

        const string ByDay = "SELECT dt, count(*), sum(x) FROM dwd.d GROUP BY dt";
        await Lake.StartAsync(Time);
        string[] expected = (await Lake.AnswerAsync(ByDay)).Rows;
        await Lake.RowsAsync("PROMOTE TABLE dwd.d LAST 2 DAYS");
        Assert.Equal("20", await RowCountAsync("lake.dwd.d"));
        await AnswersAsync(ByDay, expected, "partly hot");
        Assert.Equal("hot", (await Lake.AnswerAsync("SELECT sum(x) FROM dwd.d WHERE dt >= '2026-10-31'")).Tiers);

        Time.Advance(TimeSpan.FromDays(1));
        Lake.Write("dwd/d/dt=2026-11-02/1.parquet", "SELECT i AS x, '2026-11-02' AS day FROM range(5) t(i)");
        await Lake.RowsAsync("REFRESH TABLE dwd.d");
        Assert.Equal("15", await RowCountAsync("lake.dwd.d"));
        Assert.Equal("files", await Lake.ValueAsync("SELECT last_refresh FROM lakeholo.hot_tables"));
        Assert.Equal(5, (await Lake.AnswerAsync(ByDay)).Rows.Length);
        Assert.StartsWith("LAST 2 DAYS", await Lake.ValueAsync("SELECT part FROM lakeholo.hot_tables"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Within_a_budget_the_newest_partitions_are_held()
    {
        foreach (int hour in (int[])[8, 9, 10, 11])
        {
            Lake.Write($"dwd/h/hour={hour}/1.parquet", "SELECT i AS x FROM range(10) t(i)");
        }

        const string ByHour = "SELECT hour, count(x), sum(x) FROM dwd.h GROUP BY hour";
        await Lake.StartAsync(Time);
        string[] expected = (await Lake.AnswerAsync(ByHour)).Rows;
        long bytes = new FileInfo(Path.Combine(Lake.Directory, "dwd/h/hour=8/1.parquet")).Length;
        await Lake.RowsAsync($"PROMOTE TABLE dwd.h WITH (budget = '{(2 * bytes) + 10}')");
        Assert.Equal("20", await RowCountAsync("lake.dwd.h"));
        await AnswersAsync(ByHour, expected, "partly hot");
        Assert.Equal("hot", (await Lake.AnswerAsync("SELECT sum(x) FROM dwd.h WHERE hour >= 10")).Tiers);

        Lake.Write("dwd/h/hour=12/1.parquet", "SELECT i AS x FROM range(10) t(i)");
        await Lake.RowsAsync("REFRESH TABLE dwd.h");
        Assert.Equal("20", await RowCountAsync("lake.dwd.h"));
        Assert.Equal("hot", (await Lake.AnswerAsync("SELECT sum(x) FROM dwd.h WHERE hour >= 11")).Tiers);
        Assert.Equal(5, (await Lake.AnswerAsync(ByHour)).Rows.Length);
        await Assert.ThrowsAsync<LakeException>(() => Lake.RowsAsync("PROMOTE TABLE dwd.h WITH (budget = 'much')"));
    }

    [Fact]
    public async Task Sorted_by_a_column_its_values_lie_in_few_row_groups()
    {
        Lake.Write("dwd/wide/1.parquet", "SELECT i AS id, (hash(i) % 1000)::INTEGER AS k FROM range(800000) t(i)");
        await Lake.StartAsync(Time);
        await Lake.RowsAsync("PROMOTE TABLE dwd.wide");
        Assert.InRange(Groups(), 5, 100);
        await Lake.RowsAsync("PROMOTE TABLE dwd.wide ORDER BY k");
        Assert.InRange(Groups(), 1, 2);
        await Lake.RowsAsync("PROMOTE TABLE dwd.wide ORDER BY k DESC, id");
        Assert.InRange(Groups(), 1, 2);
        Assert.Equal("500", await Lake.ValueAsync("SELECT k::VARCHAR FROM dwd.wide WHERE k = 500 LIMIT 1"));

        // Row groups whose least and greatest value let 500 be in them.
        long Groups()
        {
            HotCopy copy = Lake.Instance.Store.Copies.Single();
            using DuckDBConnection connection = Lake.Instance.Store.Engine.OpenConnection();
            return (long)HotDatabase.Scalar(
                connection, $"SELECT count(DISTINCT row_group_id) FROM pragma_storage_info('{copy.Database.Rows}') WHERE column_name = 'c1' AND segment_type <> 'VALIDITY' "
                + "AND regexp_extract(stats, 'Min: (-?\\d+)', 1)::BIGINT <= 500 AND regexp_extract(stats, 'Max: (-?\\d+)', 1)::BIGINT >= 500")!;
        }
    }

    [Fact]
    public async Task A_tables_own_staleness_holds_without_the_sessions()
    {
        await Lake.StartAsync(Time);
        await Lake.RowsAsync("PROMOTE TABLE dwd.t WITH (max_staleness = '5m')");
        (string[] old, string _) = await Lake.AnswerAsync(Sums);
        Lake.Write("dwd/t/2.parquet", "SELECT 1::BIGINT AS x");
        Time.Advance(TimeSpan.FromMinutes(4));
        await AnswersAsync(Sums, old, "hot");
        Assert.Equal(TimeSpan.FromMinutes(4), Lake.LastAge);
        Time.Advance(TimeSpan.FromMinutes(2));
        (string[] rows, string tiers) = await Lake.AnswerAsync(Sums);
        Assert.Equal("lake", tiers);
        Assert.NotEqual(old, rows);
    }

    [Fact]
    public async Task While_its_source_is_away_a_copy_answers_within_its_staleness_and_says_its_age()
    {
        await Lake.StartAsync(Time);
        await Lake.RowsAsync("PROMOTE TABLE dwd.t");
        (string[] rows, string _) = await Lake.AnswerAsync(Sums);
        Directory.Move(Lake.Directory, Lake.Directory + ".away");
        try
        {
            Time.Advance(TimeSpan.FromMinutes(10));
            await Assert.ThrowsAsync<LakeException>(() => Lake.AnswerAsync(Sums));
            await Lake.RowsAsync("SET max_staleness = '1h'");
            await AnswersAsync(Sums, rows, "hot");
            Assert.Equal(TimeSpan.FromMinutes(10), Lake.LastAge);
            await Assert.ThrowsAsync<LakeException>(() => Lake.RowsAsync("REFRESH TABLE dwd.t"));
            Assert.NotEqual("NULL", await Lake.ValueAsync("SELECT last_error FROM lakeholo.hot_tables"));
            await AnswersAsync(Sums, rows, "hot");
            Time.Advance(TimeSpan.FromHours(1));
            await Assert.ThrowsAsync<LakeException>(() => Lake.AnswerAsync(Sums));
        }
        finally
        {
            Directory.Move(Lake.Directory + ".away", Lake.Directory);
        }

        await Lake.RowsAsync("RESET max_staleness");
        await AnswersAsync(Sums, rows, "hot");
    }

    [Fact]
    public async Task TheLake_is_never_written_to()
    {
        await Lake.StartAsync(Time);
        string[] before = Files();
        await Lake.RowsAsync("PROMOTE TABLE dwd.t ORDER BY x");
        await Lake.RowsAsync("PROMOTE QUERY q AS SELECT x % 2 AS odd, count(*) AS n FROM dwd.t GROUP BY 1");
        await Lake.RowsAsync("REFRESH TABLE *.*");
        await Lake.RowsAsync("VERIFY TABLE *.*");
        await Lake.AnswerAsync(Sums);
        await Lake.RowsAsync("DEMOTE TABLE *.*");
        Assert.Equal(before, Files());

        string[] Files() => [.. Directory.EnumerateFileSystemEntries(Lake.Directory, "*", SearchOption.AllDirectories).Select(f => $"{f} {File.GetLastWriteTimeUtc(f):O}").Order(StringComparer.Ordinal)];
    }

    [Fact]
    public async Task Without_room_a_promotion_is_refused_leaves_nothing_and_takes_nothing_away()
    {
        Lake.Write("dwd/big/1.parquet", "SELECT md5(i::VARCHAR) AS s FROM range(100000) t(i)");
        await Lake.StartAsync(Time, o => o with { HotBytes = 1 << 20 });
        await Lake.RowsAsync("PROMOTE TABLE dwd.t");
        LakeException e = await Assert.ThrowsAsync<LakeException>(() => Lake.RowsAsync("PROMOTE TABLE dwd.big"));
        Assert.Equal(LakeErrorKind.ResourcesExhausted, e.Kind);
        Assert.Equal("hot", (await Lake.AnswerAsync(Sums)).Tiers);
        Assert.Single(Directory.GetFiles(Lake.HotDirectory, "*.duckdb"));
    }

    [Fact]
    public async Task A_copy_follows_as_soon_as_the_system_tells_of_a_file()
    {
        await Lake.StartAsync(configure: o => o with { Sources = [o.Sources[0] with { SyncInterval = TimeSpan.FromDays(1) }] });
        await Lake.RowsAsync("PROMOTE TABLE dwd.t");
        await Lake.RowsAsync("PROMOTE QUERY q AS SELECT x % 2 AS odd, count(*) AS n FROM dwd.t GROUP BY 1");
        Lake.Instance.StartSync();
        Lake.Write("dwd/t/2.parquet", "SELECT i AS x FROM range(500) t(i)");
        await Eventually.TrueAsync(async () => await Lake.RowsAsync("SELECT last_refresh FROM lakeholo.hot_tables WHERE state = 'ready'") is ["files", "groups"]);

        Assert.Equal("hot", (await Lake.AnswerAsync(Sums)).Tiers);
        await AnswersAsync("FROM hot.q", ["0|750", "1|750"], "hot");
    }

    [Fact]
    public async Task A_damaged_copy_is_found_in_the_background_and_built_anew()
    {
        await Lake.StartAsync(Time);
        await Lake.RowsAsync("PROMOTE TABLE dwd.t");
        string[] expected = (await Lake.AnswerAsync(Sums)).Rows;
        using (DuckDBConnection connection = Lake.Instance.Store.Engine.OpenConnection())
        {
            EngineDatabase.Execute(connection, $"UPDATE {Lake.Instance.Store.Copies.Single().Database.Rows} SET c0 = c0 + 1 WHERE c0 = 17");
        }

        Assert.NotEqual(expected, (await Lake.AnswerAsync(Sums)).Rows);
        Lake.Instance.StartSync();
        await Eventually.TrueAsync(
            async () => (await Lake.ValueAsync("SELECT last_refresh FROM lakeholo.hot_tables")).StartsWith("rebuild: verification found 1 units that differ", StringComparison.Ordinal), Later);

        await AnswersAsync(Sums, expected, "hot");
        await Eventually.TrueAsync(async () => await Lake.ValueAsync("SELECT verified_at IS NOT NULL FROM lakeholo.hot_tables") == "True", Later);
        await AnswersAsync(Sums, expected, "hot");

        void Later() => Time.Advance(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task Without_a_sort_key_the_column_is_taken_that_statements_filtered_by_most()
    {
        Lake.Write("dwd/u/1.parquet", "SELECT i AS a, i % 7 AS b FROM range(1000) t(i)");
        await Lake.StartAsync(Time);
        foreach (int i in (int[])[1, 2, 3])
        {
            await Lake.AnswerAsync($"SELECT sum(a) FROM dwd.u WHERE b = {i}");
        }

        await Lake.RowsAsync("PROMOTE TABLE dwd.*");
        Assert.Equal("ORDER BY b", await Lake.ValueAsync("SELECT part FROM lakeholo.hot_tables WHERE \"table\" = 'lake.dwd.u'"));
        Assert.Equal("NULL", await Lake.ValueAsync("SELECT part FROM lakeholo.hot_tables WHERE \"table\" = 'lake.dwd.t'"));
        Assert.Contains("unchanged", (await Lake.RowsAsync("PROMOTE TABLE dwd.u"))[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_speed_up_is_told_from_the_log()
    {
        await Lake.StartAsync(Time);
        await Lake.AnswerAsync(Sums);
        await Lake.RowsAsync("PROMOTE TABLE dwd.t");
        Assert.Equal("True", await Lake.ValueAsync("SELECT speed_up IS NULL FROM lakeholo.hot_tables"));
        await Lake.AnswerAsync(Sums);
        Assert.Equal("True", await Lake.ValueAsync("SELECT speed_up > 0 FROM lakeholo.hot_tables"));
    }

    private async Task<string> RowCountAsync(string table) => await Lake.ValueAsync($"SELECT row_count FROM lakeholo.hot_tables WHERE \"table\" = '{table}'");
}
