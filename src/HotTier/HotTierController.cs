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
    // Further behind, the differences of single commits are not asked for.
    private const int MostSteps = 16;

    private readonly HotFollower _follower = new(store.Engine);
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
            HotStamp stamp = copy.State.Stamp;
            string name = copy.Record.FullName;
            byName[name] = new HotTableStatus
            {
                Table = name,
                State = "ready",
                Snapshot = stamp.Snapshot,
                CommittedAt = stamp.CommittedAt,
                KnownNewestAt = copy.KnownNewestAt == DateTimeOffset.MinValue ? null : copy.KnownNewestAt,
                BuiltAt = copy.Record.BuiltAt,
                Rows = stamp.Rows,
                Bytes = store.BytesOf(copy),
                LastRefresh = stamp.LastRefresh?.How,
                LastRefreshMs = stamp.LastRefresh?.Milliseconds,
                LastRefreshRows = stamp.LastRefresh is { } last ? last.RowsDeleted + last.RowsInserted : null,
                Hits = copy.Hits,
                LastUsedAt = copy.LastUsedAt,
                LastError = _errors.GetValueOrDefault(name),
            };
        }

        foreach ((string name, Work work) in _work)
        {
            HotTableStatus known = byName.GetValueOrDefault(name) ?? new HotTableStatus { Table = name, State = "promoting" };
            byName[name] = known with { State = known.State == "ready" ? "refreshing" : "promoting", ProgressPercent = work.Percent, Rows = work.Rows ?? known.Rows };
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
        DateTimeOffset askedAt = time.GetUtcNow();
        Snapshot snapshot = await catalog.LoadSnapshotAsync(table, SnapshotSelector.Latest, synced: false, cancellationToken);
        string? why = null;
        if (store.Find(table.Table) is { } current)
        {
            if (current.Holds(snapshot))
            {
                current.KnownNewestAt = askedAt;
                return Outcome(table, "unchanged", current, started);
            }

            why = await FollowAsync(table, current, snapshot, cancellationToken);
            if (why is null)
            {
                current.KnownNewestAt = askedAt;
                _errors.TryRemove(table.Table.FullName, out _);
                return Outcome(table, state, current, started);
            }
        }

        HotCopy copy = await RebuildAsync(table, snapshot, why is null ? "promotion" : "rebuild: " + why, work, askedAt, cancellationToken);
        return Outcome(table, state, copy, started);
    }

    /// <summary>Follows the table's log; null if that brought the copy to the snapshot, else why it has to be built anew.</summary>
    private async Task<string?> FollowAsync(CatalogTable table, HotCopy copy, Snapshot to, CancellationToken cancellationToken)
    {
        try
        {
            IUnitReader reader = lake.UnitReader(table.Table) ?? throw new CannotFollowException("the format does not tell where rows come from");
            Snapshot from = copy.State.Snapshot ?? await HeldAsync(table, copy, cancellationToken);
            SnapshotDiff whole = await CatalogService.DiffAsync(table, from, to, cancellationToken);

            // Commit by commit, a compaction among them costs nothing. New files alone are as cheap at once.
            IReadOnlyList<Snapshot> between = whole.Removed.Count == 0 ? [] : await CatalogService.LoadBetweenAsync(table, from, to, MostSteps, cancellationToken);
            foreach (Snapshot step in between.Append(to))
            {
                SnapshotDiff diff = between.Count == 0 ? whole : await CatalogService.DiffAsync(table, from, step, cancellationToken);
                RefreshReport report = await _follower.ApplyAsync(copy, reader, from, step, diff, cancellationToken);
                Log.Followed(logger, table.Table.FullName, step.Id.Text, report.How, report.RowsDeleted, report.RowsInserted, report.Milliseconds);
                from = step;
            }

            return null;
        }
        catch (CannotFollowException e)
        {
            return e.Message;
        }
        catch (LakeException e) when (e.Kind is LakeErrorKind.NotFound or LakeErrorKind.FormatInvalid or LakeErrorKind.FeatureUnsupported)
        {
            // Files of a step in between may be gone, or unreadable as they were; the newest snapshot decides whether the table is.
            return e.Message;
        }
    }

    private static async ValueTask<Snapshot> HeldAsync(CatalogTable table, HotCopy copy, CancellationToken cancellationToken)
    {
        Snapshot? held = await CatalogService.TryLoadVersionAsync(table, copy.State.Stamp.Snapshot, cancellationToken);
        return held is not null && copy.Holds(held) ? held : throw new CannotFollowException($"snapshot {copy.State.Stamp.Snapshot}, which the copy holds, is no longer there");
    }

    private async Task<HotCopy> RebuildAsync(CatalogTable table, Snapshot snapshot, string how, Work work, DateTimeOffset askedAt, CancellationToken cancellationToken)
    {
        UnitKind? units = lake.UnitReader(table.Table)?.UnitsOf(snapshot);
        HotBuild build;
        await using (TableScan scan = await lake.PlanAsync(snapshot, new ScanRequest { WithOrigin = units is not null }, cancellationToken))
        {
            build = await store.BuildAsync(snapshot, scan, units, how, c => work.Connection = c, cancellationToken);
        }

        work.Connection = null;
        HotCopy copy;
        try
        {
            copy = store.Publish(build, table.Table, Promotion.Whole, time.GetUtcNow(), askedAt);
        }
        catch
        {
            store.Discard(build);
            throw;
        }

        _errors.TryRemove(table.Table.FullName, out _);
        Log.Built(logger, table.Table.FullName, snapshot.Id.Text, how, build.State.Stamp.Rows, store.BytesOf(copy), build.Milliseconds);
        return copy;
    }

    private TierOutcome Outcome(CatalogTable table, string state, HotCopy copy, long started) => new(
        table.Table.FullName, state, copy.State.Stamp.Snapshot, copy.State.Stamp.Rows, store.BytesOf(copy), Stopwatch.GetElapsedTime(started).TotalMilliseconds, null);

    private sealed class Work
    {
        public DuckDBConnection? Connection { get; set; }

        /// <summary>Rows that the engine has worked through.</summary>
        public long? Rows
        {
            get
            {
                try
                {
                    return Connection?.GetQueryProgress() is { Percentage: >= 0 } p ? (long)p.RowsProcessed : null;
                }
                catch (ObjectDisposedException)
                {
                    return null;
                }
            }
        }

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
