using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Paimon;

/// <summary>Merged rows of buckets as Parquet files in the disk cache: made in the background after a bucket was merged for a query, so that the next
/// ones are plain scans. A bucket's files never change, so a copy stays right for as long as its bucket's identity is asked for.</summary>
internal sealed class MergedCopies(EngineDatabase engine, IFileMaterializer files, PaimonFileOpener opener) : IDisposable
{
    private const string DecoderKey = "paimon-merged-1\u0001";

    // A small bucket is copied after its first query, a larger one when it is asked for again.
    private const long SmallSourceBytes = 64L << 20;
    private const int UsesBeforeCopy = 2;

    // Larger buckets would take more of the cache and of the machine than their merge costs.
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

    /// <summary>The copy of a bucket, if there is one that has the columns; its lease goes into <paramref name="leases"/>.</summary>
    public async ValueTask<string?> TryOpenAsync(
        PaimonSnapshot snapshot, string identity, IReadOnlyList<MergeSection> sections, IReadOnlyList<PaimonField> columns, List<IAsyncDisposable> leases,
        CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (!_known.TryGetValue(identity, out (int Uses, State State) known) || known.State != State.Ready)
            {
                return null;
            }
        }

        if (columns.Any(c => !IsCopied(c, snapshot)))
        {
            return null;
        }

        try
        {
            FileLease lease = await files.OpenDecodedAsync([Source(snapshot, sections)], DecoderKey + identity, (_, _, _) => throw new CopyGoneException(), cancellationToken);
            leases.Add(lease);
            return lease.LocalPaths[0];
        }
        catch (CopyGoneException)
        {
            // The cache needed the room.
            lock (_lock)
            {
                _known.Remove(identity);
            }

            return null;
        }
    }

    /// <summary>Notes that merged buckets are read; what to dispose when the scan is over, which may begin their copies.</summary>
    public IAsyncDisposable Count(PaimonSnapshot snapshot, IReadOnlyList<(string Identity, IReadOnlyList<MergeSection> Sections)> buckets, MergeCache.Use use)
    {
        var due = new List<(string, IReadOnlyList<MergeSection>)>();
        lock (_lock)
        {
            if (_known.Count > MaxKnown)
            {
                _known.Clear();
            }

            foreach ((string identity, IReadOnlyList<MergeSection> sections) in buckets.Where(b => use.Batch.Buckets.ContainsKey(b.Identity)))
            {
                (int uses, State state) = _known.GetValueOrDefault(identity);
                long bytes = sections.Sum(s => s.Base.Concat(s.Newer).Sum(f => f.SizeBytes));
                bool isDue = state == State.None && bytes <= MaxSourceBytes && (bytes <= SmallSourceBytes || uses + 1 >= UsesBeforeCopy);
                _known[identity] = (uses + 1, isDue ? State.Started : state);
                if (isDue)
                {
                    due.Add((identity, sections));
                }
            }
        }

        return new BeginOnDispose(() => Begin(snapshot, due, use));
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

    private static bool IsCopied(PaimonField column, PaimonSnapshot snapshot)
    {
        try
        {
            PaimonColumns.CheckReadable(column, snapshot);
            return true;
        }
        catch (LakeException)
        {
            return false;
        }
    }

    // One of the bucket's own files stands for it in the cache.
    private CacheableFile Source(PaimonSnapshot snapshot, IReadOnlyList<MergeSection> sections) => opener.Locate(snapshot, sections[0].Base[0], sections[0].Base[0].Path);

    private void Begin(PaimonSnapshot snapshot, List<(string Identity, IReadOnlyList<MergeSection> Sections)> due, MergeCache.Use use)
    {
        if (due.Count == 0)
        {
            return;
        }

        lock (_lock)
        {
            if (_stop.IsCancellationRequested)
            {
                return;
            }

            // The batch's tables stay while the copies are made.
            IAsyncDisposable lease = use.Lease();
            _tasks.RemoveAll(t => t.IsCompleted);
            _tasks.Add(Task.Run(() => CopyAllAsync(snapshot, due, use, lease)));
        }
    }

    private async Task CopyAllAsync(
        PaimonSnapshot snapshot, List<(string Identity, IReadOnlyList<MergeSection> Sections)> due, MergeCache.Use use, IAsyncDisposable lease)
    {
        await using (lease)
        {
            foreach ((string identity, IReadOnlyList<MergeSection> sections) in due)
            {
                State state = State.None;
                try
                {
                    await _writing.WaitAsync(_stop.Token);
                    try
                    {
                        await using FileLease written = await files.OpenDecodedAsync(
                            [Source(snapshot, sections)], DecoderKey + identity, (_, path, token) => CopyAsync(snapshot, identity, sections, use, path, token), _stop.Token);
                        state = State.Ready;
                    }
                    finally
                    {
                        _writing.Release();
                    }
                }
                catch (Exception e) when (e is LakeException or DuckDBException or OperationCanceledException or IOException or ObjectDisposedException)
                {
                    // Without a copy the bucket is merged as before.
                    state = State.Started;
                }

                lock (_lock)
                {
                    _known[identity] = (UsesBeforeCopy, state);
                }
            }
        }
    }

    private async ValueTask CopyAsync(
        PaimonSnapshot snapshot, string identity, IReadOnlyList<MergeSection> sections, MergeCache.Use use, string path, CancellationToken cancellationToken)
    {
        int bucket = use.Batch.Buckets[identity];
        HashSet<PaimonDataFile> members = new(sections.SelectMany(s => s.Base.Concat(s.Newer)), ReferenceEqualityComparer.Instance);
        var pieces = new ScanPieces([], [use with { Buckets = [bucket], Files = [.. use.All.Where(f => members.Contains(f.File))] }], new Dictionary<PaimonDataFile, List<long>>());
        List<PaimonField> columns = [.. snapshot.TableSchema.Fields.Where(f => IsCopied(f, snapshot) && !use.Batch.Refused.ContainsKey(f.Name))];
        if (columns.Count < snapshot.TableSchema.Fields.Count(f => IsCopied(f, snapshot)))
        {
            throw LakeException.FeatureUnsupported("A column of the bucket cannot be merged", snapshot.Table.Root.Location);
        }

        var leases = new List<IAsyncDisposable>();
        try
        {
            string sql = await new ScanSql(snapshot, columns, engine, opener).BuildAsync(pieces, leases, cancellationToken);
            using DuckDBConnection connection = engine.OpenConnection();
            using DuckDBCommand command = connection.CreateCommand();
            command.CommandText = $"COPY ({sql}) TO {SqlText.Literal(path)} (FORMAT parquet)";
            using CancellationTokenRegistration interrupt = cancellationToken.Register(command.Cancel);
            await Task.Run(command.ExecuteNonQuery, cancellationToken);
        }
        finally
        {
            foreach (IAsyncDisposable lease in leases)
            {
                await lease.DisposeAsync();
            }
        }
    }

    private sealed class CopyGoneException : Exception;

    private sealed class BeginOnDispose(Action begin) : IAsyncDisposable
    {
        private Action? _begin = begin;

        public ValueTask DisposeAsync()
        {
            Interlocked.Exchange(ref _begin, null)?.Invoke();
            return ValueTask.CompletedTask;
        }
    }
}
