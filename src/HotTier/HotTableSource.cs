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
        bool latest = request.At is SnapshotSelector.LatestSelector;
        bool youngEnough = latest && request.Options.MaxStaleness > TimeSpan.Zero && now - copy.KnownNewestAt <= request.Options.MaxStaleness;
        if (!youngEnough)
        {
            Snapshot snapshot = await request.Pins.LoadAsync(request.Table, request.At, request.Options.Synced, cancellationToken);
            if (!copy.Holds(snapshot))
            {
                return Refuse(request);
            }

            if (latest)
            {
                copy.KnownNewestAt = now;
            }
        }

        return new HotVersion(request.Table.Table, copy, time, latest);
    }

    /// <summary>Lets the lake answer, unless the session insists on the hot tier.</summary>
    private static ITableVersion? Refuse(TableRequest request) => request.Options.Tier != "hot"
        ? null
        : throw LakeException.QueryInvalid(
            $"{request.Table.Table.FullName} has no hot copy that can answer this; PROMOTE TABLE {request.Table.Table.Schema}.{request.Table.Table.Name}, or SET tier = 'auto'");

    private sealed class HotVersion(LakeTable table, HotCopy copy, TimeProvider time, bool latest) : ITableVersion
    {
        public string Tier => "hot";

        public LakeTable Table => table;

        public SnapshotId Id => copy.Snapshot;

        public DateTimeOffset? CommittedAt => copy.Record.CommittedAt;

        public DateTimeOffset? KnownNewestAt => latest ? copy.KnownNewestAt : null;

        public Schema Schema => copy.Schema;

        public ValueTask<TableScan> PlanAsync(ScanRequest request, CancellationToken cancellationToken = default)
        {
            // A copy that was replaced since the statement was bound: bound anew, the statement finds the one after it.
            IAsyncDisposable hold = copy.TryHold(time.GetUtcNow())
                ?? throw new LakeException(LakeErrorKind.NotFound, $"The hot copy of {table.FullName} was replaced meanwhile", isTransient: true);
            string columns = string.Join(", ", copy.Schema.FieldsList.Select(f => SqlText.Identifier(f.Name)));
            var statistics = new ScanStatistics { FilesTotal = 1, FilesRead = 1, BytesRead = copy.Record.Bytes };
            return ValueTask.FromResult(new TableScan($"SELECT {columns} FROM {copy.Alias}.{HotStore.RowsTable}", statistics, [hold]));
        }
    }
}
