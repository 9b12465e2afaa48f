using LakeHolo.Golden.Tests.SampleLake;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Golden.Tests.HotCopies;

/// <summary>A copy holds one snapshot. Whoever asks for another is answered by the lake, as it was, whatever the copy followed meanwhile.</summary>
public sealed class OlderVersions : IAsyncLifetime
{
    // One of each format.
    private static readonly string[] Tables = ["dwd.order_items", "dwd.orders", "ods.orders_cdc"];

    private SampleLakeCopy _lake = null!;

    public async ValueTask InitializeAsync() => _lake = await SampleLakeCopy.StartAsync();

    public async ValueTask DisposeAsync() => await _lake.DisposeAsync();

    [Fact]
    public async Task Each_version_that_was_has_the_rows_that_it_had_and_only_the_newest_comes_from_the_copy()
    {
        var known = new Dictionary<(string Table, string Version), List<string>>();
        foreach (string table in Tables)
        {
            await _lake.ManageAsync($"PROMOTE TABLE {table}");
        }

        for (int step = 0; step <= 4; step++)
        {
            if (step > 0)
            {
                _lake.Play(step);
                await _lake.ManageAsync("REFRESH TABLE *.*");
            }

            foreach (string table in Tables)
            {
                known.TryAdd((table, await HeldAsync(table)), await SumsAsync(table));
            }
        }

        Assert.InRange(known.Count, 7, 100);
        foreach (((string table, string version), List<string> rows) in known)
        {
            string at = $"{table} AT (VERSION => '{version}')";
            Assert.Equal(rows, await SumsAsync(at));
            bool isNewest = version == await HeldAsync(table);
            Assert.Equal(isNewest ? "hot" : "lake", await LastTierAsync(table));
            if (!isNewest)
            {
                await _lake.ManageAsync("SET tier = 'hot'");
                LakeException e = await Assert.ThrowsAsync<LakeException>(() => SumsAsync(at));
                Assert.Contains("no hot copy", e.Message, StringComparison.Ordinal);
                await _lake.ManageAsync("SET tier = 'auto'");
            }
        }
    }

    private async Task<string> HeldAsync(string table) => (await _lake.RowsAsync($"SELECT snapshot FROM lakeholo.hot_tables WHERE \"table\" = 'shop.{table}'")).Single().TrimEnd('|');

    // The rows themselves, in short.
    private Task<List<string>> SumsAsync(string table) => _lake.RowsAsync($"SELECT count(*), sum(hash(t)::HUGEINT) FROM (SELECT * FROM {table}) AS t");

    private async Task<string> LastTierAsync(string table)
        => (await _lake.RowsAsync($"SELECT tier FROM lakeholo.query_log WHERE tables LIKE '%{table}%' ORDER BY id DESC LIMIT 1")).Single().TrimEnd('|');
}
