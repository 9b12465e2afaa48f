using LakeHolo.LakeCatalog.Avro;

namespace LakeHolo.LakeCatalog.Hudi.Metadata;

/// <summary>How two records of one key in the metadata table become one.</summary>
internal static class MetadataMerge
{
    private const int AllPartitions = 1, Files = 2, ColumnStats = 3, PartitionStats = 6;

    /// <summary>A partition's (or the list of partitions') files: name to size; null marks a removed one.</summary>
    public sealed record Listing(IReadOnlyDictionary<string, long?> Files);

    /// <summary>Statistics whose parts have been put together; null where they do not fit each other, and then nothing is known until they are written anew.</summary>
    public sealed record Statistics(ColumnStatistics? Value);

    /// <summary>Merges.</summary>
    /// <param name="older">What is known so far: a record, a <see cref="Listing"/>, <see cref="Statistics"/>, or null.</param>
    /// <param name="newer">The newer record; null if the key was deleted.</param>
    public static object? Merge(object? older, AvroRecord? newer) => newer?.GetIntOrNull("type") switch
    {
        null => null,
        AllPartitions or Files => Merge(older as Listing, newer.GetMap("filesystemMetadata")),
        ColumnStats or PartitionStats => Merge(older as Statistics, ColumnStatistics.Of(newer.GetRecordOrNull("ColumnStatsMetadata"))),
        _ => newer,
    };

    private static Listing Merge(Listing? older, IReadOnlyDictionary<string, object?> entries)
    {
        var files = new Dictionary<string, long?>(StringComparer.Ordinal);
        if (older is not null)
        {
            foreach ((string name, long? size) in older.Files)
            {
                files[name] = size;
            }
        }

        foreach ((string name, object? entry) in entries)
        {
            if (entry is not AvroRecord file)
            {
                continue;
            }

            long size = file.GetLongOrNull("size") ?? 0;
            bool isKnown = files.TryGetValue(name, out long? known);
            if (file.GetBooleanOrNull("isDeleted") != true)
            {
                files[name] = known is { } other ? Math.Max(other, size) : size;
            }
            else if (known is not null)
            {
                files.Remove(name);
            }
            else if (!isKnown)
            {
                // Nothing is there to remove: the file may still be named by an older record of another writer.
                files[name] = null;
            }
        }

        return new Listing(files);
    }

    private static Statistics Merge(Statistics? older, ColumnStatistics? newer)
        => newer is null || newer.IsDeleted || newer.IsTight ? new Statistics(newer)
            : older is { Value: null } ? older
            : new Statistics(older?.Value is { IsDeleted: false } known ? known.With(newer) : newer);
}
