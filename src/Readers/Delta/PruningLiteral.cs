using System.Numerics;
using System.Text;
using LakeHolo.LakeCatalog.Delta.Files;
using LakeHolo.LakeCatalog.Delta.Schema;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Delta;

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
        // The engine shows a float by its shortest text, which as a double lies beside it.
        (BoundKind.Double, double x) => type is DeltaPrimitive { Kind: DeltaPrimitiveKind.Float } ? (double)(float)x : x,
        (BoundKind.Decimal, ScanDecimal d) => Rescale(d, ((DeltaDecimal)type).Scale),
        (BoundKind.Decimal, long n) => Rescale(new ScanDecimal(n, 0), ((DeltaDecimal)type).Scale),
        (BoundKind.Text, string s) => Encoding.UTF8.GetBytes(s),
        (BoundKind.None, bool b) when type is DeltaPrimitive { Kind: DeltaPrimitiveKind.Boolean } => b ? 1L : 0L,
        (BoundKind.None, byte[] bytes) when type is DeltaPrimitive { Kind: DeltaPrimitiveKind.Binary } => bytes,
        _ => null,
    };

    private static object? Rescale(ScanDecimal value, int scale) =>
        value.AtScale(scale) is { } unscaled && unscaled >= (BigInteger)Int128.MinValue && unscaled <= (BigInteger)Int128.MaxValue ? (Int128)unscaled : null;
}
