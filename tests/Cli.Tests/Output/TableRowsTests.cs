using Apache.Arrow;
using LakeHolo.Cli.Output;

namespace LakeHolo.Cli.Tests.Output;

public sealed class TableRowsTests
{
    [Fact]
    public async Task Numbers_stand_to_the_right_and_the_rows_are_counted()
    {
        string[] lines = await LinesAsync(80, 10, Columns.Batch(("name", Columns.Texts("a", null)), ("n", Columns.Longs(1, 1000))));
        Assert.Equal(["name │ n", "─────┼─────", "a    │    1", "NULL │ 1000", "(2 rows)"], lines);
    }

    [Fact]
    public async Task No_line_is_wider_than_the_terminal_when_columns_can_be_cut()
    {
        string[] lines = await LinesAsync(40, 10, Columns.Batch(("long", Columns.Texts(new string('x', 200))), ("wide", Columns.Texts(new string('漢', 50))), ("n", Columns.Longs(7))));
        Assert.All(lines, line => Assert.InRange(TextWidth.Of(line), 0, 40));
        Assert.Contains(lines, line => line.Contains('…', StringComparison.Ordinal));
        Assert.Contains(lines, line => line.EndsWith('7'));
    }

    [Fact]
    public async Task A_long_result_is_cut_and_says_so()
    {
        string[] lines = await LinesAsync(80, 2, Columns.Batch(("n", Columns.Longs(1, 2, 3))), Columns.Batch(("n", Columns.Longs(4))));
        Assert.Equal("(4 rows, the first 2 shown (--max-rows))", lines[^1]);
        Assert.Equal(5, lines.Length);
    }

    [Fact]
    public async Task Control_characters_never_reach_the_terminal()
    {
        string[] lines = await LinesAsync(80, 10, Columns.Batch(("n", Columns.Texts("\u001b[31mred\u0007\nnext"))));
        Assert.DoesNotContain(string.Concat(lines), char.IsControl);
    }

    private static async Task<string[]> LinesAsync(int width, int maxRows, params RecordBatch[] batches)
    {
        await using var text = new StringWriter();
        await using (var table = new TableRows(text, width, maxRows))
        {
            await table.BeginAsync(batches[0].Schema);
            foreach (RecordBatch batch in batches)
            {
                await table.WriteAsync(batch, default);
            }

            await table.EndAsync();
        }

        return text.ToString().TrimEnd('\n').Split('\n');
    }
}
