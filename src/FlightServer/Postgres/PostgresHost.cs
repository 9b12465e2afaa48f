using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Postgres.Sessions;
using LakeHolo.FlightServer.Telemetry;
using LakeHolo.LakeCatalog;
using Microsoft.Extensions.Logging;

namespace LakeHolo.FlightServer;

/// <summary>The running PostgreSQL endpoint: the same catalog, users and limits as the Flight SQL server, by another protocol. Disposing it stops it.</summary>
public sealed class PostgresHost : IAsyncDisposable
{
    private const int Backlog = 512;

    // Beyond the connections that there may be: room to be told so, and for cancel requests.
    private const int MostWaiting = 200;

    private static readonly TimeSpan AcceptPause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(5);

    private readonly Socket _listener;
    private readonly PostgresServices _services;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<int, Task> _connections = new();
    private readonly PostgresMetrics _metrics;
    private readonly Task _accepting;

    private PostgresHost(Socket listener, PostgresServices services)
    {
        _listener = listener;
        _services = services;
        Address = (IPEndPoint)listener.LocalEndPoint!;
        _metrics = new PostgresMetrics(() => _connections.Count);
        _accepting = AcceptAsync();
    }

    /// <summary>Where clients connect, with the port that was chosen.</summary>
    public IPEndPoint Address { get; }

    /// <summary>Clients that are connected.</summary>
    public int ConnectionCount => _connections.Count;

    /// <summary>Starts listening.</summary>
    /// <param name="service">Answers the queries; stays the caller's.</param>
    /// <param name="server">Users, certificate and bounds, shared with the Flight SQL server.</param>
    /// <param name="options">What is this endpoint's own.</param>
    /// <param name="loggers">For its log.</param>
    /// <exception cref="LakeException">QueryInvalid for an address that everybody could reach without login; StorageUnavailable when it is taken.</exception>
    public static PostgresHost Start(IQueryService service, FlightServerOptions server, PostgresOptions options, ILoggerFactory loggers) =>
        Start(service, server, options, loggers, TimeProvider.System);

    internal static PostgresHost Start(IQueryService service, FlightServerOptions server, PostgresOptions options, ILoggerFactory loggers, TimeProvider time)
    {
        if (!IPAddress.IsLoopback(options.Listen.Address) && !server.RequiresLogin && !server.Insecure)
        {
            throw LakeException.QueryInvalid(
                $"{options.Listen} can be reached by others, and there are no users: configure users in lakeholo.yaml, listen on 127.0.0.1, or say --insecure true");
        }

        ILogger logger = loggers.CreateLogger<PostgresHost>();
        ServerCertificate? certificate = server.CertificatePath is null ? null : new ServerCertificate(server, logger);
        var listener = new Socket(options.Listen.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            listener.Bind(options.Listen);
            listener.Listen(Backlog);
        }
        catch (SocketException e)
        {
            listener.Dispose();
            throw LakeException.StorageUnavailable(
                $"Cannot listen on {options.Listen} for PostgreSQL clients: {e.Message}; choose another address with --postgres-listen, or say --postgres-listen off", isTransient: false, innerException: e);
        }

        var host = new PostgresHost(listener, new PostgresServices(service, server, options, certificate, time, logger));
        Log.PostgresListening(logger, host.Address.ToString());
        return host;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _metrics.Dispose();
        _listener.Dispose();
        await _accepting;
        try
        {
            await Task.WhenAll(_connections.Values).WaitAsync(StopPatience);
        }
        catch (TimeoutException)
        {
            // A client that does not take its last message is left.
        }

        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        for (int id = 1; ; id++)
        {
            Socket socket;
            try
            {
                socket = await _listener.AcceptAsync(_stop.Token);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException)
            {
                // The client left before it was there, or the process has no descriptor left: that passes, and must not keep a core busy until then.
                await Task.Delay(AcceptPause, CancellationToken.None);
                continue;
            }

            if (_connections.Count >= _services.Options.MaxConnections + MostWaiting)
            {
                // Clients that never say who they are would hold descriptors and memory without a bound.
                socket.Dispose();
                continue;
            }

            int connection = id;
            var started = new TaskCompletionSource();
            _connections[connection] = started.Task;
            _ = Task.Run(async () =>
            {
                try
                {
                    await new Handshake(_services, socket, connection, _connections.Count).RunAsync(_stop.Token);
                }
                finally
                {
                    _connections.TryRemove(connection, out _);
                    started.SetResult();
                }
            });
        }
    }
}
