using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace LakeHolo.FlightServer.Wire;

/// <summary>Commands travel as google.protobuf.Any with the prefix <c>type.googleapis.com/</c>.</summary>
internal static class AnyMessage
{
    public static ByteString Pack(IMessage message) => Google.Protobuf.WellKnownTypes.Any.Pack(message).ToByteString();

    /// <summary>The Any of some bytes, or null if they are none.</summary>
    public static Any? TryRead(ByteString bytes)
    {
        try
        {
            Any any = Any.Parser.ParseFrom(bytes);
            return any.TypeUrl.Length > 0 ? any : null;
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }
}
