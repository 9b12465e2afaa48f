using System.Globalization;
using System.Text.Json;

namespace LakeHolo.LakeCatalog.Paimon;

/// <summary>One commit of a table: <c>snapshot/snapshot-N</c>, <c>tag/tag-NAME</c> or <c>changelog/changelog-N</c>, which share one layout.</summary>
public sealed record PaimonCommit
{
    private const int NewestVersion = 3;

    /// <summary>Snapshot id.</summary>
    public required long Id { get; init; }

    /// <summary>Schema of the writer.</summary>
    public required long SchemaId { get; init; }

    /// <summary>Manifest list of every file live before the commit.</summary>
    public required string? BaseManifestList { get; init; }

    /// <summary>Manifest list of the commit's own changes.</summary>
    public required string? DeltaManifestList { get; init; }

    /// <summary>Manifest list of the commit's changelog files, or null.</summary>
    public string? ChangelogManifestList { get; init; }

    /// <summary>Complete list of index files, or null.</summary>
    public string? IndexManifest { get; init; }

    /// <summary>APPEND, COMPACT, OVERWRITE or ANALYZE.</summary>
    public required string Kind { get; init; }

    /// <summary>The writer's name.</summary>
    public string CommitUser { get; init; } = "";

    /// <summary>The writer's own number of the commit.</summary>
    public long CommitIdentifier { get; init; }

    /// <summary>Milliseconds since 1970.</summary>
    public required long TimeMillis { get; init; }

    /// <summary>Physical rows, deletions and old versions included.</summary>
    public long? TotalRecordCount { get; init; }

    /// <summary>Physical rows of the commit.</summary>
    public long? DeltaRecordCount { get; init; }

    /// <summary>Watermark in milliseconds, or null.</summary>
    public long? Watermark { get; init; }

    /// <summary>What the writer says it did, since 2.0.</summary>
    public string? Operation { get; init; }

    /// <summary>File of ANALYZE statistics, or null.</summary>
    public string? Statistics { get; init; }

    internal static PaimonCommit Parse(ReadOnlyMemory<byte> content, string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(content);
            return Parse(document.RootElement, path);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw LakeException.FormatInvalid("The snapshot file is not JSON", path, e);
        }
    }

    private static PaimonCommit Parse(JsonElement root, string path)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw LakeException.FormatInvalid("The snapshot file is not a JSON object", path);
        }

        long version = Number(root, "version") ?? 1;
        if (version is < 1 or > NewestVersion)
        {
            throw LakeException.FeatureUnsupported(
                string.Create(CultureInfo.InvariantCulture, $"Paimon snapshot version {version} is not supported, only 1 to {NewestVersion}"), path);
        }

        return new PaimonCommit
        {
            Id = Number(root, "id") ?? throw LakeException.FormatInvalid("The snapshot has no id", path),
            SchemaId = Number(root, "schemaId") ?? throw LakeException.FormatInvalid("The snapshot has no schemaId", path),
            BaseManifestList = Text(root, "baseManifestList"),
            DeltaManifestList = Text(root, "deltaManifestList"),
            ChangelogManifestList = Text(root, "changelogManifestList"),
            IndexManifest = Text(root, "indexManifest"),
            Kind = Text(root, "commitKind") ?? "APPEND",
            CommitUser = Text(root, "commitUser") ?? "",
            CommitIdentifier = Number(root, "commitIdentifier") ?? 0,
            TimeMillis = Number(root, "timeMillis") ?? 0,
            TotalRecordCount = Number(root, "totalRecordCount"),
            DeltaRecordCount = Number(root, "deltaRecordCount"),
            Watermark = Number(root, "watermark") is long watermark and not long.MinValue ? watermark : null,
            Operation = Text(root, "operation"),
            Statistics = Text(root, "statistics"),
        };
    }

    private static long? Number(JsonElement root, string name) =>
        root.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number) ? number : null;

    private static string? Text(JsonElement root, string name) =>
        root.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
