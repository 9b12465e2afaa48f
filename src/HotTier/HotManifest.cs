using System.Text.Json;
using System.Text.Json.Serialization;
using LakeHolo.Accelerator.Queries;
using LakeHolo.Accelerator.Sources;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.HotTier;

/// <summary>What is written down of a hot copy: the line of the manifest that makes it visible. What it holds is said by its own <see cref="HotStamp"/>.</summary>
internal sealed record HotCopyRecord
{
    /// <summary>Source of the table.</summary>
    public required string Source { get; init; }

    /// <summary>Schema of the table.</summary>
    public required string Schema { get; init; }

    /// <summary>Name of the table.</summary>
    public required string Name { get; init; }

    /// <summary>Where the table lives; a table of the same name elsewhere is another one.</summary>
    public required string Location { get; init; }

    /// <summary>File name of the copy's database, in the tier's folder.</summary>
    public required string File { get; init; }

    /// <summary>When the generation was built.</summary>
    public required DateTimeOffset BuiltAt { get; init; }

    /// <summary>What was asked to be promoted.</summary>
    public PromotionSpec Promotion { get; init; } = PromotionSpec.Whole;

    /// <summary>The query that it is a copy of; null for a table of the lake.</summary>
    public PromotedQuery? Query { get; init; }

    /// <summary>Verification found that it does not hold what the lake does: it answers nothing and is built anew.</summary>
    public bool Quarantined { get; init; }

    /// <summary>Name of the table in full.</summary>
    [JsonIgnore]
    public string FullName => $"{Source}.{Schema}.{Name}";
}

/// <summary>The list of hot copies on disk: <c>hot.json</c>, replaced whole (written beside it, flushed, renamed), so that after a crash at any moment
/// it is the old or the new one. A database file that it does not name is left over from a crash.</summary>
internal static class HotManifest
{
    private const string FileName = "hot.json";
    private const int CurrentVersion = 1;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    /// <summary>Reads the list; empty if there is none yet.</summary>
    /// <exception cref="LakeException">FormatInvalid: the file cannot be understood; nothing is deleted then.</exception>
    public static IReadOnlyList<HotCopyRecord> Read(string directory)
    {
        string path = Path.Combine(directory, FileName);
        if (!File.Exists(path))
        {
            return [];
        }

        try
        {
            Content content = JsonSerializer.Deserialize<Content>(File.ReadAllBytes(path), Json)
                ?? throw LakeException.FormatInvalid("The list of hot copies is empty", path);
            return content.Version == CurrentVersion
                ? content.Copies
                : throw LakeException.FormatInvalid($"The list of hot copies has version {content.Version}; this program knows {CurrentVersion}", path);
        }
        catch (JsonException e)
        {
            throw LakeException.FormatInvalid($"The list of hot copies is no valid JSON ({e.Message}); delete the folder to begin anew", path, e);
        }
    }

    /// <summary>Replaces the list.</summary>
    public static void Write(string directory, IReadOnlyList<HotCopyRecord> copies)
    {
        string path = Path.Combine(directory, FileName);
        string temporary = path + ".new";
        using (var stream = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None))
        {
            JsonSerializer.Serialize(stream, new Content(CurrentVersion, copies), Json);
            stream.Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: true);
    }

    private sealed record Content(int Version, IReadOnlyList<HotCopyRecord> Copies);
}
