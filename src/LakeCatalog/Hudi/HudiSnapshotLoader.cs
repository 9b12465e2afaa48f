using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Hudi.Timeline;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Hudi;

/// <summary>Which point of the timeline is asked for, and what is live there.</summary>
internal sealed class HudiSnapshotLoader(LakeTable table)
{
    private const string PropertiesFile = ".hoodie/hoodie.properties";
    private readonly TableRoot _root = table.Root;

    public async ValueTask<HudiSnapshot> LoadAsync(SnapshotSelector at, HudiSnapshot? known, CancellationToken cancellationToken)
    {
        HudiProperties properties = await ReadPropertiesAsync(cancellationToken);
        HudiFeatures.Check(properties, _root.Location);
        // The timeline is fixed before data files are listed: a file whose instant it does not know is then not visible.
        HudiTimeline timeline = await ListTimelineAsync(_root, properties, cancellationToken);
        if (timeline.Instants.FirstOrDefault(i => i is { Action: "restore", IsCompleted: false }) is { } restore)
        {
            throw LakeException.FeatureUnsupported($"Hudi: the table cannot be read while it is being restored (restore {restore.Time})", _root.Location);
        }

        (string until, HashSet<string> excluded) = HudiVersionText.Resolve(at, timeline, table);
        SnapshotId id = HudiVersionText.IdOf(until, excluded);
        if (known is not null && known.Timeline.Signature == timeline.Signature && known.Id == id)
        {
            return known;
        }

        var metadata = new CommitReader(_root, known?.Cache ?? HudiMetadataCache.Empty);
        Dictionary<string, CommitMetadata> commits = await metadata.ReadCommitsAsync(
            timeline.Commits.Where(i => string.CompareOrdinal(i.Time, until) <= 0 && !excluded.Contains(i.Time)), cancellationToken);
        IReadOnlyList<(string, string, string)> plans = await metadata.ReadPlansAsync(timeline, cancellationToken);
        Dictionary<(string, string), List<HudiFile>> groups = await ListGroupsAsync(cancellationToken);
        IReadOnlyDictionary<string, string> archived = properties.TimelineLayout == 2
            ? await TimelineHistory.ReadCompletionsAsync(_root, properties.HistoryFolder, ArchivedDeltaCommits(timeline, groups), cancellationToken)
            : new Dictionary<string, string>();
        var view = new TimelineView(timeline, until, excluded, commits, plans, archived);
        var builder = new FileSliceBuilder(view, properties.TimelineLayout == 2);
        var slices = new List<FileSlice>();
        var baseFiles = new List<FileSlice>();
        foreach (((string partition, string fileId), List<HudiFile> files) in groups.OrderBy(g => g.Key.Item1, StringComparer.Ordinal).ThenBy(g => g.Key.Item2, StringComparer.Ordinal))
        {
            if (view.IsReplaced(partition, fileId))
            {
                continue;
            }

            if (builder.Choose(partition, fileId, files) is { } slice && slice.Files.Any())
            {
                if (slice.Base is { Instant: "00000000000001" or "00000000000000001" } skeleton && properties.Text("hoodie.bootstrap.base.path") is not null)
                {
                    throw LakeException.FeatureUnsupported("Hudi: skeleton files of a bootstrap base path are not supported", skeleton.Path);
                }

                slices.Add(slice);
            }

            if (builder.ChooseBase(files) is { } newest)
            {
                baseFiles.Add(new FileSlice { Partition = partition, FileId = fileId, BaseInstant = newest.Instant, Base = newest });
            }
        }

        RecordedFiles.Check(commits, view, groups, slices, properties.TimelineLayout == 2, _root.Location);
        IReadOnlyList<HudiColumn> columns = ReadSchema(properties, commits);
        return new HudiSnapshot
        {
            Table = table,
            Id = id,
            CommittedAt = Timeline.Instant.MomentOf(timeline.FindCommit(until)?.CompletionTime ?? until),
            Schema = HudiSchema.ToArrow(columns, properties.PopulatesMetaFields),
            PartitionColumns = properties.PartitionFields,
            PrimaryKey = properties.RecordKeyFields,
            Features = HudiFeatures.Describe(properties),
            Options = properties.Values,
            Properties = properties,
            Timeline = timeline,
            Instant = until,
            ExcludedInstants = excluded,
            Columns = columns,
            SchemaHistory = await ReadSchemaHistoryAsync(timeline, commits, until, cancellationToken),
            Slices = slices,
            ReadOptimizedSlices = baseFiles,
            Commits = commits,
            Cache = metadata.ToCache(),
        };
    }

    // The completion time of an archived delta commit matters only where the group has a base file requested after it.
    private static HashSet<string> ArchivedDeltaCommits(HudiTimeline timeline, Dictionary<(string, string), List<HudiFile>> groups)
    {
        var instants = new HashSet<string>(StringComparer.Ordinal);
        foreach (List<HudiFile> files in groups.Values)
        {
            string newestBase = files.Where(f => f.LogVersion == 0).Select(f => f.Instant).Max(StringComparer.Ordinal) ?? "";
            instants.UnionWith(files.Where(f => f.LogVersion > 0 && string.CompareOrdinal(f.Instant, newestBase) < 0 && timeline.IsBeforeStart(f.Instant))
                .Select(f => f.Instant));
        }

        return instants;
    }

    public static async ValueTask<HudiTimeline> ListTimelineAsync(TableRoot root, HudiProperties properties, CancellationToken cancellationToken)
    {
        var files = new List<ObjectEntry>();
        await foreach (ObjectEntry entry in root.Store.ListAsync(root.Key(properties.TimelineFolder), recursive: false, cancellationToken: cancellationToken))
        {
            files.Add(entry);
        }

        return HudiTimeline.Parse(files, properties.TimelineLayout);
    }

    private async ValueTask<HudiProperties> ReadPropertiesAsync(CancellationToken cancellationToken)
    {
        // Writers replace the file by: backup, delete, write, delete backup.
        foreach (string name in (string[])[PropertiesFile, PropertiesFile + ".backup", PropertiesFile])
        {
            if (await _root.Store.HeadAsync(_root.Key(name), cancellationToken) is { SizeBytes: > 0 })
            {
                return HudiProperties.Parse(await _root.Store.ReadAsync(_root.Key(name), maxSizeBytes: 1 << 24, cancellationToken));
            }
        }

        throw LakeException.NotFound("No .hoodie/hoodie.properties: not a Hudi table", _root.Location);
    }

    private IReadOnlyList<HudiColumn> ReadSchema(HudiProperties properties, Dictionary<string, CommitMetadata> commits)
    {
        string? schema = commits.OrderByDescending(c => c.Key, StringComparer.Ordinal).Select(c => c.Value.Schema).FirstOrDefault(s => !string.IsNullOrEmpty(s))
            ?? properties.CreateSchema;
        IReadOnlyList<HudiColumn> columns = schema is null ? [] : HudiSchema.Parse(schema, _root.Location);
        if (!properties.DropsPartitionColumns || columns.Count == 0)
        {
            return columns;
        }

        // Dropped partition columns are not part of the commits' schema; CREATE TABLE's may tell their types.
        IReadOnlyList<HudiColumn> created = properties.CreateSchema is { } text ? HudiSchema.Parse(text, _root.Location) : [];
        IEnumerable<HudiColumn> dropped = properties.PartitionFields.Where(p => columns.All(c => c.Name != p))
            .Select(p => created.FirstOrDefault(c => c.Name == p) ?? new HudiColumn(new Field(p, StringType.Default, true), null, null));
        return [.. columns, .. dropped];
    }

    // The newest history of a completed commit holds every version up to then.
    private async ValueTask<SchemaHistory?> ReadSchemaHistoryAsync(
        HudiTimeline timeline, Dictionary<string, CommitMetadata> commits, string until, CancellationToken cancellationToken)
    {
        string? newest = null;
        string newestTime = "";
        await foreach (ObjectEntry entry in _root.Store.ListAsync(_root.Key(".hoodie/.schema/"), recursive: false, cancellationToken: cancellationToken))
        {
            string time = entry.Name.Split('.', '_')[0];
            if (entry.Name.EndsWith(".schemacommit", StringComparison.Ordinal) && entry.SizeBytes > 0 && timeline.IsCommitted(time)
                && string.CompareOrdinal(time, newestTime) > 0)
            {
                (newest, newestTime) = (entry.Key, time);
            }
        }

        if (newest is null)
        {
            string? latest = commits.OrderByDescending(c => c.Key, StringComparer.Ordinal).Select(c => c.Value.LatestSchema).FirstOrDefault(s => !string.IsNullOrEmpty(s));
            return latest is null ? null : SchemaHistory.Parse(System.Text.Encoding.UTF8.GetBytes($$"""{"schemas":[{{latest}}]}"""), until, _root.Location);
        }

        return SchemaHistory.Parse(await _root.Store.ReadAsync(newest, cancellationToken: cancellationToken), until, newest);
    }

    private async ValueTask<Dictionary<(string Partition, string FileId), List<HudiFile>>> ListGroupsAsync(CancellationToken cancellationToken)
    {
        var groups = new Dictionary<(string, string), List<HudiFile>>();
        await foreach (ObjectEntry entry in DataEntriesAsync(cancellationToken))
        {
            string path = entry.Key[_root.Prefix.Length..];
            if (path.Contains("/.hoodie/", StringComparison.Ordinal) || HudiFileName.TryParse(entry.Name) is not { IsCdc: false } name)
            {
                continue;
            }

            if (name is { IsLog: false, Extension: not ("parquet" or "orc") })
            {
                throw LakeException.FeatureUnsupported($"Hudi: base file format {name.Extension.ToUpperInvariant()} is not supported", entry.Key);
            }

            int slash = path.LastIndexOf('/');
            (string, string) group = (slash < 0 ? "" : path[..slash], name.FileId);
            if (!groups.TryGetValue(group, out List<HudiFile>? files))
            {
                groups[group] = files = [];
            }

            files.Add(new HudiFile(path, entry.SizeBytes, name.Instant, name.LogVersion, name.WriteToken, name.IsLog ? "" : name.Extension));
        }

        return groups;
    }

    private async IAsyncEnumerable<ObjectEntry> DataEntriesAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (ObjectEntry entry in _root.Store.ListAsync(_root.Prefix, recursive: false, cancellationToken: cancellationToken))
        {
            if (!entry.IsFolder)
            {
                yield return entry;
            }
            else if (entry.Name != ".hoodie")
            {
                await foreach (ObjectEntry nested in _root.Store.ListAsync(entry.Key, recursive: true, cancellationToken: cancellationToken))
                {
                    yield return nested;
                }
            }
        }
    }
}
