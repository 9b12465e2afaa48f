using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Net.Client;
using Grpc.Reflection.V1Alpha;
using LakeHolo.FlightServer.Tests.Harness;
using Microsoft.Extensions.Logging.Abstractions;

namespace LakeHolo.FlightServer.Tests.Telemetry;

/// <summary>What tools such as grpcurl do: they know no proto, ask the server for it, and call.</summary>
public sealed class ReflectionTests
{
    private static readonly Marshaller<byte[]> Bytes = Marshallers.Create(b => b, b => b);

    [Fact]
    public async Task A_client_without_protos_learns_the_services_and_calls_them()
    {
        await using TestServer server = await TestServer.StartAsync(o => o with { Users = new Dictionary<string, string> { ["u"] = PasswordHash.Create("p") } });
        using var channel = GrpcChannel.ForAddress($"http://{server.Host.Address.Authority}");
        using AsyncDuplexStreamingCall<ServerReflectionRequest, ServerReflectionResponse> call = new ServerReflection.ServerReflectionClient(channel).ServerReflectionInfo();
        ServerReflectionResponse listed = await AskAsync(call, new ServerReflectionRequest { ListServices = string.Empty });
        Assert.Superset(
            new HashSet<string> { "arrow.flight.protocol.FlightService", "grpc.health.v1.Health" }, listed.ListServicesResponse.Service.Select(s => s.Name).ToHashSet());

        ServiceDescriptor flight = await ServiceAsync(call, "arrow.flight.protocol.FlightService");
        Assert.Equal(
            ["DoAction", "DoExchange", "DoGet", "DoPut", "GetFlightInfo", "GetSchema", "Handshake", "ListActions", "ListFlights", "PollFlightInfo"],
            flight.Methods.Select(m => m.Name).Order(StringComparer.Ordinal));
        Assert.Equal(StatusCode.Unauthenticated, await StatementTests.StatusOf(() => CallAsync(channel, flight.FindMethodByName("GetFlightInfo"))));

        byte[] health = await CallAsync(channel, (await ServiceAsync(call, "grpc.health.v1.Health")).FindMethodByName("Check"));
        Assert.Equal(Protocol.Health.HealthCheckResponse.Types.ServingStatus.Serving, Protocol.Health.HealthCheckResponse.Parser.ParseFrom(health).Status);
        Assert.Equal(5, (await AskAsync(call, new ServerReflectionRequest { FileContainingSymbol = "no.such.Service" })).ErrorResponse.ErrorCode);
    }

    [Fact]
    public async Task Who_watches_the_health_is_told_when_the_server_begins_to_stop()
    {
        using var service = new DuckDbQueryService();
        FlightHost host = await FlightHost.StartAsync(service, new FlightServerOptions { Listen = new Uri("grpc://127.0.0.1:0") }, NullLoggerFactory.Instance);
        using var channel = GrpcChannel.ForAddress($"http://{host.Address.Authority}");
        var watch = new Method<byte[], byte[]>(MethodType.ServerStreaming, "grpc.health.v1.Health", "Watch", Bytes, Bytes);
        using AsyncServerStreamingCall<byte[]> call = channel.CreateCallInvoker().AsyncServerStreamingCall(watch, null, default, []);
        Assert.True(await call.ResponseStream.MoveNext(default));
        Assert.Equal([8, 1], call.ResponseStream.Current);
        Task stop = host.DisposeAsync().AsTask();
        Assert.True(await call.ResponseStream.MoveNext(default));
        Assert.Equal([8, 2], call.ResponseStream.Current);
        Assert.False(await call.ResponseStream.MoveNext(default));
        await stop;
    }

    private static async Task<ServiceDescriptor> ServiceAsync(AsyncDuplexStreamingCall<ServerReflectionRequest, ServerReflectionResponse> call, string name)
    {
        ServerReflectionResponse answer = await AskAsync(call, new ServerReflectionRequest { FileContainingSymbol = name });
        Dictionary<string, FileDescriptorProto> files = answer.FileDescriptorResponse.FileDescriptorProto.Select(f => FileDescriptorProto.Parser.ParseFrom(f)).ToDictionary(f => f.Name);
        var ordered = new List<ByteString>();
        var seen = new HashSet<string>();
        files.Values.ToList().ForEach(Add);
        return FileDescriptor.BuildFromByteStrings(ordered).SelectMany(f => f.Services).Single(s => s.FullName == name);

        // A file comes after those that it imports.
        void Add(FileDescriptorProto file)
        {
            if (seen.Add(file.Name))
            {
                file.Dependency.ToList().ForEach(d => Add(files[d]));
                ordered.Add(file.ToByteString());
            }
        }
    }

    private static async Task<ServerReflectionResponse> AskAsync(AsyncDuplexStreamingCall<ServerReflectionRequest, ServerReflectionResponse> call, ServerReflectionRequest request)
    {
        await call.RequestStream.WriteAsync(request);
        Assert.True(await call.ResponseStream.MoveNext(default));
        return call.ResponseStream.Current;
    }

    private static async Task<byte[]> CallAsync(GrpcChannel channel, MethodDescriptor method) =>
        await channel.CreateCallInvoker().AsyncUnaryCall(new Method<byte[], byte[]>(MethodType.Unary, method.Service.FullName, method.Name, Bytes, Bytes), null, default, []);
}
