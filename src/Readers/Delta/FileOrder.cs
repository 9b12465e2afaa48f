using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Delta.Files;
using LakeHolo.LakeCatalog.Delta.Schema;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Delta;

/// <summary>The files that can hold the least (or greatest) values of a column first, by partition values or statistics: what the engine has found there
/// lets it skip the row groups of the others.</summary>
internal static class FileOrder
{
    /// <summary>Orders files; as they are where nothing is known of the column.</summary>
    public static IReadOnlyList<(FileBlock Block, int Row)> By(ScanOrder? order, DeltaSnapshot snapshot, IReadOnlyList<(FileBlock Block, int Row)> files)
    {
        if (order is null || files.Count < 2 || snapshot.Columns.Fields.FirstOrDefault(f => f.Name == order.Column) is not { } column)
        {
            return files;
        }

        var sorted = new List<(FileBlock Block, int Row)>(files);
        int partition = snapshot.PartitionIndex(column);
        if (partition >= 0)
        {
            // An empty text is NULL, too.
            string Value((FileBlock Block, int Row) file) => file.Block.Partitions[partition].Value(file.Row) ?? string.Empty;
            var values = files.Select(Value).Distinct().ToDictionary(v => v, v => PartitionText.Parse(v, column));
            return [.. sorted.OrderBy(f => values[Value(f)], Comparer<object?>.Create((a, b) => Compare(a, b, order.Descending)))];
        }

        if (ColumnBounds.KindOf(column.Type) == BoundKind.None)
        {
            return files;
        }

        var bounds = files.Select(f => f.Block).Distinct().ToDictionary(b => b, b => b.Bounds([column.PhysicalName], column.Type));
        sorted.Sort((a, b) => ColumnBounds.CompareFiles(bounds[a.Block], a.Row, bounds[b.Block], b.Row, order.Descending));
        return sorted;
    }

    private static int Compare(object? left, object? right, bool descending)
    {
        if (left is null || right is null)
        {
            return (left is null).CompareTo(right is null);
        }

        int order = (left, right) switch
        {
            (byte[] a, byte[] b) => a.AsSpan().SequenceCompareTo(b),
            (double a, double b) => ColumnBounds.CompareDoubles(a, b),
            _ => Comparer<object>.Default.Compare(left, right),
        };
        return descending ? -order : order;
    }
}
