using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Engine;
using LakeHolo.Tests.Shared;
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
    public async Task A_copy_follows_as_soon_as_the_system_tells_of_a_file()
    {
        await _lake.StartAsync(configure: o => o with { Sources = [o.Sources[0] with { SyncInterval = TimeSpan.FromDays(1) }] });
        await _lake.RowsAsync("PROMOTE TABLE dwd.t");
        await _lake.RowsAsync("PROMOTE QUERY q AS SELECT x % 2 AS odd, count(*) AS n FROM dwd.t GROUP BY 1");
        _lake.Instance.StartSync();
        _lake.Write("dwd/t/2.parquet", "SELECT i AS x FROM range(500) t(i)");
        await Eventually.TrueAsync(async () => await _lake.RowsAsync("SELECT last_refresh FROM lakeholo.hot_tables WHERE state = 'ready'") is ["files", "groups"]);

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
        await Eventually.TrueAsync(
            async () => (await _lake.ValueAsync("SELECT last_refresh FROM lakeholo.hot_tables")).StartsWith("rebuild: verification found 1 units that differ", StringComparison.Ordinal), Later);

        await AnswersAsync(Sums, expected, "hot");
        await Eventually.TrueAsync(async () => await _lake.ValueAsync("SELECT verified_at IS NOT NULL FROM lakeholo.hot_tables") == "True", Later);
        await AnswersAsync(Sums, expected, "hot");

        void Later() => _time.Advance(TimeSpan.FromSeconds(30));
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
