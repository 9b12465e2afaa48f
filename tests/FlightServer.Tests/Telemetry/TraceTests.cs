using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Text;
using LakeHolo.FlightServer.Protocol;
using LakeHolo.FlightServer.Tests.Harness;
using LakeHolo.Tests.Shared;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace LakeHolo.FlightServer.Tests.Telemetry;

public sealed class TraceTests
{
    private const string Secret = "a-secret-in-the-text";

    [Fact]
    public async Task Spans_of_a_statement_hang_below_the_clients_own_and_hold_no_text()
    {
        await using ShopServer shop = await ShopServer.StartAsync();
        var spans = new ConcurrentBag<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = s => s.Name.StartsWith("LakeHolo.", StringComparison.Ordinal),
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = spans.Add,
        };
        ActivitySource.AddActivityListener(listener);
        string trace = Convert.ToHexStringLower(Guid.NewGuid().ToByteArray());
        shop.Client.Headers.Add("traceparent", $"00-{trace}-00000000000000aa-01");
        FlightInfo info = await shop.Client.InfoAsync(RawClient.Query($"SELECT *, '{Secret}' AS s FROM dwd.orders"));
        await shop.Client.ReadAsync(info.Endpoint[0].Ticket);
        await StatementTests.StatusOf(() => shop.Client.InfoAsync(RawClient.Query("SELECT nothing FROM dwd.orders")));
        await Eventually.TrueAsync(() => Of("statement").Length == 1 && Of("arrow.flight.protocol.FlightService/DoGet").Length == 1 && Of("prepare").Length == 2);

        Activity[] infos = Of("arrow.flight.protocol.FlightService/GetFlightInfo");
        Assert.All(infos, s => Assert.Equal("00000000000000aa", s.ParentSpanId.ToHexString()));
        Activity statement = Assert.Single(Of("statement"));
        Assert.Contains(infos, s => s.SpanId == statement.ParentSpanId);
        Assert.Equal(["execute", "plan", "send"], spans.Where(s => s.ParentSpanId == statement.SpanId).Select(s => s.OperationName).Order(StringComparer.Ordinal));
        Assert.Equal("00000000000000aa", Assert.Single(Of("arrow.flight.protocol.FlightService/DoGet")).ParentSpanId.ToHexString());
        Assert.Equal(100L, statement.GetTagItem("lakeholo.rows"));
        Assert.Equal("lake", statement.GetTagItem("lakeholo.tier"));
        Assert.Single(infos, s => s.Status == ActivityStatusCode.Error);
        Assert.DoesNotContain(spans.SelectMany(s => s.TagObjects), t => t.Value is string text && text.Contains(Secret, StringComparison.Ordinal));

        Activity[] Of(string name) => [.. spans.Where(s => s.TraceId.ToHexString() == trace && s.OperationName == name)];
    }

    [Fact]
    public async Task Traces_and_metrics_reach_a_collector_and_prometheus_tells_the_same_names()
    {
        var received = new ConcurrentDictionary<string, ConcurrentBag<string>>();
        await using WebApplication collector = await CollectorAsync(received);
        await using ShopServer shop = await ShopServer.StartAsync(o => o with { Monitoring = new Uri("http://127.0.0.1:0") });
        string trace = Convert.ToHexStringLower(Guid.NewGuid().ToByteArray());
        using (OtlpExport? export = OtlpExport.Start(new TelemetryOptions { Endpoint = AddressOf(collector), OverHttp = true, ServiceName = "the-lake" }))
        {
            Assert.NotNull(export);
            shop.Client.Headers.Add("traceparent", $"00-{trace}-00000000000000aa-01");
            FlightInfo info = await shop.Client.InfoAsync(RawClient.Query("FROM dwd.orders"));
            await shop.Client.ReadAsync(info.Endpoint[0].Ticket);
        }

        string traces = string.Concat(received["/v1/traces"]);
        string metrics = string.Concat(received["/v1/metrics"]);
        Assert.Contains(Encoding.Latin1.GetString(Convert.FromHexString(trace)), traces, StringComparison.Ordinal);
        Assert.All(["statement", "plan", "execute", "send", "the-lake"], name => Assert.Contains(name, traces, StringComparison.Ordinal));
        using var http = new HttpClient { BaseAddress = shop.Host.MonitoringAddress };
        string scraped = await http.GetStringAsync("/metrics");
        foreach (string name in new[] { "lakeholo.statement.duration", "lakeholo.statement.rows", "lakeholo.scan.files", "lakeholo.flight.sessions", "lakeholo.engine.memory" })
        {
            Assert.Contains(name, metrics, StringComparison.Ordinal);
            Assert.Contains(name.Replace('.', '_'), scraped, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Nothing_is_sent_where_nobody_says_where_to() => Assert.Null(OtlpExport.Start(new TelemetryOptions()));

    private static async Task<WebApplication> CollectorAsync(ConcurrentDictionary<string, ConcurrentBag<string>> received)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0));
        WebApplication app = builder.Build();
        app.Run(async context =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            received.GetOrAdd(context.Request.Path, _ => []).Add(Encoding.Latin1.GetString(body.ToArray()));
            context.Response.StatusCode = StatusCodes.Status200OK;
        });
        await app.StartAsync();
        return app;
    }

    private static Uri AddressOf(WebApplication app) => new(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
}
