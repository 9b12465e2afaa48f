using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text;
using Apache.Arrow;
using Apache.Arrow.Ipc;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using LakeHolo.FlightServer.Protocol;
using LakeHolo.FlightServer.Protocol.Sql;
using LakeHolo.FlightServer.Wire;
using LakeHolo.LakeCatalog;

namespace LakeHolo.FlightServer.Client;

/// <summary>A Flight SQL client, as small as the command line needs it.</summary>
public sealed class FlightSqlClient : IDisposable
{
    private readonly GrpcChannel _channel;
    private readonly CallInvoker _calls;
    private readonly Grpc.Core.Metadata _headers = [];

    private FlightSqlClient(Uri server, ClientTls? tls)
    {
        Server = server;
        var address = new UriBuilder(server) { Scheme = server.Scheme == "grpc+tls" ? "https" : "http" }.Uri;
        var options = new GrpcChannelOptions { MaxReceiveMessageSize = null, MaxSendMessageSize = null, HttpHandler = tls?.CreateHandler(), DisposeHttpClient = tls is not null };
        _channel = GrpcChannel.ForAddress(address, options);
        _calls = _channel.CreateCallInvoker();
    }

    /// <summary>The server.</summary>
    public Uri Server { get; }

    /// <summary>Connects and, with credentials, logs in.</summary>
    /// <param name="server"><c>grpc://host:port</c> or <c>grpc+tls://host:port</c>.</param>
    /// <param name="user">User, or null.</param>
    /// <param name="password">Password of the user.</param>
    /// <param name="token">A bearer token instead, or null.</param>
    /// <param name="tls">Which server certificates are good, and the client's own; null for what the machine trusts.</param>
    /// <param name="cancellationToken">Observed in calls.</param>
    /// <exception cref="LakeException">StorageUnavailable if the server does not answer or its certificate is not trusted; QueryInvalid if it refuses the credentials.</exception>
    public static async ValueTask<FlightSqlClient> ConnectAsync(
        Uri server, string? user, string? password, string? token, ClientTls? tls = null, CancellationToken cancellationToken = default)
    {
        var client = new FlightSqlClient(server, tls);
        try
        {
            string? credentials = token is not null
                ? "Bearer " + token
                : user is not null ? "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}")) : null;
            await client.HandshakeAsync(credentials, cancellationToken);
            return client;
        }
        catch (RpcException e)
        {
            client.Dispose();
            throw FlightErrors.ToLakeException(e, server, connecting: true);
        }
        catch
        {
            client.Dispose();
            throw;
        }
    }

    /// <summary>Runs a statement; the answer streams.</summary>
    public async ValueTask<FlightAnswer> ExecuteAsync(string sql, CancellationToken cancellationToken = default)
    {
        try
        {
            var descriptor = new FlightDescriptor { Type = FlightDescriptor.Types.DescriptorType.Cmd, Cmd = Commands.Pack(new CommandStatementQuery { Query = sql }) };
            FlightInfo info = await _calls.AsyncUnaryCall(FlightMethods.GetFlightInfo, null, Options(cancellationToken), descriptor);
            Schema schema = EncodedSchema.Decode(info.Schema.Memory);
            AsyncServerStreamingCall<FlightFrame>? call = info.Endpoint.Count == 0
                ? null
                : _calls.AsyncServerStreamingCall(FlightMethods.DoGet, null, Options(cancellationToken), info.Endpoint[0].Ticket);
            return new FlightAnswer(schema, info.AppMetadata.Memory, call, Server);
        }
        catch (RpcException e)
        {
            throw FlightErrors.ToLakeException(e, Server);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _channel.Dispose();

    private async ValueTask HandshakeAsync(string? credentials, CancellationToken cancellationToken)
    {
        var headers = new Grpc.Core.Metadata();
        if (credentials is not null)
        {
            headers.Add("authorization", credentials);
        }

        using AsyncDuplexStreamingCall<HandshakeRequest, HandshakeResponse> call =
            _calls.AsyncDuplexStreamingCall(FlightMethods.Handshake, null, new CallOptions(headers, cancellationToken: cancellationToken));
        await call.RequestStream.CompleteAsync();
        Grpc.Core.Metadata answer = await call.ResponseHeadersAsync;
        while (await call.ResponseStream.MoveNext(cancellationToken))
        {
            // The messages are empty; the token is in the headers.
        }

        if (answer.GetValue("authorization") is { } bearer && AuthenticationHeaderValue.TryParse(bearer, out _))
        {
            _headers.Add("authorization", bearer);
        }
    }

    private CallOptions Options(CancellationToken cancellationToken) => new(_headers, cancellationToken: cancellationToken);
}

/// <summary>The rows of a statement.</summary>
public sealed class FlightAnswer : IAsyncDisposable
{
    private readonly AsyncServerStreamingCall<FlightFrame>? _call;
    private readonly Uri _server;

    internal FlightAnswer(Schema schema, ReadOnlyMemory<byte> appMetadata, AsyncServerStreamingCall<FlightFrame>? call, Uri server)
    {
        Schema = schema;
        AppMetadata = appMetadata;
        _call = call;
        _server = server;
    }

    /// <summary>Columns.</summary>
    public Schema Schema { get; }

    /// <summary>What FlightInfo said: JSON with tier, snapshot and age of each table.</summary>
    public ReadOnlyMemory<byte> AppMetadata { get; }

    /// <summary>Batches as they come; the caller disposes each.</summary>
    public async IAsyncEnumerable<RecordBatch> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        if (_call is null)
        {
            yield break;
        }

        var frames = new FrameStream(_call.ResponseStream, null, cancellationToken);
        await using (frames.ConfigureAwait(false))
        {
            using var reader = new ArrowStreamReader(frames, leaveOpen: true);
            while (true)
            {
                RecordBatch? batch;
                try
                {
                    batch = await reader.ReadNextRecordBatchAsync(cancellationToken);
                }
                catch (RpcException e)
                {
                    throw FlightErrors.ToLakeException(e, _server);
                }

                if (batch is null)
                {
                    yield break;
                }

                yield return batch;
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _call?.Dispose();
        return ValueTask.CompletedTask;
    }
}
