using System.Globalization;
using Apache.Arrow;
using Apache.Arrow.Types;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.LogFiles;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Hudi.LogFiles;

namespace LakeHolo.Readers.Hudi.Merging;

/// <summary>Merges the log records of slices: resolved among themselves by key, then looked up in the base files. The base is never sorted, and only its key (and ordering)
/// columns are read; where the log files tell positions, no keys.</summary>
internal sealed class SliceMerger(EngineDatabase engine, HudiSnapshot snapshot, MergeRules rules)
{
    private static long _tables;
    private readonly SliceScan _scan = new(snapshot);
    private readonly RecordSql _records = new(snapshot, rules);
    private readonly string _name = NewName();
    private LogTable? _log;

    private LogTable Logs => _log ??= new LogTable(snapshot, rules, _records, _name + "_log");

    private string Log => Logs.Name;

    private string Winners => _name + "_win";

    private string Matches => _name + "_match";

    private string Dead => _name + "_dead";

    private string Rows => _name + "_rows";

    private string K => Logs.Key.List();

    private static string G => RecordSql.Slice;

    private bool IsFolded => rules.AreFolded;

    /// <summary>Log records that are combined at once: some hundred bytes each, in lists that the engine cannot write to disk.</summary>
    public long MaxFolded { get; init; } = 1L << 18;

    /// <summary>In how many parts the log records were combined.</summary>
    public long Parts { get; private set; }

    /// <summary>What the names of a result's tables begin with.</summary>
    public static string NewName() => "hudi_merge.t" + SliceScan.Text(Interlocked.Increment(ref _tables));

    /// <summary>Appends to such a table.</summary>
    public static DuckDBAppender Appender(DuckDBConnection connection, string table) => connection.CreateAppender("hudi_merge", table["hudi_merge.".Length..]);

    /// <summary>Merges.</summary>
    /// <param name="members">Identities of the slices, with their ordinals.</param>
    /// <param name="blocks">Data blocks.</param>
    /// <param name="deletes">Delete blocks.</param>
    /// <param name="bases">Base files by the ordinal of their slice.</param>
    public MergedSlices Merge(
        IReadOnlyDictionary<string, int> members, IReadOnlyList<DecodedBlock> blocks, IReadOnlyList<DecodedDeletes> deletes, IReadOnlyDictionary<int, ReadableFile> bases)
    {
        using DuckDBConnection connection = engine.OpenConnection();
        EngineDatabase.Execute(connection, "CREATE SCHEMA IF NOT EXISTS hudi_merge");
        bool isDone = false;
        try
        {
            Logs.Load(connection, blocks, deletes, bases);
            if (IsFolded)
            {
                Fold(connection, bases);
            }
            else
            {
                Choose(connection, bases);
            }

            isDone = true;
            return new MergedSlices(engine, members, Dead, Rows, IsFolded, DeadSlices(connection));
        }
        catch (DuckDBException error)
        {
            throw new LakeException(LakeErrorKind.FormatInvalid, "Hudi: merging log files failed: " + error.Message, snapshot.Table.FullName, innerException: error);
        }
        finally
        {
            string[] tables = [.. Logs.Tables, Winners, Matches, .. isDone ? (string[])[] : [Dead, Rows]];
            EngineDatabase.Execute(connection, string.Concat(tables.Select(t => $"DROP TABLE IF EXISTS {t};")));
        }
    }

    // The newest record of each key: after the last one that beats everything before it, the greatest by ordering value, then by place. The log holds keys and ordering
    // values only: whole records are read by the queries, from the decoded blocks, which know where the live ones lie.
    private void Choose(DuckDBConnection connection, IReadOnlyDictionary<int, ReadableFile> bases)
    {
        const string Seq = RecordSql.Sequence, Order = RecordSql.Order, IsReset = RecordSql.IsReset, IsDelete = RecordSql.IsDelete;
        if (_records.IsCommitTime)
        {
            Execute(connection, $"CREATE TABLE {Winners} AS SELECT {G}, {K}, max({Seq}) AS {Seq}, true AS {IsReset}, 0 AS {Order}, arg_max({IsDelete}, {Seq}) AS {IsDelete} FROM {Log} GROUP BY {G}, {K}");
        }
        else
        {
            // Most keys have one record.
            Execute(connection, $"CREATE TABLE {Winners} AS SELECT {G}, {K}, any_value({Seq}) AS {Seq}, any_value({IsReset}) AS {IsReset}, any_value({Order}) AS {Order}, any_value({IsDelete}) AS {IsDelete}, "
                + $"count(*) AS n FROM {Log} GROUP BY {G}, {K}");
            if (Count(connection, $"SELECT count(*) FROM {Winners} WHERE n > 1") > 0)
            {
                string several = $"SELECT l.* FROM {Log} l SEMI JOIN (SELECT * FROM {Winners} WHERE n > 1) s ON s.{G} = l.{G} AND {Logs.Key.Equal("s", "l")}";
                string chosen = $"SELECT l.{G}, {Logs.Key.List("l.")}, l.{Seq}, l.{IsReset}, l.{Order}, l.{IsDelete}, 1 FROM ("
                    + $"SELECT {G}, {K}, arg_max({Seq}, struct_pack(a := NOT {IsReset}, b := {Order}, c := {Seq})) AS {Seq} FROM ("
                    + $"SELECT *, coalesce(max({Seq}) FILTER ({IsReset}) OVER (PARTITION BY {G}, {K}), -1) AS reset_at FROM ({several})) WHERE {Seq} >= reset_at GROUP BY {G}, {K}) w "
                    + $"JOIN {Log} l ON l.{G} = w.{G} AND l.{Seq} = w.{Seq}";
                Execute(connection, $"INSERT INTO {Winners} {chosen}; DELETE FROM {Winners} WHERE n > 1");
            }
        }

        if (Logs.Key == RecordKey.Position && _records.IsCommitTime)
        {
            // The base need not be looked at. A position behind its end is that of an insertion.
            Execute(connection, $"CREATE TABLE {Dead} AS SELECT {G} AS f, {K} AS pos FROM {Winners}");
            Execute(connection, $"CREATE TABLE {Rows} AS SELECT {G}, {Seq} FROM {Winners} WHERE NOT {IsDelete}");
            return;
        }

        // The base row may win: it stays, unless it is a deletion itself (one without an ordering value loses to everything).
        Execute(connection, $"CREATE TABLE {Matches} AS SELECT f, seq, pos, NOT coalesce(NOT (reset OR b.r OR b.o IS NULL OR newer >= b.o), false) AS wins, b.d AS gone FROM ("
            + $"SELECT f, seq, min(pos) AS pos, arg_min(struct_pack(o := o, d := d, r := r), pos) AS b, any_value(reset) AS reset, any_value(newer) AS newer FROM ({BaseSql(bases)}) GROUP BY f, seq)");
        Execute(connection, $"CREATE TABLE {Dead} AS SELECT f, pos FROM {Matches} WHERE wins OR gone");
        Execute(connection, $"CREATE TABLE {Rows} AS SELECT w.{G}, w.{Seq} FROM {Winners} w ANTI JOIN (SELECT f, seq FROM {Matches} WHERE NOT wins) b ON b.f = w.{G} AND b.seq = w.{Seq} WHERE NOT w.{IsDelete}");
    }

    // Winners take values from losers: records are folded one by one, then with the matched base rows.
    private void Fold(DuckDBConnection connection, IReadOnlyDictionary<int, ReadableFile> bases)
    {
        var fold = new FoldSql(snapshot, rules, _records);
        Parts = Math.Max(1, (Count(connection, $"SELECT count(*) FROM {Log}") + MaxFolded - 1) / MaxFolded);
        for (long part = 0; part < Parts; part++)
        {
            string of = Parts == 1 ? "" : $" WHERE hash({G}, {K}) % {SliceScan.Text(Parts)} = {SliceScan.Text(part)}";
            string folded = $"SELECT {G}, {K}, list_reduce(list({fold.Pack()} ORDER BY {RecordSql.Sequence}), lambda a, b: {fold.Merge("a", "b", withBase: false)}) AS r FROM {Log}{of} GROUP BY {G}, {K}";
            Execute(connection, part == 0 ? $"CREATE TABLE {Winners} AS {folded}" : $"INSERT INTO {Winners} {folded}");
        }

        Execute(connection, $"CREATE TABLE {Dead} AS SELECT f, min(pos) AS pos, {K} FROM ({BaseSql(bases)}) GROUP BY f, {K}");
        Execute(connection, $"CREATE TABLE {Matches} AS " + BaseRowsSql(bases, fold));
        Execute(connection, $"CREATE TABLE {Rows} AS WITH merged AS (SELECT w.{G}, CASE WHEN m.r IS NULL THEN w.r ELSE {fold.Merge("m.r", "w.r", withBase: true)} END AS r "
            + $"FROM {Winners} w LEFT JOIN {Matches} m ON m.f = w.{G} AND {Logs.Key.Equal("m", "w")}) "
            + $"SELECT {G}, {string.Join(", ", snapshot.Schema.FieldsList.Select(f => $"struct_extract(r, {SqlText.Literal(f.Name)}) AS {SqlText.Identifier(f.Name)}"))} "
            + $"FROM merged WHERE NOT struct_extract(r, {SqlText.Literal(RecordSql.IsDelete)})");
    }

    // Base rows whose key some log record has: position and what OfRecord tells of them; and of the log record its place, its ordering value and whether it beats everything.
    private string BaseSql(IReadOnlyDictionary<int, ReadableFile> bases)
    {
        string winner = IsFolded ? Logs.Key.List("w.") : $"w.{RecordSql.Sequence} AS seq, w.{RecordSql.IsReset} AS reset, w.{RecordSql.Order} AS newer";
        var parts = new List<string> { $"SELECT 0 AS f, 0::BIGINT AS pos, NULL::{_records.OrderType} AS o, false AS d, false AS r, {winner} FROM {Winners} w WHERE false" };
        foreach ((IReadOnlyList<ReadableFile> group, string slices) in BaseGroups(bases))
        {
            parts.Add($"SELECT b.f, b.pos, b.{RecordSql.Order} AS o, b.{RecordSql.IsDelete} AS d, b.{RecordSql.IsReset} AS r, {winner} FROM (SELECT {slices} AS f, file_row_number::BIGINT AS pos, "
                + $"{Logs.RecordColumns(group[0], isLog: false)} FROM {SliceScan.From(group)}) b JOIN {Winners} w ON {Logs.Key.Equal("w", "b")} AND w.{G} = b.f");
        }

        return string.Join(" UNION ALL ", parts);
    }

    private string BaseRowsSql(IReadOnlyDictionary<int, ReadableFile> bases, FoldSql fold)
    {
        var parts = new List<string> { $"SELECT w.{G} AS f, {Logs.Key.List("w.")}, w.r FROM {Winners} w WHERE false" };
        foreach ((IReadOnlyList<ReadableFile> group, string slices) in BaseGroups(bases))
        {
            parts.Add($"SELECT b.f, {Logs.Key.List("d.")}, {fold.Pack()} FROM (SELECT {slices} AS f, file_row_number::BIGINT AS pos, {Logs.RecordColumns(group[0], isLog: false)}, "
                + $"NULL::VARCHAR[] AS {RecordSql.Present}, {_scan.Columns(group, snapshot.Schema.FieldsList)} FROM {SliceScan.From(group)}) b "
                + $"JOIN {Dead} d ON d.f = b.f AND d.pos = b.pos");
        }

        return string.Join(" UNION ALL ", parts);
    }

    private IEnumerable<(IReadOnlyList<ReadableFile> Group, string Slices)> BaseGroups(IReadOnlyDictionary<int, ReadableFile> bases)
    {
        var ordinals = bases.ToDictionary(b => b.Value, b => b.Key);
        return _scan.Group(bases.OrderBy(b => b.Key).Select(b => b.Value)).Select(g => (g, OrdinalSql([.. g.Select(f => ordinals[f])])));
    }

    /// <summary>The ordinal of a row's file, given those of the files of a scan.</summary>
    public static string OrdinalSql(IReadOnlyList<int> ordinals)
        => ordinals.Select((o, i) => o - i).Distinct().Count() == 1
            ? $"(file_index::INTEGER + {SliceScan.Text(ordinals[0])})"
            : DecodedBlock.At(ordinals.Select(o => SliceScan.Text(o)), "INTEGER[]");

    /// <summary>A single number.</summary>
    public static long Count(DuckDBConnection connection, string sql)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = sql;
        return (long)command.ExecuteScalar()!;
    }

    private HashSet<int> DeadSlices(DuckDBConnection connection)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT DISTINCT f FROM {Dead}";
        using DuckDBDataReader reader = command.ExecuteReader();
        var slices = new HashSet<int>();
        while (reader.Read())
        {
            slices.Add(reader.GetInt32(0));
        }

        return slices;
    }

    private static void Execute(DuckDBConnection connection, string sql) => EngineDatabase.Execute(connection, sql);
}
