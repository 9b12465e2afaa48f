using System.Text.Json;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Discovery;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Paimon;

/// <summary>A warehouse as a catalog lays it out: databases are folders named <c>db.db</c>, tables folders in them, among folders that are neither.</summary>
public class PaimonWarehouseTests
{
    [Fact]
    public async Task A_crawl_finds_the_tables_of_a_warehouse_and_passes_over_the_rest()
    {
        await using PaimonCase golden = PaimonCase.Open("warehouse_discovery");
        JsonElement discovery = golden.Definition.GetProperty("discovery");
        CrawlResult crawl = await LakeCrawler.CrawlAsync(new TableRoot(golden.Store, ""), new Dictionary<string, KnownTable>());
        Assert.Empty(crawl.Faults);
        var found = crawl.Tables.ToDictionary(t => $"{t.Schema}.{t.Name}");
        Assert.All(found.Values, t => Assert.Equal("paimon", t.Format));
        // A table may lie outside of a catalog, too: it is found, and its schema of two bytes is what is wrong with it.
        Assert.True(found.Remove("notadb.t", out TableSighting? broken));
        await Assert.ThrowsAsync<LakeException>(() => golden.LoadAsync(SnapshotSelector.Latest, table: TableOf(broken)));

        foreach (JsonProperty kind in discovery.GetProperty("named_but_not_read").EnumerateObject())
        {
            Assert.True(found.Remove(kind.Name, out TableSighting? table), kind.Name);
            LakeException refused = await Assert.ThrowsAsync<LakeException>(() => golden.LoadAsync(SnapshotSelector.Latest, table: TableOf(table)));
            Assert.Equal(LakeErrorKind.FeatureUnsupported, refused.Kind);
            Assert.Contains("type=" + kind.Value.GetString(), refused.Message, StringComparison.Ordinal);
        }

        Assert.Equal(discovery.GetProperty("tables").EnumerateObject().Select(t => t.Name).Order(StringComparer.Ordinal), found.Keys.Order(StringComparer.Ordinal));
        foreach (JsonProperty rows in discovery.GetProperty("tables").EnumerateObject())
        {
            await using TableScan scan = await golden.Reader.PlanAsync(await golden.LoadAsync(SnapshotSelector.Latest, table: TableOf(found[rows.Name])), ScanRequest.All);
            Assert.Equal(rows.Value.GetInt64(), golden.Count(scan.Sql));
        }
    }

    private static LakeTable TableOf(TableSighting table) => new("golden", table.Schema, table.Name, table.Format, table.Root);
}
