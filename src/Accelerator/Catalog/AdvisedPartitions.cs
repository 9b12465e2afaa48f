using System.Globalization;
using LakeHolo.Accelerator.Execution;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Accelerator.Catalog;

/// <summary>The partitions that all statements over a table kept to: as PROMOTE says it, and how much of the table they are.</summary>
/// <param name="Clause"><c>WHERE …</c> or <c>LAST n DAYS</c>.</param>
/// <param name="Column">The partition column.</param>
/// <param name="Bytes">Bytes of those partitions.</param>
internal sealed record AdvisedPartitions(string Clause, string Column, long Bytes)
{
    // Partitions that are nearly all of the table are not worth the statements that will ask for the others.
    private const double WorthIt = 0.9;

    // A table whose newest partition is older has no part that moves on with the days.
    private const int DaysBehind = 7;

    /// <summary>The least part of a table that answers all of the statements; null where that is the table, or near it.</summary>
    /// <param name="snapshot">The table.</param>
    /// <param name="uses">What the statements asked of it, and when.</param>
    public static AdvisedPartitions? Of(Snapshot snapshot, IReadOnlyList<(DateTimeOffset At, TableUse Use)> uses)
        => snapshot.PartitionColumns.Select(c => Of(snapshot, c, uses)).OfType<AdvisedPartitions>().Where(p => p.Bytes < snapshot.SizeBytes * WorthIt).MinBy(p => p.Bytes);

    private static AdvisedPartitions? Of(Snapshot snapshot, string column, IReadOnlyList<(DateTimeOffset At, TableUse Use)> uses)
    {
        (DateTimeOffset At, ColumnBounds Bounds)[] asked = [.. uses.Where(u => u.Use.Bounds.ContainsKey(column)).Select(u => (u.At, u.Use.Bounds[column]))];
        if (asked.Length == 0 || asked.Length < uses.Count || asked.Select(a => a.Bounds.From.GetType()).Distinct().Count() > 1)
        {
            return null;
        }

        ColumnBounds bounds = ColumnBounds.Union([.. asked.Select(a => a.Bounds)]);
        if (LastDays(snapshot, column, asked) is var (days, first))
        {
            return new AdvisedPartitions(string.Create(CultureInfo.InvariantCulture, $"LAST {days} DAYS"), column, BytesOf(snapshot, column, first, v => v.CompareTo(first) >= 0));
        }

        string name = SqlText.Identifier(column);
        return bounds.Only is { } values
            ? new AdvisedPartitions($"WHERE {name} IN ({string.Join(", ", values.Order().Select(ColumnBounds.Sql))})", column, BytesOf(snapshot, column, bounds.From, values.Contains))
            : new AdvisedPartitions($"WHERE {name} >= {ColumnBounds.Sql(bounds.From)}", column, BytesOf(snapshot, column, bounds.From, v => v.CompareTo(bounds.From) >= 0));
    }

    // How far back from its day each statement looked, where the table has partitions of these days.
    private static (int Days, DateOnly First)? LastDays(Snapshot snapshot, string column, (DateTimeOffset At, ColumnBounds Bounds)[] asked)
    {
        (DateOnly On, DateOnly From)?[] dates =
        [
            .. asked.Select(a => ColumnBounds.Parse(a.Bounds.From as string ?? (a.Bounds.From as DateOnly?)?.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture), default(DateOnly)) is DateOnly from
                ? (DateOnly.FromDateTime(a.At.UtcDateTime), from)
                : ((DateOnly, DateOnly)?)null),
        ];
        DateOnly[] days = [.. snapshot.EnumerateFiles().Select(f => ColumnBounds.Parse(f.Partition.GetValueOrDefault(column), default(DateOnly))).OfType<DateOnly>()];
        if (System.Array.Exists(dates, d => d is null || d.Value.From > d.Value.On) || days.Length == 0 || !IsTheDated(snapshot, column))
        {
            return null;
        }

        DateOnly last = dates.Max(d => d!.Value.On);
        int back = dates.Max(d => d!.Value.On.DayNumber - d.Value.From.DayNumber) + 1;
        return days.Max().AddDays(DaysBehind) < last ? null : (back, last.AddDays(1 - back));
    }

    // LAST n DAYS goes by the first partition column that holds dates.
    private static bool IsTheDated(Snapshot snapshot, string column)
        => ((string[])["DATE", "TIMESTAMP", "TIMESTAMPTZ", "VARCHAR"]).SelectMany(t => snapshot.PartitionColumns.Where(c => SqlText.TypeOf(snapshot.Schema.GetFieldByName(c)) == t)).FirstOrDefault() == column;

    private static long BytesOf(Snapshot snapshot, string column, IComparable like, Func<IComparable, bool> fits)
        => snapshot.EnumerateFiles().Where(f => ColumnBounds.Parse(f.Partition.GetValueOrDefault(column), like) is { } value && fits(value)).Sum(f => f.SizeBytes);
}
