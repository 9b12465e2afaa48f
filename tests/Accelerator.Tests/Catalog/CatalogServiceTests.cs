using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Tests.Fakes;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Accelerator.Tests.Catalog;

public sealed class CatalogServiceTests
{
    [Fact]
    public async Task Layers_come_from_the_schema_name_or_from_the_first_rule_that_matches()
    {
        await using var lake = new FakeLake();
        foreach (string schema in (string[])["ods", "DWD_shop", "dws2", "marketing_raw", "marketing", "ads"])
        {
            lake.AddTable(schema, "t", "SELECT 1 AS x");
        }

        await lake.StartAsync(null, new LayerRule("*_raw", "ods"), new LayerRule("market*", "dws"), new LayerRule("ads", "gold"));

        Assert.Equal(
            ["DWD_shop|dwd", "ads|gold", "dws2|NULL", "marketing|dws", "marketing_raw|ods", "ods|ods"],
            await lake.QueryAsync("SELECT schema, layer FROM lakeholo.tables ORDER BY schema"));
    }

    [Fact]
    public async Task Tables_whose_names_collide_get_names_of_their_own_and_say_so()
    {
        await using var lake = new FakeLake();
        lake.AddTable("dwd", "orders", "SELECT 1 AS x");
        lake.AddTable("dwd.db", "orders", "SELECT 2 AS x");
        lake.AddTable("dwd.db", "Orders", "SELECT 3 AS x");
        lake.AddTable("weird", "a.b \"c\" 'd'", "SELECT 4 AS x");
        await lake.StartAsync();

        Assert.Equal(
            [
                "Orders|3|NULL", "orders_2|2|Named dwd.orders_2: another folder is dwd.orders already",
                "orders_3|1|Named dwd.orders_3: another folder is dwd.orders already",
            ],
            await lake.QueryAsync("""
                SELECT name, CASE name WHEN 'Orders' THEN (SELECT x FROM dwd.orders) WHEN 'orders_2' THEN (SELECT x FROM dwd.orders_2) ELSE (SELECT x FROM dwd.orders_3) END, note
                FROM lakeholo.tables WHERE schema = 'dwd' ORDER BY name
                """));
        Assert.Equal(["4"], await lake.QueryAsync("SELECT x FROM weird.\"a.b \"\"c\"\" 'd'\""));
    }

    [Fact]
    public async Task A_table_keeps_its_name_when_a_folder_appears_that_would_have_taken_it()
    {
        await using var lake = new FakeLake();
        lake.AddTable("dwd", "orders", "SELECT 1 AS x");
        await lake.StartAsync();
        lake.AddTable("dwd.db", "orders", "SELECT 2 AS x");
        await lake.Catalog.SyncAsync(lake.Catalog.Sources[0]);

        Assert.Equal(["1"], await lake.QueryAsync("SELECT x FROM dwd.orders"));
        Assert.Equal(["2"], await lake.QueryAsync("SELECT x FROM dwd.orders_2"));
    }

    [Fact]
    public async Task A_sync_finds_new_tables_and_drops_vanished_ones_and_queries_say_what_is_gone()
    {
        await using var lake = new FakeLake();
        lake.AddTable("dwd", "old", "SELECT 1 AS x");
        lake.AddTable("dwd", "kept", "SELECT 2 AS x");
        await lake.StartAsync();
        lake.AddTable("dwd", "fresh", "SELECT 3 AS x");
        Directory.Delete(lake.FolderOf("dwd", "old"), recursive: true);

        SyncRun run = await lake.Catalog.SyncAsync(lake.Catalog.Sources[0]);

        Assert.Equal((2, 1, 1), (run.Tables, run.Added, run.Removed));
        Assert.Equal(["fresh", "kept"], await lake.QueryAsync("SELECT name FROM lakeholo.tables ORDER BY name"));
        Assert.Equal(["3"], await lake.QueryAsync("SELECT x FROM fresh"));
        Assert.Equal(LakeErrorKind.NotFound, (await Assert.ThrowsAsync<LakeException>(() => lake.QueryAsync("SELECT * FROM dwd.old"))).Kind);
    }
}
