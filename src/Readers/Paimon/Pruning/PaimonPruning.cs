using System.Runtime.InteropServices;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Paimon.Pruning.FileIndexes;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Paimon.Pruning;

/// <summary>Skips files that cannot hold a row of a filter: by partition, bucket, key range, statistics and file indexes.</summary>
/// <remarks>Where files of a primary key table are merged, the newest version of a key may lie in another file, so only what all versions of a key share may
/// decide: partition, bucket, key. Files that no other overlaps are pruned by all their columns.</remarks>
internal sealed class PaimonPruning
{
    private const int MaxKeys = 1000;

    // ORC may give back other moments before 1970 than those that were written, and hashed.
    private const long MillisPerDay = 86_400_000;

    private readonly PaimonSnapshot _snapshot;
    private readonly ScanFilter? _filter;
    private readonly IReadOnlyList<string> _bucketKeys;
    private readonly IReadOnlyList<object[]>? _wantedKeys;
    private readonly Dictionary<int, HashSet<int>?> _wantedBuckets = [];
    private readonly Dictionary<PaimonPartition, bool?> _partitions = [];

    public PaimonPruning(PaimonSnapshot snapshot, ScanFilter? filter)
    {
        _snapshot = snapshot;
        _filter = filter;
        string? option = snapshot.TableSchema.Option("bucket-key");
        _bucketKeys = option is null ? snapshot.TableSchema.TrimmedPrimaryKeys : option.Split(',');
        string function = snapshot.TableSchema.Option("bucket-function.type")?.Trim().ToLowerInvariant() ?? "default";
        _wantedKeys = filter is not null && function == "default" && _bucketKeys.Count > 0 ? WantedKeys(filter) : null;
    }

    /// <summary>The partitions and buckets that may hold a row of the filter, and the bounds of their files.</summary>
    public PaimonPlaces Places => _filter is null ? default : new PaimonPlaces(MatchesPartition, _wantedKeys is null ? null : MatchesBucket, BoundsPruning.Of(_snapshot, _filter));

    // Several manifests name the same partitions.
    private bool MatchesPartition(PaimonPartition partition)
    {
        ref bool? known = ref CollectionsMarshal.GetValueRefOrAddDefault(_partitions, partition, out _);
        return known ??= MayMatch(partition);
    }

    private bool MayMatch(PaimonPartition partition) => FilterPruning.MayMatch(_filter, column =>
    {
        for (int i = 0; i < partition.Values.Count; i++)
        {
            if (IsColumn(_snapshot.TableSchema.PartitionKeys[i], column))
            {
                object? value = partition.Values[i];
                return new ColumnRange(_snapshot.TableSchema.Field(_snapshot.TableSchema.PartitionKeys[i]).Type, value, value, value is null ? 1 : 0, 1);
            }
        }

        return null;
    });

    private bool MatchesBucket(PaimonFileRun file)
    {
        if (_wantedKeys is null || file.TotalBuckets <= 0)
        {
            return true;
        }

        if (!_wantedBuckets.TryGetValue(file.TotalBuckets, out HashSet<int>? buckets))
        {
            PaimonType[] types = [.. _bucketKeys.Select(k => _snapshot.TableSchema.Field(k).Type)];
            int?[] all = [.. _wantedKeys.Select(k => BucketHash.BucketOf(k, types, file.TotalBuckets))];
            buckets = all.Contains(null) ? null : [.. all.Select(b => b!.Value)];
            _wantedBuckets[file.TotalBuckets] = buckets;
        }

        return buckets is null || buckets.Contains(file.Bucket);
    }

    /// <summary>By statistics.</summary>
    /// <param name="file">The file.</param>
    /// <param name="isMerged">Other files may hold other versions of its rows: only the key, which all versions share, decides.</param>
    public bool MatchesStatistics(PaimonDataFile file, bool isMerged)
    {
        if (_filter is null || !_snapshot.Schemas.TryGetValue(file.SchemaId, out PaimonSchema? schema))
        {
            return true;
        }

        Dictionary<string, ColumnRange> ranges = [];
        if (!isMerged)
        {
            Collect(ranges, file.ValueStatistics, file.ValueStatisticsColumns ?? file.WriteColumns ?? [.. schema.Fields.Select(f => f.Name)], schema, file);
        }

        if (_snapshot.PrimaryKey.Count > 0)
        {
            Collect(ranges, file.KeyStatistics, schema.TrimmedPrimaryKeys, schema, file);
        }

        return FilterPruning.MayMatch(_filter, column =>
        {
            PaimonField? wanted = _snapshot.TableSchema.Fields.FirstOrDefault(f => IsColumn(f.Name, column));
            PaimonField? old = wanted is null ? null : schema.Fields.FirstOrDefault(f => f.Id == wanted.Id);
            if (wanted is not null && old is null && !isMerged && file.RowCount > 0)
            {
                return new ColumnRange(wanted.Type, null, null, file.RowCount, file.RowCount);
            }

            return old is not null && old.Type.HasSameValuesAs(wanted!.Type) ? ranges.GetValueOrDefault(old.Name) : null;
        });
    }

    /// <summary>What a file's statistics tell of a column that has had the same type since it was written; null where they tell nothing.</summary>
    public static ColumnRange? RangeOf(PaimonSnapshot snapshot, PaimonDataFile file, PaimonField column)
    {
        if (!snapshot.Schemas.TryGetValue(file.SchemaId, out PaimonSchema? schema) || schema.Fields.FirstOrDefault(f => f.Id == column.Id) is not { } stored
            || !stored.Type.HasSameValuesAs(column.Type))
        {
            return null;
        }

        Dictionary<string, ColumnRange> ranges = [];
        Collect(ranges, file.ValueStatistics, file.ValueStatisticsColumns ?? file.WriteColumns ?? [.. schema.Fields.Select(f => f.Name)], schema, file);
        return ranges.GetValueOrDefault(stored.Name);
    }

    /// <summary>By the indexes of the file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="index">Its indexes.</param>
    /// <param name="isMerged">As in <see cref="MatchesStatistics"/>.</param>
    public bool MatchesIndex(PaimonDataFile file, FileIndex index, bool isMerged)
    {
        if (_filter is null || !_snapshot.Schemas.TryGetValue(file.SchemaId, out PaimonSchema? schema))
        {
            return true;
        }

        try
        {
            return index.MayMatch(_filter, column =>
            {
                PaimonField? wanted = _snapshot.TableSchema.Fields.FirstOrDefault(f => IsColumn(f.Name, column));
                PaimonField? old = wanted is null ? null : schema.Fields.FirstOrDefault(f => f.Id == wanted.Id);
                bool isKey = wanted is not null && _snapshot.PrimaryKey.Contains(wanted.Name);
                // What ORC gives back for a moment may not be what was written, and indexed.
                bool isShifted = file.Format == "orc" && wanted?.Type.Kind is PaimonTypeKind.Timestamp or PaimonTypeKind.TimestampLtz;
                return old is not null && old.Type.HasSameValuesAs(wanted!.Type) && (isKey || !isMerged) && !isShifted ? old : null;
            });
        }
        catch (LakeException)
        {
            // An index that cannot be read says nothing.
            return true;
        }
    }

    /// <summary>Whether indexes are worth loading.</summary>
    public bool MayUseIndexes => _filter is not null
        && !string.Equals(_snapshot.TableSchema.Option("file-index.read.enabled")?.Trim(), "false", StringComparison.OrdinalIgnoreCase);

    private static void Collect(
        Dictionary<string, ColumnRange> ranges, PaimonStatistics statistics, IReadOnlyList<string> names, PaimonSchema schema, PaimonDataFile file)
    {
        // Some writers leave statistics out in ways of their own; whatever does not fit is no statistics.
        if (names.Count == 0 || file.RowCount < 0 || statistics.NullCounts.Count != names.Count
            || BinaryRow.Arity(statistics.MinValues) != names.Count || BinaryRow.Arity(statistics.MaxValues) != names.Count)
        {
            return;
        }

        if (!names.All(n => schema.Fields.Any(f => f.Name == n)))
        {
            return;
        }

        PaimonType[] types = [.. names.Select(n => schema.Field(n).Type)];
        object?[] min = BinaryRow.Decode(statistics.MinValues, types, file.Path);
        object?[] max = BinaryRow.Decode(statistics.MaxValues, types, file.Path);
        for (int i = 0; i < names.Count; i++)
        {
            long nulls = statistics.NullCounts[i] ?? -1;
            bool isEmpty = min[i] is null && max[i] is null;
            bool isKnown = nulls >= 0 && nulls <= file.RowCount && (nulls == file.RowCount ? isEmpty : min[i] is not null && max[i] is not null);
            if (isKnown && !(min[i] is double low && double.IsNaN(low)) && !(max[i] is double high && double.IsNaN(high))
                && (isEmpty || PaimonValue.Compare(min[i], max[i]) <= 0))
            {
                var range = new ColumnRange(types[i], min[i], max[i], nulls, file.RowCount);
                ranges[names[i]] = file.Format == "orc" ? range.Widened() : range;
            }
        }
    }

    private static bool IsColumn(string name, string wanted) => string.Equals(name, wanted, StringComparison.OrdinalIgnoreCase);

    // Every combination of values that the bucket key may have, or null if the filter does not bind all its columns.
    private List<object[]>? WantedKeys(ScanFilter filter)
    {
        ScanFilter[] parts = filter is ScanFilter.And and ? [.. and.Parts] : [filter];
        List<object[]> keys = [[]];
        foreach (string column in _bucketKeys)
        {
            PaimonField? field = _snapshot.TableSchema.Fields.FirstOrDefault(f => f.Name == column);
            IReadOnlyList<ScanLiteral>? literals = parts.Select(p => p switch
            {
                ScanFilter.Compare { Operator: ScanComparison.Equal } compare when IsColumn(column, compare.Column) => [compare.Value],
                ScanFilter.In list when IsColumn(column, list.Column) => list.Values,
                _ => null,
            }).FirstOrDefault(l => l is not null);
            object?[] values = field is null || literals is null ? [null] : [.. literals.Select(l => ColumnRange.ToValue(l, field.Type))];
            if (values.Any(v => v is null or PaimonTimestamp { Millis: < MillisPerDay }) || (long)values.Length * keys.Count > MaxKeys || !IsTypeUnchanged(field!))
            {
                return null;
            }

            keys = [.. keys.SelectMany(k => values.Select(v => (object[])[.. k, v!]))];
        }

        return keys;
    }

    // The hash depends on the type that the row was written with.
    private bool IsTypeUnchanged(PaimonField field) =>
        _snapshot.Schemas.Values.All(s => s.Fields.FirstOrDefault(f => f.Id == field.Id)?.Type.HasSameValuesAs(field.Type) ?? true);
}
