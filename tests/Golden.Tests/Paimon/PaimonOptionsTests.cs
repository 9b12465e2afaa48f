using System.Text.Json.Nodes;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Paimon;

/// <summary>Table options over a real table: those that would change what a read gives are refused by name, those that only writers follow are not.</summary>
public class PaimonOptionsTests
{
    [Theory]
    [InlineData("type", "format-table")]
    [InlineData("type", "object-table")]
    [InlineData("type", "lance-table")]
    [InlineData("type", "iceberg-table")]
    [InlineData("type", "table-of-tomorrow")]
    [InlineData("chain-table.enabled", "true")]
    [InlineData("postpone.merge-on-read", "true")]
    [InlineData("query-auth.enabled", "true")]
    [InlineData("scan.primary-branch", "b")]
    [InlineData("scan.snapshot-id", "1")]
    [InlineData("scan.tag-name", "t")]
    [InlineData("scan.timestamp-millis", "1")]
    [InlineData("scan.watermark", "1")]
    [InlineData("scan.mode", "compacted-full")]
    [InlineData("incremental-between", "1,2")]
    public async Task An_option_that_changes_what_a_read_gives_is_refused_by_its_name(string option, string value)
    {
        await using PaimonCase golden = PaimonCase.Open("append_unaware_parquet");
        SetOption(golden, option, value);
        LakeException refused = await Assert.ThrowsAsync<LakeException>(() => golden.LoadAsync(SnapshotSelector.Latest));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, refused.Kind);
        Assert.Contains(option + "=" + value, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("type", "table")]
    [InlineData("type", "materialized-table")]
    [InlineData("chain-table.enabled", "false")]
    [InlineData("scan.mode", "latest-full")]
    [InlineData("snapshot.num-retained.max", "5")]
    [InlineData("write-buffer-size", "1 mb")]
    [InlineData("consumer.expiration-time", "1 h")]
    public async Task An_option_of_writers_or_with_its_default_changes_nothing(string option, string value)
    {
        await using PaimonCase golden = PaimonCase.Open("append_unaware_parquet");
        long files = (await golden.LoadAsync(SnapshotSelector.Latest)).FileCount;
        SetOption(golden, option, value);
        Assert.Equal(files, (await golden.LoadAsync(SnapshotSelector.Latest)).FileCount);
    }

    [Theory]
    [InlineData("pk_dedup_uncompacted", null)]
    [InlineData("pk_dv_merge_on_write", "deletion-vectors.merge-on-read")]
    [InlineData("pk_dv_aggregation", null)]
    public async Task Files_that_are_not_sorted_by_key_are_refused_where_they_would_have_to_be_merged(string table, string? flag)
    {
        await using PaimonCase golden = PaimonCase.Open(table);
        SetOption(golden, "pk-clustering-override", "true");
        if (flag is not null)
        {
            Assert.True((await golden.LoadAsync(SnapshotSelector.Latest)).FileCount > 0);
            SetOption(golden, flag, "true");
        }

        LakeException refused = await Assert.ThrowsAsync<LakeException>(() => golden.LoadAsync(SnapshotSelector.Latest));
        Assert.Equal((LakeErrorKind.FeatureUnsupported, true), (refused.Kind, refused.Message.Contains("pk-clustering-override", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("append_dv_delete_v1")]
    [InlineData("pk_dv_merge_on_write_64")]
    public async Task Deletion_vectors_are_refused_where_the_option_would_have_them_passed_over(string table)
    {
        await using PaimonCase golden = PaimonCase.Open(table);
        Assert.NotEmpty((await golden.LoadAsync(SnapshotSelector.Latest)).DeletionVectors);
        SetOption(golden, "deletion-vectors.enabled", "false");
        LakeException refused = await Assert.ThrowsAsync<LakeException>(() => golden.LoadAsync(SnapshotSelector.Latest));
        Assert.Equal((LakeErrorKind.FeatureUnsupported, true), (refused.Kind, refused.Message.Contains("deletion-vectors.enabled", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Files_of_columns_of_the_same_rows_are_refused_where_the_option_would_not_have_them_put_together()
    {
        await using PaimonCase golden = PaimonCase.Open("append_data_evolution");
        Assert.True((await golden.LoadAsync(SnapshotSelector.Latest)).FileCount > 0);
        SetOption(golden, "data-evolution.enabled", "false");
        LakeException refused = await Assert.ThrowsAsync<LakeException>(() => golden.LoadAsync(SnapshotSelector.Latest));
        Assert.Equal((LakeErrorKind.FeatureUnsupported, true), (refused.Kind, refused.Message.Contains("data-evolution.enabled", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("old")]
    [InlineData("  ")]
    public async Task A_branch_has_a_fallback_branch_of_its_own(string fallback)
    {
        await using PaimonCase golden = PaimonCase.Open("fallback_branch");
        SetOption(golden, "scan.fallback-branch", fallback);
        foreach (string folder in (string[])["schema", "snapshot"])
        {
            Directory.CreateDirectory(golden.Path($"table/branch/branch-next/{folder}"));
            foreach (string file in Directory.EnumerateFiles(golden.Path("table/" + folder)))
            {
                File.Copy(file, golden.Path($"table/branch/branch-next/{folder}/{Path.GetFileName(file)}"));
            }
        }

        PaimonSnapshot next = await golden.LoadAsync(SnapshotSelector.Latest, table: golden.TableAt("", "t$branch_next"));
        await using TableScan scan = await golden.Reader.PlanAsync(next, ScanRequest.All);
        Assert.Equal(fallback == "old" ? null : "less", golden.Difference(scan.Sql, "expected/latest.parquet") is null ? null : "less");

        // A fallback branch has none itself.
        SetOption(golden, "scan.fallback-branch", "next");
        PaimonSnapshot main = await golden.LoadAsync(SnapshotSelector.Latest);
        Assert.Equal((2, 0), (main.Files.Count, main.Fallback!.Files.Count));
        Assert.Null(main.Fallback.Fallback);
    }

    [Theory]
    [InlineData("incremental-between-scan-mode", "diff")]
    [InlineData("incremental-between-tag-to-snapshot", "true")]
    public async Task Changes_are_refused_where_an_option_would_have_them_found_in_another_way(string option, string value)
    {
        await using PaimonCase golden = PaimonCase.Open("incremental_pk_tags_diff");
        SetOption(golden, option, value);
        PaimonSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        LakeException refused = await Assert.ThrowsAsync<LakeException>(async () => await golden.Reader.PlanChangesAsync(snapshot, "a", "b"));
        Assert.Equal((LakeErrorKind.FeatureUnsupported, true), (refused.Kind, refused.Message.Contains(option + "=" + value, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task The_audit_log_is_refused_where_it_would_have_more_columns()
    {
        await using PaimonCase golden = PaimonCase.Open("pk_dedup_uncompacted");
        SetOption(golden, "table-read.sequence-number.enabled", "true");
        PaimonSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        LakeException refused = await Assert.ThrowsAsync<LakeException>(async () => await golden.Reader.PlanAsync(snapshot, ScanRequest.All with { View = "audit_log" }));
        Assert.Equal((LakeErrorKind.FeatureUnsupported, true), (refused.Kind, refused.Message.Contains("table-read.sequence-number.enabled", StringComparison.Ordinal)));
        await using TableScan scan = await golden.Reader.PlanAsync(snapshot, ScanRequest.All);
    }

    [Fact]
    public async Task Changes_are_refused_while_rows_wait_in_the_bucket_that_no_read_sees()
    {
        await using PaimonCase golden = PaimonCase.Open("pk_postpone_bucket");
        PaimonSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        LakeException refused = await Assert.ThrowsAsync<LakeException>(async () => await golden.Reader.PlanChangesAsync(snapshot, "0", snapshot.Id.Text));
        Assert.Equal((LakeErrorKind.FeatureUnsupported, true), (refused.Kind, refused.Message.Contains("bucket=-2", StringComparison.Ordinal)));
    }

    private static void SetOption(PaimonCase golden, string option, string value)
    {
        foreach (string file in Directory.EnumerateFiles(Path.Combine(new Uri(golden.Table.Root.Location).LocalPath, "schema"), "schema-*"))
        {
            JsonNode schema = JsonNode.Parse(File.ReadAllText(file))!;
            (schema["options"] ??= new JsonObject())[option] = value;
            File.WriteAllText(file, schema.ToJsonString());
        }
    }
}
