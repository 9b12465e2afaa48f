using Cronos;
using LakeHolo.Accelerator.Catalog;

namespace LakeHolo.HotTier;

/// <summary>When a source is synced: at an interval after the last run's end, or at the times of a cron expression (UTC).</summary>
internal sealed class SyncSchedule(LakeSource source)
{
    /// <summary>Timers do not take spans of months.</summary>
    private static readonly TimeSpan LongestDelay = TimeSpan.FromDays(1);

    private readonly CronExpression? _cron = source.SyncCron is null ? null : CronExpression.Parse(source.SyncCron);

    /// <summary>The next run after a time; null for never again.</summary>
    public DateTimeOffset? Next(DateTimeOffset now) => _cron is null ? now + source.SyncInterval : _cron.GetNextOccurrence(now, TimeZoneInfo.Utc);

    /// <summary>Completes when the next run is due.</summary>
    public async Task WaitAsync(TimeProvider time, CancellationToken cancellationToken)
    {
        DateTimeOffset? next = Next(time.GetUtcNow());
        while (next is null || time.GetUtcNow() < next)
        {
            TimeSpan left = next is null ? LongestDelay : next.Value - time.GetUtcNow();
            await Task.Delay(left > LongestDelay ? LongestDelay : left, time, cancellationToken);
        }
    }
}
