using System.Globalization;
using LakeHolo.LakeCatalog.Paimon;

namespace LakeHolo.Readers.Paimon.Evolution;

/// <summary>The hidden columns of a table that tracks rows, for the view <c>row_tracking</c>: as stored in the file, else told by its metadata.</summary>
internal static class RowTracking
{
    /// <summary>Name of the view.</summary>
    public const string View = "row_tracking";

    /// <summary>The columns, behind the table's.</summary>
    public static IReadOnlyList<PaimonField> Physical { get; } =
    [
        new PaimonField(2147483642, "_ROW_ID", new PaimonType { Kind = PaimonTypeKind.BigInt, Text = "BIGINT" }),
        new PaimonField(2147483646, PaimonColumns.Sequence, new PaimonType { Kind = PaimonTypeKind.BigInt, Text = "BIGINT" }),
    ];

    /// <summary>A FROM item <c>t</c> with what the metadata of each file tells.</summary>
    public static string Values(IReadOnlyList<PaimonDataFile> files)
    {
        IEnumerable<string> rows = files.Select((f, i) => string.Create(
            CultureInfo.InvariantCulture, $"({i}, {(f.FirstRowId is long first ? first.ToString(CultureInfo.InvariantCulture) : "NULL")}::BIGINT, {f.MaxSequenceNumber}::BIGINT)"));
        return $"(VALUES {string.Join(", ", rows)}) t(i, first, seq)";
    }

    /// <summary>The columns, given the alias of the files.</summary>
    public static string Columns(string alias) =>
        $"coalesce({alias}.\"_ROW_ID\", t.first + {alias}.file_row_number) AS \"_ROW_ID\", coalesce({alias}.\"{PaimonColumns.Sequence}\", t.seq) AS \"{PaimonColumns.Sequence}\"";
}
