using System.Globalization;
using System.Text;
using System.Text.Json;
using Apache.Arrow;
using Apache.Arrow.Arrays;
using Apache.Arrow.Types;

namespace LakeHolo.Cli.Output;

/// <summary>Values of Arrow arrays as text, exact: decimals with their scale, doubles in the shortest form that reads back, times in ISO form.</summary>
internal static class CellText
{
    /// <summary>The text of a value, null for NULL; nested values as JSON.</summary>
    public static string? Of(IArrowArray array, int row)
    {
        if (array is NullArray || array.IsNull(row))
        {
            return null;
        }

        return array switch
        {
            StringArray a => a.GetString(row),
            LargeStringArray a => a.GetString(row),
            BooleanArray a => a.GetValue(row)!.Value ? "true" : "false",
            Int8Array a => Text(a.GetValue(row)),
            Int16Array a => Text(a.GetValue(row)),
            Int32Array a => Text(a.GetValue(row)),
            Int64Array a => Text(a.GetValue(row)),
            UInt8Array a => Text(a.GetValue(row)),
            UInt16Array a => Text(a.GetValue(row)),
            UInt32Array a => Text(a.GetValue(row)),
            UInt64Array a => Text(a.GetValue(row)),
            FloatArray a => a.GetValue(row)!.Value.ToString("R", CultureInfo.InvariantCulture),
            DoubleArray a => a.GetValue(row)!.Value.ToString("R", CultureInfo.InvariantCulture),
            Decimal128Array a => a.GetString(row),
            Date32Array a => Date(a.GetValue(row)!.Value),
            TimestampArray a => Timestamp(a, row),
            Time64Array a => Time(a.GetValue(row)!.Value, ((Time64Type)a.Data.DataType).Unit == TimeUnit.Nanosecond ? 1_000_000_000 : 1_000_000),
            Time32Array a => Time(a.GetValue(row)!.Value, ((Time32Type)a.Data.DataType).Unit == TimeUnit.Second ? 1 : 1000),
            FixedSizeBinaryArray a => "\\x" + Convert.ToHexStringLower(a.GetBytes(row)),
            BinaryArray a => "\\x" + Convert.ToHexStringLower(a.GetBytes(row)),
            LargeBinaryArray a => "\\x" + Convert.ToHexStringLower(a.GetBytes(row)),
            MonthDayNanosecondIntervalArray a => Interval(a.GetValue(row)!.Value),
            ListArray or LargeListArray or FixedSizeListArray or StructArray => Json(array, row),
            _ => throw new LakeCatalog.LakeException(LakeCatalog.LakeErrorKind.FeatureUnsupported, $"Values of type {array.Data.DataType.Name} cannot be printed"),
        };
    }

    /// <summary>Writes a value as JSON; integers beyond 2^53 and decimals keep all digits.</summary>
    public static void WriteJson(Utf8JsonWriter json, IArrowArray array, int row)
    {
        if (array is NullArray || array.IsNull(row))
        {
            json.WriteNullValue();
            return;
        }

        switch (array)
        {
            case BooleanArray a:
                json.WriteBooleanValue(a.GetValue(row)!.Value);
                break;
            case Int8Array or Int16Array or Int32Array or Int64Array or UInt8Array or UInt16Array or UInt32Array or UInt64Array or Decimal128Array:
                json.WriteRawValue(Of(array, row)!);
                break;
            case FloatArray a when float.IsFinite(a.GetValue(row)!.Value):
                json.WriteNumberValue(a.GetValue(row)!.Value);
                break;
            case DoubleArray a when double.IsFinite(a.GetValue(row)!.Value):
                json.WriteNumberValue(a.GetValue(row)!.Value);
                break;
            case MapArray a:
                WriteMap(json, a, row);
                break;
            case ListArray a:
                WriteList(json, a.Values, a.ValueOffsets[row], a.ValueOffsets[row + 1]);
                break;
            case LargeListArray a:
                WriteList(json, a.Values, checked((int)a.ValueOffsets[row]), checked((int)a.ValueOffsets[row + 1]));
                break;
            case FixedSizeListArray a:
                int size = ((FixedSizeListType)a.Data.DataType).ListSize;
                WriteList(json, a.Values, (a.Offset + row) * size, (a.Offset + row + 1) * size);
                break;
            case StructArray a:
                WriteStruct(json, a, row);
                break;
            default:
                json.WriteStringValue(Of(array, row));
                break;
        }
    }

    private static string Text<T>(T? value)
        where T : struct, IFormattable => value!.Value.ToString(null, CultureInfo.InvariantCulture);

    private static string Json(IArrowArray array, int row)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, JsonLines.WriterOptions))
        {
            WriteJson(json, array, row);
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static void WriteList(Utf8JsonWriter json, IArrowArray values, int from, int to)
    {
        json.WriteStartArray();
        for (int i = from; i < to; i++)
        {
            WriteJson(json, values, i);
        }

        json.WriteEndArray();
    }

    private static void WriteMap(Utf8JsonWriter json, MapArray map, int row)
    {
        json.WriteStartObject();
        for (int i = map.ValueOffsets[row]; i < map.ValueOffsets[row + 1]; i++)
        {
            json.WritePropertyName(Of(map.Keys, i) ?? string.Empty);
            WriteJson(json, map.Values, i);
        }

        json.WriteEndObject();
    }

    private static void WriteStruct(Utf8JsonWriter json, StructArray array, int row)
    {
        json.WriteStartObject();
        var type = (StructType)array.Data.DataType;
        for (int i = 0; i < type.Fields.Count; i++)
        {
            json.WritePropertyName(type.Fields[i].Name);
            WriteJson(json, array.Fields[i], row);
        }

        json.WriteEndObject();
    }

    private static string Date(int days)
    {
        long shifted = days + 719_162L;
        return shifted is >= 0 and <= 3_652_058
            ? DateOnly.FromDayNumber((int)shifted).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)
            : string.Create(CultureInfo.InvariantCulture, $"epoch day {days}");
    }

    private static string Timestamp(TimestampArray array, int row)
    {
        var type = (TimestampType)array.Data.DataType;
        long perSecond = type.Unit switch { TimeUnit.Second => 1, TimeUnit.Millisecond => 1000, TimeUnit.Microsecond => 1_000_000, _ => 1_000_000_000 };
        long value = array.Values[row];
        long seconds = Math.DivRem(value, perSecond, out long fraction);
        if (fraction < 0)
        {
            seconds--;
            fraction += perSecond;
        }

        string zone = type.Timezone is null ? string.Empty : "Z";
        if (seconds is < -62_135_596_800 or > 253_402_300_799)
        {
            return string.Create(CultureInfo.InvariantCulture, $"epoch second {seconds}{Fraction(fraction, perSecond)}{zone}");
        }

        return DateTime.UnixEpoch.AddSeconds(seconds).ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture) + Fraction(fraction, perSecond) + zone;
    }

    private static string Time(long value, long perSecond)
    {
        long seconds = value / perSecond;
        return string.Create(CultureInfo.InvariantCulture, $"{seconds / 3600:00}:{seconds / 60 % 60:00}:{seconds % 60:00}") + Fraction(value % perSecond, perSecond);
    }

    private static string Fraction(long fraction, long perSecond) => fraction == 0
        ? string.Empty
        : "." + fraction.ToString(CultureInfo.InvariantCulture).PadLeft((int)Math.Log10(perSecond), '0').TrimEnd('0');

    private static string Interval(Apache.Arrow.Scalars.MonthDayNanosecondInterval value) =>
        string.Create(CultureInfo.InvariantCulture, $"{value.Months} months {value.Days} days {Time(value.Nanoseconds, 1_000_000_000)}");
}
