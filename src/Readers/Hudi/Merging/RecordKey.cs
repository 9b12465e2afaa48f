using System.Globalization;
using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.LogFiles;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Hudi.Merging;

/// <summary>How log records and base rows of one key find each other: by the writer's key text, where the key consists of columns of whole numbers by these (they are many times
/// faster to read than the text is), or by the row's position in the base file.</summary>
internal sealed class RecordKey
{
    private const int MaxColumns = 4;
    private static readonly string[] KnownGenerators = ["Simple", "Complex", "Nonpartitioned", "NON_PARTITION", "Timestamp", "Custom", "GlobalDelete", "GlobalAvroDelete", "GLOBAL_DELETE", "SqlKeyGenerator", "SPARK_SQL"];
    private readonly Func<Func<Field, string>, IReadOnlyList<string>> _of;
    private readonly Func<string, string?[]> _ofDeleted;

    private RecordKey(IReadOnlyList<string> types, Func<Func<Field, string>, IReadOnlyList<string>> of, Func<string, string?[]> ofDeleted) => (Types, _of, _ofDeleted) = (types, of, ofDeleted);

    /// <summary>Positions in the base file.</summary>
    public static RecordKey Position { get; } = new(["BIGINT"], _ => ["file_row_number::BIGINT"], _ => [null]);

    /// <summary>The engine's types of a key's parts.</summary>
    public IReadOnlyList<string> Types { get; }

    /// <summary>The names of the parts.</summary>
    public IEnumerable<string> Names => Types.Select((_, i) => RecordSql.Key + SliceScan.Text(i));

    /// <summary>The parts of a row's key; one is NULL where rows cannot be compared so.</summary>
    /// <param name="column">Gives the expression of a column.</param>
    public IReadOnlyList<string> Of(Func<Field, string> column) => _of(column);

    /// <summary>The key of a deletion as texts that cast to the types.</summary>
    public string?[] OfDeleted(string key) => _ofDeleted(key);

    /// <summary>The parts as a list.</summary>
    public string List(string prefix = "") => string.Join(", ", Names.Select(n => prefix + n));

    /// <summary>Whether two keys are equal.</summary>
    public string Equal(string one, string other) => string.Join(" AND ", Names.Select(n => $"{one}.{n} = {other}.{n}"));

    /// <summary>The writer's key text.</summary>
    public static RecordKey Text(HudiSnapshot snapshot)
    {
        // Which releases wrote a complex key of one column with the column's name is not told by the table: a deletion's own text tells.
        bool isOne = !snapshot.Properties.PopulatesMetaFields && snapshot.Properties.RecordKeyFields.Count == 1;
        string prefix = isOne && MayBePrefixed(snapshot.Properties) ? snapshot.Properties.RecordKeyFields[0] + ":" : "";
        return new RecordKey(["VARCHAR"], column => [TextSql(snapshot, column)], key => [prefix.Length > 0 && key.StartsWith(prefix, StringComparison.Ordinal) ? key[prefix.Length..] : key]);
    }

    /// <summary>Numbers where every file has the key's columns and every deleted key can be read as numbers, else null.</summary>
    public static RecordKey? TryNumbers(HudiSnapshot snapshot, IReadOnlyList<ReadableFile> files, IReadOnlyList<DecodedDeletes> deletes)
    {
        Field[] fields = [.. snapshot.Properties.RecordKeyFields.Select(n => snapshot.Columns.FirstOrDefault(c => c.Name == n)?.Field).OfType<Field>()];
        if (fields.Length is 0 or > MaxColumns || fields.Length != snapshot.Properties.RecordKeyFields.Count || snapshot.SchemaHistory is not null || !IsKnown(snapshot.Properties.KeyGenerator)
            || !fields.All(f => f.DataType is Int32Type or Int64Type) || !files.All(f => fields.All(k => f.Shape.Columns.Any(c => c.Name == k.Name && c.Type.Name is "INTEGER" or "BIGINT")))
            || deletes.Any(d => d.Keys.Any(k => Numbers(k.Key, fields) is null)))
        {
            return null;
        }

        return new RecordKey([.. fields.Select(f => SqlText.TypeOf(f))], column => [.. fields.Select(column)], key => Numbers(key, fields)!);
    }

    // A key generator of the user's own may make any text of the columns.
    private static bool IsKnown(string? generator) => generator is null || KnownGenerators.Any(g => generator.StartsWith(g, StringComparison.OrdinalIgnoreCase));

    // "7", "id:7" or "a:7,b:8"
    private static string[]? Numbers(string key, Field[] fields)
    {
        string[] parts = fields.Length == 1 ? [key] : key.Split(',');
        if (parts.Length != fields.Length)
        {
            return null;
        }

        for (int i = 0; i < parts.Length; i++)
        {
            string prefix = fields[i].Name + ":";
            bool isPrefixed = parts[i].StartsWith(prefix, StringComparison.Ordinal);
            string text = isPrefixed ? parts[i][prefix.Length..] : parts[i];
            if ((fields.Length > 1 && !isPrefixed) || !long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value)
                || (fields[i].DataType is Int32Type && value != (int)value))
            {
                return null;
            }

            parts[i] = value.ToString(CultureInfo.InvariantCulture);
        }

        return parts;
    }

    private static string TextSql(HudiSnapshot snapshot, Func<Field, string> column)
    {
        if (snapshot.Properties.PopulatesMetaFields)
        {
            return column(new Field("_hoodie_record_key", StringType.Default, true));
        }

        if (!IsKnown(snapshot.Properties.KeyGenerator))
        {
            // Its keys may be any text of the columns: two rows with other values may have one, and a deletion tells it only.
            throw LakeException.FeatureUnsupported($"Hudi: log files with virtual record keys of the key generator {snapshot.Properties.KeyGenerator} are not supported", snapshot.Table.FullName);
        }

        Field[] fields = [.. snapshot.Properties.RecordKeyFields.Select(name => snapshot.Columns.FirstOrDefault(c => c.Name == name)?.Field
            ?? throw LakeException.FeatureUnsupported($"Hudi: the virtual record key column {name} is not a column of the table", snapshot.Table.FullName))];
        foreach (Field field in fields)
        {
            // Dates, decimals, timestamps and floats have another text in every engine that writes Hudi.
            if (field.DataType is not (StringType or BooleanType or Int32Type or Int64Type))
            {
                throw LakeException.FeatureUnsupported($"Hudi: log files with a virtual record key of type {field.DataType.Name} ({field.Name}) are not supported", snapshot.Table.FullName);
            }
        }

        if (fields.Length == 0)
        {
            throw LakeException.FeatureUnsupported("Hudi: log files without meta fields and record key columns are not supported", snapshot.Table.FullName);
        }

        return fields.Length > 1
            ? string.Join(" || ',' || ", fields.Select(f => $"{SqlText.Literal(f.Name + ":")} || CASE WHEN {Text(f)} IS NULL THEN '__null__' WHEN {Text(f)} = '' THEN '__empty__' ELSE {Text(f)} END"))
            : Text(fields[0]);

        string Text(Field field) => $"CAST({column(field)} AS VARCHAR)";
    }

    // Complex generators, and Spark SQL's, which writes keys as these do; custom ones are complex for several columns only.
    private static bool MayBePrefixed(HudiProperties properties) => properties.Text("hoodie.table.complex.keygen.encoding") != "VALUE_ONLY"
        && (properties.KeyGenerator is not { } generator || ((string[])["Complex", "SqlKeyGenerator", "SPARK_SQL"]).Any(g => generator.StartsWith(g, StringComparison.OrdinalIgnoreCase)));
}
