using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Tests.Paimon;

/// <summary>Append tables whose files do not hold what their schema names: where Paimon fails, so do we, and do not give NULL.</summary>
public sealed class EvolvedFilesTests : OverAppendTables
{
    private static readonly PaimonType Int = new() { Kind = PaimonTypeKind.Int, Text = "INT" };
    private static readonly PaimonType Row = new() { Kind = PaimonTypeKind.Row, Fields = [new(11, "a", Int), new(12, "b", Int)], Text = "ROW<a INT, b INT>" };
    private static readonly PaimonType OnlyA = Row with { Fields = [Row.Fields[0]] };
    private static readonly PaimonType Rows = new() { Kind = PaimonTypeKind.Array, Element = Row, Text = "ARRAY<ROW<a INT, b INT>>" };
    private static readonly PaimonType Vector = new() { Kind = PaimonTypeKind.Vector, Element = Int with { Kind = PaimonTypeKind.Float }, Length = 2, Text = "VECTOR<FLOAT, 2>" };
    private static readonly PaimonType MapOfRows = new()
    {
        Kind = PaimonTypeKind.Map,
        Element = Int with { Nullable = false },
        Value = Row,
        Text = "MAP<INT, ROW<a INT, b INT>>",
    };

    public static TheoryData<string, string> Incomplete() => new()
    {
        { "row", "{'a': 1}" },
        { "rows", "[{'a': 1}]" },
        { "map", "MAP {1: {'a': 1}}" },
    };

    [Theory]
    [MemberData(nameof(Incomplete))]
    public async Task A_field_of_a_row_that_a_file_does_not_have_is_an_error_and_not_null(string kind, string value)
    {
        PaimonType type = kind switch { "row" => Row, "rows" => Rows, _ => MapOfRows };
        PaimonSnapshot snapshot = Table([new(0, "k", Int), new(1, "c", type)], null, [File("f", $"SELECT 1::INTEGER AS k, {value} AS c")]);
        LakeException error = await Assert.ThrowsAsync<LakeException>(() => ReadAsync(snapshot, "c"));
        Assert.Equal(LakeErrorKind.FormatInvalid, error.Kind);
        Assert.Contains("has no field 'b'", error.Message, StringComparison.Ordinal);
        Assert.Contains("'c", error.Message, StringComparison.Ordinal);
        Assert.Equal("bucket-0/f.parquet", error.Path);
        Assert.Equal(["1"], await ReadAsync(snapshot, "k"));
    }

    [Fact]
    public async Task A_field_that_nobody_wants_any_more_may_be_missing_and_a_column_as_well()
    {
        // The file's schema names a field that the table has not any more, and a column that the file does not have.
        PaimonSchema old = Schema(0, [new(0, "k", Int), new(1, "c", Row), new(2, "d", Row)], null);
        PaimonSnapshot snapshot = Table([new(0, "k", Int), new(1, "c", OnlyA), new(2, "d", OnlyA)], null, [File("f", "SELECT 1::INTEGER AS k, {'a': 5} AS c")], old);
        Assert.Equal(["1|{'a': 5}|-"], await ReadAsync(snapshot, "k", "c", "d"));
    }

    [Fact]
    public async Task A_list_or_map_of_rows_none_of_whose_fields_is_in_the_file_is_null_as_a_whole_as_rows_are()
    {
        PaimonType renewed = Row with { Fields = [new(13, "a", Int)] };
        PaimonType outer = Row with { Fields = [new(14, "r", Row), new(15, "x", Int)] };
        PaimonSchema old = Schema(0, [new(0, "k", Int), new(1, "l", Rows), new(2, "m", MapOfRows), new(3, "o", outer), new(4, "p", outer)], null);
        PaimonSnapshot snapshot = Table(
            [
                new(0, "k", Int), new(1, "l", Rows with { Element = renewed }), new(2, "m", MapOfRows with { Value = renewed }),
                new(3, "o", outer with { Fields = [new(14, "r", renewed)] }), new(4, "p", outer with { Fields = [new(14, "r", renewed), new(15, "x", Int)] }),
            ],
            null,
            [File("f", "SELECT 1::INTEGER AS k, [{'a': 1, 'b': 2}] AS l, MAP {1: {'a': 1, 'b': 2}} AS m, {'r': {'a': 1, 'b': 2}, 'x': 3} AS o, {'r': {'a': 1, 'b': 2}, 'x': 3} AS p")],
            old);
        Assert.Equal(["1|-|-|-|{'r': NULL, 'x': 3}"], await ReadAsync(snapshot, "k", "l", "m", "o", "p"));
    }

    [Fact]
    public async Task A_null_that_older_readers_read_as_a_default_is_an_error_whatever_conditions_say()
    {
        PaimonDataFile[] files = [File("f", "SELECT 1::INTEGER AS k")];
        PaimonSchema old = Schema(0, [new(0, "k", Int)], null);
        PaimonSnapshot snapshot = Table([new(0, "k", Int), new(1, "v", Int)], "fields.v.default-value=5", files, old);
        foreach (ScanFilter? filter in (ScanFilter?[])[null, new ScanFilter.Compare("v", ScanComparison.Equal, new ScanLiteral(5L))])
        {
            await using TableScan scan = await Reader.PlanAsync(snapshot, new ScanRequest { Columns = ["k", "v"], Filter = filter });
            DuckDBException error = Assert.Throws<DuckDBException>(() => TableOfRuns.Read(Engine, $"SELECT * FROM ({scan.Sql}) WHERE v = 5", ["k"]));
            Assert.Contains("fields.v.default-value", error.Message, StringComparison.Ordinal);
        }

        Assert.Equal(["1"], await ReadAsync(snapshot, "k"));
        Assert.Equal(["1|7"], await ReadAsync(Table([new(0, "k", Int), new(1, "v", Int)], "fields.v.default-value=5", [File("g", "SELECT 1::INTEGER AS k, 7::INTEGER AS v")]), "k", "v"));
    }

    [Fact]
    public async Task Columns_beside_vectors_in_files_of_their_own_are_read_and_the_vectors_refused()
    {
        PaimonSnapshot snapshot = Table(
            [new(0, "k", Int), new(1, "v", Vector)], "data-evolution.enabled",
            [File("f", "SELECT 7::INTEGER AS k") with { FirstRowId = 0, WriteColumns = ["k"] }, File("f.vector", "SELECT 1 AS v") with { FirstRowId = 0, WriteColumns = ["v"] }]);
        Assert.Equal(["7"], await ReadAsync(snapshot, "k"));
        LakeException error = await Assert.ThrowsAsync<LakeException>(() => ReadAsync(snapshot, "v"));
        Assert.Equal((LakeErrorKind.FeatureUnsupported, "bucket-0/f.vector.parquet"), (error.Kind, error.Path));
        Assert.Contains("'v'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_not_null_column_that_no_file_of_the_rows_holds_is_an_error()
    {
        PaimonDataFile half = File("f", "SELECT 7::INTEGER AS k") with { FirstRowId = 0, WriteColumns = ["k"] };
        foreach (PaimonDataFile[] files in (PaimonDataFile[][])[[half], [half, File("g", "SELECT 8::INTEGER AS k") with { FirstRowId = 0, WriteColumns = ["k"], MaxSequenceNumber = 2 }]])
        {
            PaimonSnapshot snapshot = Table([new(0, "k", Int), new(1, "n", Int with { Nullable = false }), new(2, "m", Int)], "data-evolution.enabled", files);
            LakeException error = await Assert.ThrowsAsync<LakeException>(() => ReadAsync(snapshot, "k", "n"));
            Assert.Contains("'n' is NOT NULL", error.Message, StringComparison.Ordinal);
            Assert.Equal([files.Length == 1 ? "7|-" : "8|-"], await ReadAsync(snapshot, "k", "m"));
        }
    }
}
