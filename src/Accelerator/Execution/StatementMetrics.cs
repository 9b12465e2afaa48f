using System.Diagnostics.Metrics;

namespace LakeHolo.Accelerator.Execution;

/// <summary>What is measured of statements: the numbers of the query log, added up.</summary>
internal static class StatementMetrics
{
    private static readonly Meter Meter = new("LakeHolo.Accelerator");

    private static readonly Histogram<double> Duration = Meter.CreateHistogram<double>("lakeholo.statement.duration", "s", "Statements that ended, by state");

    private static readonly Histogram<double> Phase =
        Meter.CreateHistogram<double>("lakeholo.statement.phase", "s", "Where the time of statements went: metadata, planning, fetching, merging, engine, sending");

    private static readonly Counter<long> Rows = Meter.CreateCounter<long>("lakeholo.statement.rows", "{row}", "Rows given out");

    private static readonly Counter<long> Files = Meter.CreateCounter<long>("lakeholo.scan.files", "{file}", "Files of scanned snapshots: read, pruned by partition, pruned by statistics");

    private static readonly Counter<long> Bytes = Meter.CreateCounter<long>("lakeholo.scan.bytes", "By", "Bytes that scans needed: from storage, from the disk cache");

    private static readonly Counter<long> Requests = Meter.CreateCounter<long>("lakeholo.scan.requests", "{request}", "Requests to storage for statements");

    private static readonly Counter<long> Together = Meter.CreateCounter<long>("lakeholo.statement.together", "{statement}", "Lookups by key that were answered in one execution with others");

    private static readonly Counter<long> KeptPlans = Meter.CreateCounter<long>("lakeholo.statement.kept_plan", "{statement}", "Statements over hot copies whose plan was kept from another time");

    /// <summary>Adds a statement whose plan was kept.</summary>
    public static void AddKeptPlan() => KeptPlans.Add(1);

    /// <summary>Adds lookups that were answered together.</summary>
    public static void AddTogether(int statements) => Together.Add(statements);

    /// <summary>Adds a statement that ended.</summary>
    public static void Add(QueryLogEntry entry)
    {
        Duration.Record(entry.DurationMs / 1000, new KeyValuePair<string, object?>("state", entry.State));
        foreach ((string phase, double ms) in new[]
        {
            ("metadata", entry.Times.MetadataMs), ("planning", entry.Times.PlanningMs), ("fetching", entry.Times.FetchingMs), ("merging", entry.Times.MergingMs),
            ("engine", entry.Times.EngineMs), ("sending", entry.Times.SendingMs),
        })
        {
            Phase.Record(ms / 1000, new KeyValuePair<string, object?>("phase", phase));
        }

        Rows.Add(entry.Rows);
        foreach (TableUse use in entry.Tables)
        {
            Files.Add(use.FilesRead, new KeyValuePair<string, object?>("outcome", "read"));
            Files.Add(use.FilesCounted, new KeyValuePair<string, object?>("outcome", "answered from metadata"));
            Files.Add(use.FilesPrunedByPartition, new KeyValuePair<string, object?>("outcome", "pruned by partition"));
            Files.Add(use.FilesPrunedByStatistics, new KeyValuePair<string, object?>("outcome", "pruned by statistics"));
        }

        Bytes.Add(entry.FetchedBytes, new KeyValuePair<string, object?>("from", "storage"));
        Bytes.Add(entry.CachedBytes, new KeyValuePair<string, object?>("from", "cache"));
        Requests.Add(entry.Requests);
    }
}
