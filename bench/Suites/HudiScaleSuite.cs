using System.Globalization;
using DuckDB.NET.Data;
using LakeHolo.Bench.Data;
using LakeHolo.Bench.Harness;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Hudi;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Bench.Suites;

/// <summary>What a Hudi table of many files costs before its first row, its files found by listing and by its metadata table.</summary>
internal sealed class HudiScaleSuite : ISuite
{
    public string Name => "hudi-scale";

    public string Measures => "a Hudi table of 10,000 and 100,000 files, listed and by its metadata table: cold open, plan of one partition, one more commit, memory per file";

    public async Task RunAsync(BenchContext bench)
    {
        foreach (int files in bench.Quick ? new[] { 10_000 } : [10_000, 100_000])
        {
            foreach (bool withMetadata in new[] { false, true })
            {
                string name = $"{TableScale.Text(files)} files, {(withMetadata ? "metadata table" : "listed")}";
                if (bench.Wants(name))
                {
                    await RunAsync(bench, files, withMetadata, name);
                }
            }
        }
    }

    private static async Task RunAsync(BenchContext bench, int files, bool withMetadata, string name)
    {
        HudiScaleTable made = await HudiScaleTable.MakeAsync(bench, files, TableScale.ProbedPartition, withMetadata);
        var table = new LakeTable("lake", "bench", "scale", "hudi", new TableRoot(new LocalFolderStore(made.Root), string.Empty));
        using var engine = new EngineDatabase(new EngineOptions { Threads = bench.Options.Threads, AllowedDirectories = [made.Root] });
        using var cache = new DiskCache(new DiskCacheOptions { Directory = bench.Data.NewTemporary("hudi-scale") });
        using var reader = new HudiReader(engine, cache);
        async Task<Snapshot> OpenAsync()
        {
            made.HideNewest();
            Snapshot opened = await new HudiTableFormat().LoadSnapshotAsync(table, SnapshotSelector.Latest, null);
            // What goes on runs on the stack of what opened the table, if it waited for a read, and its frames hold what they made.
            await Task.Yield();
            return opened;
        }

        async Task<Snapshot> FollowAsync(Snapshot older)
        {
            made.ShowNewest();
            return await new HudiTableFormat().LoadSnapshotAsync(table, SnapshotSelector.Latest, older);
        }

        var first = (HudiSnapshot)await OpenAsync();
        Check(first.MetadataTable is not null == withMetadata, "the metadata table is used where there is one");
        Check(first.FileCount == files, "every file is found");
        Check(await CountAsync(engine, reader, first) == files / HudiScaleTable.Partitions * HudiScaleTable.RowsPerFile, "the probed partition's rows are counted");
        Check((await FollowAsync(first)).FileCount == files + 1, "the newest commit adds a file group, and replaces the file of another one");
        if (!withMetadata)
        {
            made.HideNewest();
            TimedRuns floor = await BenchContext.TimeAsync(Math.Max(9, bench.Options.Runs), warm: true, ("enumerate", () => Task.FromResult(Enumerated(made.Root))));
            bench.Add(new BenchRow($"{name}: bare enumeration of names and sizes") { Ours = floor["enumerate"].Median });
        }

        await new TableScale(name, files)
        {
            TellsAllBounds = withMetadata,
            OpenAsync = OpenAsync,
            FollowAsync = FollowAsync,
            PlanAsync = (snapshot, request) => reader.PlanAsync(snapshot, request),
        }.RunAsync(bench);
    }

    private static async Task<long> CountAsync(EngineDatabase engine, HudiReader reader, HudiSnapshot snapshot)
    {
        var filter = new ScanFilter.Compare("p", ScanComparison.Equal, new ScanLiteral(TableScale.ProbedPartition));
        await using TableScan scan = await reader.PlanAsync(snapshot, new ScanRequest { Columns = ["id"], Filter = filter });
        using DuckDBConnection connection = engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT count(id) FROM ({scan.Sql})";
        return Convert.ToInt64(command.ExecuteScalar(), CultureInfo.InvariantCulture);
    }

    private static long Enumerated(string root)
        => new DirectoryInfo(root).EnumerateDirectories("p=*").Sum(folder => folder.EnumerateFiles().Sum(file => file.Length));

    private static void Check(bool holds, string what)
    {
        if (!holds)
        {
            throw new InvalidOperationException($"hudi-scale: it does not hold that {what}");
        }
    }
}
