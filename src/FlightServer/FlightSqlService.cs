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

/// <summary>The Flight service: routes each call to what answers it.</summary>
internal sealed class FlightSqlService(
    SessionStore sessions, StatementStore statements, MetadataCommands metadata, ActionHandler actions, PutHandler puts, FlightServerOptions options, TimeProvider time)
    : FlightServiceBase
{
    /// <summary>GetFlightInfo waits this long for a query to start, so that its tiers and its first errors are told there; then it answers without.</summary>
    private static readonly TimeSpan StartWait = TimeSpan.FromMilliseconds(200);

    /// <summary>A poll waits this long for the statement, so that pollers need not be quick.</summary>
    private static readonly TimeSpan PollWait = TimeSpan.FromSeconds(2);

    public override async Task Handshake(IAsyncStreamReader<HandshakeRequest> requestStream, IServerStreamWriter<HandshakeResponse> responseStream, ServerCallContext context)
    {
        (string, string)? payload = null;
        if (context.RequestHeaders.GetValue("authorization") is null && await requestStream.MoveNext(context.CancellationToken) && !requestStream.Current.Payload.IsEmpty)
        {
            BasicAuth auth = Commands.ParsePlain(BasicAuth.Parser, requestStream.Current.Payload);
            payload = (auth.Username, auth.Password);
        }

        string token = await sessions.LoginAsync(context, payload);
        await context.WriteResponseHeadersAsync(new Grpc.Core.Metadata { { "authorization", "Bearer " + token } });
        await responseStream.WriteAsync(new HandshakeResponse { Payload = payload is null ? ByteString.Empty : ByteString.CopyFromUtf8(token) });
    }

    public override async Task<FlightInfo> GetFlightInfo(FlightDescriptor request, ServerCallContext context)
    {
        ClientSession session = await sessions.FindAsync(context);
        IMessage command = Commands.Parse(request);
        if (MetadataCommands.SchemaOf(command) is { } schema)
        {
            return Info(request, new EncodedSchema(schema), [request.Cmd], default);
        }

        (string handle, StatementResult result) = await StartAsync(session, command, context.CancellationToken);
        return Info(request, session, handle, result, result.Started.IsCompletedSuccessfully ? (await result.Started).AppMetadata : default);
    }

    /// <summary>The first poll starts the statement; its descriptor then names what was started. It is done when rows can be had, which stream while it runs on.</summary>
    public override async Task<PollInfo> PollFlightInfo(FlightDescriptor request, ServerCallContext context)
    {
        ClientSession session = await sessions.FindAsync(context);
        IMessage command = Commands.Parse(request);
        if (MetadataCommands.SchemaOf(command) is { } schema)
        {
            return new PollInfo { Info = Info(request, new EncodedSchema(schema), [request.Cmd], default), Progress = 1 };
        }

        string handle;
        StatementResult result;
        if (command is TicketStatementQuery polled)
        {
            handle = polled.StatementHandle.ToStringUtf8();
            result = statements.FindResult(session, handle)
                ?? throw new RpcException(new Status(StatusCode.NotFound, "There is no such statement: it was cancelled, read, not polled in time, or was never this user's"));
            result.Created = time.GetUtcNow();
            await Task.WhenAny(result.Started, Task.Delay(PollWait, context.CancellationToken));
        }
        else
        {
            (handle, result) = await StartAsync(session, command, context.CancellationToken);
        }

        if (result.Started.IsFaulted || result.Started.IsCanceled)
        {
            await statements.EndAsync(handle, result);
            await result.Started;
        }

        bool done = result.Started.IsCompleted;
        FlightInfo info = Info(request, session, handle, result, done ? (await result.Started).AppMetadata : default);
        var answer = new PollInfo { Info = info, Progress = done ? 1 : 0, ExpirationTime = Timestamp.FromDateTimeOffset(result.Created + options.ResultTimeout) };
        if (!done)
        {
            answer.FlightDescriptor = new FlightDescriptor { Type = FlightDescriptor.Types.DescriptorType.Cmd, Cmd = Ticket(handle) };
        }

        return answer;
    }

    public override async Task<SchemaResult> GetSchema(FlightDescriptor request, ServerCallContext context)
    {
        ClientSession session = await sessions.FindAsync(context);
        IMessage command = Commands.Parse(request);
        EncodedSchema schema = command switch
        {
            _ when MetadataCommands.SchemaOf(command) is { } s => new EncodedSchema(s),
            CommandStatementQuery c => (await statements.DescribeAsync(session, Transactions.Of(session, c.HasTransactionId, c.TransactionId), c.Query, context.CancellationToken)).Schema,
            CommandPreparedStatementQuery c => statements.FindPrepared(session, c.PreparedStatementHandle.ToStringUtf8()).Schema,
            _ => throw NotAQuery(command),
        };
        return new SchemaResult { Schema = UnsafeByteOperations.UnsafeWrap(schema.Encapsulated) };
    }

    public override async Task DoGet(Ticket request, IServerStreamWriter<FlightFrame> responseStream, ServerCallContext context)
    {
        ClientSession session = await sessions.FindAsync(context);
        IMessage command = Commands.Parse(request.Ticket_);
        if (command is TicketStatementQuery statement)
        {
            string ticket = statement.StatementHandle.ToStringUtf8();
            StatementResult result = statements.Take(session, ticket);
            bool whole = false;
            try
            {
                using var writer = new ResultWriter(responseStream, context, session.Compression);
                await writer.WriteAsync(result);
                whole = true;
            }
            catch (OperationCanceledException) when (result.WasLeft && !context.CancellationToken.IsCancellationRequested)
            {
                throw new RpcException(new Status(StatusCode.Cancelled, "Another endpoint of the result was not read to its end, so this one ends too: run the statement again"));
            }
            finally
            {
                await statements.LeaveAsync(ticket, result, whole);
            }

            return;
        }

        Schema schema = MetadataCommands.SchemaOf(command) ?? throw Commands.Invalid($"{command.Descriptor.Name} is not a ticket");
        using RecordBatch? rows = await metadata.RowsAsync(session, command, context.CancellationToken);
        using var plain = new ResultWriter(responseStream, context);
        await plain.WriteAsync(new EncodedSchema(schema), rows);
    }

    public override async Task DoPut(IAsyncStreamReader<FlightFrame> requestStream, IServerStreamWriter<PutResult> responseStream, ServerCallContext context) =>
        await puts.HandleAsync(await sessions.FindAsync(context), requestStream, responseStream, context);

    public override async Task DoAction(Protocol.Action request, IServerStreamWriter<Result> responseStream, ServerCallContext context) =>
        await actions.HandleAsync(await sessions.FindAsync(context), request, responseStream, context);

    public override async Task ListActions(Protocol.Empty request, IServerStreamWriter<ActionType> responseStream, ServerCallContext context)
    {
        await sessions.FindAsync(context);
        foreach ((string type, string description) in ActionHandler.Actions)
        {
            await responseStream.WriteAsync(new ActionType { Type = type, Description = description });
        }
    }

    public override async Task ListFlights(Criteria request, IServerStreamWriter<FlightInfo> responseStream, ServerCallContext context) => await sessions.FindAsync(context);

    private static ByteString Ticket(string handle) => Commands.Pack(new TicketStatementQuery { StatementHandle = ByteString.CopyFromUtf8(handle) });

    /// <summary>Where several endpoints were asked for and the rows have an order, it is told why there is only one.</summary>
    private static FlightInfo Info(FlightDescriptor descriptor, ClientSession session, string handle, StatementResult result, ReadOnlyMemory<byte> appMetadata)
    {
        FlightInfo info = Info(descriptor, result.Schema, StatementStore.Tickets(handle, result).Select(Ticket), appMetadata);
        info.Ordered = session.Endpoints > 1 && result.IsOrdered;
        return info;
    }

    private static FlightInfo Info(FlightDescriptor descriptor, EncodedSchema schema, IEnumerable<ByteString> tickets, ReadOnlyMemory<byte> appMetadata) => new()
    {
        Schema = UnsafeByteOperations.UnsafeWrap(schema.Encapsulated),
        FlightDescriptor = descriptor,
        Endpoint = { tickets.Select(t => new FlightEndpoint { Ticket = new Ticket { Ticket_ = t } }) },
        TotalRecords = -1,
        TotalBytes = -1,
        AppMetadata = UnsafeByteOperations.UnsafeWrap(appMetadata),
    };

    private async ValueTask<(string Handle, StatementResult Result)> StartAsync(ClientSession session, IMessage command, CancellationToken cancellationToken)
    {
        string handle;
        StatementResult result;
        switch (command)
        {
            case CommandStatementQuery c:
                QuerySession runsIn = Transactions.Of(session, c.HasTransactionId, c.TransactionId);
                (IPreparedQuery query, EncodedSchema schema) = await statements.DescribeAsync(session, runsIn, c.Query, cancellationToken);
                (handle, result) = statements.Start(session, runsIn, query, schema, [(null, 0)], null);
                break;
            case CommandPreparedStatementQuery c:
                PreparedStatement owner = statements.FindPrepared(session, c.PreparedStatementHandle.ToStringUtf8());
                EncodedSchema bound = await StatementStore.SchemaAsync(session, owner, cancellationToken);
                (handle, result) = statements.Start(session, owner.RunsIn, owner.Query, bound, owner.Rows, owner);
                break;
            default:
                throw NotAQuery(command);
        }

        try
        {
            // What acts has acted when the client is answered: DoGet may never come.
            Task started = result.Started;
            if (result.IsUpdate)
            {
                await started.WaitAsync(cancellationToken);
            }
            else if (!started.IsCompleted)
            {
                await started.WaitAsync(StartWait, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                cancellationToken.ThrowIfCancellationRequested();
            }

            if (started.IsCompleted)
            {
                await started;
            }

            return (handle, result);
        }
        catch
        {
            await statements.EndAsync(handle, result);
            throw;
        }
    }

    private static RpcException NotAQuery(IMessage command) => command is CommandStatementSubstraitPlan
        ? Commands.Unsupported("Substrait plans are not supported: send SQL")
        : Commands.Invalid($"{command.Descriptor.Name} is not a query");
}
