using Grpc.Core;
using Grpc.Core.Interceptors;
using LakeHolo.LakeCatalog;
using Microsoft.Extensions.Logging;

namespace LakeHolo.FlightServer;

/// <summary>Gives every failure its gRPC status and a message that a driver can show.</summary>
internal sealed class ErrorInterceptor(ILogger<ErrorInterceptor> logger) : Interceptor
{
    /// <summary>Messages travel percent-encoded in a trailer, and clients bound their headers at 8 KiB.</summary>
    private const int MaxMessageChars = 2_000;

    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            return await continuation(request, context);
        }
        catch (Exception e) when (e is not RpcException)
        {
            throw Translate(e, context);
        }
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(request, responseStream, context);
        }
        catch (Exception e) when (e is not RpcException)
        {
            throw Translate(e, context);
        }
    }

    public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(requestStream, responseStream, context);
        }
        catch (Exception e) when (e is not RpcException)
        {
            throw Translate(e, context);
        }
    }

    private static StatusCode CodeOf(LakeErrorKind kind) => kind switch
    {
        LakeErrorKind.NotFound => StatusCode.NotFound,
        LakeErrorKind.FormatInvalid => StatusCode.DataLoss,
        LakeErrorKind.FeatureUnsupported => StatusCode.Unimplemented,
        LakeErrorKind.StorageUnavailable => StatusCode.Unavailable,
        LakeErrorKind.ResourcesExhausted => StatusCode.ResourceExhausted,
        LakeErrorKind.QueryInvalid => StatusCode.InvalidArgument,
        LakeErrorKind.PermissionDenied => StatusCode.PermissionDenied,
        _ => StatusCode.Internal,
    };

    private RpcException Translate(Exception e, ServerCallContext context)
    {
        if (context.CancellationToken.IsCancellationRequested)
        {
            return new RpcException(new Status(context.Deadline <= DateTime.UtcNow ? StatusCode.DeadlineExceeded : StatusCode.Cancelled, "The client ended the call"));
        }

        switch (e)
        {
            case LakeException { Kind: not LakeErrorKind.Internal } lake:
                string message = lake.Message.Length > MaxMessageChars ? lake.Message[..MaxMessageChars] + "…" : lake.Message;
                return new RpcException(new Status(CodeOf(lake.Kind), message));
            case OperationCanceledException:
                return new RpcException(new Status(StatusCode.Cancelled, e.Message));
            default:
                string id = Guid.NewGuid().ToString("N")[..12];
                Log.CallFailed(logger, e, context.Method, id);
                return new RpcException(new Status(StatusCode.Internal, $"Internal error {id}: the server's log has the details"));
        }
    }
}
