using LakeHolo.Golden.Tests.Harness;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Hudi;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>A golden case with a Hudi reader over it.</summary>
internal sealed class HudiCase : UnpackedCase
{
    private HudiCase(string name)
        : base("hudi", name) => Reader = new HudiReader(Engine, Cache);

    public HudiReader Reader { get; }

    /// <summary>A reader that knows nothing yet, over the same cache.</summary>
    public HudiReader NewReader() => new(Engine, Cache);

    public SliceFiles NewSliceFiles() => new(Engine, Cache);

    public HudiTableFormat TableFormat { get; } = new();

    public static string Folder => GoldenCases.Folder("hudi");

    public static HudiCase Open(string name) => new(name);

    public async Task<HudiSnapshot> LoadAsync(SnapshotSelector at, HudiSnapshot? known = null, LakeTable? table = null)
        => (HudiSnapshot)await TableFormat.LoadSnapshotAsync(table ?? Table, at, known);

    public ValueTask<TableScan> PlanAsync(HudiSnapshot snapshot, string? view = null) => Reader.PlanAsync(snapshot, new ScanRequest { View = view });

    public ValueTask<TableScan> PlanChangesAsync(HudiSnapshot snapshot, string from, string to) => Reader.PlanChangesAsync(snapshot, from, to);

    public override ValueTask DisposeAsync()
    {
        Reader.Dispose();
        return base.DisposeAsync();
    }

    /// <summary>Null if the relation's rows and types are those of the expected file, else what differs.</summary>
    /// <param name="relation">Our rows.</param>
    /// <param name="expectedFile">A Parquet file of the case.</param>
    /// <param name="snapshot">Whose columns have types that count.</param>
    /// <param name="account">Takes the expected relation for what can be compared; null for all of it.</param>
    public string? Difference(string relation, string expectedFile, HudiSnapshot snapshot, Func<string, string>? account = null)
        => RowComparer.Difference(Engine, relation, account?.Invoke(Expected(expectedFile)) ?? Expected(expectedFile), snapshot.Schema);

    /// <summary>Rows of an aggregate with the table named <c>lineitem</c>.</summary>
    public static string Aggregate(string relation, string sql) => $"WITH lineitem AS ({relation}) {sql}";
}
