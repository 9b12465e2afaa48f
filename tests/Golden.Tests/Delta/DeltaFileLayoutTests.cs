using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Scanning;
using ParquetSharp;
using ParquetSharp.Schema;

namespace LakeHolo.Golden.Tests.Delta;

/// <summary>Ways in which columns stand in files: every form of lists and maps that Parquet's rules allow, and structs of which a file holds nothing that is wanted.</summary>
public class DeltaFileLayoutTests
{
    private static PrimitiveNode Int(string name, Repetition r) => new(name, r, LogicalType.None(), PhysicalType.Int32);

    public static TheoryData<string> Lists => ["bare", "list2", "bag", "item", "array_struct", "tuple", "two_fields", "avro_array_in_array"];

    [Theory]
    [MemberData(nameof(Lists))]
    public async Task Every_form_of_a_list_is_read(string form)
    {
        using var table = new HandMadeTable();
        (Node node, bool isStruct, int leaves) = form switch
        {
            "bare" => ((Node)Int("l", Repetition.Repeated), false, 1),
            "list2" => (new GroupNode("l", Repetition.Optional, [Int("element", Repetition.Repeated)], LogicalType.List()), false, 1),
            "bag" => (new GroupNode("l", Repetition.Optional, [new GroupNode("bag", Repetition.Repeated, [Int("array", Repetition.Optional)])], LogicalType.List()), false, 1),
            "item" => (new GroupNode("l", Repetition.Optional, [new GroupNode("list", Repetition.Repeated, [Int("item", Repetition.Optional)])], LogicalType.List()), false, 1),
            "array_struct" => (new GroupNode("l", Repetition.Optional, [new GroupNode("array", Repetition.Repeated, [Int("a", Repetition.Required)])], LogicalType.List()), true, 1),
            "tuple" => (new GroupNode("l", Repetition.Optional, [new GroupNode("l_tuple", Repetition.Repeated, [Int("a", Repetition.Required)])], LogicalType.List()), true, 1),
            "two_fields" => (new GroupNode("l", Repetition.Optional, [new GroupNode("x", Repetition.Repeated, [Int("a", Repetition.Required), Int("b", Repetition.Required)])], LogicalType.List()), true, 2),
            _ => (new GroupNode("l", Repetition.Optional, [new GroupNode("array", Repetition.Repeated, [Int("array", Repetition.Repeated)], LogicalType.List())], LogicalType.List()), false, 1),
        };
        using var schema = new GroupNode("schema", Repetition.Required, [node]);
        using var props = new WriterPropertiesBuilder().Compression(Compression.Snappy).Build();
        using (var writer = new ParquetFileWriter(table.TableFile("1.parquet"), schema, props))
        {
            using RowGroupWriter group = writer.AppendRowGroup();
            for (int i = 0; i < leaves; i++)
            {
                using var c = (ColumnWriter<int>)group.NextColumn();
                short d = c.ColumnDescriptor.MaxDefinitionLevel;
                short[] rep = form.StartsWith("avro", StringComparison.Ordinal) ? [0, 2] : [0, 1];
                c.WriteBatch(2, [d, d], rep, [1, 2]);
            }

            writer.Close();
        }

        string element = form.StartsWith("avro", StringComparison.Ordinal) ? """{"type":"array","elementType":"integer","containsNull":true}"""
            : isStruct ? """{"type":"struct","fields":[{"name":"a","type":"integer"}]}""" : "\"integer\"";
        table.Commit(0, [.. HandMadeTable.Create(["l {\"type\":\"array\",\"containsNull\":true,\"elementType\":" + element + "}"]), HandMadeTable.Add("1.parquet", 1)]);
        string expected = form.StartsWith("avro", StringComparison.Ordinal) ? "[[[1, 2]]]" : isStruct ? "[[{'a': 1}, {'a': 2}]]" : "[[1, 2]]";
        Assert.Equal([expected], await table.RowsAsync());
    }

    [Theory]
    [InlineData("entries", "key", "value")]
    [InlineData("map", "k", "v")]
    [InlineData("key_value", "value", "key")]
    public async Task The_first_child_of_a_map_is_its_key_whatever_the_names(string group, string key, string value)
    {
        using var table = new HandMadeTable();
        using var node = new GroupNode("m", Repetition.Optional, [new GroupNode(group, Repetition.Repeated, [Int(key, Repetition.Required), Int(value, Repetition.Optional)])], LogicalType.Map());
        using var schema = new GroupNode("schema", Repetition.Required, [node]);
        using var props = new WriterPropertiesBuilder().Compression(Compression.Snappy).Build();
        using (var writer = new ParquetFileWriter(table.TableFile("1.parquet"), schema, props))
        {
            using RowGroupWriter g = writer.AppendRowGroup();
            for (int i = 0; i < 2; i++)
            {
                using var c = (ColumnWriter<int>)g.NextColumn();
                short d = c.ColumnDescriptor.MaxDefinitionLevel;
                c.WriteBatch(1, [d], [0], [i + 1]);
            }

            writer.Close();
        }

        table.Commit(0, [.. HandMadeTable.Create(["m {\"type\":\"map\",\"keyType\":\"integer\",\"valueType\":\"integer\",\"valueContainsNull\":true}"]), HandMadeTable.Add("1.parquet", 1)]);
        Assert.Equal(["[{1=2}]"], await table.RowsAsync());
    }

    [Theory]
    [InlineData("{'a': 1}", """{"type":"struct","fields":[{"name":"z","type":"integer"}]}""", "NULL")]
    [InlineData("[{'a': 1}, NULL]", """{"type":"array","elementType":{"type":"struct","fields":[{"name":"z","type":"integer"}]},"containsNull":true}""", "[NULL, NULL]")]
    [InlineData("MAP {'k': {'a': 1}}", """{"type":"map","keyType":"string","valueType":{"type":"struct","fields":[{"name":"z","type":"integer"}]},"valueContainsNull":true}""", "{k=NULL}")]
    [InlineData("{'q': {'a': 1}, 'b': 2}", """{"type":"struct","fields":[{"name":"q","type":{"type":"struct","fields":[{"name":"z","type":"integer"}]}},{"name":"b","type":"integer"}]}""", "{'q': NULL, 'b': 2}")]
    [InlineData("{'q': {'a': 1}, 'b': 2}", """{"type":"struct","fields":[{"name":"q","type":{"type":"struct","fields":[{"name":"z","type":"integer"}]}}]}""", "NULL")]
    [InlineData("[{'q': {'a': 1}, 'b': 2}]", """{"type":"array","elementType":{"type":"struct","fields":[{"name":"q","type":{"type":"struct","fields":[{"name":"z","type":"integer"}]}}]},"containsNull":true}""", "[NULL]")]
    [InlineData("[1,2]", """{"type":"array","elementType":"void","containsNull":true}""", "[NULL, NULL]")]
    [InlineData("MAP {'a': 1}", """{"type":"map","keyType":"string","valueType":"void","valueContainsNull":true}""", "{a=NULL}")]
    public async Task A_struct_of_which_a_file_holds_no_field_is_null_within_lists_and_maps_too(string sql, string type, string expected)
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", $"SELECT 1 AS id, {sql} AS s UNION ALL SELECT 2, NULL");
        table.Commit(0, [.. HandMadeTable.Create(["id integer", "s " + type]), HandMadeTable.Add("1.parquet", size)]);
        string[] rows = await table.RowsAsync();
        Assert.Equal([$"[1, {expected}]", "[2, NULL]"], rows);
    }

    [Theory]
    [InlineData("id")]
    [InlineData("ID")]
    public async Task Columns_that_differ_in_case_only_are_never_mixed_up(string wanted)
    {
        using var table = new HandMadeTable();
        string path = table.TableFile("1.parquet");
        WriteTwo(path);
        table.Commit(0, [.. HandMadeTable.Create([wanted + " integer"]), HandMadeTable.Add("1.parquet", 1)]);
        if (wanted == "id")
        {
            Assert.Equal(["[1]"], await table.RowsAsync());
            return;
        }

        // The engine would take the first.
        LakeException refused = await Assert.ThrowsAsync<LakeException>(() => table.RowsAsync());
        Assert.Contains("'ID'", refused.Message, StringComparison.Ordinal);
    }

    private static void WriteTwo(string path)
    {
        using var writer = new ParquetFileWriter(path, [new Column<int>("id"), new Column<int>("ID")]);
        using RowGroupWriter group = writer.AppendRowGroup();
        foreach (int value in new[] { 1, 2 })
        {
            using LogicalColumnWriter<int> column = group.NextColumn().LogicalWriter<int>();
            column.WriteBatch([value]);
        }

        writer.Close();
    }
}
