using System.Buffers.Text;
using System.Security.Cryptography;
using Google.Protobuf;
using Grpc.Core;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Wire;

namespace LakeHolo.FlightServer.Sessions;

/// <summary>Transactions of a session: drivers open one per connection and begin the next as soon as one ends, so an idle one costs nothing.</summary>
internal static class Transactions
{
    private const int IdBytes = 16;

    /// <summary>More than any driver opens in one session.</summary>
    private const int MaxPerSession = 100;

    public static ByteString Begin(ClientSession session)
    {
        if (session.Transactions.Count >= MaxPerSession)
        {
            throw new RpcException(new Status(StatusCode.ResourceExhausted, $"The session has {MaxPerSession} transactions open, its limit: end some"));
        }

        string id = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(IdBytes));
        session.Transactions[id] = session.Query.BeginTransaction();
        return ByteString.CopyFromUtf8(id);
    }

    /// <summary>Commit and rollback are the same: nothing was written.</summary>
    public static void End(ClientSession session, ByteString id)
    {
        if (!session.Transactions.TryRemove(id.ToStringUtf8(), out QuerySession? transaction))
        {
            throw NoSuch();
        }

        transaction.EndTransaction();
    }

    /// <summary>What a statement runs in: the session, or the transaction that it names.</summary>
    public static QuerySession Of(ClientSession session, bool named, ByteString id) =>
        !named || id.IsEmpty ? session.Query : session.Transactions.TryGetValue(id.ToStringUtf8(), out QuerySession? transaction) ? transaction : throw NoSuch();

    private static RpcException NoSuch() => Commands.Invalid("There is no such transaction: it was ended, its session was closed, or it was never this session's");
}
