using System.Globalization;
using Apache.Arrow;
using DuckDB.NET.Data;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Planning;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Accelerator.Execution;

/// <summary>What EXPLAIN LAKE tells of a statement that ran: per table how much was left after each step of pruning and where its bytes came from, then
/// where the time went.</summary>
internal static class LakeExplanation
{
    private const int MaxFilesForRowGroups = 2_000; // their footers are read once more

    public static readonly (string Name, string Type)[] Columns =
    [
        ("table", "VARCHAR"), ("step", "VARCHAR"), ("files", "BIGINT"), ("row_groups", "BIGINT"), ("bytes", "BIGINT"), ("requests", "BIGINT"), ("ms", "DOUBLE"), ("detail", "VARCHAR"),
    ];

    /// <summary>The rows. The plan's files must still be held.</summary>
    public static RowRelation Of(QueryLogEntry entry, PlannedStatement plan, EngineDatabase engine)
    {
        var rows = new RowRelation(Columns);
        foreach (PlannedScan scan in plan.Scans)
        {
            AddTable(rows, scan, engine);
        }

        StatementTimes times = entry.Times;
        rows.Add(null, "metadata", null, null, null, null, times.MetadataMs, "parse, resolve names, find snapshots");
        rows.Add(null, "planning", null, null, null, null, times.PlanningMs, "needs of the scans, pruning, relations");
        rows.Add(null, "fetching", null, null, entry.FetchedBytes, entry.Requests, times.FetchingMs, "open files: storage, disk cache, decoders");
        rows.Add(null, "merging", null, null, null, null, times.MergingMs, "merge by key");
        rows.Add(null, "engine", null, null, null, null, times.EngineMs, null);
        rows.Add(null, "sending", null, null, null, null, times.SendingMs, string.Create(CultureInfo.InvariantCulture, $"{entry.Rows} rows, not sent"));
        rows.Add(null, "all", null, null, null, null, entry.DurationMs, null);
        return rows;
    }

    private static void AddTable(RowRelation rows, PlannedScan scan, EngineDatabase engine)
    {
        TableUse use = scan.Use;
        void Add(string step, long? files = null, long? groups = null, long? bytes = null, long? requests = null, string? detail = null)
            => rows.Add(use.Table, step, files, groups, bytes, requests, null, detail);

        Add("snapshot", use.FilesTotal, detail: $"{use.Snapshot} ({use.Tier})");
        if (use.Tier == "lake")
        {
            Add("after partition values", use.FilesTotal - use.FilesPrunedByPartition);
            Add("after statistics and indexes", use.FilesRead + use.FilesCounted, bytes: use.BytesRead, detail: scan.Request.Columns is { } columns ? $"columns {string.Join(", ", columns)}" : "all columns");
            if (use.FilesCounted > 0)
            {
                Add("answered from metadata", use.FilesCounted, detail: "not opened");
            }

            if (RowGroups(scan, engine) is var (all, left))
            {
                Add("row groups", groups: all);
                Add("row groups after statistics", groups: left);
            }
        }

        Add("from the disk cache", bytes: use.CachedBytes);
        Add("from storage", bytes: use.FetchedBytes, requests: use.Requests);
    }

    /// <summary>Row groups of the files, and those that the filter's comparisons leave by the footers' statistics; null where that is not known.</summary>
    private static (long All, long Left)? RowGroups(PlannedScan scan, EngineDatabase engine)
    {
        string[] paths = [.. scan.Scan.LocalPaths.Where(p => p.EndsWith(".parquet", StringComparison.Ordinal))];
        if (paths.Length is 0 or > MaxFilesForRowGroups)
        {
            return null;
        }

        string[] excluded = [.. Comparisons(scan.Request.Filter).Select(c => Excludes(c, scan.Version.Schema)).OfType<string>()];
        string condition = excluded.Length == 0 ? "false" : string.Join(" OR ", excluded);
        using DuckDBConnection connection = engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText =
            $"SELECT count(*)::BIGINT, count(*) FILTER (NOT x)::BIGINT FROM (SELECT bool_or(coalesce({condition}, false)) AS x FROM parquet_metadata({SqlText.LiteralList(paths)}) GROUP BY file_name, row_group_id)";
        try
        {
            using DuckDBDataReader reader = command.ExecuteReader();
            return reader.Read() ? (reader.GetInt64(0) + scan.Scan.RowGroupsLeftOut, reader.GetInt64(1)) : null;
        }
        catch (DuckDBException)
        {
            return null; // a file without such statistics; what is explained ran
        }
    }

    private static IEnumerable<ScanFilter.Compare> Comparisons(ScanFilter? filter) => filter switch
    {
        ScanFilter.And and => and.Parts.SelectMany(Comparisons),
        ScanFilter.Compare { Operator: not ScanComparison.NotEqual } compare => [compare],
        _ => [],
    };

    private static string? Excludes(ScanFilter.Compare compare, Schema schema)
    {
        string? literal = compare.Value.Value switch
        {
            long number => number.ToString(CultureInfo.InvariantCulture),
            double number => number.ToString("R", CultureInfo.InvariantCulture) + "::DOUBLE",
            decimal number => number.ToString(CultureInfo.InvariantCulture),
            string text => SqlText.Literal(text),
            DateOnly date => $"DATE {SqlText.Literal(date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture))}",
            _ => null,
        };
        if (literal is null || schema.FieldsList.FirstOrDefault(f => f.Name == compare.Column) is not { } field)
        {
            return null;
        }

        string type = SqlText.TypeOf(field);
        string min = $"TRY_CAST(coalesce(stats_min_value, stats_min) AS {type}) {(compare.Operator == ScanComparison.Less ? ">=" : ">")} {literal}";
        string max = $"TRY_CAST(coalesce(stats_max_value, stats_max) AS {type}) {(compare.Operator == ScanComparison.Greater ? "<=" : "<")} {literal}";
        string outside = compare.Operator switch
        {
            ScanComparison.Equal => $"({min} OR {max})",
            ScanComparison.Less or ScanComparison.LessOrEqual => min,
            _ => max,
        };
        return $"(path_in_schema = {SqlText.Literal(compare.Column)} AND {outside})";
    }
}
