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
        DateTimeOffset now = time.GetUtcNow();
        DateTimeOffset? next = Next(now);
        while (next is null || now < next)
        {
            // One look at the clock: what passes between two of them would be a delay below zero, which is an error, or for ever.
            TimeSpan left = next is null ? LongestDelay : next.Value - now;
            await Task.Delay(left > LongestDelay ? LongestDelay : left, time, cancellationToken);
            now = time.GetUtcNow();
        }
    }
}
