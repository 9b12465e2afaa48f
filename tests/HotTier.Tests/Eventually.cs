using System.Diagnostics;

namespace LakeHolo.HotTier.Tests;

/// <summary>For what another thread does soon: waits for it, however busy the machine is, but not for ever.</summary>
internal static class Eventually
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    /// <summary>Returns when the condition holds; fails when it does not for a long time.</summary>
    /// <param name="condition">Looks.</param>
    /// <param name="meanwhile">Done after each look in vain: time goes on, say.</param>
    public static async Task TrueAsync(Func<Task<bool>> condition, Action? meanwhile = null)
    {
        long started = Stopwatch.GetTimestamp();
        while (!await condition().WaitAsync(Limit))
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < Limit, "it did not come true");
            meanwhile?.Invoke();
            await Task.Delay(1);
        }
    }
}
