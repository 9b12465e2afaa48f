using Apache.Arrow;
using Apache.Arrow.Ipc;
using LakeHolo.Cli.Output;
using LakeHolo.Tests.Shared;
using ParquetSharp.Arrow;

namespace LakeHolo.Cli.Tests.Output;

public sealed class RowWriterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Csv_tells_null_from_the_empty_string_and_quotes_what_needs_it()
    {
        RecordBatch batch = Columns.Batch(("a,b", Columns.Texts("x", null, "", "say \"hi\"", "two\nlines", " padded")), ("n", Columns.Longs(1, null, 3, 4, 5, 6)));
        string text = await WriteTextAsync(RowFormat.Csv, batch);
        Assert.Equal("\"a,b\",n\nx,1\n,\n\"\",3\n\"say \"\"hi\"\"\",4\n\"two\nlines\",5\n\" padded\",6\n", text);
    }

    [Fact]
    public async Task Json_is_one_object_a_line_over_all_batches()
    {
        string text = await WriteTextAsync(RowFormat.Json, Columns.Batch(("k", Columns.Texts("ä"))), Columns.Batch(("k", Columns.Texts([null]))));
        Assert.Equal("{\"k\":\"ä\"}\n{\"k\":null}\n", text);
    }

    [Fact]
    public async Task An_arrow_file_reads_back_with_all_batches_and_nulls()
    {
        string path = await WriteAsync(RowFormat.Arrow, Columns.Batch(("n", Columns.Longs(1, null))), Columns.Batch(("n", Columns.Longs(3))));
        await using FileStream file = File.OpenRead(path);
        using var reader = new ArrowStreamReader(file);
        var values = new List<long?>();
        while (await reader.ReadNextRecordBatchAsync() is { } batch)
        {
            values.AddRange((Int64Array)batch.Column(0));
        }

        Assert.Equal([1, null, 3], values);
    }

    [Fact]
    public async Task A_parquet_file_reads_back_with_decimals_and_nested_values()
    {
        RecordBatch written = Columns.Batch(("money", Columns.Decimals(14, 2, 150, -5)), ("tags", Columns.Lists([1, 2], null)), ("s", Columns.Structs(2, ("x", Columns.Texts("a", null)))));
        string path = await WriteAsync(RowFormat.Parquet, written);
        using var reader = new FileReader(path);
        using IArrowArrayStream stream = reader.GetRecordBatchReader();
        RecordBatch batch = await stream.ReadNextRecordBatchAsync();
        Assert.Equal(["1.50", "-0.05"], Enumerable.Range(0, 2).Select(i => CellText.Of(batch.Column(0), i)));
        Assert.Equal(["[1,2]", null], Enumerable.Range(0, 2).Select(i => CellText.Of(batch.Column(1), i)));
        Assert.Equal(["{\"x\":\"a\"}", "{\"x\":null}"], Enumerable.Range(0, 2).Select(i => CellText.Of(batch.Column(2), i)));
    }

    [Theory]
    [InlineData(RowFormat.Csv)]
    [InlineData(RowFormat.Json)]
    [InlineData(RowFormat.Arrow)]
    [InlineData(RowFormat.Parquet)]
    [InlineData(RowFormat.Table)]
    internal async Task An_answer_without_rows_is_a_complete_file(RowFormat format)
    {
        Schema schema = Columns.Batch(("n", Columns.Longs())).Schema;
        string path = _folder.File("empty");
        Assert.Equal(0, await new RowTarget(format, path, 10).WriteAsync(new FakeAnswer(schema, []), default));
        Assert.True(File.Exists(path));
    }

    [Theory]
    [InlineData(RowFormat.Csv)]
    [InlineData(RowFormat.Parquet)]
    internal async Task A_statement_that_fails_halfway_leaves_the_old_file_and_no_other(RowFormat format)
    {
        string path = _folder.File("rows");
        await File.WriteAllTextAsync(path, "before");
        RecordBatch batch = Columns.Batch(("n", Columns.Longs(1)));
        var answer = new FakeAnswer(batch.Schema, [batch], new InvalidOperationException("halfway"));
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await new RowTarget(format, path, 10).WriteAsync(answer, default));
        Assert.Equal("before", await File.ReadAllTextAsync(path));
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    private async Task<string> WriteTextAsync(RowFormat format, params RecordBatch[] batches) => await File.ReadAllTextAsync(await WriteAsync(format, batches));

    private async Task<string> WriteAsync(RowFormat format, params RecordBatch[] batches)
    {
        string path = _folder.File("rows");
        await new RowTarget(format, path, 10).WriteAsync(new FakeAnswer(batches[0].Schema, batches), default);
        return path;
    }
}
