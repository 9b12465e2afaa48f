using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Paimon.Evolution;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Paimon.Pruning;

/// <summary>Conditions of a filter on bounds that are kept as numbers, for tables of many files: what they leave is pruned exactly by <see cref="PaimonPruning"/>.</summary>
/// <remarks>Values become numbers in their order, several perhaps the same one: whole numbers, dates, moments in microseconds, decimals as far as they fit, the first eight bytes of texts.</remarks>
internal static class BoundsPruning
{
    private static readonly (long Least, long Greatest) Unknown = (long.MinValue, long.MaxValue);

    /// <summary>The conditions; null where a file alone does not decide, or where there are none.</summary>
    public static IReadOnlyList<PaimonBounds>? Of(PaimonSnapshot snapshot, ScanFilter filter)
    {
        if (snapshot.PrimaryKey.Count > 0 || EvolutionPlan.IsNeeded(snapshot))
        {
            return null;
        }

        PaimonBounds[] bounds = [.. (filter is ScanFilter.And and ? and.Parts : [filter]).Select(p => ConditionOf(snapshot, p)).OfType<PaimonBounds>()];
        return bounds.Length > 0 ? bounds : null;
    }

    private static PaimonBounds? ConditionOf(PaimonSnapshot snapshot, ScanFilter part) => part switch
    {
        ScanFilter.Compare { Operator: ScanComparison.Equal } equal => ConditionOf(snapshot, equal.Column, [equal.Value], (least, greatest, v) => least <= v && v <= greatest),
        ScanFilter.Compare { Operator: ScanComparison.Less or ScanComparison.LessOrEqual } less => ConditionOf(snapshot, less.Column, [less.Value], (least, _, v) => least <= v),
        ScanFilter.Compare { Operator: ScanComparison.Greater or ScanComparison.GreaterOrEqual } greater => ConditionOf(snapshot, greater.Column, [greater.Value], (_, greatest, v) => v <= greatest),
        ScanFilter.In list => ConditionOf(snapshot, list.Column, list.Values, (least, greatest, v) => least <= v && v <= greatest),
        _ => null,
    };

    private static PaimonBounds? ConditionOf(PaimonSnapshot snapshot, string column, IReadOnlyList<ScanLiteral> literals, Func<long, long, long, bool> mayMatch)
    {
        PaimonField? field = snapshot.TableSchema.Fields.FirstOrDefault(f => f.Name.Equals(column, StringComparison.OrdinalIgnoreCase));
        if (field is null || field.Type.IsFloating || snapshot.TableSchema.PartitionKeys.Contains(field.Name))
        {
            return null;
        }

        long?[] values = [.. literals.Select(l => NumberOf(ColumnRange.ToValue(l, field.Type)))];
        return values.Contains(null) ? null : new PaimonBounds(
            // A schema's columns keep their types.
            string.Create(CultureInfo.InvariantCulture, $"{field.Id}/{snapshot.TableSchema.Id}"),
            file => BoundsOf(snapshot, file, field),
            (least, greatest) => Array.Exists(values, v => mayMatch(least, greatest, v!.Value)));
    }

    private static (long Least, long Greatest) BoundsOf(PaimonSnapshot snapshot, PaimonDataFile file, PaimonField field)
    {
        try
        {
            return PaimonPruning.RangeOf(snapshot, file, field) is { } range && NumberOf(range.Min) is { } least && NumberOf(range.Max) is { } greatest ? (least, greatest) : Unknown;
        }
        catch (LakeException)
        {
            // Who prunes exactly says what is wrong.
            return Unknown;
        }
    }

    private static long? NumberOf(object? value) => value switch
    {
        bool b => b ? 1 : 0,
        long n => n,
        PaimonTimestamp t => (long)Int128.Clamp(((Int128)t.Millis * 1000) + (t.NanoOfMilli / 1000), long.MinValue, long.MaxValue),
        BigInteger n => (long)BigInteger.Clamp(n, long.MinValue, long.MaxValue),
        byte[] bytes => Prefix(bytes),
        _ => null,
    };

    private static long Prefix(byte[] bytes)
    {
        Span<byte> prefix = stackalloc byte[8];
        prefix.Clear();
        bytes.AsSpan(0, Math.Min(bytes.Length, prefix.Length)).CopyTo(prefix);
        return BinaryPrimitives.ReadInt64BigEndian(prefix) ^ long.MinValue;
    }
}
