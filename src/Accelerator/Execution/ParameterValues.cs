using Apache.Arrow;
using Apache.Arrow.Arrays;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Accelerator.Execution;

/// <summary>Values of parameter markers from a row of a client's batch, as the engine's binding takes them.</summary>
internal static class ParameterValues
{
    /// <summary>Reads one row.</summary>
    /// <exception cref="LakeException">QueryInvalid: too few values, a type that cannot be bound, or a value that the engine's binding cannot take as it is.</exception>
    public static IReadOnlyList<object?> Read(RecordBatch? batch, int row, int count)
    {
        if (count == 0)
        {
            return [];
        }

        if (batch is null || batch.ColumnCount < count || row >= batch.Length)
        {
            throw LakeException.QueryInvalid($"The statement has {count} parameters, {batch?.ColumnCount ?? 0} are bound");
        }

        return [.. Enumerable.Range(0, count).Select(i => Checked(batch.Column(i), row, i))];
    }

    private static object? Checked(IArrowArray array, int row, int index)
    {
        try
        {
            // The engine's binding ends a text at its first zero byte.
            object? value = Value(array, row, index);
            return value is not string text || !text.Contains('\0', StringComparison.Ordinal) ? value
                : throw LakeException.QueryInvalid($"Parameter {index + 1} holds a zero byte, which cannot be bound as text");
        }
        catch (OverflowException e) when (array is Decimal128Array)
        {
            throw LakeException.QueryInvalid($"Parameter {index + 1}: {e.Message}; give it as a text, and CAST(? AS DECIMAL(…)) in the statement", e);
        }
        catch (Exception e) when (e is OverflowException or ArgumentOutOfRangeException)
        {
            throw LakeException.QueryInvalid($"Parameter {index + 1} is out of the range that can be bound (years 1 to 9999)", e);
        }
    }

    private static object? Value(IArrowArray array, int row, int index)
    {
        if (array is NullArray || array.IsNull(row))
        {
            return null;
        }

        return array switch
        {
            BooleanArray a => a.GetValue(row),
            Int8Array a => a.GetValue(row),
            Int16Array a => a.GetValue(row),
            Int32Array a => a.GetValue(row),
            Int64Array a => a.GetValue(row),
            UInt8Array a => a.GetValue(row),
            UInt16Array a => a.GetValue(row),
            UInt32Array a => a.GetValue(row),
            UInt64Array a => a.GetValue(row),
            FloatArray a => a.GetValue(row),
            DoubleArray a => a.GetValue(row),
            Decimal128Array a => BoundDecimal.TryParse(a.GetString(row), out object number) ? number : throw new ArgumentException("Not a decimal"),
            StringArray a => a.GetString(row),
            LargeStringArray a => a.GetString(row),
            BinaryArray a => a.GetBytes(row).ToArray(),
            LargeBinaryArray a => a.GetBytes(row).ToArray(),
            Date32Array a => DateOnly.FromDayNumber(DateOnly.FromDateTime(DateTime.UnixEpoch).DayNumber + a.GetValue(row)!.Value),
            Date64Array a => a.GetDateOnly(row),
            TimestampArray a => Timestamp(a, row, index),
            Time32Array or Time64Array => Time(array, row, index),
            DictionaryArray a => Value(a.Dictionary, DictionaryIndex(a.Indices, row), index),
            _ => throw LakeException.QueryInvalid($"Parameter {index + 1} has the type {array.Data.DataType.Name}, which cannot be bound"),
        };
    }

    private static object Timestamp(TimestampArray array, int row, int index)
    {
        var type = (TimestampType)array.Data.DataType;
        long value = array.Values[row];
        long ticks = type.Unit switch
        {
            TimeUnit.Second => checked(value * TimeSpan.TicksPerSecond),
            TimeUnit.Millisecond => checked(value * TimeSpan.TicksPerMillisecond),
            TimeUnit.Microsecond => checked(value * TimeSpan.TicksPerMicrosecond),
            _ => OfNanoseconds(value, index),
        };
        DateTime time = DateTime.UnixEpoch.AddTicks(ticks);
        return type.Timezone is null ? DateTime.SpecifyKind(time, DateTimeKind.Unspecified) : new DateTimeOffset(time, TimeSpan.Zero);
    }

    private static TimeOnly Time(IArrowArray array, int row, int index) => array switch
    {
        Time32Array a => new TimeOnly(a.GetValue(row)!.Value * (((Time32Type)a.Data.DataType).Unit == TimeUnit.Second ? TimeSpan.TicksPerSecond : TimeSpan.TicksPerMillisecond)),
        Time64Array a => new TimeOnly(((Time64Type)a.Data.DataType).Unit == TimeUnit.Microsecond ? a.GetValue(row)!.Value * TimeSpan.TicksPerMicrosecond : OfNanoseconds(a.GetValue(row)!.Value, index)),
        _ => throw new ArgumentException("Not an array of times"),
    };

    private static long OfNanoseconds(long value, int index) => value % 1000 == 0 ? value / 100
        : throw LakeException.QueryInvalid($"Parameter {index + 1} is finer than a microsecond, which cannot be bound; give it as a text, and CAST(? AS TIMESTAMP_NS) in the statement");

    private static int DictionaryIndex(IArrowArray indices, int row) => indices switch
    {
        Int8Array a => a.GetValue(row)!.Value,
        UInt8Array a => a.GetValue(row)!.Value,
        Int16Array a => a.GetValue(row)!.Value,
        UInt16Array a => a.GetValue(row)!.Value,
        Int32Array a => a.GetValue(row)!.Value,
        _ => throw LakeException.QueryInvalid("Dictionary indices of this type cannot be bound"),
    };
}
