using Apache.Arrow;
using LakeHolo.Cli.Connections;

namespace LakeHolo.Cli.Output;

/// <summary>Formats of rows.</summary>
internal enum RowFormat
{
    Table,
    Csv,
    Json,
    Arrow,
    Parquet,
}

/// <summary>Where rows go and in which format.</summary>
internal sealed record RowTarget(RowFormat Format, string? Path, int MaxRows)
{
    private const int PlainWidth = 4096;

    /// <summary>Writes an answer whole. A file appears under its name only when it is complete.</summary>
    /// <returns>Number of rows.</returns>
    public async ValueTask<long> WriteAsync(IAnswer answer, CancellationToken cancellationToken)
    {
        if (Path is null)
        {
            await using Stream output = Console.OpenStandardOutput();
            return await WriteAsync(answer, output, cancellationToken);
        }

        string temporary = Path + ".part";
        try
        {
            long rows;
            await using (var file = new FileStream(temporary, FileMode.Create, FileAccess.ReadWrite))
            {
                rows = await WriteAsync(answer, file, cancellationToken);
            }

            File.Move(temporary, Path, overwrite: true);
            return rows;
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    private async ValueTask<long> WriteAsync(IAnswer answer, Stream output, CancellationToken cancellationToken)
    {
        await using IRowWriter writer = Create(output);
        await writer.BeginAsync(answer.Schema);
        long rows = 0;
        using ReadProgress progress = ReadProgress.Start(rowsGoToTerminal: Path is null && !Console.IsOutputRedirected);
        await foreach (RecordBatch batch in answer.ReadAsync(cancellationToken))
        {
            using (batch)
            {
                rows += batch.Length;
                progress.Add(batch);
                await writer.WriteAsync(batch, cancellationToken);
            }
        }

        await writer.EndAsync();
        return rows;
    }

    private IRowWriter Create(Stream output) => Format switch
    {
        RowFormat.Csv => new CsvRows(new StreamWriter(output)),
        RowFormat.Json => new JsonLines(output),
        RowFormat.Arrow => new ArrowRows(output),
        RowFormat.Parquet => new ParquetRows(output),
        _ => new TableRows(new StreamWriter(output), Path is null && !Console.IsOutputRedirected ? Math.Max(40, Console.WindowWidth) : PlainWidth, MaxRows),
    };
}
