using System.Globalization;
using LakeHolo.Bench.Harness;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Bench.Suites;

/// <summary>Measures what a table of many files costs before its first row: opening it, planning a query of one partition, following a commit, memory.</summary>
/// <param name="Name">What the rows are called, with the number of files.</param>
/// <param name="Files">Number of files.</param>
internal sealed record TableScale(string Name, int Files)
{
    /// <summary>The partition that is planned, by the column <c>p</c>; its files are there.</summary>
    public const long ProbedPartition = 7;

    private const int Large = 100_000;

    /// <summary>Loads the snapshot before the newest commit, of which nothing is known.</summary>
    public required Func<Task<Snapshot>> OpenAsync { get; init; }

    /// <summary>Loads the newest snapshot, given the one before it.</summary>
    public required Func<Snapshot, Task<Snapshot>> FollowAsync { get; init; }

    /// <summary>Plans a query.</summary>
    public required Func<Snapshot, ScanRequest, ValueTask<TableScan>> PlanAsync { get; init; }

    /// <summary>Bytes that the snapshot's list of files holds by its own count; null where it does not tell.</summary>
    public Func<Snapshot, long>? HeldBytes { get; init; }

    /// <summary>A column that bounds are known of, a number of the same column below which few files have rows.</summary>
    public (string Column, long Below) Range { get; init; } = ("id", 1_000L);

    /// <summary>Whether the table's metadata tells bounds of every file; else files would be opened, which are not there.</summary>
    public bool TellsAllBounds { get; init; } = true;

    public async Task RunAsync(BenchContext bench)
    {
        // The first one brings along what a process keeps for all tables.
        Snapshot older = await OpenAsync();
        long before = Held();
        Snapshot[] more = [await OpenAsync(), await OpenAsync(), await OpenAsync(), await OpenAsync()];
        long held = (Held() - before) / more.Length;
        GC.KeepAlive(more);
        var onePartition = new ScanRequest { Columns = [Range.Column], Filter = new ScanFilter.Compare("p", ScanComparison.Equal, new ScanLiteral(ProbedPartition)) };
        var byStatistics = new ScanRequest
        {
            Columns = [Range.Column],
            Filter = new ScanFilter.And([onePartition.Filter, new ScanFilter.Compare(Range.Column, ScanComparison.Less, new ScanLiteral(Range.Below))]),
        };

        var rangeAlone = byStatistics with { Filter = new ScanFilter.Compare(Range.Column, ScanComparison.Equal, new ScanLiteral(-Range.Below)) };

        async Task PlanAsync(ScanRequest request)
        {
            await using TableScan scan = await this.PlanAsync(older, request);
        }

        TimedRuns runs = await BenchContext.TimeAsync(
            Math.Max(9, bench.Options.Runs),
            warm: true,
            ("open", OpenAsync),
            ("plan", () => PlanAsync(onePartition)),
            ("plan with statistics", () => PlanAsync(byStatistics)),
            ("plan of all partitions", () => TellsAllBounds ? PlanAsync(rangeAlone) : Task.CompletedTask),
            ("follow", () => FollowAsync(older)));
        bench.Add(new BenchRow($"{Name}: cold open") { Ours = runs["open"].Median, Max = Files < Large ? 50 : 1000 });
        bench.Add(new BenchRow($"{Name}: plan of 1 of 1,000 partitions") { Ours = runs["plan"].Median, Max = 5 });
        bench.Add(new BenchRow($"{Name}: the same with a range of a column") { Ours = runs["plan with statistics"].Median, Max = 5 });
        if (TellsAllBounds)
        {
            bench.Add(new BenchRow($"{Name}: plan of no file, by a column's bounds alone") { Ours = runs["plan of all partitions"].Median });
        }

        bench.Add(new BenchRow($"{Name}: follow one commit") { Ours = runs["follow"].Median, Max = 10 });
        bench.Add(new BenchRow($"{Name}: memory per file")
        {
            Ours = held / (double)Files,
            Unit = "By",
            Max = 200,
            More = HeldBytes is null ? new Dictionary<string, double>() : new Dictionary<string, double> { ["by its own count"] = HeldBytes(older) / (double)Files },
        });
    }

    private static long Held()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return GC.GetTotalMemory(forceFullCollection: true);
    }

    /// <summary>A number of files as rows tell it.</summary>
    public static string Text(int files) => files.ToString("N0", CultureInfo.InvariantCulture);
}
