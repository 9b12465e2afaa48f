using System.Net;
using System.Net.Sockets;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.Cli.Configuration;
using LakeHolo.FlightServer;
using LakeHolo.LakeCatalog;
using Microsoft.Extensions.Logging;

namespace LakeHolo.Cli.Commands;

/// <summary>Starts the PostgreSQL endpoint of <c>serve</c>.</summary>
internal static class PostgresEndpoint
{
    private const string UsualAddress = "127.0.0.1:5433";

    /// <summary>Starts it; null when it is off, or when nobody chose an address and the usual one is taken.</summary>
    public static PostgresHost? Start(IQueryService service, LakeConfiguration configuration, FlightServerOptions server, ILoggerFactory loggers)
    {
        if (configuration.PostgresListen == "off")
        {
            return null;
        }

        var uri = new Uri("tcp://" + (configuration.PostgresListen ?? UsualAddress));
        IPAddress address = FlightServerOptions.AddressOf(uri)
            ?? throw LakeException.QueryInvalid($"postgres.listen: expected an IP address or localhost, not '{uri.Host}'");
        var options = new PostgresOptions { Listen = new IPEndPoint(address, uri.Port), ClearTextOverTls = configuration.PostgresClearText };
        try
        {
            PostgresHost host = PostgresHost.Start(service, server, options, loggers);
            Console.WriteLine($"Serving PostgreSQL clients on {host.Address}");
            return host;
        }
        catch (LakeException e) when (configuration.PostgresListen is null && e.InnerException is SocketException)
        {
            Console.WriteLine($"Not serving PostgreSQL clients: {UsualAddress} is taken; choose another with --postgres-listen HOST:PORT");
            return null;
        }
    }
}
