using Apache.Arrow;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Avro;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Hudi;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>Values that a file or a folder name does not hold as the table has them.</summary>
public sealed class ColumnValueTests : IDisposable
{
    private const string Millis = """{"type":"long","logicalType":"timestamp-millis"}""";
    private const string Local = """{"type":"long","logicalType":"local-timestamp-millis"}""";
    private const string Moment = "2023-11-14 22:13:20.123";
    private readonly HandMadeTable _table = new();

    public void Dispose() => _table.Dispose();

    [Fact]
    public void Milliseconds_that_a_file_calls_microseconds_are_repaired_at_every_depth()
    {
        HudiSnapshot snapshot = _table.Snapshot("hoodie.table.version=8\nhoodie.populate.meta.fields=false\n", Nested(Millis, Local));
        ReadableFile file = _table.Write("""
            SELECT make_timestamptz(1700000000123) AS top, {'id': 1, 'at': make_timestamptz(1700000000123), 'plain': 1700000000123} AS s,
            [make_timestamptz(1700000000123), NULL] AS l, MAP {'k': {'at': make_timestamptz(1700000000123)}} AS m, make_timestamptz(1700000000123000) AS micros
            """);

        Assert.Equal([$"{Moment}+00|{Moment}+00|{Moment}|{Moment}+00|{Moment}+00|{Moment}+00"], Values(snapshot, file));
        Assert.Equal(["l.item", "m.value.at", "micros", "s.at", "top"], file.MicrosecondInstants.Order(StringComparer.Ordinal));
        Assert.Equal(["l.item", "m.value.at", "s.at", "top"], LogicalPaths.Of(AvroSchema.Parse(Nested(Millis, Local), "t"), "timestamp-millis").Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Milliseconds_that_a_file_calls_milliseconds_are_left_alone()
    {
        HudiSnapshot snapshot = _table.Snapshot("hoodie.table.version=8\nhoodie.populate.meta.fields=false\n", Nested(Millis, Local));
        ReadableFile file = _table.Write($$"""
            SELECT TIMESTAMP_MS '{{Moment}}' AS top, {'id': 1, 'at': TIMESTAMP_MS '{{Moment}}', 'plain': TIMESTAMP '{{Moment}}'} AS s,
            [TIMESTAMP_MS '{{Moment}}'] AS l, MAP {'k': {'at': TIMESTAMP_MS '{{Moment}}'} } AS m, TIMESTAMPTZ '{{Moment}}+00' AS micros
            """);

        Assert.Equal([$"{Moment}+00|{Moment}+00|{Moment}|{Moment}+00|{Moment}+00|{Moment}+00"], Values(snapshot, file));
    }

    [Theory]
    [InlineData("", "int", "7", "7")]
    [InlineData("hoodie.table.keygenerator.type=SIMPLE\n", "string", "d=a", "a")]
    [InlineData("hoodie.datasource.write.slash.separated.date.partitioning=true\n", "date", "2024/01/15", "2024-01-15")]
    [InlineData("hoodie.datasource.write.slash.separated.date.partitioning=true\n", "date", "d=2024/01/15", "2024-01-15")]
    [InlineData("hoodie.table.keygenerator.type=CUSTOM\nhoodie.table.partition.fields=d:SIMPLE\n", "int", "d=7", "7")]
    [InlineData("hoodie.datasource.write.slash.separated.date.partitioning=true\n", "string", "2024/01/15", null)]
    [InlineData("hoodie.table.keygenerator.type=TIMESTAMP\n", "string", "2024", null)]
    [InlineData("hoodie.keygen.timebased.timestamp.type=EPOCHMILLISECONDS\n", "long", "2024", null)]
    [InlineData("hoodie.table.keygenerator.class=org.apache.hudi.keygen.CustomKeyGenerator\n", "int", "7", null)]
    [InlineData("hoodie.table.keygenerator.type=CUSTOM\nhoodie.table.partition.fields=d:TIMESTAMP\n", "int", "2024", null)]
    [InlineData("hoodie.table.keygenerator.class=com.example.MyGenerator\n", "string", "x", null)]
    [InlineData("", "timestamp", "1700000000123000", null)]
    [InlineData("hoodie.datasource.write.hive_style_partitioning=true\n", "string", "d=d=a", "d=a")]
    [InlineData("hoodie.datasource.write.hive_style_partitioning=false\n", "string", "a=b", "a=b")]
    [InlineData("", "string", "__HIVE_DEFAULT_PARTITION__", "NULL")]
    [InlineData("hoodie.datasource.write.partitionpath.urlencode=true\n", "string", "a%2Fb%25", "a/b%")]
    [InlineData("", "string", "a%2Fb", "a%2Fb")]
    public void A_dropped_partition_column_comes_from_the_path_where_the_path_holds_its_value_and_is_refused_elsewhere(string properties, string type, string path, string? value)
    {
        string avro = type switch
        {
            "date" => """{"type":"int","logicalType":"date"}""",
            "timestamp" => """{"type":"long","logicalType":"timestamp-micros"}""",
            _ => $"\"{type}\"",
        };
        HudiSnapshot snapshot = _table.Snapshot(
            "hoodie.table.version=9\nhoodie.populate.meta.fields=false\nhoodie.datasource.write.drop.partition.columns=true\nhoodie.table.partition.fields=d\n" + properties,
            $$"""{"type":"record","name":"r","fields":[{"name":"id","type":"int"},{"name":"d","type":{{avro}}}]}""");
        ReadableFile file = _table.Write("SELECT 1::INTEGER AS id", path);
        Field column = snapshot.Schema.GetFieldByName("d");
        if (value is null)
        {
            LakeException error = Assert.Throws<LakeException>(() => new SliceScan(snapshot).Column(file, column));
            Assert.Equal(LakeErrorKind.FeatureUnsupported, error.Kind);
            Assert.Contains("dropped partition column (d)", error.Message, StringComparison.Ordinal);
        }
        else
        {
            Assert.Equal([value], _table.Texts($"SELECT coalesce(CAST({new SliceScan(snapshot).Column(file, column)} AS VARCHAR), 'NULL')"));
        }
    }

    [Theory]
    [InlineData("a,b", "b=1/x", "false", "x")]
    [InlineData("b", "b=1", "false", null)]
    [InlineData("b", "b=1", "true", "1")]
    [InlineData("b", "1", "true", null)]
    [InlineData("b", "B=1", "true", null)]
    [InlineData("b", "1", "false", "1")]
    [InlineData("a,b", "x/b=1", "false", null)]
    [InlineData("a,b", "x", "false", null)]
    [InlineData("a,b", "a=x/b=1/c=2", "true", null)]
    [InlineData("a,b", "a=x/b=1", "true", "1")]
    public void A_partition_path_that_can_be_read_in_two_ways_tells_nothing(string columns, string path, string isHiveStyle, string? value)
    {
        HudiProperties properties = HudiProperties.Parse(System.Text.Encoding.UTF8.GetBytes("hoodie.datasource.write.hive_style_partitioning=" + isHiveStyle));
        IReadOnlyDictionary<string, string?>? values = PartitionPath.Parse(path, columns.Split(','), properties);
        Assert.Equal(value, values?["b"]);
    }

    [Theory]
    [InlineData("hoodie.table.keygenerator.class=com.example.MyGenerator", false)]
    [InlineData("hoodie.table.keygenerator.class=org.apache.hudi.keygen.CustomKeyGenerator", false)]
    [InlineData("hoodie.table.keygenerator.class=org.apache.hudi.keygen.TimestampBasedKeyGenerator", false)]
    [InlineData("hoodie.table.keygenerator.class=org.apache.hudi.keygen.ComplexKeyGenerator", true)]
    public async Task Partitions_are_left_out_by_their_path_only_where_the_key_generator_writes_values_into_it(string property, bool isPruned)
    {
        await using HudiCase golden = HudiCase.Open("cow_part_hive_multi_v6");
        string path = golden.Path("table/.hoodie/hoodie.properties");
        File.WriteAllLines(path, File.ReadAllLines(path)
            .Where(l => !l.StartsWith("hoodie.table.keygenerator", StringComparison.Ordinal) && !l.StartsWith("hoodie.table.metadata.partitions", StringComparison.Ordinal)).Append(property));
        HudiSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        string column = snapshot.PartitionColumns[0];
        string value = golden.Texts($"SELECT min(CAST({column} AS VARCHAR)) FROM ({(await golden.PlanAsync(snapshot)).Sql})")[0];
        await using TableScan scan = await golden.Reader.PlanAsync(snapshot, new ScanRequest { Filter = new ScanFilter.Compare(column, ScanComparison.Equal, new ScanLiteral(value)) });

        Assert.Equal(isPruned, scan.Statistics.FilesPrunedByPartition > 0);
    }

    private static string Nested(string millis, string local) => $$"""
        {"type":"record","name":"r","fields":[
            {"name":"top","type":["null",{{millis}}]},
            {"name":"s","type":["null",{"type":"record","name":"s1","fields":[{"name":"id","type":"int"},{"name":"at","type":["null",{{millis}}]},{"name":"plain","type":{{local}} }]}]},
            {"name":"l","type":["null",{"type":"array","items":["null",{{millis}}]}]},
            {"name":"m","type":["null",{"type":"map","values":{"type":"record","name":"m1","fields":[{"name":"at","type":{{millis}} }]} }]},
            {"name":"micros","type":{"type":"long","logicalType":"timestamp-micros"} }]}
        """;

    private string[] Values(HudiSnapshot snapshot, ReadableFile file) => _table.Texts(
        "SELECT concat_ws('|', top, s.at, s.plain, l[1], m['k'].at, micros) FROM (SELECT "
        + new SliceScan(snapshot).Columns([file], snapshot.Schema.FieldsList) + $" FROM {SliceScan.From([file])})");
}
