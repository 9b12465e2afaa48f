using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Queries;
using LakeHolo.LakeCatalog.Snapshots;
using Microsoft.Extensions.Logging;

namespace LakeHolo.HotTier;

/// <summary>Verifies copies in the background, those first that were verified longest ago, within a budget of bytes of the lake.</summary>
internal sealed class HotPatrol(HotTierController tier, HotStore store, CatalogService catalog, long bytesPerHour, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan SoonestAgain = TimeSpan.FromHours(1);

    /// <summary>Goes on until it is stopped.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        double budget = 0;
        while (bytesPerHour > 0)
        {
            await Task.Delay(Pause, time, cancellationToken);
            budget = Math.Min(bytesPerHour, budget + (bytesPerHour * Pause.TotalHours));

            // What is larger than the budget of an hour waits until that is full, and uses up those of the next ones.
            while (Next() is var (table, bytes) && (bytes <= budget || budget >= bytesPerHour))
            {
                budget -= bytes;
                try
                {
                    await tier.VerifyAsync([table], cancellationToken);
                }
                catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
                {
                    // The copy may have been dropped meanwhile; whatever it was, the others are looked at.
                    Log.VerifyFailed(logger, table.Table.FullName, e.Message);
                }

                if (store.Find(table.Table) is { } copy)
                {
                    copy.TriedAt = time.GetUtcNow();
                }
            }
        }
    }

    private (CatalogTable Table, long Bytes)? Next()
    {
        DateTimeOffset due = time.GetUtcNow() - SoonestAgain;
        var next = catalog.Tables.Select(t => (Table: t, Copy: store.Find(t.Table)))
            .Where(p => p.Copy is { IsQuarantined: false } copy && copy.TriedAt <= due && p.Table.LastError is null && p.Table.Newest is { } newest && copy.Holds(newest))
            .OrderBy(p => p.Copy!.TriedAt).FirstOrDefault();
        return next.Copy is null ? null : (next.Table, BytesOf(next.Table.Newest!));
    }

    private static long BytesOf(Snapshot snapshot) => snapshot is QuerySnapshot query ? query.Tables.Sum(t => t.Snapshot.SizeBytes) : snapshot.SizeBytes;
}
