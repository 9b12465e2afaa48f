using System.Globalization;
using System.Runtime.CompilerServices;
using Apache.Arrow;
using Apache.Arrow.Ipc;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.HotTier;

/// <summary>The database file of one generation of a copy, attached to the engine: tables of rows, of the stamp, and of units.</summary>
/// <remarks><code>
/// copy_rows     u INTEGER   number of the row's unit; p BIGINT position in it; c0, c1, … the stored columns
/// copy_stamp    body        one row: <see cref="HotStamp"/> as JSON
/// copy_units    name, g     the units and their groups
/// copy_numbers  n, g        the numbers of rows of groups whose positions are not known; others have the group's own
/// </code></remarks>
internal sealed class HotDatabase(EngineDatabase engine, string alias)
{
    /// <summary>Name of the table of rows.</summary>
    public const string RowsTable = "copy_rows";

    private const int MaxListed = 2000;
    private const int SampledRows = 20_480;
    private const int FewTexts = 1_000;

    /// <summary>By the list of columns that statements ask for again and again.</summary>
    private readonly ConditionalWeakTable<IReadOnlyList<string>, Selected> _selected = [];

    public string Alias { get; } = alias;

    public string Rows => $"{Alias}.{RowsTable}";

    /// <summary>Opens a file, in whatever version of the engine's storage it was made.</summary>
    public void Attach(string path) => Execute($"ATTACH {SqlText.Literal(path)} AS {Alias}");

    /// <summary>Makes a file. Version 1.5 of the engine's storage has one compression of texts (DICT_FSST) in place of two that are both tried (a dictionary or FSST): texts that repeat are
    /// written and scanned faster, single rows of others slower. The first version can be told to keep texts whole or in dictionaries, see <see cref="CreateRows"/>.</summary>
    /// <param name="path">Where it is not there yet.</param>
    /// <param name="textsRepeat">Which of them it is for, see <see cref="TextsRepeat"/>.</param>
    public void Create(string path, bool textsRepeat) => Execute($"ATTACH {SqlText.Literal(path)} AS {Alias} (STORAGE_VERSION '{(textsRepeat ? "v1.5.0" : "v1.0.0")}')");

    /// <summary>Whether each text is there three times or more on average in every column of texts of the first rows; not where texts lie within other values.</summary>
    /// <param name="connection">A connection.</param>
    /// <param name="rows">A query whose first rows cost little.</param>
    public static bool TextsRepeat(DuckDBConnection connection, string rows)
    {
        List<(string Column, int IsNested)> texts = Pairs(
            connection, $"SELECT column_name, CAST(column_type NOT IN ('VARCHAR', 'BLOB') AS INTEGER) FROM (DESCRIBE {rows}) WHERE regexp_matches(column_type, 'VARCHAR|BLOB|JSON|VARIANT')");
        string list = string.Join(", ", texts.Select(t => t.Column));
        string repeat = string.Join(" AND ", texts.Select(t => $"count({t.Column}) + {FewTexts} >= 3 * approx_count_distinct({t.Column})"));
        return texts.All(t => t.IsNested == 0) && (texts.Count == 0 || (bool)Scalar(connection, $"SELECT {repeat} FROM (SELECT {list} FROM ({rows}) LIMIT {SampledRows})")!);
    }

    public void Detach() => Execute($"DETACH DATABASE IF EXISTS {Alias}");

    /// <summary>Makes the small tables.</summary>
    public void CreateTables(DuckDBConnection connection) => EngineDatabase.Execute(
        connection,
        $"CREATE TABLE {Alias}.copy_stamp (body VARCHAR); INSERT INTO {Alias}.copy_stamp VALUES (''); "
        + $"CREATE TABLE {Alias}.copy_units (name VARCHAR, g INTEGER); CREATE TABLE {Alias}.copy_numbers (n INTEGER, g INTEGER)");

    /// <summary>Makes the table of rows, empty, for rows that are looked up one by one: texts are kept whole or in dictionaries. Of those that the engine compresses otherwise
    /// (FSST, DICT_FSST) it decodes the lengths of all that lie before the one that is wanted.</summary>
    /// <param name="connection">Within the transaction that fills it.</param>
    /// <param name="rows">The query that gives the rows.</param>
    public void CreateRows(DuckDBConnection connection, string rows)
    {
        IEnumerable<string> columns = Pairs(connection, $"SELECT column_name || ' ' || column_type || CASE WHEN column_type = 'VARCHAR' THEN ' USING COMPRESSION dictionary' ELSE '' END, 0 FROM (DESCRIBE {rows})")
            .Select(c => c.Item1);
        EngineDatabase.Execute(connection, $"CREATE TABLE {Rows} ({string.Join(", ", columns)})");
    }

    /// <summary>Writes the stamp.</summary>
    public void WriteStamp(DuckDBConnection connection, HotStamp stamp)
        => EngineDatabase.Execute(connection, $"UPDATE {Alias}.copy_stamp SET body = {SqlText.Literal(stamp.ToText())}");

    /// <summary>Writes a change of the units.</summary>
    public void WriteUnits(DuckDBConnection connection, IReadOnlyCollection<UnitGroup> removed, IReadOnlyCollection<UnitGroup> added)
    {
        foreach (int[] ids in removed.Select(g => g.Id).Chunk(MaxListed))
        {
            EngineDatabase.Execute(connection, $"DELETE FROM {Alias}.copy_units WHERE g IN ({List(ids)}); DELETE FROM {Alias}.copy_numbers WHERE g IN ({List(ids)})");
        }

        foreach ((string Name, int Group)[] units in added.SelectMany(g => g.Names.Select(n => (n, g.Id))).Chunk(MaxListed))
        {
            EngineDatabase.Execute(connection, $"INSERT INTO {Alias}.copy_units SELECT unnest({SqlText.LiteralList(units.Select(u => u.Name))}), unnest([{List(units.Select(u => u.Group))}])");
        }

        foreach ((int Number, int Group)[] numbers in added.Where(g => !g.KnowsPositions).SelectMany(g => g.Numbers.Select(n => (n, g.Id))).Chunk(MaxListed))
        {
            EngineDatabase.Execute(connection, $"INSERT INTO {Alias}.copy_numbers VALUES {string.Join(", ", numbers.Select(n => $"({Text(n.Number)}, {Text(n.Group)})"))}");
        }
    }

    /// <summary>Bytes of the file that hold something.</summary>
    public long UsedBytes(DuckDBConnection connection)
        => (long)Scalar(connection, $"SELECT CAST(used_blocks * block_size AS BIGINT) FROM pragma_database_size() WHERE database_name = {SqlText.Literal(Alias)}")!;

    /// <summary>Deletes the rows of numbers.</summary>
    /// <returns>How many there were.</returns>
    public long DeleteNumbers(DuckDBConnection connection, IEnumerable<int> numbers)
        => numbers.Chunk(MaxListed).Sum(some => Change(connection, $"DELETE FROM {Rows} WHERE u IN ({List(some)})"));

    /// <summary>Reads what a file holds.</summary>
    public HotState Load()
    {
        using DuckDBConnection connection = engine.OpenConnection();
        var stamp = HotStamp.Parse((string)Scalar(connection, $"SELECT body FROM {Alias}.copy_stamp")!);
        var numbers = new Dictionary<int, List<int>>();
        foreach ((string n, int group) in Pairs(connection, $"SELECT CAST(n AS VARCHAR), g FROM {Alias}.copy_numbers"))
        {
            (numbers.TryGetValue(group, out List<int>? list) ? list : numbers[group] = []).Add(int.Parse(n, CultureInfo.InvariantCulture));
        }

        IEnumerable<UnitGroup> groups = Pairs(connection, $"SELECT name, g FROM {Alias}.copy_units").GroupBy(u => u.Item2).Select(g => numbers.TryGetValue(g.Key, out List<int>? list)
            ? new UnitGroup(g.Key, [.. g.Select(u => u.Item1)], list, KnowsPositions: false)
            : UnitGroup.Of(g.Single().Item1, g.Key));
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = Select(stamp) + " LIMIT 0";
        using IArrowArrayStream stream = command.ExecuteArrowStream();
        return new HotState(stamp, UnitMap.Empty.With([], groups), null, stream.Schema);
    }

    /// <summary>The rows under the table's names and types.</summary>
    /// <param name="stamp">Where its columns are.</param>
    /// <param name="columns">Names, in their order; null for all.</param>
    public string Select(HotStamp stamp, IReadOnlyList<string>? columns = null)
    {
        if (columns is not null && _selected.TryGetValue(columns, out Selected? known) && ReferenceEquals(known.Stamp, stamp))
        {
            return known.Sql;
        }

        string sql = Write(stamp, columns);
        if (columns is not null)
        {
            _selected.AddOrUpdate(columns, new Selected(stamp, sql));
        }

        return sql;
    }

    private sealed record Selected(HotStamp Stamp, string Sql);

    private string Write(HotStamp stamp, IReadOnlyList<string>? columns)
    {
        IEnumerable<StoredColumn> wanted = columns?.Select(n => stamp.Columns.First(c => c.Name == n)) ?? stamp.Columns;
        string list = string.Join(", ", wanted.Select(c => $"{Read(c)} AS {SqlText.Identifier(c.Name)}"));
        return $"SELECT {(list.Length == 0 ? "1" : list)} FROM {Rows}";
    }

    /// <summary>Indexes columns, each alone: the engine looks up by one column.</summary>
    public void CreateIndexes(DuckDBConnection connection, IEnumerable<StoredColumn> keys)
    {
        foreach (StoredColumn key in keys)
        {
            EngineDatabase.Execute(connection, $"CREATE INDEX IF NOT EXISTS copy_key_{key.Stored} ON {Rows} ({key.Stored})");
        }
    }

    /// <summary>Drops the indexes; while they are there the table cannot be altered.</summary>
    public void DropIndexes(DuckDBConnection connection)
    {
        foreach (string name in Pairs(connection, $"SELECT index_name, 0 FROM duckdb_indexes() WHERE database_name = {SqlText.Literal(Alias)}").Select(p => p.Item1))
        {
            EngineDatabase.Execute(connection, $"DROP INDEX {Alias}.{SqlText.Identifier(name)}");
        }
    }

    /// <summary>A stored column as the table has it.</summary>
    public static string Read(StoredColumn column) => column.Type == "\"NULL\"" ? column.Stored : $"CAST({column.Stored} AS {column.Type})";

    /// <summary>Runs a statement that changes rows and tells how many.</summary>
    public static long Change(DuckDBConnection connection, string sql)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteNonQuery();
    }

    public static object? Scalar(DuckDBConnection connection, string sql)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }

    /// <summary>Rolls a transaction back that failed somewhere.</summary>
    public static void RollBack(DuckDBConnection connection)
    {
        try
        {
            EngineDatabase.Execute(connection, "ROLLBACK");
        }
        catch (DuckDBException)
        {
            // The commit itself failed: nothing is left to roll back.
        }
    }

    public static string List(IEnumerable<int> numbers) => string.Join(", ", numbers.Select(Text));

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static List<(string, int)> Pairs(DuckDBConnection connection, string sql)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = sql;
        using DuckDBDataReader reader = command.ExecuteReader();
        var pairs = new List<(string, int)>();
        while (reader.Read())
        {
            pairs.Add((reader.GetString(0), reader.GetInt32(1)));
        }

        return pairs;
    }

    private void Execute(string sql)
    {
        using DuckDBConnection connection = engine.OpenConnection();
        EngineDatabase.Execute(connection, sql);
    }
}

/// <summary>What a copy holds at a moment; a refresh replaces it whole.</summary>
/// <param name="Stamp">Snapshot and columns.</param>
/// <param name="Units">Units.</param>
/// <param name="Snapshot">The snapshot itself; null after a restart until it is needed.</param>
/// <param name="Schema">The columns as Arrow has them.</param>
/// <param name="IsPart">It is still being built: not all units that it is to hold are there.</param>
internal sealed record HotState(HotStamp Stamp, UnitMap Units, Snapshot? Snapshot, Schema Schema, bool IsPart = false)
{
    /// <summary>Whether it holds all that an earlier state did, at the same snapshot and in the same places; maybe more units of it.</summary>
    public bool Extends(HotState earlier) => ReferenceEquals(this, earlier)
        || (Stamp.Identity == earlier.Stamp.Identity && Stamp.Columns.SequenceEqual(earlier.Stamp.Columns) && earlier.Units.Groups.All(g => ReferenceEquals(Units.Find(g.Id), g)));
}
