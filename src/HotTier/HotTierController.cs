using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Queries;
using LakeHolo.Accelerator.Sources;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Scanning;
using Microsoft.Extensions.Logging;

namespace LakeHolo.HotTier;

/// <summary>Promotes, refreshes and demotes. A build reads one pinned snapshot, beside the copy that serves, and is then put in its place.</summary>
internal sealed partial class HotTierController(HotStore store, CatalogService catalog, LakeTableSource lake, HotLimits limits, TimeProvider time, ILogger logger)
    : ITierController, IAsyncDisposable
{
    // Further behind, the differences of single commits are not asked for.
    private const int MostSteps = 16;

    private readonly HotFollower _follower = new(store.Engine);
    private readonly RollUpFollower _rollUps = new(store.Engine);
    private readonly HotVerifier _verifier = new(store.Engine, lake);
    private readonly HotUpkeep _upkeep = new(store, limits, logger);
    private readonly PartitionPredicate _predicate = new();
    private readonly SemaphoreSlim _builds = new(limits.MaxConcurrentBuilds, limits.MaxConcurrentBuilds);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<string, HotWork> _work = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, string> _errors = new(StringComparer.Ordinal);

    public async ValueTask<IReadOnlyList<TierOutcome>> PromoteAsync(
        IReadOnlyList<CatalogTable> tables, PromotionSpec? promotion = null, CancellationToken cancellationToken = default)
        => await Task.WhenAll(tables.Select(t => WorkAsync(t, (work, started, token) => BringAsync(t, "promoted", promotion, work, started, token), cancellationToken)));

    public async ValueTask<IReadOnlyList<TierOutcome>> RefreshAsync(IReadOnlyList<CatalogTable> tables, CancellationToken cancellationToken = default)
    {
        return await Task.WhenAll(Promoted(tables).Select(t => RefreshAsync(t, waits: false, cancellationToken)));
    }

    public async ValueTask<IReadOnlyList<TierOutcome>> VerifyAsync(IReadOnlyList<CatalogTable> tables, CancellationToken cancellationToken = default)
        => await Task.WhenAll(Promoted(tables).Select(t => WorkAsync(t, (work, started, token) => VerifyAsync(t, work, started, token), cancellationToken)));

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

    /// <summary>Brings copies to the newest snapshot that the catalog has seen. A failure is noted, and the others go on.</summary>
    /// <param name="concerned">Which tables; null for all, of which what the catalog knows decides.</param>
    /// <param name="cancellationToken">Stops.</param>
    public async ValueTask FollowAsync(Func<CatalogTable, bool>? concerned, CancellationToken cancellationToken)
    {
        await Task.WhenAll(catalog.Tables.Where(t => store.Find(t.Table) is not null && (concerned is null || Reads(t).Any(concerned))).Select(FollowAsync));

        static IReadOnlyList<CatalogTable> Reads(CatalogTable table) => (table.Newest as QuerySnapshot)?.Tables.Select(t => t.Table).ToArray() ?? [table];

        async Task FollowAsync(CatalogTable table)
        {
            if (store.Find(table.Table) is not { } copy)
            {
                return;
            }

            if (concerned is not null || (table.LastError is null && table.Newest is { } newest && (copy.IsQuarantined || !copy.Holds(newest))))
            {
                TierOutcome outcome = await RefreshAsync(table, waits: true, cancellationToken);
                if (outcome is { State: "failed", Error: { } error })
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
                State = copy.IsQuarantined ? "quarantined" : "ready",
                Part = Describe(copy.Record),
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
                VerifiedAt = copy.VerifiedAt,
                LastError = _errors.GetValueOrDefault(name),
            };
        }

        foreach (HotCopyRecord absent in store.Absent)
        {
            byName[absent.FullName] = new HotTableStatus { Table = absent.FullName, State = "absent", Part = Describe(absent) };
        }

        foreach ((string name, HotWork work) in _work)
        {
            HotTableStatus known = byName.GetValueOrDefault(name) ?? new HotTableStatus { Table = name, State = "promoting" };
            (double? percent, long? rows, long? bytes) = work.Progress();
            byName[name] = known with
            {
                State = known.State == "ready" ? "refreshing" : "promoting",
                ProgressPercent = percent,
                Rows = rows ?? known.Rows,
                ProgressFiles = work.Files,
                ProgressBytes = bytes,
            };
        }

        foreach ((string name, string error) in _errors.Where(e => !byName.ContainsKey(e.Key)))
        {
            byName[name] = new HotTableStatus { Table = name, State = "failed", LastError = error };
        }

        return [.. byName.Values];
    }

    /// <summary>Stops what is under way, and waits for it: nobody writes to the store any more.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        while (_work.Values.FirstOrDefault() is { } work)
        {
            await work.Done;
        }

        _predicate.Dispose();
        _builds.Dispose();
        _stop.Dispose();
    }

    private static string? Describe(HotCopyRecord record)
    {
        string? promotion = Describe(record.Promotion);
        return record.Query is { } query ? $"{(promotion is null ? "" : promotion + " ")}AS {query.Sql}" : promotion;
    }

    private static string? Describe(PromotionSpec promotion)
    {
        string?[] parts =
        [
            promotion.Columns is { } columns ? $"({string.Join(", ", columns)})" : null,
            promotion.Where is { } where ? $"WHERE {where}" : null,
            promotion.LastDays is { } days ? string.Create(CultureInfo.InvariantCulture, $"LAST {days} DAYS") : null,
            promotion.OrderBy.Count > 0 ? $"ORDER BY {string.Join(", ", promotion.OrderBy)}" : null,
            promotion.Lookup ? "WITH (lookup = true)" : null,
            promotion.BudgetBytes is { } budget ? string.Create(CultureInfo.InvariantCulture, $"WITH (budget = '{budget}')") : null,
        ];
        return string.Join(' ', parts.OfType<string>()) is { Length: > 0 } text ? text : null;
    }

    private CatalogTable[] Promoted(IReadOnlyList<CatalogTable> tables)
    {
        CatalogTable[] promoted = [.. tables.Where(t => t.Query is not null || store.Find(t.Table) is not null)];
        return promoted.Length > 0 ? promoted : throw LakeException.NotFound($"None of these tables is promoted: {string.Join(", ", tables.Select(t => t.Table.FullName))}");
    }

    private Task<TierOutcome> RefreshAsync(CatalogTable table, bool waits, CancellationToken cancellationToken)
        => WorkAsync(table, (work, started, token) => BringAsync(table, "refreshed", null, work, started, token), cancellationToken, waits);

    // One thing at a time is done to a table's copy. Who follows waits: what is under way may have begun before the commit that it was told of.
    private async Task<TierOutcome> WorkAsync(
        CatalogTable table, Func<HotWork, long, CancellationToken, Task<TierOutcome>> act, CancellationToken cancellationToken, bool waits = false)
    {
        string name = table.Table.FullName;
        var work = new HotWork();
        while (!_work.TryAdd(name, work))
        {
            if (waits)
            {
                await (_work.TryGetValue(name, out HotWork? other) ? other.Done : Task.CompletedTask).WaitAsync(cancellationToken);
                continue;
            }

            return new TierOutcome(name, "unchanged", null, null, null, 0, "A promotion or refresh of this table is under way");
        }

        long started = Stopwatch.GetTimestamp();
        try
        {
            using var ends = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stop.Token);
            await _builds.WaitAsync(ends.Token);
            try
            {
                return await act(work, started, ends.Token);
            }
            finally
            {
                _builds.Release();
            }
        }
        catch (LakeException e)
        {
            _errors[name] = e.Message;
            return new TierOutcome(name, "failed", null, null, null, Stopwatch.GetElapsedTime(started).TotalMilliseconds, e.Message, e.Kind);
        }
        finally
        {
            _work.TryRemove(name, out _);
            work.Finish();
        }
    }

    private async Task<TierOutcome> BringAsync(
        CatalogTable table, string state, PromotionSpec? promotion, HotWork work, long started, CancellationToken cancellationToken)
    {
        DateTimeOffset askedAt = time.GetUtcNow();
        Snapshot snapshot = await catalog.LoadSnapshotAsync(table, SnapshotSelector.Latest, synced: false, cancellationToken);
        string how = "promotion";
        HotCopy? current = store.Find(table.Table);
        if (current is { IsQuarantined: true })
        {
            how = "rebuild: the copy was quarantined";
        }
        else if (current is not null && (promotion is null || Same(promotion, current.Record.Promotion)))
        {
            if (current.Holds(snapshot))
            {
                current.KnownNewestAt = askedAt;
                return Outcome(table, "unchanged", current, started);
            }

            string? why;
            try
            {
                why = snapshot is QuerySnapshot query
                    ? await FollowAsync(table, current, query, cancellationToken)
                    : await FollowAsync(table, current, snapshot, cancellationToken);
            }
            catch (LakeException)
            {
                store.QuarantineIfRefused(current);
                throw;
            }

            if (why is null)
            {
                current.KnownNewestAt = askedAt;
                _errors.TryRemove(table.Table.FullName, out _);
                return Outcome(table, state, await _upkeep.AfterRefreshAsync(snapshot, current, cancellationToken), started);
            }

            how = "rebuild: " + why;
        }

        promotion ??= current?.Record.Promotion ?? PromotionSpec.Whole;
        return Outcome(table, state, await RebuildAsync(table, snapshot, promotion, how, work, askedAt, cancellationToken), started);
    }

    private static bool Same(PromotionSpec one, PromotionSpec other) => Describe(one) == Describe(other) && one.MaxStaleness == other.MaxStaleness;

    private async Task<TierOutcome> VerifyAsync(CatalogTable table, HotWork work, long started, CancellationToken cancellationToken)
    {
        HotCopy copy = store.Find(table.Table) ?? throw LakeException.NotFound($"{table.Table.FullName} is not promoted");
        Snapshot held;
        try
        {
            held = copy.State.Snapshot ?? await HeldAsync(table, copy, cancellationToken);
        }
        catch (CannotFollowException e)
        {
            throw LakeException.NotFound($"The copy cannot be verified: {e.Message}", table.Table.FullName);
        }

        IReadOnlyList<string> differing = await _verifier.DifferencesAsync(copy, held, cancellationToken);
        if (differing.Count == 0)
        {
            copy.VerifiedAt = time.GetUtcNow();
            return Outcome(table, "verified", copy, started);
        }

        const int Named = 10;
        string units = string.Join("; ", differing.Take(Named));
        store.Quarantine(copy);
        Log.Differs(logger, table.Table.FullName, copy.State.Stamp.Snapshot, differing.Count, units);
        string how = string.Create(CultureInfo.InvariantCulture, $"rebuild: verification found {differing.Count} units that differ ({units})");
        DateTimeOffset askedAt = time.GetUtcNow();
        Snapshot newest = await catalog.LoadSnapshotAsync(table, SnapshotSelector.Latest, synced: false, cancellationToken);
        copy = await RebuildAsync(table, newest, copy.Record.Promotion, how, work, askedAt, cancellationToken);
        return Outcome(table, "differed", copy, started) with { Error = how };
    }

    /// <summary>Follows the table's log; null if that brought the copy to the snapshot, else why it has to be built anew.</summary>
    private async Task<string?> FollowAsync(CatalogTable table, HotCopy copy, Snapshot to, CancellationToken cancellationToken)
    {
        try
        {
            IUnitReader reader = lake.UnitReader(table.Table) ?? throw new CannotFollowException("the format does not tell where rows come from");
            Func<DataFileInfo, bool>? covers = _predicate.Of(copy.Record.Promotion, to, Today);
            Snapshot from = copy.State.Snapshot ?? await HeldAsync(table, copy, cancellationToken);
            foreach ((Snapshot step, SnapshotDiff diff) in await StepsAsync(table, from, to, cancellationToken))
            {
                RefreshReport report = await _follower.ApplyAsync(copy, reader, from, step, diff, covers, cancellationToken);
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

    // Commit by commit, a compaction among them costs nothing. New files alone are as cheap at once.
    private static async ValueTask<IReadOnlyList<(Snapshot Step, SnapshotDiff Diff)>> StepsAsync(CatalogTable table, Snapshot from, Snapshot to, CancellationToken cancellationToken)
    {
        SnapshotDiff whole = await CatalogService.DiffAsync(table, from, to, cancellationToken);
        IReadOnlyList<Snapshot> between = whole.Removed.Count == 0 ? [] : await CatalogService.LoadBetweenAsync(table, from, to, MostSteps, cancellationToken);
        if (between.Count == 0)
        {
            return [(to, whole)];
        }

        var steps = new List<(Snapshot, SnapshotDiff)>();
        foreach (Snapshot step in between.Append(to))
        {
            steps.Add((step, await CatalogService.DiffAsync(table, from, step, cancellationToken)));
            from = step;
        }

        return steps;
    }

    private static async ValueTask<Snapshot> HeldAsync(CatalogTable table, HotCopy copy, CancellationToken cancellationToken)
    {
        Snapshot? held = await CatalogService.TryLoadVersionAsync(table, copy.State.Stamp.Snapshot, cancellationToken);
        return held is not null && copy.Holds(held) ? held : throw new CannotFollowException($"snapshot {copy.State.Stamp.Snapshot}, which the copy holds, is no longer there");
    }

    private async Task<HotCopy> RebuildAsync(
        CatalogTable table, Snapshot snapshot, PromotionSpec promotion, string how, HotWork work, DateTimeOffset askedAt, CancellationToken cancellationToken)
    {
        IUnitReader? reader = lake.UnitReader(table.Table);
        UnitKind? units = reader?.UnitsOf(snapshot);
        UnitSelection? part = null;
        if (_predicate.Of(promotion, snapshot, Today) is { } covers)
        {
            part = units is null
                ? throw LakeException.FeatureUnsupported("Partitions of this table cannot be promoted alone: its rows come together in a way that no file can be read alone", table.Table.FullName)
                : new UnitSelection(snapshot.EnumerateFiles().Where(covers).Select(f => reader!.UnitOf(snapshot, f)).ToHashSet(StringComparer.Ordinal));
        }

        if (snapshot is QuerySnapshot query)
        {
            return await RebuildAsync(table, query, promotion, how, work, askedAt, cancellationToken);
        }

        string[] columns = [.. ColumnPlan.Initial(snapshot, promotion).Select(c => c.Name)];
        _upkeep.MakeRoom(table.Table, part is null ? snapshot.SizeBytes : snapshot.EnumerateFiles().Where(f => part.Has(reader!.UnitOf(snapshot, f))).Sum(f => f.SizeBytes));
        IReadOnlyList<UnitSelection?> parts = units is null || promotion.OrderBy.Count > 0 ? [part] : Parts(snapshot, reader!, part);
        HotBuild build = await store.BuildAsync(
            snapshot, parts, (some, token) => lake.PlanAsync(snapshot, new ScanRequest { Columns = columns, WithOrigin = units is not null, Units = some }, token), units, promotion, how, work,
            cancellationToken);
        return Publish(table, build, how, askedAt);
    }

    // What is copied together while others are still to come.
    private IReadOnlyList<UnitSelection?> Parts(Snapshot snapshot, IUnitReader reader, UnitSelection? part)
    {
        if (snapshot.SizeBytes <= limits.PartBytes)
        {
            return [part];
        }

        var parts = new List<UnitSelection?>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        long bytes = 0;
        foreach (IGrouping<string, DataFileInfo> unit in snapshot.EnumerateFiles().GroupBy(f => reader.UnitOf(snapshot, f), StringComparer.Ordinal).Where(u => part?.Has(u.Key) != false))
        {
            names.Add(unit.Key);
            bytes += unit.Sum(f => f.SizeBytes);
            if (bytes >= limits.PartBytes)
            {
                parts.Add(new UnitSelection(names));
                (names, bytes) = (new HashSet<string>(StringComparer.Ordinal), 0);
            }
        }

        if (names.Count > 0 || parts.Count == 0)
        {
            parts.Add(new UnitSelection(names));
        }

        return parts;
    }

    private HotCopy Publish(CatalogTable table, HotBuild build, string how, DateTimeOffset askedAt)
    {
        HotCopy copy;
        try
        {
            copy = store.Publish(build, table.Query, time.GetUtcNow(), askedAt);
        }
        catch
        {
            store.Discard(build);
            throw;
        }

        _errors.TryRemove(table.Table.FullName, out _);
        Log.Built(logger, table.Table.FullName, copy.State.Stamp.Snapshot, how, copy.State.Stamp.Rows, store.BytesOf(copy), build.Milliseconds);
        return copy;
    }

    private TierOutcome Outcome(CatalogTable table, string state, HotCopy copy, long started) => new(
        table.Table.FullName, state, copy.State.Stamp.Snapshot, copy.State.Stamp.Rows, store.BytesOf(copy), Stopwatch.GetElapsedTime(started).TotalMilliseconds, null);

    private DateOnly Today => DateOnly.FromDateTime(time.GetUtcNow().UtcDateTime);
}
