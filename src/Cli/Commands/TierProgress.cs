using System.Diagnostics;
using System.Globalization;
using Apache.Arrow;
using LakeHolo.Cli.Connections;
using LakeHolo.Cli.Output;

namespace LakeHolo.Cli.Commands;

/// <summary>While a promotion runs: says on standard error how far each table is, when a person is watching.</summary>
internal sealed class TierProgress : IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);

    private readonly CancellationTokenSource _stop;
    private readonly Task _loop;

    private TierProgress(IConnection connection, CancellationTokenSource stop)
    {
        _stop = stop;
        _loop = Task.Run(() => WatchAsync(connection, stop.Token));
    }

    /// <summary>Begins to watch; null when standard error is not a terminal.</summary>
    public static TierProgress? Start(IConnection connection, CancellationToken cancellationToken)
        => Console.IsErrorRedirected ? null : new TierProgress(connection, CancellationTokenSource.CreateLinkedTokenSource(cancellationToken));

    public void Dispose()
    {
        _stop.Cancel();
        _loop.ContinueWith(_ => _stop.Dispose(), TaskScheduler.Default);
        Console.Error.Write("\r\u001b[K");
    }

    private static async Task WatchAsync(IConnection connection, CancellationToken cancellationToken)
    {
        long started = Stopwatch.GetTimestamp();
        try
        {
            while (true)
            {
                await Task.Delay(Interval, cancellationToken);
                var parts = new List<string>();
                long rows = 0;
                await using IAnswer answer = await connection.ExecuteAsync(
                    "SELECT \"table\" || coalesce(' ' || CAST(CAST(progress_percent AS INTEGER) AS VARCHAR) || ' %', ' …') || coalesce(' ' || format('{:,}', row_count) || ' rows', '') AS line, row_count "
                    + "FROM lakeholo.hot_tables WHERE state IN ('promoting', 'refreshing')", cancellationToken);
                await foreach (RecordBatch batch in answer.ReadAsync(cancellationToken))
                {
                    parts.AddRange(Enumerable.Range(0, batch.Length).Select(i => CellText.Of(batch.Column(0), i) ?? string.Empty));
                    rows += Enumerable.Range(0, batch.Length).Sum(i => ((Int64Array)batch.Column(1)).GetValue(i) ?? 0);
                    batch.Dispose();
                }

                double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
                string rate = rows > 0 ? string.Create(CultureInfo.InvariantCulture, $"   {rows / seconds:#,0} rows/s") : string.Empty;
                await Console.Error.WriteAsync("\r\u001b[K" + string.Join("   ", parts) + rate);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or LakeCatalog.LakeException)
        {
            // Watching ends with what is watched, and never decides its outcome.
        }
    }
}
