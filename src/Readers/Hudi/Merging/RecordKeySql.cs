using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Hudi.Merging;

/// <summary>The record key of a row as the writer's key text.</summary>
internal static class RecordKeySql
{
    /// <param name="snapshot">The table.</param>
    /// <param name="column">Gives the expression of a column.</param>
    public static string Of(HudiSnapshot snapshot, Func<Field, string> column)
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

        string generator = snapshot.Properties.KeyGenerator ?? "";
        bool isComplex = generator.StartsWith("Complex", StringComparison.OrdinalIgnoreCase);
        bool isPrefixed = fields.Length > 1 || (isComplex && (snapshot.Properties.TableVersion >= 9
            || snapshot.Properties.Flag("hoodie.write.complex.keygen.new.encoding", false)
            || snapshot.Properties.Text("hoodie.table.complex.keygen.encoding") == "FIELD_PREFIXED"));
        return isPrefixed
            ? string.Join(" || ',' || ", fields.Select(f => $"{SqlText.Literal(f.Name + ":")} || CASE WHEN {Text(f)} IS NULL THEN '__null__' WHEN {Text(f)} = '' THEN '__empty__' ELSE {Text(f)} END"))
            : Text(fields[0]);

        string Text(Field field) => $"CAST({column(field)} AS VARCHAR)";
    }
}
