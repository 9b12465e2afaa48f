using LakeHolo.Accelerator.Catalog;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Accelerator.Sources;

/// <summary>The hot tier, as management statements see it.</summary>
public interface ITierController
{
    /// <summary>Makes or renews hot copies, several at once within a limit; a copy is visible whole or not at all.</summary>
    /// <param name="tables">The tables.</param>
    /// <param name="promotion">What is promoted of each; null for what the copy holds already, or the whole table.</param>
    /// <param name="cancellationToken">Stops builds.</param>
    ValueTask<IReadOnlyList<TierOutcome>> PromoteAsync(IReadOnlyList<CatalogTable> tables, PromotionSpec? promotion = null, CancellationToken cancellationToken = default);

    /// <summary>Compares hot copies with the lake; one that differs answers no more and is built anew.</summary>
    ValueTask<IReadOnlyList<TierOutcome>> VerifyAsync(IReadOnlyList<CatalogTable> tables, CancellationToken cancellationToken = default);

    /// <summary>Drops hot copies.</summary>
    ValueTask<IReadOnlyList<TierOutcome>> DemoteAsync(IReadOnlyList<CatalogTable> tables, CancellationToken cancellationToken = default);

    /// <summary>Brings hot copies to the newest snapshot; nothing is done where they are.</summary>
    ValueTask<IReadOnlyList<TierOutcome>> RefreshAsync(IReadOnlyList<CatalogTable> tables, CancellationToken cancellationToken = default);

    /// <summary>The hot copies, and promotions under way.</summary>
    IReadOnlyList<HotTableStatus> List();
}

/// <summary>What became of one table.</summary>
/// <param name="Table"><c>source.schema.table</c>.</param>
/// <param name="State">promoted, refreshed, unchanged, verified, differed, demoted, failed.</param>
/// <param name="Snapshot">The snapshot of the copy.</param>
/// <param name="Rows">Rows of the copy.</param>
/// <param name="Bytes">Bytes on disk.</param>
/// <param name="DurationMs">Time taken.</param>
/// <param name="Error">Why it failed.</param>
/// <param name="ErrorKind">The kind of failure.</param>
public sealed record TierOutcome(
    string Table, string State, string? Snapshot, long? Rows, long? Bytes, double DurationMs, string? Error, LakeErrorKind? ErrorKind = null);

/// <summary>A hot copy or a promotion under way.</summary>
public sealed record HotTableStatus
{
    /// <summary><c>source.schema.table</c>.</summary>
    public required string Table { get; init; }

    /// <summary>ready, promoting, refreshing, quarantined, failed; absent for a promoted query whose copy had to make room.</summary>
    public required string State { get; init; }

    /// <summary>Snapshot of the copy, if there is one.</summary>
    public string? Snapshot { get; init; }

    /// <summary>When that snapshot was committed.</summary>
    public DateTimeOffset? CommittedAt { get; init; }

    /// <summary>When the copy was last known to be at the newest snapshot.</summary>
    public DateTimeOffset? KnownNewestAt { get; init; }

    /// <summary>When the copy was made.</summary>
    public DateTimeOffset? BuiltAt { get; init; }

    /// <summary>Rows of the copy; rows so far while promoting.</summary>
    public long? Rows { get; init; }

    /// <summary>Bytes on disk.</summary>
    public long? Bytes { get; init; }

    /// <summary>How far the promotion is, 0 to 100; null when none is under way.</summary>
    public double? ProgressPercent { get; init; }

    /// <summary>Files of the lake that the promotion under way reads in all.</summary>
    public long? ProgressFiles { get; init; }

    /// <summary>Bytes that it has written to the new copy so far.</summary>
    public long? ProgressBytes { get; init; }

    /// <summary>How the last refresh was done: nothing, files, positions, keys, buckets, slices, partitions, columns (joined by <c>+</c>), promotion, or <c>rebuild: why</c>.</summary>
    public string? LastRefresh { get; init; }

    /// <summary>Rows that it deleted and inserted.</summary>
    public long? LastRefreshRows { get; init; }

    /// <summary>Duration of the last build or refresh.</summary>
    public double? LastRefreshMs { get; init; }

    /// <summary>What of the table it holds, as PROMOTE says it; null for all.</summary>
    public string? Part { get; init; }

    /// <summary>Statements answered from it.</summary>
    public long Hits { get; init; }

    /// <summary>When it last answered.</summary>
    public DateTimeOffset? LastUsedAt { get; init; }

    /// <summary>When it was last found to hold what the lake does.</summary>
    public DateTimeOffset? VerifiedAt { get; init; }

    /// <summary>Why the last refresh failed.</summary>
    public string? LastError { get; init; }
}
