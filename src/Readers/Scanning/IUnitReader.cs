using LakeHolo.LakeCatalog.Snapshots;

namespace LakeHolo.Readers.Scanning;

/// <summary>A reader that can tell for every row which unit of the snapshot it comes from, so that what was copied can be followed unit by unit.</summary>
/// <remarks>A unit is the smallest part of a table that is read alone: a data file where files are independent, a bucket or file group where rows of
/// several files are merged by key, a partition where they come together otherwise. Every live row belongs to exactly one.</remarks>
public interface IUnitReader : ITableReader
{
    /// <summary>What the units of a snapshot are; null where its rows come together in a way that no unit can be read alone.</summary>
    UnitKind? UnitsOf(Snapshot snapshot);

    /// <summary>Name of the unit that a file belongs to.</summary>
    /// <param name="snapshot">A snapshot in which the file is live.</param>
    /// <param name="file">A file, as the snapshot or a difference lists it.</param>
    string UnitOf(Snapshot snapshot, DataFileInfo file);

    /// <summary>The deleted positions of units that are files: a relation of <see cref="RowOrigin.Unit"/> (number in <see cref="TableScan.Units"/>) and
    /// <see cref="RowOrigin.Position"/>.</summary>
    ValueTask<TableScan> PlanDeletedAsync(Snapshot snapshot, IReadOnlyCollection<string> units, CancellationToken cancellationToken = default);

    /// <summary>A difference as rows by key: <see cref="RowOrigin.Unit"/>, <see cref="RowOrigin.Live"/> and all columns; a row takes the place of the row of its
    /// key in its unit, one that is not live only removes it.</summary>
    /// <returns>Null if the difference cannot be told by the new rows alone.</returns>
    ValueTask<TableScan?> PlanKeysAsync(Snapshot from, Snapshot to, SnapshotDiff diff, CancellationToken cancellationToken = default)
        => ValueTask.FromResult<TableScan?>(null);
}

/// <summary>What a snapshot's units are.</summary>
public enum UnitKind
{
    /// <summary>Data files; positions count the rows of the file from 0.</summary>
    Files,

    /// <summary>Buckets, whose files are merged by key; rows have no position.</summary>
    Buckets,

    /// <summary>File groups, of which one slice is live: its files are merged by key; rows have no position.</summary>
    Slices,

    /// <summary>Partitions, whose files come together in another way; rows have no position.</summary>
    Partitions,
}

/// <summary>Columns that say where rows come from.</summary>
public static class RowOrigin
{
    /// <summary>INTEGER: the unit's number in <see cref="TableScan.Units"/>.</summary>
    public const string Unit = "lakeholo_unit";

    /// <summary>BIGINT: the row's position in its file; NULL where units are no files.</summary>
    public const string Position = "lakeholo_position";

    /// <summary>BOOLEAN: whether the key has a row.</summary>
    public const string Live = "lakeholo_live";
}

/// <summary>Some units of a snapshot.</summary>
/// <param name="Names">Their names.</param>
/// <param name="Except">All units but these are meant.</param>
public sealed record UnitSelection(IReadOnlySet<string> Names, bool Except = false)
{
    /// <summary>Whether a unit is meant.</summary>
    public bool Has(string unit) => Names.Contains(unit) != Except;
}

/// <summary>Gives the units of a scan their numbers, in the order in which they are met.</summary>
public sealed class UnitNumbers
{
    private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal);
    private readonly List<string> _names = [];

    /// <summary>The names, by number.</summary>
    public IReadOnlyList<string> Names => _names;

    /// <summary>The number of a unit.</summary>
    public int Of(string unit)
    {
        if (!_numbers.TryGetValue(unit, out int number))
        {
            number = _names.Count;
            _numbers.Add(unit, number);
            _names.Add(unit);
        }

        return number;
    }

    /// <summary>The unit of a row as SQL, given the units of the files of a <c>read_parquet</c> in their order.</summary>
    /// <param name="files">Numbers of the units.</param>
    /// <param name="fileIndex">The engine's <c>file_index</c>.</param>
    public static string Sql(IReadOnlyList<int> files, string fileIndex)
    {
        bool isSequence = files.Select((n, i) => n - i).Distinct().Count() == 1;
        return files.Distinct().Count() == 1 ? $"{Text(files[0])}::INTEGER"
            : isSequence ? $"({fileIndex}::INTEGER + {Text(files[0])})"
            : $"([{string.Join(", ", files.Select(Text))}]::INTEGER[])[{fileIndex}::BIGINT + 1]";
    }

    private static string Text(int number) => number.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
