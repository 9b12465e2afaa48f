using System.Text.Json;

namespace LakeHolo.Golden.Tests.SampleLake;

/// <summary>The shop of sample-lake/: every table and query, from the lake and from the hot tier, and after every step of its updates.</summary>
public sealed class SampleLakeTests : IAsyncLifetime
{
    private SampleLakeCopy _lake = null!;

    public async ValueTask InitializeAsync() => _lake = await SampleLakeCopy.StartAsync();

    public async ValueTask DisposeAsync() => await _lake.DisposeAsync();

    [Fact]
    public async Task Every_table_is_discovered_under_its_name_and_none_is_broken()
    {
        List<string> tables = await _lake.RowsAsync("SELECT schema || '.' || name AS name, layer, format, last_error FROM lakeholo.tables");
        string[] expected =
        [
            "ads.retention|ads|paimon|NULL|", "ads.revenue_dashboard|ads|delta|NULL|", "ads.top_customers|ads|paimon|NULL|",
            "dwd.order_items|dwd|delta|NULL|", "dwd.orders|dwd|paimon|NULL|", "dwd.products|dwd|delta|NULL|", "dwd.users_current|dwd|paimon|NULL|",
            "dws.product_daily|dws|delta|NULL|", "dws.sales_daily|dws|paimon|NULL|", "dws.user_activity|dws|hudi|NULL|",
            "ods.clickstream|ods|paimon|NULL|", "ods.exchange_rates|ods|csv|NULL|", "ods.legacy_catalog|ods|sequencefile|NULL|", "ods.legacy_returns|ods|orc|NULL|",
            "ods.orders_cdc|ods|hudi|NULL|", "ods.payments|ods|delta|NULL|", "ods.shipments|ods|parquet|NULL|", "ods.users|ods|hudi|NULL|",
        ];
        Assert.Equal(expected, tables);
    }

    [Fact]
    public async Task Every_table_holds_the_rows_that_its_own_engine_reads()
    {
        var wrong = new List<string>();
        foreach (string file in Directory.GetFiles(Path.Combine(_lake.Home, "expected", "tables")).Order())
        {
            string table = Path.GetFileNameWithoutExtension(file);
            if (table.Contains('@'))
            {
                continue;
            }

            await CollectAsync(wrong, table, async () =>
            {
                List<string> expected = _lake.Expected($"tables/{table}.parquet");
                List<string> actual = await _lake.RowsAsync($"SELECT * FROM {table}");

                // ORC's TIMESTAMP is a wall clock time; Spark, which wrote the expectation, reads it as an instant in its session's zone, UTC.
                if (table == "ods.legacy_returns")
                {
                    expected = [.. expected.Select(l => l.Replace("+00|", "|", StringComparison.Ordinal))];
                }

                return expected.SequenceEqual(actual) ? null : Difference(expected, actual);
            });
        }

        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
    }

    [Fact]
    public async Task Every_tables_aggregates_are_right_after_every_step_opened_once_and_followed()
    {
        var wrong = new List<string>();
        await CheckAggregatesAsync(wrong, "base", Path.Combine(_lake.Home, "expected", "tables.json"), null);
        int steps = Directory.GetDirectories(Path.Combine(_lake.Home, "updates", "steps")).Length;
        for (int step = 1; step <= steps; step++)
        {
            _lake.Play(step);
            string file = Path.Combine(_lake.Home, "updates", "steps", step.ToString("D3"), "tables.json");
            await CheckAggregatesAsync(wrong, $"step {step}", file, "touched");
        }

        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
    }

    [Fact]
    public async Task Every_query_gives_the_expected_answer_from_the_lake_and_from_the_hot_tier()
    {
        var wrong = new List<string>();
        await _lake.ManageAsync("SET tier = 'lake'");
        await CheckQueriesAsync(wrong, "lake");
        List<string> promoted = await _lake.ManageAsync("PROMOTE TABLE *.*");
        wrong.AddRange(promoted.Where(r => r.Contains("|failed|", StringComparison.Ordinal)));
        await _lake.ManageAsync("SET tier = 'hot'");
        await CheckQueriesAsync(wrong, "hot");
        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
    }

    [Fact]
    public async Task A_table_made_anew_at_the_same_version_is_not_answered_from_the_old_ones_copy()
    {
        await _lake.ManageAsync("PROMOTE TABLE ads.revenue_dashboard");
        await _lake.ManageAsync("SET tier = 'hot'");
        Assert.Equal(["732|"], await _lake.RowsAsync("SELECT count(*) FROM ads.revenue_dashboard"));
        string commit = Directory.GetFiles(Path.Combine(_lake.LakeDirectory, "ads", "revenue_dashboard", "_delta_log"), "*0.json").Single();
        string[] lines = await File.ReadAllLinesAsync(commit);
        await File.WriteAllLinesAsync(commit, lines.Where(l => !l.StartsWith("{\"add\"", StringComparison.Ordinal)));

        await Assert.ThrowsAsync<LakeCatalog.LakeException>(() => _lake.RowsAsync("SELECT count(*) FROM ads.revenue_dashboard"));

        await _lake.ManageAsync("SET tier = 'auto'");
        Assert.Equal(["0|"], await _lake.RowsAsync("SELECT count(*) FROM ads.revenue_dashboard"));
        await _lake.ManageAsync("REFRESH TABLE ads.revenue_dashboard");
        await _lake.ManageAsync("SET tier = 'hot'");
        Assert.Equal(["0|"], await _lake.RowsAsync("SELECT count(*) FROM ads.revenue_dashboard"));
    }

    [Theory]
    [InlineData("SELECT count(DISTINCT product_id) > 0, count(*) FILTER (WHERE _commit_version NOT BETWEEN 3 AND 5) FROM table_changes('dwd.products', 3, 5)", "true|0|")]
    [InlineData("SELECT count(*) FROM dwd.products AT (VERSION => 3)", "240|")]
    [InlineData("SELECT column_name FROM dwd.\"order_items$schemas\" WHERE column_name = 'unit_price_eur' LIMIT 1", "unit_price_eur|")]
    public async Task History_can_be_asked(string sql, string expected) => Assert.Equal([expected], await _lake.RowsAsync(sql));

    [Fact]
    public async Task Advice_names_what_the_statements_of_the_log_read_from_the_lake_and_the_copies_that_none_read()
    {
        for (int i = 0; i < 3; i++)
        {
            await _lake.RowsAsync("SELECT sum(amount) FROM ods.payments WHERE order_id > 10");
        }

        await _lake.ManageAsync("PROMOTE TABLE ads.retention");
        List<string> advice = await _lake.RowsAsync("SELECT action, \"table\", statement, queries FROM lakeholo.advice");
        Assert.Contains(advice, a => a.StartsWith("promote|shop.ods.payments|PROMOTE TABLE shop.ods.payments (", StringComparison.Ordinal) && a.Contains("\"amount\"", StringComparison.Ordinal));
        Assert.Contains("demote|shop.ads.retention|DEMOTE TABLE shop.ads.retention|0|", advice);
    }

    private async Task CheckQueriesAsync(List<string> wrong, string tier)
    {
        foreach (string name in SampleLakeCopy.QueryNames)
        {
            await CollectAsync(wrong, $"{name} ({tier})", async () =>
            {
                List<string> expected = _lake.Expected(name + ".parquet");
                List<string> actual = await _lake.RowsAsync(_lake.Query(name));
                return expected.SequenceEqual(actual) ? null : Difference(expected, actual);
            });
        }
    }

    private async Task CheckAggregatesAsync(List<string> wrong, string moment, string file, string? property)
    {
        using JsonDocument document = JsonDocument.Parse(await File.ReadAllBytesAsync(file));
        JsonElement tables = property is null ? document.RootElement : document.RootElement.GetProperty(property);
        foreach (JsonProperty table in tables.EnumerateObject())
        {
            await CollectAsync(wrong, $"{table.Name} at {moment}", async () =>
            {
                (string sql, List<string> expected) = TableAggregates.Of(table.Name, table.Value);
                string[] actual = (await _lake.RowsAsync(sql)).Single().TrimEnd('|').Split('|');
                IEnumerable<string> different = expected.Zip(actual).Where(p => !TableAggregates.Same(p.First, p.Second)).Select(p => $"{p.First} <> {p.Second}");
                return string.Join("; ", different) is { Length: > 0 } text ? text : null;
            });
        }
    }

    private static async Task CollectAsync(List<string> wrong, string what, Func<Task<string?>> check)
    {
        try
        {
            if (await check() is { } difference)
            {
                wrong.Add($"{what}: {difference}");
            }
        }
        catch (LakeCatalog.LakeException e)
        {
            wrong.Add($"{what}: {e.Kind}: {e.Message}");
        }
    }

    private static string Difference(List<string> expected, List<string> actual) =>
        $"{expected.Count} rows expected, {actual.Count} read; only expected: {expected.Except(actual).FirstOrDefault()}; only read: {actual.Except(expected).FirstOrDefault()}";
}
