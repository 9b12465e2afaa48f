using System.Globalization;
using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Delta;

/// <summary>How a variant, or a part of one, stands in a file: as bytes, or shredded into typed columns (Parquet VariantShredding.md). Gives the type to
/// read and the SQL that puts the JSON text together.</summary>
internal sealed record VariantShape
{
    private const int MaxDepth = 100;

    /// <summary>The group is annotated, so the engine reads it as its own VARIANT.</summary>
    public bool IsAnnotated { get; private init; }

    /// <summary>Bytes alone.</summary>
    public static VariantShape Plain { get; } = new() { HasValue = true };

    private bool HasValue { get; init; }

    private Typed? TypedValue { get; init; }

    /// <summary>Whether any part is shredded.</summary>
    public bool IsShredded => TypedValue is not null;

    /// <summary>The shape of a variant column.</summary>
    public static VariantShape Of(ParquetNode node, string column, string path)
    {
        if (node.Children.All(c => c.Name != "metadata"))
        {
            throw LakeException.FormatInvalid($"The column '{column}' is a variant without metadata", path);
        }

        return Part(node, column, path, 0) with { IsAnnotated = node.Meaning == ParquetMeaning.Variant };
    }

    /// <summary>The type to read.</summary>
    public string FileType() => IsAnnotated ? "VARIANT" : Struct("metadata BLOB, ");

    /// <summary>JSON, or NULL.</summary>
    /// <param name="expression">The value read.</param>
    /// <param name="depth">Number of enclosing lambdas.</param>
    public string ToJson(string expression, int depth)
    {
        if (IsAnnotated)
        {
            // The engine's variant in Parquet's own encoding, so that one function writes every variant's text.
            string encoded = $"CAST(variant_to_parquet_variant({expression}) AS STRUCT(metadata BLOB, value BLOB))";
            return $"CASE WHEN {expression} IS NULL THEN NULL ELSE CAST({Bytes(encoded, $"hex(struct_extract({encoded}, 'metadata'))")} AS JSON) END";
        }

        string json = Json(expression, $"hex(struct_extract({expression}, 'metadata'))", depth);
        return $"CASE WHEN {expression} IS NULL THEN NULL ELSE CAST(coalesce({json}, 'null') AS JSON) END";
    }

    private static VariantShape Part(ParquetNode node, string column, string path, int depth)
    {
        if (depth > MaxDepth)
        {
            throw LakeException.FormatInvalid($"The variant column '{column}' is shredded deeper than {MaxDepth} levels", path);
        }

        ParquetNode? value = node.Children.FirstOrDefault(c => c.Name == "value");
        ParquetNode? typed = node.Children.FirstOrDefault(c => c.Name == "typed_value");
        return value is null && typed is null
            ? throw LakeException.FormatInvalid($"The column '{column}' is a variant without value and typed_value", path)
            : new VariantShape { HasValue = value is not null, TypedValue = typed is null ? null : Typed.Of(typed, column, path, depth) };
    }

    // Null when the part is absent.
    private string Json(string expression, string metadata, int depth)
    {
        string bytes = HasValue ? Bytes(expression, metadata) : "CAST(NULL AS VARCHAR)";
        if (TypedValue is null)
        {
            return bytes;
        }

        string typed = $"struct_extract({expression}, 'typed_value')";
        return $"CASE WHEN {typed} IS NOT NULL THEN {TypedValue.Json(typed, HasValue ? $"struct_extract({expression}, 'value')" : null, metadata, depth)} ELSE {bytes} END";
    }

    private static string Bytes(string expression, string metadata) => $"{VariantText.Function}({metadata}, hex(struct_extract({expression}, 'value')))";

    private string Struct(string first) =>
        $"STRUCT({first}{(HasValue ? "value BLOB" : "")}{(HasValue && TypedValue is not null ? ", " : "")}{(TypedValue is null ? "" : "typed_value " + TypedValue.FileType)})";

    /// <summary>The column <c>typed_value</c>.</summary>
    private sealed record Typed
    {
        public required string FileType { get; init; }

        private ParquetNode? Scalar { get; init; }

        private VariantShape? Element { get; init; }

        private IReadOnlyList<(string Name, VariantShape Shape)>? Fields { get; init; }

        public static Typed Of(ParquetNode node, string column, string path, int depth)
        {
            if (!node.IsGroup)
            {
                return new Typed
                {
                    Scalar = node,
                    FileType = ScalarType(node)
                        ?? throw LakeException.FeatureUnsupported($"The variant column '{column}' is shredded into {node.Describe()}", path),
                };
            }

            if (node.Children is [{ IsRepeated: true }] && node.Element() is { IsGroup: true } item)
            {
                VariantShape element = Part(item, column, path, depth + 1);
                return new Typed { Element = element, FileType = element.Struct("") + "[]" };
            }

            (string, VariantShape)[] fields = [.. node.Children.Select(c => (c.Name, Part(c, column, path, depth + 1)))];
            return fields.Length == 0
                ? throw LakeException.FormatInvalid($"The variant column '{column}' is shredded into an empty group", path)
                : new Typed
                {
                    Fields = fields,
                    FileType = $"STRUCT({string.Join(", ", fields.Select(f => $"{SqlText.Identifier(f.Item1)} {f.Item2.Struct("")}"))})",
                };
        }

        public string Json(string typed, string? value, string metadata, int depth)
        {
            if (Scalar is not null)
            {
                return ScalarJson(typed);
            }

            if (Element is not null)
            {
                string parameter = "v" + depth.ToString(CultureInfo.InvariantCulture);
                return $"'[' || array_to_string(list_transform({typed}, lambda {parameter}: coalesce({Element.Json(parameter, metadata, depth + 1)}, 'null')), ',') || ']'";
            }

            // A field that is absent is NULL, and concat_ws leaves NULLs out. What is not shredded stands in the value beside.
            List<string> parts = [.. Fields!.Select(f =>
                $"{SqlText.Literal(System.Text.Json.JsonSerializer.Serialize(f.Name) + ":")} || {f.Shape.Json($"struct_extract({typed}, {SqlText.Literal(f.Name)})", metadata, depth)}")];
            if (value is not null)
            {
                string names = SqlText.Literal(string.Join('\u001f', Fields!.Select(f => f.Name)));
                parts.Add($"CASE WHEN {value} IS NOT NULL THEN {VariantText.RestFunction}({metadata}, hex({value}), {names}) END");
            }

            return $"'{{' || concat_ws(',', {string.Join(", ", parts)}) || '}}'";
        }

        private static string? ScalarType(ParquetNode node) => (node.Physical, node.Meaning) switch
        {
            (_, ParquetMeaning.Decimal) => string.Create(CultureInfo.InvariantCulture, $"DECIMAL({node.Precision},{node.Scale})"),
            (_, ParquetMeaning.Date) => "DATE",
            (_, ParquetMeaning.Timestamp) => node.IsNanos ? "TIMESTAMP_NS" : node.IsInstant ? "TIMESTAMPTZ" : "TIMESTAMP",
            (ParquetPhysical.Int64, ParquetMeaning.Time) when !node.IsNanos => "TIME",
            (_, ParquetMeaning.Uuid) => "UUID",
            (ParquetPhysical.Boolean, _) => "BOOLEAN",
            (ParquetPhysical.Int32, ParquetMeaning.None or ParquetMeaning.Int) => "INTEGER",
            (ParquetPhysical.Int64, ParquetMeaning.None or ParquetMeaning.Int) => "BIGINT",
            (ParquetPhysical.Float, _) => "FLOAT",
            (ParquetPhysical.Double, _) => "DOUBLE",
            (ParquetPhysical.ByteArray, ParquetMeaning.Text) => "VARCHAR",
            (ParquetPhysical.ByteArray, ParquetMeaning.None) => "BLOB",
            _ => null,
        };

        // The same texts as VariantText writes.
        private string ScalarJson(string typed) => FileType switch
        {
            "VARCHAR" => $"CAST(to_json({typed}) AS VARCHAR)",
            "BLOB" => $"'\"' || to_base64({typed}) || '\"'",
            "DATE" or "TIMESTAMP" or "TIME" or "UUID" => $"'\"' || CAST({typed} AS VARCHAR) || '\"'",
            "TIMESTAMPTZ" => $"'\"' || CAST(make_timestamp(epoch_us({typed})) AS VARCHAR) || '+00:00\"'",
            "TIMESTAMP_NS" => $"'\"' || CAST({typed} AS VARCHAR) || '{(Scalar!.IsInstant ? "+00:00" : "")}\"'",
            "FLOAT" or "DOUBLE" =>
                $"CASE WHEN isfinite({typed}) THEN CAST({typed} AS VARCHAR) WHEN isnan({typed}) THEN '\"NaN\"' WHEN {typed} > 0 THEN '\"Infinity\"' ELSE '\"-Infinity\"' END",
            _ => $"CAST({typed} AS VARCHAR)",
        };
    }
}
