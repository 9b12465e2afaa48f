using System.Globalization;
using System.Text.Json;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Hudi;

public sealed class HudiGoldenTests
{
    public static TheoryData<string> Cases => [.. File.ReadAllLines(Path.Combine(HudiCase.Folder, "cases.txt"))];

    [Fact]
    public void Every_table_in_the_folder_is_on_the_list_and_nothing_else_is()
        => Assert.Equal(
            File.ReadAllLines(Path.Combine(HudiCase.Folder, "cases.txt")),
            Directory.EnumerateFiles(HudiCase.Folder, "*.zip").Select(f => Path.GetFileNameWithoutExtension(f)!).Order(StringComparer.Ordinal));

    /// <summary>Reads whose expected rows are a known fault of the engine that made them. They must go on differing, or the list is stale.</summary>
    private static readonly Dictionary<string, string> Disagreements = new()
    {
        ["flink_mor_bucket_compacted/expected/instant-20261123093734700.parquet"] =
            "Hudi 1.1.1 places version 6 log files by the modification time of copied timeline files: time travel to before a pending compaction loses committed log rows",
    };

    /// <summary>What the expected rows of a case are by another engine's account, as a relation over them: the rest of each row is compared.</summary>
    private static readonly Dictionary<string, Func<string, string>> Accounts = new()
    {
        // Hudi 1.1.1 took the copy's log files for newer than the compaction, so that unchanged rows come from the logs and bear their file name.
        ["flink_mor_bucket_compacted"] = expected => $"SELECT * EXCLUDE (_hoodie_file_name) FROM ({expected})",
        // Flink writes the instants it read without their zone.
        ["flink_replay_hudi_mor"] = expected => $"SELECT * REPLACE (CAST(ts AS TIMESTAMPTZ) AS ts, CAST(t6 AS TIMESTAMPTZ) AS t6) FROM ({expected})",
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task A_table_gives_the_rows_that_its_engine_gives_or_is_refused_by_name(string name)
    {
        await using HudiCase golden = HudiCase.Open(name);
        if (golden.Definition.TryGetProperty("steps", out _))
        {
            await Replay(name, golden);
        }
        else if (golden.Definition.GetProperty("outcome").GetString() == "refuse")
        {
            await Refused(golden, golden.Definition.GetProperty("refuse").GetString()!);
        }
        else
        {
            var problems = new List<string>();
            foreach (JsonElement read in golden.Definition.GetProperty("reads").EnumerateArray())
            {
                string? problem = await Read(name, golden, read);
                bool isDisputed = Disagreements.ContainsKey($"{name}/{read.GetProperty("expected").GetString()}");
                Assert.True(!isDisputed || problem is not null, "a disputed read agrees: take it off the list");
                if (problem is not null && !isDisputed)
                {
                    problems.Add(read.GetProperty("expected").GetString() + ": " + problem);
                }
            }

            Assert.True(problems.Count == 0, string.Join('\n', problems));
        }
    }

    private static async Task<string?> Read(string name, HudiCase golden, JsonElement read)
    {
        string? view = read.TryGetProperty("view", out JsonElement v) ? v.GetString() : null;
        try
        {
            HudiSnapshot snapshot;
            TableScan scan;
            if (read.TryGetProperty("changes", out JsonElement changes))
            {
                string to = changes.GetProperty("to").GetString()!;
                string from = changes.GetProperty("from").GetString()!;
                snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
                if (view == "cdc")
                {
                    return await Changes(golden, snapshot, from, to, read);
                }

                // Hudi 1.0.2 (table version 8) counts the start itself as inside the range, the other releases do not.
                scan = await golden.PlanChangesAsync(snapshot, snapshot.Properties.TableVersion == 8 && from.Length == 17 ? Before(from) : from, to);
            }
            else
            {
                JsonElement at = read.GetProperty("at");
                snapshot = await golden.LoadAsync(
                    at.ValueKind == JsonValueKind.String ? SnapshotSelector.Latest : SnapshotSelector.Version(at.GetProperty("instant").GetString()!));
                scan = await golden.PlanAsync(snapshot, view is null ? null : "ro");
            }

            await using (scan)
            {
                string sql = read.TryGetProperty("aggregate_sql", out JsonElement aggregate) ? HudiCase.Aggregate(scan.Sql, aggregate.GetString()!) : scan.Sql;
                string? problem = golden.Difference(sql, read.GetProperty("expected").GetString()!, snapshot, Accounts.GetValueOrDefault(name));
                return problem is not null && read.TryGetProperty("also_accepted", out JsonElement others)
                    && Files(others).Any(o => golden.Difference(sql, o, snapshot, Accounts.GetValueOrDefault(name)) is null)
                        ? null
                        : problem;
            }
        }
        catch (LakeException error)
        {
            return error.Message;
        }
    }

    // Hudi 1.0.2 loses every other row of the file groups that have no change log, and prints a row as JSON in two ways: what it tells is told here, too. A row is known
    // by operation, instant and the values that both ways print alike.
    private static async Task<string?> Changes(HudiCase golden, HudiSnapshot snapshot, string from, string to, JsonElement read)
    {
        await using TableScan scan = await golden.PlanChangesAsync(snapshot, from, to);
        string Rows(string relation) => "SELECT op, ts_ms, " + string.Join(", ", ((string[])["before", "after"]).SelectMany(image => ((string[])["id", "ord", "name", "qty", "x", "d", "t", "region"])
            .Select(c => $"CASE WHEN {image} = 'null' THEN NULL ELSE json_extract_string({image}, '$.{c}') END AS {image}_{c}"))) + $" FROM ({relation})";
        List<string> lost = golden.Texts($"SELECT CAST(x AS VARCHAR) FROM (({Rows(golden.Expected(read.GetProperty("expected").GetString()!))}) EXCEPT ALL ({Rows(scan.Sql)})) x");
        return lost.Count == 0 ? null : "lost:\n" + string.Join('\n', lost);
    }

    private static string Before(string instant) => (long.Parse(instant, CultureInfo.InvariantCulture) - 1).ToString(CultureInfo.InvariantCulture);

    private static IEnumerable<string> Files(JsonElement files)
        => files.ValueKind == JsonValueKind.Array ? files.EnumerateArray().Select(f => f.GetString()!) : [files.GetString()!];

    private static async Task Refused(HudiCase golden, string what)
    {
        LakeException error = await Assert.ThrowsAsync<LakeException>(async () =>
        {
            HudiSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
            await using TableScan scan = await golden.PlanAsync(snapshot);
            golden.Count(scan.Sql);
        });
        Assert.Contains(what, error.Message, StringComparison.Ordinal);
    }

    private static async Task Replay(string name, HudiCase golden)
    {
        HudiSnapshot? followed = null;
        int steps = Directory.GetDirectories(golden.Path("steps")).Length;
        for (int step = 1; step <= steps; step++)
        {
            golden.Apply(step);
            string expected = $"steps/{step:000}/expected.parquet";
            foreach (bool follow in (bool[])[false, true])
            {
                HudiSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest, follow ? followed : null);
                followed = follow ? snapshot : followed;
                await using TableScan scan = await golden.PlanAsync(snapshot);
                string? problem = golden.Difference(scan.Sql, expected, snapshot, Accounts.GetValueOrDefault(name));
                Assert.True(problem is null, $"step {step}, {(follow ? "followed" : "opened anew")}: {problem}");
            }
        }
    }
}
