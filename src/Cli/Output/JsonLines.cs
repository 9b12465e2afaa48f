using System.Text.Encodings.Web;
using System.Text.Json;
using Apache.Arrow;

namespace LakeHolo.Cli.Output;

/// <summary>One JSON object a line.</summary>
internal sealed class JsonLines(Stream stream) : IRowWriter
{
    public static JsonWriterOptions WriterOptions { get; } = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly byte[] NewLine = "\n"u8.ToArray();

    public ValueTask BeginAsync(Schema schema) => ValueTask.CompletedTask;

    public async ValueTask WriteAsync(RecordBatch batch, CancellationToken cancellationToken)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, WriterOptions))
        {
            for (int row = 0; row < batch.Length; row++)
            {
                json.Reset();
                json.WriteStartObject();
                for (int c = 0; c < batch.ColumnCount; c++)
                {
                    json.WritePropertyName(batch.Schema.FieldsList[c].Name);
                    CellText.WriteJson(json, batch.Column(c), row);
                }

                json.WriteEndObject();
                json.Flush();
                buffer.Write(NewLine);
            }
        }

        await stream.WriteAsync(buffer.GetBuffer().AsMemory(0, (int)buffer.Length), cancellationToken);
    }

    public ValueTask EndAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync() => await stream.FlushAsync();
}
