using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>Table version 5 (Hudi 0.12 and 0.13) is laid out as version 6 is, but for its metadata table, which is not read.</summary>
public sealed class TableVersionFiveTests
{
    [Theory]
    [InlineData("cow_part_hive_multi_v6")]
    [InlineData("cow_clustering_complete_v6")]
    [InlineData("cow_mdt_all_indexes_v6")]
    [InlineData("mor_log_updates_deletes_v6")]
    [InlineData("mor_compaction_pending_then_logs_v6")]
    public async Task A_table_of_version_5_is_read_as_one_of_version_6_without_its_metadata_table(string name)
    {
        await using HudiCase golden = HudiCase.Open(name);
        string path = golden.Path("table/.hoodie/hoodie.properties");
        string properties = await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken);
        Assert.Contains("hoodie.table.version=6", properties, StringComparison.Ordinal);
        await File.WriteAllTextAsync(path, properties.Replace("hoodie.table.version=6", "hoodie.table.version=5", StringComparison.Ordinal), TestContext.Current.CancellationToken);

        HudiSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        Assert.Equal(5, snapshot.Properties.TableVersion);
        Assert.Null(snapshot.MetadataTable);
        string expected = golden.Definition.GetProperty("reads").EnumerateArray()
            .First(r => r.GetProperty("at") is { ValueKind: System.Text.Json.JsonValueKind.String } && !r.TryGetProperty("view", out _)).GetProperty("expected").GetString()!;
        await using TableScan scan = await golden.PlanAsync(snapshot);
        Assert.Null(golden.Difference(scan.Sql, expected, snapshot));
    }
}
