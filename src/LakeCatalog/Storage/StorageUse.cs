using System.Diagnostics;
using System.Globalization;

namespace LakeHolo.LakeCatalog.Storage;

/// <summary>What one statement takes from remote storage and from the disk cache, and its bounds. It flows with the calls: whoever sets
/// <see cref="Current"/> sees what all that it then calls takes.</summary>
public sealed class StorageUse
{
    private static readonly AsyncLocal<StorageUse?> CurrentUse = new();

    private long _requests;
    private long _bytes;
    private long _cachedBytes;
    private long _fetchTicks;
    private long _mergeTicks;

    /// <summary>The statement that the running code works for; null for none.</summary>
    public static StorageUse? Current
    {
        get => CurrentUse.Value;
        set => CurrentUse.Value = value;
    }

    /// <summary>Most requests; null for no bound.</summary>
    public long? MaxRequests { get; init; }

    /// <summary>Most bytes from storage; null for no bound.</summary>
    public long? MaxBytes { get; init; }

    /// <summary>Requests sent, repeated ones included.</summary>
    public long Requests => Interlocked.Read(ref _requests);

    /// <summary>Bytes of objects received.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>Bytes that were needed and lay in the disk cache.</summary>
    public long CachedBytes => Interlocked.Read(ref _cachedBytes);

    /// <summary>Time in which files were opened: fetched, decoded, or found in the cache.</summary>
    public TimeSpan Fetching => Stopwatch.GetElapsedTime(0, Interlocked.Read(ref _fetchTicks));

    /// <summary>Time in which rows were merged by key, without that of fetching them.</summary>
    public TimeSpan Merging => Stopwatch.GetElapsedTime(0, Interlocked.Read(ref _mergeTicks));

    /// <summary>Whether there is a bound.</summary>
    public bool IsBounded => MaxRequests is not null || MaxBytes is not null;

    /// <summary>Fails if what is about to be fetched goes beyond the bounds, before any of it is.</summary>
    /// <param name="requests">Requests that are needed yet.</param>
    /// <param name="bytes">Bytes that are needed yet.</param>
    /// <param name="files">From how many files.</param>
    /// <exception cref="LakeException">ResourcesExhausted: says what the statement would have needed.</exception>
    public void CheckNeeds(long requests, long bytes, int files)
    {
        if (Requests + requests > MaxRequests || Bytes + bytes > MaxBytes)
        {
            throw Exceeded(string.Create(
                CultureInfo.InvariantCulture,
                $"needs {Bytes + bytes} bytes in {Requests + requests} requests ({bytes} bytes in {requests} requests of them for {files} files that are opened now)"));
        }
    }

    /// <summary>Takes the time of opening files until it is disposed.</summary>
    public static IDisposable? MeasureFetching() => Current is { } use ? new Measured(use, isMerge: false) : null;

    /// <summary>Takes the time of merging until it is disposed.</summary>
    public static IDisposable? MeasureMerging() => Current is { } use ? new Measured(use, isMerge: true) : null;

    /// <summary>Counts bytes that were there already.</summary>
    public void CountCached(long bytes) => Interlocked.Add(ref _cachedBytes, bytes);

    /// <summary>Counts what was taken for this statement under another name.</summary>
    public void Add(StorageUse other)
    {
        Interlocked.Add(ref _requests, other.Requests);
        Interlocked.Add(ref _bytes, other.Bytes);
        Interlocked.Add(ref _cachedBytes, other.CachedBytes);
        Interlocked.Add(ref _fetchTicks, Interlocked.Read(ref other._fetchTicks));
    }

    internal void BeginRequest()
    {
        if (Interlocked.Increment(ref _requests) > MaxRequests || Bytes > MaxBytes)
        {
            throw Exceeded(string.Create(CultureInfo.InvariantCulture, $"has taken {Bytes} bytes in {Requests - 1} requests and needs more"));
        }
    }

    internal void Received(long bytes) => Interlocked.Add(ref _bytes, bytes);

    private LakeException Exceeded(string needs) => LakeException.ResourcesExhausted(
        $"The statement {needs}; its bounds are max_lake_bytes = {Bound(MaxBytes)} and max_lake_requests = {Bound(MaxRequests)}", isTransient: false);

    private static string Bound(long? bound) => bound?.ToString(CultureInfo.InvariantCulture) ?? "none";

    private static readonly ActivitySource Spans = new("LakeHolo.LakeCatalog");

    private sealed class Measured(StorageUse use, bool isMerge) : IDisposable
    {
        private readonly Activity? _span = Spans.StartActivity(isMerge ? "merge" : "fetch");
        private readonly long _start = Stopwatch.GetTimestamp();
        private readonly long _fetchedBefore = Interlocked.Read(ref use._fetchTicks);

        public void Dispose()
        {
            _span?.Dispose();
            long ticks = Stopwatch.GetTimestamp() - _start;
            if (isMerge)
            {
                Interlocked.Add(ref use._mergeTicks, Math.Max(0, ticks - (Interlocked.Read(ref use._fetchTicks) - _fetchedBefore)));
            }
            else
            {
                Interlocked.Add(ref use._fetchTicks, ticks);
            }
        }
    }
}
