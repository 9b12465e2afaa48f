using System.Globalization;
using Apache.Arrow;
using LakeHolo.FlightServer.Client;
using LakeHolo.Integration.Tests.Harness;
using LakeHolo.LakeCatalog;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Integration.Tests;

/// <summary>Tokens, limits and monitoring as lakeholo.yaml sets them, of the server as a process.</summary>
public sealed class ConfiguredLogins
{
    [Fact]
    public async Task A_token_of_the_command_line_logs_in_within_its_users_limits_and_is_monitored()
    {
        Outcome made = await CommandLine.LakeholoAsync(["new-token"]);
        Dictionary<string, string> token = made.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)).ToDictionary(w => w[0], w => w[1]);
        string monitoring = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{LakeServer.FreePort()}");
        await using var server = new LakeServer(
            SampleLake.Lake,
            "users:", $"  - {{ name: robot, token_hash: \"{token["token_hash"]}\", limits: {{ rows: 10 }} }}", $"  - {{ name: old, token_hash: \"{new string('0', 64)}\", token_expires: 2020-01-01 }}",
            $"monitoring: {monitoring}");
        await server.StartAsync();

        using FlightSqlClient robot = await FlightSqlClient.ConnectAsync(new Uri(server.Url), null, null, token["token"]);
        Assert.Equal(10, await CountAsync(robot, "SELECT * FROM dwd.products LIMIT 10"));
        LakeException tooMany = await Assert.ThrowsAsync<LakeException>(() => CountAsync(robot, "SELECT * FROM dwd.products"));
        Assert.Equal((LakeErrorKind.ResourcesExhausted, "Limit rows = 10 of robot: the result has more rows"), (tooMany.Kind, tooMany.Message));
        await Assert.ThrowsAsync<LakeException>(() => FlightSqlClient.ConnectAsync(new Uri(server.Url), null, null, "guess").AsTask());
        Assert.DoesNotContain(token["token"], server.Log, StringComparison.Ordinal);

        using var http = new HttpClient { BaseAddress = new Uri(monitoring) };
        Assert.Equal(("ok\n", "ready\n"), (await http.GetStringAsync("/healthz"), await http.GetStringAsync("/readyz")));
        string metrics = await http.GetStringAsync("/metrics");
        Assert.Matches("(?m)^lakeholo_logins_refused[a-z_]*\\{.*door=\"flight\".*\\} 1\\b", metrics);
        Assert.Matches("(?m)^lakeholo_statement_rows[a-z_]*\\{?.*\\}? [1-9]", metrics);
    }

    private static async Task<long> CountAsync(FlightSqlClient client, string sql)
    {
        await using FlightAnswer answer = await client.ExecuteAsync(sql);
        return await answer.ReadAsync().Select(b => (long)b.Length).SumAsync();
    }
}
