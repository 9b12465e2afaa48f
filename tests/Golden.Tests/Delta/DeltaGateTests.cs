using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Delta.DeletionVectors;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Scanning;
using ParquetSharp;
using ParquetSharp.Schema;

namespace LakeHolo.Golden.Tests.Delta;

/// <summary>What a table asks for beside its protocol: types, mapping, widening, row ids and the change feed, given or refused by name.</summary>
public class DeltaGateTests
{
    private const string Mapped = """{"type":"struct","fields":[{"name":"x","type":"integer","metadata":{"delta.columnMapping.id":5,"delta.columnMapping.physicalName":"col-x"}},{"name":"y","type":"integer","metadata":{"delta.columnMapping.id":0,"delta.columnMapping.physicalName":"col-y"}}]}""";

    [Theory]
    [InlineData("timestamp_ntz", "timestampNtz")]
    [InlineData("variant", "variantType")]
    [InlineData("""{"type":"array","elementType":{"type":"map","keyType":"string","valueType":"timestamp_ntz","valueContainsNull":true},"containsNull":true}""", "timestampNtz")]
    public async Task A_type_whose_feature_the_protocol_does_not_list_is_refused(string type, string feature)
    {
        using var table = new HandMadeTable();
        table.Commit(0, HandMadeTable.Create([$"c {type}"]));
        LakeException refused = await Assert.ThrowsAsync<LakeException>(() => table.LoadAsync());
        Assert.Equal(LakeErrorKind.FormatInvalid, refused.Kind);
        Assert.Contains(feature, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("integer", "byte")]
    [InlineData("long", "double")]
    [InlineData("string", "integer")]
    [InlineData("decimal(10,2)", "decimal(11,4)")]
    [InlineData("long", "decimal(20,1)")]
    [InlineData("date", "timestamp")]
    public async Task A_change_of_type_that_is_no_widening_is_refused_with_both_types(string from, string to)
    {
        using var table = new HandMadeTable();
        string changes = $$"""{"delta.typeChanges":[{"fromType":"{{from}}","toType":"{{to}}"}]}""";
        string schema = HandMadeTable.Schema($"c {to}").Replace("\"metadata\":{}", "\"metadata\":" + changes, StringComparison.Ordinal);
        table.Commit(0, HandMadeTable.CreateWith(["typeWidening"], schema));
        LakeException refused = await Assert.ThrowsAsync<LakeException>(() => table.LoadAsync());
        Assert.Equal(LakeErrorKind.FeatureUnsupported, refused.Kind);
        Assert.Contains($"from {from} to {to}", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ids", "mode ids")]
    [InlineData("name", "physicalName")]
    [InlineData("id", "physicalName")]
    public async Task Column_mapping_of_an_unknown_mode_or_without_physical_names_is_refused(string mode, string named)
    {
        using var table = new HandMadeTable();
        table.Commit(0, HandMadeTable.CreateWith(["columnMapping"], HandMadeTable.Schema("id integer"), configuration: new() { ["delta.columnMapping.mode"] = mode }));
        LakeException refused = await Assert.ThrowsAsync<LakeException>(() => table.LoadAsync());
        Assert.Contains(named, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_mapping_mode_means_nothing_where_the_protocol_does_not_permit_it()
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", "SELECT 1 AS x, 2 AS y, 3 AS \"col-x\"");
        table.Commit(
            0, """{"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["columnMapping"]}}""",
            HandMadeTable.Metadata(Mapped, configuration: new() { ["delta.columnMapping.mode"] = "name" }), HandMadeTable.Add("1.parquet", size));
        Assert.Equal(["[1, 2]"], await table.RowsAsync());
        table.Commit(1, """{"protocol":{"minReaderVersion":2,"minWriterVersion":5}}""");
        Assert.Equal(["[3, NULL]"], await table.RowsAsync());
    }

    [Fact]
    public async Task Columns_mapped_by_id_are_found_by_id_alone()
    {
        using var table = new HandMadeTable();
        long trap = table.WriteFile("1.parquet", "SELECT 1 AS \"col-y\", 2 AS \"col-x\", 3 AS other", "FORMAT parquet, FIELD_IDS {'col-y': 5, 'col-x': 9, other: 0}");
        string[] create = HandMadeTable.CreateWith(["columnMapping"], Mapped, configuration: new() { ["delta.columnMapping.mode"] = "id" });
        table.Commit(0, [.. create, HandMadeTable.Add("1.parquet", trap)]);
        Assert.Equal(["[1, 3]"], await table.RowsAsync());
        table.Commit(1, HandMadeTable.Add("2.parquet", table.WriteFile("2.parquet", "SELECT 1 AS \"col-x\"")));
        LakeException noIds = await Assert.ThrowsAsync<LakeException>(() => table.RowsAsync());
        Assert.Contains("no field ids", noIds.Message, StringComparison.Ordinal);
        table.Commit(2, HandMadeTable.Remove("2.parquet"), HandMadeTable.Add("3.parquet", 1));
        WriteTwins(table.TableFile("3.parquet"));
        LakeException twice = await Assert.ThrowsAsync<LakeException>(() => table.RowsAsync());
        Assert.Contains("field id 5 twice", twice.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("true", null, "5", true)]
    [InlineData("true", "true", "5", false)]
    [InlineData("false", null, "5", false)]
    [InlineData("true", null, "null", false)]
    public async Task Row_ids_are_given_where_tracking_is_enabled_and_every_file_has_its_first_one(string enabled, string? suspended, string baseRowId, bool isGiven)
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", "SELECT 7 AS v UNION ALL SELECT 8");
        var configuration = new Dictionary<string, string> { ["delta.enableRowTracking"] = enabled };
        if (suspended is not null)
        {
            configuration["delta.rowTrackingSuspended"] = suspended;
        }

        table.Commit(
            0, """{"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["rowTracking","domainMetadata"]}}""",
            HandMadeTable.Metadata(HandMadeTable.Schema("v integer"), configuration: configuration),
            HandMadeTable.Add("1.parquet", size).Replace("\"dataChange\"", $"\"baseRowId\":{baseRowId},\"defaultRowCommitVersion\":0,\"dataChange\"", StringComparison.Ordinal));
        Assert.Equal(["[7]", "[8]"], await table.RowsAsync());
        var request = new ScanRequest { View = "row_ids" };
        if (isGiven)
        {
            Assert.Equal(["[7, 5, 0]", "[8, 6, 0]"], await table.RowsAsync(request: request));
            return;
        }

        LakeException refused = await Assert.ThrowsAsync<LakeException>(() => table.RowsAsync(request: request));
        Assert.Contains("Row ", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Columns_of_the_change_feed_in_data_files_are_no_part_of_the_table_and_as_columns_of_the_table_refuse_the_feed()
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", "SELECT 1 AS id, 'insert' AS _change_type");
        table.Commit(0, [.. HandMadeTable.Create(["id integer"]), HandMadeTable.Add("1.parquet", size)]);
        Assert.Equal(["[1]"], await table.RowsAsync());
        table.Commit(1, HandMadeTable.Metadata(HandMadeTable.Schema("id integer", "_Change_Type string")));
        Assert.Equal(["[1, insert]"], await table.RowsAsync());
        LakeException refused = await Assert.ThrowsAsync<LakeException>(async () => await table.Reader.PlanChangesAsync(await table.LoadAsync(), "0", "1"));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, refused.Kind);
        Assert.Contains("_Change_Type", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_deletion_vector_of_the_obsolete_layout_and_one_of_another_magic_are_refused()
    {
        byte[] data = [.. BitConverter.GetBytes(1681511376), .. new byte[8]];
        LakeException obsolete = Assert.Throws<LakeException>(() => DeletionVectorDecoder.Decode(data, 0, "dv"));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, obsolete.Kind);
        Assert.Contains("1681511376", obsolete.Message, StringComparison.Ordinal);
        data[0]++;
        Assert.Empty(DeletionVectorDecoder.Decode(data, 0, "dv"));
        data[0]++;
        Assert.Equal(LakeErrorKind.FormatInvalid, Assert.Throws<LakeException>(() => DeletionVectorDecoder.Decode(data, 0, "dv")).Kind);
    }

    [Theory]
    [InlineData("00000000000000000002")]
    [InlineData("2 ")]
    [InlineData("+1")]
    [InlineData("1.0")]
    public async Task A_version_is_a_plain_number(string version)
    {
        using var table = new HandMadeTable();
        table.Commit(0, HandMadeTable.Create(["id integer"]));
        LakeException refused = await Assert.ThrowsAsync<LakeException>(() => table.LoadAsync(SnapshotSelector.Version(version)));
        Assert.Equal(LakeErrorKind.NotFound, refused.Kind);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("{\"version\":\"5\"}")]
    [InlineData("{\"version\":7,\"size\":1}")]
    [InlineData("{\"version\":1,\"parts\":3}")]
    [InlineData("{\"version\":-1}")]
    [InlineData("{\"version\":1,\"checkpointType\":\"Tomorrow\"")]
    [InlineData("")]
    public async Task Whatever_the_hint_says_the_state_is_that_of_the_log(string hint)
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", "SELECT 1 AS id");
        table.Commit(0, [.. HandMadeTable.Create(["id integer"]), HandMadeTable.Add("1.parquet", size)]);
        table.Commit(1, HandMadeTable.Add("2.parquet", table.WriteFile("2.parquet", "SELECT 2 AS id")));
        table.Commit(2);
        File.WriteAllText(table.TableFile("_delta_log/_last_checkpoint"), hint);
        DeltaSnapshot snapshot = await table.LoadAsync();
        Assert.Equal(2, snapshot.Version);
        Assert.Equal(["[1]", "[2]"], await table.RowsAsync());
        Assert.Equal(["[1]"], await table.RowsAsync(SnapshotSelector.Version("0")));
    }

    [Fact]
    public async Task A_file_with_an_encrypted_footer_and_one_that_is_no_Parquet_file_are_refused()
    {
        using var table = new HandMadeTable();
        table.Commit(0, [.. HandMadeTable.Create(["id integer"]), HandMadeTable.Add("1.parquet", 20)]);
        File.WriteAllBytes(table.TableFile("1.parquet"), [.. "PARE"u8, .. new byte[20], .. "PARE"u8]);
        LakeException encrypted = await Assert.ThrowsAsync<LakeException>(() => table.RowsAsync());
        Assert.Equal((LakeErrorKind.FeatureUnsupported, true), (encrypted.Kind, encrypted.Message.Contains("encrypted", StringComparison.Ordinal)));
        using var anew = new HandMadeTable();
        anew.Commit(0, [.. HandMadeTable.Create(["id integer"]), HandMadeTable.Add("1.parquet", 20)]);
        File.WriteAllBytes(anew.TableFile("1.parquet"), new byte[20]);
        Assert.Equal(LakeErrorKind.FormatInvalid, (await Assert.ThrowsAsync<LakeException>(() => anew.RowsAsync())).Kind);
    }

    // Two columns with one field id.
    private static void WriteTwins(string path)
    {
        Node[] nodes = [.. new[] { "a", "b" }.Select(n => new PrimitiveNode(n, Repetition.Required, LogicalType.None(), PhysicalType.Int32, fieldId: 5))];
        using var schema = new GroupNode("schema", Repetition.Required, nodes);
        using WriterProperties properties = new WriterPropertiesBuilder().Compression(Compression.Snappy).Build();
        using var writer = new ParquetFileWriter(path, schema, properties);
        using RowGroupWriter group = writer.AppendRowGroup();
        foreach (int value in new[] { 1, 2 })
        {
            using var column = (ColumnWriter<int>)group.NextColumn();
            column.WriteBatch([value]);
        }

        writer.Close();
    }
}
