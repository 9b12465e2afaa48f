using System.Net;
using LakeHolo.FlightServer.Tests.Harness;

namespace LakeHolo.FlightServer.Tests.Telemetry;

public sealed class MonitoringTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task A_server_that_stops_is_alive_but_not_ready_any_more()
    {
        var answers = new List<(HttpStatusCode, string)>();
        using var http = new HttpClient();
        await using (TestServer server = await TestServer.StartAsync(o => o with { Monitoring = new Uri("http://127.0.0.1:0") }))
        {
            http.BaseAddress = server.Host.MonitoringAddress;
            Add(await AskAsync(http));
            server.Host.Lifetime.ApplicationStopping.Register(() => Add(Task.Run(() => AskAsync(http)).WaitAsync(Limit).GetAwaiter().GetResult()));
        }

        Assert.Equal(
            [(HttpStatusCode.OK, "ready\n"), (HttpStatusCode.OK, "ok\n"), (HttpStatusCode.ServiceUnavailable, "stopping\n"), (HttpStatusCode.OK, "ok\n")], answers);

        void Add(IEnumerable<(HttpStatusCode, string)> told) => answers.AddRange(told);
    }

    private static async Task<(HttpStatusCode, string)[]> AskAsync(HttpClient http)
    {
        using HttpResponseMessage ready = await http.GetAsync("/readyz");
        using HttpResponseMessage alive = await http.GetAsync("/healthz");
        return [(ready.StatusCode, await ready.Content.ReadAsStringAsync()), (alive.StatusCode, await alive.Content.ReadAsStringAsync())];
    }
}
