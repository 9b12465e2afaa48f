using System.Net;
using LakeHolo.FlightServer.Tests.Harness;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace LakeHolo.FlightServer.Tests.Postgres;

/// <summary>A PostgreSQL endpoint on a free port over an engine in memory.</summary>
internal sealed class PgServer : IAsyncDisposable
{
    private PgServer(DuckDbQueryService service, PostgresHost host)
    {
        Service = service;
        Host = host;
    }

    public DuckDbQueryService Service { get; }

    public PostgresHost Host { get; }

    public IPEndPoint Address => Host.Address;

    public static PgServer Start(Func<FlightServerOptions, FlightServerOptions>? server = null, Func<PostgresOptions, PostgresOptions>? configure = null, ILoggerFactory? log = null, TimeProvider? time = null)
    {
        var options = new FlightServerOptions { Listen = new Uri("grpc://127.0.0.1:0") };
        var postgres = new PostgresOptions { Listen = new IPEndPoint(IPAddress.Loopback, 0) };
        var service = new DuckDbQueryService();
        return new PgServer(service, PostgresHost.Start(service, server?.Invoke(options) ?? options, configure?.Invoke(postgres) ?? postgres, log ?? NullLoggerFactory.Instance, time ?? TimeProvider.System));
    }

    public Task<PgWire> LoginAsync(string user = "ana", string? password = null, params string[] settings) => PgWire.LoginAsync(Address, user, password, settings);

    public async ValueTask DisposeAsync()
    {
        await Host.DisposeAsync();
        Service.Dispose();
    }
}
