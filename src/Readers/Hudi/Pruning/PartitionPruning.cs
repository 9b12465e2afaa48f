using System.Globalization;
using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Hudi.Pruning;

/// <summary>Skips slices whose partition path excludes every row that a filter needs.</summary>
/// <remarks>Only where the path holds the columns' own values: with timestamp, custom or unknown key generators it may be another text. A condition, or a value,
/// that is not understood keeps the slice.</remarks>
internal sealed class PartitionPruning
{
    private readonly Dictionary<string, IArrowType> _types;
    private readonly bool _isUsable;
    private readonly HudiProperties _properties;
    private readonly IReadOnlyList<string> _columns;

    public PartitionPruning(HudiSnapshot snapshot)
    {
        _columns = snapshot.PartitionColumns;
        _properties = snapshot.Properties;
        _types = snapshot.Columns.Where(c => _columns.Contains(c.Name)).ToDictionary(c => c.Name, c => c.Field.DataType, StringComparer.OrdinalIgnoreCase);
        _isUsable = _columns.Count > 0 && _types.Count == _columns.Count && _columns.All(snapshot.Properties.PathHoldsValueOf) && !snapshot.Properties.HasSlashSeparatedDates;
    }

    /// <summary>Whether rows of a partition may fulfil the condition.</summary>
    public bool MayMatch(string partition, ScanFilter? filter)
        => !_isUsable || filter is null || PartitionPath.Parse(partition, _columns, _properties) is not { } values || MayBeTrue(filter, values);

    private bool MayBeTrue(ScanFilter filter, IReadOnlyDictionary<string, string?> values) => filter switch
    {
        ScanFilter.And and => and.Parts.All(p => MayBeTrue(p, values)),
        ScanFilter.Or or => or.Parts.Any(p => MayBeTrue(p, values)),
        ScanFilter.Compare compare => Compared(compare.Column, compare.Value, values) is not { } order || compare.Operator.Holds(order),
        ScanFilter.In all => all.Values.Any(v => Compared(all.Column, v, values) is null or 0),
        _ => true,
    };

    // Null: not known.
    private int? Compared(string column, ScanLiteral literal, IReadOnlyDictionary<string, string?> values)
    {
        if (!_types.TryGetValue(column, out IArrowType? type) || values.FirstOrDefault(v => v.Key.Equals(column, StringComparison.OrdinalIgnoreCase)).Value is not { } text)
        {
            // The null marker of a text column also stands for the empty text.
            return null;
        }

        return (type, literal.Value) switch
        {
            // Paths of the time before 0.12 write nulls as "default".
            (StringType, string value) when text is not "default" => CompareUtf8(text, value),
            (Int32Type or Int64Type, long value) when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number) => number.CompareTo(value),
            (Date32Type, DateOnly value) when DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out DateOnly date)
                => date.CompareTo(value),
            _ => null,
        };
    }

    private static int CompareUtf8(string one, string other)
        => System.Text.Encoding.UTF8.GetBytes(one).AsSpan().SequenceCompareTo(System.Text.Encoding.UTF8.GetBytes(other));
}
