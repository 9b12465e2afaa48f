using LakeHolo.Accelerator.Catalog;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Accelerator.Planning;

/// <summary>What the query log tells of a scan's request.</summary>
/// <param name="Columns">Columns that were needed; null for all.</param>
/// <param name="FilteredBy">Columns that a condition compared with values.</param>
/// <param name="Bounds">What a condition asked of columns.</param>
internal sealed record ScanConditions(IReadOnlyList<string>? Columns, IReadOnlyList<string> FilteredBy, IReadOnlyDictionary<string, ColumnBounds> Bounds)
{
    /// <summary>Of a request.</summary>
    public static ScanConditions Of(ScanRequest request) => new(request.Columns, [.. Advice.ColumnsOf(request.Filter).Distinct()], ColumnBounds.Of(request.Filter));
}
