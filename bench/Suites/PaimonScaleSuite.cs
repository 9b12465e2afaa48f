using LakeHolo.Bench.Data;
using LakeHolo.Bench.Harness;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Paimon;

namespace LakeHolo.Bench.Suites;

/// <summary>What Paimon tables of many files cost before their first row.</summary>
internal sealed class PaimonScaleSuite : ISuite
{
    public string Name => "paimon-scale";

    public string Measures => "Paimon manifests of 10,000 and 100,000 files, append and by key: cold open, plan of one partition, one more commit, memory per file";

    public async Task RunAsync(BenchContext bench)
    {
        foreach ((string kind, bool hasKey) in ((string, bool)[])[("append", false), ("by key", true)])
        {
            foreach (int files in bench.Quick ? new[] { 10_000 } : [10_000, 100_000])
            {
                string made = await bench.Data.MakeAsync($"paimon-scale-{(hasKey ? "key" : "append")}-{files}", 1, (sql, directory) => ScaledPaimon.Make(sql, directory, files, hasKey));
                var table = new LakeTable("lake", "bench", "scale", "paimon", new TableRoot(new LocalFolderStore(made), string.Empty));
                using var engine = new EngineDatabase(new EngineOptions { Threads = bench.Options.Threads, AllowedDirectories = [made] });
                using var cache = new DiskCache(new DiskCacheOptions { Directory = bench.Data.NewTemporary("paimon-scale") });
                using var reader = new PaimonReader(engine, cache);
                await new TableScale($"{kind}, {TableScale.Text(files)} files", files)
                {
                    OpenAsync = async () => await new PaimonTableFormat().LoadSnapshotAsync(table, SnapshotSelector.Version("1"), null),
                    FollowAsync = async older => await new PaimonTableFormat().LoadSnapshotAsync(table, SnapshotSelector.Latest, older),
                    PlanAsync = (snapshot, request) => reader.PlanAsync(snapshot, request),
                    HeldBytes = snapshot => ((PaimonSnapshot)snapshot).Files.HeldBytes,
                }.RunAsync(bench);
            }
        }
    }
}
