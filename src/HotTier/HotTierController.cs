using System.Collections.Concurrent;
using System.Diagnostics;
using DuckDB.NET.Data;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Sources;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Scanning;
using Microsoft.Extensions.Logging;

namespace LakeHolo.HotTier;

/// <summary>Promotes, refreshes and demotes. A build reads one pinned snapshot, beside the copy that serves, and is then put in its place.</summary>
internal sealed class HotTierController(HotStore store, CatalogService catalog, LakeTableSource lake, int maxConcurrentBuilds, TimeProvider time, ILogger logger)
    : ITierController, IDisposable
{
    private readonly SemaphoreSlim _builds = new(maxConcurrentBuilds, maxConcurrentBuilds);
    private readonly ConcurrentDictionary<string, Work> _work = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, string> _errors = new(StringComparer.Ordinal);

    public async ValueTask<IReadOnlyList<TierOutcome>> PromoteAsync(IReadOnlyList<CatalogTable> tables, CancellationToken cancellationToken = default)
        => await Task.WhenAll(tables.Select(t => BuildAsync(t, "promoted", cancellationToken)));

    public async ValueTask<IReadOnlyList<TierOutcome>> RefreshAsync(IReadOnlyList<CatalogTable> tables, CancellationToken cancellationToken = default)
    {
        CatalogTable[] promoted = [.. tables.Where(t => store.Find(t.Table) is not null)];
        if (promoted.Length == 0)
        {
            throw LakeException.NotFound($"None of these tables is promoted: {string.Join(", ", tables.Select(t => t.Table.FullName))}");
        }

        return await Task.WhenAll(promoted.Select(t => BuildAsync(t, "refreshed", cancellationToken)));
    }

    public ValueTask<IReadOnlyList<TierOutcome>> DemoteAsync(IReadOnlyList<CatalogTable> tables, CancellationToken cancellationToken = default)
    {
        var outcomes = new List<TierOutcome>();
        foreach (CatalogTable table in tables)
        {
            long started = Stopwatch.GetTimestamp();
            bool removed = store.Remove(table.Table);
            _errors.TryRemove(table.Table.FullName, out _);
            if (removed || tables.Count == 1)
            {
                outcomes.Add(new TierOutcome(
                    table.Table.FullName, removed ? "demoted" : "unchanged", null, null, null, Stopwatch.GetElapsedTime(started).TotalMilliseconds,
                    removed ? null : "The table has no hot copy"));
            }
        }

        return ValueTask.FromResult<IReadOnlyList<TierOutcome>>(outcomes);
    }

    /// <summary>Brings every copy to the newest snapshot that the catalog has seen; a copy whose table is gone is dropped. A failure is noted, and the
    /// others go on.</summary>
    public async ValueTask FollowAsync(CancellationToken cancellationToken)
    {
        foreach (HotCopy copy in store.Copies)
        {
            CatalogTable? table = catalog.Tables.FirstOrDefault(t => store.Find(t.Table) == copy);
            if (table is null)
            {
                continue;
            }

            if (table.LastError is null && table.Newest is { } newest && !copy.Holds(newest))
            {
                TierOutcome outcome = await BuildAsync(table, "refreshed", cancellationToken);
                if (outcome.Error is { } error)
                {
                    Log.RefreshFailed(logger, table.Table.FullName, error);
                }
            }
            else if (table.LastError is null && table.CheckedAt is { } checkedAt && checkedAt > copy.KnownNewestAt)
            {
                copy.KnownNewestAt = checkedAt;
            }
        }
    }

    public IReadOnlyList<HotTableStatus> List()
    {
        var byName = new SortedDictionary<string, HotTableStatus>(StringComparer.OrdinalIgnoreCase);
        foreach (HotCopy copy in store.Copies)
        {
            HotCopyRecord r = copy.Record;
            string name = $"{r.Source}.{r.Schema}.{r.Name}";
            byName[name] = new HotTableStatus
            {
                Table = name,
                State = "ready",
                Snapshot = r.Snapshot,
                CommittedAt = r.CommittedAt,
                KnownNewestAt = copy.KnownNewestAt == DateTimeOffset.MinValue ? null : copy.KnownNewestAt,
                BuiltAt = r.BuiltAt,
                Rows = r.Rows,
                Bytes = r.Bytes,
                LastRefresh = "rebuild",
                LastRefreshMs = r.BuildMs,
                Hits = copy.Hits,
                LastUsedAt = copy.LastUsedAt,
                LastError = _errors.GetValueOrDefault(name),
            };
        }

        foreach ((string name, Work work) in _work)
        {
            HotTableStatus known = byName.GetValueOrDefault(name) ?? new HotTableStatus { Table = name, State = "promoting" };
            byName[name] = known with { State = known.State == "ready" ? "refreshing" : "promoting", ProgressPercent = work.Percent };
        }

        foreach ((string name, string error) in _errors.Where(e => !byName.ContainsKey(e.Key)))
        {
            byName[name] = new HotTableStatus { Table = name, State = "failed", LastError = error };
        }

        return [.. byName.Values];
    }

    public void Dispose() => _builds.Dispose();

    private async Task<TierOutcome> BuildAsync(CatalogTable table, string state, CancellationToken cancellationToken)
    {
        string name = table.Table.FullName;
        var work = new Work();
        if (!_work.TryAdd(name, work))
        {
            return new TierOutcome(name, "unchanged", null, null, null, 0, "A promotion or refresh of this table is under way");
        }

        long started = Stopwatch.GetTimestamp();
        try
        {
            await _builds.WaitAsync(cancellationToken);
            try
            {
                return await BuildCoreAsync(table, state, work, started, cancellationToken);
            }
            finally
            {
                _builds.Release();
            }
        }
        catch (LakeException e)
        {
            _errors[name] = e.Message;
            return new TierOutcome(name, "failed", null, null, null, Stopwatch.GetElapsedTime(started).TotalMilliseconds, e.Message);
        }
        finally
        {
            _work.TryRemove(name, out _);
        }
    }

    private async Task<TierOutcome> BuildCoreAsync(CatalogTable table, string state, Work work, long started, CancellationToken cancellationToken)
    {
        Snapshot snapshot = await catalog.LoadSnapshotAsync(table, SnapshotSelector.Latest, synced: false, cancellationToken);
        if (store.Find(table.Table) is { } current && current.Holds(snapshot))
        {
            current.KnownNewestAt = time.GetUtcNow();
            return Outcome(table, "unchanged", current.Record, started);
        }

        DateTimeOffset pinnedAt = time.GetUtcNow();
        HotBuild build;
        await using (TableScan scan = await lake.PlanAsync(snapshot, ScanRequest.All, cancellationToken))
        {
            build = await store.BuildAsync(snapshot, scan.Sql, c => work.Connection = c, cancellationToken);
        }

        work.Connection = null;
        HotCopy copy;
        try
        {
            copy = store.Publish(build, snapshot, pinnedAt);
        }
        catch
        {
            store.Discard(build);
            throw;
        }

        _errors.TryRemove(table.Table.FullName, out _);
        Log.Built(logger, table.Table.FullName, snapshot.Id.Text, build.Rows, build.Bytes, build.Milliseconds);
        return Outcome(table, state, copy.Record, started);
    }

    private static TierOutcome Outcome(CatalogTable table, string state, HotCopyRecord record, long started) => new(
        table.Table.FullName, state, record.Snapshot, record.Rows, record.Bytes, Stopwatch.GetElapsedTime(started).TotalMilliseconds, null);

    private sealed class Work
    {
        public DuckDBConnection? Connection { get; set; }

        public double? Percent
        {
            get
            {
                try
                {
                    return Connection?.GetQueryProgress().Percentage is double p and >= 0 ? p : null;
                }
                catch (ObjectDisposedException)
                {
                    return null;
                }
            }
        }
    }
}
