using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;

namespace LakeHolo.Readers.Tests.Paimon;

/// <summary>Variants as JSON text, whatever way each file stores them.</summary>
public sealed class StoredVariantsTests : OverAppendTables
{
    // Dictionary: a, b.
    private const string Metadata = "unhex('01020001026162')";
    private const string Seven = "unhex('0C07')";

    // {"a": 7, "b": "x"}, and {"b": "x"}
    private const string Both = "unhex('020200010002040C070578')";
    private const string OnlyB = "unhex('02010100020578')";

    private static readonly PaimonType Int = new() { Kind = PaimonTypeKind.Int, Text = "INT" };
    private static readonly PaimonType Variant = new() { Kind = PaimonTypeKind.Variant, Text = "VARIANT" };

    [Fact]
    public async Task Files_that_store_variants_in_different_ways_are_read_together()
    {
        PaimonSnapshot snapshot = Table([new(0, "k", Int), new(1, "v", Variant)], null,
        [
            File("plain", $"SELECT 1::INTEGER AS k, {{'value': {Both}, 'metadata': {Metadata}}} AS v"),
            File("null", $"SELECT 2::INTEGER AS k, CASE WHEN random() < 2 THEN NULL ELSE {{'value': {Both}, 'metadata': {Metadata}}} END AS v"),
            File("scalar", $"SELECT 3::INTEGER AS k, {{'metadata': {Metadata}, 'value': NULL::BLOB, 'typed_value': 5::BIGINT}} AS v"),
            File("other", $"SELECT 4::INTEGER AS k, {{'metadata': {Metadata}, 'value': {Seven}, 'typed_value': NULL::VARCHAR}} AS v"),
            File("fields", $"SELECT 5::INTEGER AS k, {{'metadata': {Metadata}, 'value': {OnlyB}, 'typed_value': {{'a': {{'value': NULL::BLOB, 'typed_value': 8::INTEGER}}}}}} AS v"),
            File("lacking", "SELECT 6::INTEGER AS k"),
        ]);
        Assert.Equal(["1|{\"a\":7,\"b\":\"x\"}", "2|-", "3|5", "4|7", "5|{\"a\":8,\"b\":\"x\"}", "6|-"], await ReadAsync(snapshot, "k", "v"));
        Assert.Equal(["1", "2", "3", "4", "5", "6"], await ReadAsync(snapshot, "k"));
    }

    [Fact]
    public async Task Variants_inside_of_lists_maps_and_rows_are_read_too()
    {
        var list = new PaimonType { Kind = PaimonTypeKind.Array, Element = Variant, Text = "ARRAY<VARIANT>" };
        var map = new PaimonType { Kind = PaimonTypeKind.Map, Element = Int with { Nullable = false }, Value = Variant, Text = "MAP<INT, VARIANT>" };
        var row = new PaimonType { Kind = PaimonTypeKind.Row, Fields = [new(11, "new", Variant), new(12, "n", Int)], Text = "ROW<new VARIANT, n INT>" };
        PaimonField[] old = [new(0, "l", list), new(1, "m", map), new(2, "r", row with { Fields = [new(12, "n", Int), new(11, "v", Variant)] })];
        string value = $"{{'value': {Both}, 'metadata': {Metadata}}}";
        string shredded = $"{{'metadata': {Metadata}, 'value': NULL::BLOB, 'typed_value': 5::BIGINT}}";
        PaimonSnapshot snapshot = Table([new(0, "l", list), new(1, "m", map), new(2, "r", row)], null,
        [
            File("plain", $"SELECT [{value}, NULL] AS l, MAP {{1: {value}}} AS m, {{'n': 3::INTEGER, 'v': {value}}} AS r"),
            File("shredded", $"SELECT [{shredded}] AS l, MAP {{1: {shredded}}} AS m, {{'n': 4::INTEGER, 'v': {shredded}}} AS r"),
        ], Schema(0, old, null));
        const string Json = "{\"a\":7,\"b\":\"x\"}";
        Assert.Equal(["5|1=5|5|4", $"{Json};-|1={Json}|{Json}|3"], await ReadAsync(
            snapshot, ["l", "m", "r"], "array_to_string(list_transform(l, lambda e: coalesce(e, '-')), ';')", "map_keys(m)[1] || '=' || map_values(m)[1]", "r.new", "r.n"));
    }

    [Fact]
    public async Task Groups_of_files_that_hold_columns_of_the_same_rows_may_store_variants_in_different_ways()
    {
        PaimonDataFile First(int id, string v) => File($"a{id}", $"SELECT {v} AS v") with { FirstRowId = id, WriteColumns = ["v"] };
        PaimonDataFile Second(int id) => File($"b{id}", $"SELECT {id}::INTEGER AS k") with { FirstRowId = id, WriteColumns = ["k"], MaxSequenceNumber = 2 };
        PaimonSnapshot snapshot = Table([new(0, "k", Int), new(1, "v", Variant)], "data-evolution.enabled",
        [
            First(1, $"{{'value': {Both}, 'metadata': {Metadata}}}"), Second(1),
            First(2, $"{{'metadata': {Metadata}, 'value': NULL::BLOB, 'typed_value': 5::BIGINT}}"), Second(2),
        ]);
        Assert.Equal(["1|{\"a\":7,\"b\":\"x\"}", "2|5"], await ReadAsync(snapshot, "k", "v"));
    }

    [Theory]
    [InlineData("deduplicate", "1|5", "2|-")]
    [InlineData("partial-update", "1|5", "2|{\"b\":\"x\"}")]
    [InlineData("aggregation", "1|5", "2|{\"b\":\"x\"}")]
    public async Task Rows_with_variants_are_merged_by_key(string engine, params string[] expected)
    {
        PaimonDataFile Run(string name, long sequence, string one, string two) =>
            File(name, $"SELECT k::INTEGER AS k, v, {sequence}::BIGINT AS \"_SEQUENCE_NUMBER\", 0::TINYINT AS \"_VALUE_KIND\" FROM (VALUES (1, {one}), (2, {two})) t(k, v)") with
            {
                RowCount = 2,
                MinKey = [0, 0, 0, 1, .. new byte[8], 1, .. new byte[7]],
                MaxKey = [0, 0, 0, 1, .. new byte[8], 2, .. new byte[7]],
                MinSequenceNumber = sequence,
                MaxSequenceNumber = sequence,
            };
        string five = $"{{'metadata': {Metadata}, 'value': NULL::BLOB, 'typed_value': 5::BIGINT}}";
        PaimonSnapshot snapshot = Table([new(0, "k", Int with { Nullable = false }), new(1, "v", Variant)], "merge-engine=" + engine,
        [
            Run("a", 1, $"{{'value': {Both}, 'metadata': {Metadata}}}", $"{{'value': {OnlyB}, 'metadata': {Metadata}}}"), Run("b", 2, five, "NULL"),
        ], key: ["k"]);
        Assert.Equal(expected, await ReadAsync(snapshot, "k", "v"));
    }

    [Fact]
    public async Task A_group_that_is_no_variant_is_an_error_that_names_column_and_file()
    {
        PaimonSnapshot snapshot = Table([new(1, "v", Variant)], null, [File("f", $"SELECT {{'value': {Seven}}} AS v")]);
        LakeException error = await Assert.ThrowsAsync<LakeException>(() => ReadAsync(snapshot, "v"));
        Assert.Equal((LakeErrorKind.FormatInvalid, "bucket-0/f.parquet"), (error.Kind, error.Path));
        Assert.Contains("'v'", error.Message, StringComparison.Ordinal);
    }
}
