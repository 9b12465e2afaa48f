using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.Readers.Hudi;
using ParquetSharp;
using ParquetSharp.Schema;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>Lists of two levels, as Avro's Parquet writer (by default) and Flink's write them: the repeated group is the item, also where it has one field only.</summary>
public sealed class ListLayoutTests : IDisposable
{
    private readonly HandMadeTable _table = new();

    public void Dispose() => _table.Dispose();

    [Theory]
    [InlineData("one", "[{'a': 7}] | [{'a': NULL}] | NULL")]
    [InlineData("named", "[{'array': 7}] | [{'array': NULL}] | NULL")]
    [InlineData("nested", "[{'s': {'a': 7}}] | [{'s': {'a': NULL}}] | NULL")]
    [InlineData("lists", "[{'l': [7]}] | [{'l': []}] | NULL")]
    [InlineData("deep", "[[{'a': 7}]] | [[{'a': NULL}]] | NULL")]
    [InlineData("numbers", "[7] | [] | NULL")]
    [InlineData("wrapped", "[7] | [NULL] | NULL")] // the table says what the group is
    [InlineData("wrappedrecords", "[{'a': 7}] | [{'a': NULL}] | NULL")]
    [InlineData("three", "[{'a': 7}] | [{'a': NULL}] | NULL")]
    public void Items_that_are_records_of_one_field_stay_records(string column, string expected)
    {
        const string One = """{"type":"record","name":"one","fields":[{"name":"a","type":["null","int"]}]}""";
        HudiSnapshot snapshot = _table.Snapshot("hoodie.table.version=9\nhoodie.populate.meta.fields=false\n", """
            {"type":"record","name":"r","fields":[{"name":"one","type":["null",{"type":"array","items":ONE}]},
            {"name":"named","type":["null",{"type":"array","items":{"type":"record","name":"named","fields":[{"name":"array","type":["null","int"]}]}}]},
            {"name":"nested","type":["null",{"type":"array","items":{"type":"record","name":"nested","fields":[{"name":"s","type":["null","one"]}]}}]},
            {"name":"lists","type":["null",{"type":"array","items":{"type":"record","name":"lists","fields":[{"name":"l","type":["null",{"type":"array","items":"int"}]}]}}]},
            {"name":"deep","type":["null",{"type":"array","items":{"type":"array","items":"one"}}]},
            {"name":"numbers","type":["null",{"type":"array","items":"int"}]},
            {"name":"wrapped","type":["null",{"type":"array","items":["null","int"]}]},
            {"name":"wrappedrecords","type":["null",{"type":"array","items":["null","one"]}]},
            {"name":"three","type":["null",{"type":"array","items":["null","one"]}]}]}
            """.Replace("ONE", One, StringComparison.Ordinal));
        ReadableFile file = _table.WriteSchema(
            List("one", Item(Number("a"))),
            List("named", Item(Number("array"))),
            List("nested", Item(new GroupNode("s", Repetition.Optional, [Number("a")]))),
            List("lists", Item(List("l", Number("array", Repetition.Repeated)))),
            List("deep", List("array", Item(Number("a")), Repetition.Repeated)),
            List("numbers", Number("array", Repetition.Repeated)),
            List("wrapped", Item(Number("element"))),
            List("wrappedrecords", Item(new GroupNode("element", Repetition.Optional, [Number("a")]))),
            List("three", new GroupNode("list", Repetition.Repeated, [new GroupNode("element", Repetition.Optional, [Number("a")])])));
        string sql = $"SELECT {new SliceScan(snapshot).Columns([file], snapshot.Schema.FieldsList)} FROM {SliceScan.From([file])}";
        Assert.Equal(expected, string.Join(" | ", _table.Texts($"SELECT coalesce(CAST({column} AS VARCHAR), 'NULL') FROM ({sql})").OrderByDescending(t => t.Contains('7', StringComparison.Ordinal)).ThenByDescending(t => t[0])));
    }

    private static PrimitiveNode Number(string name, Repetition repetition = Repetition.Optional) => new(name, repetition, LogicalType.None(), PhysicalType.Int32);

    private static GroupNode Item(Node field) => new("array", Repetition.Repeated, [field]);

    private static GroupNode List(string name, Node item, Repetition repetition = Repetition.Optional) => new(name, repetition, [item], LogicalType.List());
}
