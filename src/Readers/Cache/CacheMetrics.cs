using System.Diagnostics.Metrics;

namespace LakeHolo.Readers.Cache;

/// <summary>What is counted of the disk cache.</summary>
internal static class CacheMetrics
{
    private static readonly Meter Meter = new("LakeHolo.Readers");

    public static readonly Counter<long> Requests =
        Meter.CreateCounter<long>("lakeholo.cache.requests", "{request}", "Requests to remote storage for files of tables");

    public static readonly Counter<long> FetchedBytes = Meter.CreateCounter<long>("lakeholo.cache.fetched", "By", "Bytes fetched from remote storage");

    public static readonly Counter<long> Hits = Meter.CreateCounter<long>("lakeholo.cache.hits", "{file}", "Opened files of which nothing had to be made");

    public static readonly Counter<long> Misses = Meter.CreateCounter<long>("lakeholo.cache.misses", "{file}", "Opened files that were fetched or decoded");

    public static readonly Counter<long> EvictedBytes = Meter.CreateCounter<long>("lakeholo.cache.evicted", "By", "Bytes dropped to stay within the budget");
}

/// <summary>Counts of one cache since it was opened.</summary>
/// <param name="Requests">Requests to remote storage.</param>
/// <param name="FetchedBytes">Bytes fetched from there.</param>
/// <param name="Hits">Opened files of which nothing had to be made.</param>
/// <param name="Misses">Opened files that were fetched, in part or whole, or decoded.</param>
/// <param name="EvictedBytes">Bytes dropped to stay within the budget.</param>
/// <param name="SizeBytes">Bytes on disk now.</param>
public sealed record CacheCounts(long Requests, long FetchedBytes, long Hits, long Misses, long EvictedBytes, long SizeBytes);
