using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Delta;

/// <summary>Commit times from the modification times of commit files.</summary>
internal static class CommitTimes
{
    /// <summary>Milliseconds by version, made strictly increasing from the earliest commit on.</summary>
    public static SortedDictionary<long, long> FromFiles(IReadOnlyDictionary<long, ObjectEntry> commits)
    {
        var times = new SortedDictionary<long, long>();
        long previous = long.MinValue;
        foreach ((long version, ObjectEntry entry) in commits)
        {
            previous = Math.Max(previous == long.MinValue ? previous : previous + 1, entry.ModifiedAt.ToUnixTimeMilliseconds());
            times[version] = previous;
        }

        return times;
    }

    /// <summary>The moment, or null for one beyond the calendar's range.</summary>
    public static DateTimeOffset? ToDate(long millis) =>
        millis < DateTimeOffset.MinValue.ToUnixTimeMilliseconds() || millis > DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()
            ? null
            : DateTimeOffset.FromUnixTimeMilliseconds(millis);
}
