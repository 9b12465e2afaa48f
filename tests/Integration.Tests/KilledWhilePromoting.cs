using System.Diagnostics;
using LakeHolo.Integration.Tests.Harness;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Integration.Tests;

/// <summary>The hot tier's state survives an end at any moment of promotions, refreshes and verifications.</summary>
public sealed class KilledWhilePromoting(ITestOutputHelper output) : IAsyncLifetime
{
    private static readonly int Kills = Fuzz.IsNightly ? 200 : 8;

    // dwd.orders and its like take the longest to build, the small ones make many moments of publishing.
    private const string Counts = """
        SELECT * FROM (SELECT 1, count(*), sum(amount_eur) FROM dwd.order_items UNION ALL SELECT 2, count(*), sum(amount) FROM ods.payments
        UNION ALL SELECT 3, count(*), NULL FROM dws.product_daily UNION ALL SELECT 4, count(*), NULL FROM dwd.products UNION ALL SELECT 5, count(*), NULL FROM ads.revenue_dashboard
        UNION ALL SELECT 6, sum(n)::BIGINT, sum(pieces)::DECIMAL(18, 2) FROM hot.daily) ORDER BY 1
        """;

    private const string RollUp = "SELECT product_id, count(*) AS n, sum(quantity) AS pieces FROM dwd.order_items GROUP BY product_id";

    private static readonly TimeSpan RestartLimit = TimeSpan.FromSeconds(5);

    private readonly TemporaryFolder _folder = new();
    private LakeServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        SampleLake.CopyTo(_folder.File("lake"));
        _server = new LakeServer(_folder.File("lake"));
        await _server.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _folder.Dispose();
    }

    private async Task<string[]> LakeAsync() => (await _server.RowsAsync("SET tier = 'lake'; " + Counts))[^6..];

    [Fact]
    public async Task A_kill_at_any_moment_leaves_right_answers_and_a_quick_restart()
    {
        await _server.RunAsync("promote", "--query", "daily", "--as", RollUp);
        string[] expected = await LakeAsync();
        int step = 0;
        var random = new Random(Fuzz.NewSeed());
        var restarts = new List<TimeSpan>();
        int hot = 0;
        for (int kill = 0; kill < Kills; kill++)
        {
            if (kill % 4 == 0)
            {
                await _server.RunAsync("demote", "*.*");
                await _server.RunAsync("promote", "--query", "daily", "--as", RollUp);
            }

            // A third of the kills meet copies that follow, a third a verification.
            string verb = (kill % 3) switch { 1 => "refresh", 2 => "verify", _ => "promote" };
            if (verb == "refresh" && step < SampleLake.StepCount)
            {
                SampleLake.Play(++step, _folder.File("lake"));
                expected = await LakeAsync();
            }

            using (Process promote = Process.Start(CommandLine.Lakeholo([verb, "*.*", "--server", _server.Url]))!)
            {
                promote.WaitForExit(random.Next(300, 2500));
                await _server.KillAsync();
                await promote.WaitForExitAsync();
            }

            restarts.Add(await _server.StartAsync());
            Assert.Equal(expected, await _server.RowsAsync(Counts));
            string[] states = await _server.RowsAsync("SELECT state, count(*) FROM lakeholo.hot_tables GROUP BY state");
            Assert.All(states.Where(s => s.Length > 0), s => Assert.Matches("^(ready|refreshing),", s));
            hot += states.Count(s => s.Length > 0);
        }

        TimeSpan[] sorted = [.. restarts.Order()];
        output.WriteLine($"{sorted.Length} restarts, seconds: least {sorted[0].TotalSeconds:0.00}, median {sorted[sorted.Length / 2].TotalSeconds:0.00}, most {sorted[^1].TotalSeconds:0.00}");
        Assert.InRange(sorted[sorted.Length / 2], TimeSpan.Zero, RestartLimit); // one may have waited for a busy machine
        Assert.NotEqual(0, hot);
    }
}
