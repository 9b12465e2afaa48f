using System.Net;
using LakeHolo.Accelerator;
using LakeHolo.FlightServer.Tests.Harness;
using Microsoft.Extensions.Logging.Abstractions;

namespace LakeHolo.FlightServer.Tests.Postgres;

/// <summary>The PostgreSQL endpoint of a real instance on a free port.</summary>
internal sealed class PgShop : IAsyncDisposable
{
    private PgShop(ShopServer shop, PostgresHost host)
    {
        Shop = shop;
        Host = host;
    }

    public ShopServer Shop { get; }

    public PostgresHost Host { get; }

    public static async Task<PgShop> StartAsync(
        Func<FlightServerOptions, FlightServerOptions>? server = null, Func<LakeOptions, LakeOptions>? lake = null, Func<PostgresOptions, PostgresOptions>? configure = null,
        Func<FlightServerOptions, FlightServerOptions>? flight = null)
    {
        ShopServer shop = await ShopServer.StartAsync(flight, lake);
        var options = new FlightServerOptions { Listen = new Uri("grpc://127.0.0.1:0") };
        var postgres = new PostgresOptions { Listen = new IPEndPoint(IPAddress.Loopback, 0) };
        return new PgShop(shop, PostgresHost.Start(shop.Instance.Engine, server?.Invoke(options) ?? options, configure?.Invoke(postgres) ?? postgres, NullLoggerFactory.Instance));
    }

    public Task<PgWire> LoginAsync(string user = "ana", string? password = null) => PgWire.LoginAsync(Host.Address, user, password);

    public async ValueTask DisposeAsync()
    {
        await Host.DisposeAsync();
        await Shop.DisposeAsync();
    }
}
