using System.Globalization;

namespace LakeHolo.LakeCatalog.Hudi.Timeline;

/// <summary>One action on the timeline in its highest state. Times are text and compared ordinally.</summary>
public sealed record Instant
{
    /// <summary>Requested time, 17 (formerly 14) digits.</summary>
    public required string Time { get; init; }

    /// <summary>commit, deltacommit, replacecommit, clustering, compaction, logcompaction, clean, rollback, restore, savepoint, indexing.</summary>
    public required string Action { get; init; }

    /// <summary>Whether the completed file exists.</summary>
    public required bool IsCompleted { get; init; }

    /// <summary>When it completed; null while pending, and on layout 1.</summary>
    public string? CompletionTime { get; init; }

    /// <summary>Key of the completed file, else of the requested (or only) one.</summary>
    public required string Key { get; init; }

    /// <summary>Size of that file.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>Whether it wrote rows: commit, deltacommit, replacecommit.</summary>
    public bool IsCommit => Action is "commit" or "deltacommit" or "replacecommit";

    /// <summary>The moment an instant names, read as UTC; null if it is no date (initial instants are not).</summary>
    public static DateTimeOffset? MomentOf(string time)
    {
        const DateTimeStyles Utc = DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal;
        if (time.Length == 14 && DateTimeOffset.TryParseExact(time, "yyyyMMddHHmmss", CultureInfo.InvariantCulture, Utc, out DateTimeOffset seconds))
        {
            return seconds.AddMilliseconds(999);
        }

        return time.Length >= 17 && DateTimeOffset.TryParseExact(time[..17], "yyyyMMddHHmmssfff", CultureInfo.InvariantCulture, Utc, out DateTimeOffset millis)
            ? millis
            : null;
    }

    /// <summary>The instant of a moment, in UTC.</summary>
    public static string At(DateTimeOffset moment) => moment.UtcDateTime.ToString("yyyyMMddHHmmssfff", CultureInfo.InvariantCulture);
}
