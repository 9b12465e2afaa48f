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
    public static async Task<TimedRuns> TimeAsync(int rounds, bool warm, params (string Name, Func<Task> Run)[] contenders)
    {
        foreach ((string _, Func<Task> run) in warm ? contenders : [])
        {
            await run();
        }

        var times = contenders.ToDictionary(c => c.Name, _ => new List<double>());
        for (int round = 0; round < rounds; round++)
        {
            for (int i = 0; i < contenders.Length; i++)
            {
                (string name, Func<Task> run) = contenders[(i + round) % contenders.Length];
                long start = Stopwatch.GetTimestamp();
                await run();
                times[name].Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            }
        }

        return new TimedRuns(times.ToDictionary(t => t.Key, t => (IReadOnlyList<double>)t.Value));
    }
}
