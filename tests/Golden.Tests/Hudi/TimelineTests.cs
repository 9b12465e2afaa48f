using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Hudi.Timeline;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>What names on the timeline and in partitions mean, and which files of a group a snapshot reads.</summary>
public sealed class TimelineTests
{
    private static readonly DateTimeOffset Written = new(2026, 1, 2, 3, 4, 5, 678, TimeSpan.Zero);

    [Theory]
    [InlineData("20260101000000000.commit", "20260101000000000||commit|")]
    [InlineData("20260101000000000.inflight", "20260101000000000||commit|inflight")]
    [InlineData("20260101000000000.commit.requested", "20260101000000000||commit|requested")]
    [InlineData("20260101000000000.deltacommit.inflight", "20260101000000000||deltacommit|inflight")]
    [InlineData("20260101000000000_20260101000001000.replacecommit", "20260101000000000|20260101000001000|replacecommit|")]
    [InlineData("20260101000000.clean", "20260101000000||clean|")]
    [InlineData("00000000000000001.deltacommit", "00000000000000001||deltacommit|")]
    [InlineData("20260101000000000.commit.crc", null)]
    [InlineData("20260101000000000.schemacommit", null)]
    [InlineData(".20260101000000000.commit", null)]
    [InlineData("hoodie.properties", null)]
    [InlineData("hoodie.properties.backup", null)]
    [InlineData("archived", null)]
    [InlineData("20260101000000000_1_2.commit", null)]
    public void Names_on_the_timeline(string name, string? expected)
        => Assert.Equal(expected, HudiTimeline.TryParseName(name, out string time, out string? completion, out string action, out string state) ? $"{time}|{completion}|{action}|{state}" : null);

    [Fact]
    public void An_instant_counts_in_its_highest_state_and_a_completed_one_without_a_completion_time_by_the_time_of_its_file()
    {
        HudiTimeline timeline = Timeline(
            2, "1.deltacommit.requested", "1.deltacommit.inflight", "1_5.deltacommit", "2.clustering.requested", "2.clustering.inflight", "2_6.replacecommit", "3.compaction.requested", "3.compaction.inflight",
            "4.commit", "7.clustering.requested", "8.inflight", "4.clean.requested");
        Assert.Equal(
            ["1 deltacommit 5", "2 replacecommit 6", "3 compaction pending", "4 clean pending", "4 commit 20260102030405678", "7 clustering pending", "8 commit pending"],
            timeline.Instants.Select(i => $"{i.Time} {i.Action} {(i.IsCompleted ? i.CompletionTime : "pending")}").Order(StringComparer.Ordinal));
        Assert.Equal(["1", "2", "4"], timeline.Commits.Select(c => c.Time));
    }

    [Fact]
    public void Instants_before_the_active_timeline_count_as_committed_but_for_pending_ones_and_islands_of_savepoints_are_not_its_beginning()
    {
        HudiTimeline timeline = Timeline(1, "03.commit", "03.savepoint", "05.commit", "07.commit", "04.deltacommit.inflight", "09.inflight", "01.clean", "02.compaction.requested");
        Assert.Equal(["01", "03", "05", "07"], Instants(10).Where(timeline.IsCommitted));
        Assert.Equal(["02", "04", "09"], Instants(10).Where(timeline.IsPending));
        // Without savepoint the third is the beginning.
        Assert.Equal(["01", "02", "03", "05"], Instants(6).Where(Timeline(1, "03.commit", "05.commit").IsCommitted));
        // A timeline of savepointed commits only begins with the first of them.
        Assert.Equal(["01", "02", "03"], Instants(6).Where(Timeline(1, "03.commit", "03.savepoint").IsCommitted));
        Assert.DoesNotContain(Instants(6), Timeline(1).IsCommitted);

        static IEnumerable<string> Instants(int count) => Enumerable.Range(1, count - 1).Select(i => i.ToString("00", System.Globalization.CultureInfo.InvariantCulture));
    }

    [Theory]
    [InlineData("a1-0_1-2-3_20260101000000000.parquet", "a1-0|20260101000000000|0|1-2-3|parquet")]
    [InlineData("a1-0_1-2-3_20260101000000000.orc", "a1-0|20260101000000000|0|1-2-3|orc")]
    [InlineData(".a1-0_20260101000000000.log.12_1-2-3", "a1-0|20260101000000000|12|1-2-3|")]
    [InlineData(".a1-0_20260101000000000.log.1", "a1-0|20260101000000000|1||")]
    [InlineData(".a1-0_20260101000000000.log.1_1-2-3.cdc", "a1-0|20260101000000000|1|1-2-3|cdc")]
    [InlineData(".a1-0_20260101000000000.log.1_1-2-3-cdc", "a1-0|20260101000000000|1|1-2-3|cdc")]
    [InlineData(".hoodie_partition_metadata", null)]
    [InlineData(".hoodie_partition_metadata.parquet", null)]
    [InlineData(".a1-0_1-2-3_20260101000000000.parquet.crc", null)]
    [InlineData("._a1-0_1-2-3_20260101000000000.parquet", null)]
    [InlineData(".DS_Store", null)]
    [InlineData("_SUCCESS", null)]
    [InlineData("part-00000.parquet", null)]
    [InlineData(".a1-0_20260101000000000.log.0_1-2-3", null)]
    [InlineData(".a1-0_20260101000000000.log.x_1-2-3", null)]
    public void Names_of_files(string name, string? expected)
        => Assert.Equal(expected, HudiFileName.TryParse(name) is { } file ? $"{file.FileId}|{file.Instant}|{file.LogVersion}|{file.WriteToken}|{file.Extension}" : null);

    // Files are base instants ("b3") and log files by instant and version ("l2.1"), in any order.
    [Theory]
    [InlineData("newest committed base file", 2, "1_1.commit 3_3.commit", "b1 b3", "", "b3")]
    [InlineData("a failed write's file is not the newest", 2, "1_1.commit 3.inflight", "b1 b3", "", "b1")]
    [InlineData("nor one that was rolled back", 2, "1_1.commit 5_5.commit", "b1 b3", "", "b1")]
    [InlineData("a log file belongs by when it completed", 2, "1_1.commit 2_4.deltacommit 3_5.commit", "b1 b3 l2.1", "", "b3 l2.1")]
    [InlineData("and not to a base file that was requested later", 2, "1_1.commit 2_2.deltacommit 3_5.commit", "b1 b3 l2.1", "", "b3")]
    [InlineData("a pending log file is left out", 2, "1_1.commit 2.deltacommit.inflight", "b1 l2.1", "", "b1")]
    [InlineData("log files are in order of instant and number", 2, "1_1.commit 2_2.deltacommit 3_3.deltacommit", "b1 l3.1 l2.10 l2.9", "", "b1 l2.9 l2.10 l3.1")]
    [InlineData("a group of log files", 2, "2_2.deltacommit 3_3.deltacommit", "l2.1 l3.1", "", "l2.1 l3.1")]
    [InlineData("of a pending compaction", 2, "1_1.commit 2_2.deltacommit 3.compaction.requested 4_4.deltacommit", "b1 l2.1 l4.1", "3", "b1 l2.1 l4.1")]
    [InlineData("with a partial base file", 2, "1_1.commit 2_2.deltacommit 3.compaction.inflight 4_4.deltacommit", "b1 b3 l2.1 l4.1", "3", "b1 l2.1 l4.1")]
    [InlineData("over log files only", 2, "2_2.deltacommit 3.compaction.requested 4_4.deltacommit", "l2.1 l4.1", "3", "l2.1 l4.1")]
    [InlineData("of one that is done", 2, "1_1.commit 2_2.deltacommit 3_5.commit 4_4.deltacommit", "b1 b3 l2.1 l4.1", "", "b3 l4.1")]
    [InlineData("an archived log file counts", 2, "5_5.deltacommit", "b1 l2.1", "", "b1 l2.1")]
    [InlineData("version 6: by the instant in its name", 1, "1.commit 2.deltacommit 3.commit 4.deltacommit", "b1 b3 l1.1 l3.1", "", "b3 l3.1")]
    [InlineData("version 6: a pending compaction", 1, "1.commit 2.deltacommit 3.compaction.requested 4.deltacommit", "b1 l1.1 l3.1", "3", "b1 l1.1 l3.1")]
    [InlineData("version 6: a failed write", 1, "1.commit 2.inflight", "b1 b2 l1.1", "", "b1 l1.1")]
    [InlineData("nothing is visible", 2, "1_1.commit 3.inflight", "b3", "", "")]
    public void The_slice_of_a_group(string what, int layout, string instants, string files, string planned, string expected)
    {
        HudiTimeline timeline = Timeline(layout, instants.Split(' '));
        var view = new TimelineView(
            timeline, timeline.Commits.Last().Time, new HashSet<string>(), new Dictionary<string, CommitMetadata>(), planned.Length == 0 ? [] : [("", "f", planned)], new Dictionary<string, string>());
        FileSlice? slice = new FileSliceBuilder(view, layout == 2).Choose("", "f", [.. files.Split(' ').Select(File)]);
        Assert.True(expected == (slice is null ? "" : string.Join(' ', slice.Files.Select(f => f.Path))), what);
    }

    [Fact]
    public void Of_two_base_files_of_one_instant_the_one_that_the_commit_names_is_read_and_replaced_groups_are_told()
    {
        var commits = new Dictionary<string, CommitMetadata>
        {
            ["1"] = new() { Writes = WriteStatList.Of([new WriteStat("", "f", "a", 1, 1, [])]) },
            ["2"] = new() { Replaced = [("", "g")] },
        };
        HudiTimeline timeline = Timeline(2, "1_1.commit", "2_2.replacecommit", "3.replacecommit.requested");
        var view = new TimelineView(timeline, "2", new HashSet<string>(), commits, [], new Dictionary<string, string>());
        HudiFile[] files = [new("a", 1, "1", 0, "", "parquet"), new("b", 1, "1", 0, "", "parquet")];
        foreach (HudiFile[] some in (HudiFile[][])[files, [.. files.Reverse()]])
        {
            Assert.Equal("a", new FileSliceBuilder(view, true).Choose("", "f", some)!.Base!.Path);
            Assert.Equal("a", new FileSliceBuilder(view, true).ChooseBase(some)!.Path);
        }

        Assert.True(view.IsReplaced("", "g"));
        Assert.False(view.IsReplaced("", "f"));
    }

    private static HudiFile File(string name) => name[0] == 'b'
        ? new HudiFile(name, 1, name[1..], 0, "1-0-1", "parquet")
        : new HudiFile(name, 1, name[1..name.IndexOf('.', StringComparison.Ordinal)], int.Parse(name[(name.IndexOf('.', StringComparison.Ordinal) + 1)..], System.Globalization.CultureInfo.InvariantCulture), "1-0-1", "");

    private static HudiTimeline Timeline(int layout, params string[] names) => HudiTimeline.Parse(names.Select(n => new ObjectEntry(n, 1, Written, "")), layout);
}
