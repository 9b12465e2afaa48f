using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Delta;

/// <summary>Variants as JSON text (Parquet VariantEncoding.md). Bytes are Base64, instants <c>yyyy-MM-dd HH:mm:ss[.ffffff]+00:00</c>.</summary>
internal static class VariantText
{
    /// <summary>The engine's function: hexadecimal metadata and value to JSON text.</summary>
    public const string Function = "delta_variant_json";

    /// <summary>The engine's function: metadata, value of an object and names; gives the object's other fields as <c>"a":1,"b":2</c>, or NULL if it has none.</summary>
    public const string RestFunction = "delta_variant_rest";

    private const int MaxDepth = 256;
    private const long MicrosPerDay = 86_400_000_000;

    private static readonly Lock Registering = new();
    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = MaxDepth + 1 };

    /// <summary>Makes the functions known to an engine; once per engine.</summary>
    public static void Register(EngineDatabase engine)
    {
        lock (Registering)
        {
            RegisterOnce(engine);
        }
    }

    private static void RegisterOnce(EngineDatabase engine)
    {
        using DuckDBConnection connection = engine.OpenConnection();
        using (DuckDBCommand command = connection.CreateCommand())
        {
            command.CommandText = $"SELECT count(*) FROM duckdb_functions() WHERE function_name = '{Function}'";
            if ((long)command.ExecuteScalar()! > 0)
            {
                return;
            }
        }

        connection.RegisterScalarFunction<string, string, string>(Function, (readers, writer, rowCount) =>
        {
            for (ulong row = 0; row < rowCount; row++)
            {
                if (readers[0].IsValid(row) && readers[1].IsValid(row))
                {
                    writer.WriteValue(
                        ToJson(Convert.FromHexString(readers[0].GetValue<string>(row)), Convert.FromHexString(readers[1].GetValue<string>(row))), row);
                }
                else
                {
                    writer.WriteNull(row);
                }
            }
        });
        connection.RegisterScalarFunction<string, string, string, string>(RestFunction, (readers, writer, rowCount) =>
        {
            for (ulong row = 0; row < rowCount; row++)
            {
                string? rest = readers[0].IsValid(row) && readers[1].IsValid(row)
                    ? Rest(
                        Convert.FromHexString(readers[0].GetValue<string>(row)), Convert.FromHexString(readers[1].GetValue<string>(row)),
                        readers[2].GetValue<string>(row).Split('\u001f'))
                    : null;
                if (rest is null)
                {
                    writer.WriteNull(row);
                }
                else
                {
                    writer.WriteValue(rest, row);
                }
            }
        });
    }

    /// <summary>The fields of an object but for some, without braces; null if none is left.</summary>
    /// <exception cref="LakeException">FormatInvalid when the bytes are no object.</exception>
    public static string? Rest(ReadOnlySpan<byte> metadata, ReadOnlySpan<byte> value, IReadOnlyCollection<string> without)
    {
        if (value.IsEmpty || (value[0] & 3) != 2)
        {
            throw LakeException.FormatInvalid("A shredded variant has fields and a value that is no object");
        }

        string json = ToJson(metadata, value, without);
        return json.Length == 2 ? null : json[1..^1];
    }

    /// <summary>The JSON text of a variant.</summary>
    /// <exception cref="LakeException">FormatInvalid when the bytes are no variant.</exception>
    public static string ToJson(ReadOnlySpan<byte> metadata, ReadOnlySpan<byte> value) => ToJson(metadata, value, []);

    private static string ToJson(ReadOnlySpan<byte> metadata, ReadOnlySpan<byte> value, IReadOnlyCollection<string> without)
    {
        try
        {
            using var buffer = new MemoryStream();
            using (var writer = new Utf8JsonWriter(buffer, Relaxed))
            {
                Write(writer, Keys(metadata), value, 0, without);
            }

            return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
        }
        catch (Exception e) when (e is ArgumentException or IndexOutOfRangeException or InvalidOperationException or OverflowException)
        {
            throw LakeException.FormatInvalid($"A variant's bytes are invalid: {e.Message}", innerException: e);
        }
    }

    private static string[] Keys(ReadOnlySpan<byte> metadata)
    {
        if ((metadata[0] & 0x0F) != 1)
        {
            throw LakeException.FeatureUnsupported($"The variant encoding version {metadata[0] & 0x0F} is not supported");
        }

        int width = (metadata[0] >> 6) + 1;
        int count = Number(metadata[1..], width);
        ReadOnlySpan<byte> offsets = metadata[(1 + width)..];
        if (count >= metadata.Length)
        {
            throw LakeException.FormatInvalid($"A variant's dictionary declares {count} keys in {metadata.Length} bytes");
        }

        ReadOnlySpan<byte> text = offsets[((count + 1) * width)..];
        string[] keys = new string[count];
        for (int i = 0; i < count; i++)
        {
            int start = Number(offsets[(i * width)..], width);
            keys[i] = Encoding.UTF8.GetString(text[start..Number(offsets[((i + 1) * width)..], width)]);
        }

        return keys;
    }

    private static void Write(Utf8JsonWriter writer, string[] keys, ReadOnlySpan<byte> value, int depth, IReadOnlyCollection<string> without)
    {
        if (depth > MaxDepth)
        {
            throw LakeException.FormatInvalid($"A variant is nested deeper than {MaxDepth} levels");
        }

        int header = value[0] >> 2;
        switch (value[0] & 3)
        {
            case 0:
                WritePrimitive(writer, header, value[1..]);
                break;
            case 1:
                writer.WriteStringValue(value.Slice(1, header));
                break;
            case 2:
                WriteObject(writer, keys, header, value[1..], depth, without);
                break;
            default:
                WriteArray(writer, keys, header, value[1..], depth);
                break;
        }
    }

    private static void WriteObject(
        Utf8JsonWriter writer, string[] keys, int header, ReadOnlySpan<byte> body, int depth, IReadOnlyCollection<string> without)
    {
        int offsetWidth = (header & 3) + 1;
        int idWidth = (header >> 2 & 3) + 1;
        int countWidth = (header & 16) != 0 ? 4 : 1;
        int count = Number(body, countWidth);
        ReadOnlySpan<byte> ids = body[countWidth..];
        ReadOnlySpan<byte> offsets = ids[checked(count * idWidth)..];
        ReadOnlySpan<byte> values = offsets[checked((count + 1) * offsetWidth)..];
        writer.WriteStartObject();
        for (int i = 0; i < count; i++)
        {
            string key = keys[Number(ids[(i * idWidth)..], idWidth)];
            if (!without.Contains(key))
            {
                writer.WritePropertyName(key);
                Write(writer, keys, values[Number(offsets[(i * offsetWidth)..], offsetWidth)..], depth + 1, []);
            }
        }

        writer.WriteEndObject();
    }

    private static void WriteArray(Utf8JsonWriter writer, string[] keys, int header, ReadOnlySpan<byte> body, int depth)
    {
        int offsetWidth = (header & 3) + 1;
        int countWidth = (header & 4) != 0 ? 4 : 1;
        int count = Number(body, countWidth);
        ReadOnlySpan<byte> offsets = body[countWidth..];
        ReadOnlySpan<byte> values = offsets[checked((count + 1) * offsetWidth)..];
        writer.WriteStartArray();
        for (int i = 0; i < count; i++)
        {
            Write(writer, keys, values[Number(offsets[(i * offsetWidth)..], offsetWidth)..], depth + 1, []);
        }

        writer.WriteEndArray();
    }

    private static void WritePrimitive(Utf8JsonWriter writer, int kind, ReadOnlySpan<byte> body)
    {
        switch (kind)
        {
            case 0:
                writer.WriteNullValue();
                break;
            case 1 or 2:
                writer.WriteBooleanValue(kind == 1);
                break;
            case 3:
                writer.WriteNumberValue((sbyte)body[0]);
                break;
            case 4:
                writer.WriteNumberValue(BinaryPrimitives.ReadInt16LittleEndian(body));
                break;
            case 5:
                writer.WriteNumberValue(BinaryPrimitives.ReadInt32LittleEndian(body));
                break;
            case 6:
                writer.WriteNumberValue(BinaryPrimitives.ReadInt64LittleEndian(body));
                break;
            case 7:
                WriteDouble(writer, BinaryPrimitives.ReadDoubleLittleEndian(body));
                break;
            case 14:
                WriteSingle(writer, BinaryPrimitives.ReadSingleLittleEndian(body));
                break;
            case 8 or 9 or 10:
                writer.WriteRawValue(DecimalText(new BigInteger(body.Slice(1, 4 << (kind - 8))), body[0]));
                break;
            case 11:
                writer.WriteStringValue(Moment(BinaryPrimitives.ReadInt32LittleEndian(body) * MicrosPerDay, "yyyy-MM-dd"));
                break;
            case 12 or 13:
                writer.WriteStringValue(Moment(BinaryPrimitives.ReadInt64LittleEndian(body), "yyyy-MM-dd HH:mm:ss.FFFFFF") + (kind == 12 ? "+00:00" : ""));
                break;
            case 15:
                writer.WriteBase64StringValue(body.Slice(4, Number(body, 4)));
                break;
            case 16:
                writer.WriteStringValue(body.Slice(4, Number(body, 4)));
                break;
            case 17:
                writer.WriteStringValue(Moment(BinaryPrimitives.ReadInt64LittleEndian(body), "HH:mm:ss.FFFFFF"));
                break;
            case 18 or 19:
                writer.WriteStringValue(NanosMoment(BinaryPrimitives.ReadInt64LittleEndian(body)) + (kind == 18 ? "+00:00" : ""));
                break;
            case 20:
                writer.WriteStringValue(new Guid(body[..16], bigEndian: true));
                break;
            default:
                throw LakeException.FeatureUnsupported($"The variant type {kind} is not supported");
        }
    }

    private static void WriteDouble(Utf8JsonWriter writer, double value)
    {
        if (double.IsFinite(value))
        {
            writer.WriteNumberValue(value);
        }
        else
        {
            writer.WriteStringValue(value.ToString(CultureInfo.InvariantCulture));
        }
    }

    private static void WriteSingle(Utf8JsonWriter writer, float value)
    {
        if (float.IsFinite(value))
        {
            writer.WriteNumberValue(value);
        }
        else
        {
            writer.WriteStringValue(value.ToString(CultureInfo.InvariantCulture));
        }
    }

    private static string Moment(long micros, string format) =>
        DateTime.UnixEpoch.AddTicks(checked(micros * 10)).ToString(format, CultureInfo.InvariantCulture);

    // Ticks are 100 ns, so the last two digits are written apart.
    private static string NanosMoment(long nanos)
    {
        long micros = (nanos / 1000) - (nanos % 1000 < 0 ? 1 : 0);
        string text = Moment(micros, "yyyy-MM-dd HH:mm:ss.ffffff") + (nanos - (micros * 1000)).ToString("D3", CultureInfo.InvariantCulture);
        return text.TrimEnd('0').TrimEnd('.');
    }

    private static string DecimalText(BigInteger unscaled, int scale)
    {
        string digits = BigInteger.Abs(unscaled).ToString(CultureInfo.InvariantCulture).PadLeft(scale + 1, '0');
        string sign = unscaled.Sign < 0 ? "-" : "";
        return scale == 0 ? sign + digits : $"{sign}{digits[..^scale]}.{digits[^scale..]}";
    }

    private static int Number(ReadOnlySpan<byte> bytes, int width)
    {
        uint value = 0;
        for (int i = 0; i < width; i++)
        {
            value |= (uint)bytes[i] << (8 * i);
        }

        return checked((int)value);
    }
}
