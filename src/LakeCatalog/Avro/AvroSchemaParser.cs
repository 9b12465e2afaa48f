using System.Text.Json;

namespace LakeHolo.LakeCatalog.Avro;

/// <summary>From the JSON text of a schema to <see cref="AvroSchema"/>.</summary>
internal sealed class AvroSchemaParser
{
    // Types nested deeper than this are no table's; the bound keeps parsing and decoding off the end of the stack.
    internal const int MaxDepth = 64;

    private const long MaxWeight = 100_000;

    private readonly Dictionary<string, AvroSchema> _named = new(StringComparer.Ordinal);
    private readonly string _path;

    private AvroSchemaParser(string path) => _path = path;

    internal static AvroSchema Parse(ReadOnlyMemory<byte> json, string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 4 * MaxDepth });
            return new AvroSchemaParser(path).Read(document.RootElement, "", 0);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw LakeException.FormatInvalid($"The Avro schema is not valid JSON: {e.Message}", path, e);
        }
    }

    private AvroSchema Read(JsonElement json, string space, int depth)
    {
        if (depth > MaxDepth)
        {
            throw Invalid($"is nested deeper than {MaxDepth} levels");
        }

        AvroSchema schema = json.ValueKind switch
        {
            JsonValueKind.String => Named(json.GetString()!, space),
            JsonValueKind.Array => Union(json, space, depth),
            JsonValueKind.Object => Complex(json, space, depth),
            _ => throw Invalid($"has a {json.ValueKind} where a type is expected"),
        };
        if (schema.Kind is AvroKind.Record or AvroKind.Union or AvroKind.Array or AvroKind.Map)
        {
            schema.Weight = 1 + (schema.Items?.Weight ?? 0) + schema.Branches.Sum(b => b.Weight) + schema.Fields.Sum(f => f.Type.Weight);
        }

        return schema.Weight <= MaxWeight ? schema : throw Invalid($"spells a type of more than {MaxWeight} parts");
    }

    private AvroSchema Named(string name, string space) =>
        Primitive(name) is { } kind ? new AvroSchema(kind)
        : _named.TryGetValue(FullName(name, space), out AvroSchema? found) || _named.TryGetValue(name, out found) ? found
        : throw Invalid($"refers to the unknown type '{name}'");

    private AvroSchema Union(JsonElement json, string space, int depth)
    {
        AvroSchema[] branches = [.. json.EnumerateArray().Select(b => Read(b, space, depth + 1))];
        return branches.Length > 0 && !branches.Any(b => b.Kind == AvroKind.Union)
            ? new AvroSchema(AvroKind.Union) { Branches = branches }
            : throw Invalid("has a union without branches or directly inside a union");
    }

    private AvroSchema Complex(JsonElement json, string space, int depth)
    {
        if (!json.TryGetProperty("type", out JsonElement type))
        {
            throw Invalid("has an object without 'type'");
        }

        if (type.ValueKind != JsonValueKind.String)
        {
            return Read(type, space, depth + 1);
        }

        string name = type.GetString()!;
        switch (name)
        {
            case "record" or "error":
                return Record(json, space, depth);
            case "enum":
                return Register(json, space, (fullName, aliases, _) => new AvroSchema(AvroKind.Enum) { FullName = fullName, Aliases = aliases, Symbols = Strings(json, "symbols") });
            case "fixed":
                return Register(json, space, (fullName, aliases, _) => Fixed(json, fullName, aliases));
            case "array":
                return new AvroSchema(AvroKind.Array) { Items = Read(Required(json, "items"), space, depth + 1), LogicalType = Text(json, "logicalType") };
            case "map":
                return new AvroSchema(AvroKind.Map) { Items = Read(Required(json, "values"), space, depth + 1) };
            default:
                return Primitive(name) is { } kind ? Logical(json, kind) : Named(name, space);
        }
    }

    private AvroSchema Record(JsonElement json, string space, int depth)
    {
        string inner = "";
        AvroSchema record = Register(json, space, (fullName, aliases, ownSpace) =>
        {
            inner = ownSpace;
            return new AvroSchema(AvroKind.Record) { FullName = fullName, Aliases = aliases };
        });
        var fields = new List<AvroField>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (JsonElement field in Required(json, "fields").EnumerateArray())
        {
            string name = Text(field, "name") ?? throw Invalid("has a field without a name");
            if (!names.Add(name))
            {
                throw Invalid($"has the field '{name}' twice in record '{record.FullName}'");
            }

            string? defaultJson = field.TryGetProperty("default", out JsonElement value) ? value.GetRawText() : null;
            fields.Add(new AvroField(name, Read(Required(field, "type"), inner, depth + 1), Strings(field, "aliases"), defaultJson));
        }

        record.Fields = fields;
        return record;
    }

    private AvroSchema Register(JsonElement json, string space, Func<string, IReadOnlyList<string>, string, AvroSchema> make)
    {
        string name = Text(json, "name") ?? throw Invalid("has a named type without a name");
        string fullName = FullName(name, Text(json, "namespace") ?? space);
        int dot = fullName.LastIndexOf('.');
        string ownSpace = dot < 0 ? "" : fullName[..dot];
        AvroSchema schema = make(fullName, [.. Strings(json, "aliases").Select(a => FullName(a, ownSpace))], ownSpace);
        if (!_named.TryAdd(fullName, schema))
        {
            throw Invalid($"defines '{fullName}' twice");
        }

        return schema;
    }

    private AvroSchema Fixed(JsonElement json, string fullName, IReadOnlyList<string> aliases)
    {
        int size = Number(json, "size") ?? -1;
        if (size is < 0 or > 1 << 20)
        {
            throw Invalid($"has the fixed type '{fullName}' of {size} bytes");
        }

        string? logical = Text(json, "logicalType");
        (int precision, int scale) = Decimal(json, logical);
        bool valid = logical switch
        {
            "decimal" => precision > 0,
            "uuid" => size == 16,
            "duration" => size == 12,
            _ => true,
        };
        return new AvroSchema(AvroKind.Fixed)
        {
            FullName = fullName,
            Aliases = aliases,
            FixedSize = size,
            LogicalType = valid ? logical : null,
            Precision = precision,
            Scale = scale,
        };
    }

    private static AvroSchema Logical(JsonElement json, AvroKind kind)
    {
        string? logical = Text(json, "logicalType");
        (int precision, int scale) = Decimal(json, logical);
        bool valid = (kind, logical) switch
        {
            (AvroKind.Bytes, "decimal") => precision > 0,
            (AvroKind.Int, "date" or "time-millis") => true,
            (AvroKind.Long, "time-micros" or "timestamp-millis" or "timestamp-micros" or "timestamp-nanos") => true,
            (AvroKind.Long, "local-timestamp-millis" or "local-timestamp-micros" or "local-timestamp-nanos") => true,
            (AvroKind.String, "uuid") => true,
            _ => false,
        };
        return new AvroSchema(kind) { LogicalType = valid ? logical : null, Precision = precision, Scale = scale };
    }

    private static (int Precision, int Scale) Decimal(JsonElement json, string? logical)
    {
        if (logical != "decimal")
        {
            return (0, 0);
        }

        int precision = Number(json, "precision") ?? 0;
        int scale = json.TryGetProperty("scale", out _) ? Number(json, "scale") ?? -1 : 0;
        return scale >= 0 && scale <= precision ? (precision, scale) : (0, 0);
    }

    private static AvroKind? Primitive(string name) => name switch
    {
        "null" => AvroKind.Null,
        "boolean" => AvroKind.Boolean,
        "int" => AvroKind.Int,
        "long" => AvroKind.Long,
        "float" => AvroKind.Float,
        "double" => AvroKind.Double,
        "bytes" => AvroKind.Bytes,
        "string" => AvroKind.String,
        _ => null,
    };

    private static string FullName(string name, string space) => name.Contains('.', StringComparison.Ordinal) || space.Length == 0 ? name : space + "." + name;

    private JsonElement Required(JsonElement json, string property) =>
        json.TryGetProperty(property, out JsonElement value) ? value : throw Invalid($"lacks '{property}'");

    private static string? Text(JsonElement json, string property) =>
        json.TryGetProperty(property, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static int? Number(JsonElement json, string property) =>
        json.TryGetProperty(property, out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) ? number : null;

    private static string[] Strings(JsonElement json, string property) =>
        json.TryGetProperty(property, out JsonElement value) && value.ValueKind == JsonValueKind.Array
            ? [.. value.EnumerateArray().Select(e => e.GetString() ?? "")]
            : [];

    private LakeException Invalid(string what) => LakeException.FormatInvalid($"The Avro schema {what}", _path);
}
