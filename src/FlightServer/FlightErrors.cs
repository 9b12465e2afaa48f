using System.Net.Sockets;
using System.Security.Authentication;
using Grpc.Core;
using LakeHolo.LakeCatalog;

namespace LakeHolo.FlightServer;

/// <summary>gRPC statuses as errors of the engine, for the client.</summary>
internal static class FlightErrors
{
    public static LakeException ToLakeException(RpcException error, Uri server, bool connecting = false) => error.StatusCode switch
    {
        _ when InnermostOf<AuthenticationException>(error) is { } untrusted && untrusted.Message.Contains("certificate", StringComparison.OrdinalIgnoreCase) => LakeException.StorageUnavailable(
            $"The certificate of {server} is not good: {untrusted.Message} Give its authority with --tls-ca FILE (LAKEHOLO_TLS_CA) if it is one of your own", isTransient: false, innerException: error),
        _ when connecting && InnermostOf<HttpRequestException>(error) is not null
            && (InnermostOf<SocketException>(error) is not { } socket || socket.SocketErrorCode is SocketError.ConnectionReset or SocketError.Shutdown) =>
            LakeException.StorageUnavailable(
                $"{server} does not speak {(server.Scheme == "grpc+tls" ? "TLS: is it a plain server (grpc://)?" : "plain gRPC: does it want TLS (grpc+tls://)?")}", isTransient: false, innerException: error),
        StatusCode.Unavailable or StatusCode.DeadlineExceeded => LakeException.StorageUnavailable(
            $"No server answers at {server} ({error.Status.Detail}); start one with 'lakeholo serve', or work alone with --lake LOCATION", innerException: error),
        StatusCode.NotFound => LakeException.NotFound(error.Status.Detail, innerException: error),
        StatusCode.Unimplemented => LakeException.FeatureUnsupported(error.Status.Detail),
        StatusCode.PermissionDenied => LakeException.PermissionDenied(error.Status.Detail),
        StatusCode.ResourceExhausted => LakeException.ResourcesExhausted(error.Status.Detail),
        StatusCode.DataLoss => LakeException.FormatInvalid(error.Status.Detail, innerException: error),
        StatusCode.Internal => new LakeException(LakeErrorKind.Internal, error.Status.Detail, innerException: error),
        StatusCode.Cancelled => throw new OperationCanceledException(error.Status.Detail, error),
        _ => LakeException.QueryInvalid(error.Status.Detail, error),
    };

    private static T? InnermostOf<T>(Exception error)
        where T : Exception
    {
        T? found = null;
        for (Exception? e = error.InnerException ?? (error as RpcException)?.Status.DebugException; e is not null; e = e.InnerException)
        {
            found = e as T ?? found;
        }

        return found;
    }
}
