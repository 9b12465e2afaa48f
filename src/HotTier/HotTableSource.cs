using System.Globalization;
using Apache.Arrow;
using LakeHolo.Accelerator.Sources;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.HotTier;

/// <summary>Serves a reference from a hot copy: when the copy is at the newest snapshot, or young enough for what the session accepts. What the copy does not
/// hold of the table comes from the lake, at the same snapshot.</summary>
internal sealed class HotTableSource(HotStore store, LakeTableSource lake, TimeProvider time) : ITableSource
{
    public async ValueTask<ITableVersion?> TryResolveAsync(TableRequest request, CancellationToken cancellationToken = default)
    {
        if (request.Options.Tier == "lake" || request.View is not null)
        {
            return Refuse(request);
        }

        if (store.Find(request.Table.Table) is { IsQuarantined: false } copy && await ResolveAsync(request, copy, cancellationToken) is { } version)
        {
            return version;
        }

        // What was copied already of one that is being built, and the rest from the lake.
        return request.Options.Tier != "hot" && store.FindBuilding(request.Table.Table) is { } building
            ? await ResolveAsync(request, building, cancellationToken)
            : Refuse(request);
    }

    private async ValueTask<ITableVersion?> ResolveAsync(TableRequest request, HotCopy copy, CancellationToken cancellationToken)
    {
        DateTimeOffset now = time.GetUtcNow();
        HotState state = copy.State;
        bool latest = request.At is SnapshotSelector.LatestSelector;
        PromotionSpec promotion = copy.Record.Promotion;
        TimeSpan staleness = request.Options.MaxStaleness > promotion.MaxStaleness ? request.Options.MaxStaleness : promotion.MaxStaleness;
        bool isPart = promotion.IsPartOfRows || promotion.Columns is not null || state.IsPart;
        bool youngEnough = latest && staleness > TimeSpan.Zero && now - copy.KnownNewestAt <= staleness && !(isPart && state.Snapshot is null);
        Snapshot? snapshot = state.Snapshot;
        if (!youngEnough)
        {
            snapshot = await request.Pins.LoadAsync(request.Table, request.At, request.Options.Synced, cancellationToken);
            state = copy.State;
            if (!copy.Holds(state.Stamp, snapshot))
            {
                return null;
            }

            if (latest)
            {
                copy.KnownNewestAt = now;
            }
        }

        isPart = promotion.IsPartOfRows || promotion.Columns is not null || state.IsPart;
        return new HotVersion(this, request, copy, state, isPart ? snapshot : null, latest);
    }

    /// <summary>Lets the lake answer, unless the session insists on the hot tier.</summary>
    private static ITableVersion? Refuse(TableRequest request) => request.Options.Tier != "hot"
        ? null
        : throw LakeException.QueryInvalid(
            $"{request.Table.Table.FullName} has no hot copy that can answer this; PROMOTE TABLE {request.Table.Table.Schema}.{request.Table.Table.Name}, or SET tier = 'auto'");

    /// <param name="source">Reads the rest from the lake.</param>
    /// <param name="request">The reference.</param>
    /// <param name="copy">The copy.</param>
    /// <param name="state">What it holds.</param>
    /// <param name="snapshot">Of a copy of a part of the table: its snapshot.</param>
    /// <param name="latest">Whether the newest snapshot was asked for.</param>
    private sealed class HotVersion(HotTableSource source, TableRequest request, HotCopy copy, HotState state, Snapshot? snapshot, bool latest) : ITableVersion
    {
        public string Tier { get; private set; } = "hot";

        public LakeTable Table => request.Table.Table;

        public SnapshotId Id { get; } = new(state.Stamp.Snapshot);

        public DateTimeOffset? CommittedAt => state.Stamp.CommittedAt;

        public DateTimeOffset? KnownNewestAt => latest ? copy.KnownNewestAt : null;

        public Schema Schema => snapshot?.Schema ?? state.Schema;

        public bool IsHeldWhole => snapshot is null;

        public IReadOnlyList<string> IndexedColumns => copy.Record.Promotion.Lookup && request.Table.Newest is { } newest
            ? [.. HotFollower.KeysOf(state.Stamp.Columns, newest).Select(c => c.Name)]
            : [];

        public async ValueTask<TableScan> PlanAsync(ScanRequest scan, CancellationToken cancellationToken = default)
        {
            IReadOnlyList<string> columns = scan.Columns ?? [.. Schema.FieldsList.Select(f => f.Name)];
            if (snapshot is not null && !columns.All(c => state.Stamp.Columns.Any(s => s.Name == c)))
            {
                Tier = Insisted("some columns that it needs were not promoted") ?? "lake";
                return await source.PlanLakeAsync(snapshot, scan, cancellationToken);
            }

            if (snapshot is null || !(copy.Record.Promotion.IsPartOfRows || state.IsPart))
            {
                return await PlanCopyAsync(columns, isWhole: true, cancellationToken);
            }

            // The lake's part first: it may take long, and nobody commits to the copy once a statement stands between planning and start.
            var rest = new UnitSelection(state.Units.Names.ToHashSet(StringComparer.Ordinal), Except: true);
            TableScan lake = await source.PlanLakeAsync(snapshot, scan with { Columns = columns, Units = rest }, cancellationToken);
            bool isNeeded = lake.Statistics is not { FilesRead: 0, FilesCounted: 0 };
            try
            {
                if (isNeeded)
                {
                    Tier = Insisted("some partitions that it needs were not promoted") ?? "partly hot";
                }

                TableScan hot = await PlanCopyAsync(columns, isWhole: false, cancellationToken);
                if (!isNeeded)
                {
                    await lake.DisposeAsync();
                    return hot;
                }

                string names = string.Join(", ", columns.Select(SqlText.Identifier));
                return new TableScan($"{hot.Sql} UNION ALL SELECT {names} FROM ({lake.Sql})", lake.Statistics, [hot, lake]) { Started = hot.Started };
            }
            catch
            {
                await lake.DisposeAsync();
                throw;
            }
        }

        /// <summary>The copy's rows: all, or those of the units that it held when the statement was bound.</summary>
        private async ValueTask<TableScan> PlanCopyAsync(IReadOnlyList<string> columns, bool isWhole, CancellationToken cancellationToken)
        {
            // A copy that was replaced or refreshed since the statement was bound: bound anew, the statement finds what is there now.
            IAsyncDisposable hold = copy.TryHold(source.Now) ?? throw Replaced();
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
            HotState now = copy.State;
            if (copy.IsQuarantined || !now.Extends(state))
            {
                await lease.DisposeAsync();
                throw Replaced();
            }

            // Units that a build has added since are the lake's part still; numbers of units only grow.
            string sql = copy.Database.Select(now.Stamp, columns);
            if (!isWhole && now.Stamp.NextUnit > state.Stamp.NextUnit)
            {
                sql += string.Create(CultureInfo.InvariantCulture, $" WHERE {HotDatabase.RowsTable}.u < {state.Stamp.NextUnit}");
            }

            var statistics = new ScanStatistics { FilesTotal = 1, FilesRead = 1, BytesRead = now.Stamp.FreshBytes };
            return new TableScan(sql, statistics, [lease]) { Started = leave, Version = copy.Version };
        }

        private string? Insisted(string why) => request.Options.Tier != "hot"
            ? null
            : throw LakeException.QueryInvalid($"The hot copy of {Table.FullName} cannot answer this alone: {why}; SET tier = 'auto'");

        private LakeException Replaced() => new(LakeErrorKind.NotFound, $"The hot copy of {Table.FullName} was replaced meanwhile", isTransient: true);
    }

    private DateTimeOffset Now => time.GetUtcNow();

    private ValueTask<TableScan> PlanLakeAsync(Snapshot snapshot, ScanRequest request, CancellationToken cancellationToken) => lake.PlanAsync(snapshot, request, cancellationToken);

    private sealed class Lease(IAsyncDisposable hold, Action leave) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            leave();
            return hold.DisposeAsync();
        }
    }
}
