namespace LakeHolo.FlightServer;

/// <summary>Where traces and metrics are sent. What is not set here follows OpenTelemetry's environment variables (<c>OTEL_EXPORTER_OTLP_ENDPOINT</c>,
/// <c>OTEL_EXPORTER_OTLP_HEADERS</c>, <c>OTEL_TRACES_SAMPLER</c>, <c>OTEL_RESOURCE_ATTRIBUTES</c>, …).</summary>
public sealed record TelemetryOptions
{
    /// <summary>The collector's base address, <c>http://host:4317</c>; null for the environment's.</summary>
    public Uri? Endpoint { get; init; }

    /// <summary>OTLP over HTTP (<c>http/protobuf</c>) instead of gRPC; null for the environment's choice.</summary>
    public bool? OverHttp { get; init; }

    /// <summary>The name that this server has there; null for the environment's, or <c>lakeholo</c>.</summary>
    public string? ServiceName { get; init; }
}
