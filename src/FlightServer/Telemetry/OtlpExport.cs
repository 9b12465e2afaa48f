using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace LakeHolo.FlightServer;

/// <summary>Sends traces and metrics of the process to a collector by OTLP. Disposing it sends what is left.</summary>
public sealed class OtlpExport : IDisposable
{
    /// <summary>The sources of spans and the meters of every project.</summary>
    internal const string Names = "LakeHolo.*";

    private static readonly string[] EndpointVariables = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"];

    private readonly TracerProvider _traces;
    private readonly MeterProvider _metrics;

    private OtlpExport(TelemetryOptions options)
    {
        ResourceBuilder resource = ResourceBuilder.CreateDefault();
        if (options.ServiceName is not null || Environment.GetEnvironmentVariable("OTEL_SERVICE_NAME") is null or "")
        {
            resource.AddService(options.ServiceName ?? "lakeholo", serviceVersion: typeof(OtlpExport).Assembly.GetName().Version?.ToString(3));
        }

        _traces = Sdk.CreateTracerProviderBuilder().SetResourceBuilder(resource).AddSource(Names).AddOtlpExporter(o => Set(o, options, "traces")).Build();
        _metrics = Sdk.CreateMeterProviderBuilder().SetResourceBuilder(resource).AddMeter(Names).AddOtlpExporter(o => Set(o, options, "metrics")).Build();
    }

    /// <summary>Begins to send; null when neither the options nor the environment say where to.</summary>
    public static OtlpExport? Start(TelemetryOptions options)
    {
        bool isOff = string.Equals(Environment.GetEnvironmentVariable("OTEL_SDK_DISABLED"), "true", StringComparison.OrdinalIgnoreCase);
        bool isSet = options.Endpoint is not null || EndpointVariables.Any(v => Environment.GetEnvironmentVariable(v) is { Length: > 0 });
        return isSet && !isOff ? new OtlpExport(options) : null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _traces.Dispose();
        _metrics.Dispose();
    }

    private static void Set(OtlpExporterOptions exporter, TelemetryOptions options, string signal)
    {
        if (options.OverHttp is { } overHttp)
        {
            exporter.Protocol = overHttp ? OtlpExportProtocol.HttpProtobuf : OtlpExportProtocol.Grpc;
        }

        if (options.Endpoint is { } endpoint)
        {
            // Over HTTP each signal has a path of its own (OTLP specification, "OTLP/HTTP Request").
            exporter.Endpoint = exporter.Protocol == OtlpExportProtocol.HttpProtobuf ? new Uri($"{endpoint.ToString().TrimEnd('/')}/v1/{signal}") : endpoint;
        }
    }
}
