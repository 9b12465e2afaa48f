using Google.Protobuf;
using Grpc.Core;
using LakeHolo.FlightServer.Protocol.Health;
using LakeHolo.FlightServer.Wire;
using Microsoft.Extensions.Hosting;

namespace LakeHolo.FlightServer;

/// <summary>The methods of <c>grpc.health.v1.Health</c> as ASP.NET Core's gRPC binds them.</summary>
[BindServiceMethod(typeof(HealthServiceBase), nameof(Bind))]
internal abstract class HealthServiceBase
{
    private const string Name = "grpc.health.v1.Health";

    private static readonly Marshaller<HealthCheckRequest> Requests = Marshallers.Create(m => m.ToByteArray(), HealthCheckRequest.Parser.ParseFrom);
    private static readonly Marshaller<HealthCheckResponse> Responses = Marshallers.Create(m => m.ToByteArray(), HealthCheckResponse.Parser.ParseFrom);
    private static readonly Method<HealthCheckRequest, HealthCheckResponse> CheckMethod = new(MethodType.Unary, Name, nameof(Check), Requests, Responses);
    private static readonly Method<HealthCheckRequest, HealthCheckResponse> WatchMethod = new(MethodType.ServerStreaming, Name, nameof(Watch), Requests, Responses);

    /// <summary>For gRPC reflection.</summary>
    public static Google.Protobuf.Reflection.ServiceDescriptor Descriptor => Protocol.Health.HealthReflection.Descriptor.Services[0];

    public static void Bind(ServiceBinderBase binder, HealthServiceBase? service)
    {
        binder.AddMethod(CheckMethod, service is null ? null! : service.Check);
        binder.AddMethod(WatchMethod, service is null ? null! : service.Watch);
    }

    public abstract Task<HealthCheckResponse> Check(HealthCheckRequest request, ServerCallContext context);

    public abstract Task Watch(HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, ServerCallContext context);
}

/// <summary>Health of the server as a whole and of its one service; needs no login. It serves until it begins to stop: no statement is taken then, and those that run
/// have a little time to end.</summary>
internal sealed class HealthService(IHostApplicationLifetime lifetime) : HealthServiceBase
{
    private HealthCheckResponse.Types.ServingStatus Status =>
        lifetime.ApplicationStopping.IsCancellationRequested ? HealthCheckResponse.Types.ServingStatus.NotServing : HealthCheckResponse.Types.ServingStatus.Serving;

    public override Task<HealthCheckResponse> Check(HealthCheckRequest request, ServerCallContext context) => IsKnown(request)
        ? Task.FromResult(new HealthCheckResponse { Status = Status })
        : throw new RpcException(new Status(StatusCode.NotFound, $"There is no service {request.Service}"));

    /// <summary>Tells the status at once and when it changes, which is when the server stops.</summary>
    public override async Task Watch(HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, ServerCallContext context)
    {
        bool isKnown = IsKnown(request);
        await responseStream.WriteAsync(new HealthCheckResponse { Status = isKnown ? Status : HealthCheckResponse.Types.ServingStatus.ServiceUnknown });
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(lifetime.ApplicationStopping, context.CancellationToken);
        await Task.Delay(Timeout.InfiniteTimeSpan, ends.Token).ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        context.CancellationToken.ThrowIfCancellationRequested();
        if (isKnown)
        {
            await responseStream.WriteAsync(new HealthCheckResponse { Status = HealthCheckResponse.Types.ServingStatus.NotServing });
        }
    }

    private static bool IsKnown(HealthCheckRequest request) => request.Service is "" or FlightMethods.Service;
}
