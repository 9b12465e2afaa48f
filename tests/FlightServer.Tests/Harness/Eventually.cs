namespace LakeHolo.FlightServer.Tests.Harness;

/// <summary>For what another thread does soon: waits for it, however busy the machine is.</summary>
internal static class Eventually
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    /// <summary>Returns when the condition holds; fails when it does not for a long time.</summary>
    public static async Task TrueAsync(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(Limit);
        using var pause = new PeriodicTimer(TimeSpan.FromMilliseconds(2));
        while (!condition())
        {
            await pause.WaitForNextTickAsync(limit.Token);
        }
    }
}
