using Grpc.Core;
using LakeHolo.FlightServer.Protocol;
using LakeHolo.FlightServer.Wire;

namespace LakeHolo.FlightServer;

/// <summary>The Flight service's methods as ASP.NET Core's gRPC binds them: virtual here, looked up by name in the derived class.</summary>
[BindServiceMethod(typeof(FlightServiceBase), nameof(Bind))]
internal abstract class FlightServiceBase
{
    /// <summary>For gRPC reflection.</summary>
    public static Google.Protobuf.Reflection.ServiceDescriptor Descriptor => FlightReflection.Descriptor.Services[0];

    public static void Bind(ServiceBinderBase binder, FlightServiceBase? service)
    {
        binder.AddMethod(FlightMethods.Handshake, service is null ? null! : service.Handshake);
        binder.AddMethod(FlightMethods.ListFlights, service is null ? null! : service.ListFlights);
        binder.AddMethod(FlightMethods.GetFlightInfo, service is null ? null! : service.GetFlightInfo);
        binder.AddMethod(FlightMethods.PollFlightInfo, service is null ? null! : service.PollFlightInfo);
        binder.AddMethod(FlightMethods.GetSchema, service is null ? null! : service.GetSchema);
        binder.AddMethod(FlightMethods.DoGet, service is null ? null! : service.DoGet);
        binder.AddMethod(FlightMethods.DoPut, service is null ? null! : service.DoPut);
        binder.AddMethod(FlightMethods.DoExchange, service is null ? null! : service.DoExchange);
        binder.AddMethod(FlightMethods.DoAction, service is null ? null! : service.DoAction);
        binder.AddMethod(FlightMethods.ListActions, service is null ? null! : service.ListActions);
    }

    public abstract Task Handshake(IAsyncStreamReader<HandshakeRequest> requestStream, IServerStreamWriter<HandshakeResponse> responseStream, ServerCallContext context);

    public virtual Task ListFlights(Criteria request, IServerStreamWriter<FlightInfo> responseStream, ServerCallContext context) => Task.CompletedTask;

    public abstract Task<FlightInfo> GetFlightInfo(FlightDescriptor request, ServerCallContext context);

    public abstract Task<PollInfo> PollFlightInfo(FlightDescriptor request, ServerCallContext context);

    public abstract Task<SchemaResult> GetSchema(FlightDescriptor request, ServerCallContext context);

    public abstract Task DoGet(Ticket request, IServerStreamWriter<FlightFrame> responseStream, ServerCallContext context);

    public abstract Task DoPut(IAsyncStreamReader<FlightFrame> requestStream, IServerStreamWriter<PutResult> responseStream, ServerCallContext context);

    public virtual Task DoExchange(IAsyncStreamReader<FlightFrame> requestStream, IServerStreamWriter<FlightFrame> responseStream, ServerCallContext context)
        => throw new RpcException(new Status(StatusCode.Unimplemented, "DoExchange is not part of Flight SQL"));

    public abstract Task DoAction(Protocol.Action request, IServerStreamWriter<Result> responseStream, ServerCallContext context);

    public abstract Task ListActions(Protocol.Empty request, IServerStreamWriter<ActionType> responseStream, ServerCallContext context);
}
