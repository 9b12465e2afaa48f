using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.DataFiles.Parquet;

/// <summary>Which row groups of a file a query needs: those in which a condition may be true for some row. Only for files of which the rows' positions do
/// not matter, as the engine counts positions in what it reads.</summary>
public sealed class RowGroupCondition
{
    private readonly ScanFilter _filter;

    private RowGroupCondition(ScanFilter filter, IReadOnlyDictionary<string, (string FileName, IArrowType Type)> columns)
    {
        _filter = filter;
        Columns = columns;
    }

    /// <summary>The columns that the condition looks at, by the names that it has for them: the name in the file, and the table's type.</summary>
    internal IReadOnlyDictionary<string, (string FileName, IArrowType Type)> Columns { get; }

    /// <summary>The condition of a query over a file.</summary>
    /// <param name="filter">What every needed row fulfils; null for nothing.</param>
    /// <param name="find">The name in the file and the table's field of a column that is read as it is stored (or widened exactly); null for any other.</param>
    /// <returns>Null if nothing is known that could exclude a row group.</returns>
    public static RowGroupCondition? TryCreate(ScanFilter? filter, Func<string, (string FileName, Field Field)?> find)
    {
        if (filter is null)
        {
            return null;
        }

        var columns = new Dictionary<string, (string, IArrowType)>(StringComparer.OrdinalIgnoreCase);
        foreach (string name in RangeFilter.ColumnsOf(filter))
        {
            // A type of SQL that Arrow has not is not what the file's type is compared with.
            if (find(name) is { } column && column.Field.Metadata?.ContainsKey("sqltype") != true)
            {
                columns[name] = (column.FileName, column.Field.DataType);
            }
        }

        return columns.Count > 0 ? new RowGroupCondition(filter, columns) : null;
    }

    /// <summary>Whether a row group may hold a needed row.</summary>
    /// <param name="range">What is known of the values of a column of the file in this row group; null if nothing is.</param>
    internal bool MayMatch(Func<string, ColumnRange?> range) =>
        RangeFilter.MayBeTrue(_filter, name => Columns.TryGetValue(name, out (string FileName, IArrowType Type) column) ? range(column.FileName) : null);
}
