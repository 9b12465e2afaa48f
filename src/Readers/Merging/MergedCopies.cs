using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Merging;

/// <summary>A merged member whose rows may be copied.</summary>
/// <param name="Identity">Names everything that the rows depend on.</param>
/// <param name="File">One of the member's own files, which stands for it in the cache.</param>
/// <param name="SizeBytes">Size of its files.</param>
/// <param name="Write">Gives the relation of all its rows, with the columns named or (null) all that can be copied; what it leases goes into the list.</param>
internal sealed record CopyCandidate(
    string Identity, CacheableFile File, long SizeBytes, Func<IReadOnlyCollection<string>?, List<IAsyncDisposable>, CancellationToken, ValueTask<string>> Write);

/// <summary>A copy that has the columns of a query.</summary>
/// <param name="Path">The file.</param>
/// <param name="Columns">Equal for copies of the same columns, which one scan can read.</param>
internal sealed record MergedCopy(string Path, string Columns);

/// <summary>Merged rows of buckets or file groups as Parquet files in the disk cache: made in the background after a member was merged for a query, so that the next
/// ones are plain scans. A copy has the columns that the query needed, which are written in a fraction of the time that all take; when queries have asked for several such
/// sets, all columns. A member's files never change, so a copy stays right for as long as its identity is asked for.</summary>
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

    // Small members are of one row group or two, which one thread reads: several are written at a time, so that the copies are there soon.
    private static readonly int MaxWriters = Math.Min(4, Environment.ProcessorCount);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, CopySets> _known = [];
    private readonly SemaphoreSlim _writing = new(MaxWriters);
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _tasks = [];

    /// <summary>Whether a member of this size, in bytes, is copied after its first query.</summary>
    public static bool AreMadeAtOnce(long sizeBytes) => sizeBytes <= SmallSourceBytes;

    /// <summary>A copy of a member that has some columns, if there is one, also of an earlier process; its lease goes into <paramref name="leases"/>.</summary>
    /// <param name="identity">The member's identity.</param>
    /// <param name="file">The file that stands for it.</param>
    /// <param name="columns">The columns.</param>
    /// <param name="leases">Takes the lease.</param>
    /// <param name="cancellationToken">Observed while the cache is asked.</param>
    public async ValueTask<MergedCopy?> TryOpenAsync(
        string identity, CacheableFile file, CopyColumns columns, List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        string[] candidates;
        lock (_lock)
        {
            candidates = Known(identity).Candidates(columns);
        }

        foreach (string set in candidates)
        {
            if (await files.TryOpenDecodedAsync(file, KeyOf(identity, set), cancellationToken) is { } lease)
            {
                leases.Add(lease);
                Note(identity, set, CopyState.Ready);
                return new MergedCopy(lease.LocalPaths[0], set);
            }

            // There never was one, or the cache needed the room.
            Note(identity, set, CopyState.None);
        }

        return null;
    }

    /// <summary>Notes that merged members are read; what to dispose when the scan is over, which may begin their copies.</summary>
    /// <param name="read">The members.</param>
    /// <param name="columns">The columns that are read.</param>
    /// <param name="lease">Keeps their merge result in place while they are copied.</param>
    public IAsyncDisposable Count(IEnumerable<CopyCandidate> read, CopyColumns columns, Func<IAsyncDisposable> lease)
    {
        var due = new List<(CopyCandidate, string)>();
        lock (_lock)
        {
            foreach (CopyCandidate member in read)
            {
                CopySets known = Known(member.Identity);
                known.Uses++;
                if (member.SizeBytes <= MaxSourceBytes && (AreMadeAtOnce(member.SizeBytes) || known.Uses >= UsesBeforeCopy) && known.Missing(columns) is { } set)
                {
                    known.Set(set, CopyState.Started);
                    due.Add((member, set));
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

    private string KeyOf(string identity, string set) => decoderKey + identity + (set == CopyColumns.All ? "" : "\u0001" + set);

    private CopySets Known(string identity)
    {
        if (_known.TryGetValue(identity, out CopySets? known))
        {
            return known;
        }

        if (_known.Count > MaxKnown)
        {
            _known.Clear();
        }

        return _known[identity] = new CopySets();
    }

    private void Note(string identity, string set, CopyState state)
    {
        lock (_lock)
        {
            CopySets known = Known(identity);
            known.Set(set, state);
            known.Uses = state == CopyState.None ? 0 : known.Uses;
        }
    }

    private void Begin(List<(CopyCandidate Member, string Set)> due, Func<IAsyncDisposable> lease)
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

    private async Task CopyAllAsync(List<(CopyCandidate Member, string Set)> due, IAsyncDisposable lease)
    {
        await using (lease)
        {
            await Task.WhenAll(due.Select(async d =>
            {
                // Without a copy the member is merged as before.
                CopyState state = CopyState.Started;
                try
                {
                    await _writing.WaitAsync(_stop.Token);
                    try
                    {
                        await using FileLease written = await files.OpenDecodedAsync(
                            [d.Member.File], KeyOf(d.Member.Identity, d.Set), (_, path, token) => CopyAsync(d.Member, d.Set, path, token), _stop.Token);
                        state = CopyState.Ready;
                    }
                    finally
                    {
                        _writing.Release();
                    }
                }
                catch (Exception e) when (e is LakeException or DuckDBException or OperationCanceledException or IOException or ObjectDisposedException)
                {
                }

                Note(d.Member.Identity, d.Set, state);
            }));
        }
    }

    private async ValueTask CopyAsync(CopyCandidate member, string set, string path, CancellationToken cancellationToken)
    {
        var leases = new List<IAsyncDisposable>();
        try
        {
            string sql = await member.Write(CopyColumns.NamesOf(set), leases, cancellationToken);
            using DuckDBConnection connection = engine.OpenConnection();
            using DuckDBCommand command = connection.CreateCommand();
            using var interrupt = new EngineInterrupt(command, cancellationToken);
            await Task.Run(
                () =>
                {
                    string dictionary = HasNegativeZeros(command, sql) ? ", DICTIONARY_SIZE_LIMIT 0" : "";
                    command.CommandText = $"COPY ({sql}) TO {SqlText.Literal(path)} (FORMAT parquet, PARQUET_VERSION V2{dictionary})";
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
}
