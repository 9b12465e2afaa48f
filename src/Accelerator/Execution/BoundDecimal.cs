using System.Numerics;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Accelerator.Execution;

/// <summary>Decimals as values of parameter markers: exactly, or not at all.</summary>
public static class BoundDecimal
{
    private const int MaxScale = 28;

    private static readonly BigInteger MaxDecimal = (BigInteger)decimal.MaxValue;

    private static readonly BigInteger BeyondHugeInt = BigInteger.Pow(10, 38);

    /// <summary>The value that the engine's binding takes for the text of a number, with or without an exponent: <see cref="decimal"/>, or <see cref="BigInteger"/> for whole numbers that
    /// are too long for it.</summary>
    /// <returns>False if the text is no number.</returns>
    /// <exception cref="OverflowException">The number has more digits than either holds: 29 with a fraction (at most 28 of them in it), 38 without.</exception>
    public static bool TryParse(string text, out object value)
    {
        value = 0m;
        if (!ScanDecimal.TryParse(text, out ScanDecimal number))
        {
            return false;
        }

        value = ToDecimal(number) ?? ToDecimal(number.Trimmed()) ?? ToWhole(number.Trimmed()) ?? throw new OverflowException($"{text} has more digits than can be bound");
        return true;
    }

    private static object? ToDecimal(ScanDecimal number)
    {
        BigInteger magnitude = BigInteger.Abs(number.Unscaled);
        if (magnitude > MaxDecimal || number.Scale > MaxScale)
        {
            return null;
        }

        return new decimal((int)(uint)(magnitude & uint.MaxValue), (int)(uint)((magnitude >> 32) & uint.MaxValue), (int)(uint)(magnitude >> 64), number.Unscaled.Sign < 0, (byte)number.Scale);
    }

    private static object? ToWhole(ScanDecimal number) => number.Scale == 0 && BigInteger.Abs(number.Unscaled) < BeyondHugeInt ? number.Unscaled : null;
}
