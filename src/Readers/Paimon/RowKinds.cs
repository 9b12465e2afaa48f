using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Paimon;

/// <summary>Kinds of rows as SQL over the files <c>r</c> of a group: 0 +I, 1 -U, 2 +U, 3 -D. Any other, or none, is an error that names file and value.</summary>
internal static class RowKinds
{
    /// <summary>BOOLEAN: whether the row is an added one.</summary>
    public static string IsAdded(PaimonFileGroup group) => Case(group, "true", "false", "true", "false");

    /// <summary>VARCHAR: +I, -U, +U, -D.</summary>
    public static string Name(PaimonFileGroup group) => Case(group, "'+I'", "'-U'", "'+U'", "'-D'");

    /// <summary>TINYINT: the number.</summary>
    public static string Number(PaimonFileGroup group) =>
        $"CASE WHEN r.{PaimonColumns.ValueKind} BETWEEN 0 AND 3 THEN r.{PaimonColumns.ValueKind} ELSE {Error(group)} END";

    /// <summary>VARCHAR: the file of the row.</summary>
    public static string FileOf(PaimonFileGroup group) => group.Files.Count == 1
        ? SqlText.Literal(group.Files[0].Path)
        : $"({SqlText.LiteralList(group.Files.Select(f => f.Path))})[r.file_index::BIGINT + 1]";

    private static string Case(PaimonFileGroup group, params string[] values) =>
        $"CASE r.{PaimonColumns.ValueKind} {string.Join(" ", values.Select((v, i) => $"WHEN {i} THEN {v}"))} ELSE {Error(group)} END";

    private static string Error(PaimonFileGroup group) =>
        $"error('The Paimon row kind ' || coalesce(CAST(r.{PaimonColumns.ValueKind} AS VARCHAR), 'NULL') || ' is none of 0 to 3, in ' || {FileOf(group)})";
}
