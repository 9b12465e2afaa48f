using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Delta;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Paimon;

/// <summary>How files store the variants of their columns: as bytes, or shredded into typed columns, which each file decides for itself.</summary>
/// <remarks>Source: PaimonShreddingUtils.java; the groups are those of Parquet's VariantShredding.md.</remarks>
internal sealed class StoredVariants
{
    /// <summary>Name of a list's elements in a path.</summary>
    public const string Element = "element";

    /// <summary>Name of a map's values in a path.</summary>
    public const string Value = "value";

    private const char Separator = '\u001f';

    private readonly Dictionary<string, VariantShape> _shapes = new(StringComparer.Ordinal);

    /// <summary>Of files without any.</summary>
    public static StoredVariants None { get; } = new();

    /// <summary>The variants of files of one physical schema.</summary>
    /// <param name="file">The physical schema.</param>
    /// <param name="schema">The files' schema.</param>
    /// <param name="columns">The columns wanted, as the snapshot has them.</param>
    /// <param name="path">One of the files.</param>
    /// <exception cref="LakeCatalog.LakeException">FormatInvalid or FeatureUnsupported, naming column and file.</exception>
    public static StoredVariants Of(ParquetNode file, PaimonSchema schema, IReadOnlyList<PaimonField> columns, string path)
    {
        var variants = new StoredVariants();
        foreach (PaimonField stored in schema.Fields.Where(f => f.Type.HoldsVariant && columns.Any(c => c.Id == f.Id)))
        {
            variants.Find(NestedColumns.Child(file, stored.Name), stored.Type, stored.Name, stored.Name, path);
        }

        return variants;
    }

    /// <summary>The path of a part of a value.</summary>
    public static string Below(string path, string name) => path + Separator + name;

    /// <summary>The type as which the engine reads a column of the files.</summary>
    public string FileTypeOf(PaimonField field) => field.Type.HoldsVariant ? FileTypeOf(field.Type, field.Name) : PaimonColumns.TypeOf(field);

    /// <summary>A variant as JSON text.</summary>
    /// <param name="expression">The value read.</param>
    /// <param name="path">Where it stands in the files.</param>
    /// <param name="depth">Number of enclosing lambdas.</param>
    public string ToText(string expression, string path, int depth)
    {
        string json = ShapeAt(path).ToJson(expression, depth);
        return path.Contains(Separator, StringComparison.Ordinal) ? $"CAST({json} AS VARCHAR)" : json;
    }

    // A file that lacks the column gives NULL, whatever its type.
    private VariantShape ShapeAt(string path) => _shapes.GetValueOrDefault(path) ?? VariantShape.Plain;

    private string FileTypeOf(PaimonType type, string path) => type.Kind switch
    {
        PaimonTypeKind.Variant => ShapeAt(path).FileType(),
        PaimonTypeKind.Array when type.HoldsVariant => FileTypeOf(type.Element!, Below(path, Element)) + "[]",
        PaimonTypeKind.Map when type.HoldsVariant => $"MAP({PaimonColumns.TypeOf(type.Element!)}, {FileTypeOf(type.Value!, Below(path, Value))})",
        PaimonTypeKind.Row when type.HoldsVariant =>
            $"STRUCT({string.Join(", ", type.Fields.Select(f => $"{SqlText.Identifier(f.Name)} {FileTypeOf(f.Type, Below(path, f.Name))}"))})",
        _ => PaimonColumns.TypeOf(type),
    };

    private void Find(ParquetNode? node, PaimonType type, string path, string column, string file)
    {
        switch (type.Kind)
        {
            case var _ when node is null || !type.HoldsVariant:
                break;
            case PaimonTypeKind.Variant:
                _shapes[path] = VariantShape.Of(node, column, file);
                break;
            case PaimonTypeKind.Array:
                Find(node.Element(), type.Element!, Below(path, Element), column, file);
                break;
            case PaimonTypeKind.Map:
                Find(node.Entry()?.Value, type.Value!, Below(path, Value), column, file);
                break;
            default:
                foreach (PaimonField field in type.Fields)
                {
                    Find(NestedColumns.Child(node, field.Name), field.Type, Below(path, field.Name), column, file);
                }

                break;
        }
    }
}
