using System.Globalization;
using DuckDB.NET.Data;
using LakeHolo.Golden.Tests.Harness;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Golden.Tests.Delta;

/// <summary>Changes from each step of a replay pack to each later one: added to the writer's rows of the first, they give those of the second.</summary>
public class DeltaReplayChangesTests
{
    [Theory]
    [InlineData("replay_column_mapping", 5)]
    [InlineData("replay_partition_overwrite", 30)]
    [InlineData("replay_rs_mixed", 40)]
    [InlineData("replay_upsert_dv", 40)]
    public async Task Changes_between_any_two_steps_turn_the_rows_of_one_into_those_of_the_other(string name, int leastRanges)
    {
        using DeltaCase golden = DeltaCase.Open(name);
        var steps = new List<(long Version, string Expected)>();
        int ranges = 0;
        int refused = 0;
        foreach (string step in Directory.EnumerateDirectories(golden.File("case/steps")).Order(StringComparer.Ordinal))
        {
            DeltaReplayTests.Apply(step, golden.File("case/table"));
            DeltaSnapshot newest = await golden.LoadAsync(SnapshotSelector.Latest);
            string expected = $"SELECT * FROM read_parquet({SqlText.Literal(Path.Combine(step, "expected.parquet"))})";

            // Asked at each step, before later ones clean files away; without much time from the last steps and from some of the earlier ones.
            foreach ((long version, string before) in steps.Where((s, i) => s.Version < newest.Version && (Fuzz.IsNightly || i >= steps.Count - 2 || (steps.Count + i) % 4 == 0)))
            {
                if (await ApplyAsync(golden, newest, version, before, expected))
                {
                    ranges++;
                }
                else
                {
                    refused++;
                }
            }

            steps.Add((newest.Version, expected));
        }

        Assert.True(ranges >= leastRanges, $"{ranges} ranges were compared, {refused} were refused");
    }

    // False where the range is refused, which must be for a reason that the table gives, or where its first commit renamed or dropped columns or fields of them, so that the
    // writer's rows before it cannot be compared.
    private static async Task<bool> ApplyAsync(DeltaCase golden, DeltaSnapshot newest, long version, string before, string after)
    {
        string from = (version + 1).ToString(CultureInfo.InvariantCulture);
        try
        {
            await using TableScan changes = await golden.Reader.PlanChangesAsync(newest, from, newest.Id.Text);
            using DuckDBConnection connection = golden.Engine.OpenConnection();
            EngineDatabase.Execute(connection, $"CREATE OR REPLACE TEMP TABLE changes AS {changes.Sql}");
            EngineDatabase.Execute(connection, $"CREATE OR REPLACE TEMP TABLE target AS {after}");
            var now = GoldenCases.Columns(connection, after);
            if (GoldenCases.Columns(connection, before).Any(c => !now.TryGetValue(c.Key, out string? type) || (c.Value.StartsWith("STRUCT", StringComparison.Ordinal) && c.Value != type)))
            {
                return false;
            }

            const string Rows = "SELECT * EXCLUDE (_change_type, _commit_version, _commit_timestamp) FROM changes WHERE _change_type IN ";
            string applied = $"(SELECT * FROM target WHERE false UNION ALL BY NAME {before} UNION ALL BY NAME {Rows}('insert', 'update_postimage')) "
                + $"EXCEPT ALL (SELECT * FROM target WHERE false UNION ALL BY NAME {Rows}('delete', 'update_preimage'))";
            string what = $"versions {from} to {newest.Version}";
            Assert.True(Count(connection, $"({applied}) EXCEPT ALL (FROM target)") == 0, what + " give rows too many");
            Assert.True(Count(connection, $"(FROM target) EXCEPT ALL ({applied})") == 0, what + " lose rows");
            return true;
        }
        catch (LakeException e)
        {
            Assert.True(
                e.Kind == LakeErrorKind.NotFound || (e.Kind == LakeErrorKind.FeatureUnsupported && (e.Message.Contains("schema", StringComparison.Ordinal) || e.Message.Contains("feed", StringComparison.Ordinal))),
                e.ToString());
            return false;
        }
    }

    private static long Count(DuckDBConnection connection, string sql)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT count(*) FROM ({sql})";
        return (long)command.ExecuteScalar()!;
    }
}
