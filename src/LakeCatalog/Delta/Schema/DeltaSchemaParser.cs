using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace LakeHolo.LakeCatalog.Delta.Schema;

/// <summary>Parses <c>metaData.schemaString</c>.</summary>
internal static partial class DeltaSchemaParser
{
    // Deeper schemas do not occur; the bound keeps recursion off the stack's end.
    private const int MaxDepth = 100;

    // byte, short, integer, long (to wider integers); Delta PROTOCOL.md, "Type Widening".
    private static readonly string[] Integers = ["byte", "short", "integer", "long"];

    // Digits before the point that hold each of them. The specification asks for 10 of bytes and shorts too; Spark writes fewer.
    private static readonly int[] WholeDigits = [3, 5, 10, 20];

    public static DeltaStruct Parse(string schemaString, ColumnMappingMode mapping, string path)
    {
        try
        {
            // A type level costs up to four JSON levels (type, fields, field, elementType).
            using var document = JsonDocument.Parse(schemaString, new JsonDocumentOptions { MaxDepth = MaxDepth * 4 });
            return ParseType(document.RootElement, mapping, path, 0) as DeltaStruct
                ?? throw LakeException.FormatInvalid("The table's schema is not a struct", path);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw LakeException.FormatInvalid($"The table's schemaString is invalid: {e.Message}", path, e);
        }
    }

    private static DeltaType ParseType(JsonElement element, ColumnMappingMode mapping, string path, int depth)
    {
        if (depth > MaxDepth)
        {
            throw LakeException.FormatInvalid($"The table's schema is nested deeper than {MaxDepth} levels", path);
        }

        if (element.ValueKind == JsonValueKind.String)
        {
            return ParsePrimitive(element.GetString()!, path);
        }

        string kind = element.GetProperty("type").GetString() ?? string.Empty;
        return kind switch
        {
            "struct" => ParseStruct(element, mapping, path, depth),
            "array" => new DeltaArray(ParseType(element.GetProperty("elementType"), mapping, path, depth + 1)),
            "map" => new DeltaMap(
                ParseType(element.GetProperty("keyType"), mapping, path, depth + 1),
                ParseType(element.GetProperty("valueType"), mapping, path, depth + 1)),
            "udt" => ParseType(element.GetProperty("sqlType"), mapping, path, depth + 1),
            _ => throw LakeException.FeatureUnsupported($"The schema has the unknown type {kind}", path),
        };
    }

    private static DeltaStruct ParseStruct(JsonElement element, ColumnMappingMode mapping, string path, int depth)
    {
        var fields = new List<DeltaField>();
        var names = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (JsonElement item in element.GetProperty("fields").EnumerateArray())
        {
            DeltaField field = ParseField(item, mapping, path, depth);
            if (!names.Add(field.Name))
            {
                throw LakeException.FormatInvalid($"The schema has two columns named '{field.Name}'", path);
            }

            fields.Add(field);
        }

        return new DeltaStruct(fields);
    }

    private static DeltaField ParseField(JsonElement item, ColumnMappingMode mapping, string path, int depth)
    {
        string name = item.GetProperty("name").GetString() ?? throw LakeException.FormatInvalid("A field has no name", path);
        bool hasMetadata = item.TryGetProperty("metadata", out JsonElement metadata) && metadata.ValueKind == JsonValueKind.Object;
        string physicalName = name;
        int? fieldId = null;
        if (mapping != ColumnMappingMode.None)
        {
            if (!hasMetadata
                || !metadata.TryGetProperty("delta.columnMapping.physicalName", out JsonElement physical)
                || !metadata.TryGetProperty("delta.columnMapping.id", out JsonElement id))
            {
                throw LakeException.FormatInvalid($"Column mapping is on, but the column '{name}' has no physicalName and id", path);
            }

            physicalName = physical.GetString() ?? throw LakeException.FormatInvalid($"The column '{name}' has a null physicalName", path);
            fieldId = id.GetInt32();
        }

        if (hasMetadata && metadata.TryGetProperty("delta.typeChanges", out JsonElement changes) && changes.ValueKind == JsonValueKind.Array)
        {
            CheckTypeChanges(changes, name, path);
        }

        return new DeltaField
        {
            Name = name,
            PhysicalName = physicalName,
            FieldId = fieldId,
            Type = ParseType(item.GetProperty("type"), mapping, path, depth + 1),
            Nullable = !item.TryGetProperty("nullable", out JsonElement nullable) || nullable.ValueKind != JsonValueKind.False,
            Comment = hasMetadata && metadata.TryGetProperty("comment", out JsonElement comment) && comment.ValueKind == JsonValueKind.String
                ? comment.GetString()
                : null,
        };
    }

    private static DeltaType ParsePrimitive(string name, string path)
    {
        DeltaPrimitiveKind? kind = name switch
        {
            "string" => DeltaPrimitiveKind.String,
            "long" => DeltaPrimitiveKind.Long,
            "integer" => DeltaPrimitiveKind.Integer,
            "short" => DeltaPrimitiveKind.Short,
            "byte" => DeltaPrimitiveKind.Byte,
            "float" => DeltaPrimitiveKind.Float,
            "double" => DeltaPrimitiveKind.Double,
            "boolean" => DeltaPrimitiveKind.Boolean,
            "binary" => DeltaPrimitiveKind.Binary,
            "date" => DeltaPrimitiveKind.Date,
            "timestamp" => DeltaPrimitiveKind.Timestamp,
            "timestamp_ntz" => DeltaPrimitiveKind.TimestampNtz,
            "void" or "null" => DeltaPrimitiveKind.Void,
            "variant" => DeltaPrimitiveKind.Variant,
            _ => null,
        };
        if (kind is { } known)
        {
            return new DeltaPrimitive(known);
        }

        if (TryParseDecimal(name) is { } number)
        {
            return number;
        }

        if (CharPattern().IsMatch(name))
        {
            return new DeltaPrimitive(DeltaPrimitiveKind.String);
        }

        if (DeltaInterval.KindOf(name) is { } interval)
        {
            return new DeltaPrimitive(interval);
        }

        string what = name.StartsWith("geo", StringComparison.Ordinal) ? "unsupported" : "unknown";
        throw LakeException.FeatureUnsupported($"The schema has the {what} type {name}", path);
    }

    private static DeltaDecimal? TryParseDecimal(string name)
    {
        if (name == "decimal")
        {
            return new DeltaDecimal(10, 0);
        }

        Match match = DecimalPattern().Match(name);
        if (!match.Success)
        {
            return null;
        }

        int precision = int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture);
        int scale = int.Parse(match.Groups[2].ValueSpan, CultureInfo.InvariantCulture);
        return precision is >= 1 and <= 38 && scale <= precision ? new DeltaDecimal(precision, scale) : null;
    }

    private static void CheckTypeChanges(JsonElement changes, string column, string path)
    {
        foreach (JsonElement change in changes.EnumerateArray())
        {
            string from = change.GetProperty("fromType").GetString() ?? string.Empty;
            string to = change.GetProperty("toType").GetString() ?? string.Empty;
            if (!IsWidening(from, to))
            {
                throw LakeException.FeatureUnsupported($"The column '{column}' was changed from {from} to {to}, which is no type widening", path);
            }
        }
    }

    private static bool IsWidening(string from, string to)
    {
        if (from == to || from == "void")
        {
            return true;
        }

        int fromInteger = Array.IndexOf(Integers, from);
        int toInteger = Array.IndexOf(Integers, to);
        if (fromInteger >= 0 && toInteger >= 0)
        {
            return toInteger > fromInteger;
        }

        if (to == "double")
        {
            return from == "float" || fromInteger is >= 0 and <= 2;
        }

        if (TryParseDecimal(to) is { } target)
        {
            int whole = target.Precision - target.Scale;
            return fromInteger >= 0
                ? whole >= WholeDigits[fromInteger]
                : TryParseDecimal(from) is { } source && target.Scale >= source.Scale && whole >= source.Precision - source.Scale;
        }

        return from == "date" && to == "timestamp_ntz";
    }

    [GeneratedRegex(@"^decimal\(\s*([0-9]{1,2})\s*,\s*([0-9]{1,2})\s*\)$")]
    private static partial Regex DecimalPattern();

    [GeneratedRegex(@"^(var)?char\(\s*[0-9]{1,9}\s*\)$")]
    private static partial Regex CharPattern();
}
