using System.Text.Json;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Delta.Log;

/// <summary>The checksum file of a version (<c>V.crc</c>, one JSON object). Of what it repeats of the log only the commit's time is asked for, where the commit
/// itself is gone; everything else is in the files that are read anyway.</summary>
internal static class VersionChecksum
{
    private const int MaxSizeBytes = 64 << 20;

    /// <summary>The in-commit timestamp in milliseconds, or null if the file is missing, damaged or does not tell it.</summary>
    public static async ValueTask<long?> ReadTimeAsync(TableRoot root, long version, CancellationToken cancellationToken)
    {
        try
        {
            string key = root.Key("_delta_log/" + LogFileName.Commit(version)[..20] + ".crc");
            return ParseTime(await root.Store.ReadAsync(key, MaxSizeBytes, cancellationToken));
        }
        catch (LakeException e) when (e.Kind is LakeErrorKind.NotFound or LakeErrorKind.ResourcesExhausted or LakeErrorKind.FormatInvalid)
        {
            return null;
        }
    }

    /// <summary>The in-commit timestamp that the file's bytes tell, or null.</summary>
    public static long? ParseTime(ReadOnlyMemory<byte> utf8)
    {
        try
        {
            using var document = JsonDocument.Parse(utf8, new JsonDocumentOptions { MaxDepth = 512 });
            JsonElement root = document.RootElement;
            return root.ValueKind == JsonValueKind.Object && IsOne(root, "numMetadata") && IsOne(root, "numProtocol")
                && root.TryGetProperty("inCommitTimestampOpt", out JsonElement time) && time.ValueKind == JsonValueKind.Number
                && time.TryGetInt64(out long millis) ? millis : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    // Files that say otherwise are malformed, and count as missing.
    private static bool IsOne(JsonElement root, string name) =>
        root.TryGetProperty(name, out JsonElement count) && count.ValueKind == JsonValueKind.Number && count.TryGetInt64(out long value) && value == 1;
}
