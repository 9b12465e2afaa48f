using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Types;

/// <summary>What the text of some values depends on.</summary>
/// <param name="Zone">The session's time zone.</param>
/// <param name="Names">Names of objects by their ids, for regclass and its like; null where there are none.</param>
internal sealed record WriterContext(TimeZoneInfo Zone, Func<PgType, long, string>? Names = null);

/// <summary>Writes the values of one column of one batch, in text or binary form. Made once per batch, so that the type is decided once, not per value.</summary>
internal abstract class ColumnWriter(IArrowArray array)
{
    public bool IsNull(int row) => array.IsNull(row);

    /// <summary>The text of a value that is not NULL.</summary>
    public abstract void Text(WireWriter writer, int row);

    /// <summary>Its binary form.</summary>
    public abstract void Binary(WireWriter writer, int row);

    /// <summary>The length and the value, or −1.</summary>
    public void Value(WireWriter writer, int row, bool binary)
    {
        if (array.IsNull(row))
        {
            writer.Int32(-1);
            return;
        }

        int place = writer.BeginValue();
        if (binary)
        {
            Binary(writer, row);
        }
        else
        {
            Text(writer, row);
        }

        writer.EndValue(place);
    }

    public static ColumnWriter Create(IArrowArray array, PgType type, WriterContext context)
    {
        if (array is NullArray)
        {
            return new NullWriter(array);
        }

        if (type.Element is not null || type == PgType.Int2Vector || type == PgType.OidVector)
        {
            return new ArrayWriter(array, type, context);
        }

        if (type == PgType.Json || type == PgType.Jsonb)
        {
            return array is StringArray ? new StringWriter(array, type) : new JsonWriter(array, type);
        }

        return array switch
        {
            BooleanArray a => new BooleanWriter(a),
            Decimal128Array a => new NumericWriter(a, a.Scale),
            UInt64Array a when type == PgType.Numeric => new NumericWriter(a, 0),
            Int8Array or UInt8Array or Int16Array or UInt16Array or Int32Array or UInt32Array or Int64Array or UInt64Array => new IntegerWriter(array, type, context),
            FloatArray a => new FloatWriter(a),
            DoubleArray a => new DoubleWriter(a),
            StringArray when type == PgType.Uuid => new UuidWriter(array),
            StringArray => new StringWriter(array, type),
            BinaryArray a => new BytesWriter(a),
            Date32Array a => new DateWriter(a),
            Time32Array or Time64Array => new TimeWriter(array),
            TimestampArray a => new TimestampWriter(a, ((TimestampType)a.Data.DataType).Timezone is null ? null : context.Zone),
            MonthDayNanosecondIntervalArray a => new IntervalWriter(a),
            DurationArray a => new IntervalWriter(a),
            _ => throw PgError.Unsupported($"a column of the type {array.Data.DataType.Name} cannot be sent"),
        };
    }

    private sealed class NullWriter(IArrowArray array) : ColumnWriter(array)
    {
        public override void Text(WireWriter writer, int row)
        {
        }

        public override void Binary(WireWriter writer, int row)
        {
        }
    }
}
