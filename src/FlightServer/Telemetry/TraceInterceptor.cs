using System.Diagnostics;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace LakeHolo.FlightServer.Telemetry;

/// <summary>A span for each call, below the client's own where it sends <c>traceparent</c> (W3C Trace Context).</summary>
internal sealed class TraceInterceptor : Interceptor
{
    private static readonly ActivitySource Source = new("LakeHolo.FlightServer");

    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        using Activity? span = Start(context);
        try
        {
            return await continuation(request, context);
        }
        catch (RpcException e)
        {
            Fail(span, e);
            throw;
        }
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        using Activity? span = Start(context);
        try
        {
            await continuation(request, responseStream, context);
        }
        catch (RpcException e)
        {
            Fail(span, e);
            throw;
        }
    }

    public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        using Activity? span = Start(context);
        try
        {
            await continuation(requestStream, responseStream, context);
        }
        catch (RpcException e)
        {
            Fail(span, e);
            throw;
        }
    }

    private static Activity? Start(ServerCallContext context)
    {
        if (!Source.HasListeners())
        {
            return null;
        }

        ActivityContext.TryParse(context.RequestHeaders.GetValue("traceparent"), context.RequestHeaders.GetValue("tracestate"), isRemote: true, out ActivityContext parent);

        // What the web server made of the headers by itself is not sent, so it must not be the parent.
        Activity.Current = null;
        Activity? span = Source.StartActivity(context.Method.TrimStart('/'), ActivityKind.Server, parent);
        return span?.SetTag("rpc.system", "grpc").SetTag("client.address", context.Peer);
    }

    private static void Fail(Activity? span, RpcException error) => span?.SetTag("rpc.grpc.status_code", (int)error.StatusCode).SetStatus(ActivityStatusCode.Error, error.StatusCode.ToString());
}
