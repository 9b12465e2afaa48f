using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Paimon.Evolution;

namespace LakeHolo.Readers.Paimon;

/// <summary>How a wanted column comes out of files of one schema.</summary>
/// <param name="Expression">SQL over the physical columns and, for partition columns, over <c>p</c>.</param>
/// <param name="Physical">The column as the file's schema has it; null if it has none or the partition gives it.</param>
internal sealed record PaimonColumnSource(string Expression, PaimonField? Physical);

/// <summary>Columns of old files: found by id in the schema the file was written with, then by name in the file, and cast value by value.</summary>
internal static class PaimonColumns
{
    public const string Sequence = "_SEQUENCE_NUMBER";
    public const string ValueKind = "_VALUE_KIND";

    /// <summary>The engine's type of a Paimon type.</summary>
    public static string TypeOf(PaimonField field) => SqlText.TypeOf(PaimonArrowTypes.ToField(field));

    /// <summary>The engine's type of a Paimon type.</summary>
    public static string TypeOf(PaimonType type) => SqlText.TypeOf(PaimonArrowTypes.ToArrow(type));

    /// <summary>The source of a column in files of a schema.</summary>
    /// <param name="wanted">The column as the snapshot has it.</param>
    /// <param name="fileSchema">The schema of the files.</param>
    /// <param name="partitionIndex">Its place among the partition columns, or -1.</param>
    /// <param name="written">Names of the columns in the files, or null for all of their schema.</param>
    /// <param name="format">Format of the files.</param>
    /// <param name="alias">Name of the files in the FROM clause.</param>
    /// <param name="variants">How the files store variants.</param>
    public static PaimonColumnSource Resolve(
        PaimonField wanted, PaimonSchema fileSchema, int partitionIndex, IReadOnlyList<string>? written, string format, string alias, StoredVariants variants)
    {
        if (partitionIndex >= 0)
        {
            return new PaimonColumnSource($"p.c{partitionIndex}", null);
        }

        PaimonField? physical = fileSchema.Fields.FirstOrDefault(f => f.Id == wanted.Id);
        if (physical is not null && WrittenPart(physical, fileSchema, written) is string part)
        {
            throw LakeException.FeatureUnsupported($"The column '{wanted.Name}' is written in parts ('{part}'), which is not supported");
        }

        if (physical is null || (written is not null && !written.Contains(physical.Name)))
        {
            CheckMayBeAbsent(wanted, written);
            return new PaimonColumnSource($"CAST(NULL AS {TypeOf(wanted)})", null);
        }

        physical = physical with { Type = AsStored(physical.Type, format) };
        return new PaimonColumnSource(Convert(alias + "." + SqlText.Identifier(physical.Name), physical.Type, wanted.Type, new Place(wanted.Name, physical.Name, variants), 0), physical);
    }

    /// <summary>Refuses a NOT NULL column that the files of its rows leave out: there is no value for it.</summary>
    /// <param name="wanted">The column.</param>
    /// <param name="written">Names of the columns in the files; null if the files do not tell, and the column was added after them.</param>
    public static void CheckMayBeAbsent(PaimonField wanted, IReadOnlyList<string>? written)
    {
        if (written is not null && !wanted.Type.Nullable)
        {
            throw LakeException.FormatInvalid($"The column '{wanted.Name}' is NOT NULL, but no file of some rows holds it (_WRITE_COLS)");
        }
    }

    /// <summary>The first of the written columns that is only a part of a column, <c>column.child</c>; null if there is none.</summary>
    public static string? WrittenPart(PaimonField column, PaimonSchema schema, IReadOnlyList<string>? written) =>
        written?.FirstOrDefault(w => w.StartsWith(column.Name + ".", StringComparison.Ordinal) && !schema.Fields.Any(f => f.Name == w));

    /// <summary>Refuses a column of a type that is not read.</summary>
    public static void CheckReadable(PaimonField field, PaimonSnapshot snapshot)
    {
        // A BLOB column lies in files of its own, which only data evolution puts together.
        if (field.Type.Kind == PaimonTypeKind.Blob && EvolutionPlan.IsNeeded(snapshot) && DescriptorOption(field, snapshot.TableSchema) is not string)
        {
            return;
        }

        string option = field.Type.Kind == PaimonTypeKind.Blob && DescriptorOption(field, snapshot.TableSchema) is string named ? $" (option {named})" : "";
        CheckReadable(field.Type, field.Name, option);
    }

    // These columns hold no values but descriptions of where the values are.
    private static string? DescriptorOption(PaimonField field, PaimonSchema schema) => schema.Flag("blob-as-descriptor")
        ? "blob-as-descriptor"
        : ((string[])["blob-descriptor-field", "blob.stored-descriptor-fields", "blob-view-field", "video-frame-field", "blob-external-storage-field"]).FirstOrDefault(
            o => MergeEngines.MergeOptions.Split(schema.Option(o)).Contains(field.Name));

    // ORC has no time of day: there it is an integer, milliseconds.
    private static PaimonType AsStored(PaimonType type, string format)
    {
        if (format != "orc")
        {
            return type;
        }

        return type.Kind == PaimonTypeKind.Time
            ? type with { Kind = PaimonTypeKind.Int, Length = 0 }
            : type with
            {
                Element = type.Element is null ? null : AsStored(type.Element, format),
                Value = type.Value is null ? null : AsStored(type.Value, format),
                Fields = [.. type.Fields.Select(f => f with { Type = AsStored(f.Type, format) })],
            };
    }

    private static void CheckReadable(PaimonType type, string column, string option = "")
    {
        if (type.Kind is PaimonTypeKind.Unknown or PaimonTypeKind.Blob)
        {
            throw LakeException.FeatureUnsupported($"The column '{column}' has the Paimon type {type.Text}, which is not supported{option}");
        }

        foreach (PaimonType? part in (PaimonType?[])[type.Element, type.Value, .. type.Fields.Select(f => f.Type)])
        {
            if (part is not null)
            {
                CheckReadable(part, column);
            }
        }
    }

    private static string Convert(string expression, PaimonType from, PaimonType to, Place place, int depth)
    {
        if (from.HasSameValuesAs(to) && !from.HoldsVariant)
        {
            return expression;
        }

        if (IsAbsent(from, to))
        {
            return $"CAST(NULL AS {TypeOf(to)})";
        }

        if (from.Kind == PaimonTypeKind.Row && to.Kind == PaimonTypeKind.Row)
        {
            return ConvertRow(expression, from, to, place, depth);
        }

        if (from.Kind == to.Kind && from.Kind is PaimonTypeKind.Array)
        {
            string item = $"e{depth}";
            return $"list_transform({expression}, lambda {item}: {Convert(item, from.Element!, to.Element!, place.Below(StoredVariants.Element), depth + 1)})";
        }

        if (from.Kind == to.Kind && from.Kind is PaimonTypeKind.Map or PaimonTypeKind.Multiset && from.Element!.HasSameValuesAs(to.Element!))
        {
            string item = $"e{depth}";
            string value = from.Kind == PaimonTypeKind.Map ? Convert($"{item}.value", from.Value!, to.Value!, place.Below(StoredVariants.Value), depth + 1) : $"{item}.value";
            return $"CASE WHEN {expression} IS NULL THEN NULL ELSE map_from_entries(list_transform(map_entries({expression}), lambda {item}: {{'key': {item}.key, 'value': {value}}})) END";
        }

        return from.Kind == PaimonTypeKind.Variant && to.Kind == PaimonTypeKind.Variant
            ? place.Variants.ToText(expression, place.Path, depth)
            : PaimonCasts.Cast(expression, from, to, place.Column);
    }

    // A row none of whose wanted fields is in the file is NULL as a whole, even where the old row was not, and so is a list or map of such rows.
    private static bool IsAbsent(PaimonType from, PaimonType to) => (from.Kind, to.Kind) switch
    {
        (PaimonTypeKind.Row, PaimonTypeKind.Row) => !to.Fields.Any(f => from.Fields.FirstOrDefault(o => o.Id == f.Id) is PaimonField old && !IsAbsent(old.Type, f.Type)),
        (PaimonTypeKind.Array, PaimonTypeKind.Array) => IsAbsent(from.Element!, to.Element!),
        (PaimonTypeKind.Map, PaimonTypeKind.Map) => IsAbsent(from.Element!, to.Element!) || IsAbsent(from.Value!, to.Value!),
        _ => false,
    };

    private static string ConvertRow(string expression, PaimonType from, PaimonType to, Place place, int depth)
    {
        var members = new List<string>();
        foreach (PaimonField field in to.Fields)
        {
            PaimonField? old = from.Fields.FirstOrDefault(f => f.Id == field.Id);
            string value = old is null
                ? $"CAST(NULL AS {TypeOf(field.Type)})"
                : Convert($"struct_extract({expression}, {SqlText.Literal(old.Name)})", old.Type, field.Type, place.Below(old.Name), depth);
            members.Add($"{SqlText.Identifier(field.Name)} := {value}");
        }

        return $"CASE WHEN {expression} IS NULL THEN NULL ELSE struct_pack({string.Join(", ", members)}) END";
    }

    // Column: its name, for messages. Path: where the value stands in the file.
    private readonly record struct Place(string Column, string Path, StoredVariants Variants)
    {
        public Place Below(string name) => this with { Path = StoredVariants.Below(Path, name) };
    }
}
