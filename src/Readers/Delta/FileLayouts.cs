using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Delta.Schema;
using LakeHolo.Readers.DataFiles.Parquet;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Delta;

/// <summary>How the needed columns stand in each file. Every file's own schema decides: a name in another case, a narrower type, a field id, and a type
/// that does not fit is refused instead of being cast. Files of equal layout are read together.</summary>
internal sealed class FileLayouts
{
    private readonly ParquetFooters _footers = new();

    /// <summary>Options of the engine's Parquet reader: without a byte column, bytes without annotation are text.</summary>
    public static string ReadOptions(IReadOnlyList<DeltaField> columns) =>
        Has(columns, DeltaPrimitiveKind.Binary) || Has(columns, DeltaPrimitiveKind.Variant) ? string.Empty : ", binary_as_string = true";

    /// <summary>Footers of files.</summary>
    public ParquetFooter[] Read(IReadOnlyList<string> localPaths, IReadOnlyList<ScanFile> files) => _footers.Read(localPaths, i => files[i].Path);

    /// <summary>Groups files by the layout of the columns.</summary>
    public static IReadOnlyList<FileGroup> Group(
        DeltaSnapshot snapshot, IReadOnlyList<DeltaField> columns, IReadOnlyList<ParquetFooter> footers, IReadOnlyList<ScanFile> files)
    {
        bool marksText = ReadOptions(columns).Length > 0;
        var bySchema = new Dictionary<ParquetNode, FileGroup>(ReferenceEqualityComparer.Instance);
        var byLayout = new Dictionary<string, FileGroup>(StringComparer.Ordinal);
        for (int i = 0; i < files.Count; i++)
        {
            ParquetNode schema = footers[i].Schema;
            if (!bySchema.TryGetValue(schema, out FileGroup? group))
            {
                var resolver = new FileColumnResolver(snapshot, schema, files[i].Path, marksText);
                FileColumn[] layout = [.. columns.Select(resolver.Resolve)];
                string signature = string.Join("\n", layout.Select(c => c.FileName is null ? "" : $"{c.FileName}\u001f{c.FileType()}\u001f{c.Project("x")}"));
                if (!byLayout.TryGetValue(signature, out group))
                {
                    byLayout[signature] = group = new FileGroup(layout, []);
                }

                bySchema[schema] = group;
            }

            group.Members.Add(i);
        }

        return [.. byLayout.Values];
    }

    /// <summary>Whether a type occurs in columns, at any depth.</summary>
    public static bool Has(IEnumerable<DeltaField> columns, DeltaPrimitiveKind kind) => columns.Any(c => Has(c.Type, kind));

    private static bool Has(DeltaType type, DeltaPrimitiveKind kind) => type switch
    {
        DeltaPrimitive p => p.Kind == kind,
        DeltaArray a => Has(a.Element, kind),
        DeltaMap m => Has(m.Key, kind) || Has(m.Value, kind),
        DeltaStruct s => s.Fields.Any(f => Has(f.Type, kind)),
        _ => false,
    };
}

/// <summary>Files in which the columns stand alike.</summary>
/// <param name="Layout">The columns, in the order asked for.</param>
/// <param name="Members">Indexes of the files.</param>
internal sealed record FileGroup(FileColumn[] Layout, List<int> Members);

/// <summary>Finds columns in one file.</summary>
internal sealed class FileColumnResolver(DeltaSnapshot snapshot, ParquetNode schema, string path, bool marksText)
{
    private readonly bool _byId = snapshot.MappingMode == ColumnMappingMode.Id;

    public FileColumn Resolve(DeltaField field)
    {
        if (_byId && schema.Children.Count > 0 && !schema.HasFieldIds())
        {
            throw LakeException.FeatureUnsupported("The table maps columns by id, but a file has no field ids", path);
        }

        return Resolve(field, schema);
    }

    private FileColumn Resolve(DeltaField field, ParquetNode parent) => Resolve(field.Type, Find(field, parent), field.Name);

    private FileColumn Resolve(DeltaType type, ParquetNode? node, string column)
    {
        if (node is null || type is DeltaPrimitive { Kind: DeltaPrimitiveKind.Void })
        {
            return Absent(type, node);
        }

        var found = new FileColumn { Type = type, FileName = node.Name };
        switch (type)
        {
            case DeltaStruct s when node.IsGroup:
                FileColumn[] parts = [.. s.Fields.Select(f => Resolve(f, node))];

                // A struct of which a file holds no field is NULL there, as the writers' engines read it.
                return parts.All(p => p.FileName is null) ? Absent(type, node) : found with { Parts = parts };
            case DeltaArray a when node.Element() is { } element:
                FileColumn part = Resolve(a.Element, element, column);
                return found with { Parts = [node.IsOneFieldElement() ? Unwrapped(part, element) : part] };
            case DeltaMap m when node.Entry() is { } entry:
                return found with { Parts = [Resolve(m.Key, entry.Key, column), Resolve(m.Value, entry.Value, column)] };
            case DeltaPrimitive { Kind: DeltaPrimitiveKind.Variant } when node.IsGroup:
                return ResolveVariant(found, node, column);
            case DeltaPrimitive or DeltaDecimal when node.Holds(type):
                return found with
                {
                    IsUnmarkedText = !marksText && type is DeltaPrimitive { Kind: DeltaPrimitiveKind.String } && node.Meaning != ParquetMeaning.Text,
                    IsNanos = node is { Meaning: ParquetMeaning.Timestamp, IsNanos: true },
                };
            default:
                throw LakeException.FormatInvalid($"The column '{column}' has the table type {DeltaSqlTypes.Logical(type)}, but a file holds {node.Describe()}", path);
        }
    }

    private static FileColumn Unwrapped(FileColumn part, ParquetNode element) =>
        part.FileName is null ? part with { Carrier = Carrier(element.Children[0]) } : part with { IsUnwrapped = true };

    private static FileColumn Absent(DeltaType type, ParquetNode? node) => new() { Type = type, FileName = null, Carrier = node is null ? null : Carrier(node) };

    // Anything can be read as text; of a group, the first leaf is enough.
    private static string Carrier(ParquetNode node) => (node.Element(), node.Entry()) switch
    {
        _ when !node.IsGroup => "VARCHAR",
        (_, var (key, value)) => $"MAP({Carrier(key)}, {Carrier(value)})",
        ({ } element, _) => Carrier(node.IsOneFieldElement() ? element.Children[0] : element) + "[]",
        _ => $"STRUCT({SqlText.Identifier(node.Children[0].Name)} {Carrier(node.Children[0])})",
    };

    private FileColumn ResolveVariant(FileColumn found, ParquetNode node, string column)
    {
        VariantShape shape = VariantShape.Of(node, column, path);
        return shape.IsShredded && !snapshot.HasVariantShredding
            ? throw LakeException.FormatInvalid($"The column '{column}' is a shredded variant without the feature variantShredding", path)
            : found with { Variant = shape };
    }

    // The engine looks names up ignoring case and takes the first of several.
    private ParquetNode? Find(DeltaField field, ParquetNode parent)
    {
        ParquetNode? found = FindAny(field, parent);
        return found is null || ReferenceEquals(found, parent.Children.First(c => string.Equals(c.Name, found.Name, StringComparison.OrdinalIgnoreCase)))
            ? found
            : throw LakeException.FeatureUnsupported($"The column '{field.Name}' cannot be told apart: a file has '{found.Name}' in several spellings", path);
    }

    private ParquetNode? FindAny(DeltaField field, ParquetNode parent)
    {
        if (!_byId)
        {
            ParquetNode? exact = parent.Children.FirstOrDefault(c => c.Name == field.PhysicalName);
            if (exact is not null)
            {
                return exact;
            }

            ParquetNode[] ignoringCase = [.. parent.Children.Where(c => string.Equals(c.Name, field.PhysicalName, StringComparison.OrdinalIgnoreCase))];
            return ignoringCase.Length > 1
                ? throw LakeException.FormatInvalid($"The column '{field.Name}' is ambiguous: a file has it in several spellings", path)
                : ignoringCase.FirstOrDefault();
        }

        ParquetNode[] withId = [.. parent.Children.Where(c => c.FieldId == field.FieldId)];
        return withId.Length > 1
            ? throw LakeException.FormatInvalid($"A file has the field id {field.FieldId} twice", path)
            : withId.FirstOrDefault();
    }
}
