using System.Globalization;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Delta;

/// <summary>Rules of the format that no real table at hand shows, over logs written by hand.</summary>
public class DeltaHandMadeTests
{
    [Fact]
    public async Task Columns_whose_names_differ_in_case_from_the_files_are_found_also_inside_structs()
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", "SELECT 1 AS id, {'aa': 2, 'BB': 'x'} AS s");
        const string Struct = """{"type":"struct","fields":[{"name":"Aa","type":"integer","nullable":true,"metadata":{}},{"name":"bb","type":"string","nullable":true,"metadata":{}}]}""";
        table.Commit(0, [.. HandMadeTable.Create(["Id integer", "S " + Struct]), HandMadeTable.Add("1.parquet", size)]);
        Assert.Equal(["[1, {'Aa': 2, 'bb': x}]"], await table.RowsAsync());
    }

    [Theory]
    [InlineData("'12'", "integer", "ByteArray")]
    [InlineData("1.7::DOUBLE", "long", "Double")]
    [InlineData("5::BIGINT", "integer", "Int64")]
    [InlineData("5::BIGINT", "timestamp", "Int64")]
    [InlineData("5::INTEGER", "date", "Int32")]
    [InlineData("DATE '2024-01-01'", "timestamp", "Date")]
    [InlineData("DATE '2024-01-01'", "integer", "Date")]
    [InlineData("1.255::DECIMAL(10,3)", "decimal(10,2)", "Decimal(10,3)")]
    [InlineData("1::SMALLINT", "decimal(5,1)", "Int32")]
    [InlineData("1::INTEGER", "decimal(10,1)", "Int32")]
    [InlineData("1", "string", "Int32")]
    [InlineData("{'a': 1}", "integer", "group")]
    [InlineData("[1]", "integer", "group")]
    [InlineData("1.5::DOUBLE", "float", "Double")]
    [InlineData("true", "integer", "Boolean")]
    public async Task A_file_whose_type_does_not_fit_the_schema_is_refused_and_not_cast(string value, string type, string named)
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", $"SELECT {value} AS v");
        table.Commit(0, [.. HandMadeTable.Create([$"v {type}"]), HandMadeTable.Add("1.parquet", size)]);
        LakeException refused = await Assert.ThrowsAsync<LakeException>(() => table.RowsAsync());
        Assert.Equal(LakeErrorKind.FormatInvalid, refused.Kind);
        Assert.Contains("'v'", refused.Message, StringComparison.Ordinal);
        Assert.Contains(named, refused.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("5::INTEGER", "long", "5")]
    [InlineData("5::TINYINT", "short", "5")]
    [InlineData("1.5::FLOAT", "double", "1.5")]
    [InlineData("1.25::DECIMAL(10,2)", "decimal(12,3)", "1.250")]
    [InlineData("(-128)::TINYINT", "decimal(4,1)", "-128.0")]
    [InlineData("32767::SMALLINT", "decimal(6,1)", "32767.0")]
    [InlineData("DATE '1969-12-31'", "timestamp_ntz", "1969-12-31 00:00:00")]
    [InlineData("TIMESTAMP '1960-01-01 00:00:00.000001'", "timestamp", "1960-01-01 00:00:00.000001+00")]
    [InlineData("TIMESTAMP_NS '1969-12-31 23:59:59.999999999'", "timestamp_ntz", "1969-12-31 23:59:59.999999")]
    [InlineData("TIMESTAMP_MS '2024-01-01 00:00:00.123'", "timestamp_ntz", "2024-01-01 00:00:00.123")]
    public async Task A_narrower_type_of_a_file_widens_exactly(string value, string type, string expected)
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", $"SELECT {value} AS v");
        table.Commit(0, [.. HandMadeTable.CreateWith(["timestampNtz", "typeWidening"], HandMadeTable.Schema($"v {type}")), HandMadeTable.Add("1.parquet", size)]);
        Assert.Equal([$"[{expected}]"], await table.RowsAsync());
    }

    [Theory]
    [InlineData("a b+c.parquet", "a%20b+c.parquet")]
    [InlineData("p=x%3Ay/f.parquet", "p=x%253Ay/f.parquet")]
    [InlineData("p=ünï/日本.parquet", "p=ünï/日本.parquet")]
    [InlineData("q?#&;=@!$'(),.parquet", "q%3F%23&;=@!$'(),.parquet")]
    [InlineData("100%.parquet", "100%.parquet")]
    [InlineData("c:d.parquet", "c%3Ad.parquet")]
    public async Task Paths_are_decoded_once_and_joined_as_text(string file, string logged)
    {
        using var table = new HandMadeTable("my table = 50% #1");
        long size = table.WriteFile(file, "SELECT 1 AS id");
        table.Commit(0, [.. HandMadeTable.Create(["id integer"]), HandMadeTable.Add(logged, size)]);
        Assert.Equal(["[1]"], await table.RowsAsync());
    }

    [Fact]
    public async Task Spellings_of_one_absolute_path_are_one_file()
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", "SELECT 1 AS id");
        table.WriteFile("2.parquet", "SELECT 2 AS id");
        string root = table.Folder + "/table";
        table.Commit(0, [.. HandMadeTable.Create(["id integer"]), HandMadeTable.Add("file:" + root + "/1.parquet", size), HandMadeTable.Add("2.parquet", size)]);
        Assert.Equal(["[1]", "[2]"], await table.RowsAsync());
        table.Commit(1, HandMadeTable.Remove(root + "/1.parquet"), HandMadeTable.Remove("file://" + root + "/2.parquet"));
        table.Commit(2, HandMadeTable.Add("file://" + root + "/1.parquet", size));
        Assert.Equal(["[1]"], await table.RowsAsync());
    }

    [Fact]
    public async Task Files_of_another_place_are_read_where_it_is_configured_and_refused_by_name_where_not()
    {
        using var source = new HandMadeTable();
        long size = source.WriteFile("1.parquet", "SELECT 1 AS id");
        string[] clone = [.. HandMadeTable.Create(["id integer"]), HandMadeTable.Add($"file:{source.Folder}/table/1.parquet", size)];
        using var outside = new HandMadeTable();
        outside.Commit(0, clone);
        LakeException refused = await Assert.ThrowsAsync<LakeException>(() => outside.RowsAsync());
        Assert.Equal(LakeErrorKind.FeatureUnsupported, refused.Kind);
        Assert.Contains("configured", refused.Message, StringComparison.Ordinal);
        var locations = new ExternalLocations([new TableRoot(new LocalFolderStore(source.Folder), "table/")]);
        using var configured = new HandMadeTable(locations: locations);
        configured.Commit(0, clone);
        await using TableScan scan = await configured.Reader.PlanAsync(await configured.LoadAsync(), ScanRequest.All);
        Assert.Contains(source.Folder, scan.Sql, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../../etc/passwd")]
    [InlineData("a/../../other/1.parquet")]
    [InlineData("%2e%2e/other/1.parquet")]
    public async Task A_path_that_leaves_its_store_is_refused(string logged)
    {
        using var table = new HandMadeTable();
        table.Commit(0, [.. HandMadeTable.Create(["id integer"]), HandMadeTable.Add("../" + logged, 10)]);
        await Assert.ThrowsAsync<LakeException>(() => table.RowsAsync());
    }

    [Fact]
    public async Task Partition_values_come_from_the_log_as_typed_values_whatever_files_and_folders_say()
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("i=9/1.parquet", "SELECT 1 AS id, 99 AS i, 'stale' AS s");
        string[] columns = ["id integer", "i integer", "s string", "d date", "t timestamp", "f double", "n decimal(12,2)", "b binary", "o boolean"];
        table.Commit(0, [
            .. HandMadeTable.Create(columns, ["i", "s", "d", "t", "f", "n", "b", "o"]),
            HandMadeTable.Add("i=9/1.parquet", size, partition: new()
            {
                ["I"] = "007", ["s"] = "__HIVE_DEFAULT_PARTITION__", ["d"] = "1582-10-4", ["t"] = "1969-12-31T23:59:59.999999Z", ["f"] = "-Infinity", ["n"] = "1E+2", ["b"] = "\u0001x",
                ["o"] = "TRUE",
            }),
        ]);
        table.Commit(1, HandMadeTable.Add("i=9/1.parquet?", size, partition: new() { ["i"] = "", ["s"] = "", ["t"] = "", ["f"] = "NaN" }));
        System.IO.File.Copy(table.TableFile("i=9/1.parquet"), table.TableFile("i=9/1.parquet?"));
        string[] rows = await table.RowsAsync();
        Assert.Equal(
            ["[1, 7, __HIVE_DEFAULT_PARTITION__, 1582-10-04, 1969-12-31 23:59:59.999999+00, -inf, 100.00, \\x01x, true]", "[1, NULL, NULL, NULL, NULL, nan, NULL, NULL, NULL]"], rows);
    }

    [Fact]
    public async Task A_partition_value_that_does_not_fit_its_type_is_refused_with_column_and_text()
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", "SELECT 1 AS id");
        table.Commit(0, [.. HandMadeTable.Create(["id integer", "p integer"], ["p"]), HandMadeTable.Add("1.parquet", size, partition: new() { ["p"] = "seven" })]);
        LakeException refused = await Assert.ThrowsAsync<LakeException>(() => table.RowsAsync());
        Assert.Contains("'p'", refused.Message, StringComparison.Ordinal);
        Assert.Contains("seven", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Missing_columns_missing_fields_and_void_columns_are_null_and_defaults_are_not_filled_in()
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", "SELECT 1 AS id, {'a': 1} AS s, [{'x': 1}] AS l");
        string schema = """{"type":"struct","fields":[{"name":"id","type":"integer","nullable":true,"metadata":{}},{"name":"v","type":"void","nullable":true,"metadata":{}},{"name":"d","type":"integer","nullable":true,"metadata":{"CURRENT_DEFAULT":"7"}},{"name":"s","type":{"type":"struct","fields":[{"name":"b","type":"string","nullable":true,"metadata":{}},{"name":"a","type":"integer","nullable":true,"metadata":{}}]},"nullable":true,"metadata":{}},{"name":"l","type":{"type":"array","elementType":{"type":"struct","fields":[{"name":"y","type":"integer","nullable":true,"metadata":{}},{"name":"x","type":"integer","nullable":true,"metadata":{}}]},"containsNull":true},"nullable":true,"metadata":{}}]}""";
        table.Commit(0, """{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}""", HandMadeTable.Metadata(schema), HandMadeTable.Add("1.parquet", size));
        Assert.Equal(["[1, NULL, NULL, {'b': NULL, 'a': 1}, [{'y': NULL, 'x': 1}]]"], await table.RowsAsync());
    }

    [Fact]
    public async Task Variants_that_the_engine_writes_are_read_annotated_and_shredded()
    {
        using var table = new HandMadeTable();
        const string Values = """SELECT * FROM (VALUES (1, {'a': 1, 'd': DATE '2020-01-01', 'l': [1, 2]}::VARIANT), (2, NULL::VARIANT), (3, '{"z": [null, {"q": "x"}]}'::JSON::VARIANT)) t(id, v)""";
        long size = table.WriteFile("1.parquet", Values);
        string[] create = HandMadeTable.CreateWith(["variantType", "variantShredding"], HandMadeTable.Schema("id integer", "v variant"));
        table.Commit(0, [.. create, HandMadeTable.Add("1.parquet", size)]);
        Assert.Equal(["""[1, {"a":1,"d":"2020-01-01","l":[1,2]}]""", "[2, NULL]", """[3, {"z":[null,{"q":"x"}]}]"""], await table.RowsAsync());
    }

    [Fact]
    public async Task Partitioning_and_schema_are_those_of_the_version_read()
    {
        using var table = new HandMadeTable();
        long a = table.WriteFile("a.parquet", "SELECT 1 AS id, 'x' AS p");
        long b = table.WriteFile("b.parquet", "SELECT 2 AS id");
        table.Commit(0, [.. HandMadeTable.Create(["id integer", "p string"]), HandMadeTable.Add("a.parquet", a)]);
        table.Commit(1, HandMadeTable.Metadata(HandMadeTable.Schema("p string", "id integer", "n long"), ["p"]), HandMadeTable.Remove("a.parquet"),
            HandMadeTable.Add("b.parquet", b, partition: new() { ["p"] = "y" }));
        Assert.Equal(["[y, 2, NULL]"], await table.RowsAsync());
        Assert.Equal(["[1, x]"], await table.RowsAsync(SnapshotSelector.Version("0")));
        DeltaSnapshot first = await table.LoadAsync(SnapshotSelector.Version("0"));
        Assert.Equal(1, (await table.LoadAsync(known: first)).Version);
    }

    [Fact]
    public async Task Rows_of_an_inline_deletion_vector_are_gone_and_come_back_with_it()
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", "SELECT i::INTEGER AS id FROM range(30) t(i)");
        const string Vector = """{"storageType":"i","pathOrInlineDv":"^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L","sizeInBytes":44,"cardinality":6}""";
        string plain = HandMadeTable.Add("1.parquet", size, """{"numRecords":30}""");
        string with = plain.Replace("\"dataChange\"", $"\"deletionVector\":{Vector},\"dataChange\"", StringComparison.Ordinal);
        table.Commit(0, [.. HandMadeTable.CreateWith(["deletionVectors"], HandMadeTable.Schema("id integer")), plain]);
        table.Commit(1, HandMadeTable.Remove("1.parquet"), with);
        DeltaSnapshot deleted = await table.LoadAsync();
        Assert.Equal(24, deleted.RowCount);
        string[] rows = await table.RowsAsync();
        Assert.Equal(24, rows.Length);
        Assert.DoesNotContain("[11]", rows);
        await using TableScan changes = await table.Reader.PlanChangesAsync(deleted, "1", "1");
        Assert.Equal(["[11, delete]", "[18, delete]", "[29, delete]", "[3, delete]", "[4, delete]", "[7, delete]"], table.Rows($"SELECT id, _change_type FROM ({changes.Sql})"));
        table.Commit(2, HandMadeTable.Remove("1.parquet").Replace("\"dataChange\"", $"\"deletionVector\":{Vector},\"dataChange\"", StringComparison.Ordinal), plain);
        Assert.Equal(30, (await table.RowsAsync()).Length);
    }

    [Fact]
    public async Task Filters_on_fields_of_structs_and_functions_of_partition_columns_prune()
    {
        using var table = new HandMadeTable();
        string[] adds = [.. Enumerable.Range(1, 4).Select(i =>
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"{i}.parquet");
            long size = table.WriteFile(name, string.Create(CultureInfo.InvariantCulture, $"SELECT {i} AS id, {{'a': {i * 10}}} AS s"));
            string stats = string.Create(CultureInfo.InvariantCulture, $$"""{"numRecords":1,"minValues":{"id":{{i}},"s":{"a":{{i * 10}} } },"maxValues":{"id":{{i}},"s":{"a":{{i * 10}} } },"nullCount":{"id":0,"s":{"a":0} } }""");
            return HandMadeTable.Add(name, size, stats, new() { ["d"] = string.Create(CultureInfo.InvariantCulture, $"202{i}-01-01") });
        })];
        const string Struct = """{"type":"struct","fields":[{"name":"a","type":"integer","nullable":true,"metadata":{}}]}""";
        table.Commit(0, [.. HandMadeTable.Create(["id integer", "s " + Struct, "d date"], ["d"]), .. adds]);
        Assert.Equal(1, await FilesReadAsync(table, new ScanFilter.Compare("s" + ScanFilter.FieldSeparator + "a", ScanComparison.Greater, new ScanLiteral(30L))));
        Assert.Equal(3, await FilesReadAsync(table, new ScanFilter.Compare("id", ScanComparison.NotEqual, new ScanLiteral(2L))));
        Assert.Equal(1, await FilesReadAsync(table, new ScanFilter.Expression("d", "(year(d) = 2023)")));
        Assert.Equal(2, await FilesReadAsync(table, new ScanFilter.Or([new ScanFilter.Expression("d", "(year(d) = 2023)"), new ScanFilter.Compare("id", ScanComparison.Equal, new ScanLiteral(1L))])));
        Assert.Equal(4, await FilesReadAsync(table, new ScanFilter.Expression("d", "(CAST(CAST(d AS VARCHAR) AS INTEGER) = 1)")));
        Assert.Equal(4, await FilesReadAsync(table, new ScanFilter.Expression("id", "(id % 2 = 0)")));
    }

    private static async Task<long> FilesReadAsync(HandMadeTable table, ScanFilter filter)
    {
        await using TableScan scan = await table.Reader.PlanAsync(await table.LoadAsync(), new ScanRequest { Filter = filter });
        return scan.Statistics.FilesRead;
    }
}
