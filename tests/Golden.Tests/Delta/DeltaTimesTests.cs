using System.Globalization;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Delta.Log;
using LakeHolo.LakeCatalog.Snapshots;

namespace LakeHolo.Golden.Tests.Delta;

/// <summary>Times that commits carry themselves: what is missing or contradicts itself is refused where a time is asked for, and never stops a read of rows.</summary>
public class DeltaTimesTests
{
    private const string Protocol = """{"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["inCommitTimestamp"]}}""";

    [Theory]
    [InlineData("""{"commitInfo":{"operation":"WRITE","timestamp":2000}}""", "")]
    [InlineData("", """{"commitInfo":{"inCommitTimestamp":2000,"operation":"WRITE"}}""")]
    [InlineData("""{"commitInfo":{"inCommitTimestamp":"2000","operation":"WRITE"}}""", "")]
    public async Task A_commit_without_its_time_in_the_first_action_is_read_and_refused_where_the_time_is_asked_for(string first, string last)
    {
        using HandMadeTable table = Create();
        long size = table.WriteFile("1.parquet", "SELECT 1 AS id");
        table.Commit(1, [.. new[] { first, HandMadeTable.Add("1.parquet", size), last }.Where(a => a.Length > 0)]);
        Assert.Equal(["[1]"], await table.RowsAsync());
        DeltaSnapshot snapshot = await table.LoadAsync();
        Assert.Null(snapshot.CommittedAt);
        Assert.Null((await table.Format.ListSnapshotsAsync(table.Table))[0].CommittedAt);
        await RefusesAsync("inCommitTimestamp", () => table.LoadAsync(AsOf(1500)));
        await RefusesAsync("inCommitTimestamp", async () => await table.Reader.PlanChangesAsync(snapshot, "0", "1"));
    }

    [Theory]
    [InlineData("delta.inCommitTimestampEnablementVersion", "0")]
    [InlineData("delta.inCommitTimestampEnablementTimestamp", "1000")]
    public async Task One_of_the_two_properties_of_the_moment_when_times_began_is_refused_by_name(string property, string value)
    {
        using HandMadeTable table = Create((property, value));
        Assert.Empty(await table.RowsAsync());
        Assert.Null((await table.LoadAsync()).CommittedAt);
        await RefusesAsync("delta.inCommitTimestampEnablementVersion", () => table.LoadAsync(AsOf(1500)));
    }

    [Fact]
    public async Task Times_that_begin_after_the_newest_version_are_refused()
    {
        using HandMadeTable table = Create(("delta.inCommitTimestampEnablementVersion", "7"), ("delta.inCommitTimestampEnablementTimestamp", "1000"));
        await RefusesAsync("after the newest version 0", () => table.LoadAsync(AsOf(1500)));
    }

    [Fact]
    public async Task A_moment_is_looked_up_among_file_times_before_the_commits_carry_theirs_and_among_those_after()
    {
        using var table = new HandMadeTable();
        table.Commit(0, HandMadeTable.Create(["id integer"]));
        table.Commit(1, """{"commitInfo":{"operation":"WRITE"}}""");
        table.Commit(
            2, """{"commitInfo":{"inCommitTimestamp":5000,"operation":"SET TBLPROPERTIES"}}""", Protocol,
            Metadata(("delta.inCommitTimestampEnablementVersion", "2"), ("delta.inCommitTimestampEnablementTimestamp", "5000")));
        table.Commit(3, """{"commitInfo":{"inCommitTimestamp":6000,"operation":"WRITE"}}""");
        for (int version = 0; version < 4; version++)
        {
            // The files' times after the change mean nothing.
            File.SetLastWriteTimeUtc(Log(table, version, ".json"), DateTimeOffset.FromUnixTimeMilliseconds(version < 2 ? (version + 1) * 1000 : 100).UtcDateTime);
        }

        (long Millis, long Version)[] expected = [(1000, 0), (1999, 0), (2000, 1), (4999, 1), (5000, 2), (5999, 2), (6000, 3), (9999, 3)];
        foreach ((long millis, long version) in expected)
        {
            Assert.Equal(version, (await table.LoadAsync(AsOf(millis))).Version);
        }

        Assert.Equal([6000, 5000, 2000, 1000], (await table.Format.ListSnapshotsAsync(table.Table)).Select(s => s.CommittedAt!.Value.ToUnixTimeMilliseconds()));
    }

    [Fact]
    public async Task The_checksum_file_tells_the_time_of_a_checkpoint_whose_commit_is_gone()
    {
        using HandMadeTable table = Create();
        table.Commit(1, """{"commitInfo":{"inCommitTimestamp":2000,"operation":"WRITE"}}""");
        DeltaLogTests.WriteCheckpoint(
            table, "00000000000000000001.checkpoint.parquet", "1.parquet", 1,
            "{'minReaderVersion': 1, 'minWriterVersion': 7, 'writerFeatures': ['inCommitTimestamp']}", "MAP {'delta.enableInCommitTimestamps': 'true'}");
        File.Delete(Log(table, 0, ".json"));
        File.Delete(Log(table, 1, ".json"));
        Assert.Null((await table.LoadAsync()).CommittedAt);
        File.WriteAllText(Log(table, 1, ".crc"), """{"tableSizeBytes":1,"numFiles":1,"numMetadata":1,"numProtocol":1,"inCommitTimestampOpt":2000}""");
        Assert.Equal(2000, (await table.LoadAsync()).CommittedAt!.Value.ToUnixTimeMilliseconds());
        LakeException noCommits = await Assert.ThrowsAsync<LakeException>(() => table.LoadAsync(AsOf(3000)));
        Assert.Equal(LakeErrorKind.NotFound, noCommits.Kind);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("""{"inCommitTimestampOpt":2000}""")]
    [InlineData("""{"numMetadata":2,"numProtocol":1,"inCommitTimestampOpt":2000}""")]
    [InlineData("""{"numMetadata":1,"numProtocol":1,"inCommitTimestampOpt":"2000"}""")]
    public void A_damaged_checksum_file_tells_nothing(string json) => Assert.Null(VersionChecksum.ParseTime(System.Text.Encoding.UTF8.GetBytes(json)));

    private static HandMadeTable Create(params (string Name, string Value)[] properties)
    {
        var table = new HandMadeTable();
        table.Commit(0, """{"commitInfo":{"inCommitTimestamp":1000,"operation":"CREATE TABLE"}}""", Protocol, Metadata(properties));
        return table;
    }

    private static string Metadata(params (string Name, string Value)[] properties) => HandMadeTable.Metadata(
        HandMadeTable.Schema("id integer"), configuration: properties.Append(("delta.enableInCommitTimestamps", "true")).ToDictionary(p => p.Item1, p => p.Item2));

    private static SnapshotSelector AsOf(long millis) => SnapshotSelector.AsOf(DateTimeOffset.FromUnixTimeMilliseconds(millis));

    private static async Task RefusesAsync(string named, Func<Task> read)
    {
        LakeException refused = await Assert.ThrowsAsync<LakeException>(read);
        Assert.Equal(LakeErrorKind.FormatInvalid, refused.Kind);
        Assert.Contains(named, refused.Message, StringComparison.Ordinal);
    }

    private static string Log(HandMadeTable table, long version, string extension) =>
        table.TableFile(string.Create(CultureInfo.InvariantCulture, $"_delta_log/{version:D20}{extension}"));
}
