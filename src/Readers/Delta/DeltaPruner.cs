using System.Numerics;
using System.Text;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Delta.Files;
using LakeHolo.LakeCatalog.Delta.Schema;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Delta;

/// <summary>What is left of a snapshot's files.</summary>
internal sealed record PruningResult(IReadOnlyList<(FileBlock Block, int Row)> Files, long PrunedByPartition, long PrunedByStatistics);

/// <summary>Skips files in which a filter cannot be true for any row: by partition values first, then by statistics. Whatever is not understood keeps
/// the file.</summary>
/// <param name="snapshot">Its files.</param>
/// <param name="evaluate">Tells for each value of a partition column whether an expression may be true for it; null if it cannot be told.</param>
internal sealed class DeltaPruner(DeltaSnapshot snapshot, Func<DeltaField, string, IReadOnlyList<string?>, bool[]?>? evaluate = null)
{
    public PruningResult Prune(ScanFilter? filter)
    {
        ScanFilter? positive = filter is null ? null : PushNot(filter, negate: false);
        bool usesStatistics = positive is not null && UsesStatistics(positive);
        var files = new List<(FileBlock, int)>();
        long byPartition = 0;
        long byStatistics = 0;
        DeltaFileList list = snapshot.Files;
        for (int b = 0; b < list.Blocks.Count; b++)
        {
            FileBlock block = list.Blocks[b];
            ulong[] live = list.LiveBits(b);
            ulong[] byValue = positive is null ? live : Narrow(positive, block, live, useStatistics: false);
            ulong[] all = usesStatistics ? Narrow(positive!, block, byValue, useStatistics: true) : byValue;
            int kept = Count(all);
            int afterValues = Count(byValue);
            byPartition += Count(live) - afterValues;
            byStatistics += afterValues - kept;
            files.EnsureCapacity(files.Count + kept);
            for (int word = 0; word < all.Length; word++)
            {
                for (ulong bits = all[word]; bits != 0; bits &= bits - 1)
                {
                    files.Add((block, (word << 6) + BitOperations.TrailingZeroCount(bits)));
                }
            }
        }

        return new PruningResult(files, byPartition, byStatistics);
    }

    private static int Count(ulong[] bits)
    {
        int count = 0;
        foreach (ulong word in bits)
        {
            count += BitOperations.PopCount(word);
        }

        return count;
    }

    // NOT is moved to the leaves, because "may be true" cannot be negated. A leaf whose negation is not understood becomes null: keep.
    private static ScanFilter? PushNot(ScanFilter filter, bool negate) => filter switch
    {
        ScanFilter.Not n => PushNot(n.Part, !negate),
        ScanFilter.And a => Join(a.Parts, negate, isAnd: !negate),
        ScanFilter.Or o => Join(o.Parts, negate, isAnd: negate),
        ScanFilter.Compare c => negate ? c with { Operator = Opposite(c.Operator) } : c,
        ScanFilter.In i => negate
            ? new ScanFilter.And([.. i.Values.Select(v => new ScanFilter.Compare(i.Column, ScanComparison.NotEqual, v))])
            : i,
        ScanFilter.IsNull n => negate ? new ScanFilter.IsNotNull(n.Column) : n,
        ScanFilter.IsNotNull n => negate ? new ScanFilter.IsNull(n.Column) : n,
        ScanFilter.StartsWith or ScanFilter.Expression => negate ? null : filter,
        _ => null,
    };

    private static ScanFilter? Join(IReadOnlyList<ScanFilter> parts, bool negate, bool isAnd)
    {
        ScanFilter?[] pushed = [.. parts.Select(p => PushNot(p, negate))];
        if (isAnd)
        {
            return new ScanFilter.And([.. pushed.OfType<ScanFilter>()]);
        }

        return Array.Exists(pushed, p => p is null) ? null : new ScanFilter.Or([.. pushed.OfType<ScanFilter>()]);
    }

    private static ScanComparison Opposite(ScanComparison comparison) => comparison switch
    {
        ScanComparison.Equal => ScanComparison.NotEqual,
        ScanComparison.NotEqual => ScanComparison.Equal,
        ScanComparison.Less => ScanComparison.GreaterOrEqual,
        ScanComparison.LessOrEqual => ScanComparison.Greater,
        ScanComparison.Greater => ScanComparison.LessOrEqual,
        _ => ScanComparison.Less,
    };

    private bool UsesStatistics(ScanFilter filter) => filter switch
    {
        ScanFilter.And a => a.Parts.Any(UsesStatistics),
        ScanFilter.Or o => o.Parts.Any(UsesStatistics),
        _ => Column(filter) is { } column && snapshot.PartitionIndex(column) < 0,
    };

    /// <summary>Those of the candidates that may fulfil a filter.</summary>
    private ulong[] Narrow(ScanFilter filter, FileBlock block, ulong[] candidates, bool useStatistics)
    {
        switch (filter)
        {
            case ScanFilter.And and:
                foreach (ScanFilter part in and.Parts)
                {
                    candidates = Narrow(part, block, candidates, useStatistics);
                }

                return candidates;
            case ScanFilter.Or or:
                ulong[] any = new ulong[candidates.Length];
                foreach (ScanFilter part in or.Parts)
                {
                    ulong[] kept = Narrow(part, block, candidates, useStatistics);
                    for (int i = 0; i < any.Length; i++)
                    {
                        any[i] |= kept[i];
                    }
                }

                return any;
            default:
                return Leaf(filter, block, useStatistics) is { } mayMatch ? Where(candidates, mayMatch) : candidates;
        }
    }

    private static ulong[] Where(ulong[] candidates, Func<int, bool> mayMatch)
    {
        ulong[] kept = new ulong[candidates.Length];
        for (int word = 0; word < candidates.Length; word++)
        {
            for (ulong bits = candidates[word]; bits != 0; bits &= bits - 1)
            {
                int bit = BitOperations.TrailingZeroCount(bits);
                if (mayMatch((word << 6) + bit))
                {
                    kept[word] |= 1UL << bit;
                }
            }
        }

        return kept;
    }

    // Null: says nothing.
    private Func<int, bool>? Leaf(ScanFilter filter, FileBlock block, bool useStatistics)
    {
        if (Column(filter) is not { } column)
        {
            return null;
        }

        int partition = snapshot.PartitionIndex(column);
        if (partition >= 0)
        {
            PartitionColumn values = block.Partitions[partition];
            bool[]? byValue = filter is ScanFilter.Expression expression
                ? evaluate?.Invoke(column, expression.Sql, values.Values)
                : [.. values.Values.Select(v => MatchesValue(filter, PartitionText.Parse(v, column), column))];
            return byValue is null ? null : row => byValue[values.Code(row)];
        }

        if (!useStatistics || filter is ScanFilter.Expression || Path(column, filter) is not (string[] path, DeltaType type))
        {
            return null;
        }

        ColumnBounds bounds = block.Bounds(path, type);
        var leaf = new StatisticsLeaf(bounds, filter, type, isNested: path.Length > 1);
        return row => leaf.MayMatch(row, block.RowCount(row));
    }

    // Physical names down to the leaf that the filter names; null if there is none.
    private static (string[] Path, DeltaType Type)? Path(DeltaField column, ScanFilter filter)
    {
        var path = new List<string> { column.PhysicalName };
        DeltaType type = column.Type;
        foreach (string name in ColumnName(filter)!.Split(ScanFilter.FieldSeparator).Skip(1))
        {
            if ((type as DeltaStruct)?.Fields.FirstOrDefault(f => string.Equals(f.Name, name, StringComparison.OrdinalIgnoreCase)) is not { } field)
            {
                return null;
            }

            path.Add(field.PhysicalName);
            type = field.Type;
        }

        return type is DeltaStruct or DeltaArray or DeltaMap ? null : ([.. path], type);
    }

    private static bool MatchesValue(ScanFilter filter, object? value, DeltaField column)
    {
        switch (filter)
        {
            case ScanFilter.IsNull:
                return value is null;
            case ScanFilter.IsNotNull:
                return value is not null;
            case ScanFilter.StartsWith s when value is byte[] text:
                return text.AsSpan().StartsWith(Encoding.UTF8.GetBytes(s.Prefix));
            case ScanFilter.StartsWith:
                return false;
            case ScanFilter.In list:
                return value is not null && list.Values.Any(v => Holds(ScanComparison.Equal, value, PruningLiteral.Convert(v, column.Type)));
            case ScanFilter.Compare compare:
                return value is not null && Holds(compare.Operator, value, PruningLiteral.Convert(compare.Value, column.Type));
            default:
                return true;
        }
    }

    private static bool Holds(ScanComparison comparison, object value, object? literal)
    {
        if (literal is null)
        {
            return true;
        }

        int order = (value, literal) switch
        {
            (long a, long b) => a.CompareTo(b),
            (Int128 a, Int128 b) => a.CompareTo(b),
            (byte[] a, byte[] b) => a.AsSpan().SequenceCompareTo(b),
            (double a, double b) => ColumnBounds.CompareDoubles(a, b),
            _ => int.MinValue,
        };
        return order == int.MinValue || comparison.Holds(order);
    }

    private static string? ColumnName(ScanFilter filter) => filter switch
    {
        ScanFilter.Compare c => c.Column,
        ScanFilter.In i => i.Column,
        ScanFilter.IsNull n => n.Column,
        ScanFilter.IsNotNull n => n.Column,
        ScanFilter.StartsWith s => s.Column,
        ScanFilter.Expression e => e.Column,
        _ => null,
    };

    private DeltaField? Column(ScanFilter filter)
    {
        string? name = ColumnName(filter)?.Split(ScanFilter.FieldSeparator)[0];
        return name is null ? null : snapshot.Columns.Fields.FirstOrDefault(f => string.Equals(f.Name, name, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>A leaf condition against a column's bounds.</summary>
    private sealed class StatisticsLeaf
    {
        private readonly ColumnBounds _bounds;
        private readonly ScanFilter _filter;
        private readonly object?[] _literals;
        private readonly byte[] _prefix = [];
        private readonly bool _isNested;
        private readonly bool _hasExactBounds;

        public StatisticsLeaf(ColumnBounds bounds, ScanFilter filter, DeltaType type, bool isNested)
        {
            _isNested = isNested;
            _hasExactBounds = type is DeltaDecimal or DeltaPrimitive
            {
                Kind: DeltaPrimitiveKind.Byte or DeltaPrimitiveKind.Short or DeltaPrimitiveKind.Integer or DeltaPrimitiveKind.Long or DeltaPrimitiveKind.Date
            };
            _bounds = bounds;
            _filter = filter;
            _literals = filter switch
            {
                ScanFilter.Compare c => [PruningLiteral.Convert(c.Value, type)],
                ScanFilter.In i => [.. i.Values.Select(v => PruningLiteral.Convert(v, type))],
                _ => [],
            };
            if (filter is ScanFilter.StartsWith s)
            {
                _prefix = Encoding.UTF8.GetBytes(s.Prefix);
            }
        }

        public bool MayMatch(int row, long rowCount)
        {
            long nulls = _bounds.NullCount(row);
            if (_filter is ScanFilter.IsNull)
            {
                // Whether rows whose struct is null count as nulls of its fields depends on the writer.
                return nulls != 0 || _isNested;
            }

            if (rowCount >= 0 && nulls == rowCount)
            {
                return false;
            }

            return _filter switch
            {
                ScanFilter.Compare c => MayCompare(row, c.Operator, _literals[0]),
                ScanFilter.In => Array.Exists(_literals, l => MayCompare(row, ScanComparison.Equal, l)),
                ScanFilter.StartsWith => _bounds.Kind != BoundKind.Text
                    || (!_bounds.MaxIsBelowPrefix(row, _prefix) && !_bounds.MinIsAbovePrefix(row, _prefix)),
                _ => true,
            };
        }

        // Bounds of floating-point columns may leave out NaN, which the engine orders above everything.
        private bool MayCompare(int row, ScanComparison comparison, object? literal)
        {
            if (literal is null || _bounds.Kind == BoundKind.None || literal is double and double.NaN)
            {
                return true;
            }

            bool maxCounts = _bounds.Kind != BoundKind.Double;
            return comparison switch
            {
                ScanComparison.Equal => !(_bounds.CompareMin(row, literal) > 0) && !(_bounds.CompareMax(row, literal) < 0),
                ScanComparison.Less => !(_bounds.CompareMin(row, literal) >= 0),
                ScanComparison.LessOrEqual => !(_bounds.CompareMin(row, literal) > 0),
                ScanComparison.Greater => !(maxCounts && _bounds.CompareMax(row, literal) <= 0),
                ScanComparison.GreaterOrEqual => !(maxCounts && _bounds.CompareMax(row, literal) < 0),

                // Every row has the value, or NULL.
                ScanComparison.NotEqual => !(_hasExactBounds && _bounds.CompareMin(row, literal) == 0 && _bounds.CompareMax(row, literal) == 0),
                _ => true,
            };
        }
    }
}
