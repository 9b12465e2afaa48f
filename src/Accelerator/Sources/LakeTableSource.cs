using System.Collections.Frozen;
using Apache.Arrow;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Accelerator.Sources;

/// <summary>Serves every table from the lake itself.</summary>
public sealed class LakeTableSource(IEnumerable<ITableReader> readers, TimeProvider time) : ITableSource
{
    private readonly FrozenDictionary<string, ITableReader> _readers = readers.ToFrozenDictionary(r => r.Format, StringComparer.Ordinal);

    /// <inheritdoc/>
    public async ValueTask<ITableVersion?> TryResolveAsync(TableRequest request, CancellationToken cancellationToken = default)
    {
        Snapshot snapshot = await request.Pins.LoadAsync(request.Table, request.At, request.Options.Synced, cancellationToken);
        bool latest = request.At is SnapshotSelector.LatestSelector;
        return new LakeVersion(Reader(request.Table.Table.Format), snapshot, request.View, latest ? request.Table.CheckedAt ?? time.GetUtcNow() : null);
    }

    /// <summary>The relation of a snapshot, for a hot copy.</summary>
    public ValueTask<TableScan> PlanAsync(Snapshot snapshot, ScanRequest request, CancellationToken cancellationToken = default)
        => Reader(snapshot.Table.Format).PlanAsync(snapshot, request, cancellationToken);

    private ITableReader Reader(string format) => _readers.GetValueOrDefault(format)
        ?? throw LakeException.FeatureUnsupported($"Tables of format {format} cannot be read yet");

    private sealed class LakeVersion(ITableReader reader, Snapshot snapshot, string? view, DateTimeOffset? knownNewestAt) : ITableVersion
    {
        public string Tier => "lake";

        public LakeTable Table => snapshot.Table;

        public SnapshotId Id => snapshot.Id;

        public DateTimeOffset? CommittedAt => snapshot.CommittedAt;

        public DateTimeOffset? KnownNewestAt => knownNewestAt;

        public Schema Schema => snapshot.Schema;

        public ValueTask<TableScan> PlanAsync(ScanRequest request, CancellationToken cancellationToken = default)
            => reader.PlanAsync(snapshot, request with { View = view }, cancellationToken);
    }
}
