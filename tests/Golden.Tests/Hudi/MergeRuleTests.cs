using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.Readers.Hudi;
using LakeHolo.Readers.Hudi.Merging;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>Which rules a table's properties ask for, and what the rules that no random log covers do.</summary>
public sealed class MergeRuleTests : IDisposable
{
    private const string Payloads = "hoodie.compaction.payload.class=org.apache.hudi.common.model.";
    private const string EventTime = "eeb8d96f-b1e4-49fd-bbf8-28ac514178e5";
    private const string CommitTime = "ce9acb64-bde0-424c-9b91-f6ebba25356d";
    private const string PayloadBased = "00000000-0000-0000-0000-000000000000";
    private const string Unavailable = "hoodie.record.merge.property.hoodie.write.partial.update.unavailable.value=__debezium_unavailable_value\n";
    private const string Schema = """
        {"type":"record","name":"r","fields":[{"name":"id","type":"string"},{"name":"ord","type":["null","int"]},{"name":"_event_lsn","type":["null","long"]},
        {"name":"_event_seq","type":["null","string"]},{"name":"v","type":["null","string"]},{"name":"b","type":["null","bytes"]},{"name":"flag","type":"boolean","default":false},
        {"name":"small","type":"int","default":5},{"name":"large","type":"int","default":500},{"name":"text","type":"string","default":"none"},{"name":"Op","type":["null","string"]}]}
        """;

    private readonly HandMadeTable _table = new();

    public void Dispose() => _table.Dispose();

    [Theory]
    [InlineData(8, "hoodie.record.merge.mode=COMMIT_TIME_ORDERING", "")]
    [InlineData(9, "hoodie.record.merge.mode=commit_time_ordering", "")]
    [InlineData(9, "hoodie.record.merge.mode=EVENT_TIME_ORDERING", "ord")]
    [InlineData(6, Payloads + "OverwriteWithLatestAvroPayload", "")]
    [InlineData(6, Payloads + "OverwriteWithLatestAvroPayload\nhoodie.compaction.record.merger.strategy=" + EventTime, "")] // the payload decides
    [InlineData(6, Payloads + "DefaultHoodieRecordPayload", "ord")]
    [InlineData(6, Payloads + "EventTimeAvroPayload", "ord")]
    [InlineData(6, Payloads + "DefaultHoodieRecordPayload\nhoodie.table.precombine.field=ts", "")] // not a column
    [InlineData(6, Payloads + "PartialUpdateAvroPayload\nhoodie.table.precombine.field=ts", "Defaults")]
    [InlineData(6, Payloads + "FirstValueAvroPayload\nhoodie.table.precombine.field=ts", "ts first")]
    [InlineData(6, Payloads + "DefaultHoodieRecordPayload\nhoodie.table.precombine.field=a.ts", "a.ts")]
    [InlineData(8, "hoodie.record.merge.mode=EVENT_TIME_ORDERING\nhoodie.table.precombine.field=ts", "ts")]
    [InlineData(6, "hoodie.compaction.record.merger.strategy=" + EventTime, "ord")]
    [InlineData(6, "hoodie.compaction.record.merger.strategy=" + CommitTime, "")]
    [InlineData(6, "", "ord")]
    [InlineData(8, "hoodie.record.merge.strategy.id=" + CommitTime + "\n" + Payloads + "DefaultHoodieRecordPayload", "")] // the strategy decides
    [InlineData(8, "hoodie.record.merge.strategy.id=" + PayloadBased + "\n" + Payloads + "DefaultHoodieRecordPayload", "ord")]
    [InlineData(8, "hoodie.record.merge.mode=CUSTOM\nhoodie.record.merge.strategy.id=" + PayloadBased + "\n" + Payloads + "PartialUpdateAvroPayload", "ord Defaults")]
    [InlineData(6, Payloads + "OverwriteNonDefaultsWithLatestAvroPayload", "Defaults of base rows")]
    [InlineData(8, "hoodie.record.merge.mode=CUSTOM\n" + Payloads + "OverwriteNonDefaultsWithLatestAvroPayload", "Defaults")]
    [InlineData(6, Payloads + "FirstValueAvroPayload", "ord first")]
    [InlineData(8, "hoodie.record.merge.mode=CUSTOM\nhoodie.record.merge.strategy.id=" + PayloadBased + "\n" + Payloads + "FirstValueAvroPayload", "ord first")]
    [InlineData(6, Payloads + "AWSDmsAvroPayload", "deletes Op=D")]
    [InlineData(6, Payloads + "debezium.PostgresDebeziumAvroPayload", "_event_lsn Unavailable of base rows deletes _change_operation_type=d")]
    [InlineData(8, "hoodie.record.merge.mode=CUSTOM\n" + Payloads + "debezium.PostgresDebeziumAvroPayload", "_event_lsn Unavailable deletes _change_operation_type=d")]
    [InlineData(6, Payloads + "debezium.MySqlDebeziumAvroPayload", "_event_seq deletes _change_operation_type=d")]
    [InlineData(9, "hoodie.record.merge.mode=COMMIT_TIME_ORDERING\nhoodie.table.partial.update.mode=IGNORE_DEFAULTS", "Defaults")]
    [InlineData(9, "hoodie.record.merge.mode=EVENT_TIME_ORDERING\nhoodie.table.partial.update.mode=FILL_UNAVAILABLE", "ord")]
    [InlineData(9, "hoodie.record.merge.mode=EVENT_TIME_ORDERING\nhoodie.table.partial.update.mode=FILL_UNAVAILABLE\n" + Unavailable, "ord Unavailable")]
    [InlineData(9, "hoodie.record.merge.mode=EVENT_TIME_ORDERING\nhoodie.table.partial.update.mode=KEEP_VALUES", "ord Absent")]
    [InlineData(9, "hoodie.record.merge.mode=COMMIT_TIME_ORDERING\nhoodie.record.merge.property.hoodie.payload.delete.field=Op\nhoodie.record.merge.property.hoodie.payload.delete.marker=X", "deletes Op=X")]
    [InlineData(9, "hoodie.record.merge.mode=COMMIT_TIME_ORDERING\nhoodie.record.merge.property.hoodie.payload.delete.field=Op", "")]
    public void Rules_follow_from_mode_payload_and_strategy(int version, string properties, string expected)
    {
        MergeRules rules = MergeRules.Of(_table.Snapshot($"hoodie.table.version={version}\nhoodie.table.precombine.field=ord\n{properties}\n", Schema));
        string[] parts =
        [
            .. rules.Ordering,
            rules.Fill == FillMode.None ? "" : rules.Fill.ToString(),
            rules.FillsFromBaseOnly ? "of base rows" : "",
            rules.FirstWins ? "first" : "",
            rules.Delete is var (column, marker) ? $"deletes {column}={marker}" : "",
        ];
        Assert.Equal(expected, string.Join(' ', parts.Where(p => p.Length > 0)));
    }

    [Theory]
    [InlineData("", "NULL", "'old'", "old")]
    [InlineData("", "'__debezium_unavailable_value'", "'old'", "__debezium_unavailable_value")]
    public void Nulls_are_filled_where_they_are_the_default(string more, string newer, string older, string expected)
        => Assert.Equal([expected], Merged("hoodie.table.partial.update.mode=IGNORE_DEFAULTS\n" + more, "v", Row("v", older), Row("v", newer)));

    // Hudi compares references: true for null, booleans and small whole numbers.
    [Theory]
    [InlineData("flag", "true", "false", "true")]
    [InlineData("flag", "false", "true", "true")]
    [InlineData("small", "7", "5", "7")]
    [InlineData("small", "7", "6", "6")]
    [InlineData("large", "7", "500", "500")]
    [InlineData("text", "'old'", "'none'", "none")]
    public void A_default_other_than_null_is_filled_where_Hudi_finds_it_equal(string column, string older, string newer, string expected)
        => Assert.Equal([expected], Merged("hoodie.table.partial.update.mode=IGNORE_DEFAULTS\n", column, Row(column, older), Row(column, newer)));

    [Theory]
    [InlineData("v", "'old'", "'__debezium_unavailable_value'", Unavailable, "old")]
    [InlineData("v", "'old'", "'__debezium_unavailable_value'", "", "__debezium_unavailable_value")] // no text is told
    [InlineData("v", "'old'", "'?'", "hoodie.record.merge.property.hoodie.write.partial.update.unavailable.value=?\n", "old")]
    [InlineData("v", "'old'", "NULL", Unavailable, "NULL")]
    [InlineData("b", "'old'::BLOB", "'__debezium_unavailable_value'::BLOB", Unavailable, "old")]
    [InlineData("small", "7", "5", Unavailable, "5")]
    public void Values_that_are_not_known_are_filled(string column, string older, string newer, string more, string expected)
        => Assert.Equal([expected], Merged("hoodie.table.partial.update.mode=FILL_UNAVAILABLE\n" + more, column, Row(column, older), Row(column, newer)));

    [Theory]
    [InlineData("000009.99", "000010.1", "log")]
    [InlineData("000010.1", "000009.99", "base")]
    [InlineData("000010.999", "000010.1000", "log")]
    [InlineData("000010.1000", "000010.999", "base")]
    [InlineData("000010.5", "000010.5", "log")]
    public void Places_in_a_binary_log_are_compared_as_two_numbers(string older, string newer, string expected)
    {
        string[] rows = Merged(Payloads + "debezium.MySqlDebeziumAvroPayload\n", "v", Row("v", "'base'", $"'{older}'"), Row("v", "'log'", $"'{newer}'"), "hoodie.table.version=6\n");
        Assert.Equal([expected], rows);
    }

    // Every engine that writes Hudi compares the UTF-8 bytes of texts: Spark's UTF8String, Avro's Utf8, Hadoop's Text, Flink's StringData. In UTF-16 U+1F600 would be below U+FF21.
    [Theory]
    [InlineData("\uFF21", "\U0001F600", "new")]
    [InlineData("\U0001F600", "\uFF21", "old")]
    [InlineData("\uE000", "\U00010000", "new")]
    [InlineData("\uD7FF", "\uE000", "new")]
    [InlineData("a", "", "old")]
    public void Texts_are_ordered_by_their_bytes(string older, string newer, string expected)
    {
        Assert.Equal([expected], Merged(
            "hoodie.table.ordering.fields=text\n", "v", Row("v", $"'old'").Replace("'none'", $"'{older}'", StringComparison.Ordinal), Row("v", $"'new'").Replace("'none'", $"'{newer}'", StringComparison.Ordinal),
            "hoodie.table.version=9\nhoodie.record.merge.mode=EVENT_TIME_ORDERING\n"));
    }

    // Several fields, of which one is a floating number: -0.0 is below 0.0, NaN above all.
    [Theory]
    [InlineData("x", "0.0", "-0.0", "old")]
    [InlineData("x", "-0.0", "0.0", "new")]
    [InlineData("x", "'nan'", "1e308", "old")]
    [InlineData("x", "1e308", "'nan'", "new")]
    [InlineData("x", "'nan'", "'nan'", "new")]
    [InlineData("x", "1.0", "NULL", "new")] // of another class
    [InlineData("n,x", "0.0", "-0.0", "old")]
    [InlineData("n,x", "-0.0", "-0.0", "new")]
    public void Floating_numbers_order_as_Java_orders_them(string fields, string older, string newer, string expected)
    {
        HudiSnapshot snapshot = _table.Snapshot(
            $"hoodie.table.version=9\nhoodie.record.merge.mode=EVENT_TIME_ORDERING\nhoodie.table.ordering.fields={fields}\nhoodie.populate.meta.fields=false\nhoodie.table.recordkey.fields=id\n",
            """{"type":"record","name":"r","fields":[{"name":"id","type":"string"},{"name":"n","type":"int"},{"name":"x","type":["null","double"]},{"name":"v","type":"string"}]}""");
        string Of(string value, string text) => $"SELECT 'k' AS id, 1::INTEGER AS n, {value}::DOUBLE AS x, '{text}' AS v";
        ReadableFile file = _table.Write(Of(older, "old"));
        using MergedSlices merged = new SliceMerger(_table.Engine, snapshot, MergeRules.Of(snapshot)).Merge(
            new Dictionary<string, int> { ["s"] = 0 }, [new DecodedBlock(_table.Write(Of(newer, "new")), 0, 0, null)], [], new Dictionary<int, ReadableFile> { [0] = file });
        Assert.Equal([expected == "new" ? "1" : "0"], _table.Texts($"SELECT CAST(count(*) AS VARCHAR) FROM {merged.DeadTable}"));
        Assert.Equal([expected == "new" ? "1" : "0"], _table.Texts($"SELECT CAST(count(*) AS VARCHAR) FROM {merged.RowsTable}"));
    }

    [Theory]
    [InlineData("D", true)]
    [InlineData("d", true)]
    [InlineData("U", false)]
    public void The_marker_of_a_payload_class_deletes_whatever_its_case(string op, bool isDeleted)
        => Assert.Equal(isDeleted ? [] : ["new"], Merged(Payloads + "AWSDmsAvroPayload\n", "v", Row("v", "'old'"), Row("v", "'new'", "NULL", $"'{op}'"), "hoodie.table.version=6\n"));

    private static string Row(string column, string value, string sequence = "NULL", string op = "NULL")
    {
        string Of(string name, string otherwise) => name == column ? value : otherwise;
        return $"SELECT 'k' AS id, 1::INTEGER AS ord, 1::BIGINT AS _event_lsn, {sequence}::VARCHAR AS _event_seq, {Of("v", "NULL")}::VARCHAR AS v, {Of("b", "NULL")}::BLOB AS b, {Of("flag", "false")}::BOOLEAN AS flag, "
            + $"{Of("small", "5")}::INTEGER AS small, {Of("large", "500")}::INTEGER AS large, {Of("text", "'none'")}::VARCHAR AS text, {op}::VARCHAR AS \"Op\"";
    }

    // One base row and one log record of its key.
    private string[] Merged(string properties, string column, string older, string newer, string version = "hoodie.table.version=9\nhoodie.record.merge.mode=COMMIT_TIME_ORDERING\n")
    {
        HudiSnapshot snapshot = _table.Snapshot(
            version + "hoodie.populate.meta.fields=false\nhoodie.table.recordkey.fields=id\nhoodie.table.keygenerator.class=org.apache.hudi.keygen.NonpartitionedKeyGenerator\n" + properties, Schema);
        ReadableFile file = _table.Write(older);
        var block = new DecodedBlock(_table.Write(newer), 0, 0, null);
        using MergedSlices merged = new SliceMerger(_table.Engine, snapshot, MergeRules.Of(snapshot)).Merge(
            new Dictionary<string, int> { ["s"] = 0 }, [block], [], new Dictionary<int, ReadableFile> { [0] = file });
        string text = $"coalesce({(column == "b" ? "decode(b)" : $"CAST({column} AS VARCHAR)")}, 'NULL')";
        string rest = $"SELECT {text} FROM read_parquet('{file.LocalPath}') r WHERE NOT EXISTS (SELECT 1 FROM {merged.DeadTable} d WHERE d.pos = r.file_row_number)";
        string rows = merged.AreFolded
            ? $"SELECT {text} FROM {merged.RowsTable}"
            : $"SELECT {text} FROM read_parquet('{block.File.LocalPath}') WHERE EXISTS (SELECT 1 FROM {merged.RowsTable})";
        return _table.Texts($"{rest} UNION ALL {rows}");
    }
}
