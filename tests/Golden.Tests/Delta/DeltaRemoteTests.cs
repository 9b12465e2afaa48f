using System.Globalization;
using LakeHolo.Golden.Tests.SampleLake;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Golden.Tests.Delta;

/// <summary>Checkpoints of every layout in a store that has no local paths: each file is fetched once, and the files they list are those of the local read.</summary>
public class DeltaRemoteTests
{
    [Theory]
    [InlineData("ckpt_classic")]
    [InlineData("ckpt_multipart")]
    [InlineData("ckpt_v2_json")]
    [InlineData("ckpt_v2_parquet")]
    [InlineData("ckpt_struct_stats")]
    [InlineData("replay_upsert_dv")]
    public async Task A_checkpoint_in_a_remote_store_lists_the_files_that_a_local_one_does_and_costs_one_request_a_file(string name)
    {
        using DeltaCase golden = DeltaCase.Open(name);
        foreach (string step in Steps(golden))
        {
            DeltaReplayTests.Apply(step, golden.File("case/table"));
        }

        DeltaSnapshot local = await golden.LoadAsync(SnapshotSelector.Latest);
        var store = new CountingStore(new LocalFolderStore(golden.File("case")), isRemote: true);
        var table = new LakeTable("golden", "delta", "t", "delta", new TableRoot(store, golden.Table.Root.Prefix));
        var remote = (DeltaSnapshot)await golden.TableFormat.LoadSnapshotAsync(table, SnapshotSelector.Latest, null);
        Assert.Equal(local.Version, remote.Version);
        Assert.Equal(Files(local), Files(remote));
        string[] checkpoints = [.. store.TakeRequests().Where(r => r.Contains(".checkpoint.", StringComparison.Ordinal))];
        Assert.NotEmpty(checkpoints);
        Assert.Equal(checkpoints.Distinct().Order(StringComparer.Ordinal), checkpoints.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("{\"version\":7,\"size\":3}")]
    [InlineData("{\"version\":1,\"parts\":3,\"size\":3}")]
    [InlineData("{\"version\":2,\"size\":3}")]
    public async Task A_hint_whose_checkpoint_has_gone_costs_listings_and_no_request_for_it(string hint)
    {
        using var table = new HandMadeTable();
        table.Commit(0, [.. HandMadeTable.Create(["id integer"]), HandMadeTable.Add("1.parquet", table.WriteFile("1.parquet", "SELECT 1 AS id"))]);
        table.Commit(1, HandMadeTable.Add("2.parquet", table.WriteFile("2.parquet", "SELECT 2 AS id")));
        table.Commit(2);
        System.IO.File.WriteAllText(table.TableFile("_delta_log/_last_checkpoint"), hint);
        var store = new CountingStore(new LocalFolderStore(table.Folder), isRemote: true);
        var remote = new LakeTable("golden", "delta", "t", "delta", new TableRoot(store, table.Table.Root.Prefix));
        var snapshot = (DeltaSnapshot)await table.Format.LoadSnapshotAsync(remote, SnapshotSelector.Latest, null);
        Assert.Equal((2, 2), (snapshot.Version, Files(snapshot).Length));
        string[] requests = [.. store.TakeRequests()];
        Assert.DoesNotContain(requests, r => r.Contains(".checkpoint.", StringComparison.Ordinal));
        Assert.Equal(3, requests.Count(r => r.EndsWith(".json", StringComparison.Ordinal)));
        Assert.InRange(requests.Length, 3, 6); // the hint, at most two listings, three commits
    }

    private static string[] Steps(DeltaCase golden) => Directory.Exists(golden.File("case/steps"))
        ? [.. Directory.EnumerateDirectories(golden.File("case/steps")).Order(StringComparer.Ordinal)]
        : [];

    private static string[] Files(DeltaSnapshot snapshot) => [.. snapshot.EnumerateFiles()
        .Select(f => string.Create(CultureInfo.InvariantCulture, $"{f.Path} {f.SizeBytes} {f.RowCount} {f.DeletedRowCount} {f.StatisticsJson}")).Order(StringComparer.Ordinal)];
}
