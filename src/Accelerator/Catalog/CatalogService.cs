using System.Collections.Concurrent;
using System.Collections.Frozen;
using LakeHolo.Accelerator.Queries;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Discovery;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Accelerator.Catalog;

/// <summary>One run of a source's sync.</summary>
public sealed record SyncRun(
    string Source, DateTimeOffset StartedAt, double DurationMs, int Tables, int Added, int Removed, int Changed, IReadOnlyList<string> Faults);

/// <summary>All tables of all sources. Queries read an immutable model; syncs swap it whole and never block them.</summary>
public sealed class CatalogService
{
    private const int ConcurrentChecks = 16;
    private const int KeptRuns = 500;

    private static readonly string[] KnownLayers = ["ods", "dwd", "dws", "ads", "dim"];

    private readonly FrozenDictionary<string, ITableFormat> _formats;
    private readonly IReadOnlyList<LayerRule> _layers;
    private readonly TimeProvider _time;
    private readonly ConcurrentQueue<SyncRun> _runs = new();
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _syncGates = new();
    private readonly ConcurrentDictionary<string, SyncProgress> _running = new();
    private volatile IReadOnlyList<CatalogTable> _tables = [];

    /// <summary>Creates an empty catalog; <see cref="SyncAsync"/> fills it.</summary>
    public CatalogService(IReadOnlyList<LakeSource> sources, IEnumerable<ITableFormat> formats, IReadOnlyList<LayerRule> layers, TimeProvider time)
    {
        Sources = sources;
        _formats = formats.ToFrozenDictionary(f => f.Name, StringComparer.Ordinal);
        _layers = layers;
        _time = time;
    }

    /// <summary>The sources.</summary>
    public IReadOnlyList<LakeSource> Sources { get; }

    /// <summary>The tables, by source and name.</summary>
    public IReadOnlyList<CatalogTable> Tables => _tables;

    /// <summary>The last sync runs, oldest first.</summary>
    public IReadOnlyCollection<SyncRun> Runs => _runs;

    /// <summary>The syncs under way.</summary>
    public IReadOnlyCollection<SyncProgress> RunningSyncs => [.. _running.Values];

    /// <summary>The current time, from the catalog's clock.</summary>
    public DateTimeOffset Now => _time.GetUtcNow();

    /// <summary>Finds new and vanished tables of a source and new snapshots of the known ones. An unchanged table costs what
    /// <see cref="ITableFormat.HasChangedAsync"/> does. A table that fails is reported in its own row.</summary>
    public async ValueTask<SyncRun> SyncAsync(LakeSource source, CancellationToken cancellationToken = default)
    {
        SemaphoreSlim gate = _syncGates.GetOrAdd(source.Name, _ => new SemaphoreSlim(1, 1));
        await gate.WaitAsync(cancellationToken);
        try
        {
            var progress = new SyncProgress(source.Name, Now);
            _running[source.Name] = progress;
            return await SyncCoreAsync(source, progress, cancellationToken);
        }
        finally
        {
            _running.TryRemove(source.Name, out _);
            gate.Release();
        }
    }

    /// <summary>A snapshot of a table.</summary>
    /// <param name="table">The table.</param>
    /// <param name="at">Which.</param>
    /// <param name="synced">Take the newest that the last sync saw, without asking storage.</param>
    /// <param name="cancellationToken">Observed in storage reads.</param>
    public async ValueTask<Snapshot> LoadSnapshotAsync(CatalogTable table, SnapshotSelector at, bool synced, CancellationToken cancellationToken)
    {
        bool latest = at is SnapshotSelector.LatestSelector;
        if (latest && synced && table.Newest is { } known)
        {
            return known;
        }

        try
        {
            Snapshot snapshot = await LoadAsync(table, at, synced, cancellationToken);
            if (latest)
            {
                table.Learn(snapshot, Now);
            }

            return snapshot;
        }
        catch (LakeException e) when (latest)
        {
            table.Fail(e.Message, Now);
            throw;
        }
    }

    /// <summary>The difference between two snapshots of a table.</summary>
    public static ValueTask<SnapshotDiff> DiffAsync(CatalogTable table, Snapshot from, Snapshot to, CancellationToken cancellationToken)
        => table.Format.DiffAsync(from, to, cancellationToken);

    /// <summary>An older version of a table; null if it cannot be read any more.</summary>
    public static async ValueTask<Snapshot?> TryLoadVersionAsync(CatalogTable table, string version, CancellationToken cancellationToken)
    {
        try
        {
            return await LoadAsync(table, SnapshotSelector.Version(version), synced: false, cancellationToken);
        }
        catch (LakeException e) when (e.Kind != LakeErrorKind.StorageUnavailable)
        {
            return null;
        }
    }

    private static ValueTask<Snapshot> LoadAsync(CatalogTable table, SnapshotSelector at, bool synced, CancellationToken cancellationToken) => table.Format is QueryTables queries
        ? queries.LoadAsync(table, at, synced, cancellationToken)
        : table.Format.LoadSnapshotAsync(table.Table, at, table.Newest, cancellationToken);

    /// <summary>The snapshots between two of a table, oldest first; empty where there are too many or they cannot be had any more.</summary>
    public static async ValueTask<IReadOnlyList<Snapshot>> LoadBetweenAsync(CatalogTable table, Snapshot from, Snapshot to, int most, CancellationToken cancellationToken)
    {
        IReadOnlyList<string> versions = table.Format.VersionsBetween(from, to);
        var snapshots = new List<Snapshot>();
        if (versions.Count > most)
        {
            return snapshots;
        }

        try
        {
            Snapshot known = from;
            foreach (string version in versions)
            {
                known = await table.Format.LoadSnapshotAsync(table.Table, SnapshotSelector.Version(version), known, cancellationToken);
                snapshots.Add(known);
            }
        }
        catch (LakeException)
        {
            return [];
        }

        return snapshots;
    }

    /// <summary>Finds a table by name, without regard to case. Missing parts are filled from the defaults; a name without a schema is also taken when
    /// only one table has it.</summary>
    /// <exception cref="LakeException">NotFound or QueryInvalid (ambiguous), naming candidates.</exception>
    public CatalogTable Resolve(string catalog, string schema, string name, string? defaultCatalog, string? defaultSchema, Func<CatalogTable, bool>? visible = null)
    {
        static bool Same(string a, string b) => string.Equals(a, b, StringComparison.OrdinalIgnoreCase);
        CatalogTable[] named = [.. _tables.Where(t => Same(t.Table.Name, name) && visible?.Invoke(t) != false)];
        CatalogTable[] hits = [.. named.Where(t => (schema.Length == 0 || Same(t.Table.Schema, schema)) && (catalog.Length == 0 || Same(t.Table.Source, catalog)))];
        if (hits.Length > 1 && schema.Length == 0 && defaultSchema is not null)
        {
            hits = Narrow(hits, t => Same(t.Table.Schema, defaultSchema));
        }

        if (hits.Length > 1 && catalog.Length == 0 && defaultCatalog is not null)
        {
            hits = Narrow(hits, t => Same(t.Table.Source, defaultCatalog));
        }

        string display = string.Join('.', new[] { catalog, schema, name }.Where(p => p.Length > 0));
        return hits.Length switch
        {
            1 => hits[0],
            0 => throw LakeException.NotFound($"There is no table {display}{Suggest(name, named, visible)}"),
            _ => throw LakeException.QueryInvalid($"{display} is ambiguous: {string.Join(", ", hits.Select(h => h.Table.FullName))}"),
        };
    }

    /// <summary>Enters a promoted query, in the place of one of the same name.</summary>
    public void Enter(CatalogTable query)
    {
        lock (_syncGates)
        {
            _tables = Ordered(_tables.Where(t => !IsNamed(t, query)).Append(query));
        }
    }

    /// <summary>Takes a promoted query out.</summary>
    public void Leave(CatalogTable query)
    {
        lock (_syncGates)
        {
            _tables = [.. _tables.Where(t => t != query)];
        }
    }

    private static bool IsNamed(CatalogTable table, CatalogTable query) => table.Query is not null && table.Table.FullName.Equals(query.Table.FullName, StringComparison.OrdinalIgnoreCase);

    private static CatalogTable[] Narrow(CatalogTable[] hits, Func<CatalogTable, bool> condition)
    {
        CatalogTable[] narrowed = [.. hits.Where(condition)];
        return narrowed.Length == 0 ? hits : narrowed;
    }

    private string Suggest(string name, CatalogTable[] named, Func<CatalogTable, bool>? visible)
    {
        IEnumerable<CatalogTable> near = named.Length > 0
            ? named
            : _tables.Where(t => NameDistance.Between(t.Table.Name, name) <= Math.Max(1, name.Length / 4) && visible?.Invoke(t) != false);
        string[] names = [.. near.Select(t => $"{t.Table.Schema}.{t.Table.Name}").Take(3)];
        return names.Length > 0 ? $"; did you mean {string.Join(" or ", names)}?" : "; SELECT * FROM lakeholo.tables lists them";
    }

    private async ValueTask<SyncRun> SyncCoreAsync(LakeSource source, SyncProgress progress, CancellationToken cancellationToken)
    {
        CatalogTable[] before = [.. _tables.Where(t => t.Table.Source == source.Name && t.Query is null)];
        CrawlResult crawl = await LakeCrawler.CrawlAsync(
            source.Root, before.ToDictionary(t => t.Table.Root.Prefix, t => new KnownTable(t.Table.Format, t.Table.Schema, t.Table.Name, t.Note)), progress.FolderVisited, cancellationToken);
        Dictionary<(string, string, string), CatalogTable> known = before.ToDictionary(t => (t.Table.Root.Prefix, t.Table.Format, t.Table.Name));
        var after = new List<CatalogTable>();
        foreach (TableSighting sighting in crawl.Tables.Where(t => _formats.ContainsKey(t.Format)))
        {
            after.Add(known.GetValueOrDefault((sighting.Root.Prefix, sighting.Format, sighting.Name)) ?? Enter(source, sighting));
        }

        progress.Found(after.Count);
        int changed = 0;
        var gone = new ConcurrentBag<CatalogTable>();
        var options = new ParallelOptions { MaxDegreeOfParallelism = ConcurrentChecks, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(after, options, async (table, token) =>
        {
            switch (await CheckAsync(table, token))
            {
                case CheckOutcome.Changed:
                    Interlocked.Increment(ref changed);
                    break;
                case CheckOutcome.Gone:
                    gone.Add(table);
                    break;
                default:
                    break;
            }

            progress.TableChecked();
        });
        after.RemoveAll(t => gone.Contains(t));
        Swap(source, after);
        await CheckQueriesAsync(source, cancellationToken);
        var run = new SyncRun(
            source.Name, progress.StartedAt, progress.Elapsed.TotalMilliseconds, after.Count,
            after.Except(before).Count(), before.Except(after).Count(), changed, [
                .. crawl.Faults.Select(f => $"{f.Location}: {f.Error}"),
                .. crawl.Tables.Where(t => !_formats.ContainsKey(t.Format)).Select(t => $"{t.Root.Location}: tables of format {t.Format} are not read; known are {string.Join(", ", _formats.Keys.Order())}"),
            ]);
        _runs.Enqueue(run);
        while (_runs.Count > KeptRuns)
        {
            _runs.TryDequeue(out _);
        }

        return run;
    }

    private CatalogTable Enter(LakeSource source, TableSighting sighting)
    {
        var table = new LakeTable(source.Name, sighting.Schema, sighting.Name, sighting.Format, sighting.Root);
        return new CatalogTable(table, LayerOf(sighting.Schema), sighting.Note, _formats[sighting.Format]);
    }

    private string? LayerOf(string schema)
    {
        string? byRule = _layers.FirstOrDefault(r => NamePattern.Matches(r.SchemaPattern, schema))?.Layer;
        return byRule ?? KnownLayers.FirstOrDefault(l => schema.Equals(l, StringComparison.OrdinalIgnoreCase)
            || schema.StartsWith(l + "_", StringComparison.OrdinalIgnoreCase));
    }

    private async ValueTask<CheckOutcome> CheckAsync(CatalogTable table, CancellationToken cancellationToken)
    {
        try
        {
            if (table.Newest is { } known && table.LastError is null && !await table.Format.HasChangedAsync(known, cancellationToken))
            {
                table.Learn(known, Now);
                return CheckOutcome.Unchanged;
            }

            Snapshot? before = table.Newest;
            Snapshot newest = await table.Format.LoadSnapshotAsync(table.Table, SnapshotSelector.Latest, before, cancellationToken);
            table.Learn(newest, Now);
            return before is null || before.Identity != newest.Identity ? CheckOutcome.Changed : CheckOutcome.Unchanged;
        }
        catch (LakeException e)
        {
            bool wasThere = table.Newest is not null;
            table.Fail(e.Message, Now);
            return wasThere && e.Kind == LakeErrorKind.NotFound ? CheckOutcome.Gone : CheckOutcome.Unchanged;
        }
    }

    private void Swap(LakeSource source, List<CatalogTable> tables)
    {
        lock (_syncGates)
        {
            _tables = Ordered(_tables.Where(t => t.Table.Source != source.Name || t.Query is not null).Concat(tables));
        }
    }

    private static CatalogTable[] Ordered(IEnumerable<CatalogTable> tables) => [.. tables.OrderBy(t => t.Table.FullName, StringComparer.OrdinalIgnoreCase)];

    // What is newest of a query is what its tables' last syncs saw.
    private async ValueTask CheckQueriesAsync(LakeSource source, CancellationToken cancellationToken)
    {
        foreach (CatalogTable table in _tables.Where(t => t.Query is { } query && query.Tables.Any(r => r.Source == source.Name)))
        {
            try
            {
                table.Learn(await ((QueryTables)table.Format).ComposeAsync(table, t => ValueTask.FromResult(t.Table.Newest is { } newest && t.Table.LastError is null
                    ? newest
                    : throw LakeException.NotFound($"{t.Table.Table.FullName} cannot be read: {t.Table.LastError}")), cancellationToken), Now);
            }
            catch (LakeException e)
            {
                table.Fail(e.Message, Now);
            }
        }
    }

    private enum CheckOutcome
    {
        Unchanged,
        Changed,
        Gone,
    }
}
