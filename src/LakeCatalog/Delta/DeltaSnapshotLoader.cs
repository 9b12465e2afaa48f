using LakeHolo.LakeCatalog.Delta.Files;
using LakeHolo.LakeCatalog.Delta.Log;
using LakeHolo.LakeCatalog.Delta.Schema;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Delta;

/// <summary>From a version to a snapshot: anew from a checkpoint and the commits after it, or by following the commits after a known snapshot.</summary>
internal sealed class DeltaSnapshotLoader(LakeTable table, ExternalLocations locations, TimeProvider? time = null)
{
    // Commits are small; a few requests in flight hide the latency of a remote store.
    private const int ParallelReads = 8;

    private readonly TableRoot _root = table.Root;

    /// <summary>Lists the log, from the hinted checkpoint on where that is enough.</summary>
    public async ValueTask<LogListing> ListAsync(long? target, CancellationToken cancellationToken)
    {
        if (await LastCheckpoint.ReadVersionAsync(_root, cancellationToken) is { } hint && hint > 0 && !(hint > target))
        {
            LogListing listing = await LogListing.ListAsync(_root, hint, cancellationToken);
            if (listing.EarliestReadable() is { } earliest && !(earliest > target))
            {
                return listing;
            }
        }

        LogListing whole = await LogListing.ListAsync(_root, 0, cancellationToken);
        return whole.IsEmpty ? throw LakeException.NotFound("This is not a Delta table: its _delta_log holds no commit", _root.Location) : whole;
    }

    /// <summary>Loads a version, or the newest.</summary>
    public async ValueTask<DeltaSnapshot> LoadAsync(long? target, CancellationToken cancellationToken)
    {
        LogListing listing = await ListAsync(target, cancellationToken);
        LogSegment segment = listing.Select(target, _root);
        CommitActions[] commits = await ReadCommitsAsync(segment.Commits, segment.CheckpointVersion + 1, cancellationToken);
        var checkpoint = new CheckpointReader(_root, segment.CheckpointVersion, locations);
        await checkpoint.ReadHeaderAsync(segment.Checkpoint, cancellationToken);

        ProtocolAction protocol = commits.LastOrDefault(c => c.Protocol is not null)?.Protocol ?? checkpoint.Protocol
            ?? throw LakeException.FormatInvalid("There is no protocol action in the log", _root.Location);
        DeltaFeatures.Check(protocol, _root.Location);
        MetadataAction metadata = commits.LastOrDefault(c => c.Metadata is not null)?.Metadata ?? checkpoint.Metadata
            ?? throw LakeException.FormatInvalid("There is no metaData action in the log", _root.Location);
        var state = TableState.Create(protocol, metadata, _root.Location);

        DeltaFileList files = segment.Checkpoint.Count == 0
            ? DeltaFileList.Empty
            : DeltaFileList.FromCheckpoint(await checkpoint.ReadFilesAsync(state.PartitionNames, state.TracksRows, cancellationToken), _root.Location);
        if (commits.Length > 0)
        {
            using FileBlock.Builder builder = NewBlock(state);
            files = files.Apply(commits, builder, _root.Location);
        }

        return CreateSnapshot(
            segment.Version, state, files, segment.LastCommit, await CommittedAtAsync(listing, segment, commits, state, cancellationToken));
    }

    /// <summary>Follows the log from a known snapshot; null if that is not possible and the version has to be loaded anew.</summary>
    public async ValueTask<DeltaSnapshot?> FollowAsync(DeltaSnapshot known, long? target, CancellationToken cancellationToken)
    {
        if (known.LastCommitTag is null || target < known.Version)
        {
            return null;
        }

        if (target is null && known.Log?.IsUnchanged() == true && await IsLastCommitAsync(known, cancellationToken))
        {
            return known;
        }

        LocalTree? looked = target is null ? LookAtLog() : null;
        LogListing listing = await LogListing.ListAsync(_root, known.Version, cancellationToken);
        if (!listing.Commits.TryGetValue(known.Version, out ObjectEntry last) || last.ETag != known.LastCommitTag)
        {
            return null;
        }

        long newest = target ?? listing.Newest;
        var entries = new List<ObjectEntry>();
        for (long version = known.Version + 1; version <= newest; version++)
        {
            if (!listing.Commits.TryGetValue(version, out ObjectEntry entry))
            {
                return null;
            }

            entries.Add(entry);
        }

        if (entries.Count == 0)
        {
            known.Log = looked;
            return known;
        }

        CommitActions[] commits = await ReadCommitsAsync(entries, known.Version + 1, cancellationToken);
        ProtocolAction protocol = commits.LastOrDefault(c => c.Protocol is not null)?.Protocol ?? known.Protocol;
        MetadataAction metadata = commits.LastOrDefault(c => c.Metadata is not null)?.Metadata ?? known.Metadata;
        DeltaFeatures.Check(protocol, _root.Location);
        var state = TableState.Create(protocol, metadata, _root.Location);
        var before = TableState.Create(known.Protocol, known.Metadata, _root.Location);
        if (!state.PartitionNames.SequenceEqual(before.PartitionNames) || state.TracksRows != before.TracksRows)
        {
            return null;
        }

        using FileBlock.Builder builder = NewBlock(state);
        DeltaFileList files = known.Files.Apply(commits, builder, _root.Location);
        long previous = known.CommittedAtMillis ?? long.MinValue;
        foreach (ObjectEntry entry in entries)
        {
            previous = Math.Max(previous + 1, entry.ModifiedAt.ToUnixTimeMilliseconds());
        }

        InCommitTimes inCommit = state.InCommitTimes;
        long? committedAt = inCommit.Fault is not null ? null : inCommit.Covers(newest) ? await InCommitTimeAsync(newest, commits[^1], cancellationToken) : previous;
        return CreateSnapshot(newest, state, files, entries[^1], committedAt);
    }

    /// <summary>Reads and parses commit files.</summary>
    public async ValueTask<CommitActions[]> ReadCommitsAsync(IReadOnlyList<ObjectEntry> entries, long firstVersion, CancellationToken cancellationToken)
    {
        var commits = new CommitActions[entries.Count];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = ParallelReads, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, entries.Count, parallel, async (i, token) =>
        {
            byte[] utf8 = await _root.Store.ReadAsync(entries[i].Key, cancellationToken: token);
            commits[i] = CommitParser.Parse(utf8, firstVersion + i, entries[i].Key);
        });
        return commits;
    }

    /// <summary>The time that a commit carries, else that of the version's checksum file; null if neither tells it.</summary>
    public async ValueTask<long?> InCommitTimeAsync(long version, CommitActions? commit, CancellationToken cancellationToken) =>
        CommitTimes.FromCommit(commit) ?? await VersionChecksum.ReadTimeAsync(_root, version, cancellationToken);

    // Of a local table: names that did not change need not be listed again.
    private LocalTree? LookAtLog() =>
        _root.Store.TryGetLocalPath(_root.Key("_delta_log")) is { } path ? LocalTree.TryCaptureNames(path, (time ?? TimeProvider.System).GetUtcNow()) : null;

    // It may have been written over in place.
    private async ValueTask<bool> IsLastCommitAsync(DeltaSnapshot known, CancellationToken cancellationToken) =>
        (await _root.Store.HeadAsync(_root.Key("_delta_log/" + LogFileName.Commit(known.Version)), cancellationToken))?.ETag == known.LastCommitTag;

    private FileBlock.Builder NewBlock(TableState state) => new(state.PartitionNames, _root.Location, state.TracksRows);

    private async ValueTask<long?> CommittedAtAsync(
        LogListing listing, LogSegment segment, CommitActions[] commits, TableState state, CancellationToken cancellationToken)
    {
        if (state.InCommitTimes.Fault is not null)
        {
            return null;
        }

        if (!state.InCommitTimes.Covers(segment.Version))
        {
            return segment.LastCommit is null ? null : CommitTimes.FromFiles(listing.Commits)[segment.Version];
        }

        CommitActions? commit = commits.Length > 0 ? commits[^1]
            : segment.LastCommit is { } last ? (await ReadCommitsAsync([last], segment.Version, cancellationToken))[0] : null;
        return await InCommitTimeAsync(segment.Version, commit, cancellationToken);
    }

    private DeltaSnapshot CreateSnapshot(long version, TableState state, DeltaFileList files, ObjectEntry? lastCommit, long? committedAt) => new()
    {
        Table = table,
        Id = new SnapshotId(version.ToString(System.Globalization.CultureInfo.InvariantCulture)),
        Version = version,
        CommittedAt = committedAt is { } millis ? CommitTimes.ToDate(millis) : null,
        CommittedAtMillis = committedAt,
        Schema = DeltaArrowSchema.ToArrow(state.Schema),
        PartitionColumns = [.. state.PartitionFields.Select(f => f.Name)],
        Options = state.Metadata.Configuration,
        Features = DeltaFeatures.Describe(state.Protocol),
        Files = files,
        Columns = state.Schema,
        PartitionFields = state.PartitionFields,
        MappingMode = state.Mapping,
        Locations = locations,
        Protocol = state.Protocol,
        Metadata = state.Metadata,
        LastCommitTag = lastCommit?.ETag,
    };
}

/// <summary>Protocol and metadata of a version, checked and parsed.</summary>
internal sealed record TableState(
    ProtocolAction Protocol, MetadataAction Metadata, ColumnMappingMode Mapping, DeltaStruct Schema, IReadOnlyList<DeltaField> PartitionFields)
{
    public IReadOnlyList<string> PartitionNames { get; } = [.. PartitionFields.Select(f => f.PhysicalName)];

    public bool TracksRows => DeltaFeatures.HasWriterFeature(Protocol, "rowTracking");

    public static TableState Create(ProtocolAction protocol, MetadataAction metadata, string path)
    {
        if (!string.Equals(metadata.Provider, "parquet", StringComparison.OrdinalIgnoreCase))
        {
            throw LakeException.FeatureUnsupported($"The table has the format provider {metadata.Provider}", path);
        }

        ColumnMappingMode mapping = DeltaFeatures.MappingMode(protocol, metadata, path);
        DeltaStruct schema = DeltaSchemaParser.Parse(
            metadata.SchemaString ?? throw LakeException.FormatInvalid("The metaData action has no schemaString", path), mapping, path);
        if (schema.Fields.Count == 0)
        {
            throw LakeException.FeatureUnsupported("The table has no columns", path);
        }

        DeltaFeatures.CheckTypes(protocol, schema, path);
        var partitions = new List<DeltaField>();
        foreach (string name in metadata.PartitionColumns)
        {
            DeltaField field = schema.Fields.FirstOrDefault(f => f.Name == name)
                ?? schema.Fields.FirstOrDefault(f => string.Equals(f.Name, name, StringComparison.OrdinalIgnoreCase))
                ?? throw LakeException.FormatInvalid($"The partition column '{name}' is not in the schema", path);
            partitions.Add(field);
        }

        return new TableState(protocol, metadata, mapping, schema, partitions);
    }

    /// <summary>From which version on commits carry their time.</summary>
    public InCommitTimes InCommitTimes => InCommitTimes.Of(Protocol, Metadata);
}
