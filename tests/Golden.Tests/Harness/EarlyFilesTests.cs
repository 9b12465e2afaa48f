using LakeHolo.Golden.Tests.Hudi;
using LakeHolo.Golden.Tests.Paimon;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Cache.Sparse;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Harness;

/// <summary>Every table of a suite in a store without local paths, read while its files are under way: the rows are those of the folder.</summary>
public sealed class EarlyFilesTests
{
    [Fact]
    public Task Hudi_tables_whose_files_are_under_way_give_the_rows_of_the_folder() => CompareAsync(HudiCase.Folder, HudiCase.Open, c => (c.TableFormat, c.Reader));

    [Fact]
    public Task Paimon_tables_whose_files_are_under_way_give_the_rows_of_the_folder() => CompareAsync(PaimonCase.Folder, PaimonCase.Open, c => (c.TableFormat, c.Reader));

    private static async Task CompareAsync<T>(string folder, Func<string, T> open, Func<T, (ITableFormat Format, ITableReader Reader)> parts)
        where T : UnpackedCase
    {
        Assert.SkipUnless(FileHold.IsPossible, "There are no leases of files here");
        int begun = 0;
        foreach (string name in Directory.GetFiles(folder, "*.zip").Select(f => Path.GetFileNameWithoutExtension(f)))
        {
            await using T golden = open(name);
            (ITableFormat format, ITableReader reader) = parts(golden);
            TableScan there;
            try
            {
                there = await reader.PlanAsync(await format.LoadSnapshotAsync(golden.Table, SnapshotSelector.Latest, null), new ScanRequest());
            }
            catch (LakeException)
            {
                continue; // what is refused and how, the golden suites hold
            }

            await using (there)
            {
                Snapshot remote = await format.LoadSnapshotAsync(golden.RemoteTable, SnapshotSelector.Latest, null);
                await using TableScan early = await reader.PlanAsync(remote, new ScanRequest { FilesMayArrive = true });
                Assert.True(golden.Count($"({there.Sql}) EXCEPT ALL ({early.Sql})") == 0, name);
                Assert.True(golden.Count(there.Sql) == golden.Count(early.Sql), name);
                await Task.WhenAll(early.Arrivals.Select(a => a.Completion));
                begun += early.Arrivals.Count;
            }
        }

        Assert.InRange(begun, 20, int.MaxValue);
    }
}
