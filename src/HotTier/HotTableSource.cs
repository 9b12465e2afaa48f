using Apache.Arrow;
using LakeHolo.Accelerator.Sources;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.HotTier;

/// <summary>Serves a reference from a hot copy: when the copy is at the newest snapshot, or young enough for what the session accepts.</summary>
internal sealed class HotTableSource(HotStore store, TimeProvider time) : ITableSource
{
    public async ValueTask<ITableVersion?> TryResolveAsync(TableRequest request, CancellationToken cancellationToken = default)
    {
        if (request.Options.Tier == "lake" || request.View is not null || store.Find(request.Table.Table) is not { } copy)
        {
            return Refuse(request);
        }

        DateTimeOffset now = time.GetUtcNow();
        HotState state = copy.State;
        bool latest = request.At is SnapshotSelector.LatestSelector;
        bool youngEnough = latest && request.Options.MaxStaleness > TimeSpan.Zero && now - copy.KnownNewestAt <= request.Options.MaxStaleness;
        if (!youngEnough)
        {
            Snapshot snapshot = await request.Pins.LoadAsync(request.Table, request.At, request.Options.Synced, cancellationToken);
            state = copy.State;
            if (!HotCopy.Holds(state.Stamp, snapshot))
            {
                return Refuse(request);
            }

            if (latest)
            {
                copy.KnownNewestAt = now;
            }
        }

        return new HotVersion(request.Table.Table, copy, state, time, latest);
    }

    /// <summary>Lets the lake answer, unless the session insists on the hot tier.</summary>
    private static ITableVersion? Refuse(TableRequest request) => request.Options.Tier != "hot"
        ? null
        : throw LakeException.QueryInvalid(
            $"{request.Table.Table.FullName} has no hot copy that can answer this; PROMOTE TABLE {request.Table.Table.Schema}.{request.Table.Table.Name}, or SET tier = 'auto'");

    private sealed class HotVersion(LakeTable table, HotCopy copy, HotState state, TimeProvider time, bool latest) : ITableVersion
    {
        public string Tier => "hot";

        public LakeTable Table => table;

        public SnapshotId Id { get; } = new(state.Stamp.Snapshot);

        public DateTimeOffset? CommittedAt => state.Stamp.CommittedAt;

        public DateTimeOffset? KnownNewestAt => latest ? copy.KnownNewestAt : null;

        public Schema Schema => state.Schema;

        public async ValueTask<TableScan> PlanAsync(ScanRequest request, CancellationToken cancellationToken = default)
        {
            // A copy that was replaced or refreshed since the statement was bound: bound anew, the statement finds what is there now.
            IAsyncDisposable hold = copy.TryHold(time.GetUtcNow()) ?? throw Replaced();
            Action leave;
            try
            {
                leave = await copy.Readers.EnterAsync(cancellationToken);
            }
            catch
            {
                await hold.DisposeAsync();
                throw;
            }

            var lease = new Lease(hold, leave);
            if (copy.State != state)
            {
                await lease.DisposeAsync();
                throw Replaced();
            }

            var statistics = new ScanStatistics { FilesTotal = 1, FilesRead = 1, BytesRead = state.Stamp.FreshBytes };
            return new TableScan(copy.Database.Select(state.Stamp), statistics, [lease]) { Started = leave };
        }

        private LakeException Replaced() => new(LakeErrorKind.NotFound, $"The hot copy of {table.FullName} was replaced meanwhile", isTransient: true);
    }

    private sealed class Lease(IAsyncDisposable hold, Action leave) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            leave();
            return hold.DisposeAsync();
        }
    }
}
