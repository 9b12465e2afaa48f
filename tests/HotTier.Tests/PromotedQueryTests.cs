using LakeHolo.LakeCatalog;
using Microsoft.Extensions.Time.Testing;

namespace LakeHolo.HotTier.Tests;

public sealed class PromotedQueryTests : IAsyncLifetime
{
    private const string RollUp = "SELECT day, count(*) AS n, sum(amount) AS total FROM dwd.sales GROUP BY day";

    private readonly FakeTimeProvider _time = new(DateTimeOffset.Parse("2026-11-01T00:00:00Z"));
    private readonly SmallLake _lake = new();

    public async ValueTask InitializeAsync()
    {
        _lake.Write("dwd/sales/1.parquet", "SELECT i AS id, (i % 3)::INTEGER AS day, i AS amount FROM range(30) t(i)");
        _lake.Write("dwd/countries/1.parquet", "SELECT i AS day, 'c' || i AS country FROM range(3) t(i)");
        await _lake.StartAsync(_time);
    }

    public ValueTask DisposeAsync() => _lake.DisposeAsync();

    [Fact]
    public async Task It_answers_by_its_name_from_its_copy_and_once_a_table_moved_on_from_the_lake()
    {
        Assert.StartsWith("lake.hot.daily|promoted|sales@", Assert.Single(await _lake.RowsAsync($"PROMOTE QUERY daily AS {RollUp}")));
        (string[] expected, string tiers) = await _lake.AnswerAsync(RollUp);
        Assert.Equal("lake", tiers);
        (string[] rows, tiers) = await _lake.AnswerAsync("SELECT * FROM hot.daily");
        Assert.Equal("hot", tiers);
        Assert.Equal(expected, rows);

        _lake.Write("dwd/sales/2.parquet", "SELECT 100::BIGINT AS id, 1 AS day, 1000::BIGINT AS amount");
        (rows, tiers) = await _lake.AnswerAsync("FROM daily");
        Assert.Equal("lake", tiers);
        Assert.Equal((await _lake.AnswerAsync(RollUp)).Rows, rows);
        Assert.NotEqual(expected, rows);

        await _lake.RowsAsync("REFRESH QUERY daily");
        (rows, tiers) = await _lake.AnswerAsync("SELECT * FROM hot.daily");
        Assert.Equal("hot", tiers);
        Assert.Equal((await _lake.AnswerAsync(RollUp)).Rows, rows);
    }

    [Fact]
    public async Task It_answers_from_an_older_copy_only_for_who_accepts_its_age()
    {
        await _lake.RowsAsync($"PROMOTE QUERY daily AS {RollUp}");
        (string[] old, string _) = await _lake.AnswerAsync("FROM hot.daily");
        _lake.Write("dwd/sales/2.parquet", "SELECT 100::BIGINT AS id, 1 AS day, 1000::BIGINT AS amount");
        _time.Advance(TimeSpan.FromMinutes(1));
        await _lake.RowsAsync("SET max_staleness = '2m'");
        Assert.Equal(old, (await _lake.AnswerAsync("FROM hot.daily")).Rows);
        _time.Advance(TimeSpan.FromMinutes(2));
        (string[] rows, string tiers) = await _lake.AnswerAsync("FROM hot.daily");
        Assert.Equal("lake", tiers);
        Assert.NotEqual(old, rows);
    }

    [Fact]
    public async Task A_statement_that_reads_it_beside_its_table_sees_the_table_at_one_snapshot()
    {
        await _lake.RowsAsync($"PROMOTE QUERY daily AS {RollUp}");
        for (int i = 2; i < 6; i++)
        {
            _lake.Write($"dwd/sales/{i}.parquet", $"SELECT {100 + i}::BIGINT AS id, 1 AS day, 1000::BIGINT AS amount");
            Assert.Equal("0", await _lake.ValueAsync("SELECT (SELECT sum(n)::BIGINT FROM hot.daily) - (SELECT count(*) FROM dwd.sales)"));
        }
    }

    [Fact]
    public async Task A_query_over_several_tables_is_built_anew_when_one_of_them_moves()
    {
        const string Joined = "SELECT country, sum(amount) AS total FROM dwd.sales JOIN countries USING (day) GROUP BY country HAVING count(*) > 0";
        await _lake.RowsAsync("USE dwd");
        await _lake.RowsAsync($"PROMOTE QUERY marts.by_country ORDER BY country WITH (max_staleness = '1s') AS {Joined}");
        await _lake.RowsAsync("RESET schema");
        _lake.Write("dwd/countries/2.parquet", "SELECT 1::BIGINT AS day, 'again' AS country");
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(4, (await _lake.AnswerAsync("FROM marts.by_country")).Rows.Length);
        await _lake.Instance.Catalog.SyncAsync(_lake.Instance.Catalog.Sources[0]);
        await _lake.RowsAsync("REFRESH QUERY marts.by_country");
        Assert.Equal("hot", (await _lake.AnswerAsync("FROM marts.by_country")).Tiers);
        Assert.StartsWith("rebuild: ", await _lake.ValueAsync("SELECT last_refresh FROM lakeholo.hot_tables"), StringComparison.Ordinal);
        Assert.Equal($"ORDER BY country AS {Joined}", await _lake.ValueAsync("SELECT part FROM lakeholo.hot_tables"));
    }

    [Fact]
    public async Task It_is_there_after_a_restart_follows_the_sync_and_is_gone_when_it_is_demoted()
    {
        await _lake.RowsAsync($"PROMOTE QUERY daily AS {RollUp}");
        await _lake.StartAsync(_time);
        Assert.Equal("hot", (await _lake.AnswerAsync("FROM hot.daily")).Tiers);
        Assert.Equal("query", await _lake.ValueAsync("SELECT format FROM lakeholo.tables WHERE name = 'daily'"));
        Assert.Equal("3", await _lake.ValueAsync("SELECT count(*) FROM information_schema.columns WHERE table_schema = 'hot'"));
        Assert.Equal("verified", (await _lake.RowsAsync("VERIFY QUERY daily"))[0].Split('|')[1]);
        _lake.Write("dwd/sales/2.parquet", "SELECT 100::BIGINT AS id, 1 AS day, 1000::BIGINT AS amount");
        await _lake.RowsAsync("REFRESH TABLE *.*");
        Assert.Equal("verified", (await _lake.RowsAsync("VERIFY QUERY daily"))[0].Split('|')[1]);

        await _lake.RowsAsync("DEMOTE QUERY daily");
        await Assert.ThrowsAsync<LakeException>(() => _lake.AnswerAsync("FROM hot.daily"));
        await _lake.StartAsync(_time);
        Assert.Equal("0", await _lake.ValueAsync("SELECT count(*) FROM lakeholo.tables WHERE format = 'query'"));
        Assert.Empty(Directory.GetFiles(_lake.HotDirectory, "*.duckdb"));
    }

    [Fact]
    public async Task One_whose_copy_had_to_make_room_answers_from_the_lake_and_can_be_built_again()
    {
        await _lake.RowsAsync($"PROMOTE QUERY daily AS {RollUp}");
        long bytes = new FileInfo(Directory.GetFiles(_lake.HotDirectory, "*.duckdb").Single()).Length;
        await _lake.StartAsync(_time, o => o with { HotBytes = bytes });
        await _lake.RowsAsync("PROMOTE TABLE dwd.sales");
        Assert.Equal("lake", (await _lake.AnswerAsync("FROM hot.daily")).Tiers);
        Assert.Equal("absent", await _lake.ValueAsync("SELECT state FROM lakeholo.hot_tables WHERE \"table\" = 'lake.hot.daily'"));
        await _lake.StartAsync(_time);
        await _lake.RowsAsync("REFRESH QUERY daily");
        Assert.Equal("hot", (await _lake.AnswerAsync("FROM hot.daily")).Tiers);
    }

    [Fact]
    public async Task Promoted_again_with_another_text_it_answers_the_new_one()
    {
        await _lake.RowsAsync($"PROMOTE QUERY daily AS {RollUp}");
        await _lake.RowsAsync("PROMOTE QUERY daily AS -- shorter; 'AS' too\n SELECT max(id) AS newest FROM dwd.sales");
        (string[] rows, string tiers) = await _lake.AnswerAsync("FROM hot.daily");
        Assert.Equal("hot", tiers);
        Assert.Equal(["29"], rows);
        Assert.Equal("1", await _lake.ValueAsync("SELECT count(*) FROM lakeholo.hot_tables"));
    }

    [Theory]
    [InlineData("PROMOTE QUERY daily AS SELECT now() AS t, count(*) AS n FROM dwd.sales", LakeErrorKind.QueryInvalid)]
    [InlineData("PROMOTE QUERY daily AS SELECT count(*) AS n FROM dwd.sales WHERE id = ?", LakeErrorKind.QueryInvalid)]
    [InlineData("PROMOTE QUERY daily AS SELECT 1 AS one", LakeErrorKind.QueryInvalid)]
    [InlineData("PROMOTE QUERY daily AS SELECT id AS a, id AS A FROM dwd.sales", LakeErrorKind.QueryInvalid)]
    [InlineData("PROMOTE QUERY daily AS SELECT * FROM lakeholo.query_log", LakeErrorKind.FeatureUnsupported)]
    [InlineData("PROMOTE QUERY daily AS SELECT * FROM dwd.\"sales$files\"", LakeErrorKind.FeatureUnsupported)]
    [InlineData("PROMOTE QUERY daily AS SELECT * FROM dwd.sales AT (VERSION => 1)", LakeErrorKind.FeatureUnsupported)]
    [InlineData("PROMOTE QUERY daily AS SELECT * FROM dwd.nowhere", LakeErrorKind.NotFound)]
    [InlineData("PROMOTE QUERY daily AS SELECT nothing FROM dwd.sales", LakeErrorKind.QueryInvalid)]
    [InlineData("PROMOTE QUERY dwd.sales AS SELECT * FROM dwd.countries", LakeErrorKind.QueryInvalid)]
    [InlineData("PROMOTE QUERY lakeholo.x AS SELECT * FROM dwd.countries", LakeErrorKind.QueryInvalid)]
    [InlineData("PROMOTE QUERY daily WITH (lookup = true) AS SELECT * FROM dwd.countries", LakeErrorKind.QueryInvalid)]
    [InlineData("PROMOTE QUERY daily SELECT * FROM dwd.countries", LakeErrorKind.QueryInvalid)]
    [InlineData("DEMOTE QUERY daily", LakeErrorKind.NotFound)]
    public async Task What_cannot_be_kept_or_named_is_refused_and_leaves_nothing(string sql, LakeErrorKind kind)
    {
        LakeException e = await Assert.ThrowsAsync<LakeException>(() => _lake.RowsAsync(sql));
        Assert.Equal(kind, e.Kind);
        Assert.Equal("0", await _lake.ValueAsync("SELECT count(*) FROM lakeholo.hot_tables"));
        Assert.Equal("0", await _lake.ValueAsync("SELECT count(*) FROM lakeholo.tables WHERE format = 'query'"));
    }
}
