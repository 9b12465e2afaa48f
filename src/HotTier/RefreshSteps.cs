using System.Globalization;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.HotTier;

/// <summary>The statements of one refresh, collected first and then run in one transaction.</summary>
internal sealed class RefreshSteps(HotDatabase database, DuckDBConnection connection, HotStamp stamp, UnitMap held, IReadOnlyList<StoredColumn> columns)
{
    private const string KeyTable = "hot_keys";

    private readonly string _units = stamp.Units?.ToString().ToLowerInvariant() ?? string.Empty;
    private readonly Dictionary<int, UnitGroup> _removed = [];
    private readonly List<UnitGroup> _added = [];
    private readonly HashSet<string> _read = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _how = new(StringComparer.Ordinal);
    private readonly List<int> _deadNumbers = [];
    private readonly List<Func<(long Deleted, long Inserted)>> _steps = [];

    /// <summary>Groups that the copy has no more.</summary>
    public IReadOnlyCollection<UnitGroup> RemovedGroups => _removed.Values;

    /// <summary>Groups that it has now.</summary>
    public IReadOnlyCollection<UnitGroup> AddedGroups => _added;

    /// <summary>Units whose rows are read from the lake.</summary>
    public IReadOnlySet<string> Read => _read;

    /// <summary>Names of the columns that are read.</summary>
    public IReadOnlyList<string> ColumnNames { get; } = [.. columns.Select(c => c.Name)];

    /// <summary>The next number of a unit.</summary>
    public int NextUnit { get; private set; } = stamp.NextUnit;

    /// <summary>What is done, for the report.</summary>
    public string How => _how.Count == 0 ? "nothing" : string.Join('+', _how);

    /// <summary>Deletes the rows of a group; false if that was planned already.</summary>
    public bool Delete(UnitGroup group)
    {
        if (!_removed.TryAdd(group.Id, group))
        {
            return false;
        }

        _deadNumbers.AddRange(group.Numbers);
        _how.Add(_units);
        return true;
    }

    /// <summary>Rows stay as they are, but belong to other units now.</summary>
    public void Regroup(IEnumerable<string> gone, IReadOnlyCollection<string> fresh)
    {
        UnitGroup[] groups = [.. gone.Select(held.Find).OfType<UnitGroup>().DistinctBy(g => g.Id)];
        if (groups.Length == 0)
        {
            return;
        }

        var names = groups.SelectMany(g => g.Names).Except(gone, StringComparer.Ordinal).Concat(fresh).ToList();
        foreach (UnitGroup group in groups)
        {
            _removed.Add(group.Id, group);
        }

        _added.Add(new UnitGroup(NextUnit++, names, [.. groups.SelectMany(g => g.Numbers)], KnowsPositions: false));
    }

    /// <summary>Deletes positions of files.</summary>
    public void DeletePositions(TableScan deleted)
    {
        int[] numbers = [.. deleted.Units.Select(u => held.Find(u)!.Id)];
        if (numbers.Length == 0)
        {
            return;
        }

        _how.Add("positions");
        _steps.Add(() => (HotDatabase.Change(
            connection,
            $"DELETE FROM {database.Rows} AS r USING (SELECT m.n, d.{RowOrigin.Position} AS p FROM ({deleted.Sql}) d JOIN {Map(numbers)} ON m.i = d.{RowOrigin.Unit}) d "
            + $"WHERE r.u = d.n AND r.p = d.p AND r.u IN ({HotDatabase.List(numbers)})"), 0));
    }

    /// <summary>Inserts the rows of units.</summary>
    public void Insert(TableScan rows)
    {
        int first = NextUnit;
        for (int i = 0; i < rows.Units.Count; i++)
        {
            Add(rows.Units[i]);
        }

        _how.Add(_units);
        string origin = $"{RowOrigin.Unit} + {Text(first)} AS u, {RowOrigin.Position} AS p";
        _steps.Add(() => (0, HotDatabase.Change(connection, $"INSERT INTO {database.Rows} BY NAME SELECT {origin}{Columns()} FROM ({rows.Sql})")));
    }

    /// <summary>Replaces the rows of keys.</summary>
    public void ReplaceKeys(TableScan rows, IReadOnlyList<string> key)
    {
        int[] numbers = [.. rows.Units.Select(u => held.Find(u)?.Id ?? Add(u))];
        _how.Add("keys");
        string equal = string.Join(" AND ", key.Select(k => columns.First(c => c.Name == k)).Select(c => $"{HotDatabase.Read(c with { Stored = "r." + c.Stored })} = k.{SqlText.Identifier(c.Name)}"));
        _steps.Add(() =>
        {
            HotDatabase.Change(connection, $"CREATE OR REPLACE TEMP TABLE {KeyTable} AS SELECT m.n AS lakeholo_number, k.* FROM ({rows.Sql}) k JOIN {Map(numbers)} ON m.i = k.{RowOrigin.Unit}");
            long deleted = HotDatabase.Change(connection, $"DELETE FROM {database.Rows} AS r USING temp.{KeyTable} k WHERE r.u = k.lakeholo_number AND {equal}");
            long inserted = HotDatabase.Change(
                connection, $"INSERT INTO {database.Rows} BY NAME SELECT lakeholo_number AS u, NULL::BIGINT AS p{Columns()} FROM temp.{KeyTable} WHERE {RowOrigin.Live}");
            HotDatabase.Change(connection, $"DROP TABLE temp.{KeyTable}");
            return (deleted, inserted);
        });
    }

    /// <summary>Runs all of it, in the connection's transaction.</summary>
    /// <returns>Rows deleted and inserted.</returns>
    public (long Deleted, long Inserted) Run(CancellationToken cancellationToken)
    {
        long deleted = database.DeleteNumbers(connection, _deadNumbers);
        long inserted = 0;
        foreach (Func<(long Deleted, long Inserted)> step in _steps)
        {
            cancellationToken.ThrowIfCancellationRequested();
            (long less, long more) = step();
            deleted += less;
            inserted += more;
        }

        return (deleted, inserted);
    }

    private int Add(string unit)
    {
        int number = NextUnit++;
        _added.Add(UnitGroup.Of(unit, number));
        _read.Add(unit);
        return number;
    }

    private string Columns() => string.Concat(columns.Select(c => $", {SqlText.Identifier(c.Name)} AS {c.Stored}"));

    private static string Map(IEnumerable<int> numbers)
        => $"(VALUES {string.Join(", ", numbers.Select((n, i) => $"({Text(i)}, {Text(n)})"))}) m(i, n)";

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
