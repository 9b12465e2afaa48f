using System.Text.RegularExpressions;
using Apache.Arrow;
using DuckDB.NET.Data;
using LakeHolo.Golden.Tests.Harness;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Hudi;
using LakeHolo.Readers.Hudi.LogFiles;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>What merging a slice gave is used again: by later snapshots that hold the same of it, and as a copy in the disk cache.</summary>
public sealed class MergedSliceTests
{
    [Theory]
    [InlineData("mor_log_updates_deletes_v9")]
    [InlineData("mor_log_only_bucket_v8")]
    [InlineData("mor_multi_ordering_fields_v9")]
    [InlineData("mor_merge_into_partial_v8")]
    [InlineData("mor_schema_add_in_logs_v6")]
    [InlineData("flink_mor_eventtime_late")]
    public async Task A_copy_of_merged_slices_gives_the_rows_that_merging_gives_also_to_the_next_process(string name)
    {
        await using HudiCase golden = HudiCase.Open(name);
        HudiSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        string expected = golden.Definition.GetProperty("reads").EnumerateArray()
            .First(r => r.GetProperty("at") is { ValueKind: System.Text.Json.JsonValueKind.String } && !r.TryGetProperty("view", out _)).GetProperty("expected").GetString()!;
        ScanStatistics counts = await Check(golden.Reader, isMerged: true);
        await golden.Reader.SettleAsync();
        Assert.Equal(counts, await Check(golden.Reader, isMerged: false));
        using HudiReader later = golden.NewReader();
        Assert.Equal(counts, await Check(later, isMerged: false));

        async Task<ScanStatistics> Check(HudiReader reader, bool isMerged)
        {
            await using TableScan scan = await reader.PlanAsync(snapshot, ScanRequest.All);
            Assert.Equal(isMerged, scan.Sql.Contains("hudi_merge", StringComparison.Ordinal));
            Assert.Null(golden.Difference(scan.Sql, expected, snapshot));
            return scan.Statistics;
        }
    }

    [Fact]
    public async Task A_copy_has_the_columns_that_were_asked_for_and_serves_only_queries_of_these()
    {
        await using HudiCase golden = HudiCase.Open("mor_log_updates_deletes_v9");
        HudiSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        string[] names = [.. snapshot.Schema.FieldsList.Select(f => f.Name)];
        string expected = golden.Definition.GetProperty("reads").EnumerateArray()
            .First(r => r.GetProperty("at") is { ValueKind: System.Text.Json.JsonValueKind.String } && !r.TryGetProperty("view", out _)).GetProperty("expected").GetString()!;

        await Check(golden.Reader, names[^3..^1], isMerged: true);
        await Check(golden.Reader, names[^3..^1], isMerged: false);
        await Check(golden.Reader, names[^2..^1], isMerged: false);
        await Check(golden.Reader, [], isMerged: false);
        await Check(golden.Reader, names[^1..], isMerged: true);
        await Check(golden.Reader, names[^1..], isMerged: false);
        await Check(golden.Reader, names[^3..^2], isMerged: false);
        await Check(golden.Reader, names[^2..], isMerged: true);
        await Check(golden.Reader, names[..1], isMerged: true); // the fourth set: all columns are copied
        await Check(golden.Reader, names, isMerged: false);
        using HudiReader later = golden.NewReader();
        await Check(later, names[^3..^1], isMerged: false);

        async Task Check(HudiReader reader, string[] columns, bool isMerged)
        {
            await using (TableScan scan = await reader.PlanAsync(snapshot, new ScanRequest { Columns = columns }))
            {
                Assert.Equal(isMerged, scan.Sql.Contains("hudi_merge", StringComparison.Ordinal));
                string list = columns.Length == 0 ? "1 AS n" : string.Join(", ", columns.Select(c => '"' + c + '"'));
                string theirs = $"SELECT {list} FROM ({golden.Expected(expected)})";
                Assert.Null(RowComparer.Difference(
                    golden.Engine, columns.Length == 0 ? $"SELECT 1 AS n FROM ({scan.Sql})" : scan.Sql, theirs,
                    new Schema([.. snapshot.Schema.FieldsList.Where(f => columns.Contains(f.Name))], null)));
            }

            await reader.SettleAsync();
        }
    }

    [Fact]
    public async Task Log_blocks_are_decoded_for_the_columns_of_the_first_query_and_whole_for_another_one()
    {
        await using HudiCase golden = HudiCase.Open("mor_log_updates_deletes_v9");
        HudiSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        string[] names = [.. snapshot.Schema.FieldsList.Select(f => f.Name)];
        string[] needed = [names[^1], .. snapshot.Properties.RecordKeyFields, .. snapshot.Properties.OrderingFields, "_hoodie_record_key"];
        string[] left = [.. names.Except(needed)];

        await using TableScan first = await golden.Reader.PlanAsync(snapshot, new ScanRequest { Columns = [names[^1]] });
        string block = Assert.Single(Regex.Matches(first.Sql, "'([^']*/passing-[^']*)'").Select(m => m.Groups[1].Value).Distinct().Take(1));
        Assert.Equal(needed.Order().Distinct(), Columns(block));
        await using TableScan same = await golden.Reader.PlanAsync(snapshot, new ScanRequest { Columns = [names[^1]] });
        Assert.Contains(block, same.Sql, StringComparison.Ordinal);
        await using TableScan second = await golden.Reader.PlanAsync(snapshot, new ScanRequest { Columns = [left[^1]] });
        Assert.DoesNotContain("passing-", second.Sql, StringComparison.Ordinal);
        block = Regex.Matches(second.Sql, "'([^']*/decoded-[^']*)'")[0].Groups[1].Value;
        Assert.Equal(names.Order(), Columns(block));

        string[] Columns(string path)
        {
            using DuckDBConnection connection = golden.Engine.OpenConnection();
            using DuckDBCommand command = connection.CreateCommand();
            command.CommandText = $"DESCRIBE SELECT * FROM read_parquet('{path}')";
            using DuckDBDataReader reader = command.ExecuteReader();
            var columns = new List<string>();
            while (reader.Read())
            {
                columns.Add(reader.GetString(0));
            }

            return [.. columns.Order()];
        }
    }

    [Theory]
    [InlineData("mor_log_updates_deletes_v9")]
    [InlineData("mor_log_updates_deletes_v6")]
    [InlineData("mor_log_only_bucket_v8")]
    [InlineData("mor_multi_ordering_fields_v9")]
    [InlineData("mor_merge_into_partial_v8")]
    [InlineData("mor_schema_add_in_logs_v6")]
    [InlineData("mor_event_time_late_v8")]
    [InlineData("mor_commit_time_v8")]
    [InlineData("mor_delete_marker_v8")]
    [InlineData("flink_mor_eventtime_late")]
    public async Task Each_column_alone_has_the_values_that_it_has_among_all_when_slices_are_merged_for_it(string name)
    {
        await using HudiCase golden = HudiCase.Open(name);
        HudiSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        string expected = golden.Definition.GetProperty("reads").EnumerateArray()
            .First(r => r.GetProperty("at") is { ValueKind: System.Text.Json.JsonValueKind.String } && !r.TryGetProperty("view", out _)).GetProperty("expected").GetString()!;
        foreach (Field field in snapshot.Schema.FieldsList)
        {
            using HudiReader reader = golden.NewReader();
            await using TableScan scan = await reader.PlanAsync(snapshot, new ScanRequest { Columns = [field.Name] });
            Assert.Matches("hudi_merge|passing-", scan.Sql);
            Assert.Null(RowComparer.Difference(golden.Engine, scan.Sql, $"SELECT \"{field.Name}\" FROM ({golden.Expected(expected)})", new Schema([field], null)));
        }
    }

    [Theory]
    [InlineData("replay_mor_v6")]
    [InlineData("replay_mor_v8")]
    public async Task A_commit_leaves_the_outcome_of_slices_that_it_did_not_write_to_as_it_is(string name)
    {
        await using HudiCase golden = HudiCase.Open(name);
        SliceFiles files = golden.NewSliceFiles();
        Dictionary<string, string>? before = null;
        int kept = 0;
        int steps = Directory.GetDirectories(golden.Path("steps")).Length;
        for (int step = 1; step <= steps; step++)
        {
            golden.Apply(step);
            HudiSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
            FileSlice[] merged = [.. snapshot.Slices.Where(s => s.Logs.Count > 0)];
            Dictionary<string, string> now = (await files.FindLogsAsync(snapshot, merged, TestContext.Current.CancellationToken))
                .ToDictionary(s => string.Join(' ', s.Slice.Files.Select(f => $"{f.Path}:{f.SizeBytes}")) + $" {snapshot.Columns.Count}", s => s.Identity);
            Assert.Equal(now.Count, now.Values.Distinct().Count());
            foreach ((string slice, string identity) in now.Where(s => before?.ContainsKey(s.Key) == true))
            {
                Assert.Equal(before![slice], identity);
                kept++;
            }

            before = now;
        }

        Assert.NotEqual(0, kept);
    }

    [Theory]
    [InlineData("mor_log_updates_deletes_v9", true)]
    [InlineData("mor_delete_marker_v8", true)]
    [InlineData("mor_log_updates_deletes_v6", false)]
    public async Task Log_files_of_version_8_and_later_tell_the_positions_of_their_records(string name, bool arePositioned)
    {
        await using HudiCase golden = HudiCase.Open(name);
        HudiSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        IReadOnlyList<SliceLogs> slices = await golden.NewSliceFiles().FindLogsAsync(snapshot, [.. snapshot.Slices.Where(s => s.Logs.Count > 0)], TestContext.Current.CancellationToken);

        Assert.NotEmpty(slices);
        Assert.Equal(arePositioned, slices.Any(s => s.TellsPositions));
        Assert.All(slices.Where(s => s.TellsPositions), s => Assert.All(s.Live, b => Assert.NotEmpty(RecordPositions.TryRead(b)!)));
    }
}
