using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using LakeHolo.Bench.Harness;
using LakeHolo.FlightServer;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace LakeHolo.Bench.Flight;

/// <summary>What sending alone costs: a process that sends the same two megabytes again and again, through Kestrel's HTTP/2 as the Flight server is set up, and into a bare socket.</summary>
internal sealed class FloorProcess : IDisposable
{
    /// <summary>The word on the command line that makes this program the sender.</summary>
    public const string Word = "floor-for-bench";

    private const int MessageBytes = 2 << 20;
    private const int SendBytes = 256 << 10;

    private readonly Process _process;
    private readonly int _http;
    private readonly int _tcp;

    private FloorProcess(Process process, int http, int tcp) => (_process, _http, _tcp) = (process, http, tcp);

    /// <summary>Where it answers over HTTP/2: a path is the number of bytes that are wanted.</summary>
    public Uri Http => new($"http://127.0.0.1:{_http}");

    /// <summary>Processor time of all its threads since it started.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    public static async Task<FloorProcess> StartAsync()
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardInput = true, RedirectStandardOutput = true };
        start.ArgumentList.Add(Environment.GetCommandLineArgs()[0]);
        start.ArgumentList.Add(Word);
        Process process = Process.Start(start)!;
        string[] ports = (await process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("The sender did not start")).Split(' ');
        return new FloorProcess(process, int.Parse(ports[0], CultureInfo.InvariantCulture), int.Parse(ports[1], CultureInfo.InvariantCulture));
    }

    /// <summary>What the process does: sends as much as is asked for until its input ends.</summary>
    public static async Task ServeAsync()
    {
        byte[] message = new byte[MessageBytes];
        Random.Shared.NextBytes(message);
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(k =>
        {
            k.Limits.MaxResponseBufferSize = 2 << 20;
            k.Limits.Http2.InitialConnectionWindowSize = 8 << 20;
            k.Listen(IPAddress.Loopback, 0, l => l.Protocols = HttpProtocols.Http2);
        });
        builder.Services.AddTransportMemory();
        await using WebApplication app = builder.Build();
        app.Run(async context =>
        {
            for (long left = Number(context.Request.Path.Value![1..]); left > 0; left -= MessageBytes)
            {
                Send(context.Response, message.AsSpan(0, (int)Math.Min(left, MessageBytes)));
                await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
            }
        });
        await app.StartAsync();
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        Console.WriteLine($"{new Uri(app.Urls.First()).Port} {((IPEndPoint)listener.LocalEndpoint).Port}");
        _ = Task.Run(() => SendAsync(listener, message));
        await InputEnd.WaitAsync();
    }

    /// <summary>Has bytes sent through HTTP/2, and drops them.</summary>
    public async Task HttpAsync(long bytes)
    {
        using var http = new HttpClient(new SocketsHttpHandler { InitialHttp2StreamWindowSize = 8 << 20 }) { Timeout = Timeout.InfiniteTimeSpan };
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(Http, bytes.ToString(CultureInfo.InvariantCulture))) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        using HttpResponseMessage response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        await DropAsync(await response.Content.ReadAsStreamAsync(), bytes);
    }

    /// <summary>Has bytes sent into a socket, and drops them.</summary>
    public async Task TcpAsync(long bytes)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, _tcp);
        await client.GetStream().WriteAsync(BitConverter.GetBytes(bytes));
        await DropAsync(client.GetStream(), bytes);
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }

    private static void Send(HttpResponse response, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            Span<byte> target = response.BodyWriter.GetSpan();
            int count = Math.Min(target.Length, bytes.Length);
            bytes[..count].CopyTo(target);
            response.BodyWriter.Advance(count);
            bytes = bytes[count..];
        }
    }

    private static async Task SendAsync(TcpListener listener, byte[] message)
    {
        while (true)
        {
            using TcpClient client = await listener.AcceptTcpClientAsync();
            NetworkStream stream = client.GetStream();
            byte[] asked = new byte[sizeof(long)];
            await stream.ReadExactlyAsync(asked);
            for (long left = BitConverter.ToInt64(asked); left > 0; left -= SendBytes)
            {
                await stream.WriteAsync(message.AsMemory(0, (int)Math.Min(left, SendBytes)));
            }
        }
    }

    private static async Task DropAsync(Stream stream, long bytes)
    {
        byte[] buffer = new byte[Math.Min(bytes, 256 << 10)];
        long read = 0;
        for (int count; read < bytes && (count = await stream.ReadAsync(buffer)) > 0;)
        {
            read += count;
        }

        if (read != bytes)
        {
            throw new InvalidOperationException($"{read} of {bytes} bytes came");
        }
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
