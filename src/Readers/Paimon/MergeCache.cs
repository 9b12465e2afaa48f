using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Paimon;

/// <summary>Keeps merge results by the content of the bucket, so that the next query, and the next snapshot with the same files, is a plain scan.</summary>
internal sealed class MergeCache(EngineDatabase engine, PaimonFileOpener opener) : IDisposable
{
    // Results are small next to the tables they belong to; the bound keeps a lake of very many tables from filling the engine.
    private const int MaxBatches = 256;

    private readonly LinkedList<Entry> _recent = [];
    private readonly SemaphoreSlim _merging = new(1);

    /// <summary>A merge result, and which of its buckets a scan uses.</summary>
    /// <param name="Batch">The result.</param>
    /// <param name="Buckets">Numbers of the buckets.</param>
    /// <param name="Files">Their files, merged: what a scan reads except for dead positions.</param>
    internal sealed record Use(MergeBatch Batch, IReadOnlyList<int> Buckets, IReadOnlyList<(PaimonDataFile File, int Number)> Files)
    {
        /// <summary>A file of each of <see cref="Buckets"/>.</summary>
        public required IReadOnlyList<PaimonDataFile> Samples { get; init; }

        /// <summary>All files of the buckets, also those that the scan does not need.</summary>
        public required IReadOnlyList<(PaimonDataFile File, int Number)> All { get; init; }

        /// <summary>Keeps the result in place for one more user.</summary>
        public required Func<IAsyncDisposable> Lease { get; init; }
    }

    /// <summary>What a bucket's merge result depends on: files, deletion vectors, columns, options.</summary>
    public static string IdentityOf(PaimonSnapshot snapshot, string partition, IReadOnlyList<MergeSection> sections)
    {
        var text = new StringBuilder(snapshot.Table.Root.Location).Append('\n').Append(snapshot.Branch).Append('\n')
            .Append(snapshot.TableSchema.Id.ToString(CultureInfo.InvariantCulture)).Append('\n').Append(partition);
        foreach ((string key, string value) in snapshot.TableSchema.Options.OrderBy(o => o.Key, StringComparer.Ordinal))
        {
            text.Append('\n').Append(key).Append('=').Append(value);
        }

        foreach (PaimonDataFile file in sections.SelectMany(s => s.Base.Concat(s.Newer)))
        {
            text.Append('\n').Append(file.Path).Append('@').Append(file.Level.ToString(CultureInfo.InvariantCulture));
            if (snapshot.DeletionVectorOf(file) is PaimonDeletionVector vector)
            {
                text.Append('-').Append(vector.IndexPath).Append('+').Append(vector.Offset.ToString(CultureInfo.InvariantCulture));
            }
        }

        return Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    /// <summary>Merge results of buckets, made if they are not there; they stay until the leases are disposed.</summary>
    public async ValueTask<IReadOnlyList<Use>> GetAsync(
        PaimonSnapshot snapshot,
        IReadOnlyList<(string Identity, IReadOnlyList<MergeSection> Sections)> buckets,
        IReadOnlyDictionary<PaimonDataFile, List<long>> vectors,
        List<IAsyncDisposable> leases,
        CancellationToken cancellationToken)
    {
        using IDisposable? clock = StorageUse.MeasureMerging();

        // One merge at a time: it uses all of the engine's threads anyway, and two queries want the same result more often than not.
        await _merging.WaitAsync(cancellationToken);
        try
        {
            var found = new Dictionary<Entry, List<(string Identity, IReadOnlyList<MergeSection> Sections)>>();
            var missing = new List<(string Identity, IReadOnlyList<MergeSection> Sections)>();
            foreach (var bucket in buckets)
            {
                Entry? entry = _recent.FirstOrDefault(e => e.Batch.Buckets.ContainsKey(bucket.Identity));
                if (entry is null)
                {
                    missing.Add(bucket);
                }
                else
                {
                    (found.TryGetValue(entry, out var list) ? list : found[entry] = []).Add(bucket);
                }
            }

            if (missing.Count > 0)
            {
                found[new Entry(await MergeBatch.MergeAsync(engine, snapshot, missing, opener, vectors, cancellationToken))] = missing;
            }

            var uses = new List<Use>();
            foreach ((Entry entry, var members) in found)
            {
                Touch(entry);
                leases.Add(entry.Lease());
                Dictionary<string, int> numbers = entry.Batch.FileNumbers.ToDictionary(f => Key(f.Key), f => f.Value);
                (PaimonDataFile, int)[] all = [.. members.SelectMany(m => m.Sections).SelectMany(s => s.Base.Concat(s.Newer)).Select(f => (f, numbers[Key(f)]))];
                uses.Add(new Use(entry.Batch, [.. members.Select(m => entry.Batch.Buckets[m.Identity])], all)
                {
                    Samples = [.. members.Select(m => m.Sections[0].Base[0])],
                    All = all,
                    Lease = entry.Lease,
                });
            }

            Trim();
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

    private static string Key(PaimonDataFile file) => $"{file.Path}@{file.Level.ToString(CultureInfo.InvariantCulture)}";

    private void Touch(Entry entry)
    {
        _recent.Remove(entry);
        _recent.AddFirst(entry);
    }

    private void Trim()
    {
        while (_recent.Count > MaxBatches)
        {
            _recent.Last!.Value.Retire();
            _recent.RemoveLast();
        }
    }

    /// <summary>A batch with its users; dropped when it has left the cache and nobody reads it.</summary>
    private sealed class Entry(MergeBatch batch)
    {
        private int _users = 1;

        public MergeBatch Batch => batch;

        public IAsyncDisposable Lease()
        {
            Interlocked.Increment(ref _users);
            return new ReleaseOnDispose(Retire);
        }

        public void Retire()
        {
            if (Interlocked.Decrement(ref _users) == 0)
            {
                batch.Dispose();
            }
        }
    }

    private sealed class ReleaseOnDispose(Action release) : IAsyncDisposable
    {
        private Action? _release = release;

        public ValueTask DisposeAsync()
        {
            Interlocked.Exchange(ref _release, null)?.Invoke();
            return ValueTask.CompletedTask;
        }
    }
}
