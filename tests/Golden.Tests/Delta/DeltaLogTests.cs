using System.Globalization;
using System.Text;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Delta;

/// <summary>The log: which files count, what is refused, history and schemas.</summary>
public class DeltaLogTests
{
    [Fact]
    public async Task Commits_may_be_empty_pretty_printed_without_a_last_newline_or_begin_with_a_byte_order_mark()
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", "SELECT 1 AS id");
        string[] create = HandMadeTable.Create(["id integer"]);
        File.WriteAllText(Log(table, 0), "\uFEFF" + create[0] + "\r\n\r\n" + create[1].Replace(",\"", ",\n  \"", StringComparison.Ordinal), new UTF8Encoding(false));
        File.WriteAllText(Log(table, 1), string.Empty);
        File.WriteAllText(Log(table, 2), """{"unknown":{"deep":[[[{}]]]}} {"txn":{"appId":"a","version":1}}""" + HandMadeTable.Add("1.parquet", size));
        Assert.Equal(["[1]"], await table.RowsAsync());
        Assert.Equal(2, (await table.LoadAsync()).Version);
    }

    [Fact]
    public async Task Names_that_are_no_part_of_the_log_are_ignored()
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", "SELECT 1 AS id");
        table.Commit(0, [.. HandMadeTable.Create(["id integer"]), HandMadeTable.Add("1.parquet", size)]);
        foreach (string name in new[]
        {
            "_staged_commits/00000000000000000001.5b0aef6c-0000-0000-0000-000000000000.json", "_commits/00000000000000000001.5b0aef6c-0000-0000-0000-000000000000.json",
            ".00000000000000000001.json.crc", "00000000000000000001.crc", "00000000000000000000.00000000000000000001.compacted.json", "0000000000000000001.json",
            "+0000000000000000001.json", "00000000000000000001.json.tmp", "00000000000000000001.checkpoint.parquet.crc", "00000000000000000001.JSON", "_last_checkpoint.tmp",
        })
        {
            string path = table.TableFile("_delta_log/" + name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, HandMadeTable.Remove("1.parquet"));
        }

        DeltaSnapshot snapshot = await table.LoadAsync();
        Assert.Equal(0, snapshot.Version);
        Assert.Equal(["[1]"], await table.RowsAsync());
        Assert.False(await table.Format.HasChangedAsync(snapshot));
    }

    [Theory]
    [InlineData("catalogManaged")]
    [InlineData("catalogOwned-preview")]
    [InlineData("geospatial")]
    [InlineData("catalogOwned")]
    [InlineData("geospatial-dev")]
    [InlineData("adaptiveMetadata")]
    [InlineData("timestampNanos")]
    [InlineData("adaptiveMetadata-preview")]
    [InlineData("redirectReaderWriter-preview")]
    [InlineData("featureOfTomorrow")]
    public async Task A_reader_feature_that_is_not_read_is_refused_by_its_name(string feature)
    {
        using var table = new HandMadeTable();
        table.Commit(0, HandMadeTable.CreateWith([feature], HandMadeTable.Schema("id integer")));
        LakeException refused = await Assert.ThrowsAsync<LakeException>(() => table.LoadAsync());
        Assert.Equal(LakeErrorKind.FeatureUnsupported, refused.Kind);
        Assert.Contains(feature, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("interval month to second")]
    [InlineData("interval second to day")]
    [InlineData("interval week")]
    [InlineData("geometry(OGC:CRS84)")]
    [InlineData("geography(OGC:CRS84, spherical)")]
    [InlineData("timestamp_nanos")]
    public async Task A_type_that_is_not_read_is_refused_by_its_name(string type)
    {
        using var table = new HandMadeTable();
        table.Commit(0, HandMadeTable.Create([$"c {type}"]));
        LakeException refused = await Assert.ThrowsAsync<LakeException>(() => table.LoadAsync());
        Assert.Equal(LakeErrorKind.FeatureUnsupported, refused.Kind);
        Assert.Contains(type, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],"writerFeatures":[]}}""", "deletionVectors")]
    [InlineData("""{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":[],"writerFeatures":["typeWidening"]}}""", "typeWidening")]
    [InlineData("""{"protocol":{"minReaderVersion":3,"minWriterVersion":7}}""", "readerFeatures")]
    [InlineData("""{"protocol":{"minReaderVersion":3,"minWriterVersion":5,"readerFeatures":[]}}""", "writer version 5")]
    [InlineData("""{"protocol":{"minReaderVersion":0,"minWriterVersion":2}}""", "Reader version 0")]
    [InlineData("""{"protocol":{"minReaderVersion":1,"minWriterVersion":2}} {"protocol":{"minReaderVersion":1,"minWriterVersion":2}}""", "two protocol")]
    public async Task A_protocol_that_contradicts_itself_is_refused(string protocol, string named)
    {
        using var table = new HandMadeTable();
        table.Commit(0, protocol, HandMadeTable.Metadata(HandMadeTable.Schema("id integer")));
        LakeException refused = await Assert.ThrowsAsync<LakeException>(() => table.LoadAsync());
        Assert.Contains(named, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("checkpointProtection")]
    [InlineData("materializePartitionColumns")]
    [InlineData("columnMappingUsageTracking")]
    [InlineData("coordinatedCommits-preview")]
    [InlineData("redirectWriterOnly-preview")]
    [InlineData("collations-preview")]
    [InlineData("icebergCompatV3")]
    [InlineData("icebergWriterCompatV1")]
    [InlineData("featureOfTomorrow")]
    public async Task A_feature_of_writers_only_never_stops_a_read(string feature)
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", "SELECT 1 AS id");
        table.Commit(
            0, $$$"""{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":[],"writerFeatures":["{{{feature}}}"]}}""",
            HandMadeTable.Metadata(HandMadeTable.Schema("id integer")), HandMadeTable.Add("1.parquet", size));
        Assert.Equal(["[1]"], await table.RowsAsync());
        Assert.Equal([new TableFeature(feature, "ignored (writers only)")], (await table.LoadAsync()).Features);
    }

    [Fact]
    public async Task Features_are_listed_with_what_becomes_of_each()
    {
        using var table = new HandMadeTable();
        table.Commit(
            0,
            """{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors","v2Checkpoint"],"writerFeatures":["appendOnly","deletionVectors","rowTracking","somethingNew","v2Checkpoint"]}}""",
            HandMadeTable.Metadata(HandMadeTable.Schema("id integer")));
        Assert.Equal(
            [
                new TableFeature("appendOnly", "ignored (writers only)"), new TableFeature("deletionVectors", "read"), new TableFeature("rowTracking", "read"),
                new TableFeature("somethingNew", "ignored (writers only)"), new TableFeature("v2Checkpoint", "read"),
            ],
            (await table.LoadAsync()).Features);
    }

    [Theory]
    [InlineData(1, 2, "appendOnly:ignored (writers only) invariants:ignored (writers only)")]
    [InlineData(2, 5, "appendOnly:ignored (writers only) changeDataFeed:read checkConstraints:ignored (writers only) columnMapping:read generatedColumns:ignored (writers only) invariants:ignored (writers only)")]
    [InlineData(2, 7, "columnMapping:read")]
    public async Task Features_that_the_versions_imply_are_listed_too(int reader, int writer, string expected)
    {
        using var table = new HandMadeTable();
        table.Commit(
            0, string.Create(CultureInfo.InvariantCulture, $$$"""{"protocol":{"minReaderVersion":{{{reader}}},"minWriterVersion":{{{writer}}} } }"""),
            HandMadeTable.Metadata(HandMadeTable.Schema("id integer")));
        Assert.Equal(expected, string.Join(' ', (await table.LoadAsync()).Features.Select(f => $"{f.Name}:{f.Handling}")));
    }

    [Fact]
    public async Task A_gap_is_refused_with_the_missing_version_and_a_version_that_does_not_exist_with_the_newest()
    {
        using var table = new HandMadeTable();
        table.Commit(0, HandMadeTable.Create(["id integer"]));
        table.Commit(1);
        table.Commit(3);
        LakeException gap = await Assert.ThrowsAsync<LakeException>(() => table.LoadAsync());
        Assert.Equal(LakeErrorKind.FormatInvalid, gap.Kind);
        Assert.Contains("Commit 2", gap.Message, StringComparison.Ordinal);
        Assert.Equal(1, (await table.LoadAsync(SnapshotSelector.Version("1"))).Version);
        LakeException beyond = await Assert.ThrowsAsync<LakeException>(() => table.LoadAsync(SnapshotSelector.Version("9")));
        Assert.Equal(LakeErrorKind.NotFound, beyond.Kind);
        Assert.Contains("3", beyond.Message, StringComparison.Ordinal);
        LakeException text = await Assert.ThrowsAsync<LakeException>(() => table.LoadAsync(SnapshotSelector.Version("-1")));
        Assert.Equal(LakeErrorKind.NotFound, text.Kind);
    }

    [Fact]
    public async Task A_checkpoint_of_one_part_counts_and_a_torn_set_of_parts_loses_to_the_commits()
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", "SELECT 1 AS id");
        table.Commit(0, [.. HandMadeTable.Create(["id integer"]), HandMadeTable.Add("1.parquet", size)]);
        table.Commit(1, HandMadeTable.Add("2.parquet", table.WriteFile("2.parquet", "SELECT 2 AS id")));
        WriteCheckpoint(table, "00000000000000000001.checkpoint.0000000001.0000000002.parquet", "nowhere.parquet", size);
        Assert.Equal(["[1]", "[2]"], await table.RowsAsync());
        WriteCheckpoint(table, "00000000000000000001.checkpoint.0000000001.0000000001.parquet", "1.parquet", size);
        Assert.Equal(["[1]"], await table.RowsAsync());
        File.Delete(Log(table, 0));
        Assert.Equal(["[1]"], await table.RowsAsync());
        LakeException cleaned = await Assert.ThrowsAsync<LakeException>(() => table.LoadAsync(SnapshotSelector.Version("0")));
        Assert.Equal(LakeErrorKind.NotFound, cleaned.Kind);
        Assert.Contains("earliest is 1", cleaned.Message, StringComparison.Ordinal);
        File.Delete(Log(table, 1));
        Assert.Equal(["[1]"], await table.RowsAsync());
    }

    [Fact]
    public async Task A_checkpoint_without_protocol_or_metadata_and_one_cut_short_are_refused()
    {
        using var table = new HandMadeTable();
        string path = table.TableFile("_delta_log/00000000000000000005.checkpoint.parquet");
        table.WriteFile("_delta_log/00000000000000000005.checkpoint.parquet", "SELECT {'path': 'x.parquet', 'size': 1} AS add");
        LakeException bare = await Assert.ThrowsAsync<LakeException>(() => table.LoadAsync());
        Assert.Contains("protocol", bare.Message, StringComparison.Ordinal);
        byte[] bytes = File.ReadAllBytes(path);
        File.WriteAllBytes(path, bytes[..(bytes.Length / 2)]);
        LakeException cut = await Assert.ThrowsAsync<LakeException>(() => table.LoadAsync());
        Assert.Equal(LakeErrorKind.FormatInvalid, cut.Kind);
    }

    [Theory]
    [InlineData("i >= 2", "twice")]
    [InlineData("i = 2", "more than one protocol", "i IN (0, 3)")]
    [InlineData("i = 2", "more than one metaData", "i = 0", "i IN (1, 3)")]
    public async Task A_checkpoint_that_holds_an_action_twice_is_refused(string adds, string message, string protocols = "i = 0", string metadata = "i = 1")
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", "SELECT 1 AS id");
        table.Commit(1);
        WriteCheckpoint(table, "00000000000000000001.checkpoint.parquet", "1.parquet", size);
        Assert.Equal(["[1]"], await table.RowsAsync());
        string sql = CheckpointSql("1.parquet", size, "{'minReaderVersion': 1, 'minWriterVersion': 2}", "MAP {}::MAP(VARCHAR, VARCHAR)")
            .Replace("i = 2", adds, StringComparison.Ordinal).Replace("i = 0", protocols, StringComparison.Ordinal).Replace("i = 1", metadata, StringComparison.Ordinal).Replace("range(3)", "range(4)", StringComparison.Ordinal);
        table.WriteFile("_delta_log/00000000000000000001.checkpoint.parquet", sql);
        LakeException refused = await Assert.ThrowsAsync<LakeException>(() => table.LoadAsync());
        Assert.Equal(LakeErrorKind.FormatInvalid, refused.Kind);
        Assert.Contains(message, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("DATE '2022-06-01'")]
    [InlineData("19144::INTEGER")]
    public async Task Bounds_of_dates_in_a_checkpoint_stay_dates_when_the_column_becomes_a_timestamp(string bound)
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", "SELECT DATE '2022-06-01' AS t");
        string schema = HandMadeTable.Schema("t timestamp_ntz").Replace("\"metadata\":{}", "\"metadata\":{\"delta.typeChanges\":[{\"fromType\":\"date\",\"toType\":\"timestamp_ntz\"}]}", StringComparison.Ordinal);
        string sql = CheckpointSql("1.parquet", size, "{'minReaderVersion': 3, 'minWriterVersion': 7, 'readerFeatures': ['typeWidening', 'timestampNtz'], 'writerFeatures': ['typeWidening', 'timestampNtz']}", "MAP {}::MAP(VARCHAR, VARCHAR)")
            .Replace(HandMadeTable.Schema("id integer"), schema, StringComparison.Ordinal)
            .Replace("'stats': NULL::VARCHAR", $"'stats': NULL::VARCHAR, 'stats_parsed': {{'numRecords': 1::BIGINT, 'minValues': {{'t': {bound}}}, 'maxValues': {{'t': {bound}}}, 'nullCount': {{'t': 0::BIGINT}}}}", StringComparison.Ordinal);
        table.Commit(1);
        table.WriteFile("_delta_log/00000000000000000001.checkpoint.parquet", sql);
        var wanted = new ScanFilter.Compare("t", ScanComparison.Greater, new ScanLiteral(new ScanTimestamp(1_640_995_200_000_000)));
        Assert.Single(await table.RowsAsync(request: new ScanRequest { Filter = wanted }));
        Assert.Equal(1, (await table.LoadAsync()).RowCount);
    }

    [Fact]
    public async Task Statistics_that_break_off_tell_no_row_count()
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", "SELECT range AS id FROM range(3)");
        table.Commit(0, [.. HandMadeTable.Create(["id long"]), HandMadeTable.Add("1.parquet", size, "{\"numRecords\":7,\"minVal")]);
        Assert.Null((await table.LoadAsync()).RowCount);
        Assert.Equal(3, (await table.RowsAsync()).Length);
    }

    [Fact]
    public async Task Snapshots_are_listed_newest_first_with_time_operation_and_schema()
    {
        using var table = new HandMadeTable();
        table.Commit(0, [.. HandMadeTable.Create(["id integer"]), """{"commitInfo":{"operation":"CREATE TABLE","operationParameters":{"a":{"b":[1]}}}}"""]);
        table.Commit(1, """{"commitInfo":{"operation":"WRITE"}}""");
        table.Commit(2, HandMadeTable.Metadata(HandMadeTable.Schema("id integer", "v string")));
        var first = new DateTime(2024, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        File.SetLastWriteTimeUtc(Log(table, 0), first);
        File.SetLastWriteTimeUtc(Log(table, 1), first.AddHours(-1));
        File.SetLastWriteTimeUtc(Log(table, 2), first.AddHours(1));
        IReadOnlyList<SnapshotInfo> snapshots = await table.Format.ListSnapshotsAsync(table.Table);
        Assert.Equal(
            [("2", "2024-01-01T01:00:00.000", "UNKNOWN", "2"), ("1", "2024-01-01T00:00:00.001", "WRITE", "0"), ("0", "2024-01-01T00:00:00.000", "CREATE TABLE", "0")],
            snapshots.Select(s => (s.Id.Text, s.CommittedAt!.Value.ToString("yyyy-MM-ddTHH:mm:ss.fff", CultureInfo.InvariantCulture), s.Operation, s.SchemaId!)));
        Assert.Contains("operationParameters", snapshots[2].Details, StringComparison.Ordinal);
        Assert.Equal(1, (await table.LoadAsync(SnapshotSelector.AsOf(new DateTimeOffset(first).AddMinutes(30)))).Version);
        Assert.Equal(2, (await table.LoadAsync(SnapshotSelector.AsOf(new DateTimeOffset(first).AddYears(1)))).Version);
        LakeException early = await Assert.ThrowsAsync<LakeException>(() => table.LoadAsync(SnapshotSelector.AsOf(new DateTimeOffset(first).AddDays(-1))));
        Assert.Equal(LakeErrorKind.NotFound, early.Kind);
    }

    [Fact]
    public async Task Schemas_are_listed_by_the_versions_that_set_them_also_where_the_beginning_is_gone()
    {
        using var table = new HandMadeTable();
        table.Commit(0, HandMadeTable.Create(["id integer"]));
        table.Commit(1, HandMadeTable.Metadata(HandMadeTable.Schema("id integer"), configuration: new() { ["delta.appendOnly"] = "true" }));
        table.Commit(2, HandMadeTable.Metadata(HandMadeTable.Schema("id long", "v string")));
        Assert.Equal(["0:id", "2:id,v"], await SchemasAsync(table));
        WriteCheckpoint(table, "00000000000000000001.checkpoint.parquet", "1.parquet", 1);
        File.Delete(Log(table, 0));
        Assert.Equal(["1:id", "2:id,v"], await SchemasAsync(table));
    }

    private static async Task<string[]> SchemasAsync(HandMadeTable table) =>
        [.. (await table.Format.ListSchemasAsync(table.Table)).Select(s => $"{s.Id}:{string.Join(',', s.Schema.FieldsList.Select(f => f.Name))}")];

    private static string Log(HandMadeTable table, long version) => table.TableFile(string.Create(CultureInfo.InvariantCulture, $"_delta_log/{version:D20}.json"));

    // The struct columns of the rows that they are not of are null.
    internal static void WriteCheckpoint(
        HandMadeTable table, string name, string path, long size, string protocol = "{'minReaderVersion': 1, 'minWriterVersion': 2}",
        string configuration = "MAP {}::MAP(VARCHAR, VARCHAR)") => table.WriteFile("_delta_log/" + name, CheckpointSql(path, size, protocol, configuration));

    private static string CheckpointSql(string path, long size, string protocol, string configuration) => string.Create(CultureInfo.InvariantCulture, $$"""
        SELECT
          CASE WHEN i = 0 THEN {{protocol}} END AS protocol,
          CASE WHEN i = 1 THEN {'id': 'x', 'format': {'provider': 'parquet', 'options': MAP {}::MAP(VARCHAR, VARCHAR)}, 'schemaString': '{{HandMadeTable.Schema("id integer")}}', 'partitionColumns': []::VARCHAR[], 'configuration': {{configuration}}} END AS metaData,
          CASE WHEN i = 2 THEN {'path': '{{path}}', 'partitionValues': MAP {}::MAP(VARCHAR, VARCHAR), 'size': {{size}}, 'modificationTime': 0, 'dataChange': true, 'stats': NULL::VARCHAR} END AS add
        FROM range(3) t(i)
        """);
}
