using Apache.Arrow;
using LakeHolo.Cli.Connections;
using LakeHolo.Cli.Output;
using ParquetSharp.Arrow;

namespace LakeHolo.Cli.Demo;

/// <summary>Rows as sorted lines of text, to compare answers as bags.</summary>
internal static class AnswerText
{
    public static async Task<List<string>> OfAsync(IAnswer answer, CancellationToken cancellationToken)
    {
        var lines = new List<string>();
        await foreach (RecordBatch batch in answer.ReadAsync(cancellationToken))
        {
            Add(lines, batch);
            batch.Dispose();
        }

        lines.Sort(StringComparer.Ordinal);
        return lines;
    }

    public static async Task<List<string>> OfParquetAsync(string path, CancellationToken cancellationToken)
    {
        var lines = new List<string>();
        using var file = new FileReader(path);
        using Apache.Arrow.Ipc.IArrowArrayStream stream = file.GetRecordBatchReader();
        while (await stream.ReadNextRecordBatchAsync(cancellationToken) is { } batch)
        {
            Add(lines, batch);
            batch.Dispose();
        }

        lines.Sort(StringComparer.Ordinal);
        return lines;
    }

    private static void Add(List<string> lines, RecordBatch batch)
    {
        for (int row = 0; row < batch.Length; row++)
        {
            lines.Add(string.Join('|', Enumerable.Range(0, batch.ColumnCount).Select(c => Cell(batch.Column(c), row))));
        }
    }

    /// <summary>Numbers by value: the scale of a decimal is its type's, and files of text have no types.</summary>
    private static string Cell(IArrowArray array, int row)
    {
        string text = CellText.Of(array, row)?.TrimEnd('Z') ?? "NULL";
        bool hasFraction = array is Decimal128Array or DoubleArray or FloatArray && text.Contains('.', StringComparison.Ordinal) && !text.Contains('E', StringComparison.Ordinal);
        return hasFraction ? text.TrimEnd('0').TrimEnd('.') : text;
    }
}
