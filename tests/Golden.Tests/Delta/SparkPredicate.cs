using System.Globalization;
using System.Numerics;
using System.Text.RegularExpressions;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Delta.Schema;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Delta;

/// <summary>The predicates of golden cases, which are Spark SQL: for the engine, and as a filter for pruning where they are simple.</summary>
internal static partial class SparkPredicate
{
    /// <summary>The predicate for the engine.</summary>
    public static string ToEngine(string predicate) => Typed().Replace(predicate, m => m.Groups[1].Value switch
    {
        "timestamp" => "TIMESTAMPTZ '",
        "timestamp_ntz" => "TIMESTAMP '",
        _ => "DATE '",
    });

    /// <summary>The parts of a conjunction that are understood; null if none is.</summary>
    public static ScanFilter? ToFilter(string predicate, DeltaSnapshot snapshot)
    {
        var parts = new List<ScanFilter>();
        string text = Between().Replace(predicate, "$1 >= $2 AND $1 <= $3");
        foreach (string part in text.Split(" AND "))
        {
            Match match = Simple().Match(part.Trim());
            DeltaField? column = match.Success ? snapshot.Columns.Fields.FirstOrDefault(f => f.Name == match.Groups[1].Value) : null;
            if (column is null)
            {
                continue;
            }

            string name = column.Name;
            string rest = match.Groups[3].Value;
            switch (match.Groups[2].Value)
            {
                case "IS" when rest == "NULL":
                    parts.Add(new ScanFilter.IsNull(name));
                    break;
                case "IS" when rest == "NOT NULL":
                    parts.Add(new ScanFilter.IsNotNull(name));
                    break;
                case "LIKE" when rest.EndsWith("%'", StringComparison.Ordinal):
                    parts.Add(new ScanFilter.StartsWith(name, rest[1..^2]));
                    break;
                case var comparison when Literal(rest, column.Type) is { } literal && Operator(comparison) is { } known:
                    parts.Add(new ScanFilter.Compare(name, known, literal));
                    break;
            }
        }

        return parts.Count == 0 ? null : new ScanFilter.And(parts);
    }

    private static ScanComparison? Operator(string text) => text switch
    {
        "=" => ScanComparison.Equal,
        "<>" => ScanComparison.NotEqual,
        "<" => ScanComparison.Less,
        "<=" => ScanComparison.LessOrEqual,
        ">" => ScanComparison.Greater,
        ">=" => ScanComparison.GreaterOrEqual,
        _ => null,
    };

    private static ScanLiteral? Literal(string text, DeltaType type)
    {
        string quoted = text.Contains('\'', StringComparison.Ordinal) ? text[(text.IndexOf('\'', StringComparison.Ordinal) + 1)..^1] : text;
        switch (type)
        {
            case DeltaDecimal:
                int point = text.IndexOf('.', StringComparison.Ordinal);
                return BigInteger.TryParse(text.Replace(".", "", StringComparison.Ordinal), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out BigInteger n)
                    ? new ScanLiteral(new ScanDecimal(n, point < 0 ? 0 : text.Length - point - 1))
                    : null;
            case DeltaPrimitive { Kind: DeltaPrimitiveKind.String }:
                return Repeat().Match(text) is { Success: true } r
                    ? new ScanLiteral(string.Concat(Enumerable.Repeat(r.Groups[1].Value, int.Parse(r.Groups[2].ValueSpan, CultureInfo.InvariantCulture))) + r.Groups[3].Value)
                    : text.StartsWith('\'') ? new ScanLiteral(quoted) : null;
            case DeltaPrimitive { Kind: DeltaPrimitiveKind.Date }:
                return new ScanLiteral(DateOnly.Parse(quoted, CultureInfo.InvariantCulture));
            case DeltaPrimitive { Kind: DeltaPrimitiveKind.Timestamp or DeltaPrimitiveKind.TimestampNtz }:
                return DeltaText.TryParseTimestamp(quoted, out long micros) ? new ScanLiteral(new ScanTimestamp(micros)) : null;
            case DeltaPrimitive { Kind: DeltaPrimitiveKind.Float or DeltaPrimitiveKind.Double }:
                return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double x) ? new ScanLiteral(x) : null;
            default:
                return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) ? new ScanLiteral(value) : null;
        }
    }

    [GeneratedRegex(@"\b(timestamp_ntz|timestamp|date)\s*'")]
    private static partial Regex Typed();

    [GeneratedRegex(@"(\w+) BETWEEN (\S+) AND (\S+)")]
    private static partial Regex Between();

    [GeneratedRegex(@"^(\w+)\s*(=|<>|<=|>=|<|>|IS|LIKE)\s*(.+)$")]
    private static partial Regex Simple();

    [GeneratedRegex(@"^repeat\('([^']*)', (\d+)\)(?: \|\| '([^']*)')?$")]
    private static partial Regex Repeat();
}
