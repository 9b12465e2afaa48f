using System.Globalization;
using Microsoft.Extensions.Time.Testing;

namespace LakeHolo.HotTier.Tests;

/// <summary>Advice names the partitions that all statements of the log kept to, with their size; what it says can be done, and answers them.</summary>
public sealed class AdviceTests : IAsyncLifetime
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.Parse("2026-11-01T12:00:00Z", CultureInfo.InvariantCulture));
    private readonly SmallLake _lake = new();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _lake.DisposeAsync();

    [Fact]
    public async Task Statements_over_the_last_days_are_worth_those_days()
    {
        await StartAsync("day", Enumerable.Range(0, 20).Select(d => new DateOnly(2026, 10, 13).AddDays(d).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)));
        await AskAsync("day >= '2026-10-30'");
        await AskAsync("day = '2026-11-01' AND x > 3");
        _time.Advance(TimeSpan.FromDays(1));
        await AskAsync("day BETWEEN '2026-10-31' AND '2026-11-02'");
        Assert.Equal("PROMOTE TABLE lake.dwd.t LAST 3 DAYS", await StatementAsync());
        Assert.InRange(await ShareAsync(), 0.05, 0.15);
        await _lake.RowsAsync(await StatementAsync());
        Assert.Equal("hot", (await _lake.AnswerAsync("SELECT sum(x) FROM dwd.t WHERE day BETWEEN '2026-10-31' AND '2026-11-02'")).Tiers);
    }

    [Fact]
    public async Task Of_a_table_that_is_not_written_to_any_more_they_are_worth_the_days_since_the_first()
    {
        await StartAsync("day", Enumerable.Range(1, 20).Select(d => new DateOnly(2025, 3, d).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)));
        await AskAsync("day >= '2025-03-15'");
        await AskAsync("day IN ('2025-03-18', '2025-03-20')");
        Assert.Equal("PROMOTE TABLE lake.dwd.t WHERE \"day\" >= DATE '2025-03-15'", await StatementAsync());
        Assert.InRange(await ShareAsync(), 0.25, 0.35);
        await PromotesAsync("day >= '2025-03-15'");
    }

    [Fact]
    public async Task Those_over_some_values_are_worth_these()
    {
        await StartAsync("country", ["AT", "CH", "DE", "FR", "IT"]);
        await AskAsync("country = 'DE'");
        await AskAsync("country = 'AT' OR country = 'DE'");
        Assert.Equal("PROMOTE TABLE lake.dwd.t WHERE \"country\" IN ('AT', 'DE')", await StatementAsync());
        Assert.InRange(await ShareAsync(), 0.35, 0.45);
        await PromotesAsync("country = 'AT'");
    }

    [Theory]
    [InlineData("x > 5")]
    [InlineData("country <> 'DE'")]
    [InlineData("country = 'DE' OR x = 1")]
    [InlineData("country >= 'AT'")]
    public async Task One_that_asks_for_more_makes_it_the_whole_table(string other)
    {
        await StartAsync("country", ["AT", "CH", "DE", "FR", "IT"]);
        await AskAsync("country = 'DE'");
        await AskAsync(other);
        Assert.DoesNotContain("WHERE", await StatementAsync(), StringComparison.Ordinal);
        Assert.InRange(await ShareAsync(), 0.99, 1.01);
    }

    private async Task StartAsync(string column, IEnumerable<string> values)
    {
        foreach (string value in values)
        {
            _lake.Write($"dwd/t/{column}={value}/1.parquet", "SELECT i AS x FROM range(1000) t(i)");
        }

        await _lake.StartAsync(_time);
    }

    private Task AskAsync(string condition) => _lake.AnswerAsync($"SELECT sum(x) FROM dwd.t WHERE {condition}");

    // Without the sort key, which has tests of its own.
    private async Task<string> StatementAsync() => await _lake.ValueAsync("SELECT split_part(statement, ' ORDER BY', 1) FROM lakeholo.advice WHERE action = 'promote' AND expected_saving_ms > 0");

    private async Task<double> ShareAsync()
        => double.Parse(await _lake.ValueAsync("SELECT (a.size_bytes / t.size_bytes)::VARCHAR FROM lakeholo.advice a, lakeholo.tables t"), CultureInfo.InvariantCulture);

    private async Task PromotesAsync(string condition)
    {
        await _lake.RowsAsync(await StatementAsync());
        Assert.Equal("hot", (await _lake.AnswerAsync($"SELECT sum(x) FROM dwd.t WHERE {condition}")).Tiers);
    }
}
