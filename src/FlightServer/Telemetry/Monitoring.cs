using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace LakeHolo.FlightServer.Telemetry;

/// <summary><c>/healthz</c>, <c>/readyz</c> (503 once the server stops), and <c>/metrics</c> with the meters of every project in Prometheus' text format.</summary>
internal static class Monitoring
{
    public static void Map(WebApplication app)
    {
        MeterProvider metrics = Sdk.CreateMeterProviderBuilder().AddMeter(OtlpExport.Names).AddPrometheusExporter(o => o.ScrapeResponseCacheDurationMilliseconds = 0).Build();
        app.Lifetime.ApplicationStopped.Register(metrics.Dispose);
        app.MapGet("/healthz", static context => context.Response.WriteAsync("ok\n"));
        app.MapGet("/readyz", context =>
        {
            bool stops = app.Lifetime.ApplicationStopping.IsCancellationRequested;
            context.Response.StatusCode = stops ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status200OK;
            return context.Response.WriteAsync(stops ? "stopping\n" : "ready\n");
        });
        app.MapPrometheusScrapingEndpoint("/metrics", metrics, null, null);
    }
}
