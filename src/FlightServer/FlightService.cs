using Apache.Arrow;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Metadata;
using LakeHolo.FlightServer.Protocol;
using LakeHolo.FlightServer.Protocol.Sql;
using LakeHolo.FlightServer.Sessions;
using LakeHolo.FlightServer.Statements;
using LakeHolo.FlightServer.Wire;

namespace LakeHolo.FlightServer;

/// <summary>Flight SQL over the query service.</summary>
internal sealed class FlightService(IQueryService queries, SessionRegistry sessions, StatementRegistry statements) : FlightServiceBase
{
    private readonly FlightActions _actions = new(queries, sessions, statements);

    public override async Task Handshake(
        IAsyncStreamReader<HandshakeRequest> requestStream, IServerStreamWriter<HandshakeResponse> responseStream, ServerCallContext context)
    {
        // The token goes into the response's first headers: some clients read only those, others only the trailers.
        string bearer = "Bearer " + sessions.Login(context);
        await context.WriteResponseHeadersAsync(new Grpc.Core.Metadata { { "authorization", bearer } });
        context.ResponseTrailers.Add("authorization", bearer);
        while (await requestStream.MoveNext(context.CancellationToken))
        {
            await responseStream.WriteAsync(new HandshakeResponse { ProtocolVersion = requestStream.Current.ProtocolVersion });
        }
    }

    public override async Task<FlightInfo> GetFlightInfo(FlightDescriptor request, ServerCallContext context)
    {
        try
        {
            ClientSession session = sessions.Of(context);
            Any command = Command(request);
            if (command.Is(CommandStatementQuery.Descriptor))
            {
                IPreparedQuery query = await queries.PrepareAsync(session.Session, command.Unpack<CommandStatementQuery>().Query, context.CancellationToken);
                return await StartAsync(session, request, query, null, context.CancellationToken);
            }

            if (command.Is(CommandPreparedStatementQuery.Descriptor))
            {
                Prepared prepared = statements.Get(session, command.Unpack<CommandPreparedStatementQuery>().PreparedStatementHandle);
                return await StartAsync(session, request, prepared.Query, prepared.Parameters, context.CancellationToken);
            }

            Schema schema = MetadataCommands.SchemaOf(command) ?? throw Unknown(command);
            return Info(request, new EncodedSchema(schema), request.Cmd, default);
        }
        catch (Exception e)
        {
            throw FlightErrors.ToRpc(e);
        }
    }

    public override async Task<SchemaResult> GetSchema(FlightDescriptor request, ServerCallContext context)
    {
        try
        {
            ClientSession session = sessions.Of(context);
            Any command = Command(request);
            Schema schema = command switch
            {
                _ when command.Is(CommandStatementQuery.Descriptor) =>
                    (await queries.PrepareAsync(session.Session, command.Unpack<CommandStatementQuery>().Query, context.CancellationToken)).ResultSchema,
                _ when command.Is(CommandPreparedStatementQuery.Descriptor) =>
                    statements.Get(session, command.Unpack<CommandPreparedStatementQuery>().PreparedStatementHandle).Query.ResultSchema,
                _ => MetadataCommands.SchemaOf(command) ?? throw Unknown(command),
            };
            return new SchemaResult { Schema = UnsafeByteOperations.UnsafeWrap(new EncodedSchema(schema).Encapsulated) };
        }
        catch (Exception e)
        {
            throw FlightErrors.ToRpc(e);
        }
    }

    public override async Task DoGet(Ticket request, IServerStreamWriter<FlightFrame> responseStream, ServerCallContext context)
    {
        try
        {
            ClientSession session = sessions.Of(context);
            Any command = AnyMessage.TryRead(request.Ticket_) ?? throw new RpcException(new Status(StatusCode.InvalidArgument, "The ticket is not one of this server's"));
            if (command.Is(TicketStatementQuery.Descriptor))
            {
                await SendAsync(statements.Take(session, command.Unpack<TicketStatementQuery>().StatementHandle), responseStream, context.CancellationToken);
                return;
            }

            using RecordBatch batch = await MetadataCommands.RunAsync(queries, session, command, context.CancellationToken) ?? throw Unknown(command);
            await responseStream.WriteAsync(new FlightFrame { Header = new EncodedSchema(batch.Schema).Header });
            await SendAsync(batch, new BatchEncoder(), responseStream, context.CancellationToken);
        }
        catch (Exception e)
        {
            throw FlightErrors.ToRpc(e);
        }
    }

    public override async Task DoPut(IAsyncStreamReader<FlightFrame> requestStream, IServerStreamWriter<PutResult> responseStream, ServerCallContext context)
    {
        try
        {
            ClientSession session = sessions.Of(context);
            if (!await requestStream.MoveNext(context.CancellationToken) || requestStream.Current.Descriptor is not { } descriptor)
            {
                throw new RpcException(new Status(StatusCode.InvalidArgument, "The first message of DoPut must have a descriptor"));
            }

            Any command = Command(descriptor);
            PutResult answer = command switch
            {
                _ when command.Is(CommandStatementUpdate.Descriptor) => await UpdateAsync(
                    session, await queries.PrepareAsync(session.Session, command.Unpack<CommandStatementUpdate>().Query, context.CancellationToken), null, context.CancellationToken),
                _ when command.Is(CommandPreparedStatementQuery.Descriptor) => await BindAsync(
                    session, command.Unpack<CommandPreparedStatementQuery>().PreparedStatementHandle, requestStream, context.CancellationToken),
                _ when command.Is(CommandPreparedStatementUpdate.Descriptor) => await PreparedUpdateAsync(
                    session, command.Unpack<CommandPreparedStatementUpdate>().PreparedStatementHandle, requestStream, context.CancellationToken),
                _ when command.Is(CommandStatementIngest.Descriptor) =>
                    throw new RpcException(new Status(StatusCode.Unimplemented, "Ingest is not supported: lake tables are read only")),
                _ => throw Unknown(command),
            };

            // Without waiting for the client's half-close: some read the answer first.
            await responseStream.WriteAsync(answer);
        }
        catch (Exception e)
        {
            throw FlightErrors.ToRpc(e);
        }
    }

    public override async Task DoAction(Protocol.Action request, IServerStreamWriter<Result> responseStream, ServerCallContext context)
    {
        try
        {
            if (await _actions.RunAsync(request, context) is { } answer)
            {
                await responseStream.WriteAsync(new Result { Body = answer });
            }
        }
        catch (Exception e)
        {
            throw FlightErrors.ToRpc(e);
        }
    }

    public override async Task ListActions(Protocol.Empty request, IServerStreamWriter<ActionType> responseStream, ServerCallContext context)
    {
        foreach ((string type, string description) in FlightActions.Types)
        {
            await responseStream.WriteAsync(new ActionType { Type = type, Description = description });
        }
    }

    private async ValueTask<FlightInfo> StartAsync(
        ClientSession session, FlightDescriptor descriptor, IPreparedQuery query, IReadOnlyList<RecordBatch>? parameters, CancellationToken cancellationToken)
    {
        var results = new List<IQueryResult>();
        try
        {
            foreach ((RecordBatch? batch, int row) in Executions(query, parameters))
            {
                results.Add(await query.ExecuteAsync(session.Session, batch, row, cancellationToken));
            }

            ByteString handle = await statements.AddAsync(session, results);
            ByteString ticket = AnyMessage.Pack(new TicketStatementQuery { StatementHandle = handle });
            return Info(descriptor, new EncodedSchema(results[0].Schema), ticket, results[0].AppMetadata);
        }
        catch
        {
            foreach (IQueryResult result in results)
            {
                await result.DisposeAsync();
            }

            throw;
        }
    }

    /// <summary>One execution for each bound row; one without, when nothing is bound.</summary>
    private static IEnumerable<(RecordBatch? Batch, int Row)> Executions(IPreparedQuery query, IReadOnlyList<RecordBatch>? parameters)
    {
        if (query.ParameterSchema.FieldsList.Count == 0 || parameters is null || parameters.All(b => b.Length == 0))
        {
            yield return (null, 0);
            yield break;
        }

        foreach (RecordBatch batch in parameters)
        {
            for (int row = 0; row < batch.Length; row++)
            {
                yield return (batch, row);
            }
        }
    }

    private async ValueTask<PutResult> BindAsync(ClientSession session, ByteString handle, IAsyncStreamReader<FlightFrame> frames, CancellationToken cancellationToken)
    {
        statements.Get(session, handle).Parameters = await ParameterBatches.ReadAsync(frames, cancellationToken);
        return new PutResult { AppMetadata = new DoPutPreparedStatementResult { PreparedStatementHandle = handle }.ToByteString() };
    }

    private async ValueTask<PutResult> PreparedUpdateAsync(ClientSession session, ByteString handle, IAsyncStreamReader<FlightFrame> frames, CancellationToken cancellationToken)
    {
        Prepared prepared = statements.Get(session, handle);
        IReadOnlyList<RecordBatch> sent = await ParameterBatches.ReadAsync(frames, cancellationToken);
        return await UpdateAsync(session, prepared.Query, sent.Count > 0 ? sent : prepared.Parameters, cancellationToken);
    }

    private static async ValueTask<PutResult> UpdateAsync(
        ClientSession session, IPreparedQuery query, IReadOnlyList<RecordBatch>? parameters, CancellationToken cancellationToken)
    {
        if (!query.IsUpdate)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, "This is a query, not an update: fetch its rows with GetFlightInfo and DoGet"));
        }

        long count = 0;
        foreach ((RecordBatch? batch, int row) in Executions(query, parameters))
        {
            await using IQueryResult result = await query.ExecuteAsync(session.Session, batch, row, cancellationToken);
            count += Math.Max(0, result.AffectedRows);
        }

        return new PutResult { AppMetadata = new DoPutUpdateResult { RecordCount = count }.ToByteString() };
    }

    private static async Task SendAsync(IReadOnlyList<IQueryResult> results, IServerStreamWriter<FlightFrame> target, CancellationToken cancellationToken)
    {
        try
        {
            // Headers and schema go out at once, before the first row is there.
            await target.WriteAsync(new FlightFrame { Header = new EncodedSchema(results[0].Schema).Header }, cancellationToken);
            var encoder = new BatchEncoder();
            foreach (IQueryResult result in results)
            {
                await foreach (RecordBatch batch in result.ReadBatchesAsync(cancellationToken))
                {
                    using (batch)
                    {
                        await SendAsync(batch, encoder, target, cancellationToken);
                    }
                }
            }
        }
        finally
        {
            foreach (IQueryResult result in results)
            {
                await result.DisposeAsync();
            }
        }
    }

    private static async Task SendAsync(RecordBatch batch, BatchEncoder encoder, IServerStreamWriter<FlightFrame> target, CancellationToken cancellationToken)
    {
        for (int start = 0; start < batch.Length;)
        {
            int rows = BatchEncoder.RowsThatFit(batch, start);
            await target.WriteAsync(encoder.Encode(batch, start, rows), cancellationToken);
            start += rows;
        }
    }

    private static FlightInfo Info(FlightDescriptor descriptor, EncodedSchema schema, ByteString ticket, ReadOnlyMemory<byte> appMetadata) => new()
    {
        Schema = UnsafeByteOperations.UnsafeWrap(schema.Encapsulated),
        FlightDescriptor = descriptor,
        Endpoint = { new FlightEndpoint { Ticket = new Ticket { Ticket_ = ticket } } },
        TotalRecords = -1,
        TotalBytes = -1,
        AppMetadata = UnsafeByteOperations.UnsafeWrap(appMetadata),
    };

    private static Any Command(FlightDescriptor descriptor) => descriptor.Type == FlightDescriptor.Types.DescriptorType.Cmd && AnyMessage.TryRead(descriptor.Cmd) is { } command
        ? command
        : throw new RpcException(new Status(StatusCode.InvalidArgument, "Expected a Flight SQL command in FlightDescriptor.cmd"));

    private static RpcException Unknown(Any command) => command.Is(CommandStatementSubstraitPlan.Descriptor)
        ? new RpcException(new Status(StatusCode.Unimplemented, "Substrait plans are not supported; send SQL"))
        : new RpcException(new Status(StatusCode.InvalidArgument, $"The command {command.TypeUrl} is not known here"));
}
