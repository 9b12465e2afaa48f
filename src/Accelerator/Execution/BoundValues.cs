using System.Globalization;
using System.Numerics;
using DuckDB.NET.Native;

namespace LakeHolo.Accelerator.Execution;

/// <summary>Values of parameter markers, given to the engine by their own types: it compares them as it compares constants. A library's command converts them to what the engine
/// thinks fits the marker, so that 5.5 is 6 beside a column of whole numbers, and a timestamp a day beside one of dates.</summary>
internal static class BoundValues
{
    /// <summary>Whether all values can be bound here.</summary>
    public static bool AreBindable(IReadOnlyList<object?> values)
    {
        foreach (object? value in values)
        {
            if (!IsPlain(value) && value is not (decimal or BigInteger or DateOnly or TimeOnly or DateTime or DateTimeOffset or byte[]))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Whether the types of all values are told by their objects alone; of a decimal the engine's type depends on its digits.</summary>
    public static bool ArePlain(IReadOnlyList<object?> values)
    {
        foreach (object? value in values)
        {
            if (!IsPlain(value))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Gives one value to a prepared statement.</summary>
    /// <param name="statement">The statement.</param>
    /// <param name="index">The marker, from 1.</param>
    /// <param name="value">A value that <see cref="AreBindable"/> accepts; times in microseconds, what is finer is cut off.</param>
    public static DuckDBState Bind(DuckDBPreparedStatement statement, long index, object? value) => value switch
    {
        null => NativeMethods.PreparedStatements.DuckDBBindNull(statement, index),
        bool v => NativeMethods.PreparedStatements.DuckDBBindBoolean(statement, index, v),
        short v => NativeMethods.PreparedStatements.DuckDBBindInt16(statement, index, v),
        int v => NativeMethods.PreparedStatements.DuckDBBindInt32(statement, index, v),
        long v => NativeMethods.PreparedStatements.DuckDBBindInt64(statement, index, v),
        float v => NativeMethods.PreparedStatements.DuckDBBindFloat(statement, index, v),
        double v => NativeMethods.PreparedStatements.DuckDBBindDouble(statement, index, v),
        string v => NativeMethods.PreparedStatements.DuckDBBindVarchar(statement, index, v),
        byte[] v => NativeMethods.PreparedStatements.DuckDBBindBlob(statement, index, v, v.Length),
        decimal v => BindDecimal(statement, index, v),
        BigInteger v => NativeMethods.PreparedStatements.DuckDBBindHugeInt(statement, index, new DuckDBHugeInt(v)),
        DateOnly v => NativeMethods.PreparedStatements.DuckDBBindDate(statement, index, new DuckDBDate { Days = v.DayNumber - DateOnly.FromDateTime(DateTime.UnixEpoch).DayNumber }),
        TimeOnly v => NativeMethods.PreparedStatements.DuckDBBindTime(statement, index, new DuckDBTime { Micros = v.Ticks / TimeSpan.TicksPerMicrosecond }),
        DateTime v => NativeMethods.PreparedStatements.DuckDBBindTimestamp(statement, index, Micros(v.Ticks)),
        DateTimeOffset v => BindInstant(statement, index, v),
        _ => throw new ArgumentException($"Values of type {value.GetType()} are not bound here"),
    };

    private static bool IsPlain(object? value) => value is null or bool or short or int or long or float or double or string;

    private static DuckDBState BindDecimal(DuckDBPreparedStatement statement, long index, decimal value)
    {
        Span<int> bits = stackalloc int[4];
        decimal.GetBits(value, bits);
        var mantissa = (BigInteger)new decimal(bits[0], bits[1], bits[2], bits[3] < 0, 0);
        int digits = BigInteger.Abs(mantissa).ToString(CultureInfo.InvariantCulture).Length;
        using DuckDBValue bound = NativeMethods.Value.DuckDBCreateDecimal(new DuckDBDecimal((byte)Math.Max(digits, value.Scale + 1), value.Scale, new DuckDBHugeInt(mantissa)));
        return NativeMethods.PreparedStatements.DuckDBBindValue(statement, index, bound);
    }

    private static DuckDBState BindInstant(DuckDBPreparedStatement statement, long index, DateTimeOffset value)
    {
        using DuckDBValue bound = NativeMethods.Value.DuckDBCreateTimestampTz(Micros(value.UtcTicks));
        return NativeMethods.PreparedStatements.DuckDBBindValue(statement, index, bound);
    }

    private static DuckDBTimestampStruct Micros(long ticks)
    {
        (long micros, long rest) = Math.DivRem(ticks - DateTime.UnixEpoch.Ticks, TimeSpan.TicksPerMicrosecond);
        return new DuckDBTimestampStruct { Micros = rest < 0 ? micros - 1 : micros };
    }
}
