namespace LakeHolo.Readers.Cache;

/// <summary>Bounds of the disk cache.</summary>
public sealed record DiskCacheOptions
{
    /// <summary>Folder of the cache; created if missing. Processes that share it use a part each.</summary>
    public required string Directory { get; init; }

    /// <summary>Most bytes that are kept on disk.</summary>
    public long BudgetBytes { get; init; } = 64L << 30;

    /// <summary>Files decoded at once; 0 for one per processor.</summary>
    public int MaxConcurrentDecodes { get; init; }

    /// <summary>Remote files opened at once; each of them fetches its ranges side by side, within the store's own bound.</summary>
    public int MaxConcurrentFetches { get; init; } = 16;

    /// <summary>Memory for bytes on their way from remote storage to the disk.</summary>
    public long FetchBufferBytes { get; init; } = 256L << 20;

    /// <summary>Of smaller files everything is fetched at once: a second request would take longer than the rest of the bytes.</summary>
    public long WholeFileBytes { get; init; } = 256 << 10;

    /// <summary>For tests: how much of a file's end is asked for at first, at least.</summary>
    internal int LeastEndBytes { get; init; } = 64 << 10;

    /// <summary>For tests: a view is made wherever a row group can be left out, whether or not that saves anything.</summary>
    internal bool AlwaysViews { get; init; }

    /// <summary>For tests: how long the engine may wait for a file that is under way, where that is less than the system allows.</summary>
    internal TimeSpan MostWaiting { get; init; } = TimeSpan.MaxValue;

    /// <summary>How long the tag of a remote file is trusted before it is asked for again. Data files of tables never change under their name; one that
    /// did is noticed after this time, or as soon as more of it is fetched.</summary>
    public TimeSpan RevalidateAfter { get; init; } = TimeSpan.FromMinutes(5);
}
