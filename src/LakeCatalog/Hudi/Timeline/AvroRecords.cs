using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using System.Text.Json;

namespace LakeHolo.LakeCatalog.Hudi.Timeline;

/// <summary>Decodes the small Avro object containers of the timeline into plain values: records and maps as dictionaries, arrays as lists.</summary>
/// <remarks>Source: Avro 1.11 specification, "Object Container Files" and "Binary Encoding". Always with the schema inside the file.</remarks>
internal ref struct AvroRecords
{
    private const int MaxDepth = 64;
    private readonly Dictionary<string, JsonElement> _names;
    private readonly string _path;
    private ReadOnlySpan<byte> _bytes;

    private AvroRecords(ReadOnlySpan<byte> bytes, Dictionary<string, JsonElement> names, string path)
    {
        _bytes = bytes;
        _names = names;
        _path = path;
    }

    /// <summary>All records of a container.</summary>
    public static List<Dictionary<string, object?>> Read(ReadOnlySpan<byte> container, string path)
    {
        var header = new AvroRecords(container[4..], [], path);
        string schemaJson = "";
        string codec = "null";
        for (long count = header.Count(); count > 0; count = header.Count())
        {
            for (; count > 0; count--)
            {
                string key = header.Text();
                ReadOnlySpan<byte> value = header.Bytes();
                schemaJson = key == "avro.schema" ? Encoding.UTF8.GetString(value) : schemaJson;
                codec = key == "avro.codec" ? Encoding.UTF8.GetString(value) : codec;
            }
        }

        ReadOnlySpan<byte> sync = header.Take(16);
        JsonElement schema;
        try
        {
            schema = JsonDocument.Parse(schemaJson, new JsonDocumentOptions { MaxDepth = 2 * MaxDepth }).RootElement;
        }
        catch (JsonException error)
        {
            throw LakeException.FormatInvalid("The Avro container's schema is malformed", path, error);
        }

        var records = new List<Dictionary<string, object?>>();
        var names = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        Register(schema, names, 0);
        while (header._bytes.Length > 0)
        {
            long count = header.Long();
            ReadOnlySpan<byte> block = header.Bytes();
            if (!header.Take(16).SequenceEqual(sync))
            {
                throw header.Broken("the sync marker after a block is wrong");
            }

            var body = new AvroRecords(codec switch
            {
                "null" => block,
                "deflate" => Inflate(block),
                _ => throw LakeException.FeatureUnsupported($"Hudi: Avro codec {codec} on the timeline is not supported", path),
            }, names, path);
            for (; count > 0; count--)
            {
                records.Add(body.Value(schema, 0) as Dictionary<string, object?> ?? throw header.Broken("the top type is not a record"));
            }
        }

        return records;
    }

    private object? Value(JsonElement schema, int depth)
    {
        if (depth > MaxDepth)
        {
            throw Broken("the schema is nested too deeply");
        }

        if (schema.ValueKind == JsonValueKind.Array)
        {
            long branch = Long();
            return branch >= 0 && branch < schema.GetArrayLength() ? Value(schema[(int)branch], depth + 1) : throw Broken($"union branch {branch} does not exist");
        }

        JsonElement type = schema.ValueKind == JsonValueKind.Object && schema.TryGetProperty("type", out JsonElement t) ? t : schema;
        if (type.ValueKind != JsonValueKind.String)
        {
            return Value(type, depth + 1);
        }

        string name = type.GetString()!;
        switch (name)
        {
            case "null": return null;
            case "boolean": return Take(1)[0] != 0;
            case "int" or "long": return Long();
            case "float": return (double)BinaryPrimitives.ReadSingleLittleEndian(Take(4));
            case "double": return BinaryPrimitives.ReadDoubleLittleEndian(Take(8));
            case "string": return Text();
            case "bytes": return Bytes().ToArray();
            case "fixed": return Take(schema.GetProperty("size").GetInt32()).ToArray();
            case "enum":
                JsonElement symbols = schema.GetProperty("symbols");
                long symbol = Long();
                return symbol >= 0 && symbol < symbols.GetArrayLength() ? symbols[(int)symbol].GetString() : throw Broken($"enum symbol {symbol} does not exist");
            case "record":
                var record = new Dictionary<string, object?>(StringComparer.Ordinal);
                foreach (JsonElement field in schema.GetProperty("fields").EnumerateArray())
                {
                    record[field.GetProperty("name").GetString()!] = Value(field.GetProperty("type"), depth + 1);
                }

                return record;
            case "array":
                var list = new List<object?>();
                for (long count = Count(); count > 0; count = Count())
                {
                    for (; count > 0; count--)
                    {
                        list.Add(Value(schema.GetProperty("items"), depth + 1));
                    }
                }

                return list;
            case "map":
                var map = new Dictionary<string, object?>(StringComparer.Ordinal);
                for (long count = Count(); count > 0; count = Count())
                {
                    for (; count > 0; count--)
                    {
                        string key = Text();
                        map[key] = Value(schema.GetProperty("values"), depth + 1);
                    }
                }

                return map;
            default:
                return _names.TryGetValue(name, out JsonElement named) || _names.TryGetValue(name[(name.LastIndexOf('.') + 1)..], out named)
                    ? Value(named, depth + 1)
                    : throw Broken($"the type {name} is not defined");
        }
    }

    // Names are unique within one timeline schema even without their namespace.
    private static void Register(JsonElement schema, Dictionary<string, JsonElement> names, int depth)
    {
        if (depth > 2 * MaxDepth)
        {
            return;
        }

        if (schema.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement branch in schema.EnumerateArray())
            {
                Register(branch, names, depth + 1);
            }
        }
        else if (schema.ValueKind == JsonValueKind.Object)
        {
            if (schema.TryGetProperty("name", out JsonElement name) && name.GetString() is { } text && schema.TryGetProperty("type", out JsonElement kind)
                && kind.ValueKind == JsonValueKind.String && kind.GetString() is "record" or "enum" or "fixed")
            {
                names.TryAdd(text[(text.LastIndexOf('.') + 1)..], schema);
            }

            foreach (JsonProperty member in schema.EnumerateObject())
            {
                if (member.Name is "type" or "items" or "values" or "fields")
                {
                    Register(member.Value, names, depth + 1);
                }
            }
        }
    }

    // A negative count is followed by the block's size in bytes.
    private long Count()
    {
        long count = Long();
        if (count < 0)
        {
            Long();
            count = -count;
        }

        // Every element but null takes at least a byte; the timeline has no arrays of null.
        return count >= 0 && count <= _bytes.Length ? count : throw Broken($"a block claims {count} elements");
    }

    private long Long()
    {
        ulong value = 0;
        for (int shift = 0; shift < 70; shift += 7)
        {
            byte b = Take(1)[0];
            value |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80)
            {
                return (long)(value >> 1) ^ -(long)(value & 1);
            }
        }

        throw Broken("a number is longer than 10 bytes");
    }

    private string Text() => Encoding.UTF8.GetString(Bytes());

    private ReadOnlySpan<byte> Bytes()
    {
        long length = Long();
        return length >= 0 && length <= _bytes.Length ? Take((int)length) : throw Broken($"a length of {length} passes the end");
    }

    private ReadOnlySpan<byte> Take(int length)
    {
        if (length > _bytes.Length)
        {
            throw Broken("the file ends too early");
        }

        ReadOnlySpan<byte> taken = _bytes[..length];
        _bytes = _bytes[length..];
        return taken;
    }

    private readonly LakeException Broken(string what) => LakeException.FormatInvalid("Avro on the timeline: " + what, _path);

    private static byte[] Inflate(ReadOnlySpan<byte> block)
    {
        using var source = new MemoryStream(block.ToArray());
        using var inflater = new DeflateStream(source, CompressionMode.Decompress);
        using var target = new MemoryStream();
        inflater.CopyTo(target);
        return target.ToArray();
    }
}
