using System.Globalization;
using System.Numerics;
using LakeHolo.LakeCatalog.Avro;

namespace LakeHolo.LakeCatalog.Hudi.Metadata;

/// <summary>What the metadata table says about one column of one file.</summary>
public sealed record ColumnStatistics
{
    private const int WrapperScale = 15;

    /// <summary>The file's name, or the partition of partition statistics.</summary>
    public required string File { get; init; }

    /// <summary>The column.</summary>
    public required string Column { get; init; }

    /// <summary>Smallest value: bool, long, double, string, byte[], or <see cref="DecimalBound"/>; null if all are NULL or nothing is known.</summary>
    public object? Min { get; init; }

    /// <summary>Greatest value, likewise.</summary>
    public object? Max { get; init; }

    /// <summary>What the bounds are: the name of their wrapper, and the type's ordinal of index version 2.</summary>
    public required BoundKind Kind { get; init; }

    /// <summary>Values, NULLs counted in.</summary>
    public long ValueCount { get; init; }

    /// <summary>NULLs.</summary>
    public long NullCount { get; init; }

    internal bool IsDeleted { get; init; }

    internal bool IsTight { get; init; }

    /// <summary>Whether the column is known to hold nothing but NULL.</summary>
    public bool IsAllNull => Min is null && Max is null && ValueCount == NullCount;

    /// <summary>A decimal bound.</summary>
    public readonly record struct DecimalBound(BigInteger Unscaled, int Scale);

    /// <summary>The type of bounds.</summary>
    /// <param name="Wrapper">IntWrapper, DateWrapper, TimestampMicrosWrapper, …; empty for no bounds.</param>
    /// <param name="TypeOrdinal">The type of index version 2, else 0.</param>
    public readonly record struct BoundKind(string Wrapper, int TypeOrdinal);

    internal static ColumnStatistics? Of(AvroRecord? record)
    {
        if (record is null)
        {
            return null;
        }

        AvroRecord? type = record.Has("valueType") ? record.GetRecordOrNull("valueType") : null;
        int ordinal = type?.GetIntOrNull("typeOrdinal") ?? 0;
        string? detail = type?.GetStringOrNull("additionalInfo");
        AvroRecord? min = record.GetRecordOrNull("minValue");
        AvroRecord? max = record.GetRecordOrNull("maxValue");
        return new ColumnStatistics
        {
            File = record.GetStringOrNull("fileName") ?? "",
            Column = record.GetStringOrNull("columnName") ?? "",
            Min = Value(min, ordinal, detail),
            Max = Value(max, ordinal, detail),
            Kind = KindOf(min ?? max, ordinal),
            ValueCount = record.GetLongOrNull("valueCount") ?? 0,
            NullCount = record.GetLongOrNull("nullCount") ?? -1,
            IsDeleted = record.GetBooleanOrNull("isDeleted") == true,
            IsTight = record.Has("isTightBound") && record.GetBooleanOrNull("isTightBound") == true,
        };
    }

    // Bounds of two kinds are not comparable: nothing is known then.
    internal ColumnStatistics? With(ColumnStatistics newer)
    {
        BoundKind kind = Kind.Wrapper.Length == 0 ? newer.Kind : Kind;
        if (newer.Kind.Wrapper.Length > 0 && newer.Kind != kind)
        {
            return null;
        }

        return newer with
        {
            Kind = kind,
            Min = Min is null || (newer.Min is not null && Compare(newer.Min, Min) < 0) ? newer.Min : Min,
            Max = Max is null || (newer.Max is not null && Compare(newer.Max, Max) > 0) ? newer.Max : Max,
            ValueCount = ValueCount + newer.ValueCount,
            NullCount = NullCount < 0 || newer.NullCount < 0 ? -1 : NullCount + newer.NullCount,
        };
    }

    private static BoundKind KindOf(AvroRecord? wrapper, int ordinal)
    {
        string name = wrapper?.Schema.FullName ?? "";
        return new BoundKind(name[(name.LastIndexOf('.') + 1)..], ordinal);
    }

    private static object? Value(AvroRecord? wrapper, int ordinal, string? detail)
    {
        const int DecimalOrdinal = 10;
        object? value = wrapper is null || !wrapper.Has("value") ? null : wrapper["value"];
        return value switch
        {
            int number => (long)number,
            float number => (double)number,
            byte[] bytes when KindOf(wrapper, ordinal).Wrapper == "DecimalWrapper" => new DecimalBound(new BigInteger(bytes, isBigEndian: true), WrapperScale),
            byte[] bytes when ordinal == DecimalOrdinal && detail?.Split(',') is [_, var scale]
                && int.TryParse(scale, NumberStyles.Integer, CultureInfo.InvariantCulture, out int places) => new DecimalBound(new BigInteger(bytes, isBigEndian: true), places),
            _ => value,
        };
    }

    private static int Compare(object one, object other) => (one, other) switch
    {
        (string a, string b) => string.CompareOrdinal(a, b),
        (byte[] a, byte[] b) => a.AsSpan().SequenceCompareTo(b),
        (DecimalBound a, DecimalBound b) when a.Scale == b.Scale => a.Unscaled.CompareTo(b.Unscaled),
        (DecimalBound a, DecimalBound b) => (a.Unscaled * BigInteger.Pow(10, Math.Max(0, b.Scale - a.Scale))).CompareTo(b.Unscaled * BigInteger.Pow(10, Math.Max(0, a.Scale - b.Scale))),
        (IComparable a, _) when a.GetType() == other.GetType() => a.CompareTo(other),
        _ => throw LakeException.FormatInvalid("Hudi: column statistics with bounds of two types"),
    };
}
