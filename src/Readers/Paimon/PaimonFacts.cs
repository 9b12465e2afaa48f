using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.CompilerServices;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Paimon.Evolution;
using LakeHolo.Readers.Paimon.Pruning;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Paimon;

/// <summary>Numbers of rows and values, least and greatest values of whole append tables, from the manifests alone: of columns of whole numbers and dates, whose bounds no writer cuts, of Parquet
/// and ORC files. Of the rows of a primary key table nobody knows without merging which ones are left.</summary>
/// <remarks>Bounds are those of the files' own footers. Source: SimpleStatsExtractor, SimpleColStatsCollector.java (texts alone are truncated).</remarks>
internal static class PaimonFacts
{
    // Read once for a snapshot, which never changes.
    private static readonly ConditionalWeakTable<PaimonSnapshot, ConcurrentDictionary<string, ColumnFacts>> Known = [];

    /// <summary>What the manifests tell; null of a table whose rows are not simply those of its files.</summary>
    public static SnapshotFacts? Of(PaimonSnapshot snapshot, IReadOnlyCollection<string> columns)
    {
        if (snapshot.PrimaryKey.Count > 0 || snapshot.Fallback is not null || EvolutionPlan.IsNeeded(snapshot)
            || snapshot.RowCount is not (>= 0 and <= PaimonFileList.MaxRows and var rows))
        {
            return null;
        }

        ConcurrentDictionary<string, ColumnFacts> known = Known.GetOrCreateValue(snapshot);
        return new SnapshotFacts(rows, columns.ToDictionary(c => c, c => known.GetOrAdd(c, static (name, of) => Column(of, name), snapshot), StringComparer.Ordinal), snapshot.Files.Count);
    }

    private static ColumnFacts Column(PaimonSnapshot snapshot, string name)
    {
        if (snapshot.TableSchema.Fields.FirstOrDefault(f => f.Name == name) is not { } column || snapshot.TableSchema.PartitionKeys.Contains(name) || snapshot.DeletionVectors.Count > 0
            || ReadDefaults.Has(snapshot) || column.Type.Kind is not (PaimonTypeKind.TinyInt or PaimonTypeKind.SmallInt or PaimonTypeKind.Int or PaimonTypeKind.BigInt or PaimonTypeKind.Date))
        {
            return ColumnFacts.Unknown;
        }

        long values = 0;
        (long Least, long Greatest)? extremes = null;
        foreach (PaimonDataFile file in snapshot.Files.Where(f => f.RowCount > 0))
        {
            if (!HasExactBounds(file, column) || PaimonPruning.RangeOf(snapshot, file, column) is not { } range)
            {
                return ColumnFacts.Unknown;
            }

            values += range.RowCount - range.NullCount;
            if (range is { Min: long least, Max: long greatest })
            {
                extremes = extremes is var (l, g) ? (Math.Min(l, least), Math.Max(g, greatest)) : (least, greatest);
            }
        }

        string type = PaimonColumns.TypeOf(column);
        return extremes is var (minimum, maximum)
            ? new ColumnFacts(values, Literal(minimum, column, type), Literal(maximum, column, type))
            : new ColumnFacts(values, $"CAST(NULL AS {type})", $"CAST(NULL AS {type})");
    }

    // ORC's writer takes bounds of dates through its time zone and another calendar.
    private static bool HasExactBounds(PaimonDataFile file, PaimonField column) => file.Format == "parquet" || (file.Format == "orc" && column.Type.Kind != PaimonTypeKind.Date);

    private static string Literal(long value, PaimonField column, string type) => column.Type.Kind == PaimonTypeKind.Date
        ? string.Create(CultureInfo.InvariantCulture, $"(DATE '1970-01-01' + CAST({value} AS INTEGER))")
        : string.Create(CultureInfo.InvariantCulture, $"CAST('{value}' AS {type})");
}
