using System.Collections.Concurrent;
using System.Security.Cryptography;
using Apache.Arrow;
using Google.Protobuf;
using Grpc.Core;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Sessions;

namespace LakeHolo.FlightServer.Statements;

/// <summary>Prepared statements and results that wait to be fetched, by handles that cannot be guessed and belong to the user who got them.</summary>
internal sealed class StatementRegistry(FlightServerOptions options, TimeProvider time) : IAsyncDisposable
{
    private const int HandleBytes = 24;

    private readonly ConcurrentDictionary<string, Prepared> _prepared = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Pending> _results = new(StringComparer.Ordinal);

    /// <summary>Keeps a prepared statement.</summary>
    public ByteString Add(ClientSession session, IPreparedQuery query)
    {
        if (_prepared.Values.Count(p => p.Owner == session) >= options.MaxPreparedStatements)
        {
            throw new RpcException(new Status(StatusCode.ResourceExhausted, $"The session has {options.MaxPreparedStatements} prepared statements; close some"));
        }

        return Keep(_prepared, new Prepared(session, query));
    }

    /// <summary>A prepared statement.</summary>
    public Prepared Get(ClientSession session, ByteString handle)
    {
        if (_prepared.TryGetValue(Key(handle), out Prepared? prepared) && prepared.Owner.User == session.User)
        {
            prepared.LastUsed = time.GetUtcNow();
            return prepared;
        }

        throw new RpcException(new Status(StatusCode.NotFound, "There is no such prepared statement: it was closed or has expired"));
    }

    /// <summary>Forgets a prepared statement; unknown ones are closed already.</summary>
    public void Close(ByteString handle) => _prepared.TryRemove(Key(handle), out _);

    /// <summary>Keeps a running statement's rows until they are fetched.</summary>
    public async ValueTask<ByteString> AddAsync(ClientSession session, IReadOnlyList<IQueryResult> results)
    {
        await SweepAsync();
        return Keep(_results, new Pending(session, results, time.GetUtcNow()));
    }

    /// <summary>Takes the rows of a ticket; each ticket is read once.</summary>
    public IReadOnlyList<IQueryResult> Take(ClientSession session, ByteString handle)
    {
        if (_results.TryGetValue(Key(handle), out Pending? pending) && pending.Owner.User == session.User && _results.TryRemove(Key(handle), out pending))
        {
            return pending.Results;
        }

        throw new RpcException(new Status(StatusCode.NotFound, "There are no rows for this ticket: they were fetched already, cancelled, or have expired. Run the statement again"));
    }

    /// <summary>Stops a statement whose rows were not fetched; false if the ticket is unknown.</summary>
    public async ValueTask<bool> CancelAsync(ClientSession session, ByteString handle)
    {
        if (!_results.TryGetValue(Key(handle), out Pending? pending) || pending.Owner.User != session.User || !_results.TryRemove(Key(handle), out pending))
        {
            return false;
        }

        await pending.DisposeAsync();
        return true;
    }

    /// <summary>Forgets what belongs to a session.</summary>
    public async ValueTask CloseAsync(ClientSession session)
    {
        foreach ((string key, Prepared _) in _prepared.Where(p => p.Value.Owner == session))
        {
            _prepared.TryRemove(key, out _);
        }

        await RemoveAsync(p => p.Owner == session);
    }

    public ValueTask DisposeAsync() => RemoveAsync(_ => true);

    private async ValueTask SweepAsync()
    {
        DateTimeOffset now = time.GetUtcNow();
        foreach ((string key, Prepared _) in _prepared.Where(p => p.Value.LastUsed != default && p.Value.LastUsed < now - options.IdleTimeout))
        {
            _prepared.TryRemove(key, out _);
        }

        await RemoveAsync(p => p.Created < now - options.ResultTimeout);
    }

    private async ValueTask RemoveAsync(Func<Pending, bool> condition)
    {
        foreach ((string key, Pending _) in _results.Where(r => condition(r.Value)))
        {
            if (_results.TryRemove(key, out Pending? pending))
            {
                await pending.DisposeAsync();
            }
        }
    }

    private static ByteString Keep<T>(ConcurrentDictionary<string, T> kept, T value)
    {
        byte[] handle = RandomNumberGenerator.GetBytes(HandleBytes);
        kept[Convert.ToBase64String(handle)] = value;
        return ByteString.CopyFrom(handle);
    }

    private static string Key(ByteString handle) => handle.ToBase64();

    private sealed record Pending(ClientSession Owner, IReadOnlyList<IQueryResult> Results, DateTimeOffset Created) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            foreach (IQueryResult result in Results)
            {
                await result.DisposeAsync();
            }
        }
    }
}

/// <summary>A prepared statement of a session and the parameters that were last bound to it.</summary>
internal sealed class Prepared(ClientSession owner, IPreparedQuery query)
{
    public ClientSession Owner { get; } = owner;

    public IPreparedQuery Query { get; } = query;

    /// <summary>Bound rows, each one an execution; null if nothing is bound.</summary>
    public IReadOnlyList<RecordBatch>? Parameters { get; set; }

    public DateTimeOffset LastUsed { get; set; }
}
