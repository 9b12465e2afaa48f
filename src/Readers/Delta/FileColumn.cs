using LakeHolo.LakeCatalog.Delta.Schema;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Delta;

/// <summary>How a column, or a part of one, stands in files: its name there, and what turns the stored value into the table's.</summary>
internal sealed record FileColumn
{
    /// <summary>The table's type.</summary>
    public required DeltaType Type { get; init; }

    /// <summary>Its name in the files; null if they lack it.</summary>
    public required string? FileName { get; init; }

    /// <summary>Parts of a struct (in the table's order), a list (the element) or a map (key and value).</summary>
    public IReadOnlyList<FileColumn> Parts { get; init; } = [];

    /// <summary>Text stored without the annotation that tells it from bytes.</summary>
    public bool IsUnmarkedText { get; init; }

    /// <summary>The type to read for a list's or map's part of which nothing is wanted, so that its length is read; null elsewhere.</summary>
    public string? Carrier { get; init; }

    /// <summary>The engine reads this struct's only field in its place; the struct itself is never NULL.</summary>
    public bool IsUnwrapped { get; init; }

    /// <summary>For variants: how they stand in the file.</summary>
    public VariantShape? Variant { get; init; }

    /// <summary>The type to read, with the files' names.</summary>
    public string FileType() => Carrier is not null ? Carrier : Type switch
    {
        DeltaStruct when IsUnwrapped => Stored().Single().FileType(),
        DeltaStruct => $"STRUCT({string.Join(", ", Stored().Select(p => $"{SqlText.Identifier(p.FileName!)} {p.FileType()}"))})",
        DeltaArray => Parts[0].FileType() + "[]",
        DeltaMap => $"MAP({Parts[0].FileType()}, {Parts[1].FileType()})",
        DeltaPrimitive { Kind: DeltaPrimitiveKind.Variant } => Variant!.FileType(),
        DeltaPrimitive { Kind: DeltaPrimitiveKind.YearMonthInterval } => "INTEGER",
        DeltaPrimitive { Kind: DeltaPrimitiveKind.DayTimeInterval } => "BIGINT",
        _ => IsUnmarkedText ? "BLOB" : IsNanos ? "TIMESTAMP_NS" : DeltaSqlTypes.Logical(Type),
    };

    /// <summary>Times stored in nanoseconds: the engine's cast rounds towards zero, so that those before 1970 would move up.</summary>
    public bool IsNanos { get; init; }

    /// <summary>SQL that turns the value read into the table's value.</summary>
    /// <param name="expression">The value read.</param>
    /// <param name="depth">Number of enclosing lambdas, for their parameters' names.</param>
    public string Project(string expression, int depth = 0)
    {
        if (FileName is null)
        {
            return $"CAST(NULL AS {DeltaSqlTypes.Logical(Type)})";
        }

        if (!NeedsProjection())
        {
            return expression;
        }

        string parameter = $"x{depth}";
        switch (Type)
        {
            case DeltaStruct s when IsUnwrapped:
                return $"struct_pack({string.Join(", ", s.Fields.Zip(Parts, (f, p) => $"{SqlText.Identifier(f.Name)} := {p.Project(expression, depth)}"))})";
            case DeltaStruct s:
                var fields = s.Fields.Zip(Parts, (f, p) =>
                    $"{SqlText.Identifier(f.Name)} := {p.Project($"struct_extract({expression}, {SqlText.Literal(p.FileName ?? "")})", depth)}");
                return $"CASE WHEN {expression} IS NULL THEN NULL ELSE struct_pack({string.Join(", ", fields)}) END";
            case DeltaArray:
                return $"list_transform({expression}, lambda {parameter}: {Parts[0].Project(parameter, depth + 1)})";
            case DeltaMap:
                string entry = $"struct_pack(k := {Parts[0].Project(parameter + ".key", depth + 1)}, v := {Parts[1].Project(parameter + ".value", depth + 1)})";
                return $"CASE WHEN {expression} IS NULL THEN NULL ELSE map_from_entries(list_transform(map_entries({expression}), lambda {parameter}: {entry})) END";
            case DeltaPrimitive { Kind: DeltaPrimitiveKind.Variant }:
                return Variant!.ToJson(expression, depth);
            case DeltaPrimitive { Kind: DeltaPrimitiveKind.YearMonthInterval }:
                return DeltaSqlTypes.Months(expression);
            case DeltaPrimitive { Kind: DeltaPrimitiveKind.DayTimeInterval }:
                return DeltaSqlTypes.Microseconds(expression);
            case DeltaPrimitive { Kind: var kind } when IsNanos:
                string nanos = $"epoch_ns({expression})";
                string make = kind == DeltaPrimitiveKind.Timestamp ? "make_timestamptz" : "make_timestamp";
                return $"{make}(({nanos} - (({nanos} % 1000 + 1000) % 1000)) // 1000)";
            default:
                return $"decode({expression})";
        }
    }

    private IEnumerable<FileColumn> Stored() => Parts.Where(p => p.FileName is not null);

    private bool NeedsProjection() => IsUnmarkedText || IsNanos || IsUnwrapped || (Type switch
    {
        DeltaPrimitive { Kind: DeltaPrimitiveKind.Variant or DeltaPrimitiveKind.YearMonthInterval or DeltaPrimitiveKind.DayTimeInterval } => true,
        DeltaStruct s => s.Fields.Zip(Parts).Any(p => p.First.Name != p.Second.FileName || p.Second.NeedsProjection()),
        _ => Parts.Any(p => p.FileName is null || p.NeedsProjection()),
    });
}
