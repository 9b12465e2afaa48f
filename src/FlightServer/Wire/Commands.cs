using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using LakeHolo.FlightServer.Protocol;
using LakeHolo.FlightServer.Protocol.Sql;

namespace LakeHolo.FlightServer.Wire;

/// <summary>Flight SQL messages inside <c>google.protobuf.Any</c>.</summary>
internal static class Commands
{
    private const string TypePrefix = "type.googleapis.com/arrow.flight.protocol.sql.";

    private static readonly Dictionary<string, MessageParser> Parsers =
        FlightSqlReflection.Descriptor.MessageTypes.ToDictionary(m => TypePrefix + m.Name, m => m.Parser, StringComparer.Ordinal);

    /// <summary>The command of a descriptor.</summary>
    /// <exception cref="RpcException">INVALID_ARGUMENT.</exception>
    public static IMessage Parse(FlightDescriptor? descriptor) => descriptor?.Type == FlightDescriptor.Types.DescriptorType.Cmd
        ? Parse(descriptor.Cmd)
        : throw Invalid("The descriptor has to be a command of Flight SQL; paths are not served");

    /// <summary>The message that bytes hold.</summary>
    /// <exception cref="RpcException">INVALID_ARGUMENT.</exception>
    public static IMessage Parse(ByteString bytes)
    {
        try
        {
            Any any = Any.Parser.ParseFrom(bytes.Span);
            return Parsers.TryGetValue(any.TypeUrl, out MessageParser? parser)
                ? parser.ParseFrom(any.Value.Span)
                : throw Invalid(any.TypeUrl.Length == 0 ? "The bytes are not a message of Flight SQL" : $"{any.TypeUrl} is not a message of Flight SQL");
        }
        catch (InvalidProtocolBufferException)
        {
            throw Invalid("The bytes are not a message of Flight SQL");
        }
    }

    /// <summary>The message of a given type that an action's body holds.</summary>
    public static T Parse<T>(ByteString bytes)
        where T : class, IMessage => Parse(bytes) as T ?? throw Invalid($"The action needs a {typeof(T).Name}");

    /// <summary>A plain message, not inside Any.</summary>
    public static T ParsePlain<T>(MessageParser<T> parser, ByteString bytes)
        where T : IMessage<T>
    {
        try
        {
            return parser.ParseFrom(bytes.Span);
        }
        catch (InvalidProtocolBufferException)
        {
            throw Invalid($"The bytes are not a {typeof(T).Name}");
        }
    }

    public static ByteString Pack(IMessage message) => Any.Pack(message).ToByteString();

    public static RpcException Invalid(string message) => new(new Status(StatusCode.InvalidArgument, message));

    public static RpcException Unsupported(string message) => new(new Status(StatusCode.Unimplemented, message));
}
