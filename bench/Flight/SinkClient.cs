using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using LakeHolo.FlightServer.Protocol;
using LakeHolo.FlightServer.Protocol.Sql;
using LakeHolo.FlightServer.Wire;

namespace LakeHolo.Bench.Flight;

/// <summary>A client on a connection of its own that asks as drivers do and drops the bytes of the answer as they come from HTTP/2: its own work is as small as it can be.</summary>
internal sealed class SinkClient : IDisposable
{
    private const int FramePrefix = 5;

    private readonly SocketsHttpHandler _handler = new() { InitialHttp2StreamWindowSize = 8 << 20 };
    private readonly HttpClient _http;
    private readonly GrpcChannel _channel;
    private readonly CallInvoker _calls;
    private readonly byte[] _buffer = new byte[256 << 10];

    public SinkClient(Uri server)
    {
        var address = new Uri($"http://{server.Authority}");
        _http = new HttpClient(_handler, disposeHandler: false) { BaseAddress = address, Timeout = Timeout.InfiniteTimeSpan };
        _channel = GrpcChannel.ForAddress(address, new GrpcChannelOptions { HttpHandler = _handler, MaxReceiveMessageSize = null });
        _calls = _channel.CreateCallInvoker();
    }

    /// <summary>Runs a statement and drops its rows; all endpoints at once.</summary>
    /// <returns>The bytes that came.</returns>
    public async Task<long> RunAsync(string sql)
    {
        var descriptor = new FlightDescriptor { Type = FlightDescriptor.Types.DescriptorType.Cmd, Cmd = Commands.Pack(new CommandStatementQuery { Query = sql }) };
        FlightInfo info = await _calls.AsyncUnaryCall(FlightMethods.GetFlightInfo, null, default(CallOptions), descriptor);
        long[] bytes = await Task.WhenAll(info.Endpoint.Select(e => ReadAsync(e.Ticket, info.Endpoint.Count == 1 ? _buffer : new byte[_buffer.Length])));
        return bytes.Sum();
    }

    public void Dispose()
    {
        _channel.Dispose();
        _http.Dispose();
        _handler.Dispose();
    }

    private async Task<long> ReadAsync(Ticket ticket, byte[] buffer)
    {
        byte[] message = new byte[FramePrefix + ticket.CalculateSize()];
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(1), message.Length - FramePrefix);
        ticket.WriteTo(message.AsSpan(FramePrefix));
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/{FlightMethods.Service}/DoGet")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(message) { Headers = { ContentType = new MediaTypeHeaderValue("application/grpc") } },
        };
        request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        using HttpResponseMessage response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        await using Stream body = await response.Content.ReadAsStreamAsync();
        long bytes = 0;
        for (int read; (read = await body.ReadAsync(buffer)) > 0;)
        {
            bytes += read;
        }

        string status = response.TrailingHeaders.TryGetValues("grpc-status", out IEnumerable<string>? values) ? values.First() : "none";
        return status == "0" ? bytes : throw new InvalidOperationException($"The stream ended with status {status}");
    }
}
