using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Folders;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Folders;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Folders;

/// <summary>Plain folders of the sample lake, against the rows that Spark reads.</summary>
public sealed class FolderGoldenTests : OverOneFolder
{
    private const string CatalogColumns = "sku STRING, product_id INT, name STRING, dept STRING, weight_g INT, discontinued BOOLEAN";

    [Theory]
    [InlineData("exchange_rates", "csv", null)]
    [InlineData("shipments", "parquet", 37113L)]
    [InlineData("legacy_returns", "orc", 5541L)]
    [InlineData("legacy_catalog", "sequencefile", null)]
    public async Task A_folder_of_the_sample_lake_has_the_rows_that_spark_reads(string name, string format, long? rowCount)
    {
        Snapshot snapshot = await LoadAsync(name, format);
        await using TableScan scan = await new FolderReader(Engine, Cache, format).PlanAsync(snapshot, ScanRequest.All);
        string expected = Path.Combine(GoldenCases.Root, $"sample-lake/expected/tables/ods.{name}.parquet");
        string? difference = GoldenCases.Difference(Engine, scan.Sql, $"SELECT * FROM read_parquet({SqlText.Literal(expected)})");
        Assert.True(difference is null, difference);
        Assert.Equal(rowCount, snapshot.RowCount);
        AssertTypes(snapshot, scan);
    }

    [Fact]
    public async Task A_sequence_file_without_configured_columns_has_numbered_ones()
    {
        Snapshot snapshot = await LoadAsync("legacy_catalog", "sequencefile", new FolderOptions());
        Assert.Equal(["_c0", "_c1", "_c2", "_c3", "_c4", "_c5"], snapshot.Schema.FieldsList.Select(f => f.Name));
        Assert.Equal(240, snapshot.RowCount);
        await using TableScan scan = await new FolderReader(Engine, Cache, "sequencefile").PlanAsync(snapshot, ScanRequest.All);
        Assert.Null(GoldenCases.Difference(Engine, $"SELECT count(*) AS n, min(_c0) AS sku FROM ({scan.Sql})", "SELECT 240 AS n, 'SKU-001001' AS sku"));
    }

    [Fact]
    public async Task Partition_values_prune_files_and_columns_are_narrowed()
    {
        Snapshot snapshot = await LoadAsync("shipments", "parquet");
        Assert.Equal(["ship_month", "carrier"], snapshot.PartitionColumns);
        var filter = new ScanFilter.And([
            new ScanFilter.Compare("carrier", ScanComparison.Equal, new ScanLiteral("dhl")),
            new ScanFilter.Compare("ship_month", ScanComparison.Greater, new ScanLiteral("2026-09")),
        ]);
        await using TableScan scan = await new FolderReader(Engine, Cache, "parquet").PlanAsync(snapshot, new ScanRequest { Columns = ["carrier"], Filter = filter });
        Assert.Equal(1, scan.Statistics.FilesRead);
        Assert.Equal(snapshot.FileCount - 1, scan.Statistics.FilesPrunedByPartition);
        Assert.Null(GoldenCases.Difference(Engine, $"SELECT DISTINCT * FROM ({scan.Sql})", "SELECT 'dhl' AS carrier"));
    }

    [Fact]
    public async Task A_listing_is_its_own_version_and_there_is_no_other()
    {
        Snapshot snapshot = await LoadAsync("exchange_rates", "csv");
        var format = new FolderTableFormat("csv", new FolderSchemaSource(Engine, Cache));
        Assert.Same(snapshot, await format.LoadSnapshotAsync(snapshot.Table, SnapshotSelector.Version(snapshot.Id.Text), snapshot));
        Assert.False(await format.HasChangedAsync(snapshot));
        var e = await Assert.ThrowsAsync<LakeException>(async () => await format.LoadSnapshotAsync(snapshot.Table, SnapshotSelector.Version("1"), null));
        Assert.Equal(LakeErrorKind.NotFound, e.Kind);
    }

    [Fact]
    public async Task An_added_file_is_the_difference_and_may_bring_columns()
    {
        string table = Folder.File("t");
        Directory.CreateDirectory(table + "/d=2024-01-01");
        Directory.CreateDirectory(table + "/d=__HIVE_DEFAULT_PARTITION__");
        Directory.CreateDirectory(table + "/_temporary");
        await File.WriteAllTextAsync(table + "/d=2024-01-01/a.csv", "id,name\n1,x\n2,\n");
        await File.WriteAllTextAsync(table + "/_temporary/junk.csv", "what,ever\n");
        await File.WriteAllTextAsync(table + "/d=2024-01-01/empty.csv", "");
        var format = new FolderTableFormat("csv", new FolderSchemaSource(Engine, Cache));
        var lakeTable = new LakeTable("golden", "s", "t", "csv", new TableRoot(new LocalFolderStore(table), ""));
        Snapshot first = await format.LoadSnapshotAsync(lakeTable, SnapshotSelector.Latest, null);
        await File.WriteAllTextAsync(table + "/d=__HIVE_DEFAULT_PARTITION__/b.csv", "price,id\n1.5,3\n");
        Assert.True(await format.HasChangedAsync(first));
        Snapshot second = await format.LoadSnapshotAsync(lakeTable, SnapshotSelector.Latest, first);
        SnapshotDiff diff = await format.DiffAsync(first, second);
        Assert.Equal("d=__HIVE_DEFAULT_PARTITION__/b.csv", Assert.Single(diff.Added).Path);
        Assert.Empty(diff.Removed);
        Assert.True(diff.SchemaChanged);
        await using TableScan scan = await new FolderReader(Engine, Cache, "csv").PlanAsync(second, ScanRequest.All);
        Assert.Null(GoldenCases.Difference(
            Engine, scan.Sql, "FROM (VALUES (1, 'x', NULL, DATE '2024-01-01'), (2, NULL, NULL, DATE '2024-01-01'), (3, NULL, 1.5::DOUBLE, NULL)) t(id, name, price, d)"));
        AssertTypes(second, scan);
    }

    private void AssertTypes(Snapshot snapshot, TableScan scan)
    {
        using DuckDB.NET.Data.DuckDBConnection connection = Engine.OpenConnection();
        Assert.Equal(
            snapshot.Schema.FieldsList.Select(f => f.Name + " " + SqlText.TypeOf(f).Replace("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE", StringComparison.Ordinal)),
            GoldenCases.Columns(connection, scan.Sql).Select(c => c.Key + " " + c.Value));
    }

    private async Task<Snapshot> LoadAsync(string name, string format, FolderOptions? options = null)
    {
        options ??= new FolderOptions { Columns = new Dictionary<string, string> { ["ods.legacy_catalog"] = CatalogColumns } };
        var store = new LocalFolderStore(Path.Combine(GoldenCases.Root, "sample-lake/lake"));
        var table = new LakeTable("sample", "ods", name, format, new TableRoot(store, $"ods/{name}/"));
        return await new FolderTableFormat(format, new FolderSchemaSource(Engine, Cache, options)).LoadSnapshotAsync(table, SnapshotSelector.Latest, null);
    }
}
