using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Delta.Schema;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Delta;

/// <summary>Interval columns: months in INT32 and microseconds in INT64, without annotation; as partition values, text.</summary>
public class DeltaIntervalTests
{
    [Fact]
    public async Task Intervals_of_files_are_months_or_microseconds_at_every_depth()
    {
        using var table = new HandMadeTable();
        const string Element = """{"type":"array","elementType":"interval day to second","containsNull":true}""";
        long size = table.WriteFile(
            "1.parquet",
            "SELECT 18::INTEGER AS ym, 650096123456::BIGINT AS dt, [-1::BIGINT, NULL] AS l UNION ALL SELECT (-2147483648)::INTEGER, '-9223372036854775808'::BIGINT, NULL UNION ALL SELECT NULL, 9223372036854775807, []");
        table.Commit(0, [.. HandMadeTable.Create(["ym interval year to month", "dt interval day to second", "l " + Element, "late interval month"]), HandMadeTable.Add("1.parquet", size)]);
        Assert.Equal(
            [
                "[-178956970 years -8 months, -106751991 days -04:00:54.775808, NULL, NULL]",
                "[1 year 6 months, 7 days 12:34:56.123456, ['-00:00:00.000001', NULL], NULL]",
                "[NULL, 106751991 days 04:00:54.775807, [], NULL]",
            ],
            await table.RowsAsync());
    }

    [Fact]
    public async Task Partition_values_are_told_by_their_text_and_a_comparison_leaves_out_null_only()
    {
        using var table = new HandMadeTable();
        string?[] values = ["INTERVAL '7 12:34:56.123456' DAY TO SECOND", "INTERVAL '-0 00:00:00.5' DAY TO SECOND"];
        string[] adds = [.. values.Append(null).Select((v, i) => HandMadeTable.Add($"{i}.parquet", table.WriteFile($"{i}.parquet", "SELECT 1 AS id"), partition: new() { ["p"] = v }))];
        table.Commit(0, [.. HandMadeTable.Create(["id integer", "p interval day to second"], ["p"]), .. adds]);
        Assert.Equal(["[-00:00:00.5]", "[7 days 12:34:56.123456]", "[NULL]"], await table.RowsAsync(request: ScanRequest.All with { Columns = ["p"] }));
        ScanFilter filter = new ScanFilter.Compare("p", ScanComparison.Greater, new ScanLiteral("1 day"));
        Assert.Equal(2, (await table.RowsAsync(request: ScanRequest.All with { Columns = ["id"], Filter = filter })).Length);
    }

    [Theory]
    [InlineData("INTERVAL '1-6' YEAR TO MONTH", 18L)]
    [InlineData("INTERVAL '-1-6' YEAR TO MONTH", -18L)]
    [InlineData("INTERVAL -'-1-6' YEAR TO MONTH", 18L)]
    [InlineData("INTERVAL '5' YEAR", 60L)]
    [InlineData("INTERVAL '-178956970-8' YEAR TO MONTH", (long)int.MinValue)]
    [InlineData("INTERVAL '178956970-8' YEAR TO MONTH", null)]
    [InlineData("INTERVAL '1-6'", null)]
    [InlineData("INTERVAL '1 6' YEAR TO MONTH", null)]
    [InlineData("INTERVAL '7' DAY", null)]
    public void Months_are_parsed(string text, long? expected) => AssertParsed(text, DeltaPrimitiveKind.YearMonthInterval, expected);

    [Theory]
    [InlineData("INTERVAL '7 12:34:56.123456' DAY TO SECOND", 650_096_123_456L)]
    [InlineData("INTERVAL '-106751991 04:00:54.775808' DAY TO SECOND", long.MinValue)]
    [InlineData("INTERVAL '106751991 04:00:54.775808' DAY TO SECOND", null)]
    [InlineData("INTERVAL '99999999999999999999 00:00:00' DAY TO SECOND", null)]
    [InlineData("INTERVAL '01:02' MINUTE TO SECOND", 62_000_000L)]
    [InlineData("INTERVAL '0.000001' SECOND", 1L)]
    [InlineData("INTERVAL '0.0000001' SECOND", null)]
    [InlineData("INTERVAL '2 03' DAY TO HOUR", 183_600_000_000L)]
    [InlineData("INTERVAL '1.5' DAY", null)]
    [InlineData("INTERVAL '1-6' YEAR TO MONTH", null)]
    [InlineData("7 days", null)]
    public void Microseconds_are_parsed(string text, long? expected) => AssertParsed(text, DeltaPrimitiveKind.DayTimeInterval, expected);

    [Fact]
    public async Task A_value_that_is_no_interval_of_its_column_is_refused_with_its_text()
    {
        using var table = new HandMadeTable();
        long size = table.WriteFile("1.parquet", "SELECT 1 AS id");
        table.Commit(0, [.. HandMadeTable.Create(["id integer", "p interval year to month"], ["p"]), HandMadeTable.Add("1.parquet", size, partition: new() { ["p"] = "INTERVAL '7' DAY" })]);
        LakeException refused = await Assert.ThrowsAsync<LakeException>(() => table.RowsAsync());
        Assert.Contains("'INTERVAL '7' DAY'", refused.Message, StringComparison.Ordinal);
    }

    private static void AssertParsed(string text, DeltaPrimitiveKind kind, long? expected)
    {
        Assert.Equal(expected is not null, DeltaInterval.TryParse(text, kind, out long value));
        Assert.Equal(expected ?? 0, value);
    }
}
