using System.Globalization;
using LakeHolo.LakeCatalog.Delta.Log;
using LakeHolo.LakeCatalog.Delta.Schema;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Delta;

/// <summary>The table's history: which version was current when, what writers did, and which schemas there were.</summary>
internal sealed class DeltaHistory(LakeTable table, ExternalLocations locations)
{
    private readonly DeltaSnapshotLoader _loader = new(table, locations);

    /// <summary>The newest version committed at or before a moment; a moment after the last commit gives the newest version.</summary>
    public async ValueTask<long> VersionAsOfAsync(DateTimeOffset moment, CancellationToken cancellationToken)
    {
        LogListing listing = await LogListing.ListAsync(table.Root, 0, cancellationToken);
        TableState state = await LatestStateAsync(cancellationToken);
        long wanted = moment.ToUnixTimeMilliseconds();
        SortedDictionary<long, long> fileTimes = CommitTimes.FromFiles(listing.Commits);
        if (fileTimes.Count == 0)
        {
            throw LakeException.NotFound("The log holds no commits, so the times of its versions are not known", table.Root.Location);
        }

        InCommitTimes inCommit = state.InCommitTimes.Checked(listing.Newest, table.Root.Location);
        long? since = inCommit.Since;
        if (since is { } enabled && (enabled <= fileTimes.Keys.First() || wanted >= inCommit.SinceMillis))
        {
            long? version = await SearchInCommitAsync(listing, Math.Max(enabled, fileTimes.Keys.First()), wanted, cancellationToken);
            return version ?? throw await TooEarlyAsync(listing, inCommit, cancellationToken);
        }

        long? found = null;
        foreach ((long version, long time) in fileTimes)
        {
            if (time <= wanted && !(version >= since))
            {
                found = version;
            }
        }

        return found ?? throw await TooEarlyAsync(listing, inCommit, cancellationToken);
    }

    /// <summary>Commit times in milliseconds of a range of versions whose commits have been read.</summary>
    public async ValueTask<IReadOnlyDictionary<long, long?>> CommitTimesAsync(
        IReadOnlyList<CommitActions> commits, CancellationToken cancellationToken)
    {
        LogListing listing = await LogListing.ListAsync(table.Root, 0, cancellationToken);
        TableState state = await LatestStateAsync(cancellationToken);
        InCommitTimes inCommit = state.InCommitTimes.Checked(listing.Newest, table.Root.Location);
        SortedDictionary<long, long> fileTimes = CommitTimes.FromFiles(listing.Commits);
        var times = new Dictionary<long, long?>();
        foreach (CommitActions commit in commits)
        {
            times[commit.Version] = inCommit.Covers(commit.Version)
                ? await InCommitTimeAsync(commit, cancellationToken)
                : fileTimes.TryGetValue(commit.Version, out long millis) ? millis : null;
        }

        return times;
    }

    /// <summary>All commits that are still there, newest first.</summary>
    public async ValueTask<IReadOnlyList<SnapshotInfo>> ListAsync(CancellationToken cancellationToken)
    {
        LogListing listing = await LogListing.ListAsync(table.Root, 0, cancellationToken);
        TableState state = await LatestStateAsync(cancellationToken);
        SortedDictionary<long, long> fileTimes = CommitTimes.FromFiles(listing.Commits);
        InCommitTimes inCommit = state.InCommitTimes;
        var infos = new List<SnapshotInfo>();
        string? schema = null;
        foreach ((long version, ObjectEntry entry) in listing.Commits)
        {
            CommitActions commit = (await _loader.ReadCommitsAsync([entry], version, cancellationToken))[0];
            schema = commit.Metadata is null ? schema : version.ToString(CultureInfo.InvariantCulture);
            long? millis = inCommit.Fault is not null ? null
                : inCommit.Covers(version) ? await _loader.InCommitTimeAsync(version, commit, cancellationToken)
                : fileTimes[version];
            infos.Add(new SnapshotInfo(
                new SnapshotId(version.ToString(CultureInfo.InvariantCulture)), millis is { } m ? CommitTimes.ToDate(m) : null,
                commit.CommitInfo?.Operation ?? "UNKNOWN", schema, commit.CommitInfo?.Json));
        }

        infos.Reverse();
        return infos;
    }

    /// <summary>Schemas by the version that set them, oldest first. Where the log's beginning is gone, the first is that of the oldest version left.</summary>
    public async ValueTask<IReadOnlyList<(string Id, Apache.Arrow.Schema Schema)>> ListSchemasAsync(CancellationToken cancellationToken)
    {
        LogListing listing = await LogListing.ListAsync(table.Root, 0, cancellationToken);
        var schemas = new List<(string, Apache.Arrow.Schema)>();
        string? previous = null;
        long earliest = listing.EarliestReadable() ?? 0;
        if (earliest > 0)
        {
            DeltaSnapshot first = await _loader.LoadAsync(earliest, cancellationToken);
            previous = first.Metadata.SchemaString;
            schemas.Add((earliest.ToString(CultureInfo.InvariantCulture), first.Schema));
        }

        foreach ((long version, ObjectEntry entry) in listing.Commits.Where(c => c.Key > earliest || earliest == 0))
        {
            CommitActions commit = (await _loader.ReadCommitsAsync([entry], version, cancellationToken))[0];
            if (commit.Metadata?.SchemaString is { } text && text != previous)
            {
                previous = text;
                DeltaStruct schema = DeltaSchemaParser.Parse(text, ColumnMappingMode.None, entry.Key);
                schemas.Add((version.ToString(CultureInfo.InvariantCulture), DeltaArrowSchema.ToArrow(schema)));
            }
        }

        return schemas;
    }

    private async ValueTask<TableState> LatestStateAsync(CancellationToken cancellationToken)
    {
        DeltaSnapshot latest = await _loader.LoadAsync(null, cancellationToken);
        return TableState.Create(latest.Protocol, latest.Metadata, table.Root.Location);
    }

    private async ValueTask<long?> SearchInCommitAsync(LogListing listing, long first, long wanted, CancellationToken cancellationToken)
    {
        long[] versions = [.. listing.Commits.Keys.Where(v => v >= first)];
        long? found = null;
        int low = 0;
        int high = versions.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            if (await InCommitTimeAsync(listing, versions[middle], cancellationToken) <= wanted)
            {
                found = versions[middle];
                low = middle + 1;
            }
            else
            {
                high = middle - 1;
            }
        }

        return found;
    }

    private async ValueTask<long> InCommitTimeAsync(LogListing listing, long version, CancellationToken cancellationToken)
    {
        CommitActions commit = (await _loader.ReadCommitsAsync([listing.Commits[version]], version, cancellationToken))[0];
        return await InCommitTimeAsync(commit, cancellationToken);
    }

    private async ValueTask<long> InCommitTimeAsync(CommitActions commit, CancellationToken cancellationToken) =>
        await _loader.InCommitTimeAsync(commit.Version, commit, cancellationToken) ?? throw LakeException.FormatInvalid(
            $"Commit {commit.Version} does not begin with a commitInfo that has an inCommitTimestamp, although the table demands one", table.Root.Location);

    private async ValueTask<LakeException> TooEarlyAsync(LogListing listing, InCommitTimes inCommit, CancellationToken cancellationToken)
    {
        (long version, ObjectEntry entry) = listing.Commits.First();
        long millis = inCommit.Covers(version)
            ? await InCommitTimeAsync(listing, version, cancellationToken)
            : entry.ModifiedAt.ToUnixTimeMilliseconds();
        string text = CommitTimes.ToDate(millis)?.ToString("yyyy-MM-ddTHH:mm:ss.FFFZ", CultureInfo.InvariantCulture) ?? "unknown";
        return LakeException.NotFound($"The timestamp is before the earliest commit {text} (version {version})", table.Root.Location);
    }
}
