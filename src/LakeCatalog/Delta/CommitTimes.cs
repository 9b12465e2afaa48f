using System.Globalization;
using LakeHolo.LakeCatalog.Delta.Log;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Delta;

/// <summary>Times of commits.</summary>
internal static class CommitTimes
{
    /// <summary>Milliseconds by version from the modification times of commit files, made strictly increasing from the earliest commit on.</summary>
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

    /// <summary>The time that a commit carries. It counts only in the commit's first action (Delta PROTOCOL.md, "In-Commit Timestamps").</summary>
    public static long? FromCommit(CommitActions? commit) => commit?.CommitInfo is { IsFirstAction: true, InCommitTimestamp: { } millis } ? millis : null;

    /// <summary>The moment, or null for one beyond the calendar's range.</summary>
    public static DateTimeOffset? ToDate(long millis) =>
        millis < DateTimeOffset.MinValue.ToUnixTimeMilliseconds() || millis > DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()
            ? null
            : DateTimeOffset.FromUnixTimeMilliseconds(millis);
}

/// <summary>Which commits carry their time (Delta PROTOCOL.md, "In-Commit Timestamps").</summary>
/// <param name="Since">The first version that does; null if none does.</param>
/// <param name="SinceMillis">Its time; the least number if all versions do.</param>
/// <param name="Fault">Why it cannot be told, or null. The rows of a version do not depend on it, questions of time do.</param>
internal readonly record struct InCommitTimes(long? Since, long SinceMillis, string? Fault)
{
    private const string VersionProperty = "delta.inCommitTimestampEnablementVersion";
    private const string TimestampProperty = "delta.inCommitTimestampEnablementTimestamp";

    /// <summary>The rule of a version's protocol and properties.</summary>
    public static InCommitTimes Of(ProtocolAction protocol, MetadataAction metadata)
    {
        if (!DeltaFeatures.HasWriterFeature(protocol, "inCommitTimestamp")
            || !string.Equals(metadata.Configuration.GetValueOrDefault("delta.enableInCommitTimestamps"), "true", StringComparison.OrdinalIgnoreCase))
        {
            return new InCommitTimes(null, long.MinValue, null);
        }

        string? version = metadata.Configuration.GetValueOrDefault(VersionProperty);
        string? millis = metadata.Configuration.GetValueOrDefault(TimestampProperty);
        if (version is null && millis is null)
        {
            return new InCommitTimes(0, long.MinValue, null);
        }

        return long.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out long since)
            && long.TryParse(millis, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long sinceMillis)
            ? new InCommitTimes(since, sinceMillis, null)
            : new InCommitTimes(null, long.MinValue, $"{VersionProperty} is '{version}' and {TimestampProperty} is '{millis}': both must be numbers, or absent");
    }

    /// <summary>Whether a version's commit carries its time.</summary>
    public bool Covers(long version) => version >= Since;

    /// <summary>This rule, or a refusal if it cannot be told.</summary>
    public InCommitTimes Checked(long newestVersion, string path)
    {
        string? fault = Fault ?? (Since > newestVersion ? $"{VersionProperty} is {Since}, which is after the newest version {newestVersion}" : null);
        return fault is null ? this : throw LakeException.FormatInvalid("Commit times are not known: " + fault, path);
    }
}
