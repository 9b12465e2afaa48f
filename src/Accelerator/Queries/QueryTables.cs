using System.Globalization;
using Apache.Arrow;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Planning;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.Accelerator.Sources;
using LakeHolo.Accelerator.Sql;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Accelerator.Queries;

/// <summary>Promoted queries as tables: their snapshots are those of the tables that they read, their rows what their text gives.</summary>
/// <remarks>Reading one runs its text; hot copies of it are kept by the hot tier as those of any table.</remarks>
public sealed class QueryTables : ITableFormat, ITableReader
{
    internal static readonly SessionIdentity Internal = new("lakeholo", string.Empty, "promoted query");

    private readonly StatementPlanner _planner;
    private readonly CatalogService _catalog;

    internal QueryTables(StatementPlanner planner, CatalogService catalog)
    {
        _planner = planner;
        _catalog = catalog;
    }

    /// <inheritdoc/>
    public string Name => PromotedQuery.Format;

    /// <inheritdoc/>
    public string Format => PromotedQuery.Format;

    /// <summary>The table that stands for a query in the catalog.</summary>
    public CatalogTable TableOf(PromotedQuery query)
    {
        LakeSource source = _catalog.Sources.FirstOrDefault(s => s.Name == query.Source) ?? throw LakeException.NotFound($"There is no source {query.Source}");
        var table = new LakeTable(query.Source, query.Schema, query.Name, PromotedQuery.Format, source.Root with { Prefix = $"query {query.Schema}.{query.Name}/" });
        return new CatalogTable(table, null, "promoted query: " + query.Sql, this) { Query = query };
    }

    /// <summary>The tables that a query reads, in its order.</summary>
    /// <exception cref="LakeException">NotFound: one is gone.</exception>
    public IReadOnlyList<CatalogTable> Read(PromotedQuery query) => [.. query.Tables.Select(t => _catalog.Resolve(t.Source, t.Schema, t.Name, null, null))];

    /// <inheritdoc/>
    public async ValueTask<Snapshot> LoadSnapshotAsync(LakeTable table, SnapshotSelector at, Snapshot? known, CancellationToken cancellationToken = default)
    {
        CatalogTable query = _catalog.Tables.FirstOrDefault(t => t.Table == table) ?? throw LakeException.NotFound($"There is no promoted query {table.FullName}");
        return await LoadAsync(query, at, synced: false, cancellationToken);
    }

    /// <summary>The snapshot of a query that need not be in the catalog.</summary>
    public ValueTask<Snapshot> LoadAsync(CatalogTable query, SnapshotSelector at, bool synced, CancellationToken cancellationToken)
    {
        IReadOnlyList<SnapshotSelector> selectors = Selectors(query.Query!, at);
        return ComposeAsync(query, t => _catalog.LoadSnapshotAsync(t.Table, selectors[t.Number], synced, cancellationToken), cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<bool> HasChangedAsync(Snapshot known, CancellationToken cancellationToken = default) => ValueTask.FromResult(true);

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<SnapshotInfo>> ListSnapshotsAsync(LakeTable table, CancellationToken cancellationToken = default)
    {
        Snapshot newest = await LoadSnapshotAsync(table, SnapshotSelector.Latest, null, cancellationToken);
        return [new SnapshotInfo(newest.Id, newest.CommittedAt, "QUERY", null, null)];
    }

    /// <inheritdoc/>
    public ValueTask<SnapshotDiff> DiffAsync(Snapshot from, Snapshot to, CancellationToken cancellationToken = default)
        => ValueTask.FromResult(new SnapshotDiff { From = from.Id, To = to.Id, NotFollowable = "the query is run anew" });

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<(string Id, Schema Schema)>> ListSchemasAsync(LakeTable table, CancellationToken cancellationToken = default)
        => ValueTask.FromResult<IReadOnlyList<(string, Schema)>>([]);

    /// <inheritdoc/>
    public async ValueTask<TableScan> PlanAsync(Snapshot snapshot, ScanRequest request, CancellationToken cancellationToken = default)
    {
        var query = (QuerySnapshot)snapshot;
        IEnumerable<Field> columns = query.Schema.FieldsList.Where(f => request.Columns?.Contains(f.Name) != false);

        // The engine's own types may be others than those that clients see, such as of sums.
        string list = string.Join(", ", columns.Select(f => $"CAST({SqlText.Identifier(f.Name)} AS {SqlText.TypeOf(f)}) AS {SqlText.Identifier(f.Name)}"));
        return await PlanAsync(query, query.Query.Sql, sql => $"SELECT {list} FROM ({sql})", null, cancellationToken);
    }

    /// <summary>Takes a query apart that can be kept current by what is added and taken away.</summary>
    /// <returns>Its parts, or why it cannot.</returns>
    public async ValueTask<(RollUp? RollUp, string? Why)> RollUpAsync(QuerySnapshot query, CancellationToken cancellationToken)
    {
        if (query.Tables.Count != 1)
        {
            return (null, "it is not over one table");
        }

        (SyntaxTree.RollUpParts? parts, string? why, string? arguments, string? state) = _planner.TakeApart(query.Query.Sql, query.Tables[0].Snapshot.Schema);
        if (parts is null)
        {
            return (null, why);
        }

        try
        {
            string[] types = arguments is null ? [] : [.. (await BindAsync(query.Query, arguments, query.Tables, "lake", cancellationToken)).ResultSchema.FieldsList.Select(SqlText.TypeOf)];
            await BindAsync(query.Query, state!, query.Tables, "lake", cancellationToken);
            RollUpColumn[] columns = [.. parts.Columns.Select(c => new RollUpColumn(c.Kind, c.Number, c.Kind is RollUpKind.Key or RollUpKind.Rows ? null : types[c.Number]))];
            return columns.Any(c => (c.Kind == RollUpKind.Sum && !RollUp.IsExact(c.ArgumentType!)) || (c.Kind == RollUpKind.Average && RollUp.AverageOf(c.ArgumentType!) is null))
                ? (null, "sums of such numbers depend on the order in which they are added")
                : (new RollUp(columns, state!), null);
        }
        catch (LakeException e) when (e.Kind == LakeErrorKind.QueryInvalid)
        {
            return (null, "its parts do not stand alone: " + e.Message);
        }
    }

    /// <summary>Plans the states of a roll-up's groups.</summary>
    /// <param name="query">The snapshot of its table.</param>
    /// <param name="rollUp">Its parts.</param>
    /// <param name="units">Of which units; null for all.</param>
    /// <param name="cancellationToken">Cancels.</param>
    public ValueTask<TableScan> PlanStatesAsync(QuerySnapshot query, RollUp rollUp, UnitSelection? units, CancellationToken cancellationToken)
        => PlanAsync(query, rollUp.Sql, sql => sql, units, cancellationToken);

    private async ValueTask<TableScan> PlanAsync(QuerySnapshot query, string sql, Func<string, string> wrap, UnitSelection? units, CancellationToken cancellationToken)
    {
        BoundStatement bound = await BindAsync(query.Query, sql, query.Tables, units is null ? query.Tier : "lake", cancellationToken);
        PlannedStatement plan = await _planner.PlanAsync(bound, [], cancellationToken, units);
        ScanStatistics none = new() { FilesTotal = 0, FilesRead = 0, BytesRead = 0 };
        return new TableScan(wrap(plan.Sql), plan.Scans.Aggregate(none, (sum, scan) => sum.Plus(scan.Scan.Statistics)), [plan]) { Started = plan.Started };
    }

    /// <summary>A query at given snapshots of its tables.</summary>
    /// <param name="table">The query's table.</param>
    /// <param name="load">Gives the snapshot of each of its tables.</param>
    /// <param name="cancellationToken">Cancels.</param>
    internal async ValueTask<Snapshot> ComposeAsync(CatalogTable table, Func<(CatalogTable Table, int Number), ValueTask<Snapshot>> load, CancellationToken cancellationToken)
    {
        var tables = new List<(CatalogTable, Snapshot)>();
        foreach (CatalogTable read in Read(table.Query!))
        {
            tables.Add((read, await load((read, tables.Count))));
        }

        if (table.Newest is QuerySnapshot known && known.Query == table.Query && QuerySnapshot.IdentityOf(known.Query, tables) == known.Identity)
        {
            return known;
        }

        BoundStatement bound = await BindAsync(table.Query!, table.Query!.Sql, tables, "lake", cancellationToken);
        return new QuerySnapshot
        {
            Table = table.Table,
            Id = QuerySnapshot.IdOf(tables),
            CommittedAt = tables.Max(t => t.Item2.CommittedAt),
            Schema = bound.ResultSchema,
            PartitionColumns = [],
            Query = table.Query,
            Tables = tables,
            Reader = this,
        };
    }

    private async ValueTask<BoundStatement> BindAsync(
        PromotedQuery query, string sql, IReadOnlyList<(CatalogTable Table, Snapshot Snapshot)> tables, string tier, CancellationToken cancellationToken)
    {
        var session = new QuerySession("promoted query", Internal);
        session.Options["tier"] = tier;
        if (query.DefaultCatalog is { } catalog)
        {
            session.Options["catalog"] = catalog;
        }

        if (query.DefaultSchema is { } schema)
        {
            session.Options["schema"] = schema;
        }

        var pins = new StatementPins(_catalog);
        foreach ((CatalogTable table, Snapshot snapshot) in tables)
        {
            pins.Pin(table, snapshot);
        }

        return await _planner.BindAsync(session, sql, null, cancellationToken, pins);
    }

    // The version of a query names one of each table; any other selector holds for all of them.
    private static SnapshotSelector[] Selectors(PromotedQuery query, SnapshotSelector at)
    {
        if (at is not SnapshotSelector.VersionSelector { Text: var text })
        {
            return [.. query.Tables.Select(_ => at)];
        }

        string[] parts = text.Split(", ");
        return parts.Length == query.Tables.Count && parts.Zip(query.Tables).All(p => p.First.StartsWith(p.Second.Name + "@", StringComparison.OrdinalIgnoreCase))
            ? [.. parts.Zip(query.Tables).Select(p => SnapshotSelector.Version(p.First[(p.Second.Name.Length + 1)..]))]
            : throw LakeException.NotFound(string.Create(
                CultureInfo.InvariantCulture, $"A version of {query.Schema}.{query.Name} names one of each table: {string.Join(", ", query.Tables.Select(t => t.Name + "@version"))}"));
    }
}
