using System.Text.Json.Nodes;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Snapshots;

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
