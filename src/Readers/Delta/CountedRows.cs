using System.Globalization;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Delta.Files;
using LakeHolo.LakeCatalog.Delta.Schema;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Delta;

/// <summary>Rows of which only partition values, or nothing, are asked for, made from the log alone: each file's <c>numRecords</c> less what its deletion
/// vector takes out (protocol, "Per-file Statistics": the number of records in the file). No file is opened.</summary>
internal static class CountedRows
{
    // A branch for each combination of partition values; with more, reading the files is as good.
    private const int MaxCombinations = 64;

    // More is no table but a damaged number.
    private const long MaxRows = 1L << 42;

    /// <summary>A SELECT that gives as many rows; null where the log does not tell all.</summary>
    /// <param name="snapshot">The table.</param>
    /// <param name="columns">What is asked for: partition columns, or one whose values nobody looks at.</param>
    /// <param name="onlyCounts">Nobody looks at values.</param>
    /// <param name="files">The files.</param>
    public static string? TrySql(
        DeltaSnapshot snapshot, IReadOnlyList<DeltaField> columns, bool onlyCounts, IReadOnlyList<(FileBlock Block, int Row)> files)
    {
        int[] partitions = onlyCounts ? [] : [.. columns.Select(c => snapshot.PartitionIndex(c))];
        if (files.Count == 0 || Array.Exists(partitions, p => p < 0))
        {
            return null;
        }

        var counts = new Dictionary<string, (string?[] Values, long Rows)>(StringComparer.Ordinal);
        foreach ((FileBlock block, int row) in files)
        {
            long deleted = block.DeletionVector(row)?.Cardinality ?? 0;
            long rows = block.RowCount(row) - deleted;
            if (deleted < 0 || rows < 0 || rows > MaxRows)
            {
                return null;
            }

            string?[] values = [.. partitions.Select(p => block.Partitions[p].Value(row))];
            string key = string.Concat(values.Select(v => v is null ? "-" : string.Create(CultureInfo.InvariantCulture, $"{v.Length}:{v}")));
            long known = counts.TryGetValue(key, out (string?[] Values, long Rows) group) ? group.Rows : 0;
            counts[key] = (values, known + rows);
            if (counts.Count > MaxCombinations || known + rows > MaxRows)
            {
                return null;
            }
        }

        return string.Join("\nUNION ALL\n", counts.Values.Select(g => Select(columns, onlyCounts ? null : g.Values, g.Rows)));
    }

    private static string Select(IReadOnlyList<DeltaField> columns, string?[]? values, long rows)
    {
        IEnumerable<string> outputs = columns.Select((c, i) =>
            $"{(values is null ? $"CAST(NULL AS {DeltaSqlTypes.Logical(c.Type)})" : PartitionText.ToSql(values[i], c))} AS {SqlText.Identifier(c.Name)}");
        return string.Create(CultureInfo.InvariantCulture, $"SELECT {string.Join(", ", outputs)} FROM range({rows})");
    }
}
