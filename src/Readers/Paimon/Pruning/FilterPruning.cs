using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Paimon.Pruning;

/// <summary>Whether a filter can be true, given what is known of columns. In doubt it can.</summary>
internal static class FilterPruning
{
    // Deeper filters are not looked into: nothing is lost but the pruning.
    private const int MaxDepth = 100;

    public static bool MayMatch(ScanFilter? filter, Func<string, IColumnKnowledge?> range, int depth = 0)
    {
        if (filter is null || depth > MaxDepth)
        {
            return true;
        }

        return filter switch
        {
            ScanFilter.And and => and.Parts.All(p => MayMatch(p, range, depth + 1)),
            ScanFilter.Or or => or.Parts.Any(p => MayMatch(p, range, depth + 1)),
            ScanFilter.Compare compare => range(compare.Column)?.MayMatch(compare.Operator, compare.Value) ?? true,
            ScanFilter.In list => range(list.Column) is not IColumnKnowledge known || list.Values.Any(v => known.MayMatch(ScanComparison.Equal, v)),
            ScanFilter.IsNull isNull => range(isNull.Column)?.MayBeNull ?? true,
            ScanFilter.IsNotNull isNotNull => range(isNotNull.Column)?.MayBeNotNull ?? true,
            ScanFilter.StartsWith starts => range(starts.Column)?.MayStartWith(starts.Prefix) ?? true,
            _ => true,
        };
    }
}
