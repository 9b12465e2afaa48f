using LakeHolo.LakeCatalog.Snapshots;

namespace LakeHolo.HotTier;

/// <summary>What is written down of a hot copy: the line of the manifest that makes it visible.</summary>
public sealed record HotCopyRecord
{
    /// <summary>Source of the table.</summary>
    public required string Source { get; init; }

    /// <summary>Schema of the table.</summary>
    public required string Schema { get; init; }

    /// <summary>Name of the table.</summary>
    public required string Name { get; init; }

    /// <summary>Where the table lives; a table of the same name elsewhere is another one.</summary>
    public required string Location { get; init; }

    /// <summary>File name of the copy's database, in the tier's folder.</summary>
    public required string File { get; init; }

    /// <summary>The snapshot that it holds.</summary>
    public required string Snapshot { get; init; }

    /// <summary>That snapshot's <see cref="LakeCatalog.Snapshots.Snapshot.Identity"/>: what the copy is compared by.</summary>
    public required string Identity { get; init; }

    /// <summary>When that was committed.</summary>
    public DateTimeOffset? CommittedAt { get; init; }

    /// <summary>When the copy was made.</summary>
    public required DateTimeOffset BuiltAt { get; init; }

    /// <summary>Rows.</summary>
    public required long Rows { get; init; }

    /// <summary>Bytes on disk.</summary>
    public required long Bytes { get; init; }

    /// <summary>Time that the build took, in milliseconds.</summary>
    public double BuildMs { get; init; }

    /// <summary>Columns with their engine types, in order; the copy serves only a table that still has them.</summary>
    public required IReadOnlyList<string> Columns { get; init; }
}

/// <summary>A hot copy that is attached to the engine. Readers hold it; when it was replaced and the last reader leaves, its file is deleted.</summary>
internal sealed class HotCopy(HotCopyRecord record, string alias, Apache.Arrow.Schema schema, DateTimeOffset knownNewestAt, Action<HotCopy> retire)
{
    private readonly Lock _gate = new();
    private int _readers;
    private bool _retired;
    private long _hits;

    public HotCopyRecord Record { get; } = record;

    /// <summary>Name of the attached database.</summary>
    public string Alias { get; } = alias;

    public Apache.Arrow.Schema Schema { get; } = schema;

    public SnapshotId Snapshot { get; } = new(record.Snapshot);

    /// <summary>When the copy was last known to be at the newest snapshot.</summary>
    public DateTimeOffset KnownNewestAt { get; set; } = knownNewestAt;

    public DateTimeOffset? LastUsedAt { get; private set; }

    public long Hits => Interlocked.Read(ref _hits);

    /// <summary>Whether the copy holds a snapshot, with the columns that it has now.</summary>
    public bool Holds(Snapshot snapshot) => snapshot.Identity == Record.Identity && HotStore.ColumnTexts(snapshot.Schema).SequenceEqual(Record.Columns);

    /// <summary>Holds the copy for a reader; null if it is on its way out.</summary>
    public IAsyncDisposable? TryHold(DateTimeOffset now)
    {
        lock (_gate)
        {
            if (_retired)
            {
                return null;
            }

            _readers++;
            LastUsedAt = now;
            Interlocked.Increment(ref _hits);
            return new Hold(this);
        }
    }

    /// <summary>The copy was replaced or demoted: its file goes with its last reader.</summary>
    public void Retire()
    {
        lock (_gate)
        {
            _retired = true;
            if (_readers > 0)
            {
                return;
            }
        }

        retire(this);
    }

    private void Release()
    {
        lock (_gate)
        {
            _readers--;
            if (!_retired || _readers > 0)
            {
                return;
            }
        }

        retire(this);
    }

    private sealed class Hold(HotCopy copy) : IAsyncDisposable
    {
        private int _released;

        public ValueTask DisposeAsync()
        {
            if (Interlocked.Exchange(ref _released, 1) == 0)
            {
                copy.Release();
            }

            return ValueTask.CompletedTask;
        }
    }
}
