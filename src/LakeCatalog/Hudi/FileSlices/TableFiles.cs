using LakeHolo.LakeCatalog.Hudi.Metadata;
using LakeHolo.LakeCatalog.Hudi.Timeline;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Hudi.FileSlices;

/// <summary>Finds a table's data files: by its metadata table where it has one that can be trusted, else by listing its folders.</summary>
internal sealed class TableFiles(LakeTable table, HudiProperties properties)
{
    private readonly TableRoot _root = table.Root;

    /// <summary>Files by file group, and the metadata table if it was used.</summary>
    public async ValueTask<(Dictionary<(string, string), List<HudiFile>> Groups, MetadataTable? Metadata)> ListAsync(
        HudiTimeline timeline, MetadataTableCache known, CancellationToken cancellationToken)
    {
        return await TryReadAsync(timeline, known, cancellationToken) is var (metadata, files)
            ? (Group(files), metadata)
            : (await ListGroupsAsync(cancellationToken), null);
    }

    /// <summary>Files by file group, found by listing.</summary>
    public async ValueTask<Dictionary<(string, string), List<HudiFile>>> ListGroupsAsync(CancellationToken cancellationToken)
        => Group(await ListFoldersAsync(cancellationToken));

    // A metadata table that cannot be read is no reason not to read the table: nothing is in it that listing does not give.
    private async ValueTask<(MetadataTable Table, IReadOnlyList<(string, string, long)> Files)?> TryReadAsync(
        HudiTimeline timeline, MetadataTableCache known, CancellationToken cancellationToken)
    {
        try
        {
            return await MetadataTable.TryOpenAsync(_root, properties, timeline, known, cancellationToken) is { } metadata
                ? (metadata, await metadata.ListFilesAsync(cancellationToken))
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

            files.Add(new HudiFile(path, size, name.Instant, name.LogVersion, name.WriteToken, name.IsLog ? "" : name.Extension));
        }

        return groups;
    }

    private async ValueTask<List<(string Partition, string Name, long Size)>> ListFoldersAsync(CancellationToken cancellationToken)
    {
        var files = new List<(string Folder, string Name, long Size)>();
        var partitions = new HashSet<string>(StringComparer.Ordinal);
        await foreach (ObjectEntry entry in EntriesAsync(cancellationToken))
        {
            string path = entry.Key[_root.Prefix.Length..];
            if (!path.Contains("/.hoodie/", StringComparison.Ordinal))
            {
                int slash = path.LastIndexOf('/');
                string folder = slash < 0 ? "" : path[..slash];
                files.Add((folder, entry.Name, entry.SizeBytes));
                if (entry.Name.StartsWith(".hoodie_partition_metadata", StringComparison.Ordinal))
                {
                    partitions.Add(folder);
                }
            }
        }

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

    private async IAsyncEnumerable<ObjectEntry> EntriesAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
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
