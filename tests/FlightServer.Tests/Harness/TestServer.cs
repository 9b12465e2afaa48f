using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace LakeHolo.FlightServer.Tests.Harness;

/// <summary>A server on a free port of loopback over its own engine.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    private TestServer(DuckDbQueryService service, FlightHost host)
    {
        Service = service;
        Host = host;
        Client = new RawClient(host.Address);
    }

    public DuckDbQueryService Service { get; }

    public FlightHost Host { get; }

    public RawClient Client { get; }

    public static async Task<TestServer> StartAsync(Func<FlightServerOptions, FlightServerOptions>? configure = null, TimeProvider? time = null, ILoggerFactory? log = null)
    {
        var options = new FlightServerOptions { Listen = new Uri("grpc://127.0.0.1:0") };
        var service = new DuckDbQueryService();
        return new TestServer(service, await FlightHost.StartAsync(service, configure?.Invoke(options) ?? options, log ?? NullLoggerFactory.Instance, time ?? TimeProvider.System, default));
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Host.DisposeAsync();
        Service.Dispose();
    }
}
