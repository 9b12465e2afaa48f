using System.Globalization;
using LakeHolo.LakeCatalog.Delta.Log;
using LakeHolo.LakeCatalog.Delta.Schema;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Delta;

/// <summary>Delta Lake's metadata: reader protocol 1 to 3.</summary>
/// <param name="locations">Where absolute paths may lead (shallow clones, absolute deletion vectors) besides the table's own store; null for nowhere.</param>
/// <param name="time">Null for the system's clock.</param>
public sealed class DeltaTableFormat(ExternalLocations? locations = null, TimeProvider? time = null) : ITableFormat
{
    private readonly ExternalLocations _locations = locations ?? ExternalLocations.None;

    /// <inheritdoc/>
    public string Name => "delta";

    /// <inheritdoc/>
    public async ValueTask<Snapshot> LoadSnapshotAsync(
        LakeTable table, SnapshotSelector at, Snapshot? known, CancellationToken cancellationToken = default)
    {
        long? target = at switch
        {
            SnapshotSelector.VersionSelector v => ParseVersion(v.Text, table),
            SnapshotSelector.TimestampSelector t => await new DeltaHistory(table, _locations).VersionAsOfAsync(t.Timestamp, cancellationToken),
            _ => null,
        };
        var loader = new DeltaSnapshotLoader(table, _locations, time);
        if (known is DeltaSnapshot snapshot && snapshot.Table.Root == table.Root
            && await loader.FollowAsync(snapshot, target, cancellationToken) is { } followed)
        {
            return followed;
        }

        return await loader.LoadAsync(target, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> HasChangedAsync(Snapshot known, CancellationToken cancellationToken = default)
    {
        var snapshot = (DeltaSnapshot)known;
        TableRoot root = snapshot.Table.Root;
        if (await root.Store.HeadAsync(root.Key("_delta_log/" + LogFileName.Commit(snapshot.Version + 1)), cancellationToken) is not null)
        {
            return true;
        }

        // The table may have been made anew under the same path.
        ObjectEntry? last = await root.Store.HeadAsync(root.Key("_delta_log/" + LogFileName.Commit(snapshot.Version)), cancellationToken);
        return last is null || last.Value.ETag != snapshot.LastCommitTag;
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<SnapshotInfo>> ListSnapshotsAsync(LakeTable table, CancellationToken cancellationToken = default) =>
        new DeltaHistory(table, _locations).ListAsync(cancellationToken);

    /// <inheritdoc/>
    public ValueTask<SnapshotDiff> DiffAsync(Snapshot from, Snapshot to, CancellationToken cancellationToken = default) =>
        new DeltaDiff((DeltaSnapshot)from, (DeltaSnapshot)to).ComputeAsync(cancellationToken);

    /// <inheritdoc/>
    public IReadOnlyList<string> VersionsBetween(Snapshot from, Snapshot to)
    {
        const int Farthest = 1000;
        var (older, newer) = (((DeltaSnapshot)from).Version, ((DeltaSnapshot)to).Version);
        return newer - older is <= 1 or > Farthest ? [] : [.. Enumerable.Range(1, (int)(newer - older - 1)).Select(i => (older + i).ToString(CultureInfo.InvariantCulture))];
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<(string Id, Apache.Arrow.Schema Schema)>> ListSchemasAsync(
        LakeTable table, CancellationToken cancellationToken = default) => new DeltaHistory(table, _locations).ListSchemasAsync(cancellationToken);

    private static long ParseVersion(string text, LakeTable table) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long version)
            ? version
            : throw LakeException.NotFound($"'{text}' is no version of a Delta table: a number is expected", table.FullName);
}
