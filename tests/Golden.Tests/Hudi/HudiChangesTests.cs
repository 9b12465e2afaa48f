using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.Timeline;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>What <c>table_changes</c> tells of tables with change capture, against the states of the table.</summary>
public sealed class HudiChangesTests
{
    private const string Columns = "op, ts_ms, before, after";

    [Theory]
    [InlineData("OP_KEY_ONLY")]
    [InlineData("DATA_BEFORE")]
    public async Task Change_logs_and_compared_states_tell_the_same(string mode)
    {
        await using HudiCase golden = HudiCase.Open("cow_cdc_before_after_v8");
        HudiSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        await using TableScan logs = await golden.PlanChangesAsync(snapshot, "000", "latest");
        List<string> fromLogs = Rows(golden, logs.Sql);
        SetProperty(golden, "hoodie.table.cdc.supplemental.logging.mode", mode);
        await using TableScan states = await golden.PlanChangesAsync(await golden.LoadAsync(SnapshotSelector.Latest), "000", "latest");

        Assert.Equal(fromLogs, Rows(golden, states.Sql));

        // 9 rows inserted; 3 written, of which 1 is new; 2 deleted; 2 put in the place of what was left of one partition.
        Assert.Equal("d 4, i 12, u 2", string.Join(", ", golden.Texts($"SELECT concat(op, ' ', count(*)) FROM ({states.Sql}) GROUP BY op ORDER BY op")));
    }

    [Theory]
    [InlineData("hoodie.table.cdc.supplemental.logging.mode", "KEYS_ONLY", "logging.mode KEYS_ONLY")]
    [InlineData("hoodie.populate.meta.fields", "false", "hoodie.populate.meta.fields=false")]
    public async Task Changes_of_a_mode_that_is_not_known_or_without_the_columns_that_tell_them_are_refused(string property, string value, string named)
    {
        await using HudiCase golden = HudiCase.Open("cow_cdc_before_after_v8");
        SetProperty(golden, property, value);
        HudiSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        LakeException error = await Assert.ThrowsAsync<LakeException>(async () => await golden.PlanChangesAsync(snapshot, "000", "latest"));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, error.Kind);
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cow_cdc_before_after_v8")]
    [InlineData("cow_nonpart_upsert_v6")]
    [InlineData("cow_insert_overwrite_v9")]
    [InlineData("cow_clustering_complete_v8")]
    [InlineData("mor_log_updates_deletes_v6")]
    [InlineData("mor_log_updates_deletes_v9")]
    [InlineData("mor_event_time_late_v8")]
    [InlineData("mor_nbcc_v9")]
    [InlineData("mor_compaction_complete_then_logs_v8")]
    [InlineData("mor_compaction_pending_then_logs_v6")]
    public async Task Changes_applied_commit_by_commit_give_every_state_of_the_table(string name)
    {
        await using HudiCase golden = HudiCase.Open(name);
        SetProperty(golden, "hoodie.table.cdc.enabled", "true");
        HudiSnapshot latest = await golden.LoadAsync(SnapshotSelector.Latest);
        HudiHistory history = await HudiHistory.LoadAsync(latest, TestContext.Current.CancellationToken);
        var rows = new List<string>();
        string from = "000";
        foreach (Instant commit in history.Between("", "9"))
        {
            string to = HudiHistory.TimeOf(commit);
            await using TableScan changes = await golden.PlanChangesAsync(latest, from, to);
            foreach (string before in golden.Texts($"SELECT before FROM ({changes.Sql}) WHERE before IS NOT NULL"))
            {
                Assert.True(rows.Remove(before), $"{commit.Time}: a row before that is not there: {before}");
            }

            rows.AddRange(golden.Texts($"SELECT after FROM ({changes.Sql}) WHERE after IS NOT NULL"));
            HudiSnapshot state = history.At(to)!;
            await using TableScan scan = await golden.PlanAsync(state);
            Assert.Equal(golden.Count(scan.Sql), rows.Count);
            Assert.Equal(
                golden.Texts($"SELECT coalesce(CAST(\"{latest.PrimaryKey[0]}\" AS VARCHAR), '') FROM ({scan.Sql}) ORDER BY 1"),
                rows.Select(r => System.Text.Json.JsonDocument.Parse(r).RootElement.GetProperty(latest.PrimaryKey[0]).ToString()).Order(StringComparer.Ordinal));
            from = to;
        }
    }

    [Fact]
    public async Task A_bound_is_the_instant_of_a_commit_or_the_time_it_completed()
    {
        await using HudiCase golden = HudiCase.Open("cow_nonpart_upsert_v9");
        HudiSnapshot latest = await golden.LoadAsync(SnapshotSelector.Latest);
        Instant[] commits = [.. latest.Timeline.Commits];
        await using TableScan byInstant = await golden.PlanChangesAsync(latest, commits[0].Time, commits[1].Time);
        await using TableScan byCompletion = await golden.PlanChangesAsync(latest, commits[0].CompletionTime!, commits[1].CompletionTime!);
        await using TableScan all = await golden.PlanChangesAsync(latest, "earliest", "latest");
        await using TableScan now = await golden.PlanAsync(latest);

        Assert.Equal([commits[1].Time], golden.Texts($"SELECT DISTINCT _hoodie_commit_time FROM ({byInstant.Sql})"));
        Assert.Equal(golden.Count(byCompletion.Sql), golden.Count(byInstant.Sql));
        Assert.Equal(golden.Count(now.Sql), golden.Count(all.Sql));
        LakeException error = await Assert.ThrowsAsync<LakeException>(async () => await golden.PlanChangesAsync(latest, "yesterday", "latest"));
        Assert.Equal(LakeErrorKind.NotFound, error.Kind);
    }

    private static List<string> Rows(HudiCase golden, string relation)
        => golden.Texts($"SELECT concat_ws(' | ', op, ts_ms, coalesce(before, '-'), coalesce(after, '-')) FROM (SELECT {Columns} FROM ({relation})) ORDER BY 1");

    private static void SetProperty(HudiCase golden, string key, string value)
    {
        string path = golden.Path("table/.hoodie/hoodie.properties");
        File.WriteAllLines(path, [.. File.ReadAllLines(path).Where(l => !l.StartsWith(key + "=", StringComparison.Ordinal)), $"{key}={value}"]);
    }
}
