using System.Globalization;
using System.Text.Json;

namespace LakeHolo.LakeCatalog.Paimon;

/// <summary>Reads the types of a schema file: a string for atomic types, an object for nested ones.</summary>
/// <remarks>Keywords are case-insensitive, white space is free. A keyword that is not known gives <see cref="PaimonTypeKind.Unknown"/>, so that the
/// other columns of the table stay readable.</remarks>
internal static class PaimonTypeParser
{
    // The engine and Arrow nest far less deep; the bound keeps a hostile schema from exhausting the stack.
    private const int MaxDepth = 64;

    public static PaimonType Parse(JsonElement json, string path) => Parse(json, path, 0);

    /// <summary>A column; fields without an id (hand-made and very old schemas) are numbered: the column by its place, nested ones in their order.</summary>
    public static PaimonField ParseField(JsonElement json, int place, string path)
    {
        PaimonField field = ParseField(json, path, 0);
        int next = 0;
        return field with { Id = field.Id < 0 ? place : field.Id, Type = Number(field.Type, ref next) };
    }

    private static PaimonType Number(PaimonType type, ref int next)
    {
        PaimonType? element = type.Element is null ? null : Number(type.Element, ref next);
        PaimonType? value = type.Value is null ? null : Number(type.Value, ref next);
        var fields = new List<PaimonField>(type.Fields.Count);
        foreach (PaimonField field in type.Fields)
        {
            int id = field.Id < 0 ? next++ : field.Id;
            fields.Add(field with { Id = id, Type = Number(field.Type, ref next) });
        }

        return type with { Element = element, Value = value, Fields = fields };
    }

    private static PaimonField ParseField(JsonElement json, string path, int depth)
    {
        if (json.ValueKind != JsonValueKind.Object || !json.TryGetProperty("name", out JsonElement name) || name.ValueKind != JsonValueKind.String
            || !json.TryGetProperty("type", out JsonElement type))
        {
            throw LakeException.FormatInvalid("A field of the schema has no name or no type", path);
        }

        int id = json.TryGetProperty("id", out JsonElement idText) && idText.TryGetInt32(out int value) ? value : -1;
        string? description = json.TryGetProperty("description", out JsonElement d) && d.ValueKind == JsonValueKind.String ? d.GetString() : null;
        return new PaimonField(id, name.GetString()!, Parse(type, path, depth), description);
    }

    private static PaimonType Parse(JsonElement json, string path, int depth)
    {
        if (depth > MaxDepth)
        {
            throw LakeException.FormatInvalid($"A type of the schema is nested deeper than {MaxDepth} levels", path);
        }

        if (json.ValueKind == JsonValueKind.String)
        {
            return ParseText(json.GetString()!, depth, path);
        }

        if (json.ValueKind != JsonValueKind.Object || !json.TryGetProperty("type", out JsonElement root) || root.ValueKind != JsonValueKind.String)
        {
            throw LakeException.FormatInvalid("A type of the schema is neither a text nor an object with a type", path);
        }

        string text = root.GetString()!.Trim().ToUpperInvariant();
        bool nullable = !text.Contains("NOT NULL", StringComparison.Ordinal);
        string keyword = new([.. text.TakeWhile(char.IsLetter)]);
        PaimonType Member(string name) => json.TryGetProperty(name, out JsonElement member)
            ? Parse(member, path, depth + 1)
            : throw LakeException.FormatInvalid($"A type {keyword} of the schema has no '{name}'", path);

        return keyword switch
        {
            "ARRAY" => Nested(PaimonTypeKind.Array, Member("element"), null, "ARRAY<{0}>"),
            "MULTISET" => Nested(PaimonTypeKind.Multiset, Member("element"), null, "MULTISET<{0}>"),
            "MAP" => Nested(PaimonTypeKind.Map, Member("key"), Member("value"), "MAP<{0}, {1}>"),
            "VECTOR" => Nested(PaimonTypeKind.Vector, Member("element"), null, "VECTOR<{0}>") with
            {
                Length = json.TryGetProperty("length", out JsonElement length) && length.TryGetInt32(out int n) ? n : 0,
            },
            "ROW" => Row(json, path, depth, nullable),
            _ => ParseText(text, depth, path),
        };

        PaimonType Nested(PaimonTypeKind kind, PaimonType element, PaimonType? value, string format) => new()
        {
            Kind = kind,
            Nullable = nullable,
            Element = element,
            Value = value,
            Text = string.Format(CultureInfo.InvariantCulture, format, element.Text, value?.Text),
        };
    }

    private static PaimonType Row(JsonElement json, string path, int depth, bool nullable)
    {
        if (!json.TryGetProperty("fields", out JsonElement members) || members.ValueKind != JsonValueKind.Array)
        {
            throw LakeException.FormatInvalid("A type ROW of the schema has no fields", path);
        }

        var fields = new List<PaimonField>();
        foreach (JsonElement member in members.EnumerateArray())
        {
            fields.Add(ParseField(member, path, depth + 1));
        }

        return new PaimonType
        {
            Kind = PaimonTypeKind.Row,
            Nullable = nullable,
            Fields = fields,
            Text = $"ROW<{string.Join(", ", fields.Select(f => $"{f.Name} {f.Type.Text}"))}>",
        };
    }

    private static PaimonType ParseText(string original, int depth, string path)
    {
        string text = string.Join(' ', original.ToUpperInvariant().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        bool nullable = true;
        if (text.EndsWith(" NOT NULL", StringComparison.Ordinal))
        {
            (text, nullable) = (text[..^9], false);
        }
        else if (text.EndsWith(" NULL", StringComparison.Ordinal))
        {
            text = text[..^5];
        }

        if (text.EndsWith(" ARRAY", StringComparison.Ordinal) || text.EndsWith(" MULTISET", StringComparison.Ordinal))
        {
            if (depth > MaxDepth)
            {
                throw LakeException.FormatInvalid($"A type of the schema is nested deeper than {MaxDepth} levels", path);
            }

            int cut = text.LastIndexOf(' ');
            return new PaimonType
            {
                Kind = text.EndsWith("ARRAY", StringComparison.Ordinal) ? PaimonTypeKind.Array : PaimonTypeKind.Multiset,
                Nullable = nullable,
                Element = ParseText(text[..cut], depth + 1, path),
                Text = original,
            };
        }

        int open = text.IndexOf('(', StringComparison.Ordinal);
        int close = open < 0 ? -1 : text.IndexOf(')', open);
        string keyword = (open < 0 ? text : text[..open]).Trim();
        string suffix = open < 0 || close < 0 ? "" : text[(close + 1)..].Trim();
        string[] arguments = open < 0 || close < 0 ? [] : text[(open + 1)..close].Split(',');
        int timeSuffix = keyword.IndexOf(" WITH", StringComparison.Ordinal);
        if (timeSuffix > 0)
        {
            (keyword, suffix) = (keyword[..timeSuffix], keyword[(timeSuffix + 1)..]);
        }

        int Argument(int index, int fallback) =>
            index < arguments.Length && int.TryParse(arguments[index].AsSpan().Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out int n) ? n : fallback;

        PaimonType type = (keyword, suffix) switch
        {
            ("CHAR", "") => Of(PaimonTypeKind.Char, Argument(0, 1)),
            ("VARCHAR", "") => Of(PaimonTypeKind.VarChar, Argument(0, 1)),
            ("STRING", "") => Of(PaimonTypeKind.VarChar, PaimonType.MaxLength),
            ("BOOLEAN", "") => Of(PaimonTypeKind.Boolean),
            ("BINARY", "") => Of(PaimonTypeKind.Binary, Argument(0, 1)),
            ("VARBINARY", "") => Of(PaimonTypeKind.VarBinary, Argument(0, 1)),
            ("BYTES", "") => Of(PaimonTypeKind.VarBinary, PaimonType.MaxLength),
            ("DECIMAL" or "NUMERIC" or "DEC", "") => Of(PaimonTypeKind.Decimal, Argument(0, 10), Argument(1, 0)),
            ("TINYINT", "") => Of(PaimonTypeKind.TinyInt),
            ("SMALLINT", "") => Of(PaimonTypeKind.SmallInt),
            ("INT" or "INTEGER", "") => Of(PaimonTypeKind.Int),
            ("BIGINT", "") => Of(PaimonTypeKind.BigInt),
            ("FLOAT", "") => Of(PaimonTypeKind.Float),
            ("DOUBLE" or "DOUBLE PRECISION", "") => Of(PaimonTypeKind.Double),
            ("DATE", "") => Of(PaimonTypeKind.Date),
            ("TIME", "" or "WITHOUT TIME ZONE") => Of(PaimonTypeKind.Time, Argument(0, 0)),
            ("TIMESTAMP", "" or "WITHOUT TIME ZONE") => Of(PaimonTypeKind.Timestamp, Argument(0, 6)),
            ("TIMESTAMP", "WITH LOCAL TIME ZONE") => Of(PaimonTypeKind.TimestampLtz, Argument(0, 6)),
            ("TIMESTAMP_LTZ", "") => Of(PaimonTypeKind.TimestampLtz, Argument(0, 6)),
            ("VARIANT", "") => Of(PaimonTypeKind.Variant),
            ("BLOB", "") => Of(PaimonTypeKind.Blob),
            _ => Of(PaimonTypeKind.Unknown),
        };
        bool valid = type.Kind switch
        {
            PaimonTypeKind.Decimal => type.Length is >= 1 and <= 38 && type.Scale >= 0 && type.Scale <= type.Length,
            PaimonTypeKind.Time or PaimonTypeKind.Timestamp or PaimonTypeKind.TimestampLtz => type.Length is >= 0 and <= 9,
            _ => true,
        };
        return valid ? type : throw LakeException.FormatInvalid($"The type '{original}' is out of range", path);

        PaimonType Of(PaimonTypeKind kind, int length = 0, int scale = 0) => new()
        {
            Kind = kind,
            Nullable = nullable,
            Length = length,
            Scale = scale,
            Text = original,
        };
    }
}
