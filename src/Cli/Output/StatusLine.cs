using System.Diagnostics;
using System.Globalization;
using Apache.Arrow;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Cli.Connections;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Cli.Output;

/// <summary>While long work runs: one line on standard error that says how far it is, twice a second, when a person is watching.</summary>
internal sealed class StatusLine : IAsyncDisposable
{
    private const string Clear = "\r\u001b[K";
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);

    private readonly TextWriter? _watched;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;

    /// <param name="watched">Where to write; null: nowhere.</param>
    /// <param name="ask">The line; empty for nothing to tell.</param>
    /// <param name="time">The clock.</param>
    public StatusLine(TextWriter? watched, Func<CancellationToken, ValueTask<string>> ask, TimeProvider time)
    {
        _watched = watched;
        _loop = watched is null ? Task.CompletedTask : Task.Run(() => WatchAsync(watched, ask, time, _stop.Token));
    }

    /// <summary>Watches promotions: percent, rows, bytes, files and rows a second.</summary>
    public static StatusLine OfPromotions(IConnection connection)
    {
        long started = Stopwatch.GetTimestamp();
        return new StatusLine(Terminal, token => PromotionsAsync(connection, () => Stopwatch.GetElapsedTime(started), token), TimeProvider.System);
    }

    /// <summary>Watches syncs: folders looked into, tables read.</summary>
    public static StatusLine OfSyncs(IConnection connection) => new(Terminal, token => SyncsAsync(connection, token), TimeProvider.System);

    /// <summary>Watches the first sync of an instance that is being opened.</summary>
    public static StatusLine OfSyncs(Func<CatalogService?> catalog)
        => new(Terminal, _ => ValueTask.FromResult(string.Join("   ", catalog()?.RunningSyncs ?? [])), TimeProvider.System);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        _stop.Dispose();
        _watched?.Write(Clear);
    }

    /// <summary>The line for promotions: <c>shop.dwd.orders 42 % of 12 files, 1,200,000 rows, 34.5 MB written   400,000 rows/s</c>.</summary>
    internal static async ValueTask<string> PromotionsAsync(IConnection connection, Func<TimeSpan> elapsed, CancellationToken cancellationToken)
    {
        var parts = new List<string>();
        long rows = 0;
        await using IAnswer answer = await connection.ExecuteAsync(
            """
            SELECT "table" || coalesce(' ' || CAST(CAST(progress_percent AS INTEGER) AS VARCHAR) || ' %', ' …') || coalesce(' of ' || progress_files || ' files', '')
                || coalesce(', ' || format('{:,}', row_count) || ' rows', '') || coalesce(', ' || format('{:.1f}', progress_bytes / 1e6) || ' MB written', '') AS line, row_count
            FROM lakeholo.hot_tables WHERE state IN ('promoting', 'refreshing') ORDER BY 1
            """, cancellationToken);
        await foreach (RecordBatch batch in answer.ReadAsync(cancellationToken))
        {
            parts.AddRange(Enumerable.Range(0, batch.Length).Select(i => CellText.Of(batch.Column(0), i) ?? string.Empty));
            rows += Enumerable.Range(0, batch.Length).Sum(i => ((Int64Array)batch.Column(1)).GetValue(i) ?? 0);
            batch.Dispose();
        }

        if (rows > 0)
        {
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"{rows / Math.Max(elapsed().TotalSeconds, 0.001):#,0} rows/s"));
        }

        return string.Join("   ", parts);
    }

    /// <summary>The line for syncs: <c>shop: 14 of 50 tables read</c>.</summary>
    internal static async ValueTask<string> SyncsAsync(IConnection connection, CancellationToken cancellationToken)
    {
        var parts = new List<string>();
        await using IAnswer answer = await connection.ExecuteAsync("SELECT progress FROM lakeholo.sync_runs WHERE state = 'running' ORDER BY 1", cancellationToken);
        await foreach (RecordBatch batch in answer.ReadAsync(cancellationToken))
        {
            parts.AddRange(Enumerable.Range(0, batch.Length).Select(i => CellText.Of(batch.Column(0), i) ?? string.Empty));
            batch.Dispose();
        }

        return string.Join("   ", parts);
    }

    private static TextWriter? Terminal => Console.IsErrorRedirected ? null : Console.Error;

    private static async Task WatchAsync(TextWriter watched, Func<CancellationToken, ValueTask<string>> ask, TimeProvider time, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                await Task.Delay(Interval, time, cancellationToken);
                await watched.WriteAsync(Clear + await ask(cancellationToken));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or LakeException)
        {
            // Watching ends with what is watched, and never decides its outcome.
        }
    }
}
