using System.Globalization;
using System.Text.Json;
using LakeHolo.Integration.Tests.Harness;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Integration.Tests;

/// <summary>What writers do to the lake shows in a running server.</summary>
public sealed class FollowingTheLake(LocalLake lake) : IClassFixture<LocalLake>
{
    private const int MaxSyncRuns = 400;

    [Fact]
    public async Task The_first_query_after_each_step_sees_it_whether_a_table_is_hot_or_not()
    {
        await using var server = new LakeServer(lake.Lake + "-steps");
        SampleLake.CopyTo(server.Location);
        await server.StartAsync();
        Outcome promoted = await server.RunAsync("promote", "dwd.*", "ods.payments");
        Assert.True(promoted.ExitCode == 0, promoted.Errors);
        var wrong = new List<string>();
        for (int step = 1; step <= SampleLake.StepCount; step++)
        {
            SampleLake.Play(step, server.Location);
            Dictionary<string, long> expected = CountsAfter(step);
            string[] rows = await server.RowsAsync(string.Join(" UNION ALL ", expected.Keys.Select(t => $"SELECT '{t}' AS t, count(*) AS n FROM {t}")));
            Dictionary<string, long> actual = rows.Select(r => r.Split(',')).ToDictionary(r => r[0], r => long.Parse(r[1], CultureInfo.InvariantCulture));
            wrong.AddRange(expected.Where(e => actual[e.Key] != e.Value).Select(e => $"step {step}: {e.Key} has {e.Value} rows, not {actual[e.Key]}"));
        }

        Directory.Delete(server.Location, recursive: true);
        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
    }

    [Fact]
    public async Task A_new_table_is_there_and_a_removed_one_is_gone_after_the_next_scheduled_sync()
    {
        string folder = Path.Combine(lake.Lake, "dwd", "newcomer");
        SampleLake.CopyFolder(Path.Combine(lake.Lake, "dwd", "products"), folder);
        await NextSyncAsync();
        Assert.Equal(["240"], await lake.Server.RowsAsync("SELECT count(*) FROM dwd.newcomer"));

        Directory.Delete(folder, recursive: true);
        await NextSyncAsync();
        Assert.Empty(await lake.Server.RowsAsync("SELECT name FROM lakeholo.tables WHERE name = 'newcomer'"));
        Outcome gone = await lake.Server.RunAsync("query", "SELECT count(*) FROM dwd.newcomer");
        Assert.Equal(3, gone.ExitCode);
        Assert.Contains("newcomer", gone.Errors, StringComparison.Ordinal);
    }

    /// <summary>Waits for a sync run that began after now.</summary>
    private async Task NextSyncAsync()
    {
        string now = (await lake.Server.RowsAsync("SELECT max(started_at) FROM lakeholo.sync_runs"))[0];
        for (int i = 0; i < MaxSyncRuns; i++)
        {
            // The second run that is newer: the first may have begun before the change.
            string[] later = await lake.Server.RowsAsync($"SELECT started_at FROM lakeholo.sync_runs WHERE state = 'done' AND started_at > TIMESTAMPTZ '{now}'");
            if (later.Length >= 2)
            {
                return;
            }
        }

        Assert.Fail($"No sync ran: {lake.Server.Log}");
    }

    private static Dictionary<string, long> CountsAfter(int step)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(SampleLake.Step(step), "tables.json")));
        return document.RootElement.GetProperty("touched").EnumerateObject().ToDictionary(t => t.Name, t => t.Value.GetProperty("rows").GetInt64());
    }
}
