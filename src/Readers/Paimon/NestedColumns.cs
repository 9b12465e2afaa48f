using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.DataFiles.Parquet;
using LakeHolo.Readers.Delta;

namespace LakeHolo.Readers.Paimon;

/// <summary>Whether rows inside of columns have the fields in a data file that its schema names. A column that a file does not have is NULL, but a field that a row
/// in it does not have is an error for Paimon, where the engine would give NULL.</summary>
/// <remarks>Every file is Parquet by then: what the decoders of ORC and Avro write has the fields of their files.</remarks>
internal sealed class NestedColumns
{
    /// <summary>The files' footers.</summary>
    public ParquetFooters Footers { get; } = new();

    /// <summary>Checks files of one schema.</summary>
    /// <param name="schema">Their schema.</param>
    /// <param name="columns">The columns wanted, as the snapshot has them.</param>
    /// <param name="files">The files.</param>
    /// <param name="localPaths">Their local paths.</param>
    /// <exception cref="LakeException">FormatInvalid, naming file, column and field.</exception>
    public void Check(PaimonSchema schema, IReadOnlyList<PaimonField> columns, IReadOnlyList<PaimonDataFile> files, IReadOnlyList<string> localPaths)
    {
        (PaimonField Stored, PaimonField Wanted)[] nested =
            [.. columns.Where(c => HoldsRows(c.Type)).SelectMany(c => schema.Fields.Where(f => f.Id == c.Id).Select(f => (f, c)))];
        if (nested.Length == 0)
        {
            return;
        }

        // Files of one writer share their schema.
        var seen = new HashSet<ParquetNode>(ReferenceEqualityComparer.Instance);
        ParquetFooter[] footers = Footers.Read(localPaths, i => files[i].Path);
        for (int i = 0; i < footers.Length; i++)
        {
            if (seen.Add(footers[i].Schema))
            {
                foreach ((PaimonField stored, PaimonField wanted) in nested)
                {
                    if (Child(footers[i].Schema, stored.Name) is ParquetNode node)
                    {
                        Check(node, stored.Type, wanted.Type, stored.Name, files[i].Path);
                    }
                }
            }
        }
    }

    /// <summary>Whether a type is or holds a row.</summary>
    public static bool HoldsRows(PaimonType type) => type.Kind == PaimonTypeKind.Row || (type.Element is not null && HoldsRows(type.Element)) || (type.Value is not null && HoldsRows(type.Value));

    // Only fields that are wanted count; lists and maps in another form the engine itself does not take for what they should be.
    private static void Check(ParquetNode node, PaimonType stored, PaimonType wanted, string name, string path)
    {
        if (stored.Kind != wanted.Kind)
        {
            return;
        }

        switch (stored.Kind)
        {
            case PaimonTypeKind.Row:
                foreach (PaimonField field in stored.Fields)
                {
                    if (wanted.Fields.FirstOrDefault(f => f.Id == field.Id) is PaimonField current)
                    {
                        ParquetNode child = Child(node, field.Name) ?? throw LakeException.FormatInvalid(
                            $"The column '{name}' of the data file has no field '{field.Name}', which its schema names", path);
                        Check(child, field.Type, current.Type, $"{name}.{field.Name}", path);
                    }
                }

                break;
            case PaimonTypeKind.Array when node.Element() is ParquetNode element:
                Check(element, stored.Element!, wanted.Element!, name + ".element", path);
                break;
            case PaimonTypeKind.Map when node.Entry() is var (key, value):
                Check(key, stored.Element!, wanted.Element!, name + ".key", path);
                Check(value, stored.Value!, wanted.Value!, name + ".value", path);
                break;
            default:
                break;
        }
    }

    /// <summary>The child of a name; the engine finds names ignoring case.</summary>
    internal static ParquetNode? Child(ParquetNode node, string name) => node.Children.FirstOrDefault(c => c.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
}
