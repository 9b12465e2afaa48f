using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Apache.Arrow;
using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Types;

/// <summary>Lists as arrays of one dimension, and the vectors of the catalog.</summary>
internal sealed class ArrayWriter : ColumnWriter
{
    private static readonly SearchValues<byte> Special = SearchValues.Create("{}\",\\ \t\n\r\v\f"u8);

    private readonly IArrowArray _array;
    private readonly ColumnWriter _elements;
    private readonly PgType _element;
    private readonly bool _isVector;

    public ArrayWriter(IArrowArray array, PgType type, WriterContext context)
        : base(array)
    {
        _array = array;
        _isVector = type == PgType.Int2Vector || type == PgType.OidVector;
        _element = type.Element ?? (type == PgType.Int2Vector ? PgType.Int2 : PgType.ObjectId);
        _elements = Create(Values(array), _element, context);
    }

    public override void Text(WireWriter writer, int row)
    {
        (int start, int end) = Range(row);
        if (_isVector)
        {
            for (int i = start; i < end; i++)
            {
                if (i > start)
                {
                    writer.Byte((byte)' ');
                }

                _elements.Text(writer, i);
            }

            return;
        }

        writer.Byte((byte)'{');
        for (int i = start; i < end; i++)
        {
            if (i > start)
            {
                writer.Byte((byte)',');
            }

            if (_elements.IsNull(i))
            {
                writer.Raw("NULL"u8);
                continue;
            }

            int place = writer.Position;
            _elements.Text(writer, i);
            Quote(writer, place);
        }

        writer.Byte((byte)'}');
    }

    public override void Binary(WireWriter writer, int row)
    {
        (int start, int end) = Range(row);
        bool empty = start == end && !_isVector;
        bool hasNull = false;
        for (int i = start; i < end && !hasNull; i++)
        {
            hasNull = _elements.IsNull(i);
        }

        writer.Int32(empty ? 0 : 1);
        writer.Int32(hasNull ? 1 : 0);
        writer.Int32(_element.Oid);
        if (empty)
        {
            return;
        }

        writer.Int32(end - start);
        writer.Int32(_isVector ? 0 : 1);
        for (int i = start; i < end; i++)
        {
            _elements.Value(writer, i, binary: true);
        }
    }

    /// <summary>Quotes an element where it would be read as something else.</summary>
    private static void Quote(WireWriter writer, int place)
    {
        Span<byte> text = writer.Since(place);
        bool needed = text.IsEmpty || text.IndexOfAny(Special) >= 0 || (text.Length == 4 && Ascii.EqualsIgnoreCase(text, "null"u8));
        if (!needed)
        {
            return;
        }

        byte[] copy = ArrayPool<byte>.Shared.Rent(text.Length);
        int length = text.Length;
        text.CopyTo(copy);
        writer.TakeBack(place);
        writer.Byte((byte)'"');
        foreach (byte b in copy.AsSpan(0, length))
        {
            if (b is (byte)'"' or (byte)'\\')
            {
                writer.Byte((byte)'\\');
            }

            writer.Byte(b);
        }

        writer.Byte((byte)'"');
        ArrayPool<byte>.Shared.Return(copy);
    }

    private static IArrowArray Values(IArrowArray array) => array switch
    {
        ListArray a => a.Values,
        LargeListArray a => a.Values,
        FixedSizeListArray a => a.Values,
        _ => throw PgError.Unsupported($"a column of the type {array.Data.DataType.Name} cannot be sent as an array"),
    };

    private (int Start, int End) Range(int row) => Lists.Range(_array, row);
}

/// <summary>Where a list's elements are.</summary>
internal static class Lists
{
    public static (int Start, int End) Range(IArrowArray array, int row)
    {
        switch (array)
        {
            case ListArray a:
                return (a.ValueOffsets[row], a.ValueOffsets[row + 1]);
            case LargeListArray a:
                return (checked((int)a.ValueOffsets[row]), checked((int)a.ValueOffsets[row + 1]));
            case FixedSizeListArray a:
                int size = ((Apache.Arrow.Types.FixedSizeListType)a.Data.DataType).ListSize;
                return ((row + a.Offset) * size, (row + a.Offset + 1) * size);
            default:
                throw new InvalidOperationException("Not an array of lists");
        }
    }
}

/// <summary>Structs, maps, lists of lists: as JSON, whose parts every client can read.</summary>
internal sealed class JsonWriter(IArrowArray array, PgType type) : ColumnWriter(array)
{
    private const int MaxDepth = 100;

    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    [ThreadStatic]
    private static WireWriter? _scratch;

    private readonly IArrowArray _array = array;

    public override void Text(WireWriter writer, int row)
    {
        using var json = new Utf8JsonWriter(writer, Options);
        Write(json, _array, row, 0);
    }

    public override void Binary(WireWriter writer, int row)
    {
        if (type == PgType.Jsonb)
        {
            writer.Byte(1);
        }

        Text(writer, row);
    }

    private static void Write(Utf8JsonWriter json, IArrowArray array, int row, int depth)
    {
        if (depth > MaxDepth)
        {
            throw PgError.Unsupported("a value is nested too deeply");
        }

        if (array is NullArray || array.IsNull(row))
        {
            json.WriteNullValue();
            return;
        }

        switch (array)
        {
            case MapArray a:
                Map(json, a, row, depth);
                break;
            case ListArray or LargeListArray or FixedSizeListArray:
                IArrowArray values = array switch { ListArray l => l.Values, LargeListArray l => l.Values, var l => ((FixedSizeListArray)l).Values };
                (int start, int end) = Lists.Range(array, row);
                json.WriteStartArray();
                for (int i = start; i < end; i++)
                {
                    Write(json, values, i, depth + 1);
                }

                json.WriteEndArray();
                break;
            case StructArray a:
                json.WriteStartObject();
                var fields = ((Apache.Arrow.Types.StructType)a.Data.DataType).Fields;
                for (int i = 0; i < fields.Count; i++)
                {
                    json.WritePropertyName(fields[i].Name);
                    Write(json, a.Fields[i], row, depth + 1);
                }

                json.WriteEndObject();
                break;
            case BooleanArray a:
                json.WriteBooleanValue(a.GetValue(row)!.Value);
                break;
            case StringArray a:
                json.WriteStringValue(a.GetBytes(row));
                break;
            default:
                Scalar(json, array, row);
                break;
        }
    }

    private static void Map(Utf8JsonWriter json, MapArray map, int row, int depth)
    {
        json.WriteStartObject();
        for (int i = map.ValueOffsets[row]; i < map.ValueOffsets[row + 1]; i++)
        {
            json.WritePropertyName(map.Keys is StringArray keys ? keys.GetString(i) : ScalarText(map.Keys, i));
            Write(json, map.Values, i, depth + 1);
        }

        json.WriteEndObject();
    }

    private static void Scalar(Utf8JsonWriter json, IArrowArray array, int row)
    {
        string text = ScalarText(array, row);
        bool isNumber = array is Int8Array or Int16Array or Int32Array or Int64Array or UInt8Array or UInt16Array or UInt32Array or UInt64Array or Decimal128Array
            || (array is FloatArray or DoubleArray && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number));
        if (isNumber)
        {
            json.WriteRawValue(text, skipInputValidation: true);
        }
        else
        {
            json.WriteStringValue(text);
        }
    }

    private static string ScalarText(IArrowArray array, int row)
    {
        WireWriter writer = _scratch ??= new WireWriter(Stream.Null, TimeSpan.Zero);
        writer.TakeBack(0);
        (PgType scalar, _) = EngineTypes.OfField(new Field("v", array.Data.DataType, nullable: true));
        Create(array, scalar, new WriterContext(TimeZoneInfo.Utc)).Text(writer, row);
        return Encoding.UTF8.GetString(writer.Since(0));
    }
}
