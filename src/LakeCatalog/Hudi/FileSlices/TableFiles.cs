using LakeHolo.LakeCatalog.Hudi.Metadata;
using LakeHolo.LakeCatalog.Hudi.Timeline;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Hudi.FileSlices;

/// <summary>Finds a table's data files: by its metadata table where it has one that can be trusted, else by listing its folders.</summary>
internal sealed class TableFiles(LakeTable table, HudiProperties properties)
{
    private const string Marker = ".hoodie_partition_metadata";
    private const int MaxConcurrentListings = 16;
    private readonly TableRoot _root = table.Root;

    /// <summary>Whether the folders were listed, and partitions told by their markers.</summary>
    public bool HasMarkers { get; private set; }

    /// <summary>Files by file group, and the metadata table if it was used.</summary>
    public async ValueTask<(Dictionary<(string, string), List<HudiFile>> Groups, MetadataTable? Metadata)> ListAsync(
        HudiTimeline timeline, MetadataTableCache known, CancellationToken cancellationToken)
    {
        return await TryReadAsync(timeline, null, known, cancellationToken) is var (metadata, files)
            ? (Group(files), metadata)
            : (Group(await ListFoldersAsync(cancellationToken)), null);
    }

    /// <summary>The files of some partitions; null where only all folders together tell them.</summary>
    /// <param name="partitions">The partitions.</param>
    /// <param name="slices">What is known of the table.</param>
    /// <param name="hadMarkers">Whether its partitions were told by their markers.</param>
    /// <param name="timeline">The timeline.</param>
    /// <param name="known">Decoded log files of the metadata table.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    public async ValueTask<(Dictionary<(string, string), List<HudiFile>> Groups, MetadataTable? Metadata)?> TryListAsync(
        IReadOnlySet<string> partitions, SliceList slices, bool hadMarkers, HudiTimeline timeline, MetadataTableCache known, CancellationToken cancellationToken)
    {
        if (await TryReadAsync(timeline, partitions, known, cancellationToken) is var (metadata, recorded))
        {
            return (Group(recorded), metadata);
        }

        // A marker above others makes them no partitions.
        HasMarkers = hadMarkers;
        var others = slices.Blocks.Select(b => b.Partition).ToHashSet(StringComparer.Ordinal);
        if (!hadMarkers || partitions.Any(p => !others.Contains(p) && (p.Length == 0 || p.Contains('/', StringComparison.Ordinal) || others.Any(o => o.Length == 0 || o.StartsWith(p + "/", StringComparison.Ordinal)))))
        {
            return null;
        }

        var files = new List<(string, string, long)>();
        foreach (string partition in partitions)
        {
            bool isMarked = false;
            await foreach (ObjectEntry entry in _root.Store.ListAsync(_root.Key(partition.Length == 0 ? "" : partition + "/"), recursive: false, cancellationToken: cancellationToken))
            {
                isMarked |= entry.Name.StartsWith(Marker, StringComparison.Ordinal);
                if (!entry.IsFolder)
                {
                    files.Add((partition, entry.Name, entry.SizeBytes));
                }
            }

            if (!isMarked)
            {
                return null;
            }
        }

        return (Group(files), null);
    }

    // A metadata table that cannot be read is no reason not to read the table: nothing is in it that listing does not give.
    private async ValueTask<(MetadataTable Table, IReadOnlyList<(string, string, long)> Files)?> TryReadAsync(
        HudiTimeline timeline, IReadOnlySet<string>? partitions, MetadataTableCache known, CancellationToken cancellationToken)
    {
        try
        {
            return await MetadataTable.TryOpenAsync(_root, properties, timeline, known, cancellationToken) is { } metadata
                ? (metadata, await metadata.ListFilesAsync(partitions, cancellationToken))
                : null;
        }
        catch (LakeException error) when (error.Kind is LakeErrorKind.NotFound or LakeErrorKind.FormatInvalid or LakeErrorKind.FeatureUnsupported)
        {
            return null;
        }
    }

    private Dictionary<(string, string), List<HudiFile>> Group(IEnumerable<(string Partition, string Name, long Size)> found)
    {
        var groups = new Dictionary<(string, string), List<HudiFile>>();
        foreach ((string partition, string fileName, long size) in found)
        {
            string path = partition.Length == 0 ? fileName : partition + "/" + fileName;
            if (fileName.EndsWith("_hudiext", StringComparison.Ordinal))
            {
                throw LakeException.FeatureUnsupported("Hudi: external base files (_hudiext, written by Apache XTable) are not supported", _root.Location + "/" + path);
            }

            if (HudiFileName.TryParse(fileName) is not { IsCdc: false } name)
            {
                continue;
            }

            if (name is { IsLog: false, Extension: not ("parquet" or "orc") })
            {
                throw LakeException.FeatureUnsupported($"Hudi: base file format {name.Extension.ToUpperInvariant()} is not supported", _root.Location + "/" + path);
            }

            if (!groups.TryGetValue((partition, name.FileId), out List<HudiFile>? files))
            {
                groups[(partition, name.FileId)] = files = [];
            }

            files.Add(name.FileOf(partition, fileName, size));
        }

        return groups;
    }

    private async ValueTask<List<(string Partition, string Name, long Size)>> ListFoldersAsync(CancellationToken cancellationToken)
    {
        var files = new List<(string Folder, string Name, long Size)>();
        var partitions = new HashSet<string>(StringComparer.Ordinal);
        var folders = new List<string>();
        await foreach (ObjectEntry entry in _root.Store.ListAsync(_root.Prefix, recursive: false, cancellationToken: cancellationToken))
        {
            if (!entry.IsFolder)
            {
                Add(entry, files, partitions);
            }
            else if (entry.Name != ".hoodie")
            {
                folders.Add(entry.Key);
            }
        }

        var found = new (List<(string, string, long)> Files, HashSet<string> Partitions)[folders.Count];
        var options = new ParallelOptions { MaxDegreeOfParallelism = MaxConcurrentListings, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, folders.Count, options, async (i, token) =>
        {
            found[i] = ([], new HashSet<string>(StringComparer.Ordinal));
            await foreach (ObjectEntry entry in _root.Store.ListAsync(folders[i], recursive: true, cancellationToken: token))
            {
                Add(entry, found[i].Files, found[i].Partitions);
            }
        });
        foreach ((List<(string, string, long)> some, HashSet<string> marked) in found)
        {
            files.AddRange(some);
            partitions.UnionWith(marked);
        }

        HasMarkers = partitions.Count > 0;
        // Writers mark every folder of a partition; what lies in others, or below one, is not the table's.
        return partitions.Count == 0 ? files : [.. files.Where(f => partitions.Contains(f.Folder) && !Parents(f.Folder).Any(partitions.Contains))];

        static IEnumerable<string> Parents(string folder)
        {
            for (string rest = folder; rest.Length > 0;)
            {
                rest = rest[..Math.Max(0, rest.LastIndexOf('/'))];
                yield return rest;
            }
        }
    }

    private void Add(ObjectEntry entry, List<(string Folder, string Name, long Size)> files, HashSet<string> partitions)
    {
        string path = entry.Key[_root.Prefix.Length..];
        if (!path.Contains("/.hoodie/", StringComparison.Ordinal))
        {
            int slash = path.LastIndexOf('/');
            // Files come folder by folder.
            string folder = slash < 0 ? "" : files.Count > 0 && path.AsSpan(0, slash).SequenceEqual(files[^1].Folder) ? files[^1].Folder : path[..slash];
            string name = path[(slash + 1)..];
            files.Add((folder, name, entry.SizeBytes));
            if (name.StartsWith(Marker, StringComparison.Ordinal))
            {
                partitions.Add(folder);
            }
        }
    }
}
