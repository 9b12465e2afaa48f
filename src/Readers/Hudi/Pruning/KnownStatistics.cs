using Apache.Arrow.Types;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Hudi.Metadata;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Hudi.Pruning;

/// <summary>Statistics of the metadata table for the files that a filter is about.</summary>
internal sealed class KnownStatistics
{
    private readonly Dictionary<(string Column, string File), ColumnRange> _byFile = [];
    private readonly Dictionary<(string Column, string Partition), ColumnRange> _byPartition = [];

    private KnownStatistics()
    {
    }

    /// <summary>Reads what the filter's columns need; knows nothing where there is no index, or none that can be understood.</summary>
    public static async ValueTask<KnownStatistics> ReadAsync(
        HudiSnapshot snapshot, IReadOnlyList<FileSlice> slices, ScanFilter? filter, CancellationToken cancellationToken)
    {
        var known = new KnownStatistics();
        // Columns by id (schema-on-read) may have had other names or types; statistics go by names.
        if (filter is null || slices.Count == 0 || snapshot.MetadataTable is not { } metadata || snapshot.SchemaHistory is not null)
        {
            return known;
        }

        var wanted = RangeFilter.ColumnsOf(filter).ToHashSet(StringComparer.OrdinalIgnoreCase);
        HudiColumn[] columns = [.. snapshot.Columns.Where(c => wanted.Contains(c.Name) && IsUsable(c))];
        string[] names = [.. columns.Select(c => c.Name)];
        string[] partitions = [.. slices.Select(s => s.Partition).Distinct()];
        if (columns.Length == 0)
        {
            return known;
        }

        try
        {
            IReadOnlySet<string>? indexed = await metadata.IndexedColumnsAsync(cancellationToken);
            // A partition's statistics are of its present rows, and only of columns that every writer since has kept them for.
            string[] kept = snapshot.IsNewest ? [.. names.Where(n => indexed?.Contains(n) == true)] : [];
            if (metadata.Has("partition_stats") && kept.Length > 0)
            {
                Add(columns, await metadata.ReadStatisticsAsync("partition_stats", kept, partitions, cancellationToken), known._byPartition);
                partitions = [.. partitions.Where(p => known.MayMatchPartition(p, filter))];
            }

            if (metadata.Has("column_stats") && partitions.Length > 0)
            {
                Add(columns, await metadata.ReadStatisticsAsync("column_stats", names, partitions, cancellationToken), known._byFile);
            }
        }
        catch (LakeException error) when (error.Kind is LakeErrorKind.NotFound or LakeErrorKind.FormatInvalid or LakeErrorKind.FeatureUnsupported)
        {
            // An index that cannot be read prunes nothing.
            known._byFile.Clear();
            known._byPartition.Clear();
        }

        return known;
    }

    /// <summary>Whether a file may hold a row that fulfils the condition.</summary>
    public bool MayMatch(FileSlice slice, HudiFile file, ScanFilter? filter)
    {
        string name = file.Path[(file.Path.LastIndexOf('/') + 1)..];
        return filter is null || (_byFile.Count + _byPartition.Count) == 0
            || (MayMatchPartition(slice.Partition, filter) && RangeFilter.MayBeTrue(filter, column => _byFile.GetValueOrDefault((Key(column), name))));
    }

    private bool MayMatchPartition(string partition, ScanFilter filter)
        => RangeFilter.MayBeTrue(filter, column => _byPartition.GetValueOrDefault((Key(column), partition)));

    private static string Key(string column) => column.ToLowerInvariant();

    private static void Add(HudiColumn[] columns, IReadOnlyList<ColumnStatistics> statistics, Dictionary<(string, string), ColumnRange> ranges)
    {
        foreach (ColumnStatistics some in statistics)
        {
            if (columns.FirstOrDefault(c => c.Name == some.Column) is { } column && RangeOf(column, some) is { } range)
            {
                ranges[(Key(column.Name), some.File == "." ? "" : some.File)] = range;
            }
        }
    }

    /// <summary>Whether statistics of a column can be trusted. Old writers labelled milliseconds as microseconds; of floating-point columns with a NaN, whose Parquet statistics
    /// are empty, Hudi's index says that all values are 0.</summary>
    public static bool IsUsable(HudiColumn column) => column.LogicalType is null or "date" or "decimal" or "timestamp-micros" or "local-timestamp-micros"
        && column.Field.DataType is BooleanType or Int32Type or Int64Type or Date32Type or TimestampType or StringType or Decimal128Type;

    private static ColumnRange? RangeOf(HudiColumn column, ColumnStatistics statistics)
    {
        bool mayHaveNulls = statistics.NullCount != 0;
        if (statistics.IsAllNull)
        {
            return statistics.ValueCount > 0 ? new ColumnRange(null, null, true, false) : null;
        }

        (object? min, object? max) = (Bound(statistics.Min), Bound(statistics.Max));
        return min is not null && max is not null && ColumnRange.Fits(min, column.Field.DataType) && ColumnRange.Fits(max, column.Field.DataType) && IsOfType(column.Field.DataType, statistics.Kind)
            ? new ColumnRange(min, max, mayHaveNulls, true)
            : null;
    }

    private static object? Bound(object? value) => value is ColumnStatistics.DecimalBound d ? new ScanDecimal(d.Unscaled, d.Scale) : value;

    // The ordinals are those of index version 2; version 1 names dates and timestamps by their wrappers only.
    private static bool IsOfType(IArrowType type, ColumnStatistics.BoundKind kind) => type switch
    {
        Date32Type => kind is { Wrapper: "DateWrapper" } or { TypeOrdinal: 12 },
        TimestampType => kind is { Wrapper: "TimestampMicrosWrapper", TypeOrdinal: 0 } or { TypeOrdinal: 16 or 19 },
        Int32Type => kind is { Wrapper: "IntWrapper", TypeOrdinal: 0 or 3 },
        Int64Type => kind is { Wrapper: "IntWrapper" or "LongWrapper", TypeOrdinal: 0 or 3 or 4 },
        _ => true,
    };
}
