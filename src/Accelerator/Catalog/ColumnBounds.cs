using System.Globalization;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Accelerator.Catalog;

/// <summary>What a condition asks of one column, as far as it tells: a least value, or the only values. Values are <see cref="long"/>, <see cref="string"/> or <see cref="DateOnly"/>.</summary>
/// <param name="From">The least value.</param>
/// <param name="Only">The values; null where there may be others above the least.</param>
public sealed record ColumnBounds(IComparable From, IReadOnlyList<IComparable>? Only)
{
    private const int MostValues = 20;

    private static readonly IReadOnlyDictionary<string, ColumnBounds> None = new Dictionary<string, ColumnBounds>();

    /// <summary>The bounds of each column that a condition bounds below.</summary>
    public static IReadOnlyDictionary<string, ColumnBounds> Of(ScanFilter? filter) => filter switch
    {
        ScanFilter.And and => All(and.Parts),
        ScanFilter.Or or => Any([.. or.Parts.Select(Of)]),
        ScanFilter.Compare { Operator: ScanComparison.Equal } compare when Value(compare.Value) is { } value => One(compare.Column, new ColumnBounds(value, [value])),
        ScanFilter.Compare { Operator: ScanComparison.Greater or ScanComparison.GreaterOrEqual } compare when Value(compare.Value) is { } value => One(compare.Column, new ColumnBounds(value, null)),
        ScanFilter.In list when list.Values.Count is > 0 and <= MostValues && list.Values.Select(Value).OfType<IComparable>().ToArray() is var values && values.Length == list.Values.Count =>
            One(list.Column, new ColumnBounds(values.Min()!, values)),
        _ => None,
    };

    /// <summary>The bounds of what one of several asks for.</summary>
    public static ColumnBounds Union(IReadOnlyList<ColumnBounds> some)
    {
        IComparable[]? values = some.Any(b => b.Only is null) ? null : [.. some.SelectMany(b => b.Only!).Distinct()];
        return new ColumnBounds(some.Min(b => b.From)!, values?.Length <= MostValues ? values : null);
    }

    /// <summary>A value as SQL.</summary>
    public static string Sql(IComparable value) => value switch
    {
        DateOnly date => string.Create(CultureInfo.InvariantCulture, $"DATE '{date:yyyy-MM-dd}'"),
        string text => Readers.Engine.SqlText.Literal(text),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    /// <summary>A partition's value, given as text, as one that compares with <paramref name="like"/>; null where it is none.</summary>
    public static IComparable? Parse(string? text, IComparable like) => like switch
    {
        _ when text is null => null,
        DateOnly => DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out DateOnly date) ? date : null,
        long => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number) ? number : null,
        _ => text,
    };

    private static Dictionary<string, ColumnBounds> One(string column, ColumnBounds bounds) => new() { [column] = bounds };

    private static Dictionary<string, ColumnBounds> All(IReadOnlyList<ScanFilter> parts)
    {
        var all = new Dictionary<string, ColumnBounds>();
        foreach ((string column, ColumnBounds bounds) in parts.SelectMany(Of))
        {
            all[column] = !all.TryGetValue(column, out ColumnBounds? known) ? bounds
                : new ColumnBounds(bounds.From.CompareTo(known.From) > 0 ? bounds.From : known.From, known.Only ?? bounds.Only);
        }

        return all;
    }

    private static Dictionary<string, ColumnBounds> Any(IReadOnlyDictionary<string, ColumnBounds>[] parts)
        => parts[0].Keys.Where(c => parts.All(p => p.ContainsKey(c))).ToDictionary(c => c, c => Union([.. parts.Select(p => p[c])]));

    private static IComparable? Value(ScanLiteral literal) => literal.Value switch
    {
        long or DateOnly => (IComparable)literal.Value,
        string text => text,
        _ => null,
    };
}
