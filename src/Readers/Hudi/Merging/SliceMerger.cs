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

/// <summary>A data block's records in a Parquet file.</summary>
/// <param name="File">The file.</param>
/// <param name="Slice">Ordinal of the slice.</param>
/// <param name="Order">Place among the slice's blocks.</param>
/// <param name="PresentColumns">The columns of a partial block; null if it has all.</param>
internal sealed record DecodedBlock(ReadableFile File, int Slice, int Order, IReadOnlyList<string>? PresentColumns);

/// <summary>The keys of a delete block.</summary>
internal sealed record DecodedDeletes(int Slice, int Order, IReadOnlyList<DeletedKey> Keys);

/// <summary>Merges the log records of a snapshot's slices: resolved among themselves by key, then looked up in the base files. The base is never sorted,
/// and only its key (and ordering) columns are read.</summary>
internal sealed class SliceMerger(EngineDatabase engine, HudiSnapshot snapshot, MergeRules rules)
{
    private const long RowsPerBlock = 1L << 32;
    private static long _tables;
    private readonly SliceScan _scan = new(snapshot);
    private readonly RecordSql _records = new(snapshot, rules);
    private RecordKey _key = RecordKey.Text(snapshot);
    private readonly string _name = "hudi_merge.t" + SliceScan.Text(Interlocked.Increment(ref _tables));

    private string Log => _name + "_log";

    private string Winners => _name + "_win";

    private string Matches => _name + "_match";

    private string Dead => _name + "_dead";

    private string Rows => _name + "_rows";

    private static string K => RecordSql.Key;

    private static string G => RecordSql.Slice;

    private bool IsFolded => rules.Fill != FillMode.None;

    /// <summary>Merges.</summary>
    /// <param name="blocks">Data blocks.</param>
    /// <param name="deletes">Delete blocks.</param>
    /// <param name="bases">Base files by the ordinal of their slice.</param>
    public MergedSlices Merge(IReadOnlyList<DecodedBlock> blocks, IReadOnlyList<DecodedDeletes> deletes, IReadOnlyDictionary<int, ReadableFile> bases)
    {
        using DuckDBConnection connection = engine.OpenConnection();
        EngineDatabase.Execute(connection, "CREATE SCHEMA IF NOT EXISTS hudi_merge");
        bool isDone = false;
        try
        {
            _key = IsFolded ? RecordKey.Text(snapshot) : RecordKey.Choose(snapshot, [.. blocks.Select(b => b.File), .. bases.Values], deletes);
            LoadLog(connection, blocks, deletes);
            if (!_key.IsText && Count(connection, $"SELECT count(*) FROM {Log} WHERE {K} IS NULL") > 0)
            {
                _key = RecordKey.Text(snapshot);
                Execute(connection, $"DROP TABLE {Log}; DROP TABLE {Log}_del");
                LoadLog(connection, blocks, deletes);
            }

            if (IsFolded)
            {
                Fold(connection, bases);
            }
            else
            {
                Choose(connection, blocks, bases);
            }

            isDone = true;
            HashSet<int> dead = DeadSlices(connection);
            return new MergedSlices(engine, Dead, Rows, bases.Where(b => dead.Contains(b.Key)).ToDictionary(b => b.Value.Identity, b => b.Key, StringComparer.Ordinal));
        }
        catch (DuckDBException error)
        {
            throw new LakeException(LakeErrorKind.FormatInvalid, "Hudi: merging log files failed: " + error.Message, snapshot.Table.FullName, innerException: error);
        }
        finally
        {
            string[] tables = isDone ? [Log, Log + "_del", Winners, Matches] : [Log, Log + "_del", Winners, Matches, Dead, Rows];
            EngineDatabase.Execute(connection, string.Concat(tables.Select(t => $"DROP TABLE IF EXISTS {t};")));
        }
    }

    private void LoadLog(DuckDBConnection connection, IReadOnlyList<DecodedBlock> blocks, IReadOnlyList<DecodedDeletes> deletes)
    {
        LoadDeletes(connection, deletes);
        Execute(connection, $"CREATE TABLE {Log} AS {LogSql(blocks)}");
    }

    // The newest record of each key: after the last one that beats everything before it, the greatest by ordering value, then by place. The log holds keys and ordering
    // values only: whole records are read once, when it is known which of them are live.
    private void Choose(DuckDBConnection connection, IReadOnlyList<DecodedBlock> blocks, IReadOnlyDictionary<int, ReadableFile> bases)
    {
        const string Seq = RecordSql.Sequence, Order = RecordSql.Order, IsReset = RecordSql.IsReset, IsDelete = RecordSql.IsDelete;
        Execute(connection, _records.IsCommitTime
            ? $"CREATE TABLE {Winners} AS SELECT {G}, {K}, max({Seq}) AS {Seq}, true AS {IsReset}, 0 AS {Order}, arg_max({IsDelete}, {Seq}) AS {IsDelete} FROM {Log} GROUP BY {G}, {K}"
            : $"CREATE TABLE {Winners} AS SELECT l.{G}, l.{K}, l.{Seq}, l.{IsReset}, l.{Order}, l.{IsDelete} FROM ("
                + $"SELECT {G}, {K}, arg_max({Seq}, struct_pack(a := NOT {IsReset}, b := {Order}, c := {Seq})) AS {Seq} FROM ("
                + $"SELECT *, coalesce(max({Seq}) FILTER ({IsReset}) OVER (PARTITION BY {G}, {K}), -1) AS reset_at FROM {Log}) WHERE {Seq} >= reset_at GROUP BY {G}, {K}) w "
                + $"JOIN {Log} l ON l.{G} = w.{G} AND l.{Seq} = w.{Seq}");
        Execute(connection, $"CREATE TABLE {Matches} AS SELECT f, seq, min(pos) AS pos, "
            + $"NOT coalesce(NOT (any_value(reset) OR arg_min(struct_pack(v := o), pos).v IS NULL OR any_value(newer) >= arg_min(struct_pack(v := o), pos).v), false) AS wins FROM ({BaseSql(bases)}) GROUP BY f, seq");
        Execute(connection, $"CREATE TABLE {Dead} AS SELECT f, pos FROM {Matches} WHERE wins");
        string live = $"(SELECT w.{G}, w.{Seq} FROM {Winners} w ANTI JOIN (SELECT f, seq FROM {Matches} WHERE NOT wins) b ON b.f = w.{G} AND b.seq = w.{Seq} WHERE NOT w.{IsDelete})";
        IEnumerable<string> parts = BlockGroups(blocks).Select(g =>
            $"SELECT {SliceOf(g.Blocks)} AS {G}, {_scan.Columns(g.Files, snapshot.Schema.FieldsList)} FROM {SliceScan.From(g.Files)} r SEMI JOIN {live} v ON v.{G} = {SliceOf(g.Blocks)} AND v.{Seq} = {SequenceOf(g.Blocks)}");
        Execute(connection, $"CREATE TABLE {Rows} AS {string.Join(" UNION ALL ", parts.Append(SliceScan.Nothing([new Field(G, Int32Type.Default, true), .. snapshot.Schema.FieldsList])))}");
    }

    // Winners take values from losers: records are folded one by one, then with the matched base rows.
    private void Fold(DuckDBConnection connection, IReadOnlyDictionary<int, ReadableFile> bases)
    {
        var fold = new FoldSql(snapshot, rules, _records);
        Execute(connection, $"CREATE TABLE {Winners} AS SELECT {G}, {K}, list_reduce(list({fold.Pack()} ORDER BY {RecordSql.Sequence}), "
            + $"lambda a, b: {fold.Merge("a", "b", withBase: false)}) AS r FROM {Log} GROUP BY {G}, {K}");
        Execute(connection, $"CREATE TABLE {Dead} AS SELECT f, min(pos) AS pos, k AS {K} FROM ({BaseSql(bases)}) GROUP BY f, k");
        Execute(connection, $"CREATE TABLE {Matches} AS " + BaseRowsSql(bases, fold));
        Execute(connection, $"CREATE TABLE {Rows} AS WITH merged AS (SELECT w.{G}, CASE WHEN m.r IS NULL THEN w.r ELSE {fold.Merge("m.r", "w.r", withBase: true)} END AS r "
            + $"FROM {Winners} w LEFT JOIN {Matches} m ON m.f = w.{G} AND m.{K} = w.{K}) "
            + $"SELECT {G}, {string.Join(", ", snapshot.Schema.FieldsList.Select(f => $"struct_extract(r, {SqlText.Literal(f.Name)}) AS {SqlText.Identifier(f.Name)}"))} "
            + $"FROM merged WHERE NOT struct_extract(r, {SqlText.Literal(RecordSql.IsDelete)})");
    }

    private string LogSql(IReadOnlyList<DecodedBlock> blocks)
    {
        var parts = new List<string>();
        foreach ((IReadOnlyList<ReadableFile> group, DecodedBlock[] members) in BlockGroups(blocks))
        {
            string record = $"SELECT {SliceOf(members)} AS {G}, {SequenceOf(members)} AS {RecordSql.Sequence}, {RecordColumns(group[0])}";
            string present = rules.Fill != FillMode.Absent ? "NULL::VARCHAR[]"
                : At(members.Select(m => m.PresentColumns is null ? "NULL" : SqlText.LiteralList(m.PresentColumns)), "VARCHAR[][]");
            parts.Add(record + (IsFolded ? $", {present} AS {RecordSql.Present}, {_scan.Columns(group, snapshot.Schema.FieldsList)}" : "") + $" FROM {SliceScan.From(group)}");
        }

        string order = $"CAST({_records.OrderingOfDelete()} AS {_records.OrderType})";
        string nulls = string.Join(", ", snapshot.Schema.FieldsList.Select(f => $"CAST(NULL AS {SqlText.TypeOf(f)}) AS {SqlText.Identifier(f.Name)}"));
        parts.Add($"SELECT g, seq, CAST(k AS {_key.Type}), {order} AS {RecordSql.Order}, true, ({order}) IS NULL{(IsFolded ? ", NULL::VARCHAR[], " + nulls : "")} FROM {Log}_del");
        string names = string.Join(", ", [G, RecordSql.Sequence, K, RecordSql.Order, RecordSql.IsDelete, RecordSql.IsReset]) + (IsFolded ? $", {RecordSql.Present}, {Names("")}" : "");
        return $"SELECT * FROM ({string.Join(" UNION ALL ", parts)}) AS x({names})";
    }

    // Base rows whose key some log record has, with position and ordering value; and of the log record its place, its ordering value and whether it beats everything.
    private string BaseSql(IReadOnlyDictionary<int, ReadableFile> bases)
    {
        string winner = IsFolded ? $"w.{K} AS k" : $"w.{RecordSql.Sequence} AS seq, w.{RecordSql.IsReset} AS reset, w.{RecordSql.Order} AS newer";
        var parts = new List<string> { $"SELECT 0 AS f, 0::BIGINT AS pos, NULL::{_records.OrderType} AS o, {winner} FROM {Winners} w WHERE false" };
        foreach ((IReadOnlyList<ReadableFile> group, string slices) in BaseGroups(bases))
        {
            string Column(Field f) => _scan.Column(group[0], f);
            parts.Add($"SELECT b.f, b.pos, b.o, {winner} FROM (SELECT {slices} AS f, file_row_number::BIGINT AS pos, {_key.Of(Column)} AS {K}, "
                + $"CAST({_records.Ordering(Column)} AS {_records.OrderType}) AS o FROM {SliceScan.From(group)}) b JOIN {Winners} w ON w.{G} = b.f AND w.{K} = b.{K}");
        }

        return string.Join(" UNION ALL ", parts);
    }

    private IEnumerable<(IReadOnlyList<ReadableFile> Files, DecodedBlock[] Blocks)> BlockGroups(IReadOnlyList<DecodedBlock> blocks)
    {
        var byFile = blocks.ToDictionary(b => b.File);
        return _scan.Group(blocks.Select(b => b.File)).Select(g => (g, g.Select(f => byFile[f]).ToArray()));
    }

    private static string SliceOf(IEnumerable<DecodedBlock> blocks) => At(blocks.Select(b => SliceScan.Text(b.Slice)), "INTEGER[]");

    private static string SequenceOf(IEnumerable<DecodedBlock> blocks) => At(blocks.Select(b => SliceScan.Text(b.Order * RowsPerBlock)), "BIGINT[]") + " + file_row_number";

    private string BaseRowsSql(IReadOnlyDictionary<int, ReadableFile> bases, FoldSql fold)
    {
        var parts = new List<string> { $"SELECT w.{G} AS f, w.{K}, w.r FROM {Winners} w WHERE false" };
        foreach ((IReadOnlyList<ReadableFile> group, string slices) in BaseGroups(bases))
        {
            parts.Add($"SELECT b.f, d.{K}, {fold.Pack()} FROM (SELECT {slices} AS f, file_row_number::BIGINT AS pos, {RecordColumns(group[0])}, "
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
            : At(ordinals.Select(o => SliceScan.Text(o)), "INTEGER[]");

    private string RecordColumns(ReadableFile file) => _records.OfRecord(
        _key, f => _scan.Column(file, f), name => file.Shape.Columns.Any(c => c.Name == name)).Replace($" AS {RecordSql.Order},", $"::{_records.OrderType} AS {RecordSql.Order},", StringComparison.Ordinal);

    private void LoadDeletes(DuckDBConnection connection, IReadOnlyList<DecodedDeletes> deletes)
    {
        string parts = string.Concat(Enumerable.Range(0, _records.OrderingParts).Select(i => $", o{SliceScan.Text(i)} VARCHAR"));
        EngineDatabase.Execute(connection, $"CREATE TABLE {Log}_del (g INTEGER, seq BIGINT, k VARCHAR{parts})");
        using DuckDBAppender appender = connection.CreateAppender("hudi_merge", (Log + "_del")["hudi_merge.".Length..]);
        foreach (DecodedDeletes block in deletes)
        {
            long sequence = block.Order * RowsPerBlock;
            foreach (DeletedKey key in block.Keys)
            {
                IDuckDBAppenderRow row = appender.CreateRow().AppendValue(block.Slice).AppendValue(sequence++).AppendValue(_key.OfDeleted(key.Key));
                for (int i = 0; i < _records.OrderingParts; i++)
                {
                    // A single value where several are expected (or the other way round) is of another class: the deletion then wins.
                    row.AppendValue(key.Ordering?.Length == _records.OrderingParts ? key.Ordering[i] : null);
                }

                row.EndRow();
            }
        }
    }

    private static long Count(DuckDBConnection connection, string sql)
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

    private string Names(string prefix) => string.Join(", ", snapshot.Schema.FieldsList.Select(f => prefix + SqlText.Identifier(f.Name)));

    private static string At(IEnumerable<string> values, string type)
    {
        string[] all = [.. values];
        return all.Distinct().Count() == 1
            ? $"CAST({all[0]} AS {type[..^2]})"
            : string.Create(CultureInfo.InvariantCulture, $"CAST([{string.Join(", ", all)}] AS {type})[file_index::BIGINT + 1]");
    }

    private static void Execute(DuckDBConnection connection, string sql) => EngineDatabase.Execute(connection, sql);
}
