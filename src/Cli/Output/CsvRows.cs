using Apache.Arrow;

namespace LakeHolo.Cli.Output;

/// <summary>CSV as RFC 4180 says: a header, comma, quotes where needed. NULL is an empty field, an empty string is <c>""</c>.</summary>
internal sealed class CsvRows(TextWriter writer) : IRowWriter
{
    public async ValueTask BeginAsync(Schema schema) => await writer.WriteLineAsync(string.Join(',', schema.FieldsList.Select(f => Field(f.Name))));

    public async ValueTask WriteAsync(RecordBatch batch, CancellationToken cancellationToken)
    {
        for (int row = 0; row < batch.Length; row++)
        {
            for (int c = 0; c < batch.ColumnCount; c++)
            {
                if (c > 0)
                {
                    writer.Write(',');
                }

                writer.Write(Field(CellText.Of(batch.Column(c), row)));
            }

            writer.WriteLine();
        }

        await writer.FlushAsync(cancellationToken);
    }

    public ValueTask EndAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync() => await writer.FlushAsync();

    private static string Field(string? text) => text switch
    {
        null => string.Empty,
        "" => "\"\"",
        _ when text.AsSpan().IndexOfAny(",\"\r\n") >= 0 || text[0] == ' ' || text[^1] == ' ' => "\"" + text.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"",
        _ => text,
    };
}
