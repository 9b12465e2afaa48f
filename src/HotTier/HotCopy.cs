using DuckDB.NET.Data;
using LakeHolo.Accelerator.Sources;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;

namespace LakeHolo.HotTier;

/// <summary>A hot copy that is attached to the engine. Readers hold it; when it was replaced and the last reader leaves, its file is deleted.</summary>
internal sealed class HotCopy(HotCopyRecord record, HotDatabase database, HotState state, DateTimeOffset knownNewestAt, Action<HotCopy> retire)
{
    private readonly Lock _gate = new();
    private volatile HotState _state = state;
    private volatile Compared? _compared;
    private int _readers;
    private bool _retired;
    private long _hits;
    private long _version;

    public HotCopyRecord Record { get; private set; } = record;

    /// <summary>Whether it answers nothing any more, since verification found it wrong.</summary>
    public bool IsQuarantined => Record.Quarantined;

    public HotDatabase Database { get; } = database;

    /// <summary>What it holds now. Between planning and start of a statement it stands still: see <see cref="Readers"/>.</summary>
    public HotState State
    {
        get => _state;
        set
        {
            _state = value;
            Interlocked.Increment(ref _version);
        }
    }

    /// <summary>How many states it had: while a statement is between planning and start it stands still, as the state does.</summary>
    public long Version => Interlocked.Read(ref _version);

    /// <summary>Where statements pass between planning and start.</summary>
    public ReaderGate Readers { get; } = new();

    /// <summary>When the copy was last known to be at the newest snapshot.</summary>
    public DateTimeOffset KnownNewestAt { get; set; } = knownNewestAt;

    /// <summary>When it was last found to hold what the lake does; null for not since it was built or opened.</summary>
    public DateTimeOffset? VerifiedAt { get; set; }

    /// <summary>When it was built, or last looked at by the background verification.</summary>
    public DateTimeOffset TriedAt { get; set; } = record.BuiltAt;

    public DateTimeOffset? LastUsedAt { get; private set; }

    public long Hits => Interlocked.Read(ref _hits);

    /// <summary>Whether the copy holds a snapshot, with the columns that it has now.</summary>
    public bool Holds(Snapshot snapshot) => Holds(_state.Stamp, snapshot);

    /// <summary>Whether it holds a snapshot when it is at a stamp. Statements ask it each time, most often of the same two.</summary>
    public bool Holds(HotStamp stamp, Snapshot snapshot)
    {
        if (_compared is { } last && ReferenceEquals(last.Stamp, stamp) && ReferenceEquals(last.Snapshot, snapshot))
        {
            return true;
        }

        if (!Holds(stamp, snapshot, Record.Promotion))
        {
            return false;
        }

        _compared = new Compared(stamp, snapshot);
        return true;
    }

    private static bool Holds(HotStamp stamp, Snapshot snapshot, PromotionSpec promotion)
    {
        if (snapshot.Identity != stamp.Identity)
        {
            return false;
        }

        IEnumerable<(string, string)> stored = stamp.Columns.Select(c => (c.Name, c.Type));
        return promotion.Columns is null ? ColumnTexts(snapshot).SequenceEqual(stored) : !stored.Except(ColumnTexts(snapshot)).Any();
    }

    /// <summary>Commits a connection's transaction while no statement is between planning and start, and makes its outcome what the copy holds.</summary>
    public async ValueTask CommitAsync(DuckDBConnection connection, Func<HotState> next, CancellationToken cancellationToken)
    {
        Action open = await Readers.CloseAsync(cancellationToken);
        try
        {
            EngineDatabase.Execute(connection, "COMMIT");
            State = next();
        }
        finally
        {
            open();
        }
    }

    /// <summary>What was built is to be the table's copy.</summary>
    public void Enter(HotCopyRecord record, DateTimeOffset knownNewestAt)
    {
        Record = record;
        _compared = null;
        TriedAt = record.BuiltAt;
        KnownNewestAt = knownNewestAt;
    }

    /// <summary>Takes it out of service.</summary>
    public void Quarantine() => Record = Record with { Quarantined = true };

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

    /// <summary>Whether two snapshots of a table have the same columns.</summary>
    public static bool SameColumns(Snapshot one, Snapshot other)
        => ColumnTexts(one).SequenceEqual(ColumnTexts(other)) && one.Schema.FieldsList.All(f => one.ColumnIdentity(f.Name) == other.ColumnIdentity(f.Name));

    private static IEnumerable<(string, string)> ColumnTexts(Snapshot snapshot) => snapshot.Schema.FieldsList.Select(f => (f.Name, SqlText.TypeOf(f)));

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

    /// <summary>A stamp and the snapshot that it is of.</summary>
    private sealed record Compared(HotStamp Stamp, Snapshot Snapshot);

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
