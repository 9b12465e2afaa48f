using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Hudi.Metadata;
using LakeHolo.LakeCatalog.Hudi.Timeline;
using LakeHolo.LakeCatalog.Snapshots;

namespace LakeHolo.LakeCatalog.Hudi;

/// <summary>A table's timeline, commits and files as they were read at one moment. Snapshots of any of its instants are made from it without I/O.</summary>
internal sealed class HudiTableState
{
    public required LakeTable Table { get; init; }

    public required HudiProperties Properties { get; init; }

    public required HudiTimeline Timeline { get; init; }

    /// <summary>Completed commits by instant, up to the newest one that was asked for.</summary>
    public required IReadOnlyDictionary<string, CommitMetadata> Commits { get; init; }

    public required IReadOnlyList<(string Partition, string FileId, string Instant)> Plans { get; init; }

    public required Dictionary<(string Partition, string FileId), List<HudiFile>> Groups { get; init; }

    public required IReadOnlyDictionary<string, string> ArchivedCompletions { get; init; }

    public required CleanedFiles CleanedFiles { get; init; }

    public required (byte[] Json, string Path)? SchemaHistory { get; init; }

    public required FileSchema? FileSchema { get; init; }

    public required MetadataTable? MetadataTable { get; init; }

    public required HudiMetadataCache Cache { get; init; }

    /// <summary>The only partitions whose files are in <see cref="Groups"/>; null where those of all are.</summary>
    public IReadOnlySet<string>? Partitions { get; init; }

    /// <summary>A snapshot with the slices of all other partitions; null without, or where none can be shared.</summary>
    public HudiSnapshot? Older { get; init; }

    private bool IsLayout2 => Properties.TimelineLayout == 2;

    /// <summary>The snapshot up to an instant, without some instants before it.</summary>
    /// <param name="until">The greatest instant it holds.</param>
    /// <param name="excluded">Instants before it that were pending.</param>
    /// <param name="groups">The file groups it is limited to; null for all.</param>
    public HudiSnapshot SnapshotAt(string until, IReadOnlySet<string> excluded, IReadOnlySet<(string Partition, string FileId)>? groups = null)
    {
        var commits = Commits.Where(c => string.CompareOrdinal(c.Key, until) <= 0 && !excluded.Contains(c.Key)).ToDictionary(StringComparer.Ordinal);
        IReadOnlyDictionary<string, CommitMetadata> ofFiles = Partitions is null ? commits : commits.ToDictionary(c => c.Key, c => c.Value with { Writes = WriteStatList.Of(c.Value.Writes.In(Partitions)) }, StringComparer.Ordinal);
        var view = new TimelineView(Timeline, until, excluded, ofFiles, Plans, ArchivedCompletions);
        (List<FileSlice> slices, List<FileSlice> bases) = Choose(view, groups);
        RecordedFiles.Check(ofFiles, view, Groups, slices, IsLayout2, Table.Root.Location, groups);
        CleanedFiles.Check(view, until, Groups, slices, IsLayout2, Table.Root.Location, groups);
        IReadOnlyList<HudiColumn> columns = ReadSchema(commits);
        SliceList live = ListOf(slices, Older?.Slices);
        return new HudiSnapshot
        {
            Table = Table,
            Id = HudiVersionText.IdOf(until, excluded),
            CommittedAt = Instant.MomentOf(Timeline.FindCommit(until)?.CompletionTime ?? until),
            Schema = HudiSchema.ToArrow(columns, Properties.PopulatesMetaFields, FileSchema?.HasOperation == true),
            PartitionColumns = Properties.PartitionFields,
            PrimaryKey = Properties.RecordKeyFields,
            Features = HudiFeatures.Describe(Properties, MetadataTable is not null),
            Options = Properties.Values,
            Properties = Properties,
            Timeline = Timeline,
            Instant = until,
            ExcludedInstants = excluded,
            Columns = columns,
            SchemaHistory = HistoryAt(until, commits),
            Slices = live,
            ReadOptimizedSlices = Older is null && bases.SequenceEqual(slices) ? live : ListOf(bases, Older?.ReadOptimizedSlices).Sharing(live),
            Commits = commits,
            MetadataTable = MetadataTable,
            Cache = Cache,
        };
    }

    private (List<FileSlice> Slices, List<FileSlice> Bases) Choose(TimelineView view, IReadOnlySet<(string, string)>? wanted)
    {
        var builder = new FileSliceBuilder(view, IsLayout2);
        var slices = new List<FileSlice>();
        var bases = new List<FileSlice>();
        foreach (((string partition, string fileId), List<HudiFile> files) in Groups
            .Where(g => wanted is null || wanted.Contains(g.Key))
            .OrderBy(g => g.Key.Partition, StringComparer.Ordinal).ThenBy(g => g.Key.FileId, StringComparer.Ordinal))
        {
            if (view.IsReplaced(partition, fileId))
            {
                continue;
            }

            if (builder.Choose(partition, fileId, files) is { } slice && slice.Files.Any())
            {
                RefuseSkeleton(slice.Base);
                slices.Add(slice);
            }

            if (builder.ChooseBase(files) is { } newest)
            {
                RefuseSkeleton(newest);
                bases.Add(slices.Count > 0 && slices[^1] is { Logs.Count: 0 } last && ReferenceEquals(last.Base, newest) ? last : new FileSlice { Partition = partition, FileId = fileId, BaseInstant = newest.Instant, Base = newest });
            }
        }

        return (slices, bases);
    }

    private SliceList ListOf(List<FileSlice> slices, IReadOnlyList<FileSlice>? older)
    {
        var list = SliceList.Of(slices);
        return older is not SliceList known ? list : Partitions is null ? list.Sharing(known) : known.With(Partitions, list);
    }

    // A skeleton holds only the meta columns; the rows' own ones are in a file outside of the table.
    private void RefuseSkeleton(HudiFile? file)
    {
        if (file is { Instant: "00000000000001" or "00000000000000001" } && Properties.Text("hoodie.bootstrap.base.path") is not null)
        {
            throw LakeException.FeatureUnsupported("Hudi: skeleton files of a bootstrap base path are not supported", file.Path);
        }
    }

    private IReadOnlyList<HudiColumn> ReadSchema(Dictionary<string, CommitMetadata> commits)
    {
        string location = Table.Root.Location;
        CommitMetadata[] newest = [.. commits.OrderByDescending(c => c.Key, StringComparer.Ordinal).Select(c => c.Value).Where(c => !string.IsNullOrEmpty(c.Schema))];
        string? schema = newest.FirstOrDefault(c => c.TellsSchema)?.Schema ?? Properties.CreateSchema ?? newest.FirstOrDefault()?.Schema;
        if (schema is null && commits.Values.Any(c => c.Writes.Count > 0))
        {
            // Neither a commit nor CREATE TABLE tells: a file does.
            schema = FileSchema?.Json ?? throw LakeException.FeatureUnsupported("Hudi: a table whose commits hold no schema is not supported", location);
        }

        IReadOnlyList<HudiColumn> columns = schema is null ? [] : HudiSchema.Parse(schema, location);
        if (!Properties.DropsPartitionColumns || columns.Count == 0)
        {
            return columns;
        }

        // Dropped partition columns are not part of the commits' schema; CREATE TABLE's may tell their types.
        IReadOnlyList<HudiColumn> created = Properties.CreateSchema is { } text ? HudiSchema.Parse(text, location) : [];
        IEnumerable<HudiColumn> dropped = Properties.PartitionFields.Where(p => columns.All(c => c.Name != p))
            .Select(p => created.FirstOrDefault(c => c.Name == p) ?? new HudiColumn(new Field(p, StringType.Default, true), null, null));
        return [.. columns, .. dropped];
    }

    private SchemaHistory? HistoryAt(string until, Dictionary<string, CommitMetadata> commits)
    {
        if (SchemaHistory is var (json, path))
        {
            return Hudi.SchemaHistory.Parse(json, until, path);
        }

        string? latest = commits.OrderByDescending(c => c.Key, StringComparer.Ordinal).Select(c => c.Value.LatestSchema).FirstOrDefault(s => !string.IsNullOrEmpty(s));
        return latest is null
            ? null
            : Hudi.SchemaHistory.Parse(System.Text.Encoding.UTF8.GetBytes($$"""{"schemas":[{{latest}}]}"""), until, Table.Root.Location);
    }
}
