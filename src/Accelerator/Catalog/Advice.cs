using System.Globalization;
using LakeHolo.Accelerator.Execution;
using LakeHolo.Accelerator.Sources;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Accelerator.Catalog;

/// <summary>What the query log says about promotions: tables worth a hot copy, with columns, partitions and sort key, and copies that nobody queries.</summary>
internal static class Advice
{
    // Where the log holds no example of a statement over hot copies: this long at most, or half of what it took in the lake.
    private const double UsualHotMs = 20;

    /// <summary>The columns: <c>action, table, statement, queries, lake_ms, expected_saving_ms, size_bytes, reason</c>.</summary>
    public static RowRelation Of(IReadOnlyList<QueryLogEntry> log, IReadOnlyList<CatalogTable> tables, IReadOnlyList<HotTableStatus> hot)
    {
        var advice = new RowRelation(
            ("action", "VARCHAR"), ("table", "VARCHAR"), ("statement", "VARCHAR"), ("queries", "BIGINT"), ("lake_ms", "DOUBLE"), ("expected_saving_ms", "DOUBLE"),
            ("size_bytes", "BIGINT"), ("reason", "VARCHAR"));
        QueryLogEntry[] done = [.. log.Where(e => e.State == "done" && e.Tables.Count > 0)];
        double[] hotTimes = [.. done.Where(e => e.Tables.All(t => t.Tier == "hot")).Select(e => e.DurationMs).Order()];
        double? hotMs = hotTimes.Length == 0 ? null : hotTimes[hotTimes.Length / 2];
        var promoted = hot.Where(h => h.Snapshot is not null).ToDictionary(h => h.Table, StringComparer.OrdinalIgnoreCase);
        IEnumerable<Worth> worth = tables.Where(t => !promoted.ContainsKey(t.Table.FullName) && t.Newest is not null && t.Query is null)
            .Select(t => new Worth(t, done, hotMs)).Where(w => w.SavingMs > 0).OrderByDescending(w => w.SavingMs);
        foreach (Worth w in worth)
        {
            advice.Add("promote", w.Table.Table.FullName, w.Statement, (long)w.Queries, w.LakeMs, w.SavingMs, w.SizeBytes, w.Reason);
        }

        foreach (HotTableStatus copy in promoted.Values.Where(c => !done.Any(e => e.Tables.Any(t => t.Table == c.Table))).OrderByDescending(c => c.Bytes))
        {
            advice.Add("demote", copy.Table, $"DEMOTE TABLE {copy.Table}", 0L, 0.0, 0.0, copy.Bytes, "no statement of the log read it");
        }

        return advice;
    }

    /// <summary>The column that statements over a table compared with values most; null where too few did.</summary>
    public static string? SortKey(IReadOnlyList<QueryLogEntry> log, CatalogTable table, IReadOnlyList<string>? among)
    {
        const int Enough = 3;
        string[] columns = [.. table.Newest?.Schema.FieldsList.Select(f => f.Name).Where(n => among?.Contains(n, StringComparer.OrdinalIgnoreCase) != false) ?? []];
        return log.SelectMany(e => e.Tables).Where(t => t.Table == table.Table.FullName).SelectMany(t => t.FilteredBy).Where(columns.Contains)
            .GroupBy(c => c).Where(g => g.Count() >= Enough).OrderByDescending(g => g.Count()).ThenBy(g => g.Key, StringComparer.Ordinal).FirstOrDefault()?.Key;
    }

    /// <summary>How many times as long statements over a table took from the lake as from hot copies, by the medians of the log; null where it holds no example of one.</summary>
    public static double? SpeedUp(IReadOnlyList<QueryLogEntry> log, string table)
    {
        double? lake = Median(t => t.Tier == "lake");
        double? hot = Median(t => t.Tier == "hot");
        return hot > 0 ? lake / hot : null;

        double? Median(Func<TableUse, bool> isOne)
        {
            double[] times = [.. log.Where(e => e.State == "done" && e.Tables.Any(t => t.Table == table) && e.Tables.All(isOne)).Select(e => e.DurationMs).Order()];
            return times.Length == 0 ? null : times[times.Length / 2];
        }
    }

    /// <summary>The columns that a condition names.</summary>
    public static IEnumerable<string> ColumnsOf(ScanFilter? filter) => filter switch
    {
        ScanFilter.And and => and.Parts.SelectMany(ColumnsOf),
        ScanFilter.Or or => or.Parts.SelectMany(ColumnsOf),
        ScanFilter.Not not => ColumnsOf(not.Part),
        ScanFilter.Compare compare => [compare.Column],
        ScanFilter.In list => [list.Column],
        ScanFilter.StartsWith text => [text.Column],
        _ => [],
    };

    /// <summary>What a copy of a table would have been worth to the statements of the log.</summary>
    private sealed class Worth
    {
        public Worth(CatalogTable table, QueryLogEntry[] log, double? hotMs)
        {
            Table = table;
            (QueryLogEntry Entry, TableUse Use)[] uses = [.. log.SelectMany(e => e.Tables.Where(t => t.Table == table.Table.FullName && t.Tier != "hot").Select(t => (e, t)))];
            QueryLogEntry[] statements = [.. uses.Select(u => u.Entry).DistinctBy(e => e.Id)];
            Queries = statements.Length;

            // A statement over several tables counts for each by its share.
            LakeMs = statements.Sum(e => e.DurationMs / e.Tables.Count);
            SavingMs = statements.Sum(e => Math.Max(0, e.DurationMs - (hotMs ?? Math.Min(UsualHotMs, e.DurationMs / 2))) / e.Tables.Count);
            Snapshot snapshot = table.Newest!;
            string[] columns = [.. snapshot.Schema.FieldsList.Select(f => f.Name)];
            string[] read = [.. columns.Where(c => uses.Any(u => u.Use.Columns is null || u.Use.Columns.Contains(c)))];
            string? sort = uses.SelectMany(u => u.Use.FilteredBy).Where(columns.Contains).GroupBy(c => c).OrderByDescending(g => g.Count()).Select(g => g.Key).FirstOrDefault();
            AdvisedPartitions? part = AdvisedPartitions.Of(snapshot, [.. uses.Select(u => (u.Entry.StartedAt, u.Use))]);
            SizeBytes = (part?.Bytes ?? snapshot.SizeBytes) * read.Length / Math.Max(1, columns.Length);
            string list = read.Length == columns.Length ? "" : $" ({string.Join(", ", read.Select(SqlText.Identifier))})";
            Statement = $"PROMOTE TABLE {table.Table.FullName}{list}{(part is null ? "" : " " + part.Clause)}{(sort is null ? "" : " ORDER BY " + SqlText.Identifier(sort))}";
            Reason = string.Create(CultureInfo.InvariantCulture, $"{Queries} statements read it from the lake; they need {read.Length} of {columns.Length} columns")
                + (part is null ? "" : string.Create(CultureInfo.InvariantCulture, $", and by {part.Column} {100.0 * part.Bytes / snapshot.SizeBytes:0.#} % of its bytes"))
                + (sort is null ? "" : $"; filtered most by {sort}");
        }

        public CatalogTable Table { get; }

        public int Queries { get; }

        public double LakeMs { get; }

        public double SavingMs { get; }

        public long SizeBytes { get; }

        public string Statement { get; }

        public string Reason { get; }
    }
}
