using System.Globalization;
using LakeHolo.LakeCatalog.Hudi.Timeline;
using LakeHolo.LakeCatalog.Snapshots;

namespace LakeHolo.LakeCatalog.Hudi;

/// <summary>Snapshot ids: the greatest completed instant, and after it the writes below it that were still pending, as
/// <c>20260102030405678~20260102030405000</c>. With several writers the instant alone would not tell two states apart.</summary>
internal static class HudiVersionText
{
    private const string EmptyInstant = "00000000000000";
    private static readonly string[] DateFormats = ["yyyy-MM-dd", "yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd HH:mm:ss.FFFFFF", "yyyy-MM-ddTHH:mm:ss", "yyyy-MM-ddTHH:mm:ss.FFFFFFK", "yyyy-MM-ddTHH:mm:ssK"];

    public static SnapshotId IdOf(string until, IEnumerable<string> excluded) => new(string.Join('~', excluded.Order(StringComparer.Ordinal).Prepend(until)));

    /// <summary>The greatest instant, and the pending writes below it, of the snapshot asked for.</summary>
    public static (string Until, HashSet<string> Excluded) Resolve(SnapshotSelector at, HudiTimeline timeline, LakeTable table)
    {
        string? limit = null;
        string[] named = [];
        if (at is SnapshotSelector.VersionSelector version)
        {
            named = version.Text.Split('~');
            limit = InstantOf(named[0], table);
        }
        else if (at is SnapshotSelector.TimestampSelector { Timestamp: var moment })
        {
            limit = Instant.At(moment);
        }

        string? until = timeline.Commits.Select(i => i.Time).LastOrDefault(t => limit is null || string.CompareOrdinal(t, limit) <= 0);
        if (until is null)
        {
            return limit is null || limit == EmptyInstant ? (EmptyInstant, []) : throw LakeException.NotFound($"No instant up to {limit} on the timeline", table.FullName);
        }

        // A clustering of layout 2 is none of the commits while it is pending; when it is done, other file groups hold the rows.
        var excluded = timeline.Instants
            .Where(i => !i.IsCompleted && (i.IsCommit || i.Action == "clustering") && string.CompareOrdinal(i.Time, until) < 0)
            .Select(i => i.Time).Concat(named.Skip(1)).ToHashSet(StringComparer.Ordinal);
        return (until, excluded);
    }

    public static string InstantOf(string text, LakeTable table)
    {
        if (text.Length is 14 or 17 && text.All(char.IsAsciiDigit))
        {
            return text;
        }

        return DateTimeOffset.TryParseExact(
                text, DateFormats, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out DateTimeOffset moment)
            ? Instant.At(moment)
            : throw LakeException.NotFound($"'{text}' is no instant (14 or 17 digits) and no timestamp", table.FullName);
    }
}
