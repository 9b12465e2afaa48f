using System.Globalization;
using System.Numerics;
using System.Text.Json.Nodes;
using Apache.Arrow;
using Apache.Arrow.Types;
using DuckDB.NET.Data;
using LakeHolo.Accelerator.Sql;
using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Accelerator.Planning;

/// <summary>Reads the filters that the engine's optimiser pushed into a scan (text of EXPLAIN) as a <see cref="ScanFilter"/>. What is not understood is
/// left out of a conjunction: it prunes less, never wrongly.</summary>
internal sealed class ScanFilterParser(DuckDBConnection connection, Schema schema)
{
    /// <summary>The conjunction of the understood filters, and the columns that all of them name; columns are null if a text cannot be parsed at all.</summary>
    public (ScanFilter? Filter, IReadOnlyList<string>? Columns) Parse(IReadOnlyList<string> filters)
    {
        var parts = new List<ScanFilter>();
        var columns = new HashSet<string>(StringComparer.Ordinal);
        // The text has names unquoted: one that is no plain identifier could read as something else.
        if (schema.FieldsList.Any(f => !IsPlain(f.Name) && filters.Any(text => text.Contains(f.Name, StringComparison.OrdinalIgnoreCase)))
            || Trees(filters) is not { } expressions)
        {
            return (null, null);
        }

        foreach (JsonNode? node in expressions)
        {
            if (node is not JsonObject expression || !CollectColumns(expression, columns))
            {
                return (null, null);
            }

            if (Convert(expression) is { } part)
            {
                parts.Add(part);
            }
        }

        return (parts.Count switch { 0 => null, 1 => parts[0], _ => new ScanFilter.And(parts) }, [.. columns]);
    }

    private static bool IsPlain(string name) => name.Length > 0 && !char.IsDigit(name[0]) && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_');

    /// <summary>The expressions of the filters, parsed at once; null if they are not as many, or cannot be parsed: the engine shows infinity as 1e1000.</summary>
    private JsonArray? Trees(IReadOnlyList<string> filters)
    {
        if (filters.Count == 0)
        {
            return [];
        }

        JsonNode document;
        try
        {
            document = SyntaxTree.ParseText(connection, "SELECT " + string.Join(",\n", filters.Select(WithoutMarks)));
        }
        catch (LakeException e) when (e.Kind == LakeErrorKind.QueryInvalid)
        {
            return null;
        }

        return !document["error"]!.GetValue<bool>() && document["statements"]![0]!["node"]!["select_list"] is JsonArray list && list.Count == filters.Count ? list : null;
    }

    // What stands in quotes is the user's.
    private static string WithoutMarks(string filter)
        => string.Join('\'', filter.Split('\'').Select((part, i) => i % 2 == 0 ? part.Replace("optional: ", string.Empty, StringComparison.Ordinal) : part));

    private bool CollectColumns(JsonNode? node, HashSet<string> columns)
    {
        if (node is JsonArray array)
        {
            return array.All(item => CollectColumns(item, columns));
        }

        if (node is not JsonObject o)
        {
            return true;
        }

        if (Text(o, "class") == "COLUMN_REF")
        {
            // A struct field reads as table.column; its column is the first part.
            if (Column(o["column_names"]![0]!.GetValue<string>()) is not { } field)
            {
                return false;
            }

            columns.Add(field.Name);
        }

        return o.All(child => CollectColumns(child.Value, columns));
    }

    private ScanFilter? Convert(JsonObject node) => (Text(node, "class") switch
    {
        "CONJUNCTION" => Conjunction(node),
        "COMPARISON" => Comparison(node),
        "BETWEEN" => Between(node),
        "OPERATOR" => Operator(node),
        "FUNCTION" => Function(node),
        "COLUMN_REF" when PlainColumn(node) is (string name, BooleanType) => new ScanFilter.Compare(name, ScanComparison.Equal, new ScanLiteral(true)),
        _ => null,
    }) ?? PartitionExpression.TryCreate(connection, node, schema);

    private ScanFilter? Conjunction(JsonObject node)
    {
        ScanFilter?[] parts = [.. node["children"]!.AsArray().Select(c => Convert(c!.AsObject()))];
        if (Text(node, "type") == "CONJUNCTION_AND")
        {
            ScanFilter[] understood = [.. parts.OfType<ScanFilter>()];
            return understood.Length switch { 0 => null, 1 => understood[0], _ => new ScanFilter.And(understood) };
        }

        return parts.All(p => p is not null) ? new ScanFilter.Or([.. parts.OfType<ScanFilter>()]) : null;
    }

    private ScanFilter.Compare? Comparison(JsonObject node)
    {
        ScanComparison? comparison = Text(node, "type") switch
        {
            "COMPARE_EQUAL" => ScanComparison.Equal,
            "COMPARE_NOTEQUAL" => ScanComparison.NotEqual,
            "COMPARE_LESSTHAN" => ScanComparison.Less,
            "COMPARE_LESSTHANOREQUALTO" => ScanComparison.LessOrEqual,
            "COMPARE_GREATERTHAN" => ScanComparison.Greater,
            "COMPARE_GREATERTHANOREQUALTO" => ScanComparison.GreaterOrEqual,
            _ => null,
        };
        return comparison is { } op && PlainColumn(node["left"]) is (string name, IArrowType type) && Literal(node["right"], type) is { } literal
            ? new ScanFilter.Compare(name, op, literal)
            : null;
    }

    private ScanFilter.And? Between(JsonObject node) => PlainColumn(node["input"]) is (string name, IArrowType type) && Literal(node["lower"], type) is { } lower && Literal(node["upper"], type) is { } upper
        ? new ScanFilter.And([new ScanFilter.Compare(name, ScanComparison.GreaterOrEqual, lower), new ScanFilter.Compare(name, ScanComparison.LessOrEqual, upper)])
        : null;

    private ScanFilter? Operator(JsonObject node)
    {
        JsonArray children = node["children"]!.AsArray();
        if (Text(node, "type") == "OPERATOR_NOT")
        {
            // A conjunction may have been understood in part, and the negation of less is more.
            return children is [JsonObject negated] && Text(negated, "class") != "CONJUNCTION" && Convert(negated) is { } part and not ScanFilter.Expression
                ? new ScanFilter.Not(part)
                : null;
        }

        if (children.Count == 0 || PlainColumn(children[0]) is not (string name, IArrowType type))
        {
            return null;
        }

        switch (Text(node, "type"))
        {
            case "OPERATOR_IS_NULL":
                return new ScanFilter.IsNull(name);
            case "OPERATOR_IS_NOT_NULL":
                return new ScanFilter.IsNotNull(name);
            case "COMPARE_IN":
                ScanLiteral?[] literals = [.. children.Skip(1).Select(c => Literal(c, type))];
                return literals.All(l => l is not null) ? new ScanFilter.In(name, [.. literals.OfType<ScanLiteral>()]) : null;
            default:
                return null;
        }
    }

    private ScanFilter.StartsWith? Function(JsonObject node)
    {
        JsonArray children = node["children"]!.AsArray();
        return Text(node, "function_name") is "prefix" or "starts_with" && children.Count == 2
            && PlainColumn(children[0]) is (string name, IArrowType type) && Literal(children[1], type)?.Value is string prefix
            ? new ScanFilter.StartsWith(name, prefix)
            : null;
    }

    /// <summary>The name and type of a column, of a struct's field, or of either in a wider type, which changes no value: joins compare in the wider type of both sides.</summary>
    private (string Name, IArrowType Type)? PlainColumn(JsonNode? node)
    {
        if (node is JsonObject cast && Text(cast, "class") == "CAST")
        {
            return cast["try_cast"]?.GetValue<bool>() != true && PlainColumn(cast["child"]) is (string inner, IArrowType own) && KeepsValues(own, cast["cast_type"]!) ? (inner, own) : null;
        }

        if (node is not JsonObject o || Text(o, "class") != "COLUMN_REF" || o["column_names"] is not JsonArray names
            || Column(names[0]!.GetValue<string>()) is not { } field)
        {
            return null;
        }

        string path = field.Name;
        IArrowType type = field.DataType;
        foreach (JsonNode? part in names.Skip(1))
        {
            if (type is not StructType fields
                || fields.Fields.FirstOrDefault(f => f.Name.Equals(part!.GetValue<string>(), StringComparison.OrdinalIgnoreCase)) is not { } inner)
            {
                return null;
            }

            path += ScanFilter.FieldSeparator + inner.Name;
            type = inner.DataType;
        }

        return (path, type);
    }

    private Field? Column(string name) => schema.FieldsList.FirstOrDefault(f => f.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    /// <summary>Whether all values of a type are the same, and in the same order, in another one of the engine.</summary>
    private static bool KeepsValues(IArrowType type, JsonNode target) => (type, target["id"]!.GetValue<string>()) switch
    {
        (Int8Type, "TINYINT" or "SMALLINT" or "INTEGER" or "BIGINT" or "HUGEINT") => true,
        (Int16Type, "SMALLINT" or "INTEGER" or "BIGINT" or "HUGEINT") => true,
        (Int32Type, "INTEGER" or "BIGINT" or "HUGEINT") => true,
        (Int64Type, "BIGINT" or "HUGEINT") => true,
        (UInt8Type, "UTINYINT" or "USMALLINT" or "UINTEGER" or "UBIGINT" or "SMALLINT" or "INTEGER" or "BIGINT" or "HUGEINT") => true,
        (UInt16Type, "USMALLINT" or "UINTEGER" or "UBIGINT" or "INTEGER" or "BIGINT" or "HUGEINT") => true,
        (UInt32Type, "UINTEGER" or "UBIGINT" or "BIGINT" or "HUGEINT") => true,
        (Decimal128Type own, "DECIMAL") => target["type_info"] is JsonObject wider && wider["scale"]!.GetValue<int>() is int scale && scale >= own.Scale
            && wider["width"]!.GetValue<int>() - scale >= own.Precision - own.Scale,
        (Date32Type, "TIMESTAMP") => true,
        _ => false,
    };

    private static ScanLiteral? Literal(JsonNode? node, IArrowType column)
    {
        if (node is JsonObject cast && Text(cast, "class") == "CAST")
        {
            // 'text'::TYPE, as the engine prints a constant of the column's type.
            return cast["child"] is JsonObject child && ConstantOf(child) is (string inner, "VARCHAR") ? FromText(inner, column, true) : null;
        }

        return node is JsonObject o && ConstantOf(o) is (string text, string type) ? FromText(text, column, type == "VARCHAR") : null;
    }

    /// <summary>Text and type id of a constant node; null for anything else and for NULL.</summary>
    private static (string Text, string Type)? ConstantOf(JsonObject node)
    {
        if (Text(node, "class") == "FUNCTION" && Text(node, "function_name") == "-" && node["children"] is JsonArray { Count: 1 } operand
            && operand[0] is JsonObject inner && ConstantOf(inner) is (string digits, string kind) && kind != "VARCHAR")
        {
            return ("-" + digits, kind);
        }

        if (Text(node, "class") != "CONSTANT" || node["value"] is not JsonObject value || value["is_null"]!.GetValue<bool>())
        {
            return null;
        }

        string type = value["type"]!["id"]!.GetValue<string>();
        if (type == "DECIMAL")
        {
            int scale = value["type"]!["type_info"]!["scale"]!.GetValue<int>();
            return Digits(value["value"]) is { } unscaled ? (new ScanDecimal(unscaled, scale).ToString(), type) : null;
        }

        if (type == "HUGEINT")
        {
            return Digits(value["value"]) is { } whole ? (whole.ToString(CultureInfo.InvariantCulture), type) : null;
        }

        return value["value"] is JsonValue scalar ? (scalar.TryGetValue(out string? text) ? text : scalar.ToJsonString(), type) : null;
    }

    /// <summary>A whole number: as such, or of 128 bits in halves.</summary>
    private static BigInteger? Digits(JsonNode? number) => number switch
    {
        JsonObject halves when halves["upper"] is JsonValue high && high.TryGetValue(out long upper) && halves["lower"] is JsonValue low && low.TryGetValue(out ulong lower) =>
            ((BigInteger)upper << 64) + lower,
        JsonValue plain when BigInteger.TryParse(plain.ToJsonString().Trim('"'), CultureInfo.InvariantCulture, out BigInteger value) => value,
        _ => null,
    };

    private static ScanLiteral? FromText(string text, IArrowType type, bool quoted)
    {
        switch (type)
        {
            case StringType:
                return quoted ? new ScanLiteral(text) : null;
            case BooleanType:
                return bool.TryParse(text, out bool flag) ? new ScanLiteral(flag) : null;
            case Int8Type or Int16Type or Int32Type or Int64Type or UInt8Type or UInt16Type or UInt32Type:
                return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long whole) ? new ScanLiteral(whole) : null;
            case DoubleType or FloatType:
                return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double real) && double.IsFinite(real)
                    ? new ScanLiteral(real)
                    : null;
            case Decimal128Type:
                return ScanDecimal.TryParse(text, out ScanDecimal number) ? new ScanLiteral(number) : null;
            case Date32Type:
                return DateOnly.TryParseExact(text.EndsWith(" 00:00:00", StringComparison.Ordinal) ? text[..^9] : text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out DateOnly date)
                    ? new ScanLiteral(date)
                    : null;
            case TimestampType { Unit: TimeUnit.Microsecond }:
                return Timestamp(text);
            default:
                return null;
        }
    }

    private static ScanLiteral? Timestamp(string text)
    {
        string plain = text.EndsWith("+00", StringComparison.Ordinal) ? text[..^3] : text;
        string[] formats = ["yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd HH:mm:ss.FFFFFF"];
        return DateTime.TryParseExact(plain, formats, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out DateTime time)
            ? new ScanLiteral(new ScanTimestamp((time - DateTime.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond))
            : null;
    }

    private static string Text(JsonObject o, string name) => o[name] is JsonValue value && value.TryGetValue(out string? text) ? text : string.Empty;
}
