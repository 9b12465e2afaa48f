using System.Diagnostics;
using System.Runtime.InteropServices;

namespace LakeHolo.Bench.Harness;

/// <summary>Lets clients begin at a rate, at moments that do not depend on their answers: as pgbench does, with gaps of an exponential distribution.</summary>
/// <remarks>The runtime's own timers go by a clock that moves every 4 ms on many systems: what they wake comes in bursts.</remarks>
internal static unsafe partial class Pace
{
    private const int Seed = 42;

    /// <summary>Releases turns, in order of the clients.</summary>
    /// <param name="turns">One for each client.</param>
    /// <param name="perSecond">Turns of all clients together.</param>
    /// <param name="span">For how long.</param>
    public static void Run(IReadOnlyList<SemaphoreSlim> turns, double perSecond, TimeSpan span)
    {
        var random = new Random(Seed);
        long start = Stopwatch.GetTimestamp();
        double due = 0;
        for (int turn = 0; due < span.TotalSeconds; turn++)
        {
            double left = due - Stopwatch.GetElapsedTime(start).TotalSeconds;
            if (left > 0)
            {
                var time = new TimeSpec { Nanoseconds = (long)(left * 1e9) };
                _ = Sleep(&time, null);
            }

            turns[turn % turns.Count].Release();
            due += -Math.Log(1 - random.NextDouble()) / perSecond;
        }
    }

    [LibraryImport("libc", EntryPoint = "nanosleep")]
    private static partial int Sleep(TimeSpec* wanted, TimeSpec* left);

    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
