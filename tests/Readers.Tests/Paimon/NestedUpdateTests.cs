using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Paimon.MergeEngines;

namespace LakeHolo.Readers.Tests.Paimon;

/// <summary>The aggregate functions nested_update and nested_partial_update, as Paimon 1.4.2 computes them.</summary>
public sealed class NestedUpdateTests : OverAppendTables
{
    private static readonly PaimonType Int = new() { Kind = PaimonTypeKind.Int, Text = "INT" };
    private static readonly PaimonType Rows = new()
    {
        Kind = PaimonTypeKind.Array,
        Element = new() { Kind = PaimonTypeKind.Row, Fields = [new(11, "k", Int), new(12, "v", Int)], Text = "ROW" },
        Text = "ARRAY<ROW>",
    };

    // A row is KV, none is -; an option behind ';'.
    [Theory]
    [InlineData("", "NULL", "11 - 12", "11 - 12")]
    [InlineData("", "11 -", "- 12", "11 12")]
    [InlineData("count-limit=1", "NULL", "11 12", "11 12")]
    [InlineData("count-limit=3", "11", "- 12 13 14", "11 12 13")]
    [InlineData("count-limit=1", "11", "12", "11")]
    [InlineData("nested-key=k", "NULL", "11 12", "11 12")]
    [InlineData("nested-key=k", "11 - 12 21", "13 -", "21 13")]
    public void Rows_are_added(string option, string acc, string input, string expected) => Assert.Equal(expected, Evaluate(option, (f, a, x) => f.Add(a, x, "true")!, acc, input));

    [Theory]
    [InlineData("", "11 - 12 11", "11", "12")]
    [InlineData("", "11", "NULL", "11")]
    [InlineData("", "NULL", "11", "NULL")]
    [InlineData("nested-key=k", "11 12 - 21 31", "29 -", "12 31")]
    public void Rows_are_retracted(string option, string acc, string input, string expected) => Assert.Equal(expected, Evaluate(option, (f, a, x) => f.Retract(a, x)!, acc, input));

    [Theory]
    [InlineData("nested_update", "nested-sequence-field=v")]
    [InlineData("nested_update", "nested-key-null-strategy=error")]
    [InlineData("nested_partial_update", "nested-key-null-strategy=ignore")]
    public void Options_that_1_4_does_not_know_are_refused(string name, string option)
    {
        foreach (string options in (string[])["fields.c.nested-key=k", $"fields.c.nested-key=k;fields.c.{option}"])
        {
            PaimonSnapshot snapshot = Table([new(0, "c", Rows)], options, []);
            string? sql = new AggregateFunction(snapshot.TableSchema.Fields[0], name, new MergeOptions(snapshot)).Add("a", "x", "true");
            Assert.Equal(options.Contains(';', StringComparison.Ordinal), sql is null);
        }
    }

    private string Evaluate(string option, Func<AggregateFunction, string, string, string> sql, string acc, string input)
    {
        PaimonSnapshot snapshot = Table([new(0, "c", Rows)], option.Length == 0 ? null : "fields.c." + option, []);
        var function = new AggregateFunction(snapshot.TableSchema.Fields[0], "nested_update", new MergeOptions(snapshot));
        const string Text = "coalesce(array_to_string(list_transform(r, lambda e: coalesce(e.k || '' || e.v, '-')), ' '), 'NULL')";
        return Assert.Single(TableOfRuns.Read(Engine, $"SELECT {sql(function, "acc", "x")} AS r FROM (SELECT {List(acc)} AS acc, {List(input)} AS x)", [Text]));
    }

    private static string List(string rows) => rows == "NULL"
        ? "NULL::STRUCT(k INTEGER, v INTEGER)[]"
        : $"[{string.Join(", ", rows.Split(' ').Select(r => r == "-" ? "NULL" : $"{{'k': {r[0]}, 'v': {r[1]}}}"))}]::STRUCT(k INTEGER, v INTEGER)[]";
}
