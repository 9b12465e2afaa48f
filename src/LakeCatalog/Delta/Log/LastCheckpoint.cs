using System.Text.Json;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Delta.Log;

/// <summary>Reads the hint <c>_last_checkpoint</c>: where a listing may start, and nothing else.</summary>
internal static class LastCheckpoint
{
    private const int MaxSizeBytes = 64 << 20;

    /// <summary>The version, or null if the hint is missing or damaged: the log is then listed from its beginning, with the same outcome.</summary>
    public static async ValueTask<long?> ReadVersionAsync(TableRoot root, CancellationToken cancellationToken)
    {
        try
        {
            return Parse(await root.Store.ReadAsync(root.Key("_delta_log/_last_checkpoint"), MaxSizeBytes, cancellationToken));
        }
        catch (LakeException e) when (e.Kind is LakeErrorKind.NotFound or LakeErrorKind.ResourcesExhausted or LakeErrorKind.FormatInvalid)
        {
            return null;
        }
    }

    /// <summary>The version that the hint's bytes name, or null.</summary>
    public static long? Parse(ReadOnlyMemory<byte> utf8)
    {
        try
        {
            using var document = JsonDocument.Parse(utf8, new JsonDocumentOptions { MaxDepth = 512 });
            return document.RootElement.ValueKind == JsonValueKind.Object
                && document.RootElement.TryGetProperty("version", out JsonElement version)
                && version.ValueKind == JsonValueKind.Number && version.TryGetInt64(out long value) && value >= 0 ? value : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
