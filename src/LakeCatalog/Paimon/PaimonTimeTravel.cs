using System.Globalization;
using LakeHolo.LakeCatalog.Snapshots;

namespace LakeHolo.LakeCatalog.Paimon;

/// <summary>From what a query asks for to a commit: by id, tag, watermark or time.</summary>
internal static class PaimonTimeTravel
{
    private const string WatermarkVersion = "watermark-";

    /// <summary>The commit that a selector names.</summary>
    /// <param name="table">The table.</param>
    /// <param name="folder">The table's folder, or that of a branch.</param>
    /// <param name="at">Latest, a version, or a time.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    /// <returns>The commit; null for the latest of a table without any.</returns>
    /// <exception cref="LakeException">NotFound, with what there is.</exception>
    public static async ValueTask<PaimonCommit?> ResolveAsync(LakeTable table, PaimonFolder folder, SnapshotSelector at, CancellationToken cancellationToken)
    {
        switch (at)
        {
            case SnapshotSelector.VersionSelector version:
                return await ResolveVersionAsync(table, folder, version.Text, cancellationToken);
            case SnapshotSelector.TimestampSelector moment:
                return await ResolveTimeAsync(table, folder, moment.Timestamp.ToUnixTimeMilliseconds(), cancellationToken);
            default:
                return await folder.FindLatestAsync(cancellationToken) is long id
                    ? await folder.TryReadCommitAsync(id, cancellationToken) ?? throw LakeException.NotFound($"Snapshot {id} vanished while it was read", table.Root.Location)
                    : null;
        }
    }

    // As VERSION AS OF: a tag of that name goes before a watermark, and that before a snapshot id.
    private static async ValueTask<PaimonCommit> ResolveVersionAsync(LakeTable table, PaimonFolder folder, string text, CancellationToken cancellationToken)
    {
        if (await folder.TryReadTagAsync(text, cancellationToken) is PaimonCommit tagged)
        {
            return tagged;
        }

        if (text.StartsWith(WatermarkVersion, StringComparison.Ordinal)
            && long.TryParse(text.AsSpan(WatermarkVersion.Length), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long watermark))
        {
            return await ResolveWatermarkAsync(table, folder, watermark, cancellationToken);
        }

        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long id)
            && await folder.TryReadCommitAsync(id, cancellationToken) is PaimonCommit commit)
        {
            return commit;
        }

        List<long> ids = await folder.ListSnapshotIdsAsync(cancellationToken);
        string range = ids.Count == 0 ? "no snapshot" : string.Create(CultureInfo.InvariantCulture, $"snapshots {ids[0]} to {ids[^1]}");
        throw LakeException.NotFound($"There is neither a tag nor a snapshot '{text}'; the table has {range}", table.Root.Location);
    }

    // Snapshots without a watermark lie anywhere between the others, so all are looked at until one matches.
    private static async ValueTask<PaimonCommit> ResolveWatermarkAsync(LakeTable table, PaimonFolder folder, long watermark, CancellationToken cancellationToken)
    {
        long? largest = null;
        foreach (long id in await folder.ListSnapshotIdsAsync(cancellationToken))
        {
            if (await folder.TryReadCommitAsync(id, cancellationToken) is { Watermark: long reached } commit)
            {
                if (reached >= watermark)
                {
                    return commit;
                }

                largest = Math.Max(largest ?? reached, reached);
            }
        }

        throw LakeException.NotFound(
            string.Create(CultureInfo.InvariantCulture, $"No snapshot has a watermark of {watermark} or later; {(largest is null ? "none has any" : $"the largest is {largest}")}"),
            table.Root.Location);
    }

    private static async ValueTask<PaimonCommit> ResolveTimeAsync(LakeTable table, PaimonFolder folder, long millis, CancellationToken cancellationToken)
    {
        List<long> ids = await folder.ListSnapshotIdsAsync(cancellationToken);
        PaimonCommit? found = null;
        PaimonCommit? earliest = null;
        for (int low = 0, high = ids.Count - 1; low <= high;)
        {
            int middle = (low + high) / 2;
            PaimonCommit? commit = await folder.TryReadCommitAsync(ids[middle], cancellationToken);
            if (commit is not null && commit.TimeMillis <= millis)
            {
                (found, low) = (commit, middle + 1);
            }
            else
            {
                // A snapshot that expired meanwhile counts as too early.
                (low, high) = commit is null ? (middle + 1, high) : (low, middle - 1);
                earliest = commit ?? earliest;
            }
        }

        return found ?? throw LakeException.NotFound(
            earliest is null
                ? "The table has no snapshot"
                : $"The earliest snapshot was committed at {DateTimeOffset.FromUnixTimeMilliseconds(earliest.TimeMillis):O}, after the time asked for",
            table.Root.Location);
    }
}
