using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Readers.Merging;

/// <summary>What merging some members (the buckets or file groups of a table) gave: tables of the engine, which go when it is disposed.</summary>
internal interface IMergeResult : IDisposable
{
    /// <summary>Numbers of the members in the result's tables, by identity. An identity names everything that a member's outcome depends on.</summary>
    IReadOnlyDictionary<string, int> Members { get; }
}

/// <summary>A result, and which of its members a scan uses.</summary>
/// <param name="Result">The result.</param>
/// <param name="Members">The members, among those asked for.</param>
/// <param name="Lease">Keeps the result in place for one more user.</param>
internal sealed record MergeUse<TResult, TMember>(TResult Result, IReadOnlyList<TMember> Members, Func<IAsyncDisposable> Lease);

/// <summary>Keeps merge results by the content of their members, so that the next query, and the next snapshot, merges only what has changed.</summary>
internal sealed class MergeResults<TResult> : IDisposable
    where TResult : class, IMergeResult
{
    // Results are small next to the tables they belong to; the bound keeps a lake of very many tables from filling the engine.
    private const int MaxResults = 256;

    private readonly LinkedList<Entry> _recent = [];
    private readonly SemaphoreSlim _merging = new(1);

    /// <summary>Results of members, made if they are not there; they stay until the leases are disposed.</summary>
    /// <param name="members">The members.</param>
    /// <param name="identityOf">Their identities.</param>
    /// <param name="merge">Merges those that are not there, into one or several results.</param>
    /// <param name="leases">Takes a lease of each result.</param>
    /// <param name="cancellationToken">Observed while waiting.</param>
    public async ValueTask<IReadOnlyList<MergeUse<TResult, TMember>>> GetAsync<TMember>(
        IReadOnlyList<TMember> members, Func<TMember, string> identityOf, Func<IReadOnlyList<TMember>, ValueTask<IReadOnlyList<TResult>>> merge,
        List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        using IDisposable? clock = StorageUse.MeasureMerging();

        // One merge at a time: it uses all of the engine's threads anyway, and two queries want the same result more often than not.
        await _merging.WaitAsync(cancellationToken);
        try
        {
            TMember[] missing = [.. members.Where(m => Find(identityOf(m)) is null)];
            foreach (TResult result in missing.Length == 0 ? [] : await merge(missing))
            {
                _recent.AddFirst(new Entry(result));
            }

            var uses = new List<MergeUse<TResult, TMember>>();
            foreach (IGrouping<Entry, TMember> some in members.GroupBy(m => Find(identityOf(m)) ?? throw new InvalidOperationException("a member was not merged")).ToArray())
            {
                _recent.Remove(some.Key);
                _recent.AddFirst(some.Key);
                leases.Add(some.Key.Lease());
                uses.Add(new MergeUse<TResult, TMember>(some.Key.Result, [.. some], some.Key.Lease));
            }

            while (_recent.Count > MaxResults)
            {
                _recent.Last!.Value.Retire();
                _recent.RemoveLast();
            }

            return uses;
        }
        finally
        {
            _merging.Release();
        }
    }

    public void Dispose()
    {
        foreach (Entry entry in _recent)
        {
            entry.Retire();
        }

        _recent.Clear();
        _merging.Dispose();
    }

    private Entry? Find(string identity) => _recent.FirstOrDefault(e => e.Result.Members.ContainsKey(identity));

    /// <summary>A result with its users; dropped when it has left the cache and nobody reads it.</summary>
    private sealed class Entry(TResult result)
    {
        private int _users = 1;

        public TResult Result => result;

        public IAsyncDisposable Lease()
        {
            Interlocked.Increment(ref _users);
            return new ActionOnDispose(Retire);
        }

        public void Retire()
        {
            if (Interlocked.Decrement(ref _users) == 0)
            {
                result.Dispose();
            }
        }
    }
}

/// <summary>Does something once, when it is disposed.</summary>
internal sealed class ActionOnDispose(Action action) : IAsyncDisposable
{
    private Action? _action = action;

    public ValueTask DisposeAsync()
    {
        Interlocked.Exchange(ref _action, null)?.Invoke();
        return ValueTask.CompletedTask;
    }
}
