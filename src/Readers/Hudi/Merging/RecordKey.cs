using System.Globalization;
using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.LogFiles;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Hudi.Merging;

/// <summary>How record keys are compared: as the writer's key text, or, where the key consists of one or two columns of whole numbers, as these numbers: their columns
/// are many times faster to read than the text is.</summary>
internal sealed class RecordKey
{
    private const long Limit = 1L << 62;
    private static readonly string[] KnownGenerators = ["Simple", "Complex", "Nonpartitioned", "NON_PARTITION", "Timestamp", "Custom", "GlobalDelete", "GLOBAL_DELETE", "SqlKeyGenerator", "SPARK_SQL"];
    private readonly Func<Func<Field, string>, string> _of;
    private readonly Func<string, string?> _ofDeleted;

    private RecordKey(string type, Func<Func<Field, string>, string> of, Func<string, string?> ofDeleted) => (Type, _of, _ofDeleted) = (type, of, ofDeleted);

    /// <summary>The engine's type of a key.</summary>
    public string Type { get; }

    /// <summary>Whether keys are text.</summary>
    public bool IsText => Type == "VARCHAR";

    /// <summary>The key of a row; NULL for numbers that cannot be compared as numbers.</summary>
    /// <param name="column">Gives the expression of a column.</param>
    public string Of(Func<Field, string> column) => _of(column);

    /// <summary>The key of a deletion as text that casts to the type.</summary>
    public string? OfDeleted(string key) => _ofDeleted(key);

    /// <summary>The writer's key text.</summary>
    public static RecordKey Text(HudiSnapshot snapshot)
    {
        bool isBare = !snapshot.Properties.PopulatesMetaFields && snapshot.Properties.RecordKeyFields.Count == 1 && !IsPrefixed(snapshot);
        // Which releases wrote a complex key of one column with the column's name is not told by the table: a deletion's own text tells.
        string prefix = isBare && IsComplex(snapshot) ? snapshot.Properties.RecordKeyFields[0] + ":" : "";
        return new RecordKey("VARCHAR", column => TextSql(snapshot, column), key => prefix.Length > 0 && key.StartsWith(prefix, StringComparison.Ordinal) ? key[prefix.Length..] : key);
    }

    /// <summary>Numbers where every file has the key's columns and every deleted key can be read as numbers, else text.</summary>
    public static RecordKey Choose(HudiSnapshot snapshot, IReadOnlyList<ReadableFile> files, IReadOnlyList<DecodedDeletes> deletes)
    {
        Field[] fields = [.. snapshot.Properties.RecordKeyFields.Select(n => snapshot.Columns.FirstOrDefault(c => c.Name == n)?.Field).OfType<Field>()];
        if (fields.Length is 0 or > 2 || fields.Length != snapshot.Properties.RecordKeyFields.Count || snapshot.SchemaHistory is not null || !IsKnown(snapshot.Properties.KeyGenerator)
            || !fields.All(f => f.DataType is Int32Type or Int64Type) || !files.All(f => fields.All(k => f.Shape.Columns.Any(c => c.Name == k.Name && c.Type.Name is "INTEGER" or "BIGINT")))
            || deletes.Any(d => d.Keys.Any(k => Number(k.Key, fields) is null)))
        {
            return Text(snapshot);
        }

        return fields is [var only]
            ? new RecordKey("BIGINT", column => $"CAST({column(only)} AS BIGINT)", key => Number(key, fields))
            : new RecordKey("HUGEINT", column => Pair(column(fields[0]), column(fields[1])), key => Number(key, fields));
    }

    // A key generator of the user's own may make any text of the columns.
    private static bool IsKnown(string? generator) => generator is null || KnownGenerators.Any(g => generator.StartsWith(g, StringComparison.OrdinalIgnoreCase));

    private static string Pair(string one, string other) => string.Create(
        CultureInfo.InvariantCulture, $"CASE WHEN {one} BETWEEN {-Limit} AND {Limit} THEN CAST({one} AS HUGEINT) * 18446744073709551616 + CAST({other} AS HUGEINT) END");

    // "7", "id:7" or "a:7,b:8"
    private static string? Number(string key, Field[] fields)
    {
        string[] parts = fields.Length == 1 ? [key] : key.Split(',');
        if (parts.Length != fields.Length)
        {
            return null;
        }

        var values = new long[parts.Length];
        for (int i = 0; i < parts.Length; i++)
        {
            string prefix = fields[i].Name + ":";
            bool isPrefixed = parts[i].StartsWith(prefix, StringComparison.Ordinal);
            if ((fields.Length > 1 && !isPrefixed) || !long.TryParse(isPrefixed ? parts[i][prefix.Length..] : parts[i], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out values[i]))
            {
                return null;
            }
        }

        return values is [var first, var second]
            ? first is >= -Limit and <= Limit ? ((Int128)first * ((Int128)1 << 64) + second).ToString(CultureInfo.InvariantCulture) : null
            : values[0].ToString(CultureInfo.InvariantCulture);
    }

    private static string TextSql(HudiSnapshot snapshot, Func<Field, string> column)
    {
        if (snapshot.Properties.PopulatesMetaFields)
        {
            return column(new Field("_hoodie_record_key", StringType.Default, true));
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

        return IsPrefixed(snapshot)
            ? string.Join(" || ',' || ", fields.Select(f => $"{SqlText.Literal(f.Name + ":")} || CASE WHEN {Text(f)} IS NULL THEN '__null__' WHEN {Text(f)} = '' THEN '__empty__' ELSE {Text(f)} END"))
            : Text(fields[0]);

        string Text(Field field) => $"CAST({column(field)} AS VARCHAR)";
    }

    private static bool IsComplex(HudiSnapshot snapshot) => (snapshot.Properties.KeyGenerator ?? "").StartsWith("Complex", StringComparison.OrdinalIgnoreCase);

    private static bool IsPrefixed(HudiSnapshot snapshot) => snapshot.Properties.RecordKeyFields.Count > 1
        || (IsComplex(snapshot) && (snapshot.Properties.TableVersion >= 9 || snapshot.Properties.Text("hoodie.table.complex.keygen.encoding") == "FIELD_PREFIXED"));
}
