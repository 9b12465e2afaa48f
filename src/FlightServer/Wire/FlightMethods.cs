using Google.Protobuf;
using Grpc.Core;
using LakeHolo.FlightServer.Protocol;

namespace LakeHolo.FlightServer.Wire;

/// <summary>The methods of the Flight service, with FlightData as <see cref="FlightFrame"/>; shared by server and client.</summary>
internal static class FlightMethods
{
    public const string Service = "arrow.flight.protocol.FlightService";

    private static readonly Marshaller<FlightDescriptor> Descriptors = Of(FlightDescriptor.Parser);

    public static readonly Method<HandshakeRequest, HandshakeResponse> Handshake =
        new(MethodType.DuplexStreaming, Service, nameof(Handshake), Of(HandshakeRequest.Parser), Of(HandshakeResponse.Parser));

    public static readonly Method<Criteria, FlightInfo> ListFlights = new(MethodType.ServerStreaming, Service, nameof(ListFlights), Of(Criteria.Parser), Of(FlightInfo.Parser));

    public static readonly Method<FlightDescriptor, FlightInfo> GetFlightInfo = new(MethodType.Unary, Service, nameof(GetFlightInfo), Descriptors, Of(FlightInfo.Parser));

    public static readonly Method<FlightDescriptor, PollInfo> PollFlightInfo = new(MethodType.Unary, Service, nameof(PollFlightInfo), Descriptors, Of(PollInfo.Parser));

    public static readonly Method<FlightDescriptor, SchemaResult> GetSchema = new(MethodType.Unary, Service, nameof(GetSchema), Descriptors, Of(SchemaResult.Parser));

    public static readonly Method<Ticket, FlightFrame> DoGet = new(MethodType.ServerStreaming, Service, nameof(DoGet), Of(Ticket.Parser), FlightFrame.Marshaller);

    public static readonly Method<FlightFrame, PutResult> DoPut = new(MethodType.DuplexStreaming, Service, nameof(DoPut), FlightFrame.Marshaller, Of(PutResult.Parser));

    public static readonly Method<FlightFrame, FlightFrame> DoExchange = new(MethodType.DuplexStreaming, Service, nameof(DoExchange), FlightFrame.Marshaller, FlightFrame.Marshaller);

    public static readonly Method<Protocol.Action, Result> DoAction = new(MethodType.ServerStreaming, Service, nameof(DoAction), Of(Protocol.Action.Parser), Of(Result.Parser));

    public static readonly Method<Empty, ActionType> ListActions = new(MethodType.ServerStreaming, Service, nameof(ListActions), Of(Empty.Parser), Of(ActionType.Parser));

    private static Marshaller<T> Of<T>(MessageParser<T> parser)
        where T : class, IMessage<T>, IBufferMessage => Marshallers.Create<T>(
            static (message, context) =>
            {
                context.SetPayloadLength(message.CalculateSize());
                message.WriteTo(context.GetBufferWriter());
                context.Complete();
            },
            context => parser.ParseFrom(context.PayloadAsReadOnlySequence()));
}
