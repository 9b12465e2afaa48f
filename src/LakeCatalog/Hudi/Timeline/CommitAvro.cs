using LakeHolo.LakeCatalog.Hudi.FileSlices;

namespace LakeHolo.LakeCatalog.Hudi.Timeline;

/// <summary>The Avro forms of commits and plans.</summary>
internal static class CommitAvro
{
    /// <summary>A completed commit, delta commit or replace commit of layout 2.</summary>
    public static CommitMetadata ReadCommit(ReadOnlySpan<byte> container, string path)
    {
        Dictionary<string, object?> root = Single(container, path);
        var writes = new List<WriteStat>();
        foreach ((string partition, object? stats) in Map(root, "partitionToWriteStats"))
        {
            foreach (Dictionary<string, object?> stat in Records(stats))
            {
                writes.Add(new WriteStat(partition, Text(stat, "fileId") ?? "", Text(stat, "path") ?? "", Number(stat, "numWrites"), Number(stat, "fileSizeInBytes")));
            }
        }

        var replaced = new List<(string, string)>();
        foreach ((string partition, object? ids) in Map(root, "partitionToReplaceFileIds"))
        {
            replaced.AddRange((ids as List<object?> ?? []).OfType<string>().Select(id => (partition, id)));
        }

        var extra = Map(root, "extraMetadata");
        return new CommitMetadata
        {
            Operation = Text(root, "operationType") ?? "",
            Schema = Text(extra, "schema"),
            LatestSchema = Text(extra, "latestSchema"),
            Writes = writes,
            Replaced = replaced,
        };
    }

    /// <summary>The file groups of a compaction plan.</summary>
    public static IReadOnlyList<(string Partition, string FileId)> ReadPlan(ReadOnlySpan<byte> container, string path)
        => [.. Records(Single(container, path).GetValueOrDefault("operations")).Select(o => (Text(o, "partitionPath") ?? "", Text(o, "fileId") ?? ""))];

    private static Dictionary<string, object?> Single(ReadOnlySpan<byte> container, string path)
        => container.StartsWith("Obj\u0001"u8) && AvroRecords.Read(container, path) is [var record]
            ? record
            : throw LakeException.FormatInvalid("Expected an Avro container with one record", path);

    private static Dictionary<string, object?> Map(Dictionary<string, object?> record, string name) => record.GetValueOrDefault(name) as Dictionary<string, object?> ?? [];

    private static IEnumerable<Dictionary<string, object?>> Records(object? list) => (list as List<object?> ?? []).OfType<Dictionary<string, object?>>();

    private static string? Text(Dictionary<string, object?> record, string name) => record.GetValueOrDefault(name) as string;

    private static long Number(Dictionary<string, object?> record, string name) => record.GetValueOrDefault(name) as long? ?? 0;
}
