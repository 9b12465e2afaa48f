using System.Collections.Concurrent;
using System.Text.Json;
using LakeHolo.Accelerator.Catalog;

namespace LakeHolo.Accelerator.Execution;

/// <summary>Which table a statement read, and how.</summary>
/// <param name="Table"><c>source.schema.table</c>.</param>
/// <param name="Tier">lake or hot.</param>
/// <param name="Snapshot">The snapshot.</param>
/// <param name="CommittedAt">When it was committed, where known.</param>
/// <param name="AgeMs">Milliseconds since it was last known to be the newest; null when an older one was asked for.</param>
/// <param name="FilesTotal">Live files of the snapshot.</param>
/// <param name="FilesRead">Files after pruning.</param>
/// <param name="BytesRead">Their bytes.</param>
public sealed record TableUse(
    string Table, string Tier, string Snapshot, DateTimeOffset? CommittedAt, double? AgeMs, long FilesTotal, long FilesRead, long BytesRead);

/// <summary>A statement that ran.</summary>
public sealed record QueryLogEntry
{
    /// <summary>A number that grows.</summary>
    public required long Id { get; init; }

    /// <summary>Who asked.</summary>
    public required string User { get; init; }

    /// <summary>From where.</summary>
    public required string Client { get; init; }

    /// <summary>When it began.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>The text.</summary>
    public required string Sql { get; init; }

    /// <summary>The tables.</summary>
    public IReadOnlyList<TableUse> Tables { get; init; } = [];

    /// <summary>Milliseconds for parsing, resolving and planning.</summary>
    public double PlanMs { get; init; }

    /// <summary>Milliseconds in all.</summary>
    public double DurationMs { get; init; }

    /// <summary>Rows given out.</summary>
    public long Rows { get; init; }

    /// <summary>queued, running, done, failed, cancelled.</summary>
    public required string State { get; init; }

    /// <summary>Why it failed.</summary>
    public string? Error { get; init; }
}

/// <summary>The last statements, in memory.</summary>
public sealed class QueryLog
{
    private const int Kept = 10_000;

    private readonly ConcurrentDictionary<long, QueryLogEntry> _entries = new();
    private long _lastId;

    /// <summary>The entries, oldest first.</summary>
    public IReadOnlyList<QueryLogEntry> Entries => [.. _entries.Values.OrderBy(e => e.Id)];

    internal long NextId() => Interlocked.Increment(ref _lastId);

    internal void Put(QueryLogEntry entry)
    {
        _entries[entry.Id] = entry;
        _entries.TryRemove(entry.Id - Kept, out _);
    }

    internal RowRelation ToRelation()
    {
        var relation = new RowRelation(
            ("id", "BIGINT"), ("user", "VARCHAR"), ("client", "VARCHAR"), ("started_at", "TIMESTAMPTZ"), ("state", "VARCHAR"), ("plan_ms", "DOUBLE"),
            ("duration_ms", "DOUBLE"), ("rows", "BIGINT"), ("tier", "VARCHAR"), ("tables", "VARCHAR"), ("sql", "VARCHAR"), ("error", "VARCHAR"));
        foreach (QueryLogEntry e in Entries)
        {
            string[] tiers = [.. e.Tables.Select(t => t.Tier).Distinct()];
            relation.Add(
                e.Id, e.User, e.Client, e.StartedAt, e.State, e.PlanMs, e.DurationMs, e.Rows, tiers.Length switch { 0 => null, 1 => tiers[0], _ => "mixed" },
                JsonSerializer.Serialize(e.Tables, AppMetadata.Json), e.Sql, e.Error);
        }

        return relation;
    }
}
