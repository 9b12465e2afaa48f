using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Apache.Arrow;
using LakeHolo.Cli.Connections;
using LakeHolo.Cli.Output;

namespace LakeHolo.Cli.Commands;

/// <summary>Runs one statement and writes its rows.</summary>
internal static class StatementRunner
{
    public static async Task RunAsync(IConnection connection, string sql, RowTarget? target, bool verbose, CancellationToken cancellationToken, Action<RecordBatch>? seen = null)
    {
        long started = Stopwatch.GetTimestamp();
        await using IAnswer executed = await connection.ExecuteAsync(sql, cancellationToken);
        IAnswer answer = seen is null ? executed : new WatchedAnswer(executed, seen);
        long rows = target is null ? await DrainAsync(answer, cancellationToken) : await target.WriteAsync(answer, cancellationToken);
        if (verbose)
        {
            double milliseconds = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
            await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{rows:#,0} rows in {milliseconds:0.#} ms from {connection.Description}"));
            foreach (string line in Describe(answer.AppMetadata))
            {
                await Console.Error.WriteLineAsync(line);
            }
        }
        else if (target?.Path is { } path)
        {
            await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{rows:#,0} rows written to {path}"));
        }
    }

    /// <summary>An answer whose batches somebody else looks at, too.</summary>
    private sealed class WatchedAnswer(IAnswer answer, Action<RecordBatch> seen) : IAnswer
    {
        public Schema Schema => answer.Schema;

        public ReadOnlyMemory<byte> AppMetadata => answer.AppMetadata;

        public IAsyncEnumerable<RecordBatch> ReadAsync(CancellationToken cancellationToken) => answer.ReadAsync(cancellationToken).Select(batch =>
        {
            seen(batch);
            return batch;
        });

        public ValueTask DisposeAsync() => answer.DisposeAsync();
    }

    private static async Task<long> DrainAsync(IAnswer answer, CancellationToken cancellationToken)
    {
        long rows = 0;
        await foreach (RecordBatch batch in answer.ReadAsync(cancellationToken))
        {
            rows += batch.Length;
            batch.Dispose();
        }

        return rows;
    }

    private static IEnumerable<string> Describe(ReadOnlyMemory<byte> appMetadata)
    {
        if (appMetadata.IsEmpty)
        {
            yield break;
        }

        using JsonDocument document = JsonDocument.Parse(appMetadata);
        foreach (JsonElement table in document.RootElement.GetProperty("tables").EnumerateArray())
        {
            string age = table.GetProperty("ageMs") is { ValueKind: JsonValueKind.Number } ms
                ? string.Create(CultureInfo.InvariantCulture, $", known to be the newest {ms.GetDouble():0} ms ago")
                : string.Empty;
            yield return $"  {table.GetProperty("table").GetString()}: {table.GetProperty("tier").GetString()}, snapshot {table.GetProperty("snapshot").GetString()}{age}, "
                + $"{table.GetProperty("filesRead").GetInt64()} of {table.GetProperty("filesTotal").GetInt64()} files";
        }
    }
}
