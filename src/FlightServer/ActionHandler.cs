using System.Globalization;
using Google.Protobuf;
using Grpc.Core;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Protocol;
using LakeHolo.FlightServer.Protocol.Sql;
using LakeHolo.FlightServer.Sessions;
using LakeHolo.FlightServer.Statements;
using LakeHolo.FlightServer.Wire;
using LakeHolo.LakeCatalog;

namespace LakeHolo.FlightServer;

/// <summary>DoAction: prepared statements, cancelling, session options. The Flight SQL actions travel inside Any, the base ones do not.</summary>
internal sealed class ActionHandler(SessionStore sessions, StatementStore statements, TimeProvider time)
{
    /// <summary>What ListActions tells.</summary>
    public static readonly IReadOnlyList<(string Type, string Description)> Actions =
    [
        ("CreatePreparedStatement", "Prepares a statement; nothing runs"), ("ClosePreparedStatement", "Frees a prepared statement and its unread results"),
        ("CancelFlightInfo", "Stops the statement behind a FlightInfo"), ("CancelQuery", "Stops the statement behind a FlightInfo (old form)"),
        ("RenewFlightEndpoint", "Keeps an unread result for longer"), ("SetSessionOptions", "Sets catalog, schema, max_staleness, tier, freshness"),
        ("GetSessionOptions", "Tells the session's options"), ("CloseSession", "Ends the session and its token"),
        ("BeginTransaction", "From its first statement on a transaction sees each table at one snapshot"), ("EndTransaction", "Ends a transaction"),
    ];

    public async Task HandleAsync(ClientSession session, Protocol.Action action, IServerStreamWriter<Result> responses, ServerCallContext context)
    {
        ByteString? answer = action.Type switch
        {
            "CreatePreparedStatement" => await PrepareAsync(session, Commands.Parse<ActionCreatePreparedStatementRequest>(action.Body), context.CancellationToken),
            "ClosePreparedStatement" => await CloseAsync(session, Commands.Parse<ActionClosePreparedStatementRequest>(action.Body)),
            "CancelFlightInfo" => new CancelFlightInfoResult { Status = await CancelAsync(session, Commands.ParsePlain(CancelFlightInfoRequest.Parser, action.Body).Info) }.ToByteString(),
            "CancelQuery" => await CancelQueryAsync(session, Commands.Parse<ActionCancelQueryRequest>(action.Body)),
            "RenewFlightEndpoint" => Renew(session, Commands.ParsePlain(RenewFlightEndpointRequest.Parser, action.Body).Endpoint),
            "SetSessionOptions" => SetOptions(session, Commands.ParsePlain(SetSessionOptionsRequest.Parser, action.Body)),
            "GetSessionOptions" => GetOptions(session),
            "CloseSession" => CloseSession(session),
            "BeginTransaction" => BeginTransaction(session, Commands.Parse<ActionBeginTransactionRequest>(action.Body)),
            "EndTransaction" => EndTransaction(session, Commands.Parse<ActionEndTransactionRequest>(action.Body)),
            "BeginSavepoint" or "EndSavepoint" => throw Commands.Unsupported($"{action.Type} is not supported: lake tables are read only, so there is nothing to go back to"),
            "CreatePreparedSubstraitPlan" => throw Commands.Unsupported("Substrait plans are not supported: send SQL"),
            _ => throw Commands.Invalid($"There is no action {action.Type}"),
        };
        if (answer is not null)
        {
            await responses.WriteAsync(new Result { Body = answer });
        }
    }

    private async ValueTask<ByteString> PrepareAsync(ClientSession session, ActionCreatePreparedStatementRequest request, CancellationToken cancellationToken)
    {
        QuerySession runsIn = Transactions.Of(session, request.HasTransactionId, request.TransactionId);
        PreparedStatement statement = await statements.PrepareAsync(session, runsIn, request.Query, cancellationToken);
        var parameters = new EncodedSchema(statement.Query.ParameterSchema);
        return Commands.Pack(new ActionCreatePreparedStatementResult
        {
            PreparedStatementHandle = ByteString.CopyFromUtf8(statement.Handle),
            DatasetSchema = ByteString.CopyFrom(statement.Schema.Encapsulated.Span),
            ParameterSchema = ByteString.CopyFrom(parameters.Encapsulated.Span),

            // A management statement that answers with rows is a query to drivers, so that they show the rows.
            IsUpdate = statement.Query.IsUpdate && statement.Schema.Schema.FieldsList.Count == 0,
        });
    }

    private async ValueTask<ByteString?> CloseAsync(ClientSession session, ActionClosePreparedStatementRequest request)
    {
        await statements.ClosePreparedAsync(session, request.PreparedStatementHandle.ToStringUtf8());
        return null;
    }

    private async ValueTask<CancelStatus> CancelAsync(ClientSession session, FlightInfo? info)
    {
        CancelStatus status = CancelStatus.NotCancellable;
        foreach (FlightEndpoint endpoint in info?.Endpoint ?? [])
        {
            if (Commands.Parse(endpoint.Ticket?.Ticket_ ?? ByteString.Empty) is TicketStatementQuery ticket
                && statements.FindResult(session, ticket.StatementHandle.ToStringUtf8()) is { } result)
            {
                await statements.EndAsync(ticket.StatementHandle.ToStringUtf8(), result);
                status = CancelStatus.Cancelled;
            }
        }

        return status;
    }

    private async ValueTask<ByteString> CancelQueryAsync(ClientSession session, ActionCancelQueryRequest request) =>
        Commands.Pack(new ActionCancelQueryResult { Result = (int)await CancelAsync(session, Commands.ParsePlain(FlightInfo.Parser, request.Info)) });

    private ByteString Renew(ClientSession session, FlightEndpoint? endpoint)
    {
        if (endpoint?.Ticket is null || Commands.Parse(endpoint.Ticket.Ticket_) is not TicketStatementQuery ticket
            || !statements.IsUnread(session, ticket.StatementHandle.ToStringUtf8(), out StatementResult? result))
        {
            throw new RpcException(new Status(StatusCode.NotFound, "There is no unread result behind the endpoint"));
        }

        result.Created = time.GetUtcNow();
        return endpoint.ToByteString();
    }

    private static ByteString SetOptions(ClientSession session, SetSessionOptionsRequest request)
    {
        var answer = new SetSessionOptionsResult();
        foreach ((string name, SessionOptionValue value) in request.SessionOptions)
        {
            SetSessionOptionsResult.Types.ErrorValue? error = SetOption(session, name, value);
            if (error is { } failed)
            {
                answer.Errors[name] = new SetSessionOptionsResult.Types.Error { Value = failed };
            }
        }

        return answer.ToByteString();
    }

    private static SetSessionOptionsResult.Types.ErrorValue? SetOption(ClientSession session, string name, SessionOptionValue value)
    {
        if (!SessionOptions.Names.Contains(name))
        {
            return SetSessionOptionsResult.Types.ErrorValue.InvalidName;
        }

        string? text = value.OptionValueCase switch
        {
            SessionOptionValue.OptionValueOneofCase.StringValue => value.StringValue,
            SessionOptionValue.OptionValueOneofCase.Int64Value => value.Int64Value.ToString(CultureInfo.InvariantCulture),
            SessionOptionValue.OptionValueOneofCase.DoubleValue => value.DoubleValue.ToString(CultureInfo.InvariantCulture),
            SessionOptionValue.OptionValueOneofCase.None => null,
            _ => string.Empty,
        };
        try
        {
            SessionOptions.Check(name, text);
        }
        catch (LakeException)
        {
            return SetSessionOptionsResult.Types.ErrorValue.InvalidValue;
        }

        if (string.IsNullOrEmpty(text))
        {
            session.Query.Options.TryRemove(name, out _);
        }
        else
        {
            session.Query.Options[name] = text;
        }

        return null;
    }

    private static ByteString GetOptions(ClientSession session)
    {
        // ADBC fails when catalog or schema are not in the map.
        var answer = new GetSessionOptionsResult { SessionOptions = { ["catalog"] = new() { StringValue = "" }, ["schema"] = new() { StringValue = "" } } };
        foreach ((string name, string value) in session.Query.Options)
        {
            answer.SessionOptions[name] = new SessionOptionValue { StringValue = value };
        }

        return answer.ToByteString();
    }

    private static ByteString BeginTransaction(ClientSession session, ActionBeginTransactionRequest request)
    {
        _ = request;
        return Commands.Pack(new ActionBeginTransactionResult { TransactionId = Transactions.Begin(session) });
    }

    private static ByteString? EndTransaction(ClientSession session, ActionEndTransactionRequest request)
    {
        if ((int)request.Action is not (1 or 2))
        {
            throw Commands.Invalid("EndTransaction has to say commit or rollback");
        }

        Transactions.End(session, request.TransactionId);
        return null;
    }

    private ByteString CloseSession(ClientSession session)
    {
        sessions.Close(session);
        return new CloseSessionResult { Status = CloseSessionResult.Types.Status.Closed }.ToByteString();
    }
}
