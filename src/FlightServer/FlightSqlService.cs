using Apache.Arrow;
using Google.Protobuf;
using Grpc.Core;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Metadata;
using LakeHolo.FlightServer.Protocol;
using LakeHolo.FlightServer.Protocol.Sql;
using LakeHolo.FlightServer.Sessions;
using LakeHolo.FlightServer.Statements;
using LakeHolo.FlightServer.Wire;

namespace LakeHolo.FlightServer;

/// <summary>The Flight service: routes each call to what answers it.</summary>
internal sealed class FlightSqlService(SessionStore sessions, StatementStore statements, MetadataCommands metadata, ActionHandler actions, PutHandler puts)
    : FlightServiceBase
{
    /// <summary>GetFlightInfo waits this long for a query to start, so that its tiers and its first errors are told there; then it answers without.</summary>
    private static readonly TimeSpan StartWait = TimeSpan.FromMilliseconds(200);

    public override async Task Handshake(IAsyncStreamReader<HandshakeRequest> requestStream, IServerStreamWriter<HandshakeResponse> responseStream, ServerCallContext context)
    {
        (string, string)? payload = null;
        if (context.RequestHeaders.GetValue("authorization") is null && await requestStream.MoveNext(context.CancellationToken) && !requestStream.Current.Payload.IsEmpty)
        {
            BasicAuth auth = Commands.ParsePlain(BasicAuth.Parser, requestStream.Current.Payload);
            payload = (auth.Username, auth.Password);
        }

        // PBKDF2 takes its time: not on a thread of the transport.
        string token = await Task.Run(() => sessions.Login(context, payload), context.CancellationToken);
        await context.WriteResponseHeadersAsync(new Grpc.Core.Metadata { { "authorization", "Bearer " + token } });
        await responseStream.WriteAsync(new HandshakeResponse { Payload = payload is null ? ByteString.Empty : ByteString.CopyFromUtf8(token) });
    }

    public override async Task<FlightInfo> GetFlightInfo(FlightDescriptor request, ServerCallContext context)
    {
        ClientSession session = sessions.Find(context);
        IMessage command = Commands.Parse(request);
        if (MetadataCommands.SchemaOf(command) is { } schema)
        {
            return Info(request, new EncodedSchema(schema), request.Cmd, default);
        }

        PreparedStatement? owner = null;
        (IPreparedQuery Query, EncodedSchema Schema) bound;
        switch (command)
        {
            case CommandStatementQuery c:
                RefuseTransaction(c.HasTransactionId && !c.TransactionId.IsEmpty);
                bound = await statements.DescribeAsync(session, c.Query, context.CancellationToken);
                break;
            case CommandPreparedStatementQuery c:
                owner = statements.FindPrepared(session, c.PreparedStatementHandle.ToStringUtf8());
                bound = (owner.Query, owner.Schema);
                break;
            default:
                throw NotAQuery(command);
        }

        (string handle, StatementResult result) = statements.Start(session, bound.Query, bound.Schema, owner?.Rows ?? [(null, 0)], owner);
        try
        {
            // What acts has acted when the client is answered: DoGet may never come.
            Task first = bound.Query.IsUpdate ? result.Started : await Task.WhenAny(result.Started, Task.Delay(StartWait, context.CancellationToken));
            await first.WaitAsync(context.CancellationToken);
        }
        catch
        {
            await statements.EndAsync(handle, result);
            throw;
        }

        ByteString ticket = Commands.Pack(new TicketStatementQuery { StatementHandle = ByteString.CopyFromUtf8(handle) });
        return Info(request, bound.Schema, ticket, result.Started.IsCompletedSuccessfully ? (await result.Started).AppMetadata : default);
    }

    public override async Task<PollInfo> PollFlightInfo(FlightDescriptor request, ServerCallContext context) =>
        new() { Info = await GetFlightInfo(request, context), Progress = 1 };

    public override async Task<SchemaResult> GetSchema(FlightDescriptor request, ServerCallContext context)
    {
        ClientSession session = sessions.Find(context);
        IMessage command = Commands.Parse(request);
        EncodedSchema schema = command switch
        {
            _ when MetadataCommands.SchemaOf(command) is { } s => new EncodedSchema(s),
            CommandStatementQuery c => (await statements.DescribeAsync(session, c.Query, context.CancellationToken)).Schema,
            CommandPreparedStatementQuery c => statements.FindPrepared(session, c.PreparedStatementHandle.ToStringUtf8()).Schema,
            _ => throw NotAQuery(command),
        };
        return new SchemaResult { Schema = ByteString.CopyFrom(schema.Encapsulated.Span) };
    }

    public override async Task DoGet(Ticket request, IServerStreamWriter<FlightFrame> responseStream, ServerCallContext context)
    {
        ClientSession session = sessions.Find(context);
        IMessage command = Commands.Parse(request.Ticket_);
        if (command is TicketStatementQuery statement)
        {
            string handle = statement.StatementHandle.ToStringUtf8();
            StatementResult result = statements.Take(session, handle);
            try
            {
                await new ResultWriter(responseStream, context).WriteAsync(result);
            }
            finally
            {
                await statements.EndAsync(handle, result);
            }

            return;
        }

        Schema schema = MetadataCommands.SchemaOf(command) ?? throw Commands.Invalid($"{command.Descriptor.Name} is not a ticket");
        using RecordBatch? rows = await metadata.RowsAsync(session, command, context.CancellationToken);
        await new ResultWriter(responseStream, context).WriteAsync(new EncodedSchema(schema), rows);
    }

    public override Task DoPut(IAsyncStreamReader<FlightFrame> requestStream, IServerStreamWriter<PutResult> responseStream, ServerCallContext context) =>
        puts.HandleAsync(sessions.Find(context), requestStream, responseStream, context);

    public override Task DoAction(Protocol.Action request, IServerStreamWriter<Result> responseStream, ServerCallContext context) =>
        actions.HandleAsync(sessions.Find(context), request, responseStream, context);

    public override async Task ListActions(Protocol.Empty request, IServerStreamWriter<ActionType> responseStream, ServerCallContext context)
    {
        sessions.Find(context);
        foreach ((string type, string description) in ActionHandler.Actions)
        {
            await responseStream.WriteAsync(new ActionType { Type = type, Description = description });
        }
    }

    public override Task ListFlights(Criteria request, IServerStreamWriter<FlightInfo> responseStream, ServerCallContext context)
    {
        sessions.Find(context);
        return Task.CompletedTask;
    }

    internal static void RefuseTransaction(bool hasTransaction)
    {
        if (hasTransaction)
        {
            throw Commands.Invalid("There is no such transaction: transactions are not supported, each statement reads its own snapshots");
        }
    }

    private static FlightInfo Info(FlightDescriptor descriptor, EncodedSchema schema, ByteString ticket, ReadOnlyMemory<byte> appMetadata) => new()
    {
        Schema = ByteString.CopyFrom(schema.Encapsulated.Span),
        FlightDescriptor = descriptor,
        Endpoint = { new FlightEndpoint { Ticket = new Ticket { Ticket_ = ticket } } },
        TotalRecords = -1,
        TotalBytes = -1,
        AppMetadata = ByteString.CopyFrom(appMetadata.Span),
    };

    private static RpcException NotAQuery(IMessage command) => command is CommandStatementSubstraitPlan
        ? Commands.Unsupported("Substrait plans are not supported: send SQL")
        : Commands.Invalid($"{command.Descriptor.Name} is not a query");
}
