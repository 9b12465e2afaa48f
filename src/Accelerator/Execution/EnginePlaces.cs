using System.Collections.Concurrent;
using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Accelerator.Execution;

/// <summary>Places at the engine: how many statements run at once, and the connections that they run on.</summary>
internal sealed class EnginePlaces(EngineDatabase engine, ExecutionLimits limits) : IDisposable
{
    private readonly ConcurrentBag<EngineConnection> _idle = [];
    private readonly SemaphoreSlim _slots = new(limits.MaxConcurrent, limits.MaxConcurrent);
    private int _waiting;

    /// <summary>Who waits for a place.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>Waits for a place.</summary>
    /// <exception cref="LakeException">ResourcesExhausted: too many wait already.</exception>
    public async ValueTask AdmitAsync(CancellationToken cancellationToken)
    {
        if (_slots.Wait(0, CancellationToken.None))
        {
            return;
        }

        if (Interlocked.Increment(ref _waiting) > limits.MaxQueued)
        {
            Interlocked.Decrement(ref _waiting);
            throw LakeException.ResourcesExhausted($"{limits.MaxConcurrent} statements run and {limits.MaxQueued} wait already; try again later");
        }

        try
        {
            await _slots.WaitAsync(cancellationToken);
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    /// <summary>A connection for who has a place.</summary>
    public EngineConnection Connect() => _idle.TryTake(out EngineConnection? connection) ? connection : new EngineConnection(engine.OpenConnection());

    /// <summary>Gives a place back, and the connection.</summary>
    /// <param name="connection">The connection, if there was one.</param>
    /// <param name="hasEnded">Whether its last statement came to its end. Of another one the engine keeps the state, a whole sort perhaps, until the connection is used again or closed:
    /// it is closed.</param>
    /// <param name="lackedMemory">Whether its last statement found no memory any more: what idle connections hold for their plans is given up.</param>
    public void Leave(EngineConnection? connection, bool hasEnded, bool lackedMemory = false)
    {
        var idle = new List<EngineConnection>();
        while (lackedMemory && _idle.TryTake(out EngineConnection? other))
        {
            other.Forget();
            idle.Add(other);
        }

        idle.ForEach(_idle.Add);
        if (connection is not null && hasEnded)
        {
            _idle.Add(connection);
        }
        else
        {
            connection?.Dispose();
        }

        _slots.Release();
    }

    public void Dispose()
    {
        foreach (EngineConnection connection in _idle)
        {
            connection.Dispose();
        }

        _slots.Dispose();
    }
}
