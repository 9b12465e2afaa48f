using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace LakeHolo.Tests.Shared;

/// <summary>What happens to one request that passes the proxy.</summary>
/// <param name="Kind">The fault.</param>
/// <param name="AfterBytes">Bytes of the answer, its head included, that pass before it happens (<see cref="FaultKind.Truncate"/>, <see cref="FaultKind.Stall"/>).</param>
/// <param name="Delay">How long the answer is held back before that; between two pieces of a <see cref="FaultKind.Throttle"/>.</param>
public readonly record struct Fault(FaultKind Kind, long AfterBytes = 0, TimeSpan Delay = default)
{
    public static Fault None => default;
}

public enum FaultKind
{
    /// <summary>The request passes.</summary>
    Pass,

    /// <summary>The connection is reset, the server sees nothing.</summary>
    Reset,

    /// <summary>The server sees the request and answers, then the connection is reset.</summary>
    LoseAnswer,

    /// <summary>The connection is closed in the middle of the answer.</summary>
    Truncate,

    /// <summary>The answer stops and the connection stays open.</summary>
    Stall,

    /// <summary>503, the server sees nothing.</summary>
    Unavailable,

    /// <summary>The answer passes in small pieces, slowly.</summary>
    Throttle,
}

/// <summary>A TCP proxy before an HTTP server that spoils the requests it is told to spoil.</summary>
public sealed class FaultProxy : IAsyncDisposable
{
    private readonly Uri _target;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _closing = new();
    private readonly ConcurrentQueue<Fault> _faults = new();
    private readonly ConcurrentBag<Task> _connections = [];
    private readonly Task _accepting;
    private int _requests;

    public FaultProxy(Uri target)
    {
        _target = target;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>Where clients connect.</summary>
    public string Address => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    /// <summary>What happens when no fault is queued.</summary>
    public Fault Otherwise { get; set; }

    /// <summary>Requests seen.</summary>
    public int Requests => _requests;

    /// <summary>Faults of the next requests, in order.</summary>
    public void Enqueue(params ReadOnlySpan<Fault> faults)
    {
        foreach (Fault fault in faults)
        {
            _faults.Enqueue(fault);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        _listener.Dispose();
        await _accepting;
        await Task.WhenAll(_connections);
        _closing.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                Socket client = await _listener.AcceptSocketAsync(_closing.Token);
                _connections.Add(Task.Run(() => ServeAsync(client)));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // the proxy is closing
        }
    }

    private async Task ServeAsync(Socket client)
    {
        using var connection = new Connection(this, client);
        await connection.RunAsync();
    }

    private Fault Next()
    {
        Interlocked.Increment(ref _requests);
        return _faults.TryDequeue(out Fault fault) ? fault : Otherwise;
    }

    private sealed class Connection(FaultProxy proxy, Socket client) : IDisposable
    {
        private const int ThrottledBytes = 1_000;

        private static readonly byte[] Continue = "HTTP/1.1 100"u8.ToArray();

        private readonly Socket _server = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        private readonly CancellationTokenSource _ending = CancellationTokenSource.CreateLinkedTokenSource(proxy._closing.Token);
        private volatile bool _betweenRequests = true;
        private Fault _fault;
        private long _relayed;

        public async Task RunAsync()
        {
            client.NoDelay = true;
            try
            {
                await _server.ConnectAsync(proxy._target.Host, proxy._target.Port, _ending.Token);
                await Task.WhenAny(RelayRequestsAsync(), RelayAnswersAsync());
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
                // either side went away
            }
        }

        public void Dispose()
        {
            _ending.Cancel();
            client.Dispose();
            _server.Dispose();
        }

        private async Task RelayRequestsAsync()
        {
            byte[] buffer = new byte[64 << 10];
            for (int read; (read = await client.ReceiveAsync(buffer, _ending.Token)) > 0;)
            {
                // A client sends again only after an answer (no pipelining), so the first bytes after one begin the next request.
                if (_betweenRequests)
                {
                    _betweenRequests = false;
                    _relayed = 0;
                    _fault = proxy.Next();
                }

                switch (_fault.Kind)
                {
                    case FaultKind.Reset:
                        client.LingerState = new LingerOption(true, 0);
                        return;
                    case FaultKind.Unavailable:
                        await client.SendAsync(
                            Encoding.ASCII.GetBytes("HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), _ending.Token);
                        client.Shutdown(SocketShutdown.Send);
                        while (await client.ReceiveAsync(buffer, _ending.Token) > 0)
                        {
                        }

                        return;
                    default:
                        await SendAllAsync(_server, buffer.AsMemory(0, read));
                        break;
                }
            }
        }

        private async Task RelayAnswersAsync()
        {
            byte[] buffer = new byte[64 << 10];
            for (int read; (read = await _server.ReceiveAsync(buffer, _ending.Token)) > 0;)
            {
                if (_relayed == 0 && buffer.AsSpan(0, read).StartsWith(Continue))
                {
                    await SendAllAsync(client, buffer.AsMemory(0, read));
                    continue;
                }

                if (_relayed == 0)
                {
                    await HoldAsync();
                }

                _betweenRequests = true;
                bool spoils = _fault.Kind is FaultKind.Truncate or FaultKind.Stall;
                int passes = spoils ? (int)Math.Min(read, Math.Max(0, _fault.AfterBytes - _relayed)) : read;
                if (_fault.Kind == FaultKind.LoseAnswer)
                {
                    client.LingerState = new LingerOption(true, 0);
                    return;
                }

                int sent = 0;
                for (; _fault.Kind == FaultKind.Throttle && passes - sent > ThrottledBytes; sent += ThrottledBytes)
                {
                    await SendAllAsync(client, buffer.AsMemory(sent, ThrottledBytes));
                    await HoldAsync();
                }

                await SendAllAsync(client, buffer.AsMemory(sent, passes - sent));
                _relayed += read;
                if (passes < read)
                {
                    if (_fault.Kind == FaultKind.Stall)
                    {
                        await new TaskCompletionSource().Task.WaitAsync(_ending.Token);
                    }

                    client.Shutdown(SocketShutdown.Send);
                    return;
                }
            }
        }

        private async Task HoldAsync()
        {
            if (_fault.Delay > TimeSpan.Zero)
            {
                using var timer = new PeriodicTimer(_fault.Delay);
                await timer.WaitForNextTickAsync(_ending.Token);
            }
        }

        private async Task SendAllAsync(Socket socket, ReadOnlyMemory<byte> bytes)
        {
            while (!bytes.IsEmpty)
            {
                bytes = bytes[await socket.SendAsync(bytes, _ending.Token)..];
            }
        }
    }
}
