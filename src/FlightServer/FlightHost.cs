using System.Net;
using Grpc.AspNetCore.Server;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Logins;
using LakeHolo.FlightServer.Metadata;
using LakeHolo.FlightServer.Sessions;
using LakeHolo.FlightServer.Statements;
using LakeHolo.FlightServer.Telemetry;
using LakeHolo.LakeCatalog;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LakeHolo.FlightServer;

/// <summary>The running Flight SQL server: Kestrel in front of a query service. Disposing it stops it; the service stays the caller's.</summary>
public sealed class FlightHost : IAsyncDisposable
{
    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan RoomInterval = TimeSpan.FromMilliseconds(250);

    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(5);

    private readonly WebApplication _app;
    private readonly ITimer _sweep;
    private readonly ServerMetrics _metrics;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _makingRoom;

    private FlightHost(WebApplication app, ITimer sweep, FlightServerOptions options, TimeProvider time)
    {
        _app = app;
        _sweep = sweep;
        _makingRoom = MakeRoomAsync(time);
        _metrics = new ServerMetrics(Sessions, Statements, app.Services.GetRequiredService<IQueryService>());
        string[] addresses = [.. app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses];
        Address = new Uri(addresses[0].Replace("http", "grpc", StringComparison.Ordinal).Replace("grpcs", "grpc+tls", StringComparison.Ordinal));
        MonitoringAddress = options.Monitoring is null ? null : new Uri(addresses[1]);
    }

    /// <summary>Where clients connect, with the port that was chosen.</summary>
    public Uri Address { get; }

    /// <summary>Where <c>/healthz</c>, <c>/readyz</c> and <c>/metrics</c> are, if anywhere.</summary>
    public Uri? MonitoringAddress { get; }

    internal SessionStore Sessions => _app.Services.GetRequiredService<SessionStore>();

    internal IHostApplicationLifetime Lifetime => _app.Lifetime;

    internal StatementStore Statements => _app.Services.GetRequiredService<StatementStore>();

    /// <summary>Starts listening.</summary>
    /// <exception cref="LakeException">QueryInvalid with all faults of the options, a server that everybody could reach without login among them;
    /// StorageUnavailable when the address is taken or not this machine's.</exception>
    public static ValueTask<FlightHost> StartAsync(IQueryService service, FlightServerOptions options, ILoggerFactory loggers, CancellationToken cancellationToken = default) =>
        StartAsync(service, options, loggers, TimeProvider.System, cancellationToken);

    internal static async ValueTask<FlightHost> StartAsync(
        IQueryService service, FlightServerOptions options, ILoggerFactory loggers, TimeProvider time, CancellationToken cancellationToken)
    {
        string[] faults = [.. options.Faults()];
        if (faults.Length > 0)
        {
            throw LakeException.QueryInvalid("The server's settings are wrong: " + string.Join("; ", faults));
        }

        ServerCertificate? certificate = options.CertificatePath is null ? null : new ServerCertificate(options, loggers.CreateLogger<FlightHost>());
        var logins = new LoginChecker(options, time, loggers.CreateLogger<FlightHost>());
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(k => Listen(k, options, certificate));
        builder.Services.AddTransportMemory();
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton(_ => logins);
        builder.Services.AddSingleton(service).AddSingleton(options).AddSingleton(time);
        builder.Services.AddSingleton<SessionStore>().AddSingleton<StatementStore>().AddSingleton<MetadataCommands>();
        builder.Services.AddSingleton<ActionHandler>().AddSingleton<PutHandler>().AddSingleton<FlightSqlService>().AddSingleton<HealthService>().AddSingleton<ErrorInterceptor>().AddSingleton<TraceInterceptor>();
        builder.Services.AddGrpc(g => Configure(g, options));
        builder.Services.AddGrpcReflection();
        builder.Services.AddSingleton(loggers);
        WebApplication app = builder.Build();
        app.UseRouting();
        app.MapGrpcService<FlightSqlService>();
        app.MapGrpcService<HealthService>();
        app.MapGrpcReflectionService();
        if (options.Monitoring is not null)
        {
            Monitoring.Map(app);
        }

        try
        {
            await app.StartAsync(cancellationToken);
        }
        catch (IOException e)
        {
            await app.DisposeAsync();
            throw LakeException.StorageUnavailable($"Cannot listen on {options.Listen}: {e.Message}; choose another address with --listen", isTransient: false, innerException: e);
        }

        SessionStore sessions = app.Services.GetRequiredService<SessionStore>();
        ITimer sweep = time.CreateTimer(static s => ((SessionStore)s!).Sweep(), sessions, SweepInterval, SweepInterval);
        var host = new FlightHost(app, sweep, options, time);
        Log.Listening(app.Services.GetRequiredService<ILogger<FlightHost>>(), host.Address.ToString());
        return host;
    }

    /// <summary>Completes when the server was stopped.</summary>
    public Task WaitForShutdownAsync(CancellationToken cancellationToken = default) => Microsoft.Extensions.Hosting.HostingAbstractionsHostExtensions.WaitForShutdownAsync(_app, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _sweep.DisposeAsync();
        _metrics.Dispose();
        await _stop.CancelAsync();
        await _makingRoom;
        _stop.Dispose();
        using var patience = new CancellationTokenSource(StopPatience);
        await _app.StopAsync(patience.Token);
        await Sessions.CloseAllAsync();
        await _app.DisposeAsync();
    }

    private async Task MakeRoomAsync(TimeProvider time)
    {
        using var timer = new PeriodicTimer(RoomInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token))
            {
                await Statements.MakeRoomAsync();
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    private static void Configure(GrpcServiceOptions grpc, FlightServerOptions options)
    {
        grpc.MaxReceiveMessageSize = options.MaxReceiveBytes;
        grpc.EnableDetailedErrors = false;
        grpc.Interceptors.Add<TraceInterceptor>();
        grpc.Interceptors.Add<ErrorInterceptor>();
    }

    private static void Listen(KestrelServerOptions kestrel, FlightServerOptions options, ServerCertificate? certificate)
    {
        KestrelServerLimits limits = kestrel.Limits;
        limits.MaxResponseBufferSize = 2 << 20;
        limits.MaxRequestBodySize = null;
        limits.MinRequestBodyDataRate = null;
        limits.MinResponseDataRate = null;
        limits.Http2.MaxStreamsPerConnection = 1_000;
        limits.Http2.InitialConnectionWindowSize = 8 << 20;
        limits.Http2.InitialStreamWindowSize = 4 << 20;
        limits.Http2.MaxRequestHeaderFieldSize = 64 << 10;
        limits.MaxRequestHeadersTotalSize = 128 << 10;

        // Load balancers drop connections that are idle for a few minutes, and drivers do not ping.
        limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(60);
        kestrel.Listen(FlightServerOptions.AddressOf(options.Listen)!, Math.Max(0, options.Listen.Port), listen =>
        {
            // Without TLS there is no negotiation, so HTTP/2 has to be the only protocol.
            listen.Protocols = HttpProtocols.Http2;
            if (certificate is not null)
            {
                listen.UseHttps(new TlsHandshakeCallbackOptions { OnConnection = _ => ValueTask.FromResult(certificate.ForConnection()) });
            }
        });
        if (options.Monitoring is { } monitoring)
        {
            kestrel.Listen(FlightServerOptions.AddressOf(monitoring)!, monitoring.Port, listen => listen.Protocols = HttpProtocols.Http1);
        }
    }
}
