using System.Diagnostics;
using System.Globalization;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Tests.Shared;

/// <summary>Tests with random input. Usually each tries the same inputs (a fixed seed, a number of rounds); with <c>LAKEHOLO_TESTS=nightly</c> each runs for a
/// minute with a seed of its own, which a failure names.</summary>
internal static class Fuzz
{
    private const int UsualSeed = 20261126;
    private static readonly TimeSpan NightlyTime = TimeSpan.FromMinutes(1);

    /// <summary>Whether there is time for long runs.</summary>
    public static bool IsNightly { get; } = Environment.GetEnvironmentVariable("LAKEHOLO_TESTS") switch
    {
        null or "" => false,
        "nightly" => true,
        string other => throw new ArgumentException($"LAKEHOLO_TESTS is '{other}'; expected nothing or 'nightly'"),
    };

    /// <summary>What the run's random numbers begin with; it is written to the test's output.</summary>
    public static int NewSeed()
    {
        int seed = IsNightly ? Environment.TickCount : UsualSeed;
        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture, $"seed {seed}"));
        return seed;
    }

    /// <summary>Numbers of rounds from 0 on: so many, or as many as a nightly run has time for.</summary>
    public static IEnumerable<int> Rounds(int usual)
    {
        long start = Stopwatch.GetTimestamp();
        for (int round = 0; IsNightly ? Stopwatch.GetElapsedTime(start) < NightlyTime : round < usual; round++)
        {
            yield return round;
        }
    }

    /// <summary>Reads damaged copies: each is read or refused with a <see cref="LakeException"/>, and takes no more memory than it may.</summary>
    /// <param name="rounds">The usual number of inputs.</param>
    /// <param name="originals">Whole inputs.</param>
    /// <param name="read">Reads one that may be damaged, on the calling thread.</param>
    /// <param name="maxAllocatedBytes">What the thread may allocate for one.</param>
    public static void Run(int rounds, IReadOnlyList<byte[]> originals, Action<byte[]> read, long maxAllocatedBytes = 64L << 20)
    {
        Task run = RunAsync(
            rounds,
            originals,
            (bytes, _) =>
            {
                read(bytes);
                return Task.CompletedTask;
            },
            maxAllocatedBytes,
            GC.GetAllocatedBytesForCurrentThread);
        Assert.True(run.IsCompleted);
        run.GetAwaiter().GetResult();
    }

    /// <summary>As <see cref="Run"/>, for readers that wait; they are told which of the originals was damaged. What other tests allocate meanwhile counts too, so
    /// the bound is larger.</summary>
    public static Task RunAsync(int rounds, IReadOnlyList<byte[]> originals, Func<byte[], int, Task> read)
        => RunAsync(rounds, originals, read, 512L << 20, () => GC.GetTotalAllocatedBytes());

    /// <summary>A damaged copy: bits, bytes and lengths changed, parts cut out, repeated and cut off.</summary>
    public static byte[] Mutate(byte[] original, Random random)
    {
        byte[] bytes = [.. original];
        for (int n = random.Next(1, 5); n > 0 && bytes.Length > 0; n--)
        {
            int at = random.Next(bytes.Length);
            switch (random.Next(8))
            {
                case 0:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2:
                    bytes[at] = random.Next(2) == 0 ? (byte)0 : byte.MaxValue;
                    break;
                case 3:
                    byte[] extreme = random.Next(4) switch { 0 => [0xFF, 0xFF, 0xFF, 0xFF], 1 => [0x7F, 0xFF, 0xFF, 0xFF], 2 => [0, 0, 0, 0x80], _ => [0xFF, 0xFF, 0xFF, 0x7F] };
                    extreme.AsSpan(0, Math.Min(4, bytes.Length - at)).CopyTo(bytes.AsSpan(at));
                    break;
                case 4:
                    bytes = bytes[..at];
                    break;
                case 5:
                    int length = random.Next(Math.Min(64, bytes.Length - at) + 1);
                    bytes = [.. bytes[..at], .. bytes[at..(at + length)], .. bytes[at..]];
                    break;
                case 6:
                    bytes = [.. bytes[..at], .. bytes[random.Next(at + 1)..]];
                    break;
                default:
                    bytes = [.. bytes[..at], .. bytes[Math.Min(bytes.Length, at + random.Next(1, 16))..]];
                    break;
            }
        }

        return bytes;
    }

    private static async Task RunAsync(int rounds, IReadOnlyList<byte[]> originals, Func<byte[], int, Task> read, long maxAllocatedBytes, Func<long> allocated)
    {
        Assert.NotEmpty(originals);
        int seed = NewSeed();
        var random = new Random(seed);
        foreach (int round in Rounds(rounds))
        {
            int which = random.Next(originals.Count);
            byte[] bytes = Mutate(originals[which], random);
            long before = allocated();
            try
            {
                await read(bytes, which);
            }
            catch (LakeException)
            {
                // Refused in words: what damaged bytes deserve.
            }
            catch (Exception e)
            {
                Assert.Fail($"seed {seed}, round {round}, {bytes.Length} bytes: {e}");
            }

            long taken = allocated() - before;
            Assert.True(taken < maxAllocatedBytes, $"seed {seed}, round {round}: {taken} bytes were allocated for {bytes.Length}");
        }
    }
}
