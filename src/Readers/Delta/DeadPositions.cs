using System.Globalization;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Delta.DeletionVectors;
using LakeHolo.LakeCatalog.Delta.Log;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Delta;

#pragma warning disable CA1001 // A SemaphoreSlim whose wait handle is never asked for holds nothing to dispose.
/// <summary>Positions of deletion vectors, in one table of the engine: each vector is decoded once and stays while there is room.</summary>
internal sealed class DeadPositions(EngineDatabase engine)
{
    /// <summary>The table: <c>dv INTEGER, pos BIGINT</c>.</summary>
    public const string Table = "delta_reader.dead_positions";

    // 16 bytes a position before compression: about half a gigabyte.
    private const long MaxPositions = 32_000_000;

    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly Dictionary<(IObjectStore, string), Entry> _entries = [];
    private int _nextNumber;
    private long _positions;
    private long _clock;
    private bool _created;

    /// <summary>Loads vectors and holds them in the table.</summary>
    /// <returns>Their numbers in the table, and what to dispose when they are no longer needed.</returns>
    public async ValueTask<(IReadOnlyList<int> Numbers, IAsyncDisposable Lease)> OpenAsync(
        DeltaSnapshot snapshot, IReadOnlyList<DeletionVectorDescriptor> vectors, CancellationToken cancellationToken)
    {
        TableRoot root = snapshot.Table.Root;
        await _gate.WaitAsync(cancellationToken);
        try
        {
            var held = new List<Entry>();
            try
            {
                foreach (DeletionVectorDescriptor vector in vectors)
                {
                    var key = (root.Store, $"{root.Prefix}\0{vector.Id}\0{vector.SizeBytes.ToString(CultureInfo.InvariantCulture)}");
                    if (!_entries.TryGetValue(key, out Entry? entry) || entry.Count != vector.Cardinality)
                    {
                        entry = await LoadAsync(snapshot, vector, cancellationToken);
                        _entries[key] = entry;
                    }

                    entry.Users++;
                    entry.LastUsed = ++_clock;
                    held.Add(entry);
                }
            }
            catch
            {
                held.ForEach(e => e.Users--);
                throw;
            }

            Evict();
            return (held.ConvertAll(e => e.Number), new Lease(this, held));
        }
        finally
        {
            _gate.Release();
        }
    }

    private async ValueTask<Entry> LoadAsync(DeltaSnapshot snapshot, DeletionVectorDescriptor vector, CancellationToken cancellationToken)
    {
        long[] positions = await DeletionVectorReader.ReadAsync(snapshot, vector, cancellationToken);
        using DuckDBConnection connection = engine.OpenConnection();
        if (!_created)
        {
            EngineDatabase.Execute(connection, "CREATE SCHEMA IF NOT EXISTS delta_reader");
            EngineDatabase.Execute(connection, $"CREATE TABLE IF NOT EXISTS {Table} (dv INTEGER, pos BIGINT)");
            _created = true;
        }

        var entry = new Entry { Number = ++_nextNumber, Count = positions.Length };
        using (var appender = new PairAppender(connection, "delta_reader", "dead_positions"))
        {
            appender.Append(entry.Number, positions);
            appender.Complete();
        }

        _positions += positions.Length;
        return entry;
    }

    private void Evict()
    {
        if (_positions <= MaxPositions)
        {
            return;
        }

        using DuckDBConnection connection = engine.OpenConnection();
        foreach (((IObjectStore, string) key, Entry entry) in _entries.Where(e => e.Value.Users == 0).OrderBy(e => e.Value.LastUsed).ToArray())
        {
            EngineDatabase.Execute(
                connection, string.Create(CultureInfo.InvariantCulture, $"DELETE FROM {Table} WHERE dv = {entry.Number}"));
            _entries.Remove(key);
            _positions -= entry.Count;
            if (_positions <= MaxPositions)
            {
                return;
            }
        }
    }

    private sealed class Entry
    {
        public required int Number { get; init; }

        public required long Count { get; init; }

        public int Users { get; set; }

        public long LastUsed { get; set; }
    }

    private sealed class Lease(DeadPositions owner, List<Entry> entries) : IAsyncDisposable
    {
        private List<Entry>? _entries = entries;

        public async ValueTask DisposeAsync()
        {
            if (Interlocked.Exchange(ref _entries, null) is not { } held)
            {
                return;
            }

            await owner._gate.WaitAsync();
            held.ForEach(e => e.Users--);
            owner._gate.Release();
        }
    }
}
