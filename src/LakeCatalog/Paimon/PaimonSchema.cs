using System.Globalization;
using System.Text.Json;

namespace LakeHolo.LakeCatalog.Paimon;

/// <summary>One schema of a table: <c>schema/schema-N</c>.</summary>
public sealed record PaimonSchema
{
    /// <summary>Newest version of the file's own layout that this reader knows.</summary>
    private const int NewestVersion = 3;

    /// <summary>Id, the file's suffix.</summary>
    public required long Id { get; init; }

    /// <summary>Version of the file's layout; 1 up to Paimon 0.7, 2 in 0.8, 3 since.</summary>
    public required int Version { get; init; }

    /// <summary>The columns, in order.</summary>
    public required IReadOnlyList<PaimonField> Fields { get; init; }

    /// <summary>Partition columns, in order.</summary>
    public required IReadOnlyList<string> PartitionKeys { get; init; }

    /// <summary>Primary key columns, in order; empty for an append table.</summary>
    public required IReadOnlyList<string> PrimaryKeys { get; init; }

    /// <summary>Options as stored, with the defaults that old versions had filled in.</summary>
    public required IReadOnlyDictionary<string, string> Options { get; init; }

    /// <summary>Comment of the table, or null.</summary>
    public string? Comment { get; init; }

    /// <summary>When it was made, milliseconds since 1970; 0 if not told.</summary>
    public long TimeMillis { get; init; }

    /// <summary>Primary key columns that are no partition columns: what identifies a row within its partition.</summary>
    public IReadOnlyList<string> TrimmedPrimaryKeys => [.. PrimaryKeys.Where(k => !PartitionKeys.Contains(k))];

    /// <summary>The column of a name.</summary>
    /// <exception cref="LakeException">FormatInvalid if there is none.</exception>
    public PaimonField Field(string name) => Fields.FirstOrDefault(f => f.Name == name)
        ?? throw LakeException.FormatInvalid($"Schema {Id} has no column '{name}'");

    /// <summary>Refuses columns whose names differ from others of this schema in case only: in its files the engine would take the first of them.</summary>
    /// <param name="ids">Ids of the columns wanted.</param>
    /// <param name="path">One of the files.</param>
    /// <exception cref="LakeException">FeatureUnsupported, naming the column.</exception>
    public void CheckNamesOf(IReadOnlySet<int> ids, string path)
    {
        if (Fields.FirstOrDefault(f => ids.Contains(f.Id) && Fields.Any(o => o.Id != f.Id && string.Equals(o.Name, f.Name, StringComparison.OrdinalIgnoreCase))) is PaimonField clash)
        {
            throw LakeException.FeatureUnsupported($"The column '{clash.Name}' of a file's schema is not supported: it differs from another one there in case only", path);
        }
    }

    /// <summary>An option, or null.</summary>
    public string? Option(string key) => Options.GetValueOrDefault(key);

    /// <summary>A boolean option.</summary>
    public bool Flag(string key) => string.Equals(Option(key)?.Trim(), "true", StringComparison.OrdinalIgnoreCase);

    internal static PaimonSchema Parse(ReadOnlyMemory<byte> content, long id, string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(content, new JsonDocumentOptions { MaxDepth = 128 });
            return Parse(document.RootElement, id, path);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw LakeException.FormatInvalid("The schema file is not JSON", path, e);
        }
    }

    private static PaimonSchema Parse(JsonElement root, long id, string path)
    {
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("fields", out JsonElement fields) || fields.ValueKind != JsonValueKind.Array)
        {
            throw LakeException.FormatInvalid("The schema file has no fields", path);
        }

        int version = root.TryGetProperty("version", out JsonElement v) && v.TryGetInt32(out int number) ? number : 1;
        if (version is < 1 or > NewestVersion)
        {
            throw LakeException.FeatureUnsupported(
                string.Create(CultureInfo.InvariantCulture, $"Paimon schema version {version} is not supported, only 1 to {NewestVersion}"), path);
        }

        Dictionary<string, string> options = [];
        if (root.TryGetProperty("options", out JsonElement members) && members.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty member in members.EnumerateObject())
            {
                options[member.Name] = member.Value.ValueKind == JsonValueKind.String ? member.Value.GetString()! : member.Value.GetRawText();
            }
        }

        // Defaults have changed since; old files are read with the ones of their time.
        if (version == 1)
        {
            options.TryAdd("bucket", "1");
        }

        if (version < 3)
        {
            options.TryAdd("file.format", "orc");
        }

        return new PaimonSchema
        {
            Id = id,
            Version = version,
            Fields = [.. fields.EnumerateArray().Select((f, i) => PaimonTypeParser.ParseField(f, i, path))],
            PartitionKeys = Names(root, "partitionKeys"),
            PrimaryKeys = Names(root, "primaryKeys"),
            Options = options,
            Comment = root.TryGetProperty("comment", out JsonElement comment) && comment.ValueKind == JsonValueKind.String ? comment.GetString() : null,
            TimeMillis = root.TryGetProperty("timeMillis", out JsonElement time) && time.TryGetInt64(out long millis) ? millis : 0,
        };
    }

    private static List<string> Names(JsonElement root, string member) =>
        root.TryGetProperty(member, out JsonElement list) && list.ValueKind == JsonValueKind.Array
            ? [.. list.EnumerateArray().Where(e => e.ValueKind == JsonValueKind.String).Select(e => e.GetString()!)]
            : [];
}
