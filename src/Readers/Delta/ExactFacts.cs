using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.CompilerServices;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Delta.Files;
using LakeHolo.LakeCatalog.Delta.Schema;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Delta;

/// <summary>Numbers of rows and values, least and greatest values of whole snapshots, from the log alone: where every live file has them exactly (see <see cref="ExactBounds"/>). Of a file
/// with a deletion vector only its number of rows is known: what was deleted may have been its least value, and the bounds of a file that has had one need not be tight.</summary>
internal static class ExactFacts
{
    // More is no table but a damaged number.
    private const long MaxRows = 1L << 42;

    // Read once for a snapshot, which never changes.
    private static readonly ConditionalWeakTable<DeltaSnapshot, Learned> Known = [];

    /// <summary>What the log tells.</summary>
    /// <param name="snapshot">The table.</param>
    /// <param name="columns">Names of its columns.</param>
    public static SnapshotFacts Of(DeltaSnapshot snapshot, IReadOnlyCollection<string> columns)
    {
        Learned known = Known.GetValue(snapshot, static s => new Learned(Rows(s)));
        return new SnapshotFacts(
            known.Rows, columns.ToDictionary(c => c, c => known.Columns.GetOrAdd(c, static (name, of) => Column(of, name), snapshot), StringComparer.Ordinal), snapshot.FileCount);
    }

    private static long? Rows(DeltaSnapshot snapshot)
    {
        long all = 0;
        foreach ((FileBlock block, int row) in Live(snapshot))
        {
            long deleted = block.DeletionVector(row)?.Cardinality ?? 0;
            long rows = block.RowCount(row) - deleted;
            all += rows;
            if (deleted < 0 || rows < 0 || rows > MaxRows || all > MaxRows)
            {
                return null;
            }
        }

        return all;
    }

    private static ColumnFacts Column(DeltaSnapshot snapshot, string name)
    {
        if (snapshot.Columns.Fields.FirstOrDefault(f => f.Name == name) is not { } column || snapshot.PartitionIndex(column) >= 0 || column.Type is not (DeltaDecimal or DeltaPrimitive { Kind: not DeltaPrimitiveKind.Variant }))
        {
            return ColumnFacts.Unknown;
        }

        long? values = 0;
        (Int128 Least, Int128 Greatest)? extremes = null;
        bool hasExtremes = ExactBounds.HasExtremes(column.Type);
        foreach ((FileBlock block, int row) in Live(snapshot))
        {
            FileFacts file = block.ExactBounds(column.PhysicalName, column.Type)[row];
            long rows = block.RowCount(row);
            if (block.DeletionVector(row) is not null || rows is < 0 or > MaxRows)
            {
                return ColumnFacts.Unknown;
            }

            if (rows == 0)
            {
                continue;
            }

            bool knowsNulls = file.Nulls >= 0 && file.Nulls <= rows;
            values = knowsNulls && values + (rows - file.Nulls) is <= MaxRows and var sum ? sum : null;
            if (knowsNulls && file.Nulls == rows)
            {
                continue;
            }

            if (file is not { Least: { } least, Greatest: { } greatest })
            {
                hasExtremes = false;
                continue;
            }

            extremes = extremes is var (l, g) ? (Int128.Min(l, least), Int128.Max(g, greatest)) : (least, greatest);
        }

        return !hasExtremes ? new ColumnFacts(values, null, null)
            : extremes is var (minimum, maximum) ? new ColumnFacts(values, Literal(minimum, column.Type), Literal(maximum, column.Type))
            : new ColumnFacts(values, $"CAST(NULL AS {DeltaSqlTypes.Logical(column.Type)})", $"CAST(NULL AS {DeltaSqlTypes.Logical(column.Type)})");
    }

    private static string Literal(Int128 value, DeltaType type)
    {
        string digits = Int128.Abs(value).ToString(CultureInfo.InvariantCulture);
        string text = type switch
        {
            DeltaPrimitive { Kind: DeltaPrimitiveKind.Date } => DateOnly.FromDateTime(DateTime.UnixEpoch).AddDays((int)value).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
            DeltaDecimal { Scale: > 0 and var scale } => (value < 0 ? "-" : string.Empty) + digits.PadLeft(scale + 1, '0').Insert(Math.Max(1, digits.Length - scale), "."),
            _ => value.ToString(CultureInfo.InvariantCulture),
        };
        return $"CAST('{text}' AS {DeltaSqlTypes.Logical(type)})";
    }

    private static IEnumerable<(FileBlock Block, int Row)> Live(DeltaSnapshot snapshot) => new DeltaPruner(snapshot).Prune(null).Files;

    private sealed record Learned(long? Rows)
    {
        public ConcurrentDictionary<string, ColumnFacts> Columns { get; } = new(StringComparer.Ordinal);
    }
}
