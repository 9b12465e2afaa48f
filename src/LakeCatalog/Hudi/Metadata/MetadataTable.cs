using System.IO.Hashing;
using System.Text;
using LakeHolo.LakeCatalog.Avro;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Hudi.HFiles;
using LakeHolo.LakeCatalog.Hudi.Timeline;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Hudi.Metadata;

/// <summary>A Hudi table's metadata table (<c>.hoodie/metadata</c>): its files and statistics, kept by its writers in HFiles and logs of HFile blocks.
/// Everything in it can be had from the table itself: whoever cannot read it, or does not trust it, lists.</summary>
public sealed class MetadataTable
{
    private const string Folder = ".hoodie/metadata/";
    private const string AllPartitionsKey = "__all_partitions__";
    private const string NoPartitionKey = ".";
    private const long MaxLogBytes = 512L << 20;
    private const int MaxKeptPrefixes = 64;
    private const int MaxKeptStatistics = 10_000;
    private const long HashSeed = -625288518;

    private readonly TableRoot _table;
    private readonly TableRoot _root;
    private readonly string _definitionsPath;
    private IndexDefinitions? _indexed;
    private readonly HudiTimeline _timeline;
    private readonly TimelineView _view;
    private readonly bool _isLayout2;
    private readonly HashSet<string> _partitions;
    private readonly HashSet<string> _valid;
    private readonly MetadataTableCache _cache;

    // What queries of few partitions asked for, by the beginning of the keys.
    private readonly System.Collections.Concurrent.ConcurrentDictionary<(string Index, string Prefix), ColumnStatistics[]> _statistics = new();

    private MetadataTable(TableRoot table, TableRoot root, HudiProperties properties, HudiTimeline timeline, HashSet<string> valid, IReadOnlyList<(string, string, string)> plans, MetadataTableCache cache)
    {
        (_table, _root, _timeline, _valid, _cache) = (table, root, timeline, valid, cache);
        _definitionsPath = properties.Text("hoodie.table.index.defs.path") ?? ".hoodie/.index_defs/index.json";
        _isLayout2 = properties.TimelineLayout == 2;
        _partitions = [.. PartitionsOf(properties)];
        string until = timeline.Commits.LastOrDefault()?.Time ?? "";
        _view = new TimelineView(timeline, until, new HashSet<string>(), new Dictionary<string, CommitMetadata>(), plans, new Dictionary<string, string>());
    }

    /// <summary>Opens the metadata table if the table says that it has one to be used and it holds every write of the table's timeline; else null.</summary>
    internal static async ValueTask<MetadataTable?> TryOpenAsync(
        TableRoot table, HudiProperties properties, HudiTimeline data, MetadataTableCache known, CancellationToken cancellationToken)
    {
        // The records of version 5 are of an older kind.
        if (properties.TableVersion < 6 || !PartitionsOf(properties).Contains("files"))
        {
            return null;
        }

        TableRoot root = table.Child(Folder);
        HudiProperties own = HudiProperties.Parse(await root.Store.ReadAsync(root.Key(".hoodie/hoodie.properties"), maxSizeBytes: 1 << 24, cancellationToken));
        if (own.TimelineLayout != properties.TimelineLayout)
        {
            return null;
        }

        HudiTimeline timeline = await HudiSnapshotLoader.ListTimelineAsync(root, own, cancellationToken);
        // Writers commit here before they commit there. One that does not (the metadata table switched off for a while) leaves a gap.
        // What was committed before the first such write was listed when the metadata table was made.
        string? first = timeline.Commits.Select(c => c.Time).FirstOrDefault(t => !IsInitial(t));
        if (first is null || data.Commits.Any(c => string.CompareOrdinal(c.Time, first) >= 0 && !timeline.IsCommitted(c.Time)))
        {
            return null;
        }

        IReadOnlyList<(string, string, string)> plans = await new CommitReader(root, HudiMetadataCache.Empty).ReadPlansAsync(timeline, cancellationToken);
        return new MetadataTable(table, root, properties, timeline, await ValidInstantsAsync(table, data, timeline, cancellationToken), plans, known);
    }

    /// <summary>The columns that statistics are kept for, by the index definitions; null if these do not tell.</summary>
    /// <exception cref="LakeException">FeatureUnsupported for a version of the index that is not known.</exception>
    public async ValueTask<IReadOnlySet<string>?> IndexedColumnsAsync(CancellationToken cancellationToken = default)
        => (_indexed ??= await IndexDefinitions.ReadAsync(_table, _definitionsPath, cancellationToken)).Names;

    /// <summary>Whether an index of this name is complete and may be used.</summary>
    public bool Has(string partition) => _partitions.Contains(partition);

    /// <summary>Every file of the table with its size, by path relative to the table's root.</summary>
    /// <param name="partitions">The partitions that are wanted; null for all.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    internal async ValueTask<IReadOnlyList<(string Partition, string Name, long Size)>> ListFilesAsync(IReadOnlySet<string>? partitions, CancellationToken cancellationToken)
    {
        string[]? keys = partitions is null ? null : [AllPartitionsKey, .. partitions.Select(p => p.Length == 0 ? NoPartitionKey : p)];
        IReadOnlyDictionary<string, object?> records = await ReadAsync("files", keys, false, cancellationToken);
        if (records.GetValueOrDefault(AllPartitionsKey) is not MetadataMerge.Listing all)
        {
            throw LakeException.FormatInvalid("Hudi: the metadata table does not list the partitions", _root.Location);
        }

        var files = new List<(string, string, long)>();
        foreach (string partition in all.Files.Where(p => p.Value is not null).Select(p => p.Key))
        {
            if (records.GetValueOrDefault(partition) is MetadataMerge.Listing listing)
            {
                string path = partition == NoPartitionKey ? "" : partition;
                files.AddRange(listing.Files.Where(f => f.Value is not null).Select(f => (path, f.Key, f.Value!.Value)));
            }
        }

        return files;
    }

    /// <summary>Statistics of some columns in the files of some partitions; files and columns that are not found are missing in the result.</summary>
    /// <param name="index"><c>column_stats</c>, or <c>partition_stats</c> for whole partitions (their <c>File</c> is the partition).</param>
    /// <param name="columns">Column names.</param>
    /// <param name="partitions">Partition paths.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    public async ValueTask<IReadOnlyList<ColumnStatistics>> ReadStatisticsAsync(
        string index, IReadOnlyCollection<string> columns, IReadOnlyCollection<string> partitions, CancellationToken cancellationToken = default)
    {
        string[] prefixes = [.. columns.SelectMany(c => partitions.Select(p => Hash(c) + Hash(p.Length == 0 ? NoPartitionKey : p)))];
        string[] missing = [.. prefixes.Where(p => !_statistics.ContainsKey((index, p)))];
        IReadOnlyDictionary<string, object?> records = missing.Length == 0 ? new Dictionary<string, object?>() : await ReadAsync(index, missing, true, cancellationToken);
        ILookup<string, ColumnStatistics> read = records.Where(r => r.Value is MetadataMerge.Statistics { Value.IsDeleted: false })
            .ToLookup(r => r.Key[..missing[0].Length], r => ((MetadataMerge.Statistics)r.Value!).Value!, StringComparer.Ordinal);
        if (missing.Length <= MaxKeptPrefixes && records.Count <= MaxKeptStatistics)
        {
            if (_statistics.Values.Sum(s => s.Length + 1) > MaxKeptStatistics)
            {
                _statistics.Clear();
            }

            foreach (string prefix in missing)
            {
                _statistics[(index, prefix)] = [.. read[prefix]];
            }
        }

        return [.. prefixes.SelectMany(p => read.Contains(p) ? read[p] : _statistics.GetValueOrDefault((index, p)) ?? [])];
    }

    private static IEnumerable<string> PartitionsOf(HudiProperties properties)
    {
        string[] building = Names("hoodie.table.metadata.partitions.inflight");
        return Names("hoodie.table.metadata.partitions").Except(building);

        string[] Names(string key) => (properties.Text(key) ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
    }

    // Blocks of writes that did not complete in the table itself must not count. The set has holes: it is no range.
    private static async ValueTask<HashSet<string>> ValidInstantsAsync(TableRoot table, HudiTimeline data, HudiTimeline own, CancellationToken cancellationToken)
    {
        var valid = data.Instants.Where(i => i.IsCompleted).Select(i => i.Time).ToHashSet(StringComparer.Ordinal);
        var pending = data.Instants.Where(i => !i.IsCompleted).Select(i => i.Time).ToHashSet(StringComparer.Ordinal);
        valid.UnionWith(own.Instants.Where(i => i is { IsCompleted: true, Action: "deltacommit" } && !pending.Contains(i.Time)).Select(i => i.Time));
        foreach (Instant rollback in data.Instants.Concat(own.Instants).Where(i => i is { IsCompleted: true, Action: "rollback" or "restore" }))
        {
            // One that does not tell what it undid must not make the set smaller.
            byte[] content = rollback.SizeBytes == 0
                ? throw LakeException.FormatInvalid("Hudi: a completed rollback without content", rollback.Key)
                : await table.Store.ReadAsync(rollback.Key, cancellationToken: cancellationToken);
            valid.UnionWith(CommitAvro.ReadRolledBack(content, rollback.Key));
        }

        return valid;
    }

    private static bool IsInitial(string instant) => instant.StartsWith("00000000000000", StringComparison.Ordinal);

    private bool IsValid(string instant) => IsInitial(instant) || _valid.Contains(instant);

    // Records of a partition by key, merged; of all keys, of some, or of those that begin with some texts.
    private async ValueTask<IReadOnlyDictionary<string, object?>> ReadAsync(string partition, IReadOnlyList<string>? keys, bool arePrefixes, CancellationToken cancellationToken)
    {
        var merged = new Dictionary<string, object?>(StringComparer.Ordinal);
        byte[][]? wanted = keys is null ? null : [.. keys.Select(Encoding.UTF8.GetBytes)];
        foreach (FileSlice slice in await SlicesAsync(partition, cancellationToken))
        {
            if (slice.Base is { } file)
            {
                await AddBaseAsync(partition, file, wanted, arePrefixes, merged, cancellationToken);
            }

            if (slice.Logs.Sum(l => l.SizeBytes) > MaxLogBytes)
            {
                throw LakeException.FeatureUnsupported($"Hudi: the metadata table's {partition} logs are too large to be used", _root.Location);
            }

            foreach (MetadataBlock block in await LiveBlocksAsync(slice, cancellationToken))
            {
                foreach ((string key, ReadOnlyMemory<byte>? value) in Select(block, keys, arePrefixes))
                {
                    merged[key] = value is { } bytes ? MergeRecord(partition, merged.GetValueOrDefault(key), block.Schema!, bytes, slice.FileId) : null;
                }
            }
        }

        return merged;
    }

    private static object? MergeRecord(string partition, object? older, AvroSchema schema, ReadOnlyMemory<byte> newer, string path) => partition == "files"
        ? MetadataMerge.MergeFiles(older, schema, newer.Span, path)
        : MetadataMerge.Merge(older, AvroDatum.DecodeRecord(schema, newer.Span, path));

    private static IEnumerable<KeyValuePair<string, ReadOnlyMemory<byte>?>> Select(MetadataBlock block, IReadOnlyList<string>? keys, bool arePrefixes)
    {
        if (keys is null)
        {
            return block.Cells;
        }

        if (!arePrefixes)
        {
            return keys.Where(block.Cells.ContainsKey).Select(k => KeyValuePair.Create(k, block.Cells[k]));
        }

        // Prefixes have one length: that of two hashes.
        var wanted = keys.ToHashSet(StringComparer.Ordinal);
        int length = keys.Count == 0 ? 0 : keys[0].Length;
        return block.Cells.Where(c => c.Key.Length >= length && wanted.Contains(c.Key[..length]));
    }

    private async ValueTask AddBaseAsync(string partition, HudiFile file, byte[][]? keys, bool arePrefixes, Dictionary<string, object?> merged, CancellationToken cancellationToken)
    {
        string path = _root.Key(file.Path);
        async ValueTask<ReadOnlyMemory<byte>> Read(long offset, int length, CancellationToken token)
            => (await _root.Store.ReadRangesAsync(path, [new ByteRange(offset, length)], null, token))[0];
        HFileReader reader = await HFileReader.OpenAsync(Read, file.SizeBytes, path, cancellationToken);
        if (reader.EntryCount == 0)
        {
            return;
        }

        AvroSchema schema = MetadataLog.SchemaOf(reader, null, path);
        foreach (HFileCell cell in keys is null ? await reader.ReadAllAsync(cancellationToken) : await reader.FindAsync(keys, arePrefixes, cancellationToken))
        {
            string key = Encoding.UTF8.GetString(cell.Key.Span);
            merged[key] = MergeRecord(partition, merged.GetValueOrDefault(key), schema, cell.Value, path);
        }
    }

    private async ValueTask<IReadOnlyList<FileSlice>> SlicesAsync(string partition, CancellationToken cancellationToken)
    {
        var groups = new SortedDictionary<string, List<HudiFile>>(StringComparer.Ordinal);
        await foreach (ObjectEntry entry in _root.Store.ListAsync(_root.Key(partition + "/"), recursive: false, cancellationToken: cancellationToken))
        {
            if (HudiFileName.TryParse(entry.Name) is { IsCdc: false } name)
            {
                if (!groups.TryGetValue(name.FileId, out List<HudiFile>? files))
                {
                    groups[name.FileId] = files = [];
                }

                files.Add(new HudiFile(entry.Key[_root.Prefix.Length..], entry.SizeBytes, name.Instant, name.LogVersion, name.WriteToken, name.IsLog ? "" : name.Extension));
            }
        }

        var builder = new FileSliceBuilder(_view, _isLayout2);
        return [.. groups.Select(g => builder.Choose(partition, g.Key, g.Value)).OfType<FileSlice>()];
    }

    private async ValueTask<List<MetadataBlock>> LiveBlocksAsync(FileSlice slice, CancellationToken cancellationToken)
    {
        var live = new List<MetadataBlock>();
        foreach (HudiFile log in slice.Logs)
        {
            string path = _root.Key(log.Path);
            foreach ((MetadataBlock? data, string? rolledBack) in await _cache.GetAsync((path, log.SizeBytes), async () =>
                await MetadataLog.ReadAsync(await _root.Store.ReadAsync(path, MaxLogBytes, cancellationToken), path, cancellationToken)))
            {
                if (rolledBack is not null)
                {
                    live.RemoveAll(b => b.Instant == rolledBack);
                }
                else if (data is not null && IsValid(data.Instant) && (_isLayout2 || _timeline.IsCommitted(data.Instant)))
                {
                    live.Add(data);
                }
            }
        }

        return live;
    }

    private static string Hash(string text)
    {
        byte[] hash = XxHash64.Hash(Encoding.UTF8.GetBytes(text), HashSeed);
        return Convert.ToBase64String(hash);
    }
}

/// <summary>Decoded log files of a metadata table, which are kept while the table is followed.</summary>
internal sealed class MetadataTableCache
{
    private const int MaxFiles = 1000;
    private readonly System.Collections.Concurrent.ConcurrentDictionary<(string, long), IReadOnlyList<(MetadataBlock?, string?)>> _files = new();

    public async ValueTask<IReadOnlyList<(MetadataBlock? Data, string? RolledBack)>> GetAsync(
        (string, long) file, Func<ValueTask<IReadOnlyList<(MetadataBlock?, string?)>>> read)
    {
        if (_files.TryGetValue(file, out IReadOnlyList<(MetadataBlock?, string?)>? blocks))
        {
            return blocks;
        }

        if (_files.Count >= MaxFiles)
        {
            _files.Clear();
        }

        return _files[file] = await read();
    }
}
