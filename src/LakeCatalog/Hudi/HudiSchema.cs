using System.Text.Json;
using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog.Avro;

namespace LakeHolo.LakeCatalog.Hudi;

/// <summary>A column of the table's schema, with what Arrow's type does not hold.</summary>
/// <param name="Field">Name, Arrow type, nullability.</param>
/// <param name="DefaultJson">The Avro default as JSON; null without one or if it is null.</param>
/// <param name="LogicalType">The Avro logical type of a top-level scalar (timestamp-millis, …), else null.</param>
public sealed record HudiColumn(Field Field, string? DefaultJson, string? LogicalType)
{
    /// <summary>The column's name.</summary>
    public string Name => Field.Name;

    /// <summary>Paths (<see cref="LogicalPaths"/>) of its instants that the table's schema counts in milliseconds.</summary>
    public IReadOnlySet<string> MillisecondInstants { get; init; } = new HashSet<string>();

    /// <summary>Paths (<see cref="LogicalPaths"/>) of what has an Avro default other than null: the column itself, or fields in it.</summary>
    public IReadOnlySet<string> Defaults { get; init; } = new HashSet<string>();

    /// <summary>Paths of its local timestamps that the table's schema counts in milliseconds.</summary>
    public IReadOnlySet<string> LocalMilliseconds { get; init; } = new HashSet<string>();
}

/// <summary>Reads table schemas (Avro JSON) into Arrow types.</summary>
internal static class HudiSchema
{
    private const int MaxDepth = 64;
    private static readonly TimestampType UtcMicros = new(TimeUnit.Microsecond, "UTC");

    /// <summary>The columns that Hudi adds in front, all text.</summary>
    public static readonly string[] MetaColumns =
        ["_hoodie_commit_time", "_hoodie_commit_seqno", "_hoodie_record_key", "_hoodie_partition_path", "_hoodie_file_name"];

    /// <summary>The kind of change, in tables that keep it.</summary>
    public const string OperationColumn = "_hoodie_operation";

    /// <summary>The columns of a record schema, without the meta columns.</summary>
    public static IReadOnlyList<HudiColumn> Parse(string avroJson, string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(avroJson, new JsonDocumentOptions { MaxDepth = 2 * MaxDepth });
            var names = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
            JsonElement root = document.RootElement;
            Register(root, "", names);
            var columns = new List<HudiColumn>();
            foreach (JsonElement field in root.GetProperty("fields").EnumerateArray())
            {
                string name = field.GetProperty("name").GetString()!;
                if (MetaColumns.Contains(name))
                {
                    continue;
                }

                (IArrowType type, bool isNullable) = TypeOf(field.GetProperty("type"), Namespace(root, ""), names, 0);
                string? value = field.TryGetProperty("default", out JsonElement d) && d.ValueKind != JsonValueKind.Null ? d.GetRawText() : null;
                columns.Add(new HudiColumn(new Field(name, type, isNullable), value, LogicalTypeOf(field.GetProperty("type"))));
            }

            RefuseAlike(columns.Select(c => c.Field), path);
            return avroJson.Contains("timestamp-millis", StringComparison.Ordinal) || avroJson.Contains("\"default\"", StringComparison.Ordinal)
                ? WithPaths(columns, AvroSchema.Parse(avroJson, path))
                : columns;
        }
        catch (NotSupportedException error)
        {
            throw LakeException.FeatureUnsupported($"Hudi: {error.Message} are not supported", path);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw LakeException.FormatInvalid("The table's Avro schema is malformed: " + error.Message, path, error);
        }
    }

    // The engine's names do not tell cases apart.
    private static void RefuseAlike(IEnumerable<Field> fields, string path)
    {
        Field[] all = [.. fields];
        if (all.GroupBy(f => f.Name, StringComparer.OrdinalIgnoreCase).FirstOrDefault(g => g.Count() > 1) is { } alike)
        {
            throw LakeException.FeatureUnsupported($"Hudi: columns whose names differ in case only ({string.Join(", ", alike.Select(f => f.Name))}) are not supported", path);
        }

        foreach (Field field in all)
        {
            RefuseAlike(field.DataType is StructType or ListType ? ((NestedType)field.DataType).Fields : field.DataType is MapType map ? [map.ValueField] : [], path);
        }
    }

    private static HudiColumn[] WithPaths(List<HudiColumn> columns, AvroSchema schema)
    {
        IReadOnlySet<string> defaults = LogicalPaths.OfDefaults(schema.NonNull);
        IReadOnlySet<string> instants = LogicalPaths.Of(schema.NonNull, "timestamp-millis");
        IReadOnlySet<string> local = LogicalPaths.Of(schema.NonNull, "local-timestamp-millis");
        return [.. columns.Select(c => c with { MillisecondInstants = Below(instants, c.Name), LocalMilliseconds = Below(local, c.Name), Defaults = Below(defaults, c.Name) })];
    }

    private static HashSet<string> Below(IReadOnlySet<string> paths, string column)
        => paths.Where(p => p == column || p.StartsWith(column + ".", StringComparison.Ordinal)).ToHashSet(StringComparer.Ordinal);

    /// <summary>Puts the meta columns in front.</summary>
    public static Schema ToArrow(IReadOnlyList<HudiColumn> columns, bool withMetaColumns, bool withOperation = false)
    {
        IEnumerable<string> names = (withMetaColumns ? MetaColumns : []).Concat(withOperation && columns.All(c => c.Name != OperationColumn) ? [OperationColumn] : []);
        IEnumerable<Field> meta = names.Select(name => new Field(name, StringType.Default, true));
        return new Schema([.. meta, .. columns.Select(c => c.Field)], null);
    }

    private static (IArrowType Type, bool IsNullable) TypeOf(JsonElement schema, string space, Dictionary<string, JsonElement> names, int depth)
    {
        if (depth > MaxDepth)
        {
            throw new InvalidOperationException("nested too deeply");
        }

        if (schema.ValueKind == JsonValueKind.Array)
        {
            JsonElement[] branches = [.. schema.EnumerateArray()];
            JsonElement[] others = [.. branches.Where(b => !(b.ValueKind == JsonValueKind.String && b.GetString() == "null"))];
            if (others.Length != 1)
            {
                throw new InvalidOperationException($"a union of {others.Length} types beside null");
            }

            return (TypeOf(others[0], space, names, depth + 1).Type, others.Length < branches.Length);
        }

        if (schema.ValueKind == JsonValueKind.String)
        {
            return (Named(schema.GetString()!, space, names, depth), false);
        }

        JsonElement type = schema.GetProperty("type");
        if (type.ValueKind != JsonValueKind.String)
        {
            return TypeOf(type, space, names, depth + 1);
        }

        return (Complex(type.GetString()!, schema, space, names, depth), false);
    }

    private static IArrowType Complex(string type, JsonElement schema, string space, Dictionary<string, JsonElement> names, int depth)
    {
        string inner = Namespace(schema, space);
        if (schema.TryGetProperty("logicalType", out JsonElement logical) && logical.GetString() is "variant" or "vector" or "blob")
        {
            throw new NotSupportedException($"columns of the type {logical.GetString()}");
        }

        switch (type)
        {
            case "record" or "error":
                var fields = new List<Field>();
                foreach (JsonElement field in schema.GetProperty("fields").EnumerateArray())
                {
                    (IArrowType fieldType, bool isNullable) = TypeOf(field.GetProperty("type"), inner, names, depth + 1);
                    fields.Add(new Field(field.GetProperty("name").GetString()!, fieldType, isNullable));
                }

                return new StructType(fields);
            case "array":
                (IArrowType item, bool isItemNullable) = TypeOf(schema.GetProperty("items"), space, names, depth + 1);
                return new ListType(new Field("item", item, isItemNullable));
            case "map":
                (IArrowType value, bool isValueNullable) = TypeOf(schema.GetProperty("values"), space, names, depth + 1);
                return new MapType(new Field("key", StringType.Default, false), new Field("value", value, isValueNullable));
            case "enum":
                return StringType.Default;
            default:
                return Scalar(type, schema) ?? Named(type, space, names, depth);
        }
    }

    private static IArrowType? Scalar(string type, JsonElement schema)
    {
        string? logical = schema.TryGetProperty("logicalType", out JsonElement l) ? l.GetString() : null;
        return (type, logical) switch
        {
            ("bytes" or "fixed", "decimal") => new Decimal128Type(schema.GetProperty("precision").GetInt32(), schema.TryGetProperty("scale", out JsonElement s) ? s.GetInt32() : 0),
            ("int", "date") => Date32Type.Default,
            ("int", "time-millis") or ("long", "time-micros") => new Time64Type(TimeUnit.Microsecond),
            ("long", "timestamp-millis" or "timestamp-micros") => UtcMicros,
            ("long", "local-timestamp-millis" or "local-timestamp-micros") => new TimestampType(TimeUnit.Microsecond, (string?)null),
            ("long", "timestamp-nanos" or "local-timestamp-nanos") => throw new NotSupportedException($"columns of the type {logical}"),
            ("fixed", _) => BinaryType.Default,
            _ => Primitive(type),
        };
    }

    private static IArrowType? Primitive(string type) => type switch
    {
        "boolean" => BooleanType.Default,
        "int" => Int32Type.Default,
        "long" => Int64Type.Default,
        "float" => FloatType.Default,
        "double" => DoubleType.Default,
        "bytes" => BinaryType.Default,
        "string" => StringType.Default,
        "null" => NullType.Default,
        _ => null,
    };

    private static IArrowType Named(string name, string space, Dictionary<string, JsonElement> names, int depth)
    {
        if (Primitive(name) is { } primitive)
        {
            return primitive;
        }

        if (names.TryGetValue(name.Contains('.', StringComparison.Ordinal) ? name : Qualify(name, space), out JsonElement definition) || names.TryGetValue(name, out definition))
        {
            return TypeOf(definition, space, names, depth + 1).Type;
        }

        throw new InvalidOperationException($"the type {name} is not defined");
    }

    // Definitions are registered before types are built, so a name may be used anywhere.
    private static void Register(JsonElement schema, string space, Dictionary<string, JsonElement> names)
    {
        if (schema.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement branch in schema.EnumerateArray())
            {
                Register(branch, space, names);
            }
        }

        if (schema.ValueKind != JsonValueKind.Object)
        {
            return;
        }

        string inner = Namespace(schema, space);
        if (schema.TryGetProperty("name", out JsonElement name) && schema.TryGetProperty("type", out JsonElement kind)
            && kind.ValueKind == JsonValueKind.String && kind.GetString() is "record" or "error" or "enum" or "fixed")
        {
            names.TryAdd(Qualify(name.GetString()!, inner), schema);
        }

        if (schema.TryGetProperty("fields", out JsonElement fields) && fields.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement field in fields.EnumerateArray())
            {
                Register(field.GetProperty("type"), inner, names);
            }
        }

        foreach (string part in (ReadOnlySpan<string>)["type", "items", "values"])
        {
            if (schema.TryGetProperty(part, out JsonElement element))
            {
                Register(element, inner, names);
            }
        }
    }

    private static string? LogicalTypeOf(JsonElement schema) => schema.ValueKind switch
    {
        JsonValueKind.Array => schema.EnumerateArray().Select(LogicalTypeOf).FirstOrDefault(t => t is not null),
        JsonValueKind.Object when schema.TryGetProperty("logicalType", out JsonElement logical) => logical.GetString(),
        _ => null,
    };

    private static string Namespace(JsonElement schema, string outer) =>
        schema.TryGetProperty("namespace", out JsonElement space) && space.GetString() is { } text ? text
        : schema.TryGetProperty("name", out JsonElement name) && name.ValueKind == JsonValueKind.String && name.GetString()!.LastIndexOf('.') is > 0 and var dot
            ? name.GetString()![..dot]
            : outer;

    private static string Qualify(string name, string space) => name.Contains('.', StringComparison.Ordinal) || space.Length == 0 ? name : space + "." + name;
}
