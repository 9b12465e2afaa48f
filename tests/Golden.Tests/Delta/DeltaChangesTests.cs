using System.Globalization;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Delta;

/// <summary>Changes computed from the log: against the change data feed of the same commits, and against the rows before and after.</summary>
public class DeltaChangesTests
{
    [Theory]
    [InlineData("cdf_all_commits", 2)]
    [InlineData("cdf_deletion_vectors", 0)]
    [InlineData("rs_cdf", 0)]
    public async Task Changes_computed_from_the_log_have_the_net_effect_of_the_change_feed(string name, long from)
    {
        using DeltaCase golden = DeltaCase.Open(name);
        DeltaSnapshot newest = await golden.LoadAsync(SnapshotSelector.Latest);
        for (long version = from; version <= newest.Version; version++)
        {
            string text = version.ToString(CultureInfo.InvariantCulture);
            await using TableScan feed = await golden.Reader.PlanChangesAsync(newest, text, text);
            await using TableScan log = await golden.Reader.PlanChangesAsync(newest, text, text, useFeed: false);
            using DuckDBConnection connection = golden.Engine.OpenConnection();
            EngineDatabase.Execute(connection, $"CREATE OR REPLACE TEMP TABLE feed AS {feed.Sql}");
            EngineDatabase.Execute(connection, $"CREATE OR REPLACE TEMP TABLE log AS {log.Sql}");
            const string Gone = "SELECT * EXCLUDE (_change_type) FROM {0} WHERE _change_type IN ('delete', 'update_preimage')";
            const string Come = "SELECT * EXCLUDE (_change_type) FROM {0} WHERE _change_type IN ('insert', 'update_postimage')";
            foreach ((string plus, string minus) in new[] { (Gone, Come), (Come, Gone) })
            {
                string expected = Net("feed", plus, minus);
                string found = Net("log", plus, minus);
                Assert.Equal(0, Count(connection, $"({expected}) EXCEPT ALL ({found})"));
                Assert.Equal(0, Count(connection, $"({found}) EXCEPT ALL ({expected})"));
            }
        }
    }

    [Theory]
    [InlineData("multi_version_dml")]
    [InlineData("dv_delete_update_merge")]
    [InlineData("rs_partition_dml")]
    [InlineData("vacuum_restore")]
    [InlineData("part_many_types")]
    public async Task Changes_computed_from_the_log_turn_the_rows_before_into_the_rows_after(string name)
    {
        using DeltaCase golden = DeltaCase.Open(name);
        DeltaSnapshot newest = await golden.LoadAsync(SnapshotSelector.Latest);
        int checkedVersions = 0;
        for (long version = 1; version <= newest.Version; version++)
        {
            checkedVersions += await AppliesAsync(golden, version) ? 1 : 0;
        }

        Assert.True(checkedVersions > 0, "no version could be checked");
    }

    [Fact]
    public async Task A_range_in_which_the_feed_is_on_in_a_part_only_is_refused_and_its_parts_are_read()
    {
        using DeltaCase golden = DeltaCase.Open("cdf_all_commits");
        DeltaSnapshot newest = await golden.LoadAsync(SnapshotSelector.Latest);
        LakeException refused = await Assert.ThrowsAsync<LakeException>(async () => await golden.Reader.PlanChangesAsync(newest, "1", "4"));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, refused.Kind);
        await using TableScan before = await golden.Reader.PlanChangesAsync(newest, "0", "1");
        using DuckDBConnection connection = golden.Engine.OpenConnection();
        Assert.Equal(1, Count(connection, $"SELECT * FROM ({before.Sql}) WHERE _change_type = 'insert' AND _commit_version = 1"));
    }

    [Fact]
    public async Task A_removed_file_without_partition_values_is_looked_up_in_the_version_before()
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("p=a/1.parquet", "SELECT 1 AS id");
        table.Commit(0, HandMadeTable.Create(["id integer", "p string"], ["p"]));
        table.Commit(1, HandMadeTable.Add("p=a/1.parquet", size, partition: new() { ["p"] = "a" }));
        table.Commit(2, HandMadeTable.Remove("p=a/1.parquet"));
        await using TableScan scan = await table.Reader.PlanChangesAsync(await table.LoadAsync(), "2", "2");
        Assert.Equal(["[1, a, delete]"], table.Rows($"SELECT id, p, _change_type FROM ({scan.Sql})"));
    }

    [Fact]
    public async Task A_commit_that_rewrites_a_file_changes_only_the_rows_in_which_both_differ()
    {
        using var table = new HandMadeTable();
        long before = table.WriteFile("1.parquet", "SELECT * FROM (VALUES (1, 'x'), (2, 'y'), (2, 'y'), (3, NULL)) t(id, v)");
        long after = table.WriteFile("2.parquet", "SELECT * FROM (VALUES (1, 'x'), (2, 'y'), (3, 'z')) t(id, v)");
        table.Commit(0, [.. HandMadeTable.Create(["id integer", "v string"]), HandMadeTable.Add("1.parquet", before)]);
        table.Commit(1, HandMadeTable.Remove("1.parquet"), HandMadeTable.Add("2.parquet", after));
        table.Commit(2, HandMadeTable.Remove("2.parquet", dataChange: false), HandMadeTable.Add("1.parquet", before, dataChange: false));
        await using TableScan scan = await table.Reader.PlanChangesAsync(await table.LoadAsync(), "1", "2");
        Assert.Equal(
            ["[2, y, delete, 1]", "[3, NULL, delete, 1]", "[3, z, insert, 1]"], table.Rows($"SELECT id, v, _change_type, _commit_version FROM ({scan.Sql})"));
    }

    [Fact]
    public async Task Changes_whose_files_were_vacuumed_and_changes_across_a_dropped_column_are_refused_with_the_reason()
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", "SELECT 1 AS id, 2 AS v");
        table.Commit(0, [.. HandMadeTable.Create(["id integer", "v integer"]), HandMadeTable.Add("1.parquet", size)]);
        table.Commit(1, HandMadeTable.Remove("1.parquet"));
        table.Commit(2, HandMadeTable.Metadata(HandMadeTable.Schema("id integer")));
        DeltaSnapshot newest = await table.LoadAsync();
        LakeException dropped = await Assert.ThrowsAsync<LakeException>(async () => await table.Reader.PlanChangesAsync(newest, "0", "2"));
        Assert.Contains("schema", dropped.Message, StringComparison.Ordinal);
        File.Delete(table.TableFile("1.parquet"));
        LakeException vacuumed = await Assert.ThrowsAsync<LakeException>(async () => await table.Reader.PlanChangesAsync(newest, "0", "1"));
        Assert.Equal(LakeErrorKind.NotFound, vacuumed.Kind);
        Assert.Contains("missing", vacuumed.Message, StringComparison.Ordinal);
        LakeException beyond = await Assert.ThrowsAsync<LakeException>(async () => await table.Reader.PlanChangesAsync(newest, "0", "9"));
        Assert.Contains("does not exist", beyond.Message, StringComparison.Ordinal);
    }

    // False where the versions or their files are gone, or the schema changed: those refusals have tests of their own.
    private static async Task<bool> AppliesAsync(DeltaCase golden, long version)
    {
        string text = version.ToString(CultureInfo.InvariantCulture);
        try
        {
            DeltaSnapshot before = await golden.LoadAsync(SnapshotSelector.Version((version - 1).ToString(CultureInfo.InvariantCulture)));
            DeltaSnapshot after = await golden.LoadAsync(SnapshotSelector.Version(text));
            await using TableScan changes = await golden.Reader.PlanChangesAsync(after, text, text, useFeed: false);
            await using TableScan old = await golden.Reader.PlanAsync(before, ScanRequest.All);
            await using TableScan now = await golden.Reader.PlanAsync(after, ScanRequest.All);
            using DuckDBConnection connection = golden.Engine.OpenConnection();
            EngineDatabase.Execute(connection, $"CREATE OR REPLACE TEMP TABLE changes AS {changes.Sql}");
            const string Rows = "SELECT * EXCLUDE (_change_type, _commit_version, _commit_timestamp) FROM changes WHERE _change_type = ";
            string applied = $"(({old.Sql}) UNION ALL ({Rows}'insert')) EXCEPT ALL ({Rows}'delete')";
            Assert.Equal(0, Count(connection, $"({applied}) EXCEPT ALL ({now.Sql})"));
            Assert.Equal(0, Count(connection, $"({now.Sql}) EXCEPT ALL ({applied})"));
            return true;
        }
        catch (LakeException e) when (e.Kind is LakeErrorKind.NotFound or LakeErrorKind.FeatureUnsupported)
        {
            return false;
        }
    }

    private static string Net(string table, string plus, string minus) => string.Format(
        CultureInfo.InvariantCulture, "(" + plus + ") EXCEPT ALL (" + minus + ")", table);

    private static long Count(DuckDBConnection connection, string sql)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT count(*) FROM ({sql})";
        return (long)command.ExecuteScalar()!;
    }
}
