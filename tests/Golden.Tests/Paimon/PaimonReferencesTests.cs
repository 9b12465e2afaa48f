using LakeHolo.LakeCatalog.Snapshots;

namespace LakeHolo.Golden.Tests.Paimon;

/// <summary>Tags, branches and consumers, as the system tables show them.</summary>
public sealed class PaimonReferencesTests
{
    [Fact]
    public async Task Tags_and_branches_are_listed_with_their_snapshots()
    {
        await using PaimonCase golden = PaimonCase.Open("tags_branches_rollback");
        IReadOnlyList<SnapshotReference> tags = await golden.TableFormat.ListReferencesAsync(golden.Table, "tags");
        IReadOnlyList<SnapshotReference> branches = await golden.TableFormat.ListReferencesAsync(golden.Table, "branches");
        Assert.Equal(["t1", "v-2.0 ü"], tags.Select(t => t.Name));
        Assert.All(tags, t => Assert.NotNull(t.CommittedAt));
        Assert.Equal(["dev", "void"], branches.Select(b => b.Name));
        foreach (SnapshotReference tag in tags)
        {
            Assert.Equal(tag.Snapshot, (await golden.LoadAsync(SnapshotSelector.Version(tag.Name))).Id);
        }

        Assert.Equal(branches[0].Snapshot, (await golden.LoadAsync(SnapshotSelector.Version("branch_dev"))).Id);
        Assert.Equal(branches[1].Snapshot, (await golden.LoadAsync(SnapshotSelector.Version("branch_void"))).Id);
    }

    [Fact]
    public async Task Consumers_are_listed_with_the_snapshot_they_read_next()
    {
        await using PaimonCase golden = PaimonCase.Open("expiry_tags_consumers");
        IReadOnlyList<SnapshotReference> consumers = await golden.TableFormat.ListReferencesAsync(golden.Table, "consumers");
        Assert.NotEmpty(consumers);
        Assert.All(consumers, c => Assert.True(long.Parse(c.Snapshot!.Value.Text, System.Globalization.CultureInfo.InvariantCulture) > 0));
    }
}
