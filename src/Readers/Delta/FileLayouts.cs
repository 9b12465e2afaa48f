using System.Collections.Concurrent;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Delta.Schema;

namespace LakeHolo.Readers.Delta;

/// <summary>How the needed columns stand in each file. Where names tell, files are not asked; where they do not (field ids, widened types, bytes beside
/// text), the files' own schemas decide, and files of equal layout are read together.</summary>
internal sealed class FileLayouts
{
    // Schemas of data files, by local path; data files never change.
    private const int MaxCached = 20_000;

    private readonly ConcurrentDictionary<string, ParquetNode> _schemas = new(StringComparer.Ordinal);

    /// <summary>Options of the engine's Parquet reader: without a byte column, bytes without annotation are text.</summary>
    public static string ReadOptions(IReadOnlyList<DeltaField> columns) =>
        Has(columns, DeltaPrimitiveKind.Binary) || Has(columns, DeltaPrimitiveKind.Variant) ? string.Empty : ", binary_as_string = true";

    /// <summary>Groups files by the layout of the columns.</summary>
    public IEnumerable<(FileColumn[] Layout, List<int> Members)> Group(
        DeltaSnapshot snapshot, IReadOnlyList<DeltaField> columns, IReadOnlyList<string> localPaths, IReadOnlyList<ScanFile> files)
    {
        if (!AsksFiles(snapshot, columns))
        {
            return [([.. columns.Select(FileColumn.ByName)], [.. Enumerable.Range(0, files.Count)])];
        }

        bool marksText = ReadOptions(columns).Length > 0;
        var groups = new Dictionary<string, (FileColumn[] Layout, List<int> Members)>(StringComparer.Ordinal);
        for (int i = 0; i < files.Count; i++)
        {
            ParquetNode schema = Schema(localPaths[i]);
            var resolver = new FileColumnResolver(snapshot, schema, files[i].Path, marksText);
            FileColumn[] layout = [.. columns.Select(resolver.Resolve)];
            string signature = string.Join("\n", layout.Select(Signature));
            if (!groups.TryGetValue(signature, out (FileColumn[] Layout, List<int> Members) group))
            {
                groups[signature] = group = (layout, []);
            }

            group.Members.Add(i);
        }

        return groups.Values;
    }

    private static bool AsksFiles(DeltaSnapshot snapshot, IReadOnlyList<DeltaField> columns) =>
        snapshot.MappingMode == ColumnMappingMode.Id || snapshot.HasTypeWidening || Has(columns, DeltaPrimitiveKind.Variant)
        || (Has(columns, DeltaPrimitiveKind.Binary) && Has(columns, DeltaPrimitiveKind.String));

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

    private static string Signature(FileColumn column) =>
        $"{column.FileName}\u001f{column.IsUnmarkedText}({string.Join(',', column.Parts.Select(Signature))})";

    private ParquetNode Schema(string localPath)
    {
        if (_schemas.TryGetValue(localPath, out ParquetNode? known))
        {
            return known;
        }

        if (_schemas.Count >= MaxCached)
        {
            _schemas.Clear();
        }

        ParquetNode schema = ParquetNode.Read(localPath);
        _schemas[localPath] = schema;
        return schema;
    }
}

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
            return new FileColumn { Type = type, FileName = null };
        }

        var found = new FileColumn { Type = type, FileName = node.Name };
        switch (type)
        {
            case DeltaStruct s when node.IsGroup:
                return found with { Parts = [.. s.Fields.Select(f => Resolve(f, node))] };
            case DeltaArray a when node.Element() is { } element:
                return found with { Parts = [Resolve(a.Element, element, column)] };
            case DeltaMap m when node.Entry() is { } entry:
                return found with { Parts = [Resolve(m.Key, entry.Key, column), Resolve(m.Value, entry.Value, column)] };
            case DeltaPrimitive { Kind: DeltaPrimitiveKind.Variant } when node.IsGroup:
                return ResolveVariant(found, node, column);
            case DeltaPrimitive or DeltaDecimal when node.Holds(type):
                return found with
                {
                    IsUnmarkedText = !marksText && type is DeltaPrimitive { Kind: DeltaPrimitiveKind.String } && !node.IsMarkedText,
                };
            default:
                throw LakeException.FormatInvalid($"The column '{column}' has the table type {DeltaSqlTypes.Logical(type)}, but a file holds {node.Describe()}", path);
        }
    }

    private FileColumn ResolveVariant(FileColumn found, ParquetNode node, string column)
    {
        if (node.Children.Any(c => c.Name == "typed_value"))
        {
            throw snapshot.HasVariantShredding
                ? LakeException.FeatureUnsupported($"The column '{column}' holds shredded variants (variantShredding)", path)
                : LakeException.FormatInvalid($"The column '{column}' is a shredded variant without the feature variantShredding", path);
        }

        return node.Children.Count == 2 && node.Children.Any(c => c.Name == "metadata") && node.Children.Any(c => c.Name == "value")
            ? found
            : throw LakeException.FormatInvalid($"The column '{column}' is a variant without metadata and value", path);
    }

    private ParquetNode? Find(DeltaField field, ParquetNode parent)
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
