using System.Diagnostics;
using Xunit;

namespace LakeHolo.Tests.Shared;

/// <summary>For what another thread does soon: waits for it, however busy the machine is, but not for ever.</summary>
internal static class Eventually
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    /// <summary>Returns when the condition holds; fails when it does not for a long time.</summary>
    /// <param name="condition">Looks.</param>
    /// <param name="meanwhile">Done after each look in vain: time goes on, say.</param>
    /// <param name="found">What to tell when it fails.</param>
    public static async Task TrueAsync(Func<Task<bool>> condition, Action? meanwhile = null, Func<string>? found = null)
    {
        long started = Stopwatch.GetTimestamp();
        while (!await condition().WaitAsync(Limit))
        {
            if (Stopwatch.GetElapsedTime(started) >= Limit)
            {
                Assert.Fail($"It did not come true in {Limit}. {found?.Invoke()}");
            }

            meanwhile?.Invoke();
            await Task.Delay(1);
        }
    }

    /// <inheritdoc cref="TrueAsync(Func{Task{bool}}, Action?, Func{string}?)"/>
    public static Task TrueAsync(Func<bool> condition, Func<string>? found = null) => TrueAsync(() => Task.FromResult(condition()), found: found);
}
