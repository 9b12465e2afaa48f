using Apache.Arrow;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Hudi;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>Columns whose type, name or presence in a file is another than in the table: widened as Hudi widens, or refused; never guessed.</summary>
public sealed class SchemaEvolutionTests : IDisposable
{
    private const string Properties = "hoodie.table.version=9\nhoodie.populate.meta.fields=false\n";
    private readonly HandMadeTable _table = new();

    public void Dispose() => _table.Dispose();

    [Theory]
    [InlineData("7::INTEGER", "\"long\"", "7")]
    [InlineData("7::INTEGER", "\"float\"", "7.0")]
    [InlineData("7::BIGINT", "\"double\"", "7.0")]
    [InlineData("0.1::FLOAT", "\"double\"", "0.1")] // through the decimal text
    [InlineData("7::INTEGER", "\"string\"", "7")]
    [InlineData("7::BIGINT", "\"string\"", "7")]
    [InlineData("DATE '2024-02-29'", "\"string\"", "2024-02-29")]
    [InlineData("'ab'::BLOB", "\"string\"", "ab")]
    [InlineData("'ab'", "\"bytes\"", "ab")]
    [InlineData("1.25::DECIMAL(5,2)", """{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}""", "1.25")]
    [InlineData("{'a': 1::INTEGER}", """{"type":"record","name":"s","fields":[{"name":"a","type":"long"},{"name":"b","type":["null","string"]}]}""", "{'a': 1, 'b': NULL}")]
    [InlineData("[1::INTEGER, NULL]", """{"type":"array","items":["null","long"]}""", "[1, NULL]")]
    [InlineData("MAP {'k': 1::INTEGER}", """{"type":"map","values":"double"}""", "{k=1.0}")]
    [InlineData("7::BIGINT", "\"int\"", null)]
    [InlineData("1.5::DOUBLE", "\"float\"", null)]
    [InlineData("1.5::DOUBLE", "\"long\"", null)]
    [InlineData("1.5::DOUBLE", "\"string\"", null)]
    [InlineData("'7'", "\"int\"", null)]
    [InlineData("true", "\"int\"", null)]
    [InlineData("1.25::DECIMAL(5,2)", """{"type":"bytes","logicalType":"decimal","precision":9,"scale":3}""", "1.250")]
    [InlineData("-1.25::DECIMAL(5,2)", """{"type":"fixed","name":"f","size":16,"logicalType":"decimal","precision":38,"scale":35}""", "-1.25000000000000000000000000000000000")]
    [InlineData("7::INTEGER", """{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}""", "7.00")]
    [InlineData("-7::BIGINT", """{"type":"bytes","logicalType":"decimal","precision":19}""", "-7")]
    [InlineData("0.000001::DECIMAL(9,6)", "\"string\"", "0.000001")]
    [InlineData("-0.5::DECIMAL(9,2)", "\"string\"", "-0.50")]
    [InlineData("0.0000001::DECIMAL(9,7)", "\"string\"", null)] // 1E-7 in Java
    [InlineData("7::INTEGER", """{"type":"bytes","logicalType":"decimal","precision":11,"scale":2}""", null)]
    [InlineData("7::BIGINT", """{"type":"bytes","logicalType":"decimal","precision":18}""", null)]
    [InlineData("1.25::DECIMAL(5,2)", """{"type":"bytes","logicalType":"decimal","precision":5,"scale":3}""", null)]
    [InlineData("1.25::DECIMAL(5,2)", """{"type":"bytes","logicalType":"decimal","precision":9,"scale":1}""", null)]
    [InlineData("1.25::DECIMAL(9,2)", """{"type":"bytes","logicalType":"decimal","precision":5,"scale":2}""", null)]
    [InlineData("[1]", "\"int\"", null)]
    [InlineData("1", """{"type":"array","items":"int"}""", null)]
    [InlineData("{'a': 'x'}", """{"type":"record","name":"s","fields":[{"name":"a","type":"int"}]}""", null)]
    public void A_column_of_another_type_is_widened_or_refused_with_its_name(string value, string type, string? expected)
    {
        HudiSnapshot snapshot = _table.Snapshot(Properties, $$"""{"type":"record","name":"r","fields":[{"name":"c","type":["null",{{type}}]}]}""");
        ReadableFile file = _table.Write($"SELECT {value} AS c");
        if (expected is not null)
        {
            Assert.Equal([expected], Values(snapshot, file, "c"));
            return;
        }

        LakeException error = Assert.Throws<LakeException>(() => new SliceScan(snapshot).Columns([file], snapshot.Schema.FieldsList));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, error.Kind);
        Assert.Contains("column c", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_column_is_found_by_its_name_else_by_the_only_one_that_differs_in_case()
    {
        HudiSnapshot snapshot = _table.Snapshot(Properties, """{"type":"record","name":"r","fields":[{"name":"Qty","type":["null","int"]},{"name":"s","type":{"type":"record","name":"s","fields":[{"name":"A","type":["null","int"]}]}}]}""");
        Assert.Equal(["7"], Values(snapshot, _table.Write("SELECT 7 AS qty, {'a': 8} AS s"), "Qty"));
        Assert.Equal(["8"], Values(snapshot, _table.Write("SELECT 7 AS qty, {'a': 8} AS s"), "s.A"));
        Assert.Equal(["qty"], [new SliceScan(snapshot).NameIn(_table.Write("SELECT 7 AS qty, {'a': 8} AS s"), "Qty")]);
        Assert.Equal(["Qty", "s"], new SliceScan(snapshot).NamesIn(_table.Write("SELECT 7 AS qty, {'a': 8} AS s, 1 AS other")));
    }

    [Theory]
    [InlineData("""[{"name":"id","type":"int"},{"name":"ID","type":"int"}]""")]
    [InlineData("""[{"name":"s","type":{"type":"record","name":"s","fields":[{"name":"id","type":"int"},{"name":"ID","type":"int"}]}}]""")]
    [InlineData("""[{"name":"l","type":{"type":"array","items":{"type":"record","name":"s","fields":[{"name":"id","type":"int"},{"name":"ID","type":"int"}]}}}]""")]
    public void A_table_with_columns_that_differ_in_case_only_is_refused(string fields)
    {
        LakeException error = Assert.Throws<LakeException>(() => _table.Snapshot(Properties, $$"""{"type":"record","name":"r","fields":{{fields}}}"""));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, error.Kind);
        Assert.Contains("differ in case only (id, ID)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_with_columns_that_differ_in_case_only_is_refused_and_one_with_a_number_in_a_name_read()
    {
        HudiSnapshot snapshot = _table.Snapshot(Properties, """{"type":"record","name":"r","fields":[{"name":"id","type":"int"},{"name":"id_1","type":"int"}]}""");
        Assert.Equal(["8"], Values(snapshot, _table.Write("SELECT 7 AS id, 8 AS id_1"), "id_1"));
        LakeException error = Assert.Throws<LakeException>(() => _table.WriteColumns(("id", 7), ("ID", 8)));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, error.Kind);
        Assert.Contains("differ in case only (ID)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fields_of_a_struct_that_differ_in_case_only_are_refused_also_where_one_is_spelled_as_asked_for()
    {
        (string, EngineType)[] fields = [("a", new EngineType("INTEGER", [])), ("A", new EngineType("INTEGER", [])), ("b", new EngineType("INTEGER", []))];
        Assert.NotNull(ColumnSql.Find(fields, "B", "s", out string name));
        Assert.Equal("b", name);
        Assert.Null(ColumnSql.Find(fields, "c", "s", out _));
        LakeException error = Assert.Throws<LakeException>(() => ColumnSql.Find(fields, "A", "s", out _));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, error.Kind);
        Assert.Contains("differ in case only (s.A)", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"name":"c","type":["null","int"],"default":null}""", "SELECT 1 AS id", "c", "NULL")]
    [InlineData("""{"name":"c","type":["null","int"]}""", "SELECT 1 AS id", "c", "NULL")]
    [InlineData("""{"name":"c","type":"int","default":5}""", "SELECT 1 AS id, 6 AS c", "c", "6")]
    [InlineData("""{"name":"c","type":"int","default":5}""", "SELECT 1 AS id", "c", null)]
    [InlineData("""{"name":"c","type":["string","null"],"default":"x"}""", "SELECT 1 AS id", "c", null)]
    [InlineData("""{"name":"c","type":{"type":"record","name":"s","fields":[{"name":"a","type":["null","int"]},{"name":"b","type":"int","default":5}]}}""", "SELECT 1 AS id, {'a': 7, 'b': 8} AS c", "c.b", "8")]
    [InlineData("""{"name":"c","type":{"type":"record","name":"s","fields":[{"name":"a","type":["null","int"]},{"name":"b","type":"int","default":5}]}}""", "SELECT 1 AS id, {'a': 7} AS c", "c.b", null)]
    [InlineData("""{"name":"c","type":{"type":"array","items":{"type":"record","name":"s","fields":[{"name":"a","type":["null","int"]},{"name":"b","type":"int","default":5}]}}}""", "SELECT 1 AS id, [{'a': 7}] AS c", "c", null)]
    public void A_column_that_a_file_does_not_hold_is_NULL_unless_it_has_a_default_of_which_readers_make_different_things(string column, string rows, string asked, string? expected)
    {
        HudiSnapshot snapshot = _table.Snapshot(Properties, $$"""{"type":"record","name":"r","fields":[{"name":"id","type":"int"},{{column}}]}""");
        ReadableFile file = _table.Write(rows);
        if (expected is not null)
        {
            Assert.Equal([expected], Values(snapshot, file, asked));
            return;
        }

        LakeException error = Assert.Throws<LakeException>(() => new SliceScan(snapshot).Columns([file], snapshot.Schema.FieldsList));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, error.Kind);
        Assert.Contains($"column {asked}", error.Message.Replace("c.item.b", "c", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Contains("default", error.Message, StringComparison.Ordinal);
        // What is asked for only counts.
        Assert.Contains("id", new SliceScan(snapshot).Columns([file], [snapshot.Schema.GetFieldByName("id")]), StringComparison.Ordinal);
    }

    [Fact]
    public void A_partial_record_lacks_a_column_with_a_default_until_it_is_merged()
    {
        HudiSnapshot snapshot = _table.Snapshot(Properties, """{"type":"record","name":"r","fields":[{"name":"id","type":"int"},{"name":"c","type":"int","default":5}]}""");
        Field column = snapshot.Schema.GetFieldByName("c");
        Assert.Equal("CAST(NULL AS INTEGER)", new SliceScan(snapshot).Column(_table.Write("SELECT 1 AS id") with { IsPartial = true }, column));
    }

    [Theory]
    [InlineData("""{"type":"record","name":"v","logicalType":"variant","fields":[{"name":"value","type":"bytes"},{"name":"metadata","type":"bytes"}]}""", "variant")]
    [InlineData("""{"type":"fixed","name":"v","size":8,"logicalType":"vector"}""", "vector")]
    [InlineData("""{"type":"long","logicalType":"timestamp-nanos"}""", "timestamp-nanos")]
    [InlineData("""{"type":"record","name":"v","logicalType":"blob","fields":[{"name":"data","type":"bytes"}]}""", "blob")]
    public void Columns_of_newer_types_are_refused_by_name(string type, string name)
    {
        LakeException error = Assert.Throws<LakeException>(() => _table.Snapshot(Properties, $$"""{"type":"record","name":"r","fields":[{"name":"c","type":["null",{{type}}]}]}"""));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, error.Kind);
        Assert.Contains($"the type {name}", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""["null","int","string"]""")]
    [InlineData("""["int","string"]""")]
    public void A_union_of_several_types_is_refused(string type)
        => Assert.Throws<LakeException>(() => _table.Snapshot(Properties, $$"""{"type":"record","name":"r","fields":[{"name":"c","type":{{type}}}]}"""));

    private string[] Values(HudiSnapshot snapshot, ReadableFile file, string column) => _table.Texts(
        $"SELECT coalesce(CAST({column} AS VARCHAR), 'NULL') FROM (SELECT " + new SliceScan(snapshot).Columns([file], snapshot.Schema.FieldsList) + $" FROM {SliceScan.From([file])})");
}
