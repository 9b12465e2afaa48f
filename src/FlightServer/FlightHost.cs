using System.Net;
using System.Security.Cryptography.X509Certificates;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Sessions;
using LakeHolo.FlightServer.Statements;
using LakeHolo.LakeCatalog;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace LakeHolo.FlightServer;

/// <summary>A listening Flight SQL server.</summary>
public sealed class FlightHost : IAsyncDisposable
{
    private const int MaxRequestBytes = 64 << 20;

    private readonly WebApplication _application;
    private readonly StatementRegistry _statements;

    private FlightHost(WebApplication application, StatementRegistry statements)
    {
        _application = application;
        _statements = statements;
    }

    /// <summary>Starts listening.</summary>
    /// <param name="queries">The engine.</param>
    /// <param name="options">Address, users, certificate.</param>
    /// <param name="loggers">Where it logs.</param>
    /// <param name="cancellationToken">Until it listens.</param>
    /// <exception cref="LakeException">QueryInvalid: an address that others can reach without users and without <see cref="FlightServerOptions.Insecure"/>;
    /// StorageUnavailable: the address is taken or not this machine's.</exception>
    public static async ValueTask<FlightHost> StartAsync(IQueryService queries, FlightServerOptions options, ILoggerFactory loggers, CancellationToken cancellationToken = default)
    {
        (IPAddress address, int port) = Address(options);
        string[] badHashes = [.. options.Users.Where(u => !PasswordHash.IsValid(u.Value)).Select(u => u.Key)];
        if (badHashes.Length > 0)
        {
            throw LakeException.QueryInvalid($"The password hash of {string.Join(", ", badHashes)} is not one that 'lakeholo hash-password' prints");
        }

        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.Http2.MaxStreamsPerConnection = 1000;
            kestrel.Limits.Http2.InitialConnectionWindowSize = 8 << 20;
            kestrel.Limits.Http2.InitialStreamWindowSize = 4 << 20;
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Listen(address, port, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                if (options.CertificatePath is not null)
                {
                    using X509Certificate2 pem = X509Certificate2.CreateFromPemFile(options.CertificatePath, options.KeyPath);
                    listen.UseHttps(X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null));
                }
            });
        });
        builder.Services.AddSingleton(loggers);
        builder.Services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = MaxRequestBytes);
        var statements = new StatementRegistry(options, TimeProvider.System);
        builder.Services.AddSingleton(new FlightService(queries, new SessionRegistry(queries, options, TimeProvider.System), statements));
        WebApplication application = builder.Build();
        application.MapGrpcService<FlightService>();
        try
        {
            await application.StartAsync(cancellationToken);
            return new FlightHost(application, statements);
        }
        catch (IOException e)
        {
            await application.DisposeAsync();
            throw LakeException.StorageUnavailable($"Cannot listen on {options.Listen}: {e.Message}; choose another address with --listen", isTransient: false, innerException: e);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        await _application.StopAsync(patience.Token);
        await _application.DisposeAsync();
        await _statements.DisposeAsync();
    }

    private static (IPAddress Address, int Port) Address(FlightServerOptions options)
    {
        string host = options.Listen.Host.Trim('[', ']');
        IPAddress address = host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            ? IPAddress.Loopback
            : IPAddress.TryParse(host, out IPAddress? parsed)
                ? parsed
                : throw LakeException.QueryInvalid($"listen: expected an IP address or localhost, not '{host}'");
        if (!IPAddress.IsLoopback(address) && options.Users.Count == 0 && !options.Insecure)
        {
            throw LakeException.QueryInvalid(
                $"{options.Listen} can be reached by others, and there are no users: configure users in lakeholo.yaml, listen on 127.0.0.1, or say --insecure true");
        }

        return (address, options.Listen.Port);
    }
}
