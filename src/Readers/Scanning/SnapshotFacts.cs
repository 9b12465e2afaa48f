namespace LakeHolo.Readers.Scanning;

/// <summary>What metadata tell of all rows of a snapshot, exactly, so that no file has to be opened for it.</summary>
/// <param name="Rows">How many there are; null for unknown.</param>
/// <param name="Columns">Of the columns that were asked for, by their names.</param>
/// <param name="Files">Data files of the snapshot.</param>
public sealed record SnapshotFacts(long? Rows, IReadOnlyDictionary<string, ColumnFacts> Columns, long Files);

/// <summary>What metadata tell of a column.</summary>
/// <param name="Values">How many rows have a value; null for unknown.</param>
/// <param name="Least">The least value as an expression of the column's type, NULL where no row has one; null for unknown.</param>
/// <param name="Greatest">The greatest, likewise.</param>
public sealed record ColumnFacts(long? Values, string? Least, string? Greatest)
{
    /// <summary>Nothing.</summary>
    public static ColumnFacts Unknown { get; } = new(null, null, null);
}
