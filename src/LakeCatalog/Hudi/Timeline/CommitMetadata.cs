using System.Text.Json;

namespace LakeHolo.LakeCatalog.Hudi.Timeline;

/// <summary>What a completed commit tells a reader, from its JSON (layout 1) or Avro (layout 2) form.</summary>
public sealed record CommitMetadata
{
    /// <summary>An empty completed file: a commit without facts.</summary>
    public static CommitMetadata Empty { get; } = new();

    /// <summary>INSERT, UPSERT, COMPACT, CLUSTER, …; empty if unknown.</summary>
    public string Operation { get; init; } = "";

    /// <summary>Avro JSON of the data schema; null or empty if the commit has none.</summary>
    public string? Schema { get; init; }

    /// <summary>The InternalSchema JSON of schema-on-read; null without.</summary>
    public string? LatestSchema { get; init; }

    /// <summary>The files written.</summary>
    public WriteStatList Writes { get; init; } = WriteStatList.Empty;

    /// <summary>File groups replaced: partition and file id.</summary>
    public IReadOnlyList<(string Partition, string FileId)> Replaced { get; init; } = [];

    /// <summary>Whether the commit rewrote rows without changing any.</summary>
    public bool KeepsRows => Operation is "COMPACT" or "CLUSTER" or "LOG_COMPACT";

    /// <summary>Whether its schema is the table's: services write that of whoever ran them (Hudi's WriteOperationType, operations that may update the schema).</summary>
    public bool TellsSchema => !KeepsRows && Operation != "INDEX" && !string.IsNullOrEmpty(Schema);

    /// <summary>Reads the JSON form.</summary>
    public static CommitMetadata ParseJson(ReadOnlyMemory<byte> utf8, string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(utf8, new JsonDocumentOptions { MaxDepth = 64 });
            JsonElement root = document.RootElement;
            var writes = new WriteStatList.Builder();
            foreach (JsonProperty partition in Members(root, "partitionToWriteStats"))
            {
                foreach (JsonElement stat in partition.Value.EnumerateArray())
                {
                    writes.Add(new WriteStat(
                        partition.Name, Text(stat, "fileId") ?? "", Text(stat, "path") ?? "", Long(stat, "numWrites"), Long(stat, "fileSizeInBytes"),
                        [.. Members(stat, "cdcStats").Select(c => (c.Name, c.Value.TryGetInt64(out long size) ? size : 0))]));
                }
            }

            var replaced = new List<(string, string)>();
            foreach (JsonProperty partition in Members(root, "partitionToReplaceFileIds"))
            {
                replaced.AddRange(partition.Value.EnumerateArray().Select(id => (partition.Name, id.GetString() ?? "")));
            }

            JsonElement extra = root.TryGetProperty("extraMetadata", out JsonElement e) && e.ValueKind == JsonValueKind.Object ? e : default;
            return new CommitMetadata
            {
                Operation = Text(root, "operationType") ?? "",
                Schema = Text(extra, "schema"),
                LatestSchema = Text(extra, "latestSchema"),
                Writes = writes.Build(),
                Replaced = replaced,
            };
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw LakeException.FormatInvalid("A completed commit is not the JSON it should be: " + error.Message, path, error);
        }
    }

    private static IEnumerable<JsonProperty> Members(JsonElement element, string name) =>
        element.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Object ? value.EnumerateObject() : Enumerable.Empty<JsonProperty>();

    private static string? Text(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()
            : null;

    private static long Long(JsonElement element, string name) =>
        element.TryGetProperty(name, out JsonElement value) && value.TryGetInt64(out long number) ? number : 0;
}

/// <summary>One file that a commit wrote.</summary>
/// <param name="Partition">Partition path.</param>
/// <param name="FileId">File group.</param>
/// <param name="Path">Relative to the table's root; empty if the writer recorded none.</param>
/// <param name="RowCount">Rows written.</param>
/// <param name="SizeBytes">Size as recorded.</param>
/// <param name="ChangeLogs">Change logs written with it: paths relative to the table's root, and sizes.</param>
public readonly record struct WriteStat(string Partition, string FileId, string Path, long RowCount, long SizeBytes, IReadOnlyList<(string Path, long SizeBytes)> ChangeLogs);

/// <summary>What a completed clean removed.</summary>
/// <param name="EarliestRetained">The oldest commit whose state the cleaner kept whole; null where it counts versions of files.</param>
/// <param name="Deleted">Partition paths and names of the removed files.</param>
public sealed record CleanMetadata(string? EarliestRetained, IReadOnlyList<(string Partition, string Name)> Deleted);
