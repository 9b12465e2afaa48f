using DuckDB.NET.Data;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Sources;
using LakeHolo.HotTier;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;
using Microsoft.Extensions.Logging.Abstractions;

namespace LakeHolo.Golden.Tests.HotCopies;

/// <summary>A hot copy of one table that follows it.</summary>
internal sealed class FollowingCopy : IAsyncDisposable
{
    private readonly EngineDatabase _engine;
    private readonly ITableReader _reader;
    private readonly CatalogService _catalog;
    private readonly CatalogTable _table;
    private readonly HotStore _store;
    private readonly HotTierController _tier;

    public FollowingCopy(EngineDatabase engine, ITableFormat format, ITableReader reader, LakeTable table, string directory)
    {
        _engine = engine;
        _reader = reader;
        _catalog = new CatalogService([], [format], [], TimeProvider.System);
        _table = new CatalogTable(table, null, null, format);
        _store = new HotStore(directory, engine);
        _tier = new HotTierController(_store, _catalog, new LakeTableSource([reader], engine, TimeProvider.System), new HotLimits(1, long.MaxValue), TimeProvider.System, NullLogger.Instance);
    }

    public HotStore Store => _store;

    public HotCopy Copy => _store.Find(_table.Table)!;

    /// <summary>Brings the copy to the newest snapshot; it is promoted first if it is not yet.</summary>
    /// <returns>How that was done, and the rows that it cost.</returns>
    public async Task<string> RefreshAsync()
    {
        RefreshReport? before = _store.Find(_table.Table)?.State.Stamp.LastRefresh;
        TierOutcome outcome = (await _tier.PromoteAsync([_table])).Single();
        if (outcome.Error is not null)
        {
            return "failed: " + outcome.Error;
        }

        RefreshReport report = Copy.State.Stamp.LastRefresh!;
        return ReferenceEquals(report, before) ? "unchanged" : $"{report.How} -{report.RowsDeleted} +{report.RowsInserted}";
    }

    /// <summary>Compares the copy with the lake.</summary>
    public async Task<TierOutcome> VerifyAsync() => (await _tier.VerifyAsync([_table])).Single();

    /// <summary>The copy's rows.</summary>
    public string Relation => Copy.Database.Select(Copy.State.Stamp);

    /// <summary>Null if copy and lake hold the same rows, else what differs.</summary>
    public async Task<string?> DifferenceToLakeAsync()
    {
        Snapshot snapshot = await _catalog.LoadSnapshotAsync(_table, SnapshotSelector.Latest, synced: false, default);
        await using TableScan lake = await _reader.PlanAsync(snapshot, ScanRequest.All);
        using DuckDBConnection connection = _engine.OpenConnection();

        // By value: the engine's storage does not keep the sign of a zero.
        long Rows(string sql) => (long)HotDatabase.Scalar(connection, $"SELECT count(*) FROM ({sql})")!;
        long extra = Rows($"({Relation}) EXCEPT ALL ({lake.Sql})");
        long lost = Rows($"({lake.Sql}) EXCEPT ALL ({Relation})");
        return extra + lost == 0 ? null : $"the copy has {extra} rows too many and lacks {lost}";
    }

    public async ValueTask DisposeAsync()
    {
        await _tier.DisposeAsync();
        _store.Dispose();
    }
}
