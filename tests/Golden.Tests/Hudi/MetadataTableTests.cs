using LakeHolo.LakeCatalog.Avro;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Hudi.Metadata;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Hudi.Pruning;
using LakeHolo.Readers.Scanning;

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

    [Fact]
    public async Task A_rollback_that_does_not_tell_what_it_undid_leaves_the_metadata_table_unused()
    {
        await using HudiCase golden = HudiCase.Open("cow_mdt_all_indexes_v9");
        HudiSnapshot before = await golden.LoadAsync(SnapshotSelector.Latest);
        File.WriteAllText(golden.Path("table/.hoodie/timeline/20260101000000000_20260101000001000.rollback"), "");
        HudiSnapshot after = await golden.LoadAsync(SnapshotSelector.Latest);
        Assert.NotNull(before.MetadataTable);
        Assert.Null(after.MetadataTable);
        Assert.Equal(Texts(before), Texts(after));
    }

    [Theory]
    [InlineData("cow_mdt_all_indexes_v8")]
    [InlineData("cow_mdt_all_indexes_v9")]
    public async Task An_older_state_is_not_pruned_by_the_present_statistics_of_its_partitions(string name)
    {
        await using HudiCase golden = HudiCase.Open(name);
        HudiSnapshot latest = await golden.LoadAsync(SnapshotSelector.Latest);
        Assert.True(latest.IsNewest);
        foreach (string instant in latest.Timeline.Commits.Select(c => c.Time).ToArray())
        {
            HudiSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Version(instant));
            Assert.Equal(instant == latest.Instant, snapshot.IsNewest);
            await using TableScan all = await golden.PlanAsync(snapshot);
            foreach (string id in golden.Texts($"SELECT id FROM ({all.Sql})"))
            {
                await using TableScan scan = await golden.Reader.PlanAsync(snapshot, new ScanRequest { Filter = new ScanFilter.Compare("id", ScanComparison.Equal, new ScanLiteral(id)) });
                Assert.True(golden.Count($"SELECT 1 FROM ({scan.Sql}) WHERE id = '{id}'") == 1, $"{instant}: {id}");
            }
        }
    }

    [Theory]
    [InlineData("", "", true)]
    [InlineData("\"ord\", ", "", false)] // the column is not indexed any more
    [InlineData("\"version\" : \"V2\"", "\"version\" : \"V3\"", false)]
    public async Task Statistics_of_partitions_are_used_for_the_columns_and_versions_that_the_index_definitions_name(string from, string to, bool isPruned)
    {
        await using HudiCase golden = HudiCase.Open("cow_mdt_all_indexes_v9");
        string definitions = golden.Path("table/.hoodie/.index_defs/index.json");
        string json = File.ReadAllText(definitions);
        Assert.Contains(from, json, StringComparison.Ordinal);
        File.WriteAllText(definitions, from.Length == 0 ? json : json.Replace(from, to, StringComparison.Ordinal));
        string properties = golden.Path("table/.hoodie/hoodie.properties");
        File.WriteAllText(properties, File.ReadAllText(properties).Replace("column_stats,files", "files", StringComparison.Ordinal));
        HudiSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        Assert.False(snapshot.MetadataTable!.Has("column_stats"));
        var filter = new ScanFilter.Compare("ord", ScanComparison.Greater, new ScanLiteral(1_000_000_000L));
        KnownStatistics statistics = await KnownStatistics.ReadAsync(snapshot, snapshot.Slices, filter, TestContext.Current.CancellationToken);

        Assert.Equal(isPruned, snapshot.Slices.All(s => !statistics.MayMatch(s, s.Base!, filter)));
    }

    [Fact]
    public void Statistics_that_do_not_fit_each_other_tell_nothing_until_they_are_written_anew()
    {
        AvroSchema schema = AvroSchema.Parse(
            """
            {"type":"record","name":"m","fields":[{"name":"type","type":"int"},{"name":"ColumnStatsMetadata","type":{"type":"record","name":"s","fields":[
                {"name":"fileName","type":"string"},{"name":"columnName","type":"string"},
                {"name":"minValue","type":["null",{"type":"record","name":"IntWrapper","fields":[{"name":"value","type":"int"}]},{"type":"record","name":"LongWrapper","fields":[{"name":"value","type":"long"}]}]},
                {"name":"maxValue","type":["null","IntWrapper","LongWrapper"]},{"name":"valueCount","type":"long"},{"name":"nullCount","type":["null","long"]},
                {"name":"isDeleted","type":"boolean"},{"name":"isTightBound","type":"boolean"}]}}]}
            """,
            "t");
        // Numbers in zig-zag; branch 1 is an int, 2 a long, 0 none.
        AvroRecord Of(byte branch, byte low, byte high, byte nulls = 1, bool isTight = false) => AvroDatum.DecodeRecord(
            schema,
            branch == 0 ? [12, 0, 0, 0, 0, 6, 2, 6, 0, 0] : [12, 0, 0, (byte)(2 * branch), (byte)(2 * low), (byte)(2 * branch), (byte)(2 * high), 6, .. nulls == 255 ? (byte[])[0] : [2, (byte)(2 * nulls)], 0, (byte)(isTight ? 1 : 0)],
            "t");
        static string Text(object? merged) => ((MetadataMerge.Statistics)merged!).Value is { } s ? $"{s.Min}..{s.Max} {s.NullCount}/{s.ValueCount}" : "nothing";

        object? merged = MetadataMerge.Merge(null, Of(1, 5, 9));
        Assert.Equal("5..9 1/3", Text(merged));
        merged = MetadataMerge.Merge(merged, Of(1, 7, 20));
        Assert.Equal("5..20 2/6", Text(merged));
        merged = MetadataMerge.Merge(merged, Of(0, 0, 0));
        Assert.Equal("5..20 5/9", Text(merged));
        Assert.Equal("5..20 -1/12", Text(MetadataMerge.Merge(merged, Of(1, 5, 6, nulls: 255))));
        merged = MetadataMerge.Merge(merged, Of(2, 30, 40));
        Assert.Equal("nothing", Text(merged));
        merged = MetadataMerge.Merge(merged, Of(2, 50, 60));
        Assert.Equal("nothing", Text(merged));
        Assert.Equal("3..4 1/3", Text(MetadataMerge.Merge(merged, Of(2, 3, 4, isTight: true))));
    }

    private static void DropIndexes(HudiCase golden)
    {
        string path = golden.Path("table/.hoodie/hoodie.properties");
        File.WriteAllLines(path, File.ReadAllLines(path).Where(l => !l.StartsWith("hoodie.table.metadata.partitions", StringComparison.Ordinal)));
    }

    private static IEnumerable<string> Texts(HudiSnapshot snapshot) => snapshot.Slices.Concat(snapshot.ReadOptimizedSlices).Select(s =>
        $"{snapshot.Id.Text} {s.Partition}/{s.FileId} {s.BaseInstant}: {string.Join(", ", s.Files.Select(f => $"{f.Path}:{f.SizeBytes}"))}");
}
