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
internal sealed class DeltaPruner(DeltaSnapshot snapshot)
{
    public PruningResult Prune(ScanFilter? filter)
    {
        ScanFilter? positive = filter is null ? null : PushNot(filter, negate: false);
        var files = new List<(FileBlock, int)>();
        long byPartition = 0;
        long byStatistics = 0;
        DeltaFileList list = snapshot.Files;
        for (int b = 0; b < list.Blocks.Count; b++)
        {
            FileBlock block = list.Blocks[b];
            bool[]? partitions = positive is null ? null : Evaluate(positive, block, useStatistics: false);
            bool[]? all = positive is null || !UsesStatistics(positive) ? partitions : Evaluate(positive, block, useStatistics: true);
            for (int row = 0; row < block.Count; row++)
            {
                if (!list.IsLive(b, row))
                {
                    continue;
                }

                if (partitions is not null && !partitions[row])
                {
                    byPartition++;
                }
                else if (all is not null && !all[row])
                {
                    byStatistics++;
                }
                else
                {
                    files.Add((block, row));
                }
            }
        }

        return new PruningResult(files, byPartition, byStatistics);
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
        ScanFilter.StartsWith s => negate ? null : s,
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
        _ => Column(filter) is { } column && PartitionIndex(column) < 0,
    };

    private bool[] Evaluate(ScanFilter filter, FileBlock block, bool useStatistics)
    {
        bool[] keep = new bool[block.Count];
        switch (filter)
        {
            case ScanFilter.And and:
                Array.Fill(keep, true);
                foreach (ScanFilter part in and.Parts)
                {
                    bool[] other = Evaluate(part, block, useStatistics);
                    for (int i = 0; i < keep.Length; i++)
                    {
                        keep[i] &= other[i];
                    }
                }

                return keep;
            case ScanFilter.Or or:
                foreach (ScanFilter part in or.Parts)
                {
                    bool[] other = Evaluate(part, block, useStatistics);
                    for (int i = 0; i < keep.Length; i++)
                    {
                        keep[i] |= other[i];
                    }
                }

                return keep;
            default:
                Array.Fill(keep, true);
                EvaluateLeaf(filter, block, useStatistics, keep);
                return keep;
        }
    }

    private void EvaluateLeaf(ScanFilter filter, FileBlock block, bool useStatistics, bool[] keep)
    {
        if (Column(filter) is not { } column)
        {
            return;
        }

        int partition = PartitionIndex(column);
        if (partition >= 0)
        {
            PartitionColumn values = block.Partitions[partition];
            bool[] byValue = [.. values.Values.Select(v => MatchesValue(filter, PartitionText.Parse(v, column), column))];
            for (int row = 0; row < keep.Length; row++)
            {
                keep[row] = byValue[values.Code(row)];
            }
        }
        else if (useStatistics && column.Type is not (DeltaStruct or DeltaArray or DeltaMap))
        {
            ColumnBounds bounds = block.Bounds([column.PhysicalName], column.Type);
            var leaf = new StatisticsLeaf(bounds, filter, column.Type);
            for (int row = 0; row < keep.Length; row++)
            {
                keep[row] = leaf.MayMatch(row, block.RowCount(row));
            }
        }
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
        return order == int.MinValue || comparison switch
        {
            ScanComparison.Equal => order == 0,
            ScanComparison.NotEqual => order != 0,
            ScanComparison.Less => order < 0,
            ScanComparison.LessOrEqual => order <= 0,
            ScanComparison.Greater => order > 0,
            _ => order >= 0,
        };
    }

    private DeltaField? Column(ScanFilter filter)
    {
        string? name = filter switch
        {
            ScanFilter.Compare c => c.Column,
            ScanFilter.In i => i.Column,
            ScanFilter.IsNull n => n.Column,
            ScanFilter.IsNotNull n => n.Column,
            ScanFilter.StartsWith s => s.Column,
            _ => null,
        };
        return name is null ? null : snapshot.Columns.Fields.FirstOrDefault(f => string.Equals(f.Name, name, StringComparison.OrdinalIgnoreCase));
    }

    private int PartitionIndex(DeltaField column)
    {
        for (int i = 0; i < snapshot.PartitionFields.Count; i++)
        {
            if (snapshot.PartitionFields[i].Name == column.Name)
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>A leaf condition against a column's bounds.</summary>
    private sealed class StatisticsLeaf
    {
        private readonly ColumnBounds _bounds;
        private readonly ScanFilter _filter;
        private readonly object?[] _literals;
        private readonly byte[] _prefix = [];

        public StatisticsLeaf(ColumnBounds bounds, ScanFilter filter, DeltaType type)
        {
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
                return nulls != 0;
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
                _ => true,
            };
        }
    }
}

/// <summary>Literals of filters in the form that partition values and bounds have.</summary>
internal static class PruningLiteral
{
    /// <summary>long, double, Int128 at the column's scale, or UTF-8 bytes; null when the literal is not understood.</summary>
    public static object? Convert(ScanLiteral literal, DeltaType type) => (ColumnBounds.KindOf(type), literal.Value) switch
    {
        (BoundKind.Integer, long n) => n,
        (BoundKind.Integer, int n) => (long)n,
        (BoundKind.Integer, DateOnly d) when type is DeltaPrimitive { Kind: DeltaPrimitiveKind.Date } =>
            (long)(d.DayNumber - new DateOnly(1970, 1, 1).DayNumber),
        (BoundKind.Integer, ScanTimestamp t) when type is DeltaPrimitive { Kind: DeltaPrimitiveKind.Timestamp or DeltaPrimitiveKind.TimestampNtz } =>
            t.EpochMicros,
        (BoundKind.Double, double x) => x,
        (BoundKind.Double, float x) => (double)x,
        (BoundKind.Decimal, ScanDecimal d) => Rescale(d.Unscaled, d.Scale, ((DeltaDecimal)type).Scale),
        (BoundKind.Decimal, decimal d) => Rescale(Unscaled(d), d.Scale, ((DeltaDecimal)type).Scale),
        (BoundKind.Decimal, long n) => Rescale(n, 0, ((DeltaDecimal)type).Scale),
        (BoundKind.Text, string s) => Encoding.UTF8.GetBytes(s),
        (BoundKind.None, bool b) when type is DeltaPrimitive { Kind: DeltaPrimitiveKind.Boolean } => b ? 1L : 0L,
        (BoundKind.None, byte[] bytes) when type is DeltaPrimitive { Kind: DeltaPrimitiveKind.Binary } => bytes,
        _ => null,
    };

    private static BigInteger Unscaled(decimal value)
    {
        int[] parts = decimal.GetBits(value);
        BigInteger magnitude = ((BigInteger)(uint)parts[2] << 64) | ((BigInteger)(uint)parts[1] << 32) | (uint)parts[0];
        return value < 0 ? -magnitude : magnitude;
    }

    private static object? Rescale(BigInteger unscaled, int from, int to)
    {
        BigInteger value = unscaled;
        if (to >= from)
        {
            value *= BigInteger.Pow(10, Math.Min(to - from, 100));
        }
        else
        {
            value = BigInteger.DivRem(value, BigInteger.Pow(10, Math.Min(from - to, 100)), out BigInteger rest);
            if (!rest.IsZero)
            {
                return null;
            }
        }

        return value >= (BigInteger)Int128.MinValue && value <= (BigInteger)Int128.MaxValue ? (Int128)value : null;
    }
}
