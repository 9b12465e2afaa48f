using System.Text.Json;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Hudi.Metadata;

/// <summary>What the file of index definitions (<c>.hoodie/.index_defs/index.json</c>) says about statistics of columns.</summary>
/// <param name="Names">The columns that statistics are kept for; null if nothing is said.</param>
internal sealed record IndexDefinitions(IReadOnlySet<string>? Names)
{
    /// <summary>Reads the definitions.</summary>
    /// <exception cref="LakeException">FeatureUnsupported for a version of the index other than V1 and V2; FormatInvalid for broken JSON.</exception>
    public static async ValueTask<IndexDefinitions> ReadAsync(TableRoot table, string path, CancellationToken cancellationToken)
    {
        string key = table.Key(path);
        if (await table.Store.HeadAsync(key, cancellationToken) is not { SizeBytes: > 0 })
        {
            return new IndexDefinitions((IReadOnlySet<string>?)null);
        }

        return Parse(await table.Store.ReadAsync(key, maxSizeBytes: 1 << 24, cancellationToken), key);
    }

    internal static IndexDefinitions Parse(ReadOnlyMemory<byte> json, string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            JsonElement all = document.RootElement.GetProperty("indexDefinitions");
            // Statistics of partitions are kept for the columns of those of files.
            if (!all.TryGetProperty("column_stats", out JsonElement definition) && !all.TryGetProperty("partition_stats", out definition))
            {
                return new IndexDefinitions((IReadOnlySet<string>?)null);
            }

            string? version = definition.TryGetProperty("version", out JsonElement v) ? v.GetString() : null;
            return version is null or "V1" or "V2"
                ? new IndexDefinitions(definition.GetProperty("sourceFields").EnumerateArray().Select(f => f.GetString()!).ToHashSet(StringComparer.Ordinal))
                : throw LakeException.FeatureUnsupported($"Hudi: version {version} of the index column_stats is not supported", path);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw LakeException.FormatInvalid("Hudi: the index definitions are malformed: " + error.Message, path, error);
        }
    }
}
