using Apache.Arrow;
using Apache.Arrow.Compression;
using Apache.Arrow.Ipc;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Net.Client;
using LakeHolo.FlightServer.Client;
using LakeHolo.FlightServer.Protocol;
using LakeHolo.FlightServer.Protocol.Sql;
using LakeHolo.FlightServer.Wire;
using ProtoAction = LakeHolo.FlightServer.Protocol.Action;

namespace LakeHolo.FlightServer.Tests.Harness;

/// <summary>A gRPC client that knows only the proto: its marshallers are protobuf's own, so what the server frames by hand is checked against them.</summary>
internal sealed class RawClient : IDisposable
{
    private const string Service = "arrow.flight.protocol.FlightService";

    private static readonly Method<Ticket, FlightData> DoGetMethod = Define(MethodType.ServerStreaming, "DoGet", Ticket.Parser, FlightData.Parser);
    private static readonly Method<FlightData, PutResult> DoPutMethod = Define(MethodType.DuplexStreaming, "DoPut", FlightData.Parser, PutResult.Parser);
    private static readonly Method<FlightDescriptor, FlightInfo> GetFlightInfoMethod = Define(MethodType.Unary, "GetFlightInfo", FlightDescriptor.Parser, FlightInfo.Parser);
    private static readonly Method<FlightDescriptor, PollInfo> PollMethod = Define(MethodType.Unary, "PollFlightInfo", FlightDescriptor.Parser, PollInfo.Parser);
    private static readonly Method<FlightDescriptor, SchemaResult> GetSchemaMethod = Define(MethodType.Unary, "GetSchema", FlightDescriptor.Parser, SchemaResult.Parser);
    private static readonly Method<ProtoAction, Result> DoActionMethod = Define(MethodType.ServerStreaming, "DoAction", ProtoAction.Parser, Result.Parser);
    private static readonly Method<HandshakeRequest, HandshakeResponse> HandshakeMethod = Define(MethodType.DuplexStreaming, "Handshake", HandshakeRequest.Parser, HandshakeResponse.Parser);

    private readonly GrpcChannel _channel;
    private readonly CallInvoker _invoker;

    public RawClient(Uri server, ClientTls? tls = null)
        : this(server, tls?.CreateHandler(), tls is null ? "http" : "https")
    {
    }

    /// <summary>A client whose connections are made by a handler of its own.</summary>
    public RawClient(Uri server, HttpMessageHandler? handler, string scheme = "http")
    {
        // The limit that tonic and grpc-go have by default.
        _channel = GrpcChannel.ForAddress($"{scheme}://{server.Authority}", new GrpcChannelOptions
        {
            MaxReceiveMessageSize = 4 << 20,
            MaxSendMessageSize = null,
            HttpHandler = handler,
            DisposeHttpClient = handler is not null,
        });
        _invoker = _channel.CreateCallInvoker();
    }

    public Grpc.Core.Metadata Headers { get; } = [];

    public static FlightDescriptor Descriptor(IMessage command) => new() { Type = FlightDescriptor.Types.DescriptorType.Cmd, Cmd = Any.Pack(command).ToByteString() };

    public static FlightDescriptor Query(string sql) => Descriptor(new CommandStatementQuery { Query = sql });

    public async Task<FlightInfo> InfoAsync(FlightDescriptor descriptor) => await _invoker.AsyncUnaryCall(GetFlightInfoMethod, null, Options(), descriptor);

    /// <summary>A call that the client gives up.</summary>
    public async Task<FlightInfo> InfoUntilAsync(FlightDescriptor descriptor, CancellationToken cancellationToken) =>
        await _invoker.AsyncUnaryCall(GetFlightInfoMethod, null, Options().WithCancellationToken(cancellationToken), descriptor);

    public async Task<PollInfo> PollAsync(FlightDescriptor descriptor) => await _invoker.AsyncUnaryCall(PollMethod, null, Options(), descriptor);

    public async Task<Schema> SchemaAsync(FlightDescriptor descriptor) =>
        EncodedSchema.Decode((await _invoker.AsyncUnaryCall(GetSchemaMethod, null, Options(), descriptor)).Schema.ToByteArray());

    public AsyncServerStreamingCall<FlightData> Get(Ticket ticket, CancellationToken cancellationToken = default) =>
        _invoker.AsyncServerStreamingCall(DoGetMethod, null, new CallOptions(Headers, cancellationToken: cancellationToken), ticket);

    /// <summary>A call with a deadline, which the server is told.</summary>
    public AsyncServerStreamingCall<FlightData> GetUntil(Ticket ticket, DateTime deadline) =>
        _invoker.AsyncServerStreamingCall(DoGetMethod, null, new CallOptions(Headers, deadline), ticket);

    public async Task<(Schema Schema, List<RecordBatch> Batches, List<FlightData> Messages)> ReadAsync(Ticket ticket)
    {
        using AsyncServerStreamingCall<FlightData> call = Get(ticket);
        var messages = new List<FlightData>();
        await foreach (FlightData message in call.ResponseStream.ReadAllAsync())
        {
            messages.Add(message);
        }

        using ArrowStreamReader reader = Reader(messages);
        var batches = new List<RecordBatch>();
        while (await reader.ReadNextRecordBatchAsync() is { } batch)
        {
            batches.Add(batch);
        }

        return (reader.Schema, batches, messages);
    }

    /// <summary>The messages of a DoGet as the stream of Arrow's IPC format that they are pieces of.</summary>
    public static ArrowStreamReader Reader(IEnumerable<FlightData> messages)
    {
        var stream = new MemoryStream();
        foreach (FlightData message in messages)
        {
            int padding = -message.DataHeader.Length & 7;
            stream.Write(BitConverter.GetBytes(-1));
            stream.Write(BitConverter.GetBytes(message.DataHeader.Length + padding));
            stream.Write(message.DataHeader.Span);
            stream.Write(new byte[padding]);
            stream.Write(message.DataBody.Span);
        }

        stream.Position = 0;
        return new ArrowStreamReader(stream, new CompressionCodecFactory());
    }

    public async Task<(Schema Schema, List<RecordBatch> Batches, List<FlightData> Messages)> RunAsync(IMessage command)
    {
        FlightInfo info = await InfoAsync(Descriptor(command));
        return await ReadAsync(Assert.Single(info.Endpoint).Ticket);
    }

    public async Task<List<Result>> ActAsync(string type, ByteString body)
    {
        using AsyncServerStreamingCall<Result> call = _invoker.AsyncServerStreamingCall(DoActionMethod, null, Options(), new ProtoAction { Type = type, Body = body });
        return await call.ResponseStream.ReadAllAsync().ToListAsync();
    }

    public async Task<ActionCreatePreparedStatementResult> PrepareAsync(string sql)
    {
        List<Result> results = await ActAsync("CreatePreparedStatement", Any.Pack(new ActionCreatePreparedStatementRequest { Query = sql }).ToByteString());
        return Any.Parser.ParseFrom(Assert.Single(results).Body).Unpack<ActionCreatePreparedStatementResult>();
    }

    /// <summary>An upload that the caller goes on with.</summary>
    public AsyncDuplexStreamingCall<FlightData, PutResult> Put(CancellationToken cancellationToken) =>
        _invoker.AsyncDuplexStreamingCall(DoPutMethod, null, Options().WithCancellationToken(cancellationToken));

    /// <summary>Uploads and reads the one answer, before the upload is ended.</summary>
    public async Task<PutResult> PutAsync(IMessage command, RecordBatch? parameters)
    {
        using AsyncDuplexStreamingCall<FlightData, PutResult> call = _invoker.AsyncDuplexStreamingCall(DoPutMethod, null, Options());
        var first = new FlightData { FlightDescriptor = Descriptor(command) };
        if (parameters is not null)
        {
            first.DataHeader = ByteString.CopyFrom(new EncodedSchema(parameters.Schema).Header.Span);
        }

        await call.RequestStream.WriteAsync(first);
        if (parameters is not null)
        {
            FlightFrame frame = new BatchEncoder().Encode([new RowRange(parameters, 0, parameters.Length)]);
            var body = new MemoryStream();
            foreach (ReadOnlyMemory<byte> part in frame.Body)
            {
                body.Write(part.Span);
            }

            await call.RequestStream.WriteAsync(new FlightData { DataHeader = ByteString.CopyFrom(frame.Header.Span), DataBody = ByteString.CopyFrom(body.ToArray()) });
            await call.RequestStream.CompleteAsync();
        }

        Assert.True(await call.ResponseStream.MoveNext());
        return call.ResponseStream.Current;
    }

    /// <summary>Uploads a schema and one message with a given header and an empty body.</summary>
    public async Task PutRawAsync(IMessage command, Schema schema, ReadOnlyMemory<byte> header)
    {
        using AsyncDuplexStreamingCall<FlightData, PutResult> call = _invoker.AsyncDuplexStreamingCall(DoPutMethod, null, Options());
        await call.RequestStream.WriteAsync(new FlightData { FlightDescriptor = Descriptor(command), DataHeader = ByteString.CopyFrom(new EncodedSchema(schema).Header.Span) });
        await call.RequestStream.WriteAsync(new FlightData { DataHeader = ByteString.CopyFrom(header.Span) });
        await call.RequestStream.CompleteAsync();
        await call.ResponseStream.MoveNext();
    }

    public async Task<string?> LoginAsync(string authorization)
    {
        using AsyncDuplexStreamingCall<HandshakeRequest, HandshakeResponse> call =
            _invoker.AsyncDuplexStreamingCall(HandshakeMethod, null, new CallOptions(new Grpc.Core.Metadata { { "authorization", authorization } }));
        await call.RequestStream.CompleteAsync();
        string? token = (await call.ResponseHeadersAsync).GetValue("authorization");
        while (await call.ResponseStream.MoveNext())
        {
        }

        return token;
    }

    public void Dispose() => _channel.Dispose();

    private static Method<TRequest, TResponse> Define<TRequest, TResponse>(MethodType type, string name, MessageParser<TRequest> request, MessageParser<TResponse> response)
        where TRequest : IMessage<TRequest>
        where TResponse : IMessage<TResponse> =>
        new(type, Service, name, Marshallers.Create(m => m.ToByteArray(), request.ParseFrom), Marshallers.Create(m => m.ToByteArray(), response.ParseFrom));

    private CallOptions Options() => new(Headers);
}
