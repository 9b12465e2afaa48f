using System.IO.Compression;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Apache.Arrow;
using Apache.Arrow.Ipc;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Net.Client;
using LakeHolo.FlightServer.Protocol;
using LakeHolo.FlightServer.Protocol.Sql;
using LakeHolo.FlightServer.Tests.Harness;
using LakeHolo.FlightServer.Wire;
using ProtoAction = LakeHolo.FlightServer.Protocol.Action;

namespace LakeHolo.FlightServer.Tests.Replay;

/// <summary>What twelve real clients (ADBC, JDBC, pyarrow, polars, pandas, Go, Rust, npm, …) sent, byte for byte with live handles put in: every answer keeps its status, schema
/// and rows. <c>expected.txt</c> has them; with REPLAY_EXPECTED=path the answers are written there, to be read before they take its place.</summary>
public sealed partial class ReplayTests : IAsyncLifetime
{
    private const string Service = "arrow.flight.protocol.FlightService";
    private const int ShownRows = 12;

    private ShopServer _server = null!;
    private ShopServer _guarded = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await ShopServer.StartAsync();
        _guarded = await ShopServer.StartAsync(o => o with { Users = new Dictionary<string, string> { ["u"] = PasswordHash.Create("p") } });
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _guarded.DisposeAsync();
    }

    [Fact]
    public async Task Every_recorded_request_is_answered_as_expected()
    {
        var answers = new StringBuilder();
        foreach (IGrouping<string, Recorded> client in Read().GroupBy(r => r.Client))
        {
            answers.Append("# ").AppendLine(client.Key);
            using var player = new Player(_server, _guarded);
            foreach (Recorded request in client)
            {
                answers.Append(request.Method).Append(' ').Append(Decoded(request)).Append(" -> ").AppendLine(await player.PlayAsync(request));
            }
        }

        if (Environment.GetEnvironmentVariable("REPLAY_EXPECTED") is { } path)
        {
            await File.WriteAllTextAsync(path, answers.ToString());
        }

        string[] expected = await File.ReadAllLinesAsync(Path.Combine(AppContext.BaseDirectory, "Replay", "expected.txt"));
        string[] actual = answers.ToString().TrimEnd('\n').Split('\n');
        Assert.Equal(expected.Length, actual.Length);
        Assert.All(expected.Zip(actual), p => Assert.Equal(p.First, p.Second));
        Assert.DoesNotContain(actual, a => a.Contains("-> Internal", StringComparison.Ordinal) || a.Contains("-> Unknown", StringComparison.Ordinal));
    }

    private static IEnumerable<Recorded> Read()
    {
        using ZipArchive zip = ZipFile.OpenRead(Path.Combine(AppContext.BaseDirectory, "Replay", "requests.zip"));
        using var reader = new StreamReader(zip.GetEntry("requests.jsonl")!.Open());
        while (reader.ReadLine() is { } line)
        {
            JsonElement e = JsonDocument.Parse(line).RootElement;
            yield return new Recorded(
                e.GetProperty("client").GetString()!, e.GetProperty("method").GetString()!, e.GetProperty("decoded").ToString(),
                [.. e.GetProperty("headers").EnumerateArray().Select(h => (h[0].GetString()!, h[1].GetString()!))],
                [.. e.GetProperty("requests").EnumerateArray().Select(r => r.GetBytesFromBase64())]);
        }
    }

    private static string Decoded(Recorded request)
    {
        string text = request.Decoded.ReplaceLineEndings(" ");
        return text.Length > 200 ? text[..200] + "…" : text;
    }

    private sealed record Recorded(string Client, string Method, string Decoded, (string Name, string Value)[] Headers, byte[][] Requests);

    /// <summary>One client's run: its connection and its live handles.</summary>
    private sealed partial class Player(ShopServer server, ShopServer guarded) : IDisposable
    {
        private static readonly Marshaller<byte[]> Bytes = Marshallers.Create(b => b, b => b);

        private readonly GrpcChannel _channel = GrpcChannel.ForAddress($"http://{server.Host.Address.Authority}", new GrpcChannelOptions { MaxReceiveMessageSize = null });
        private readonly GrpcChannel _login = GrpcChannel.ForAddress($"http://{guarded.Host.Address.Authority}");
        private ByteString? _prepared;
        private ByteString? _transaction;
        private FlightInfo? _info;

        public void Dispose()
        {
            _channel.Dispose();
            _login.Dispose();
        }

        public async Task<string> PlayAsync(Recorded request)
        {
            try
            {
                return "OK " + await CallAsync(request);
            }
            catch (RpcException e)
            {
                return $"{e.StatusCode} {e.Status.Detail.ReplaceLineEndings(" ")}";
            }
        }

        private async Task<string> CallAsync(Recorded request)
        {
            var headers = new Grpc.Core.Metadata();
            foreach ((string name, string value) in request.Headers.Where(h => h.Name is not ("user-agent" or "cookie") && (h.Name != "authorization" || request.Method == "Handshake")))
            {
                headers.Add(name, value);
            }

            switch (request.Method)
            {
                case "Handshake":
                    return await HandshakeAsync(headers, request);
                case "GetFlightInfo":
                    await CancelUnreadAsync();
                    _info = FlightInfo.Parser.ParseFrom(await UnaryAsync("GetFlightInfo", headers, await WithLiveAsync(request, FlightDescriptor.Parser.ParseFrom(request.Requests[0]))));
                    return $"{Text(EncodedSchema.Decode(_info.Schema.Memory))}, {_info.Endpoint.Count} endpoint, {_info.TotalRecords} records";
                case "PollFlightInfo":
                    await CancelUnreadAsync();
                    PollInfo poll = PollInfo.Parser.ParseFrom(await UnaryAsync("PollFlightInfo", headers, await WithLiveAsync(request, FlightDescriptor.Parser.ParseFrom(request.Requests[0]))));
                    _info = poll.Info;
                    return $"{Text(EncodedSchema.Decode(poll.Info.Schema.Memory))}, progress {poll.Progress}, descriptor {poll.FlightDescriptor is not null}";
                case "GetSchema":
                    return Text(EncodedSchema.Decode(SchemaResult.Parser.ParseFrom(await UnaryAsync("GetSchema", headers, request.Requests[0])).Schema.Memory));
                case "DoGet":
                    return await GetAsync(headers, request);
                case "DoAction":
                    return await ActAsync(headers, request);
                case "DoPut":
                    return await PutAsync(headers, request);
                default:
                    return $"{(await StreamAsync(_channel, MethodType.ServerStreaming, request.Method, headers, request.Requests)).Count} messages";
            }
        }

        /// <summary>The recording has each distinct request once: the DoGet of many a query is not in it.</summary>
        private async Task CancelUnreadAsync()
        {
            if (_info is not null)
            {
                var action = new ProtoAction { Type = "CancelFlightInfo", Body = new CancelFlightInfoRequest { Info = _info }.ToByteString() };
                _info = null;
                await StreamAsync(_channel, MethodType.ServerStreaming, "DoAction", [], [action.ToByteArray()]);
            }
        }

        private async Task<string> HandshakeAsync(Grpc.Core.Metadata headers, Recorded request)
        {
            var method = new Method<byte[], byte[]>(MethodType.DuplexStreaming, Service, "Handshake", Bytes, Bytes);
            using AsyncDuplexStreamingCall<byte[], byte[]> call = _login.CreateCallInvoker().AsyncDuplexStreamingCall(method, null, new CallOptions(headers));
            foreach (byte[] message in request.Requests)
            {
                await call.RequestStream.WriteAsync(message);
            }

            await call.RequestStream.CompleteAsync();
            Grpc.Core.Metadata answer = await call.ResponseHeadersAsync;
            int messages = await call.ResponseStream.ReadAllAsync().CountAsync();
            return $"{messages} message, authorization {answer.GetValue("authorization")?[..7]}";
        }

        private async Task<byte[]> WithLiveAsync(Recorded request, FlightDescriptor descriptor)
        {
            if (request.Decoded.Contains("<prepared>", StringComparison.Ordinal))
            {
                _prepared ??= await PrepareAsync("SELECT 1 AS x");
                descriptor.Cmd = Any.Pack(new CommandPreparedStatementQuery { PreparedStatementHandle = _prepared }).ToByteString();
            }
            else if (request.Decoded.Contains("<transaction>", StringComparison.Ordinal))
            {
                CommandStatementQuery query = Any.Parser.ParseFrom(descriptor.Cmd).Unpack<CommandStatementQuery>();
                query.TransactionId = await TransactionAsync();
                descriptor.Cmd = Any.Pack(query).ToByteString();
            }

            return descriptor.ToByteArray();
        }

        private async Task<string> GetAsync(Grpc.Core.Metadata headers, Recorded request)
        {
            byte[] ticket = request.Requests[0];
            if (request.Decoded.Contains("<statement>", StringComparison.Ordinal))
            {
                if (_info?.Endpoint[0].Ticket is not { } live || Any.Parser.ParseFrom(live.Ticket_).TypeUrl.Contains("CommandGet", StringComparison.Ordinal))
                {
                    return "(its query was refused)";
                }

                ticket = live.ToByteArray();
                _info = null;
            }

            List<byte[]> messages = await StreamAsync(_channel, MethodType.ServerStreaming, "DoGet", headers, [ticket]);
            using ArrowStreamReader reader = RawClient.Reader(messages.Select(FlightData.Parser.ParseFrom));
            var rows = new List<string>();
            while (await reader.ReadNextRecordBatchAsync() is { } batch)
            {
                rows.AddRange(Enumerable.Range(0, batch.Length).Select(r => string.Join(",", Enumerable.Range(0, batch.ColumnCount).Select(c => Cell(batch.Column(c), r)))));
            }

            return $"{Text(reader.Schema)}, {rows.Count} rows {string.Join(" | ", rows.Take(ShownRows))}";
        }

        private async Task<string> ActAsync(Grpc.Core.Metadata headers, Recorded request)
        {
            ProtoAction action = ProtoAction.Parser.ParseFrom(request.Requests[0]);
            switch (action.Type)
            {
                case "CreatePreparedStatement" when request.Decoded.Contains("<transaction>", StringComparison.Ordinal):
                    ActionCreatePreparedStatementRequest create = Any.Parser.ParseFrom(action.Body).Unpack<ActionCreatePreparedStatementRequest>();
                    create.TransactionId = await TransactionAsync();
                    action.Body = Any.Pack(create).ToByteString();
                    break;
                case "ClosePreparedStatement":
                    action.Body = Any.Pack(new ActionClosePreparedStatementRequest { PreparedStatementHandle = _prepared ?? await PrepareAsync("SELECT 1 AS x") }).ToByteString();
                    _prepared = null;
                    break;
                case "EndTransaction":
                    ActionEndTransactionRequest end = Any.Parser.ParseFrom(action.Body).Unpack<ActionEndTransactionRequest>();
                    end.TransactionId = await TransactionAsync();
                    _transaction = null;
                    action.Body = Any.Pack(end).ToByteString();
                    break;
                case "CancelFlightInfo":
                    action.Body = new CancelFlightInfoRequest { Info = _info ?? new FlightInfo() }.ToByteString();
                    break;
            }

            List<byte[]> results = await StreamAsync(_channel, MethodType.ServerStreaming, "DoAction", headers, [action.ToByteArray()]);
            ByteString? body = results.Count == 0 ? null : Result.Parser.ParseFrom(results[0]).Body;
            switch (action.Type)
            {
                case "CreatePreparedStatement":
                    ActionCreatePreparedStatementResult prepared = Any.Parser.ParseFrom(body).Unpack<ActionCreatePreparedStatementResult>();
                    _prepared = prepared.PreparedStatementHandle;
                    return $"{Text(EncodedSchema.Decode(prepared.DatasetSchema.Memory))}, parameters {Text(EncodedSchema.Decode(prepared.ParameterSchema.Memory))}, update {prepared.IsUpdate}";
                case "BeginTransaction":
                    _transaction = Any.Parser.ParseFrom(body).Unpack<ActionBeginTransactionResult>().TransactionId;
                    return _transaction.IsEmpty ? "no id" : "an id";
                case "SetSessionOptions":
                    return SetSessionOptionsResult.Parser.ParseFrom(body).ToString();
                case "GetSessionOptions":
                    return string.Join(", ", GetSessionOptionsResult.Parser.ParseFrom(body).SessionOptions.OrderBy(o => o.Key, StringComparer.Ordinal));
                case "CloseSession":
                    (_prepared, _transaction, _info) = (null, null, null);
                    return CloseSessionResult.Parser.ParseFrom(body).ToString();
                case "CancelFlightInfo":
                    return CancelFlightInfoResult.Parser.ParseFrom(body).ToString();
                default:
                    return $"{results.Count} results";
            }
        }

        private async Task<string> PutAsync(Grpc.Core.Metadata headers, Recorded request)
        {
            FlightData first = FlightData.Parser.ParseFrom(request.Requests[0]);
            if (request.Decoded.Contains("<prepared>", StringComparison.Ordinal))
            {
                // A statement of as many markers as values are sent.
                string columns = SentColumns().Match(request.Decoded).Groups[1].Value;
                int count = columns.Length == 0 ? 0 : columns.Split(',').Length;
                bool update = request.Decoded.Contains("PreparedStatementUpdate", StringComparison.Ordinal);
                _prepared = await PrepareAsync(count > 0 ? $"SELECT {string.Join(", ", Enumerable.Repeat("?", count))}" : update ? "SET tier = 'auto'" : "SELECT 1 AS x");
                IMessage command = update ? new CommandPreparedStatementUpdate { PreparedStatementHandle = _prepared } : new CommandPreparedStatementQuery { PreparedStatementHandle = _prepared };
                first.FlightDescriptor.Cmd = Any.Pack(command).ToByteString();
            }

            List<byte[]> results = await StreamAsync(_channel, MethodType.DuplexStreaming, "DoPut", headers, [first.ToByteArray(), .. request.Requests[1..]]);
            ByteString metadata = PutResult.Parser.ParseFrom(Assert.Single(results)).AppMetadata;
            return request.Decoded.StartsWith("CommandPreparedStatementQuery", StringComparison.Ordinal)
                ? $"the same handle: {DoPutPreparedStatementResult.Parser.ParseFrom(metadata).PreparedStatementHandle.Equals(_prepared)}"
                : $"{DoPutUpdateResult.Parser.ParseFrom(metadata).RecordCount} records";
        }

        private async Task<ByteString> PrepareAsync(string sql)
        {
            var action = new ProtoAction { Type = "CreatePreparedStatement", Body = Any.Pack(new ActionCreatePreparedStatementRequest { Query = sql }).ToByteString() };
            List<byte[]> results = await StreamAsync(_channel, MethodType.ServerStreaming, "DoAction", [], [action.ToByteArray()]);
            return Any.Parser.ParseFrom(Result.Parser.ParseFrom(results[0]).Body).Unpack<ActionCreatePreparedStatementResult>().PreparedStatementHandle;
        }

        private async Task<ByteString> TransactionAsync()
        {
            if (_transaction is null)
            {
                var action = new ProtoAction { Type = "BeginTransaction", Body = Any.Pack(new ActionBeginTransactionRequest()).ToByteString() };
                List<byte[]> results = await StreamAsync(_channel, MethodType.ServerStreaming, "DoAction", [], [action.ToByteArray()]);
                _transaction = Any.Parser.ParseFrom(Result.Parser.ParseFrom(results[0]).Body).Unpack<ActionBeginTransactionResult>().TransactionId;
            }

            return _transaction;
        }

        private async Task<byte[]> UnaryAsync(string name, Grpc.Core.Metadata headers, byte[] request) =>
            await _channel.CreateCallInvoker().AsyncUnaryCall(new Method<byte[], byte[]>(MethodType.Unary, Service, name, Bytes, Bytes), null, new CallOptions(headers), request);

        private static async Task<List<byte[]>> StreamAsync(GrpcChannel channel, MethodType type, string name, Grpc.Core.Metadata headers, byte[][] requests)
        {
            var method = new Method<byte[], byte[]>(type, Service, name, Bytes, Bytes);
            if (type == MethodType.ServerStreaming)
            {
                using AsyncServerStreamingCall<byte[]> down = channel.CreateCallInvoker().AsyncServerStreamingCall(method, null, new CallOptions(headers), requests[0]);
                return await down.ResponseStream.ReadAllAsync().ToListAsync();
            }

            using AsyncDuplexStreamingCall<byte[], byte[]> both = channel.CreateCallInvoker().AsyncDuplexStreamingCall(method, null, new CallOptions(headers));
            try
            {
                foreach (byte[] request in requests)
                {
                    await both.RequestStream.WriteAsync(request);
                }

                await both.RequestStream.CompleteAsync();
            }
            catch (Exception e) when (e is RpcException or InvalidOperationException)
            {
                // It was refused by its first message; the answer below says why.
            }

            return await both.ResponseStream.ReadAllAsync().ToListAsync();
        }

        private static string Text(Schema schema) => "[" + string.Join(", ", schema.FieldsList.Select(f => $"{f.Name} {f.DataType.Name}{(f.IsNullable ? "?" : "!")}")) + "]";

        private static string Cell(IArrowArray array, int row) => array switch
        {
            BinaryArray a when !a.IsNull(row) && a.GetBytes(row).StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFF, 0xFF, 0xFF]) => Text(EncodedSchema.Decode(a.GetBytes(row).ToArray())),
            Int64Array a => a.GetValue(row)?.ToString() ?? "null",
            Int32Array a => a.GetValue(row)?.ToString() ?? "null",
            UInt32Array a => a.GetValue(row)?.ToString() ?? "null",
            DenseUnionArray a => Cell(a.Fields[a.TypeIds[row]], a.ValueOffsets[row]),
            _ => CellText.Of(array, row),
        };

        [GeneratedRegex(@"first has schema \[([^\]]*)\]")]
        private static partial Regex SentColumns();
    }
}
