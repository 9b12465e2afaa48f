using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace LakeHolo.Bench.Harness;

/// <summary>A TCP proxy before a server on this machine that makes it as far and as slow as one over a network.</summary>
internal sealed class SlowLink : IAsyncDisposable
{
    private const int PieceBytes = 64 << 10;

    private readonly Uri _target;
    private readonly double _bytesPerSecond;
    private readonly TimeSpan _roundTrip;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _closing = new();
    private readonly Task _accepting;
    private readonly Lock _lock = new();
    private TimeSpan _free; // when the link has sent all that was given to it

    /// <param name="target">The server.</param>
    /// <param name="bytesPerSecond">What all answers together take.</param>
    /// <param name="roundTrip">How long a request is on its way.</param>
    public SlowLink(Uri target, double bytesPerSecond, TimeSpan roundTrip)
    {
        (_target, _bytesPerSecond, _roundTrip) = (target, bytesPerSecond, roundTrip);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>Where clients connect.</summary>
    public string Address => string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _closing.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                Socket client = await _listener.AcceptSocketAsync(_closing.Token);
                _ = Task.Run(() => ServeAsync(client));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // the link is closing
        }
    }

    private async Task ServeAsync(Socket client)
    {
        using var server = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            client.NoDelay = true;
            await server.ConnectAsync(_target.Host, _target.Port, _closing.Token);
            await await Task.WhenAny(RelayAsync(client, server, _ => Task.Delay(_roundTrip, _closing.Token)), RelayAsync(server, client, TakeAsync));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // either side went away
        }
        finally
        {
            client.Dispose();
        }
    }

    private async Task RelayAsync(Socket from, Socket to, Func<int, Task> pass)
    {
        byte[] buffer = new byte[PieceBytes];
        for (int read; (read = await from.ReceiveAsync(buffer, _closing.Token)) > 0;)
        {
            await pass(read);
            for (int sent = 0; sent < read;)
            {
                sent += await to.SendAsync(buffer.AsMemory(sent, read - sent), _closing.Token);
            }
        }
    }

    private async Task TakeAsync(int bytes)
    {
        TimeSpan wait;
        lock (_lock)
        {
            TimeSpan now = Stopwatch.GetElapsedTime(0);
            _free = (_free > now ? _free : now) + TimeSpan.FromSeconds(bytes / _bytesPerSecond);
            wait = _free - now;
        }

        if (wait > TimeSpan.FromMilliseconds(1))
        {
            await Task.Delay(wait, _closing.Token);
        }
    }
}
