using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Hudi.Metadata;
using LakeHolo.LakeCatalog.Snapshots;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>Tables with a metadata table give the same file slices by it and by listing, and its statistics are those of the files.</summary>
public sealed class MetadataTableTests
{
    [Theory]
    [InlineData("cow_failed_write_inflight_v6")]
    [InlineData("cow_failed_write_inflight_v8")]
    [InlineData("cow_insert_overwrite_v6")]
    [InlineData("cow_insert_overwrite_v9")]
    [InlineData("cow_mdt_all_indexes_v6")]
    [InlineData("cow_mdt_all_indexes_v8")]
    [InlineData("cow_mdt_all_indexes_v9")]
    [InlineData("cow_part_hive_multi_v6")]
    [InlineData("cow_part_hive_multi_v8")]
    [InlineData("cow_schema_add_columns_v6")]
    [InlineData("flink_mor_eventtime_late")]
    [InlineData("mor_compaction_complete_then_logs_v6")]
    public async Task The_metadata_table_and_a_listing_give_the_same_slices_at_every_instant(string name)
    {
        await using HudiCase golden = HudiCase.Open(name);
        HudiSnapshot latest = await golden.LoadAsync(SnapshotSelector.Latest);
        Assert.NotNull(latest.MetadataTable);
        string[] instants = [.. latest.Timeline.Commits.Select(i => i.Time)];
        var byMetadata = new List<string>();
        foreach (string instant in instants)
        {
            byMetadata.AddRange(Texts(await golden.LoadAsync(SnapshotSelector.Version(instant))));
        }

        DropIndexes(golden);
        var byListing = new List<string>();
        foreach (string instant in instants)
        {
            HudiSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Version(instant));
            Assert.Null(snapshot.MetadataTable);
            byListing.AddRange(Texts(snapshot));
        }

        Assert.Equal(byListing, byMetadata);
    }

    [Theory]
    [InlineData("cow_mdt_all_indexes_v6")]
    [InlineData("cow_mdt_all_indexes_v8")]
    [InlineData("cow_mdt_all_indexes_v9")]
    public async Task Column_statistics_are_those_of_the_files(string name)
    {
        await using HudiCase golden = HudiCase.Open(name);
        HudiSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        IReadOnlyList<ColumnStatistics> statistics = await snapshot.MetadataTable!.ReadStatisticsAsync(
            "column_stats", ["id", "ord"], [.. snapshot.Slices.Select(s => s.Partition).Distinct()]);
        foreach (HudiFile file in snapshot.Slices.Select(s => s.Base!))
        {
            foreach (string column in (string[])["id", "ord"])
            {
                ColumnStatistics found = Assert.Single(statistics, s => s.Column == column && file.Path.EndsWith("/" + s.File, StringComparison.Ordinal));
                string expected = Assert.Single(golden.Texts($"SELECT concat_ws('|', min({column}), max({column}), count(*)) FROM read_parquet('{golden.Path("table/" + file.Path)}')"));
                Assert.Equal(expected, $"{found.Min}|{found.Max}|{found.ValueCount}");
            }
        }
    }

    [Fact]
    public async Task A_metadata_table_that_misses_a_commit_or_is_broken_is_not_used()
    {
        await using HudiCase golden = HudiCase.Open("cow_mdt_all_indexes_v9");
        HudiSnapshot whole = await golden.LoadAsync(SnapshotSelector.Latest);
        string timeline = golden.Path("table/.hoodie/metadata/.hoodie/timeline");
        string newest = Directory.GetFiles(timeline, "*.deltacommit").Max(StringComparer.Ordinal)!;
        byte[] commit = await File.ReadAllBytesAsync(newest, TestContext.Current.CancellationToken);
        File.Delete(newest);
        HudiSnapshot behind = await golden.LoadAsync(SnapshotSelector.Latest);
        await File.WriteAllBytesAsync(newest, commit, TestContext.Current.CancellationToken);
        string log = Directory.GetFiles(golden.Path("table/.hoodie/metadata/files"), ".files*").Max(StringComparer.Ordinal)!;
        await File.WriteAllBytesAsync(log, new byte[100], TestContext.Current.CancellationToken);
        HudiSnapshot broken = await golden.LoadAsync(SnapshotSelector.Latest);

        Assert.NotNull(whole.MetadataTable);
        Assert.Null(behind.MetadataTable);
        Assert.Null(broken.MetadataTable);
        Assert.Equal(Texts(whole), Texts(behind));
        Assert.Equal(Texts(whole), Texts(broken));
    }

    private static void DropIndexes(HudiCase golden)
    {
        string path = golden.Path("table/.hoodie/hoodie.properties");
        File.WriteAllLines(path, File.ReadAllLines(path).Where(l => !l.StartsWith("hoodie.table.metadata.partitions", StringComparison.Ordinal)));
    }

    private static IEnumerable<string> Texts(HudiSnapshot snapshot) => snapshot.Slices.Concat(snapshot.ReadOptimizedSlices).Select(s =>
        $"{snapshot.Id.Text} {s.Partition}/{s.FileId} {s.BaseInstant}: {string.Join(", ", s.Files.Select(f => $"{f.Path}:{f.SizeBytes}"))}");
}
