using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Cache.Sparse;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Harness;

/// <summary>Scans that are told before their remote files are there, against the same table in a folder.</summary>
internal static class EarlyScans
{
    /// <summary>Reads the newest snapshot both ways.</summary>
    /// <returns>How many groups of files were under way when the scan was told; null where the table is refused.</returns>
    public static async Task<int?> CompareAsync(UnpackedCase golden, ITableFormat format, ITableReader reader)
    {
        Assert.SkipUnless(FileHold.IsPossible, "There are no leases of files here");
        try
        {
            Snapshot local = await format.LoadSnapshotAsync(golden.Table, SnapshotSelector.Latest, null);
            Snapshot remote = await format.LoadSnapshotAsync(golden.RemoteTable, SnapshotSelector.Latest, null);
            await using TableScan there = await reader.PlanAsync(local, new ScanRequest());
            await using TableScan early = await reader.PlanAsync(remote, new ScanRequest { FilesMayArrive = true });
            Assert.Equal(0, golden.Count($"({there.Sql}) EXCEPT ALL ({early.Sql})"));
            Assert.Equal(golden.Count(there.Sql), golden.Count(early.Sql));
            await Task.WhenAll(early.Arrivals.Select(a => a.Completion));
            return early.Arrivals.Count;
        }
        catch (LakeException)
        {
            return null; // what is refused and how, the golden suites hold
        }
    }
}
