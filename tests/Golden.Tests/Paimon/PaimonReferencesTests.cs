using LakeHolo.LakeCatalog;
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
    public async Task A_watermark_names_the_earliest_snapshot_that_reached_it()
    {
        await using PaimonCase golden = PaimonCase.Open("flink_append_stream_compact");
        foreach ((int id, string watermark) in (IEnumerable<(int, string)>)[(3, "1000"), (5, "1500"), (9, "1000"), (11, "2000")])
        {
            string path = golden.Path($"table/snapshot/snapshot-{id}");
            File.WriteAllText(path, File.ReadAllText(path).Replace("\"watermark\" : -9223372036854775808", $"\"watermark\" : {watermark}", StringComparison.Ordinal));
        }

        foreach ((string version, string id) in (IEnumerable<(string, string)>)[("watermark-1", "3"), ("watermark--7", "3"), ("watermark-1000", "3"), ("watermark-1001", "5"), ("watermark-2000", "11")])
        {
            Assert.Equal((version, id), (version, (await golden.LoadAsync(SnapshotSelector.Version(version))).Id.Text));
        }

        LakeException beyond = await Assert.ThrowsAsync<LakeException>(() => golden.LoadAsync(SnapshotSelector.Version("watermark-2001")));
        Assert.Equal(LakeErrorKind.NotFound, beyond.Kind);
        Assert.Contains("the largest is 2000", beyond.Message, StringComparison.Ordinal);
        Assert.Contains("neither a tag nor a snapshot", (await Assert.ThrowsAsync<LakeException>(() => golden.LoadAsync(SnapshotSelector.Version("watermark-x")))).Message, StringComparison.Ordinal);

        // A tag of that name goes first.
        Directory.CreateDirectory(golden.Path("table/tag"));
        File.Copy(golden.Path("table/snapshot/snapshot-1"), golden.Path("table/tag/tag-watermark-1000"));
        Assert.Equal("1", (await golden.LoadAsync(SnapshotSelector.Version("watermark-1000"))).Id.Text);
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
