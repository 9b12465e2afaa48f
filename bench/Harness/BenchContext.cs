using System.Diagnostics;

namespace LakeHolo.Bench.Harness;

/// <summary>What a suite works with.</summary>
internal sealed class BenchContext(BenchOptions options, string suite)
{
    private readonly List<BenchRow> _rows = [];

    public BenchOptions Options => options;

    /// <summary>Small data, for a run of a few minutes.</summary>
    public bool Quick => options.Quick;

    /// <summary>Seeded data that is made once.</summary>
    public DataFolder Data { get; } = new(options);

    public IReadOnlyList<BenchRow> Rows => _rows;

    /// <summary>Whether <c>--filter</c> lets a row be measured.</summary>
    public bool Wants(string name) => options.Filter is null || name.Contains(options.Filter, StringComparison.OrdinalIgnoreCase);

    public void Add(BenchRow row)
    {
        _rows.Add(row);
        Report.PrintRow(row);
    }

    /// <summary>Says something while measuring.</summary>
    public void Say(string text) => Console.WriteLine($"  {suite}: {text}");

    /// <summary>Times contenders in turn: one untimed run each, then as many rounds as <c>--runs</c> says, each round beginning with another contender.</summary>
    public Task<TimedRuns> TimeAsync(params (string Name, Func<Task> Run)[] contenders) => TimeAsync(options.Runs, warm: true, contenders);

    /// <summary>The same, with the number of rounds, and without the untimed run for what is measured cold.</summary>
    public static Task<TimedRuns> TimeAsync(int rounds, bool warm, params (string Name, Func<Task> Run)[] contenders)
        => CollectAsync(rounds, warm, [.. contenders.Select(c => (c.Name, Clock(c.Run)))]);

    /// <summary>The same for contenders that tell their milliseconds themselves, or by <see cref="Clock"/>.</summary>
    public static async Task<TimedRuns> CollectAsync(int rounds, bool warm, params IReadOnlyList<(string Name, Func<Task<double>> Run)> contenders)
    {
        foreach ((string _, Func<Task<double>> run) in warm ? contenders : [])
        {
            await run();
        }

        var times = contenders.ToDictionary(c => c.Name, _ => new List<double>());
        for (int round = 0; round < rounds; round++)
        {
            for (int i = 0; i < contenders.Count; i++)
            {
                (string name, Func<Task<double>> run) = contenders[(i + round) % contenders.Count];
                times[name].Add(await run());
            }
        }

        return new TimedRuns(times.ToDictionary(t => t.Key, t => (IReadOnlyList<double>)t.Value));
    }

    /// <summary>Takes the time of something, in milliseconds.</summary>
    public static Func<Task<double>> Clock(Func<Task> run) => async () =>
    {
        long start = Stopwatch.GetTimestamp();
        await run();
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    };
}
