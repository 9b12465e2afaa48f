using LakeHolo.Golden.Tests.SampleLake;

namespace LakeHolo.Golden.Tests.HotCopies;

/// <summary>Roll-ups over the shop's tables while their writers go on: by their names they answer what their texts do, and how each step was applied is as expected.</summary>
public sealed class PromotedQueries(ITestOutputHelper output) : IAsyncLifetime
{
    private static readonly (string Name, string Sql)[] Queries =
    [
        ("orders_daily", "SELECT order_date, country, count(*) AS orders, count(delivered_at) AS delivered, sum(amount_eur) AS eur FROM dwd.orders WHERE NOT cancelled GROUP BY order_date, country"),
        ("lines_by_product", "SELECT product_id, count(*) AS lines, sum(quantity) AS pieces FROM dwd.order_items GROUP BY ALL"),
        ("payments_by_method", "SELECT method, state, count(*) AS n, sum(amount) AS amount, min(amount) AS least, max(amount) AS most FROM ods.payments GROUP BY 1, 2"),
        ("local_totals", "SELECT currency, count(*) AS n, sum(total_local) AS total, avg(total_local) AS mean FROM ods.orders_cdc GROUP BY currency"),
        ("best_customers", "SELECT u.user_id, any_value(u.name) AS name, sum(o.amount_eur) AS eur FROM dwd.orders o JOIN dwd.users_current u USING (user_id) GROUP BY u.user_id HAVING sum(o.amount_eur) > 500"),
    ];

    private SampleLakeCopy _lake = null!;

    public async ValueTask InitializeAsync() => _lake = await SampleLakeCopy.StartAsync();

    public async ValueTask DisposeAsync() => await _lake.DisposeAsync();

    [Fact]
    public async Task At_every_step_they_answer_what_their_texts_do_before_and_after_they_followed()
    {
        foreach ((string name, string sql) in Queries)
        {
            await _lake.ManageAsync($"PROMOTE QUERY {name} AS {sql}");
        }

        var how = new List<string>();
        for (int step = 1; step <= Directory.GetDirectories(Path.Combine(_lake.Home, "updates", "steps")).Length; step++)
        {
            _lake.Play(step);
            foreach ((string name, string sql) in Queries)
            {
                List<string> expected = await _lake.RowsAsync(sql);
                Assert.Equal(expected, await _lake.RowsAsync($"SELECT * FROM hot.{name}"));
                await _lake.ManageAsync($"REFRESH QUERY {name}");
                await _lake.ManageAsync("SET tier = 'hot'");
                Assert.Equal(expected, await _lake.RowsAsync($"SELECT * FROM hot.{name}"));
                await _lake.ManageAsync("SET tier = 'auto'");
                how.Add($"{step} {name}: {(await _lake.RowsAsync($"SELECT last_refresh FROM lakeholo.hot_tables WHERE \"table\" = 'shop.hot.{name}'")).Single().TrimEnd('|')}");
            }
        }

        output.WriteLine(string.Join("\n", how));
        Assert.Equal(await File.ReadAllLinesAsync(Path.Combine(GoldenCases.Root, "tests", "Golden.Tests", "HotCopies", "how-applied-queries.txt")), how);
        Assert.All(await _lake.ManageAsync("VERIFY QUERY *"), row => Assert.Contains("|verified|", row, StringComparison.Ordinal));
    }
}
