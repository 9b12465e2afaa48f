using System.Globalization;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Delta;

/// <summary>Logs that are legal and that no writer at hand makes.</summary>
public class DeltaStrangeLogTests
{
    [Theory]
    [InlineData("ab:/x.parquet", "ab%3A/x.parquet")]
    [InlineData("s3:/b/x.parquet", "s3%3A/b/x.parquet")]
    [InlineData("file:/x.parquet", "file%3a/x.parquet")]
    [InlineData("1a:/x.parquet", "1a:/x.parquet")]
    public async Task A_path_is_relative_or_absolute_by_its_spelling_in_the_log_not_by_the_decoded_one(string file, string logged)
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile(file, "SELECT 1 AS id");
        table.Commit(0, [.. HandMadeTable.Create(["id integer"]), HandMadeTable.Add(logged, size)]);
        Assert.Equal(["[1]"], await table.RowsAsync());
        table.Commit(1, HandMadeTable.Remove(logged));
        Assert.Empty(await table.RowsAsync());
    }

    [Fact]
    public async Task Numbers_may_be_texts_and_partition_values_numbers_and_unknown_things_are_ignored()
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", "SELECT 1 AS id");
        table.Commit(0, """{"commitInfo":{"timestamp":1e400,"inCommitTimestamp":1.5,"operationParameters":{"x":[{"y":null}]},"engineInfo":"\ud800"}}""",
            """{"protocol":{"minReaderVersion":1,"minWriterVersion":2,"x":{}}}""",
            HandMadeTable.Metadata(HandMadeTable.Schema("id integer", "p string", "n integer"), ["p", "n"]),
            "{\"add\":{\"path\":\"1\\u002eparquet\",\"partitionValues\":{\"p\":true,\"n\":5},\"size\":\"" + size + "\",\"modificationTime\":123456789012345678901234567890,\"dataChange\":true,\"stats\":\"{\\\"numRecords\\\":1,\\\"maxValues\\\":{\\\"p\\\":\\\"\\ud83d\\\"}}\",\"tags\":null,\"deletionVector\":null,\"clusteringProvider\":\"x\",\"baseRowId\":\"0\",\"unknown\":[1]}}");
        Assert.Equal(["[1, true, 5]"], await table.RowsAsync());
    }

    [Fact]
    public async Task Statistics_with_half_a_surrogate_pair_count_as_absent()
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", "SELECT 1 AS id");
        table.Commit(0, [.. HandMadeTable.Create(["id integer"]), HandMadeTable.Add("1.parquet", size).Replace("\"stats\":null", "\"stats\":\"{\\\"numRecords\\\":1,\\\"maxValues\\\":{\\\"p\\\":\\\"\\ud83d\\\"}}\"", StringComparison.Ordinal)]);
        Assert.Equal(["[1]"], await table.RowsAsync());
    }

    [Fact]
    public async Task Changes_find_partition_values_under_keys_in_another_case_and_look_up_those_that_a_removal_left_out()
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", "SELECT 1 AS id");
        table.Commit(0, HandMadeTable.Create(["id integer", "P string"], ["P"]));
        table.Commit(1, HandMadeTable.Add("1.parquet", size, partition: new() { ["p"] = "x" }));
        table.Commit(2, """{"remove":{"path":"1.parquet","dataChange":true,"partitionValues":{}}}""");
        Assert.Empty(await table.RowsAsync());
        await using TableScan scan = await table.Reader.PlanChangesAsync(await table.LoadAsync(), "1", "2");
        Assert.Equal(["[1, x, delete]", "[1, x, insert]"], table.Rows($"SELECT id, P, _change_type FROM ({scan.Sql})"));
    }

    [Fact]
    public async Task Upper_bounds_of_texts_that_old_writers_cut_do_not_prune_what_lies_beyond_the_basic_plane()
    {
        using var table = new HandMadeTable();
        string prefix = new('a', 32);
        long size = table.WriteFile("1.parquet", $"SELECT '{prefix}😀' AS s");
        string half = new string('a', 31) + "😀b";
        long size2 = table.WriteFile("2.parquet", $"SELECT '{half}' AS s");
        table.Commit(0, [.. HandMadeTable.Create(["s string"]),
            HandMadeTable.Add("1.parquet", size, $$"""{"numRecords":1,"minValues":{"s":"{{prefix}}"},"maxValues":{"s":"{{prefix}}\ufffd"},"nullCount":{"s":0} }"""),
            HandMadeTable.Add("2.parquet", size2, $$"""{"numRecords":1,"minValues":{"s":"{{prefix[1..]}}?"},"maxValues":{"s":"{{prefix[1..]}}?\ufffd"},"nullCount":{"s":0} }""")]);
        foreach (string v in new[] { prefix + "😀", half })
        {
            foreach (ScanFilter f in new ScanFilter[] { new ScanFilter.Compare("s", ScanComparison.Equal, new ScanLiteral(v)), new ScanFilter.StartsWith("s", v[..33]), new ScanFilter.Compare("s", ScanComparison.GreaterOrEqual, new ScanLiteral(v)) })
            {
                Assert.Contains($"[{v}]", await table.RowsAsync(request: new ScanRequest { Filter = f }));
            }
        }
    }

    [Fact]
    public async Task Column_names_and_partition_values_may_hold_anything()
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", "SELECT 1 AS \"a.b\", 2 AS \"x\"\"y'z\", 3 AS file_row_number, 4 AS file_index, 5 AS filename, 6 AS c0, 7 AS none");
        string schema = """{"type":"struct","fields":[""" + string.Join(',', new[] { "a.b", "x\\\"y'z", "file_row_number", "file_index", "filename", "c0", "none", "p ;q", "d.e" }.Select(n => $$"""{"name":"{{n}}","type":"{{(n[0] is 'p' or 'd' ? "string" : "integer")}}"}""")) + "]}";
        table.Commit(0, """{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}""", HandMadeTable.Metadata(schema, ["p ;q", "d.e"]),
            HandMadeTable.Add("1.parquet", size, """{"numRecords":1,"minValues":{"a.b":1},"maxValues":{"a.b":1}}""", new() { ["p ;q"] = "it's \"a\\b\n;--", ["d.e"] = "a\0b" }));
        string[] rows = await table.RowsAsync();
        Assert.Equal(["[1, 2, 3, 4, 5, 6, 7, it's \"a\\b\n;--, a\0b]"], rows);
        Assert.Single(await table.RowsAsync(request: new ScanRequest { Filter = new ScanFilter.Expression("d.e", "(length(\"d.e\") = 3)") }));
    }

    [Fact]
    public async Task A_version_without_columns_is_refused()
    {
        using var table = new HandMadeTable();
        table.Commit(0, HandMadeTable.Create([]));
        LakeException e = await Assert.ThrowsAsync<LakeException>(() => table.RowsAsync());
        Assert.Contains("column", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Columns_may_all_be_partition_columns()
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", "SELECT 1 AS other FROM range(3)");
        table.Commit(0, [.. HandMadeTable.Create(["p integer"], ["p"]), HandMadeTable.Add("1.parquet", size, partition: new() { ["p"] = "+7" })]);
        Assert.Equal(["[7]", "[7]", "[7]"], await table.RowsAsync());
    }

    [Fact]
    public async Task Column_mapping_deletion_vectors_and_widened_fields_of_structs_go_together()
    {
        using var table = new HandMadeTable();
        long a = table.WriteFile("a.parquet", "SELECT i::INTEGER AS \"c-1\", {'c-3': i::INTEGER, 'dropped': 'x', 'c-4': [i::SMALLINT]} AS \"c-2\", i::INTEGER AS v FROM range(30) t(i)");
        long b = table.WriteFile("b.parquet", "SELECT 100::BIGINT AS \"c-1\", {'c-3': 100::DOUBLE, 'c-4': [100::BIGINT, NULL], 'c-5': 'n'} AS \"c-2\"");
        const string M = "\"metadata\":{\"delta.columnMapping.id\":ID,\"delta.columnMapping.physicalName\":\"NAME\"}";
        string Meta(int id, string name) => M.Replace("ID", id.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal).Replace("NAME", name, StringComparison.Ordinal);
        string schema = "{\"type\":\"struct\",\"fields\":[{\"name\":\"v\",\"type\":\"long\"," + Meta(1, "c-1") + "},{\"name\":\"s\",\"type\":{\"type\":\"struct\",\"fields\":[" +
            "{\"name\":\"new\",\"type\":\"string\"," + Meta(6, "c-5") + "},{\"name\":\"x\",\"type\":\"double\"," + Meta(4, "c-3") + "},{\"name\":\"l\",\"type\":{\"type\":\"array\",\"elementType\":\"long\",\"containsNull\":true}," + Meta(5, "c-4") + "}]}," + Meta(2, "c-2") +
            "},{\"name\":\"dropped\",\"type\":\"string\"," + Meta(8, "c-8") + "},{\"name\":\"P p\",\"type\":\"date\"," + Meta(9, "c-9") + "}]}";
        const string Vector = """{"storageType":"i","pathOrInlineDv":"^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L","sizeInBytes":44,"cardinality":6}""";
        string addA = HandMadeTable.Add("a.parquet", a, """{"numRecords":30,"tightBounds":false,"minValues":{"c-1":0,"c-2":{"c-3":0}},"maxValues":{"c-1":29,"c-2":{"c-3":29}},"nullCount":{"c-1":7,"c-2":{"c-3":0}}}""", new() { ["c-9"] = "2024-1-2" })
            .Replace("\"dataChange\"", $"\"deletionVector\":{Vector},\"dataChange\"", StringComparison.Ordinal);
        table.Commit(0, [.. HandMadeTable.CreateWith(["columnMapping", "deletionVectors", "typeWidening"], schema, ["P p"], new() { ["delta.columnMapping.mode"] = "name" }), addA,
            HandMadeTable.Add("b.parquet", b, """{"numRecords":1,"minValues":{"c-1":100,"c-2":{"c-3":100.0}},"maxValues":{"c-1":100,"c-2":{"c-3":100.0}}}""", new() { ["c-9"] = null })]);
        string[] rows = await table.RowsAsync();
        Assert.Equal(25, rows.Length);
        Assert.Contains("[100, {'new': n, 'x': 100.0, 'l': [100, NULL]}, NULL, NULL]", rows);
        Assert.Contains("[12, {'new': NULL, 'x': 12.0, 'l': [12]}, NULL, 2024-01-02]", rows);
        Assert.DoesNotContain("[11, {'new': NULL, 'x': 11.0, 'l': [11]}, NULL, 2024-01-02]", rows);
        const string Field = "s\u001fx";
        Assert.Equal(1, await FilesReadAsync(table, new ScanFilter.Compare(Field, ScanComparison.Less, new ScanLiteral(99.5))));
        Assert.Equal(2, await FilesReadAsync(table, new ScanFilter.Compare(Field, ScanComparison.Greater, new ScanLiteral(99.5)))); // there may be NaN
        Assert.Equal(1, await FilesReadAsync(table, new ScanFilter.Compare("v", ScanComparison.Less, new ScanLiteral(100L))));
        Assert.Equal(1, await FilesReadAsync(table, new ScanFilter.Compare("v", ScanComparison.GreaterOrEqual, new ScanLiteral(100L))));
        Assert.Equal(2, await FilesReadAsync(table, new ScanFilter.IsNull("v")));
        Assert.Equal(1, await FilesReadAsync(table, new ScanFilter.IsNull("P p")));
    }

    [Fact]
    public async Task Sidecars_have_any_name_and_may_be_empty()
    {
        using var table = new HandMadeTable();
        Directory.CreateDirectory(table.TableFile("p=a b"));
        long size = table.WriteFile("p=a b/1.parquet", "SELECT 1 AS id");
        string[] create = HandMadeTable.CreateWith(["v2Checkpoint"], HandMadeTable.Schema("id integer", "p string"), ["p"]);
        table.WriteFile("_delta_log/_sidecars/side car%.parquet", $$"""SELECT {'path': 'p=a%20b/1.parquet', 'partitionValues': MAP {'P': 'a b', 'zz': 'q'}, 'size': {{size}}, 'modificationTime': 0, 'dataChange': true, 'stats': '{"numRecords":1}'} AS add, NULL::INTEGER AS extra""");
        table.WriteFile("_delta_log/_sidecars/empty.parquet", $$"""SELECT {'path': 'p=a%20b/1.parquet', 'partitionValues': MAP {'P': 'a b', 'zz': 'q'}, 'size': {{size}}, 'modificationTime': 0, 'dataChange': true, 'stats': '{"numRecords":1}'} AS add WHERE false""");
        File.WriteAllText(table.TableFile("_delta_log/00000000000000000003.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json"), string.Join('\n', [.. create,
            """{"checkpointMetadata":{"version":3}}""", """{"sidecar":{"path":"side%20car%25.parquet","sizeInBytes":1,"modificationTime":1}}""",
            """{"sidecar":{"path":"empty.parquet","sizeInBytes":1,"modificationTime":1}}""", """{"txn":{"appId":"x","version":1}}"""]));
        table.Commit(3);
        table.Commit(4, HandMadeTable.Add("2.parquet", table.WriteFile("2.parquet", "SELECT 2 AS id"), partition: new() { ["p"] = "" }));
        Assert.Equal(["[1, a b]", "[2, NULL]"], await table.RowsAsync());
        Assert.Equal(["[1, a b]"], await table.RowsAsync(SnapshotSelector.Version("3")));
        table.Commit(5, HandMadeTable.Remove("p=a%20b/1.parquet"));
        Assert.Equal(["[2, NULL]"], await table.RowsAsync());
    }

    [Fact]
    public async Task Change_files_of_before_a_column_was_added_are_read_with_null_for_it()
    {
        using var table = new HandMadeTable();
        var on = new Dictionary<string, string> { ["delta.enableChangeDataFeed"] = "True" };
        table.Commit(0, HandMadeTable.Create(["id integer", "P string"], ["P"], on));
        long size = table.WriteFile("_change_data/c 1.parquet", "SELECT 1 AS id, 'update_preimage' AS _change_type UNION ALL SELECT 2, 'update_postimage'");
        table.Commit(1, $$"""{"cdc":{"path":"_change_data/c%201.parquet","partitionValues":{"p":"x"},"size":{{size}},"dataChange":false} }""", HandMadeTable.Add("gone.parquet", 1, partition: new() { ["P"] = "x" }));
        table.Commit(2, HandMadeTable.Metadata(HandMadeTable.Schema("id integer", "P string", "later double"), ["P"], on));
        await using TableScan scan = await table.Reader.PlanChangesAsync(await table.LoadAsync(), "1", "2");
        Assert.Equal(["[1, x, NULL, update_preimage, 1]", "[2, x, NULL, update_postimage, 1]"], table.Rows($"SELECT * EXCLUDE (_commit_timestamp) FROM ({scan.Sql})"));
    }

    [Fact]
    public async Task A_partition_value_that_a_repeated_add_puts_right_is_a_difference_and_new_statistics_are_none()
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", "SELECT 1 AS id");
        table.Commit(0, [.. HandMadeTable.Create(["id integer", "p string"], ["p"]), HandMadeTable.Add("1.parquet", size, partition: new() { ["p"] = "a" })]);
        DeltaSnapshot before = await table.LoadAsync();
        table.Commit(1, HandMadeTable.Add("1.parquet", size, "{\"numRecords\":1}", new() { ["p"] = "b" }));
        DeltaSnapshot after = await table.LoadAsync(known: before);
        SnapshotDiff diff = await table.Format.DiffAsync(before, after);
        Assert.Equal((1, 1), (diff.Added.Count, diff.Removed.Count));
        table.Commit(2, HandMadeTable.Add("1.parquet", size, "{\"numRecords\":1}", new() { ["p"] = "b" }));
        diff = await table.Format.DiffAsync(after, await table.LoadAsync(known: after));
        Assert.Equal((0, 0, true), (diff.Added.Count, diff.Removed.Count, diff.RowsUnchanged));
    }

    [Theory]
    [InlineData("1.5", "decimal(5,2)", "1.50")]
    [InlineData("7", "double", "7.0")]
    [InlineData("2024-01-02", "timestamp_ntz", "2024-01-02 00:00:00")]
    [InlineData("2024-01-02 03:04:05.123456", "timestamp", "2024-01-02 03:04:05.123456+00")]
    [InlineData("2024-01-02T03:04:05.5+0530", "timestamp", "2024-01-01 21:34:05.5+00")]
    [InlineData("-0001-03-04", "date", "0002-03-04 (BC)")]
    [InlineData("5.0E-324", "double", "5e-324")]
    [InlineData("3.4028235E38", "float", "3.4028235e+38")]
    [InlineData("9999-12-31T23:59:59.999999Z", "timestamp", "9999-12-31 23:59:59.999999+00")]
    [InlineData("__HIVE_DEFAULT_PARTITION__", "integer", "NULL")]
    [InlineData("-9223372036854775808", "long", "-9223372036854775808")]
    [InlineData("99999999999999999999999999999999999999", "decimal(38,0)", "99999999999999999999999999999999999999")]
    public async Task Partition_values_are_parsed_by_the_type_of_the_column(string text, string type, string expected)
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", "SELECT 1 AS id");
        table.Commit(0, [.. HandMadeTable.CreateWith(["timestampNtz"], HandMadeTable.Schema("id integer", "p " + type), ["p"]), HandMadeTable.Add("1.parquet", size, partition: new() { ["p"] = text })]);
        Assert.Equal([$"[1, {expected}]"], await table.RowsAsync());
    }

    private static async Task<long> FilesReadAsync(HandMadeTable table, ScanFilter filter)
    {
        await using TableScan scan = await table.Reader.PlanAsync(await table.LoadAsync(), new ScanRequest { Filter = filter });
        return scan.Statistics.FilesRead;
    }
}
