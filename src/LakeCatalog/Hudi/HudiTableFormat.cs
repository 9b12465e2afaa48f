using System.Globalization;
using Apache.Arrow;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Hudi.Timeline;
using LakeHolo.LakeCatalog.Snapshots;

namespace LakeHolo.LakeCatalog.Hudi;

/// <summary>Apache Hudi tables of versions 6, 8 and 9. See README.md beside this file for what is read and what is refused.</summary>
/// <param name="time">Null for the system's clock.</param>
public sealed class HudiTableFormat(TimeProvider? time = null) : ITableFormat
{
    /// <inheritdoc/>
    public string Name => "hudi";

    /// <inheritdoc/>
    public async ValueTask<Snapshot> LoadSnapshotAsync(
        LakeTable table, SnapshotSelector at, Snapshot? known, CancellationToken cancellationToken = default)
        => await new HudiSnapshotLoader(table, time).LoadAsync(at, known as HudiSnapshot, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<bool> HasChangedAsync(Snapshot known, CancellationToken cancellationToken = default)
    {
        var snapshot = (HudiSnapshot)known;
        HudiTimeline timeline = await HudiSnapshotLoader.ListTimelineAsync(snapshot.Table.Root, snapshot.Properties, cancellationToken);
        return timeline.Signature != snapshot.Timeline.Signature;
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<SnapshotInfo>> ListSnapshotsAsync(LakeTable table, CancellationToken cancellationToken = default)
    {
        HudiSnapshot latest = await new HudiSnapshotLoader(table).LoadAsync(SnapshotSelector.Latest, null, cancellationToken);
        return
        [
            .. latest.Timeline.Commits.Reverse().Select(i =>
            {
                CommitMetadata commit = latest.Commits.GetValueOrDefault(i.Time) ?? CommitMetadata.Empty;
                return new SnapshotInfo(
                    new SnapshotId(i.Time),
                    Instant.MomentOf(i.CompletionTime ?? i.Time),
                    commit.Operation.Length > 0 ? commit.Operation : i.Action.ToUpperInvariant(),
                    null,
                    string.Create(CultureInfo.InvariantCulture, $$"""{"action":"{{i.Action}}","files":{{commit.Writes.Count}},"rows":{{commit.Writes.Sum(w => w.RowCount)}},"replaced":{{commit.Replaced.Count}}}"""));
            }),
        ];
    }

    /// <inheritdoc/>
    public ValueTask<SnapshotDiff> DiffAsync(Snapshot from, Snapshot to, CancellationToken cancellationToken = default)
    {
        var (older, newer) = ((HudiSnapshot)from, (HudiSnapshot)to);
        if (string.CompareOrdinal(older.Instant, newer.Instant) > 0)
        {
            return ValueTask.FromResult(new SnapshotDiff { From = from.Id, To = to.Id, NotFollowable = "the table was restored to an earlier instant" });
        }

        // A log file of version 6 may grow under its name; its size tells.
        FileSlice[] slicesBefore = [.. older.SlicesNotSharedWith(newer)];
        FileSlice[] slicesAfter = [.. newer.SlicesNotSharedWith(older)];
        var before = older.FilesOf(slicesBefore).ToDictionary(f => (f.Path, f.SizeBytes));
        var after = newer.FilesOf(slicesAfter).ToDictionary(f => (f.Path, f.SizeBytes));
        DataFileInfo[] added = [.. after.Where(f => !before.ContainsKey(f.Key)).Select(f => f.Value)];
        DataFileInfo[] removed = [.. before.Where(f => !after.ContainsKey(f.Key)).Select(f => f.Value)];

        // A block of a commit that was under way may have been in a log file of version 6 already: the file's size does not tell, the commit does.
        CommitMetadata[] commits = [.. newer.Commits.Where(c => newer.Holds(c.Key) && !older.Holds(c.Key)).Select(c => c.Value)];
        var written = commits.SelectMany(c => c.Writes).Select(w => (w.Partition, w.FileId)).ToHashSet();
        var seen = added.Select(f => f.Path).ToHashSet(StringComparer.Ordinal);
        DataFileInfo[] changed = newer.Slices is SliceList { HasLogs: false } ? [] : [.. newer.EnumerateFiles().Where(f => f.Kind == "log" && !seen.Contains(f.Path) && written.Contains((f.Path[..Math.Max(0, f.Path.LastIndexOf('/'))], f.Group!)))];
        var touched = added.Concat(removed).Concat(changed).Select(f => f.Group).ToHashSet(StringComparer.Ordinal);
        // A rewritten row's column _hoodie_file_name changes even where its data do not.
        return ValueTask.FromResult(new SnapshotDiff
        {
            From = from.Id,
            To = to.Id,
            Added = added,
            Removed = removed,
            PositionsRemoved = changed,
            RowsUnchanged = added.Length + removed.Length + changed.Length == 0 || (!newer.Properties.PopulatesMetaFields && SeesEverythingSince(older, newer) && commits.Length > 0 && commits.All(c => c.KeepsRows)),
            MergedByKey = slicesBefore.Concat(slicesAfter).Concat(changed.Length == 0 ? [] : newer.Slices).Any(s => s.Logs.Count > 0 && touched.Contains(s.FileId)),
            SchemaChanged = !SameSchema(from.Schema, to.Schema),
        });
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> VersionsBetween(Snapshot from, Snapshot to)
    {
        var (older, newer) = ((HudiSnapshot)from, (HudiSnapshot)to);
        return [.. newer.Timeline.Commits.Select(i => i.Time).Where(t => string.CompareOrdinal(t, older.Instant) > 0 && string.CompareOrdinal(t, newer.Instant) < 0)];
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<(string Id, Schema Schema)>> ListSchemasAsync(LakeTable table, CancellationToken cancellationToken = default)
    {
        HudiSnapshot latest = await new HudiSnapshotLoader(table).LoadAsync(SnapshotSelector.Latest, null, cancellationToken);
        var schemas = new List<(string, Schema)>();
        string? previous = null;
        foreach ((string instant, CommitMetadata commit) in latest.Commits.OrderBy(c => c.Key, StringComparer.Ordinal))
        {
            if (commit.TellsSchema && commit.Schema != previous)
            {
                previous = commit.Schema;
                schemas.Add((instant, HudiSchema.ToArrow(HudiSchema.Parse(commit.Schema!, table.Root.Location), latest.Properties.PopulatesMetaFields)));
            }
        }

        return schemas;
    }

    // Whether no commit since was archived, and none of before was rolled back.
    private static bool SeesEverythingSince(HudiSnapshot older, HudiSnapshot newer)
    {
        string first = newer.Timeline.Commits.FirstOrDefault()?.Time ?? newer.Instant;
        return string.CompareOrdinal(first, older.Instant) <= 0
            && older.Commits.Keys.All(c => string.CompareOrdinal(c, first) < 0 || newer.Holds(c));
    }

    private static bool SameSchema(Schema one, Schema other) => one.FieldsList.Count == other.FieldsList.Count
        && one.FieldsList.Zip(other.FieldsList).All(p => p.First.Name == p.Second.Name && TypeText(p.First.DataType) == TypeText(p.Second.DataType));

    private static string TypeText(Apache.Arrow.Types.IArrowType type) => type switch
    {
        Apache.Arrow.Types.NestedType nested => type.Name + "<" + string.Join(",", nested.Fields.Select(f => f.Name + ":" + TypeText(f.DataType))) + ">",
        Apache.Arrow.Types.Decimal128Type d => string.Create(CultureInfo.InvariantCulture, $"decimal({d.Precision},{d.Scale})"),
        Apache.Arrow.Types.TimestampType t => "timestamp " + t.Timezone,
        _ => type.Name,
    };
}
