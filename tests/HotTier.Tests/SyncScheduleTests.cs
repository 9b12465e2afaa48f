using LakeHolo.Accelerator.Catalog;
using LakeHolo.LakeCatalog.Storage;
using Microsoft.Extensions.Time.Testing;

namespace LakeHolo.HotTier.Tests;

public sealed class SyncScheduleTests
{
    [Theory]
    [InlineData("*/15 * * * *", "2026-01-01T00:07:30Z", "2026-01-01T00:15:00Z")]
    [InlineData("*/15 * * * *", "2026-01-01T00:15:00Z", "2026-01-01T00:30:00Z")]
    [InlineData("30 2 * * MON-FRI", "2026-01-02T02:30:00Z", "2026-01-05T02:30:00Z")]
    [InlineData("0 3 1 * *", "2026-01-31T23:00:00+05:00", "2026-02-01T03:00:00Z")]
    [InlineData("0 0 29 2 *", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z")]
    public void A_cron_expression_tells_the_next_time_in_utc(string cron, string now, string expected)
        => Assert.Equal(DateTimeOffset.Parse(expected), new SyncSchedule(Source(cron)).Next(DateTimeOffset.Parse(now)));

    [Fact]
    public void Without_one_the_interval_counts_from_the_last_run()
        => Assert.Equal(DateTimeOffset.UnixEpoch.AddSeconds(7), new SyncSchedule(Source(null) with { SyncInterval = TimeSpan.FromSeconds(7) }).Next(DateTimeOffset.UnixEpoch));

    [Fact]
    public async Task A_run_is_due_at_its_time_and_not_before_however_far_that_is()
    {
        var time = new FakeTimeProvider(DateTimeOffset.Parse("2026-03-01T00:00:00Z"));
        Task due = new SyncSchedule(Source("0 0 29 2 *")).WaitAsync(time, default);
        DateTimeOffset at = DateTimeOffset.Parse("2028-02-29T00:00:00Z");
        while (time.GetUtcNow() < at)
        {
            Assert.False(due.IsCompleted);
            time.Advance(TimeSpan.FromHours(12));
        }

        await due;
    }

    [Fact]
    public async Task A_clock_that_moves_on_between_two_looks_does_not_end_the_schedule()
    {
        // Each look finds it seconds later, as on a machine without time to spare.
        var time = new FakeTimeProvider(DateTimeOffset.Parse("2026-03-01T00:00:57Z")) { AutoAdvanceAmount = TimeSpan.FromSeconds(2) };
        for (int i = 0; i < 60; i++)
        {
            Task due = new SyncSchedule(Source("* * * * *")).WaitAsync(time, default);
            for (int seconds = 0; !due.IsCompleted; seconds++)
            {
                Assert.InRange(seconds, 0, 90);
                time.Advance(TimeSpan.FromSeconds(1));
            }

            await due;
            time.Advance(TimeSpan.FromMilliseconds(999));
        }
    }

    private static LakeSource Source(string? cron) => new() { Name = "s", Root = new TableRoot(new LocalFolderStore(Path.GetTempPath()), string.Empty), SyncCron = cron };
}
