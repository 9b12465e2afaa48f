using System.Collections.Frozen;
using Apache.Arrow;
using DuckDB.NET.Data;
using LakeHolo.Accelerator.Queries;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Accelerator.Sources;

/// <summary>Serves every table from the lake itself.</summary>
public sealed class LakeTableSource(IEnumerable<ITableReader> readers, EngineDatabase engine, TimeProvider time) : ITableSource
{
    private readonly FrozenDictionary<string, ITableReader> _readers = readers.ToFrozenDictionary(r => r.Format, StringComparer.Ordinal);

    /// <inheritdoc/>
    public async ValueTask<ITableVersion?> TryResolveAsync(TableRequest request, CancellationToken cancellationToken = default)
    {
        Snapshot snapshot = await request.Pins.LoadAsync(request.Table, request.At, request.Options.Synced, cancellationToken);
        bool latest = request.At is SnapshotSelector.LatestSelector;
        return new LakeVersion(Reader(snapshot), snapshot, request.View, latest ? request.Table.CheckedAt ?? time.GetUtcNow() : null);
    }

    /// <inheritdoc/>
    public async ValueTask<ITableVersion?> TryResolveChangesAsync(TableRequest request, string from, string to, CancellationToken cancellationToken = default)
    {
        Snapshot snapshot = await request.Pins.LoadAsync(request.Table, request.At, request.Options.Synced, cancellationToken);
        ITableReader reader = Reader(snapshot);
        await using TableScan scan = await reader.PlanChangesAsync(snapshot, from, to, cancellationToken);
        using DuckDBConnection connection = engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT * FROM ({scan.Sql}) LIMIT 0";
        using Apache.Arrow.Ipc.IArrowArrayStream stream = command.ExecuteArrowStream();
        return new ChangesVersion(reader, snapshot, stream.Schema, from, to);
    }

    /// <summary>The relation of a snapshot, for a hot copy.</summary>
    public ValueTask<TableScan> PlanAsync(Snapshot snapshot, ScanRequest request, CancellationToken cancellationToken = default)
        => Reader(snapshot).PlanAsync(snapshot, request, cancellationToken);

    /// <summary>The reader of a table, if it tells where rows come from; else null.</summary>
    public IUnitReader? UnitReader(LakeTable table) => _readers.GetValueOrDefault(table.Format) as IUnitReader;

    private ITableReader Reader(Snapshot snapshot) => (snapshot as QuerySnapshot)?.Reader ?? _readers.GetValueOrDefault(snapshot.Table.Format)
        ?? throw LakeException.FeatureUnsupported($"Tables of format {snapshot.Table.Format} cannot be read yet");

    private sealed class LakeVersion(ITableReader reader, Snapshot snapshot, string? view, DateTimeOffset? knownNewestAt) : ITableVersion
    {
        public string Tier => "lake";

        public LakeTable Table => snapshot.Table;

        public SnapshotId Id => snapshot.Id;

        public DateTimeOffset? CommittedAt => snapshot.CommittedAt;

        public DateTimeOffset? KnownNewestAt => knownNewestAt;

        public Schema Schema { get; } = reader.SchemaOf(snapshot, view);

        public ValueTask<TableScan> PlanAsync(ScanRequest request, CancellationToken cancellationToken = default)
            => reader.PlanAsync(snapshot, request with { View = view }, cancellationToken);

        public SnapshotFacts? Facts(IReadOnlyCollection<string> columns) => view is null ? reader.FactsOf(snapshot, columns) : null;
    }

    private sealed class ChangesVersion(ITableReader reader, Snapshot snapshot, Schema schema, string from, string to) : ITableVersion
    {
        public string Tier => "lake";

        public LakeTable Table => snapshot.Table;

        public SnapshotId Id => snapshot.Id;

        public DateTimeOffset? CommittedAt => snapshot.CommittedAt;

        public DateTimeOffset? KnownNewestAt => null;

        public Schema Schema => schema;

        public ValueTask<TableScan> PlanAsync(ScanRequest request, CancellationToken cancellationToken = default)
            => reader.PlanChangesAsync(snapshot, from, to, cancellationToken);
    }
}
