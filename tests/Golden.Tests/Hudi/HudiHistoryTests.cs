using LakeHolo.Golden.Tests.SampleLake;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.Timeline;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>Time travel, history, differences and the views beside a table's rows.</summary>
public sealed class HudiHistoryTests
{
    [Theory]
    [InlineData("cow_nonpart_upsert_v6")]
    [InlineData("mor_log_updates_deletes_v9")]
    public async Task An_instant_its_text_and_its_moment_name_one_snapshot(string name)
    {
        await using HudiCase golden = HudiCase.Open(name);
        HudiSnapshot latest = await golden.LoadAsync(SnapshotSelector.Latest);
        foreach (Instant commit in latest.Timeline.Commits)
        {
            DateTimeOffset moment = Instant.MomentOf(commit.Time)!.Value;
            HudiSnapshot byInstant = await golden.LoadAsync(SnapshotSelector.Version(commit.Time));
            HudiSnapshot[] others =
            [
                await golden.LoadAsync(SnapshotSelector.AsOf(moment)),
                await golden.LoadAsync(SnapshotSelector.AsOf(moment.AddMilliseconds(1))),
                await golden.LoadAsync(SnapshotSelector.Version(moment.ToString("yyyy-MM-dd HH:mm:ss.fff", System.Globalization.CultureInfo.InvariantCulture))),
            ];
            Assert.Equal(commit.Time, byInstant.Instant);
            Assert.All(others, o => Assert.Equal(byInstant.Id, o.Id));
        }

        DateTimeOffset early = Instant.MomentOf(latest.Timeline.Commits.First().Time)!.Value.AddSeconds(-1);
        LakeException error = await Assert.ThrowsAsync<LakeException>(() => golden.LoadAsync(SnapshotSelector.AsOf(early)));
        Assert.Equal(LakeErrorKind.NotFound, error.Kind);
    }

    [Fact]
    public void A_clustering_that_was_pending_is_told_by_the_id_so_that_the_state_after_it_is_another()
    {
        static ObjectEntry File(string name) => new(name, 1, DateTimeOffset.UnixEpoch, "");
        ObjectEntry[] before = [File("20260101000000000_20260101000001000.deltacommit"), File("20260101000002000.clustering.requested"), File("20260101000003000_20260101000004000.deltacommit")];
        ObjectEntry[] after = [.. before, File("20260101000002000_20260101000005000.replacecommit")];
        var table = new LakeTable("s", "d", "t", "hudi", null!);
        string Id(ObjectEntry[] files, SnapshotSelector at)
        {
            (string until, HashSet<string> excluded) = HudiVersionText.Resolve(at, HudiTimeline.Parse(files, 2), table);
            return HudiVersionText.IdOf(until, excluded).Text;
        }

        Assert.Equal("20260101000003000~20260101000002000", Id(before, SnapshotSelector.Latest));
        Assert.Equal("20260101000003000", Id(after, SnapshotSelector.Latest));
        Assert.Equal("20260101000003000~20260101000002000", Id(after, SnapshotSelector.Version("20260101000003000~20260101000002000")));
    }

    [Fact]
    public async Task The_history_names_every_commit_newest_first_and_every_schema_oldest_first()
    {
        await using HudiCase golden = HudiCase.Open("cow_schema_add_columns_v9");
        HudiSnapshot latest = await golden.LoadAsync(SnapshotSelector.Latest);
        IReadOnlyList<SnapshotInfo> history = await golden.TableFormat.ListSnapshotsAsync(golden.Table, TestContext.Current.CancellationToken);
        IReadOnlyList<(string Id, Apache.Arrow.Schema Schema)> schemas = await golden.TableFormat.ListSchemasAsync(golden.Table, TestContext.Current.CancellationToken);

        Assert.Equal(latest.Timeline.Commits.Reverse().Select(i => i.Time), history.Select(h => h.Id.Text));
        Assert.All(history, h => Assert.NotEqual("", h.Operation));
        Assert.Equal(latest.Schema.FieldsList.Select(f => f.Name), schemas[^1].Schema.FieldsList.Select(f => f.Name));
        Assert.True(schemas[0].Schema.FieldsList.Count < schemas[^1].Schema.FieldsList.Count);
    }

    [Theory]
    [InlineData("replay_cow_v8")]
    [InlineData("replay_mor_v6")]
    [InlineData("replay_mor_v8")]
    public async Task A_difference_takes_the_files_of_one_step_to_those_of_the_next(string name)
    {
        await using HudiCase golden = HudiCase.Open(name);
        HudiSnapshot? before = null;
        int steps = Directory.GetDirectories(golden.Path("steps")).Length;
        for (int step = 1; step <= steps; step++)
        {
            golden.Apply(step);
            HudiSnapshot after = await golden.LoadAsync(SnapshotSelector.Latest, before);
            if (before is not null)
            {
                SnapshotDiff diff = await golden.TableFormat.DiffAsync(before, after, TestContext.Current.CancellationToken);
                Assert.Null(diff.NotFollowable);
                Assert.Equal(
                    Names(after),
                    Names(before).Except(diff.Removed.Select(Name)).Concat(diff.Added.Select(Name)).Order(StringComparer.Ordinal));
            }

            before = after;
        }

        static IEnumerable<string> Names(HudiSnapshot snapshot) => snapshot.EnumerateFiles().Select(Name).Order(StringComparer.Ordinal);
        static string Name(DataFileInfo file) => $"{file.Path}:{file.SizeBytes}";
    }

    [Fact]
    public async Task Time_travel_to_before_a_pending_compaction_differs_from_the_disputed_rows_by_the_commit_asked_for_only()
    {
        // Hudi 1.1.1, which made the expected rows from a copy, ordered the log files by the modification times of the copied timeline: the commit asked for is missing there,
        // with the rows that it wrote and the three that it deleted.
        const string At = "20261123093734700";
        await using HudiCase golden = HudiCase.Open("flink_mor_bucket_compacted");
        HudiSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Version(At));
        await using TableScan scan = await golden.PlanAsync(snapshot);
        string theirs = golden.Expected($"expected/instant-{At}.parquet");
        const string Row = "concat_ws('|', id, _hoodie_commit_time)";

        Assert.Empty(golden.Texts($"SELECT {Row} FROM ({scan.Sql}) WHERE _hoodie_commit_time < '{At}' EXCEPT SELECT {Row} FROM ({theirs})"));
        Assert.Equal(["k2", "k7", "k9"], golden.Texts($"SELECT id FROM ({theirs}) EXCEPT SELECT id FROM ({scan.Sql}) ORDER BY 1"));
        Assert.NotEmpty(golden.Texts($"SELECT id FROM ({scan.Sql}) WHERE _hoodie_commit_time = '{At}'"));
    }

    [Fact]
    public async Task The_archived_timeline_is_found_also_without_its_version_or_the_manifest_that_it_names()
    {
        await using HudiCase golden = HudiCase.Open("mor_archived_deltacommits_v8");
        string folder = golden.Path("table/.hoodie/timeline/history/");
        HashSet<string> instants = [.. Directory.GetFiles(folder, "*.parquet").Select(f => Path.GetFileName(f).Split('_')[0])];
        async Task<string> Read() => string.Join(' ', (await TimelineHistory.ReadCompletionsAsync(golden.Table.Root, ".hoodie/timeline/history/", instants, TestContext.Current.CancellationToken))
            .OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => $"{c.Key}-{c.Value}"));
        string whole = await Read();
        Assert.Equal(instants.Count, whole.Split(' ').Length);
        File.WriteAllText(folder + "_version_", "4");
        Assert.Equal(whole, await Read());
        File.Delete(folder + "_version_");
        Assert.Equal(whole, await Read());
        File.Delete(folder + "manifest_3");
        Assert.Equal(instants.Count - 1, (await Read()).Split(' ').Length);
        foreach (string manifest in Directory.GetFiles(folder, "manifest_*"))
        {
            File.Delete(manifest);
        }

        Assert.Equal("", await Read());
    }

    [Theory]
    [InlineData("")]
    [InlineData("{\"files\":[{\"fileName\":")]
    [InlineData("{}")]
    [InlineData("{\"files\":[{}]}")]
    [InlineData("{\"files\":[{\"fileName\":null}]}")]
    [InlineData("{\"files\":[7]}")]
    public async Task A_manifest_of_the_archived_timeline_that_is_cut_off_is_an_error_in_words(string manifest)
    {
        await using HudiCase golden = HudiCase.Open("mor_archived_deltacommits_v8");
        string folder = golden.Path("table/.hoodie/timeline/history/");
        File.WriteAllText(Directory.GetFiles(folder, "manifest_*").Max(StringComparer.Ordinal)!, manifest);
        LakeException error = await Assert.ThrowsAsync<LakeException>(async () =>
            await TimelineHistory.ReadCompletionsAsync(golden.Table.Root, ".hoodie/timeline/history/", new HashSet<string> { "1" }, TestContext.Current.CancellationToken));
        Assert.Equal(LakeErrorKind.FormatInvalid, error.Kind);
    }

    [Theory]
    [InlineData("cow_archived_timeline_v8")]
    [InlineData("mor_archived_deltacommits_v8")]
    [InlineData("cow_archived_timeline_v6")]
    public async Task Changes_since_an_archived_commit_are_told_and_up_to_one_refused(string name)
    {
        await using HudiCase golden = HudiCase.Open(name);
        HudiSnapshot latest = await golden.LoadAsync(SnapshotSelector.Latest);
        string first = latest.Timeline.Commits.First().Time;
        await using TableScan now = await golden.PlanAsync(latest);
        List<string> archived = golden.Texts($"SELECT DISTINCT _hoodie_commit_time FROM ({now.Sql}) WHERE _hoodie_commit_time < '{first}' ORDER BY 1");
        Assert.True(archived.Count > 1, string.Join(' ', archived));
        IReadOnlyDictionary<string, string?> completions = latest.Properties.TimelineLayout == 1
            ? archived.ToDictionary(t => t, t => (string?)t)
            : await TimelineHistory.ReadCommitsAsync(golden.Table.Root, latest.Properties.HistoryFolder, TestContext.Current.CancellationToken);
        foreach (string time in archived)
        {
            string from = completions[time]!;
            await using TableScan changes = await golden.PlanChangesAsync(latest, from, "latest");
            Assert.Equal(golden.Count($"SELECT * FROM ({now.Sql}) WHERE _hoodie_commit_time > '{time}'"), golden.Count(changes.Sql));
            await using TableScan byInstant = await golden.PlanChangesAsync(latest, time, "latest");
            Assert.Equal(golden.Count(changes.Sql), golden.Count(byInstant.Sql));
            await using TableScan nothing = await golden.PlanChangesAsync(latest, from, from);
            Assert.Equal(0, golden.Count(nothing.Sql));
            LakeException error = await Assert.ThrowsAsync<LakeException>(async () => await golden.PlanChangesAsync(latest, "000", from));
            Assert.Equal(LakeErrorKind.FeatureUnsupported, error.Kind);
            Assert.Contains("up to a time before the first commit that is not archived", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Views_and_system_tables_have_the_common_shape()
    {
        await using SampleLakeCopy lake = await SampleLakeCopy.StartAsync();
        string[] commits = [.. (await lake.RowsAsync("SELECT snapshot FROM ods.\"orders_cdc$snapshots\" ORDER BY 1")).Select(r => r.TrimEnd('|'))];
        List<string> files = await lake.RowsAsync("SELECT count(*), count(DISTINCT path) FROM ods.\"orders_cdc$files\"");
        List<string> bases = await lake.RowsAsync("SELECT count(*) FROM ods.\"orders_cdc$ro\"");
        List<string> first = await lake.RowsAsync($"SELECT count(*) FROM ods.orders_cdc AT (VERSION => '{commits[0]}')");
        List<string> changes = await lake.RowsAsync($"SELECT count(*) FROM table_changes('ods.orders_cdc', '000', '{commits[0]}')");

        Assert.NotEmpty(commits);
        Assert.Equal(files[0].Split('|')[0], files[0].Split('|')[1]);
        Assert.Equal(first, changes);
        Assert.NotEqual("0|", bases[0]);
    }
}
