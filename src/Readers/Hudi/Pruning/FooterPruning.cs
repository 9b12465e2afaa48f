using System.Collections.Concurrent;
using System.Text;
using Apache.Arrow;
using Apache.Arrow.Types;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.Readers.DataFiles.Parquet;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Hudi.Pruning;

/// <summary>Skips base files by their Parquet footers: statistics of columns, and for record keys the range and bloom filter that Hudi's writers leave there.</summary>
internal sealed class FooterPruning(EngineDatabase engine)
{
    private const int MaxKept = 500_000;
    private const int FilesPerQuery = 2000;
    private readonly ConcurrentDictionary<(string File, string Column), ColumnRange?> _ranges = new();
    private readonly ConcurrentDictionary<string, FileKeys> _keys = new(StringComparer.Ordinal);

    /// <summary>For each file whether it may hold a row that fulfils the condition.</summary>
    public bool[] MayMatch(HudiSnapshot snapshot, IReadOnlyList<ReadableFile> files, ScanFilter filter)
    {
        HudiColumn[] columns = snapshot.SchemaHistory is not null
            ? []
            : [.. snapshot.Columns.Where(c => RangeFilter.ColumnsOf(filter).Contains(c.Name, StringComparer.OrdinalIgnoreCase) && KnownStatistics.IsUsable(c))];
        IReadOnlyList<string>? keys = KeyColumnOf(snapshot) is { } keyColumn ? RangeFilter.TextsOf(filter, keyColumn) : null;
        keys ??= snapshot.Properties.PopulatesMetaFields ? RangeFilter.TextsOf(filter, "_hoodie_record_key") : null;
        Load(files, columns);
        if (keys is not null)
        {
            using DuckDBConnection connection = engine.OpenConnection();
            LoadKeys(connection, files);
        }

        return
        [
            .. files.Select(f => RangeFilter.MayBeTrue(filter, name => columns.FirstOrDefault(c => c.Name.Equals(name, StringComparison.OrdinalIgnoreCase)) is { } column
                    ? _ranges.GetValueOrDefault((f.Identity, column.Name)) : null)
                && (keys is null || keys.Any(k => _keys.GetValueOrDefault(f.Identity)?.MayContain(k) ?? true))),
        ];
    }

    /// <summary>A column's values in a file, as the footer tells them; null where it does not.</summary>
    public static ColumnRange? RangeOf(ReadableFile file, HudiColumn column)
    {
        if (!KnownStatistics.IsUsable(column) || LocalFooter.TryRead(file.LocalPath) is not { } footer)
        {
            return null;
        }

        ColumnRange?[] groups = RowGroupStatistics.Of(footer, column.Name, column.Field.DataType, file.Path, trustsNullCounts: true);
        ColumnRange[] known = [.. groups.OfType<ColumnRange>()];
        ColumnRange[] valued = [.. known.Where(g => g.MayHaveValues)];
        IComparer<object?> order = Comparer<object?>.Create(Compare);
        return known.Length < groups.Length || known.Length == 0 || valued.Any(g => g.Min is null || g.Max is null) ? null
            : new ColumnRange(valued.Select(g => g.Min).Min(order), valued.Select(g => g.Max).Max(order), known.Any(g => g.MayHaveNulls), valued.Length > 0);
    }

    /// <summary>Which row groups of base files a condition needs; null where nothing is known of its columns.</summary>
    public static RowGroupCondition? ConditionOf(HudiSnapshot snapshot, IReadOnlyList<Field> fields, ScanFilter? filter) => snapshot.SchemaHistory is not null ? null
        : RowGroupCondition.TryCreate(filter, name => fields.FirstOrDefault(f => f.Name.Equals(name, StringComparison.OrdinalIgnoreCase)) is { } field
            && snapshot.Columns.Any(c => c.Name == field.Name && c.MillisecondInstants.Count + c.LocalMilliseconds.Count == 0 && KnownStatistics.IsUsable(c)) ? (field.Name, field) : null);

    // A key of one text column is that text; keys of several columns, and of declared complex generators, are composed.
    private static string? KeyColumnOf(HudiSnapshot snapshot)
        => snapshot.Properties.RecordKeyFields is [var only] && snapshot.Columns.Any(c => c.Name == only && c.Field.DataType is StringType)
            && (snapshot.Properties.KeyGenerator ?? "").Replace("Avro", "", StringComparison.OrdinalIgnoreCase).TrimEnd('_').ToUpperInvariant()
                is "SIMPLEKEYGENERATOR" or "SIMPLE" or "NONPARTITIONEDKEYGENERATOR" or "NON_PARTITION" or "TIMESTAMPBASEDKEYGENERATOR" or "TIMESTAMP"
            ? only
            : null;

    private void Load(IReadOnlyList<ReadableFile> files, HudiColumn[] columns)
    {
        if (_ranges.Count > MaxKept)
        {
            _ranges.Clear();
        }

        ReadableFile[] needed = [.. files.Where(f => columns.Any(c => !_ranges.ContainsKey((f.Identity, c.Name))))];
        Parallel.ForEach(needed, file =>
        {
            foreach (HudiColumn column in columns)
            {
                // A file whose column has another type than the table's is converted when read: its statistics are of other values.
                _ranges[(file.Identity, column.Name)] = IsSame(file, column) ? RangeOf(file, column) : null;
            }
        });
    }

    private static bool IsSame(ReadableFile file, HudiColumn column)
    {
        string type = SqlText.TypeOf(column.Field.DataType) is "TIMESTAMPTZ" ? "TIMESTAMP WITH TIME ZONE" : SqlText.TypeOf(column.Field.DataType);
        return file.Shape.Columns.Any(c => c.Name == column.Name && c.Type.Name == type);
    }

    private static int Compare(object? one, object? other) => (one, other) switch
    {
        // Parquet's statistics are in the order of bytes.
        (string a, string b) => Encoding.UTF8.GetBytes(a).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(b)),
        (ScanDecimal a, ScanDecimal b) => a.Unscaled.CompareTo(b.Unscaled),
        _ => Comparer<object>.Default.Compare(one!, other!),
    };

    private void LoadKeys(DuckDBConnection connection, IReadOnlyList<ReadableFile> files)
    {
        if (_keys.Count > MaxKept / 100)
        {
            _keys.Clear();
        }

        var needed = files.Where(f => !_keys.ContainsKey(f.Identity)).DistinctBy(f => f.LocalPath).ToDictionary(f => f.LocalPath, StringComparer.Ordinal);
        foreach (string[] some in needed.Keys.Chunk(FilesPerQuery))
        {
            using DuckDBCommand command = connection.CreateCommand();
            command.CommandText = "SELECT file_name, decode(key), decode(value) FROM parquet_kv_metadata(" + SqlText.LiteralList(some) + ") WHERE decode(key) IN "
                + "('org.apache.hudi.bloomfilter', 'com.uber.hoodie.bloomfilter', 'hoodie_bloom_filter_type_code', 'hoodie_min_record_key', 'hoodie_max_record_key')";
            using DuckDBDataReader rows = command.ExecuteReader();
            var found = new List<(string File, string Key, string Value)>();
            while (rows.Read())
            {
                found.Add((rows.GetString(0), rows.GetString(1), rows.GetString(2)));
            }

            ILookup<string, (string File, string Key, string Value)> byFile = found.ToLookup(f => f.File, StringComparer.Ordinal);
            foreach (string path in some)
            {
                var values = byFile[path].GroupBy(v => v.Key, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.First().Value, StringComparer.Ordinal);
                string? bloom = values.GetValueOrDefault("org.apache.hudi.bloomfilter") ?? values.GetValueOrDefault("com.uber.hoodie.bloomfilter");
                _keys[needed[path].Identity] = new FileKeys(
                    values.GetValueOrDefault("hoodie_min_record_key"), values.GetValueOrDefault("hoodie_max_record_key"),
                    bloom is null ? null : KeyBloomFilter.TryParse(bloom, values.GetValueOrDefault("hoodie_bloom_filter_type_code")));
            }
        }
    }

    /// <summary>What a footer says of its file's record keys.</summary>
    internal sealed record FileKeys(string? Min, string? Max, KeyBloomFilter? Bloom)
    {
        // Writers of Java records take the range in the order of Java's strings, those of Spark's rows in that of bytes: outside is what both orders exclude.
        public bool MayContain(string key) => (Bloom?.MayContain(key) ?? true)
            && new ColumnRange(Min, Max, false, true).MayMatch(ScanComparison.Equal, new ScanLiteral(key));
    }
}
