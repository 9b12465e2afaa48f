using System.Diagnostics;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace LakeHolo.FlightServer.Telemetry;

/// <summary>A span for each call, below the client's own where it sends <c>traceparent</c> (W3C Trace Context).</summary>
internal sealed class TraceInterceptor : Interceptor
{
    private static readonly ActivitySource Source = new("LakeHolo.FlightServer");

    public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation) =>
        Source.HasListeners() ? TraceAsync(context, () => continuation(request, context)) : continuation(request, context);

    public override Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation) =>
        Source.HasListeners() ? TraceAsync(context, () => Done(continuation(request, responseStream, context))) : continuation(request, responseStream, context);

    public override Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, DuplexStreamingServerMethod<TRequest, TResponse> continuation) =>
        Source.HasListeners() ? TraceAsync(context, () => Done(continuation(requestStream, responseStream, context))) : continuation(requestStream, responseStream, context);

    private static async Task<bool> Done(Task call)
    {
        await call;
        return true;
    }

    private static async Task<T> TraceAsync<T>(ServerCallContext context, Func<Task<T>> call)
    {
        using Activity? span = Start(context);
        try
        {
            return await call();
        }
        catch (RpcException e)
        {
            span?.SetTag("rpc.grpc.status_code", (int)e.StatusCode).SetStatus(ActivityStatusCode.Error, e.StatusCode.ToString());
            throw;
        }
    }

    private static Activity? Start(ServerCallContext context)
    {
        ActivityContext.TryParse(context.RequestHeaders.GetValue("traceparent"), context.RequestHeaders.GetValue("tracestate"), isRemote: true, out ActivityContext parent);

        // What the web server made of the headers by itself is not sent, so it must not be the parent.
        Activity.Current = null;
        Activity? span = Source.StartActivity(context.Method.TrimStart('/'), ActivityKind.Server, parent);
        return span?.SetTag("rpc.system", "grpc").SetTag("client.address", context.Peer);
    }
}
