using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Paimon;

/// <summary>Columns with a default value for readers (option <c>fields.COLUMN.default-value</c>): up to Paimon 1.2 they read it in the place of NULL, since 1.3 it is
/// only written. What a NULL of such a column is depends on who reads, so it is an error.</summary>
/// <remarks>Source: DefaultValueAssigner.java of 0.5 to 1.2.</remarks>
internal static class ReadDefaults
{
    /// <summary>Whether any column of a table has one; then conditions leave out no files, whose NULLs they might have met.</summary>
    public static bool Has(PaimonSnapshot snapshot) => snapshot.TableSchema.Fields.Any(f => OptionOf(snapshot, f) is not null);

    /// <summary>A relation whose columns give an error where they would give such a NULL.</summary>
    /// <param name="sql">The relation.</param>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="columns">Its columns.</param>
    public static string Guard(string sql, PaimonSnapshot snapshot, IReadOnlyList<PaimonField> columns)
    {
        string guarded = string.Join(", ", columns.Where(c => OptionOf(snapshot, c) is not null).Select(c =>
        {
            string name = SqlText.Identifier(c.Name);
            string reason = $"The column {name} has a NULL, which Paimon up to 1.2 reads as {OptionOf(snapshot, c)} (option fields.{c.Name}.default-value), and later ones as NULL";
            return $"coalesce({name}, error({SqlText.Literal(reason)})) AS {name}";
        }));
        return guarded.Length == 0 ? sql : $"SELECT * REPLACE ({guarded}) FROM ({sql})";
    }

    private static string? OptionOf(PaimonSnapshot snapshot, PaimonField column) => snapshot.TableSchema.Option($"fields.{column.Name}.default-value");
}
