using LakeHolo.LakeCatalog.Delta.Files;
using LakeHolo.LakeCatalog.Storage;
using ParquetSharp;

namespace LakeHolo.LakeCatalog.Delta.Log;

/// <summary>Reads checkpoints of every layout. What a checkpoint holds is decided by its content, not by its name.</summary>
internal sealed class CheckpointReader(TableRoot root, long version, ExternalLocations locations)
{
    private const int ParallelFetches = 4;

    private readonly List<string> _sidecars = [];
    private readonly List<ObjectEntry> _parquet = [];

    // Remote files are fetched once for both passes.
    private readonly Dictionary<(IObjectStore, string), byte[]> _fetched = [];
    private CommitActions? _json;

    /// <summary>The checkpoint's protocol.</summary>
    public ProtocolAction? Protocol { get; private set; }

    /// <summary>The checkpoint's metadata.</summary>
    public MetadataAction? Metadata { get; private set; }

    /// <summary>Reads what is no file action.</summary>
    public async ValueTask ReadHeaderAsync(IReadOnlyList<ObjectEntry> files, CancellationToken cancellationToken)
    {
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = ParallelFetches, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(
            files.Where(f => f.Key.EndsWith(".parquet", StringComparison.Ordinal)), parallel, async (f, token) => await FetchAsync(root.Store, f.Key, token));
        foreach (ObjectEntry file in files)
        {
            if (file.Key.EndsWith(".json", StringComparison.Ordinal))
            {
                byte[] utf8 = await root.Store.ReadAsync(file.Key, cancellationToken: cancellationToken);
                _json = CommitParser.Parse(utf8, version, file.Key);
                Protocol = _json.Protocol;
                Metadata = _json.Metadata;
                _sidecars.AddRange(_json.Sidecars);
            }
            else
            {
                _parquet.Add(file);
                await ReadParquetAsync(root.Store, file.Key, ReadHeader, keep: true, cancellationToken);
            }
        }
    }

    /// <summary>Reads the live files.</summary>
    public async ValueTask<FileBlock> ReadFilesAsync(
        IReadOnlyList<string> partitionNames, bool trackRows, CancellationToken cancellationToken)
    {
        using var builder = new FileBlock.Builder(partitionNames, root.Location, trackRows);
        foreach (FileAction file in _json?.Adds ?? [])
        {
            builder.Add(file);
        }

        foreach (ObjectEntry file in _parquet)
        {
            await ReadParquetAsync(root.Store, file.Key, r => new CheckpointFiles(r, builder).Read(), keep: false, cancellationToken);
        }

        foreach (string[] some in _sidecars.Chunk(ParallelFetches))
        {
            (IObjectStore Store, string Key)[] places = [.. some.Select(SidecarPlace)];
            await Parallel.ForEachAsync(places, cancellationToken, async (place, token) => await FetchAsync(place.Store, place.Key, token));
            foreach ((IObjectStore store, string key) in places)
            {
                await ReadParquetAsync(store, key, r => new CheckpointFiles(r, builder).Read(), keep: false, cancellationToken);
            }
        }

        return builder.Build();
    }

    // A bare name lies in the folder of sidecars; an absolute one is taken as it is, as far as the configuration lets it.
    private (IObjectStore Store, string Key) SidecarPlace(string encoded)
    {
        string path = DeltaPath.Canonical(encoded, root.Location);
        return locations.Resolve(root, path.Contains('/', StringComparison.Ordinal) ? path : "_delta_log/_sidecars/" + path);
    }

    private async ValueTask FetchAsync(IObjectStore store, string key, CancellationToken cancellationToken)
    {
        if (store.TryGetLocalPath(key) is not null)
        {
            return;
        }

        byte[] bytes = await store.ReadAsync(key, cancellationToken: cancellationToken);
        lock (_fetched)
        {
            _fetched[(store, key)] = bytes;
        }
    }

    private async ValueTask ReadParquetAsync(
        IObjectStore store, string key, Action<ParquetFileReader> read, bool keep, CancellationToken cancellationToken)
    {
        try
        {
            if (store.TryGetLocalPath(key) is { } localPath)
            {
                if (!File.Exists(localPath))
                {
                    throw LakeException.NotFound($"The checkpoint {version} names a file that is missing", key);
                }

                using var local = new ParquetFileReader(localPath);
                read(local);
                return;
            }

            if (!_fetched.ContainsKey((store, key)))
            {
                await FetchAsync(store, key, cancellationToken);
            }

            using var stream = new MemoryStream(_fetched[(store, key)], writable: false);
            if (!keep)
            {
                _fetched.Remove((store, key));
            }

            using var file = new ParquetFileReader(stream);
            read(file);
        }
        catch (Exception e) when (e is ParquetException or InvalidCastException or IndexOutOfRangeException or ArgumentException or OverflowException)
        {
            throw LakeException.FormatInvalid($"The checkpoint {version} is unreadable: {e.Message}", key, e);
        }
    }

    private void ReadHeader(ParquetFileReader reader)
    {
        var columns = new CheckpointColumns(reader);
        for (int g = 0; g < reader.FileMetaData.NumRowGroups; g++)
        {
            using RowGroupReader group = reader.RowGroup(g);
            ReadProtocol(columns, group);
            ReadMetadata(columns, group);
            if (columns.Read(group, "sidecar.path") is { } sidecars)
            {
                for (int i = 0, value = 0; i < sidecars.Def.Length; i++)
                {
                    if (sidecars.Def[i] == sidecars.MaxDef)
                    {
                        _sidecars.Add(sidecars.Text(value++));
                    }
                }
            }
        }
    }

    private void ReadProtocol(CheckpointColumns columns, RowGroupReader group)
    {
        // Presence is told by the key leaf: some writers emit structs whose every field is null.
        if (columns.Read(group, "protocol.minReaderVersion") is not { } minReader || minReader.Longs.IsEmpty)
        {
            return;
        }

        CheckSingle("protocol", minReader.Longs.Length, Protocol is not null);
        int row = PresentRow(minReader);
        Protocol = new ProtocolAction(
            checked((int)minReader.Longs[0]),
            columns.Read(group, "protocol.minWriterVersion") is { Longs: [var writer, ..] } ? checked((int)writer) : 1,
            columns.ReadList(group, "protocol.readerFeatures", row),
            columns.ReadList(group, "protocol.writerFeatures", row));
    }

    private void ReadMetadata(CheckpointColumns columns, RowGroupReader group)
    {
        if (columns.Read(group, "metaData.id") is not { } id || PresentRow(id) is var row && row < 0)
        {
            return;
        }

        CheckSingle("metaData", id.Def.Count(id.MaxDef), Metadata is not null);
        Metadata = new MetadataAction
        {
            Id = id.Text(0),
            Provider = columns.ReadText(group, "metaData.format.provider") ?? "parquet",
            SchemaString = columns.ReadText(group, "metaData.schemaString"),
            PartitionColumns = columns.ReadList(group, "metaData.partitionColumns", row) ?? [],
            Configuration = columns.ReadMap(group, "metaData.configuration", row),
        };
    }

    // A state has exactly one of each (Delta PROTOCOL.md, "Action Reconciliation").
    private void CheckSingle(string action, int count, bool known)
    {
        if (count != 1 || known)
        {
            throw LakeException.FormatInvalid($"The checkpoint {version} holds more than one {action} action", root.Location);
        }
    }

    private static int PresentRow(ParquetLeaf leaf) => leaf.Def.IndexOf(leaf.MaxDef);
}

/// <summary>Finds the leaves of a checkpoint by their dotted names, whatever its lists and maps are called inside.</summary>
internal sealed class CheckpointColumns
{
    private readonly List<(string Path, int Index)> _leaves = [];

    public CheckpointColumns(ParquetFileReader reader)
    {
        for (int i = 0; i < reader.FileMetaData.Schema.NumColumns; i++)
        {
            _leaves.Add((reader.FileMetaData.Schema.Column(i).Path.ToDotString(), i));
        }
    }

    /// <summary>Leaves below a group: what follows the group's name, and the column.</summary>
    public IEnumerable<(string Name, int Index)> Below(string group) => _leaves
        .Where(l => l.Path.StartsWith(group + ".", StringComparison.Ordinal)).Select(l => (l.Path[(group.Length + 1)..], l.Index));

    public ParquetLeaf? Read(RowGroupReader group, string path)
    {
        int at = _leaves.FindIndex(l => l.Path == path);
        return at < 0 ? null : ParquetLeaf.Read(group, _leaves[at].Index);
    }

    /// <summary>The only value of a column, or null.</summary>
    public string? ReadText(RowGroupReader group, string path) => Read(group, path) is { } leaf && leaf.Def.Contains(leaf.MaxDef) ? leaf.Text(0) : null;

    /// <summary>The list of one row; null for a null list.</summary>
    public List<string>? ReadList(RowGroupReader group, string path, int row)
    {
        if (Below(path).Select(l => ParquetLeaf.Read(group, l.Index)).FirstOrDefault() is not { } leaf)
        {
            return null;
        }

        // An empty list is defined one level deeper than a null one: all nodes above the repeated one.
        int emptyLevel = leaf.MaxDef - (ElementIsOptional(group, path) ? 2 : 1);
        List<string>? list = null;
        foreach ((int at, int value, bool present) in Entries(leaf, row))
        {
            list ??= leaf.Def[at] >= emptyLevel ? [] : null;
            if (present)
            {
                list!.Add(leaf.Text(value));
            }
        }

        return list;
    }

    /// <summary>The map of one row, entries with null values left out.</summary>
    public Dictionary<string, string> ReadMap(RowGroupReader group, string path, int row)
    {
        var map = new Dictionary<string, string>(StringComparer.Ordinal);
        ParquetLeaf[] leaves = [.. Below(path).Select(l => ParquetLeaf.Read(group, l.Index))];
        if (leaves.Length < 2)
        {
            return map;
        }

        foreach (((_, int key, bool hasKey), (_, int value, bool hasValue)) in Entries(leaves[0], row).Zip(Entries(leaves[1], row)))
        {
            if (hasKey && hasValue)
            {
                map[leaves[0].Text(key)] = leaves[1].Text(value);
            }
        }

        return map;
    }

    private static IEnumerable<(int At, int Value, bool Present)> Entries(ParquetLeaf leaf, int row)
    {
        int current = -1;
        int value = 0;
        for (int i = 0; i < leaf.Def.Length; i++)
        {
            current += leaf.MaxRep == 0 || leaf.Rep[i] == 0 ? 1 : 0;
            bool present = leaf.Def[i] == leaf.MaxDef;
            if (current == row)
            {
                yield return (i, value, present);
            }

            value += present ? 1 : 0;
        }
    }

    private bool ElementIsOptional(RowGroupReader group, string path)
    {
        int index = _leaves.Find(l => l.Path.StartsWith(path + ".", StringComparison.Ordinal)).Index;
        using ColumnReader column = group.Column(index);
        using var node = column.ColumnDescriptor.SchemaNode;
        return node.Repetition == Repetition.Optional;
    }
}
