using LakeHolo.Accelerator.Catalog;

namespace LakeHolo.Golden.Tests.SampleLake;

/// <summary>What a scheduled sync costs and sees.</summary>
public sealed class SyncTests
{
    private const int Tables = 50;
    private const int AllowedRequests = 2;

    [Fact]
    public async Task Fifty_unchanged_tables_cost_at_most_two_requests_each()
    {
        // Plain folders are listed whole (a listing is all the metadata they have); tables with a log are the ones that must be cheap.
        await using SampleLakeCopy lake = await SampleLakeCopy.StartAsync(copies =>
        {
            string[] sources = ["dwd/products", "ads/top_customers", "ods/users", "dws/user_activity", "dwd/order_items"];
            for (int i = 0; i < Tables; i++)
            {
                copies.Add((sources[i % sources.Length], $"many/table_{i}"));
            }
        });
        LakeSource source = lake.Instance.Catalog.Sources[0];
        await lake.Instance.Catalog.SyncAsync(source);
        await lake.Instance.Catalog.SyncAsync(source);
        lake.Store.TakeRequests();

        SyncRun run = await lake.Instance.Catalog.SyncAsync(source);

        IReadOnlyList<string> requests = lake.Store.TakeRequests();
        var costly = lake.Instance.Catalog.Tables.Where(t => t.Table.Schema == "many")
            .Select(t => (t.Table.Name, t.Table.Format, Requests: requests.Where(r => r.StartsWith(t.Table.Root.Prefix, StringComparison.Ordinal)).ToList()))
            .Where(t => t.Requests.Count > AllowedRequests).ToList();
        Assert.Equal(0, run.Changed);
        Assert.Equal(Tables, lake.Instance.Catalog.Tables.Count(t => t.Table.Schema == "many"));
        Assert.True(costly.Count == 0, string.Join("\n", costly.Select(t => $"{t.Name} ({t.Format}): {string.Join(", ", t.Requests)}")));
    }

    [Fact]
    public async Task A_new_table_appears_and_a_removed_one_disappears_with_the_next_run()
    {
        await using SampleLakeCopy lake = await SampleLakeCopy.StartAsync();
        LakeSource source = lake.Instance.Catalog.Sources[0];
        lake.CopyTable("dwd/products", "dwd/products_too");
        Directory.Delete(Path.Combine(lake.LakeDirectory, "ads", "top_customers"), recursive: true);

        SyncRun run = await lake.Instance.Catalog.SyncAsync(source);

        Assert.Equal((1, 1), (run.Added, run.Removed));
        Assert.Equal(["240|"], await lake.RowsAsync("SELECT count(*) FROM dwd.products_too"));
        await Assert.ThrowsAsync<LakeCatalog.LakeException>(() => lake.RowsAsync("SELECT * FROM ads.top_customers"));
    }
}
