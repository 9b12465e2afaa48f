using System.Globalization;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.LogFiles;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Hudi.Merging;

/// <summary>Whether the ordering values of a slice rise from its base file through its log blocks, so that the newest record of a key wins by event time as it does by commit time:
/// told by the statistics in the files' footers, without a look at the rows.</summary>
internal static class OrderBounds
{
    /// <summary>Whether each record of a slice wins over every earlier one.</summary>
    /// <param name="snapshot">Whose columns count.</param>
    /// <param name="rules">How versions become one.</param>
    /// <param name="file">The base file, null if there is none.</param>
    /// <param name="blocks">The data blocks of the slice.</param>
    /// <param name="deletes">Its delete blocks.</param>
    /// <param name="rangeOf">The ordering column's values in a file; null where they are not known.</param>
    public static bool NewestWins(
        HudiSnapshot snapshot, MergeRules rules, ReadableFile? file, IEnumerable<DecodedBlock> blocks, IEnumerable<DecodedDeletes> deletes, Func<ReadableFile, ColumnRange?> rangeOf)
    {
        if (ColumnOf(snapshot, rules) is not { } column)
        {
            return false;
        }

        // A deletion without an ordering value beats everything before it, and everything beats it.
        IEnumerable<(long Min, long Max)?> ranges = [file is null ? Nothing : RangeOf(rangeOf(file)), .. blocks.Select(b => (b.Order, Range: RangeOf(rangeOf(b.File))))
            .Concat(deletes.Select(d => (d.Order, Range: RangeOf(d, column.Field.DataType is Int32Type or Int64Type)))).OrderBy(b => b.Order).Select(b => b.Range)];
        long greatest = long.MinValue;
        foreach ((long Min, long Max)? range in ranges)
        {
            if (range is not var (min, max) || min < greatest)
            {
                return false;
            }

            greatest = Math.Max(greatest, max);
        }

        return true;
    }

    /// <summary>The single ordering column whose bounds are exact; null where there is none.</summary>
    public static HudiColumn? ColumnOf(HudiSnapshot snapshot, MergeRules rules)
        => rules.Ordering.Count == 1 && !rules.AreFolded && !rules.IsSequenceText && snapshot.SchemaHistory is null
            ? snapshot.Columns.FirstOrDefault(c => c.Name == rules.Ordering[0] && c.Field.DataType is Int32Type or Int64Type or Date32Type or TimestampType)
            : null;

    private static (long Min, long Max) Nothing => (long.MaxValue, long.MinValue);

    // A NULL counts as 0.
    private static (long Min, long Max)? RangeOf(ColumnRange? range) => range switch
    {
        { MayHaveValues: false } => (0, 0),
        { Min: long min, Max: long max } => range.MayHaveNulls ? (Math.Min(min, 0), Math.Max(max, 0)) : (min, max),
        _ => null,
    };

    private static (long Min, long Max)? RangeOf(DecodedDeletes deletes, bool areNumbers)
    {
        (long min, long max) = Nothing;
        foreach (string?[] ordering in deletes.Keys.Select(k => k.Ordering).OfType<string?[]>())
        {
            if (!areNumbers || ordering.Length != 1 || !long.TryParse(ordering[0], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value))
            {
                return null;
            }

            (min, max) = (Math.Min(min, value), Math.Max(max, value));
        }

        return (min, max);
    }
}
