using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Merging;

/// <summary>A merged member whose rows may be copied.</summary>
/// <param name="Identity">Names everything that the rows depend on.</param>
/// <param name="File">One of the member's own files, which stands for it in the cache.</param>
/// <param name="SizeBytes">Size of its files.</param>
/// <param name="Write">Gives the relation of all its rows; what it leases goes into the list.</param>
internal sealed record CopyCandidate(string Identity, CacheableFile File, long SizeBytes, Func<List<IAsyncDisposable>, CancellationToken, ValueTask<string>> Write);

/// <summary>Merged rows of buckets or file groups as Parquet files in the disk cache: made in the background after a member was merged for a query, so that the next
/// ones are plain scans. A member's files never change, so a copy stays right for as long as its identity is asked for.</summary>
/// <param name="engine">The engine.</param>
/// <param name="files">The disk cache.</param>
/// <param name="decoderKey">Names the kind of copies and their layout; part of the cache's key.</param>
internal sealed class MergedCopies(EngineDatabase engine, IFileMaterializer files, string decoderKey) : IDisposable
{
    // A small member is copied after its first query, a larger one when it is asked for again.
    private const long SmallSourceBytes = 64L << 20;
    private const int UsesBeforeCopy = 2;

    // Larger ones would take more of the cache and of the machine than their merge costs.
    private const long MaxSourceBytes = 512L << 20;
    private const int MaxKnown = 10_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, (int Uses, State State)> _known = [];
    private readonly SemaphoreSlim _writing = new(1);
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _tasks = [];

    private enum State
    {
        None,
        Started,
        Ready,
    }

    /// <summary>The copy of a member, if there is one, also of an earlier process; its lease goes into <paramref name="leases"/>.</summary>
    public async ValueTask<string?> TryOpenAsync(string identity, CacheableFile file, List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_known.TryGetValue(identity, out (int Uses, State State) known) && known.State != State.Ready)
            {
                return null;
            }
        }

        try
        {
            FileLease lease = await files.OpenDecodedAsync([file], decoderKey + identity, (_, _, _) => throw new CopyGoneException(), cancellationToken);
            leases.Add(lease);
            lock (_lock)
            {
                _known[identity] = (UsesBeforeCopy, State.Ready);
            }

            return lease.LocalPaths[0];
        }
        catch (CopyGoneException)
        {
            // There never was one, or the cache needed the room.
            lock (_lock)
            {
                _known[identity] = (0, State.None);
            }

            return null;
        }
    }

    /// <summary>Notes that merged members are read; what to dispose when the scan is over, which may begin their copies.</summary>
    /// <param name="read">The members.</param>
    /// <param name="lease">Keeps their merge result in place while they are copied.</param>
    public IAsyncDisposable Count(IEnumerable<CopyCandidate> read, Func<IAsyncDisposable> lease)
    {
        var due = new List<CopyCandidate>();
        lock (_lock)
        {
            if (_known.Count > MaxKnown)
            {
                _known.Clear();
            }

            foreach (CopyCandidate member in read)
            {
                (int uses, State state) = _known.GetValueOrDefault(member.Identity);
                bool isDue = state == State.None && member.SizeBytes <= MaxSourceBytes && (member.SizeBytes <= SmallSourceBytes || uses + 1 >= UsesBeforeCopy);
                _known[member.Identity] = (uses + 1, isDue ? State.Started : state);
                if (isDue)
                {
                    due.Add(member);
                }
            }
        }

        return new ActionOnDispose(() => Begin(due, lease));
    }

    /// <summary>Waits until no copy is being made.</summary>
    public Task SettleAsync()
    {
        lock (_lock)
        {
            return Task.WhenAll(_tasks);
        }
    }

    public void Dispose()
    {
        _stop.Cancel();
        SettleAsync().ContinueWith(_ => { }, TaskScheduler.Default).Wait();
        _stop.Dispose();
        _writing.Dispose();
    }

    private void Begin(List<CopyCandidate> due, Func<IAsyncDisposable> lease)
    {
        if (due.Count == 0)
        {
            return;
        }

        lock (_lock)
        {
            if (!_stop.IsCancellationRequested)
            {
                IAsyncDisposable kept = lease();
                _tasks.RemoveAll(t => t.IsCompleted);
                _tasks.Add(Task.Run(() => CopyAllAsync(due, kept)));
            }
        }
    }

    private async Task CopyAllAsync(List<CopyCandidate> due, IAsyncDisposable lease)
    {
        await using (lease)
        {
            foreach (CopyCandidate member in due)
            {
                State state = State.None;
                try
                {
                    await _writing.WaitAsync(_stop.Token);
                    try
                    {
                        await using FileLease written = await files.OpenDecodedAsync([member.File], decoderKey + member.Identity, (_, path, token) => CopyAsync(member, path, token), _stop.Token);
                        state = State.Ready;
                    }
                    finally
                    {
                        _writing.Release();
                    }
                }
                catch (Exception e) when (e is LakeException or DuckDBException or OperationCanceledException or IOException or ObjectDisposedException)
                {
                    // Without a copy the member is merged as before.
                    state = State.Started;
                }

                lock (_lock)
                {
                    _known[member.Identity] = (UsesBeforeCopy, state);
                }
            }
        }
    }

    private async ValueTask CopyAsync(CopyCandidate member, string path, CancellationToken cancellationToken)
    {
        var leases = new List<IAsyncDisposable>();
        try
        {
            string sql = await member.Write(leases, cancellationToken);
            using DuckDBConnection connection = engine.OpenConnection();
            using DuckDBCommand command = connection.CreateCommand();
            using var interrupt = new EngineInterrupt(command, cancellationToken);
            await Task.Run(
                () =>
                {
                    string dictionary = HasNegativeZeros(command, sql) ? ", DICTIONARY_SIZE_LIMIT 0" : "";
                    command.CommandText = $"COPY ({sql}) TO {SqlText.Literal(path)} (FORMAT parquet{dictionary})";
                    command.ExecuteNonQuery();
                },
                cancellationToken);
        }
        finally
        {
            foreach (IAsyncDisposable lease in leases)
            {
                await lease.DisposeAsync();
            }
        }
    }

    // The engine's dictionaries hold one zero, −0.0 or +0.0, whichever came first.
    private static bool HasNegativeZeros(DuckDBCommand command, string sql)
    {
        command.CommandText = $"DESCRIBE {sql}";
        var columns = new List<(string Name, string Type)>();
        using (DuckDBDataReader reader = command.ExecuteReader())
        {
            while (reader.Read())
            {
                columns.Add((SqlText.Identifier(reader.GetString(0)), reader.GetString(1)));
            }
        }

        columns.RemoveAll(c => !c.Type.Contains("FLOAT", StringComparison.Ordinal) && !c.Type.Contains("DOUBLE", StringComparison.Ordinal));
        if (columns.Count == 0 || columns.Exists(c => c.Type is not ("FLOAT" or "DOUBLE")))
        {
            return columns.Count > 0;
        }

        command.CommandText = $"SELECT EXISTS (SELECT 1 FROM ({sql}) WHERE {string.Join(" OR ", columns.Select(c => $"({c.Name} = 0 AND signbit({c.Name}))"))})";
        return (bool)command.ExecuteScalar()!;
    }

    private sealed class CopyGoneException : Exception;
}
