using Apache.Arrow;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Protocol;
using LakeHolo.FlightServer.Protocol.Sql;
using LakeHolo.FlightServer.Sessions;
using LakeHolo.FlightServer.Statements;
using LakeHolo.FlightServer.Wire;
using LakeHolo.LakeCatalog;

namespace LakeHolo.FlightServer;

/// <summary>The actions: prepared statements, cancelling, sessions. Actions of Flight SQL carry an Any, those of Flight the raw message.</summary>
internal sealed class FlightActions(IQueryService queries, SessionRegistry sessions, StatementRegistry statements)
{
    public static IReadOnlyList<(string Type, string Description)> Types { get; } =
    [
        ("CreatePreparedStatement", "Prepares a statement; returns its handle and schemas"),
        ("ClosePreparedStatement", "Forgets a prepared statement"),
        ("CancelQuery", "Stops a statement (deprecated: CancelFlightInfo)"),
        ("CancelFlightInfo", "Stops a statement whose rows were not fetched"),
        ("SetSessionOptions", "Sets catalog, schema, max_staleness, tier, freshness"),
        ("GetSessionOptions", "Returns the session's options"),
        ("CloseSession", "Ends the session"),
    ];

    /// <summary>Runs an action; null if it has no result.</summary>
    public async ValueTask<ByteString?> RunAsync(Protocol.Action action, ServerCallContext context)
    {
        ClientSession session = sessions.Of(context);
        switch (action.Type)
        {
            case "CreatePreparedStatement":
                return await PrepareAsync(session, Unpack<ActionCreatePreparedStatementRequest>(action), context.CancellationToken);
            case "ClosePreparedStatement":
                statements.Close(Unpack<ActionClosePreparedStatementRequest>(action).PreparedStatementHandle);
                return null;
            case "CancelQuery":
                CancelStatus old = await CancelAsync(session, FlightInfo.Parser.ParseFrom(Unpack<ActionCancelQueryRequest>(action).Info));
                return AnyMessage.Pack(new ActionCancelQueryResult { Result = (int)old });
            case "CancelFlightInfo":
                CancelStatus status = await CancelAsync(session, CancelFlightInfoRequest.Parser.ParseFrom(action.Body).Info);
                return new CancelFlightInfoResult { Status = status }.ToByteString();
            case "SetSessionOptions":
                return SetOptions(session, SetSessionOptionsRequest.Parser.ParseFrom(action.Body)).ToByteString();
            case "GetSessionOptions":
                return GetOptions(session).ToByteString();
            case "CloseSession":
                await statements.CloseAsync(session);
                sessions.Close(session);
                return new CloseSessionResult { Status = CloseSessionResult.Types.Status.Closed }.ToByteString();
            default:
                throw new RpcException(new Status(StatusCode.Unimplemented, action.Type is "BeginTransaction" or "EndTransaction" or "BeginSavepoint" or "EndSavepoint"
                    ? "Transactions are not supported: lake tables are read only, and each statement sees one snapshot"
                    : $"The action {action.Type} is not known here; known are {string.Join(", ", Types.Select(t => t.Type))}"));
        }
    }

    private async ValueTask<ByteString> PrepareAsync(ClientSession session, ActionCreatePreparedStatementRequest request, CancellationToken cancellationToken)
    {
        IPreparedQuery query = await queries.PrepareAsync(session.Session, request.Query, cancellationToken);
        return AnyMessage.Pack(new ActionCreatePreparedStatementResult
        {
            PreparedStatementHandle = statements.Add(session, query),
            DatasetSchema = UnsafeByteOperations.UnsafeWrap(new EncodedSchema(query.ResultSchema).Encapsulated),
            ParameterSchema = UnsafeByteOperations.UnsafeWrap(new EncodedSchema(query.ParameterSchema).Encapsulated),
            IsUpdate = query.IsUpdate,
        });
    }

    private async ValueTask<CancelStatus> CancelAsync(ClientSession session, FlightInfo? info)
    {
        foreach (FlightEndpoint endpoint in info?.Endpoint ?? [])
        {
            if (AnyMessage.TryRead(endpoint.Ticket?.Ticket_ ?? ByteString.Empty) is { } ticket && ticket.Is(TicketStatementQuery.Descriptor)
                && await statements.CancelAsync(session, ticket.Unpack<TicketStatementQuery>().StatementHandle))
            {
                return CancelStatus.Cancelled;
            }
        }

        return CancelStatus.NotCancellable;
    }

    private static SetSessionOptionsResult SetOptions(ClientSession session, SetSessionOptionsRequest request)
    {
        var result = new SetSessionOptionsResult();
        foreach ((string name, SessionOptionValue value) in request.SessionOptions)
        {
            string? text = value.OptionValueCase switch
            {
                SessionOptionValue.OptionValueOneofCase.StringValue => value.StringValue,
                SessionOptionValue.OptionValueOneofCase.Int64Value => value.Int64Value.ToString(System.Globalization.CultureInfo.InvariantCulture),
                SessionOptionValue.OptionValueOneofCase.DoubleValue => value.DoubleValue.ToString("R", System.Globalization.CultureInfo.InvariantCulture),
                SessionOptionValue.OptionValueOneofCase.BoolValue => value.BoolValue ? "true" : "false",
                _ => null,
            };
            try
            {
                SessionOptions.Check(name, text);
                if (text is null)
                {
                    session.Session.Options.TryRemove(name, out _);
                }
                else
                {
                    session.Session.Options[name] = text;
                }
            }
            catch (LakeException)
            {
                result.Errors[name] = new SetSessionOptionsResult.Types.Error
                {
                    Value = SessionOptions.Names.Contains(name) ? SetSessionOptionsResult.Types.ErrorValue.InvalidValue : SetSessionOptionsResult.Types.ErrorValue.InvalidName,
                };
            }
        }

        return result;
    }

    private static GetSessionOptionsResult GetOptions(ClientSession session)
    {
        var result = new GetSessionOptionsResult();
        foreach ((string name, string value) in session.Session.Options)
        {
            result.SessionOptions[name] = new SessionOptionValue { StringValue = value };
        }

        return result;
    }

    private static T Unpack<T>(Protocol.Action action)
        where T : IMessage, new()
    {
        Any any = AnyMessage.TryRead(action.Body) ?? throw new RpcException(new Status(StatusCode.InvalidArgument, $"The body of {action.Type} must be a google.protobuf.Any"));
        return any.TryUnpack(out T message)
            ? message
            : throw new RpcException(new Status(StatusCode.InvalidArgument, $"The body of {action.Type} must be {new T().Descriptor.FullName}, not {any.TypeUrl}"));
    }
}
