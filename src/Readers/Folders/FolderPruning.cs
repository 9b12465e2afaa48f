using System.Globalization;
using System.Text;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog.Folders;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Folders;

/// <summary>Which files can hold a needed row, by their partition values alone.</summary>
internal sealed class FolderPruning(FolderSnapshot snapshot)
{
    /// <summary>Whether some row of a file can fulfil the condition.</summary>
    internal bool CanMatch(FolderFile file, ScanFilter? filter) => filter is null || Evaluate(file, filter).CanBeTrue;

    private Outcome Evaluate(FolderFile file, ScanFilter filter)
    {
        switch (filter)
        {
            case ScanFilter.And and:
                Outcome[] all = [.. and.Parts.Select(p => Evaluate(file, p))];
                return new Outcome(all.All(o => o.CanBeTrue), all.Any(o => o.CanBeFalse), all.Any(o => o.CanBeNull));
            case ScanFilter.Or or:
                Outcome[] any = [.. or.Parts.Select(p => Evaluate(file, p))];
                return new Outcome(any.Any(o => o.CanBeTrue), any.All(o => o.CanBeFalse), any.Any(o => o.CanBeNull));
            case ScanFilter.Not not:
                Outcome inner = Evaluate(file, not.Part);
                return new Outcome(inner.CanBeFalse, inner.CanBeTrue, inner.CanBeNull);
            case ScanFilter.Compare compare:
                return Compare(file, compare.Column, compare.Operator, compare.Value);
            case ScanFilter.In list:
                Outcome[] each = [.. list.Values.Select(v => Compare(file, list.Column, ScanComparison.Equal, v))];
                return new Outcome(each.Any(o => o.CanBeTrue), each.All(o => o.CanBeFalse), each.Any(o => o.CanBeNull));
            case ScanFilter.IsNull isNull:
                return Value(file, isNull.Column, out string? value) ? Outcome.Of(value is null) : Outcome.Unknown;
            case ScanFilter.IsNotNull isNotNull:
                return Value(file, isNotNull.Column, out string? text) ? Outcome.Of(text is not null) : Outcome.Unknown;
            case ScanFilter.StartsWith starts:
                return !Value(file, starts.Column, out string? whole) || TypeOf(starts.Column) is not StringType ? Outcome.Unknown
                    : whole is null ? Outcome.Null
                    : Outcome.Of(whole.StartsWith(starts.Prefix, StringComparison.Ordinal));
            default:
                return Outcome.Unknown;
        }
    }

    private Outcome Compare(FolderFile file, string column, ScanComparison comparison, ScanLiteral literal)
    {
        if (!Value(file, column, out string? text))
        {
            return Outcome.Unknown;
        }

        if (text is null)
        {
            return Outcome.Null;
        }

        int? order = (TypeOf(column), literal.Value) switch
        {
            (Int64Type, long number) => long.Parse(text, CultureInfo.InvariantCulture).CompareTo(number),
            (Date32Type, DateOnly date) => DateOnly.ParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture).CompareTo(date),
            (StringType, string other) => Encoding.UTF8.GetBytes(text).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(other)),
            _ => null,
        };
        return order is not { } sign ? Outcome.Unknown : Outcome.Of(comparison switch
        {
            ScanComparison.Equal => sign == 0,
            ScanComparison.NotEqual => sign != 0,
            ScanComparison.Less => sign < 0,
            ScanComparison.LessOrEqual => sign <= 0,
            ScanComparison.Greater => sign > 0,
            _ => sign >= 0,
        });
    }

    private IArrowType TypeOf(string column) => snapshot.Schema.FieldsList.First(f => f.Name.Equals(column, StringComparison.OrdinalIgnoreCase)).DataType;

    private bool Value(FolderFile file, string column, out string? value)
    {
        for (int i = 0; i < snapshot.PartitionColumns.Count; i++)
        {
            if (snapshot.PartitionColumns[i].Equals(column, StringComparison.OrdinalIgnoreCase))
            {
                value = file.Partition[i];
                return true;
            }
        }

        value = null;
        return false;
    }

    /// <summary>What a condition can come to for the rows of a file.</summary>
    private readonly record struct Outcome(bool CanBeTrue, bool CanBeFalse, bool CanBeNull)
    {
        internal static Outcome Unknown { get; } = new(true, true, true);

        internal static Outcome Null { get; } = new(false, false, true);

        internal static Outcome Of(bool value) => new(value, !value, false);
    }
}
