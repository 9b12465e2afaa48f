using System.Globalization;
using LakeHolo.LakeCatalog.Hudi.LogFiles;

namespace LakeHolo.Readers.Hudi.Merging;

/// <summary>A data block's records in a Parquet file.</summary>
/// <param name="File">The file.</param>
/// <param name="Slice">Ordinal of the slice.</param>
/// <param name="Order">Place among the slice's blocks.</param>
/// <param name="PresentColumns">The columns of a partial block; null if it has all.</param>
internal sealed record DecodedBlock(ReadableFile File, int Slice, int Order, IReadOnlyList<string>? PresentColumns)
{
    private const long RowsPerBlock = 1L << 32;

    /// <summary>Positions of its records in the base file; null if they are found by key.</summary>
    public IReadOnlyList<long>? Positions { get; init; }

    /// <summary>The place of the first record of a block among a slice's log records.</summary>
    public static long FirstSequence(int order) => order * RowsPerBlock;

    /// <summary>The slices' ordinals, for the rows of a scan of blocks.</summary>
    public static string SliceSql(IEnumerable<DecodedBlock> blocks) => At(blocks.Select(b => SliceScan.Text(b.Slice)), "INTEGER[]");

    /// <summary>The records' places, for the rows of a scan of blocks.</summary>
    public static string SequenceSql(IEnumerable<DecodedBlock> blocks) => At(blocks.Select(b => SliceScan.Text(FirstSequence(b.Order))), "BIGINT[]") + " + file_row_number";

    /// <summary>A value by file of a scan.</summary>
    public static string At(IEnumerable<string> values, string type)
    {
        string[] all = [.. values];
        return all.Distinct().Count() == 1
            ? $"CAST({all[0]} AS {type[..^2]})"
            : string.Create(CultureInfo.InvariantCulture, $"CAST([{string.Join(", ", all)}] AS {type})[file_index::BIGINT + 1]");
    }
}

/// <summary>The keys of a delete block.</summary>
internal sealed record DecodedDeletes(int Slice, int Order, IReadOnlyList<DeletedKey> Keys)
{
    /// <summary>Positions of the deleted rows in the base file; null if they are found by key.</summary>
    public IReadOnlyList<long>? Positions { get; init; }
}
