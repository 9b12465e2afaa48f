using Grpc.Core;
using LakeHolo.LakeCatalog;

namespace LakeHolo.FlightServer;

/// <summary>Errors of the engine as gRPC statuses, and back.</summary>
internal static class FlightErrors
{
    public static RpcException ToRpc(Exception error) => error switch
    {
        RpcException e => e,
        LakeException e => new RpcException(new Status(Code(e), e.Message)),
        OperationCanceledException e => new RpcException(new Status(StatusCode.Cancelled, e.Message)),
        _ => new RpcException(new Status(StatusCode.Internal, $"Internal error: {error.GetType().Name}: {error.Message}")),
    };

    public static LakeException ToLakeException(RpcException error, Uri server) => error.StatusCode switch
    {
        StatusCode.Unavailable or StatusCode.DeadlineExceeded => LakeException.StorageUnavailable(
            $"No server answers at {server} ({error.Status.Detail}); start one with 'lakeholo serve', or work alone with --lake LOCATION", innerException: error),
        StatusCode.NotFound => LakeException.NotFound(error.Status.Detail, innerException: error),
        StatusCode.Unimplemented => LakeException.FeatureUnsupported(error.Status.Detail),
        StatusCode.ResourceExhausted => LakeException.ResourcesExhausted(error.Status.Detail),
        StatusCode.DataLoss => LakeException.FormatInvalid(error.Status.Detail, innerException: error),
        StatusCode.Internal => new LakeException(LakeErrorKind.Internal, error.Status.Detail, innerException: error),
        StatusCode.Cancelled => throw new OperationCanceledException(error.Status.Detail, error),
        _ => LakeException.QueryInvalid(error.Status.Detail, error),
    };

    private static StatusCode Code(LakeException error) => error.Kind switch
    {
        LakeErrorKind.NotFound => StatusCode.NotFound,
        LakeErrorKind.FormatInvalid => StatusCode.DataLoss,
        LakeErrorKind.FeatureUnsupported => StatusCode.Unimplemented,
        LakeErrorKind.StorageUnavailable => StatusCode.Unavailable,
        LakeErrorKind.ResourcesExhausted => StatusCode.ResourceExhausted,
        LakeErrorKind.QueryInvalid => StatusCode.InvalidArgument,
        _ => StatusCode.Internal,
    };
}
