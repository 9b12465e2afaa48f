using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using Apache.Arrow;
using Grpc.Core;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Sessions;
using LakeHolo.FlightServer.Wire;
using Microsoft.Extensions.Logging;

namespace LakeHolo.FlightServer.Statements;

/// <summary>Prepared statements and started results by handle. Handles are random and of use only to the user who got them.</summary>
internal sealed class StatementStore(IQueryService service, FlightServerOptions options, TimeProvider time, ILogger<StatementStore> logger)
{
    /// <summary>How long a result keeps its place for a reader while others wait.</summary>
    private static readonly TimeSpan PatienceWithReaders = TimeSpan.FromMilliseconds(500);

    /// <summary>As hard to guess as a key.</summary>
    private const int HandleBytes = 24;

    /// <summary>Not a character of handles.</summary>
    private const char PartMark = '/';

    private readonly ConcurrentDictionary<string, (ClientSession Session, StatementResult Result)> _results = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, (ClientSession Session, PreparedStatement Statement)> _prepared = new(StringComparer.Ordinal);

    public int ResultCount => _results.Count;

    public int PreparedCount => _prepared.Count;

    public async ValueTask<(IPreparedQuery Query, EncodedSchema Schema)> DescribeAsync(ClientSession session, QuerySession runsIn, string sql, CancellationToken cancellationToken)
    {
        IPreparedQuery query = await service.PrepareAsync(runsIn, sql, cancellationToken);
        return (query, EncodedSchema.For(query.ResultSchema, session.WantsJdbcTypes));
    }

    public async ValueTask<PreparedStatement> PrepareAsync(ClientSession session, QuerySession runsIn, string sql, CancellationToken cancellationToken)
    {
        if (session.Statements.Count >= options.MaxPreparedStatements)
        {
            throw new RpcException(new Status(StatusCode.ResourceExhausted, $"The session holds {options.MaxPreparedStatements} prepared statements, its limit: close some"));
        }

        (IPreparedQuery query, EncodedSchema schema) = await DescribeAsync(session, runsIn, sql, cancellationToken);
        var statement = new PreparedStatement(NewHandle(), sql, runsIn, query, schema) { LastUsed = time.GetUtcNow() };
        _prepared[statement.Handle] = (session, statement);
        session.Statements[statement.Handle] = statement;
        return statement;
    }

    /// <summary>The schema of a prepared statement's rows with what is bound to it.</summary>
    public static async ValueTask<EncodedSchema> SchemaAsync(ClientSession session, PreparedStatement statement, CancellationToken cancellationToken)
    {
        if (statement.Query.ParameterSchema.FieldsList.Count == 0)
        {
            return statement.Schema;
        }

        (RecordBatch? batch, int row) = statement.Rows[0];
        Schema schema = await statement.Query.DescribeAsync(statement.RunsIn, batch, row, cancellationToken);
        return EncodedSchema.For(schema, session.WantsJdbcTypes);
    }

    public PreparedStatement FindPrepared(ClientSession session, string handle)
    {
        if (_prepared.TryGetValue(handle, out (ClientSession Session, PreparedStatement Statement) found) && IsOwn(session, found.Session, "a prepared statement"))
        {
            found.Statement.LastUsed = time.GetUtcNow();
            return found.Statement;
        }

        throw new RpcException(new Status(StatusCode.NotFound, "The prepared statement is gone: it was closed, was idle too long, or was never this user's"));
    }

    public async ValueTask ClosePreparedAsync(ClientSession session, string handle)
    {
        PreparedStatement statement = FindPrepared(session, handle);
        RemovePrepared(handle);

        // A cursor that was closed before anybody read it; what is being read goes on.
        foreach ((string key, (ClientSession _, StatementResult result)) in _results.Where(r => r.Value.Result.Owner == statement && r.Value.Result.TryExpire()))
        {
            await EndAsync(key, result);
        }
    }

    /// <summary>Starts a statement; the handle is its ticket.</summary>
    public (string Handle, StatementResult Result) Start(
        ClientSession session, QuerySession runsIn, IPreparedQuery query, EncodedSchema schema, IReadOnlyList<(RecordBatch?, int)> rows, PreparedStatement? owner)
    {
        if (session.Results.Count >= options.MaxOpenResults)
        {
            throw new RpcException(new Status(StatusCode.ResourceExhausted, $"The session has {options.MaxOpenResults} results open, its limit: read or close some"));
        }

        string handle = NewHandle();
        int parts = query.IsUpdate || query.IsOrdered || rows.Count > 1 ? 1 : session.Endpoints;
        var result = new StatementResult(runsIn, query, schema, rows, time.GetUtcNow(), parts) { Owner = owner };
        _results[handle] = (session, result);
        session.Results[handle] = result;
        return (handle, result);
    }

    /// <summary>The tickets of a result: its handle, followed by the part's number where there are several.</summary>
    public static IEnumerable<string> Tickets(string handle, StatementResult result) =>
        result.Parts == 1 ? [handle] : Enumerable.Range(0, result.Parts).Select(p => string.Create(CultureInfo.InvariantCulture, $"{handle}{PartMark}{p}"));

    /// <summary>The result behind a ticket, for the one reader of its part.</summary>
    public StatementResult Take(ClientSession session, string ticket) =>
        FindResult(session, ticket) is { } result && result.TryTake(PartOf(ticket))
            ? result
            : throw new RpcException(new Status(StatusCode.NotFound, "There is no such result: it was read (once is all), cancelled, not fetched in time, or was never this user's"));

    /// <summary>The reader of a part has ended; with the last, or one that left, the result ends.</summary>
    /// <param name="ticket">The part's.</param>
    /// <param name="result">The result.</param>
    /// <param name="whole">Whether it was read to its end.</param>
    public async ValueTask LeaveAsync(string ticket, StatementResult result, bool whole)
    {
        result.Created = time.GetUtcNow();
        if (result.Leave(whole))
        {
            await EndAsync(ticket, result);
        }
    }

    /// <summary>Whether a ticket's rows wait for their reader.</summary>
    public bool IsUnread(ClientSession session, string ticket, [NotNullWhen(true)] out StatementResult? result) =>
        (result = FindResult(session, ticket)) is not null && result.IsUnread(PartOf(ticket));

    /// <summary>The result that a handle or one of its tickets names.</summary>
    public StatementResult? FindResult(ClientSession session, string ticket) =>
        _results.TryGetValue(HandleOf(ticket), out (ClientSession Session, StatementResult Result) found) && IsOwn(session, found.Session, "a result") ? found.Result : null;

    /// <summary>Ends and forgets the result that a handle or one of its tickets names.</summary>
    public async ValueTask EndAsync(string ticket, StatementResult result)
    {
        string handle = HandleOf(ticket);
        if (_results.TryRemove(handle, out (ClientSession Session, StatementResult Result) entry))
        {
            entry.Session.Results.TryRemove(handle, out _);
        }

        await result.DisposeAsync();
    }

    /// <summary>When statements wait, those whose rows nobody has begun to fetch make room, the oldest first: a client that asks and never reads must not stop others.</summary>
    public async Task MakeRoomAsync()
    {
        int wanted = service.WaitingStatements;
        DateTimeOffset before = time.GetUtcNow() - PatienceWithReaders;
        foreach (StatementResult result in _results.Values.Select(r => r.Result).Where(r => !r.IsTaken && !r.IsParked && r.Created <= before).OrderBy(r => r.Created))
        {
            if (wanted <= 0)
            {
                return;
            }

            wanted -= await result.TryParkAsync() ? 1 : 0;
        }
    }

    /// <summary>Stops and forgets every result.</summary>
    public async ValueTask EndAllAsync()
    {
        foreach ((string handle, (ClientSession _, StatementResult result)) in _results)
        {
            await EndAsync(handle, result);
        }
    }

    public void CloseAll(ClientSession session)
    {
        foreach (string handle in session.Statements.Keys)
        {
            RemovePrepared(handle);
        }

        foreach ((string handle, StatementResult result) in session.Results)
        {
            End(handle, result, "session closed");
        }
    }

    public void Sweep(ClientSession session, DateTimeOffset now)
    {
        foreach ((string handle, PreparedStatement statement) in session.Statements)
        {
            if (now - statement.LastUsed > options.IdleTimeout)
            {
                RemovePrepared(handle);
            }
        }

        foreach ((string handle, StatementResult result) in session.Results)
        {
            if (now - result.Created > options.ResultTimeout && result.TryExpire())
            {
                End(handle, result, "not read in time");
            }
        }
    }

    private bool IsOwn(ClientSession session, ClientSession owner, string what)
    {
        if (session.User == owner.User)
        {
            return true;
        }

        service.LogDenial(session.Query, what, $"it is {owner.User}'s");
        return false;
    }

    private static string HandleOf(string ticket) => ticket.IndexOf(PartMark, StringComparison.Ordinal) is var at and >= 0 ? ticket[..at] : ticket;

    private static int PartOf(string ticket) => ticket.IndexOf(PartMark, StringComparison.Ordinal) is not (var at and >= 0) ? 0
        : int.TryParse(ticket.AsSpan(at + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int part) ? part : int.MaxValue;

    private static string NewHandle() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(HandleBytes));

    private void RemovePrepared(string handle)
    {
        if (_prepared.TryRemove(handle, out (ClientSession Session, PreparedStatement Statement) entry))
        {
            entry.Session.Statements.TryRemove(handle, out _);
        }
    }

    private void End(string handle, StatementResult result, string reason)
    {
        Log.StatementEnded(logger, reason);
        EndAsync(handle, result).AsTask().ContinueWith(
            static (t, s) => Log.CallFailed((ILogger)s!, t.Exception!, "end of a statement", string.Empty), logger,
            CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }
}
