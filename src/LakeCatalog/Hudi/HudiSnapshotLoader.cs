using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Hudi.Metadata;
using LakeHolo.LakeCatalog.Hudi.Timeline;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Hudi;

/// <summary>Reads a table's properties, timeline and file list, and makes snapshots of them.</summary>
internal sealed class HudiSnapshotLoader(LakeTable table, TimeProvider? time = null)
{
    private const string PropertiesFolder = ".hoodie/";
    private const string PropertiesFile = PropertiesFolder + "hoodie.properties";
    private readonly TableRoot _root = table.Root;

    /// <summary>The snapshot asked for; <paramref name="known"/> itself if it is still that.</summary>
    public async ValueTask<HudiSnapshot> LoadAsync(SnapshotSelector at, HudiSnapshot? known, CancellationToken cancellationToken)
    {
        bool isLatest = at is SnapshotSelector.LatestSelector;
        if (isLatest && known?.Looked is { } before && before.All(t => t.IsUnchanged()))
        {
            return known;
        }

        IReadOnlyList<LocalTree>? looked = isLatest && known is not null ? Look(known.Properties) : null;
        (HudiProperties properties, HudiTimeline timeline) = await OpenAsync(cancellationToken);
        (string until, HashSet<string> excluded) = HudiVersionText.Resolve(at, timeline, table);
        if (known is not null && known.Timeline.Signature == timeline.Signature && known.Id == HudiVersionText.IdOf(until, excluded))
        {
            known.Looked = looked is not null && properties.TimelineFolder == known.Properties.TimelineFolder ? looked : null;
            return known;
        }

        if (isLatest && known is not null && await TryFollowAsync(properties, timeline, until, excluded, known, cancellationToken) is { } followed)
        {
            return followed;
        }

        return (await ReadAsync(properties, timeline, until, until, known, cancellationToken)).SnapshotAt(until, excluded);
    }

    // Only the partitions that new commits wrote to are looked at, where nothing else can have changed; null otherwise.
    private async ValueTask<HudiSnapshot?> TryFollowAsync(
        HudiProperties properties, HudiTimeline timeline, string until, HashSet<string> excluded, HudiSnapshot known, CancellationToken cancellationToken)
    {
        HudiMetadataCache cache = known.Cache;
        if (known.Slices is not SliceList slices || cache.FileSchema is null || known.Table != table || known.Properties.Values.Count != properties.Values.Count
            || !known.Properties.Values.All(p => properties.Values.GetValueOrDefault(p.Key) == p.Value))
        {
            return null;
        }

        var metadata = new CommitReader(_root, cache);
        Dictionary<string, CommitMetadata> commits = await ReadCommitsAsync(metadata, timeline, until, cancellationToken);
        if (!HasSchema(commits, properties) || TimelineChange.PartitionsOf(known, timeline, until, excluded, commits) is not { } partitions
            || await new TableFiles(table, properties).TryListAsync(partitions, slices, cache.HasMarkers, timeline, cache.MetadataTable, cancellationToken) is not var (groups, index))
        {
            return null;
        }

        IReadOnlyList<(string, string, string)> plans = await metadata.ReadPlansAsync(timeline, cancellationToken);
        HudiTableState state = await StateAsync(properties, timeline, commits, plans, groups, index, until, cache.FileSchema, metadata, cache.MetadataTable, cache.HasMarkers, partitions, known, cancellationToken);
        return state.SnapshotAt(until, excluded);
    }

    private static bool HasSchema(Dictionary<string, CommitMetadata> commits, HudiProperties properties) => commits.Values.Any(c => !string.IsNullOrEmpty(c.Schema)) || properties.CreateSchema is not null;

    private static ValueTask<Dictionary<string, CommitMetadata>> ReadCommitsAsync(CommitReader metadata, HudiTimeline timeline, string until, CancellationToken cancellationToken)
        => metadata.ReadCommitsAsync(timeline.Commits.Where(i => string.CompareOrdinal(i.Time, until) <= 0), cancellationToken);

    // The newest instant is a matter of the properties and of the timeline's names and sizes: of a local table, as long as the files are what they were, so is it.
    private IReadOnlyList<LocalTree>? Look(HudiProperties properties)
    {
        DateTimeOffset now = (time ?? TimeProvider.System).GetUtcNow();
        string[] folders = properties.TimelineFolder == PropertiesFolder ? [PropertiesFolder] : [PropertiesFolder, properties.TimelineFolder];
        var looked = new List<LocalTree>();
        foreach (string folder in folders)
        {
            if (_root.Store.TryGetLocalPath(_root.Key(folder)) is not { } path || LocalTree.TryCaptureFiles(path.TrimEnd('/'), now) is not { } tree)
            {
                return null;
            }

            looked.Add(tree);
        }

        return looked;
    }

    /// <summary>Everything that snapshots up to the newest instant are made of.</summary>
    public async ValueTask<HudiTableState> LoadStateAsync(HudiSnapshot? known, CancellationToken cancellationToken)
    {
        (HudiProperties properties, HudiTimeline timeline) = await OpenAsync(cancellationToken);
        return await ReadAsync(properties, timeline, HudiVersionText.Resolve(SnapshotSelector.Latest, timeline, table).Until, "", known, cancellationToken);
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

    // The timeline is fixed before data files are listed: a file whose instant it does not know is then not visible.
    private async ValueTask<(HudiProperties Properties, HudiTimeline Timeline)> OpenAsync(CancellationToken cancellationToken)
    {
        HudiProperties properties = await ReadPropertiesAsync(cancellationToken);
        HudiFeatures.Check(properties, _root.Location);
        HudiTimeline timeline = await ListTimelineAsync(_root, properties, cancellationToken);
        return timeline.Instants.FirstOrDefault(i => i is { Action: "restore", IsCompleted: false }) is { } restore
            ? throw LakeException.FeatureUnsupported($"Hudi: the table cannot be read while it is being restored (restore {restore.Time})", _root.Location)
            : (properties, timeline);
    }

    // Until: the newest instant that is wanted; since: the oldest one.
    private async ValueTask<HudiTableState> ReadAsync(HudiProperties properties, HudiTimeline timeline, string until, string since, HudiSnapshot? known, CancellationToken cancellationToken)
    {
        HudiMetadataCache cache = known?.Cache ?? HudiMetadataCache.Empty;
        var metadata = new CommitReader(_root, cache);
        var files = new TableFiles(table, properties);
        MetadataTableCache logs = known is null ? new MetadataTableCache() : cache.MetadataTable;
        // What commits say and what lies in storage is read at the same time.
        Task<Dictionary<string, CommitMetadata>> recorded = Task.Run(() => ReadCommitsAsync(metadata, timeline, until, cancellationToken).AsTask(), cancellationToken);
        var listed = Task.Run(() => files.ListAsync(timeline, logs, cancellationToken).AsTask(), cancellationToken);
        await Task.WhenAll(recorded, listed);
        Dictionary<string, CommitMetadata> commits = await recorded;
        IReadOnlyList<(string, string, string)> plans = await metadata.ReadPlansAsync(timeline, cancellationToken);
        (Dictionary<(string, string), List<HudiFile>> groups, MetadataTable? index) = await listed;
        bool hasSchema = HasSchema(commits, properties);
        // Where files tell the schema, the newest one does.
        FileSchema? sample = (hasSchema ? cache.FileSchema : null) ?? await FileSchema.ReadAsync(_root, groups, timeline, !hasSchema, cancellationToken);
        return await StateAsync(properties, timeline, commits, plans, groups, index, since, sample, metadata, logs, files.HasMarkers, null, known, cancellationToken);
    }

    private async ValueTask<HudiTableState> StateAsync(
        HudiProperties properties, HudiTimeline timeline, Dictionary<string, CommitMetadata> commits, IReadOnlyList<(string, string, string)> plans, Dictionary<(string, string), List<HudiFile>> groups,
        MetadataTable? index, string since, FileSchema? sample, CommitReader metadata, MetadataTableCache logs, bool hasMarkers, IReadOnlySet<string>? partitions, HudiSnapshot? older,
        CancellationToken cancellationToken)
        => new()
        {
            Table = table,
            Properties = properties,
            Timeline = timeline,
            Commits = commits,
            Plans = plans,
            Groups = groups,
            ArchivedCompletions = properties.TimelineLayout == 2
                ? await TimelineHistory.ReadCompletionsAsync(_root, properties.HistoryFolder, ArchivedDeltaCommits(timeline, groups), cancellationToken)
                : new Dictionary<string, string>(),
            CleanedFiles = await CleanedFiles.ReadAsync(_root, properties, timeline, since, metadata, cancellationToken),
            SchemaHistory = await ReadSchemaHistoryAsync(timeline, cancellationToken),
            FileSchema = sample,
            MetadataTable = index,
            Cache = metadata.ToCache(logs, sample, hasMarkers),
            Partitions = partitions,
            Older = older,
        };

    // The completion time of an archived delta commit matters only where the group has a base file requested after it.
    private static HashSet<string> ArchivedDeltaCommits(HudiTimeline timeline, Dictionary<(string, string), List<HudiFile>> groups)
    {
        var instants = new HashSet<string>(StringComparer.Ordinal);
        foreach (List<HudiFile> files in groups.Values)
        {
            if (files is [{ LogVersion: 0 }])
            {
                continue;
            }

            string newestBase = files.Where(f => f.LogVersion == 0).Select(f => f.Instant).Max(StringComparer.Ordinal) ?? "";
            instants.UnionWith(files.Where(f => f.LogVersion > 0 && string.CompareOrdinal(f.Instant, newestBase) < 0 && timeline.IsBeforeStart(f.Instant))
                .Select(f => f.Instant));
        }

        return instants;
    }

    private async ValueTask<HudiProperties> ReadPropertiesAsync(CancellationToken cancellationToken)
    {
        // Writers replace the file by: backup, delete, write, delete backup. One that is cut off has no checksum, its last property, or another one.
        HudiProperties? old = null;
        bool isBroken = false;
        foreach (string name in (string[])[PropertiesFile, PropertiesFile + ".backup", PropertiesFile])
        {
            if (await _root.Store.HeadAsync(_root.Key(name), cancellationToken) is { SizeBytes: > 0 })
            {
                HudiProperties read = HudiProperties.Parse(await _root.Store.ReadAsync(_root.Key(name), maxSizeBytes: 1 << 24, cancellationToken));
                if (read.IsWhole == true)
                {
                    return read;
                }

                isBroken |= read.IsWhole == false;
                old ??= read.IsWhole is null ? read : null;
            }
        }

        return isBroken ? throw LakeException.FormatInvalid("Hudi: .hoodie/hoodie.properties is not whole, its checksum is another table's", _root.Location)
            : old ?? throw LakeException.NotFound("No .hoodie/hoodie.properties: not a Hudi table", _root.Location);
    }

    // The newest history of a completed commit holds every version up to then.
    private async ValueTask<(byte[] Json, string Path)?> ReadSchemaHistoryAsync(HudiTimeline timeline, CancellationToken cancellationToken)
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

        return newest is null ? null : (await _root.Store.ReadAsync(newest, cancellationToken: cancellationToken), newest);
    }
}
