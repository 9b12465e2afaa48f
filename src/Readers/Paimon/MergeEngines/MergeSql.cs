using System.Globalization;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;

namespace LakeHolo.Readers.Paimon.MergeEngines;

/// <summary>The SQL that finds versions of one key and puts them in order.</summary>
/// <remarks>Columns of a keys relation: g bucket, f file, pos position, lvl level, v row kind, s sequence number, k0… key, u0… user sequence; z0… and w0… tell the zeros
/// of floating numbers apart in either, since −0.0 is equal to +0.0 for the engine, but smaller for Paimon.</remarks>
internal sealed class MergeSql
{
    private readonly IReadOnlyList<PaimonField> _keys;
    private readonly IReadOnlyList<PaimonField> _sequence;
    private readonly List<string> _keyNames = [];

    public MergeSql(PaimonSnapshot snapshot, MergeOptions options)
    {
        Snapshot = snapshot;
        Options = options;
        _keys = [.. snapshot.TableSchema.TrimmedPrimaryKeys.Select(snapshot.TableSchema.Field)];
        _sequence = [.. options.SequenceFields.Select(snapshot.TableSchema.Field)];
        KeyColumns = [.. _keys, .. _sequence];
        for (int i = 0; i < _keys.Count; i++)
        {
            _keyNames.Add($"k{i}");
            if (_keys[i].Type.IsFloating)
            {
                _keyNames.Add($"z{i}");
            }
        }
    }

    public PaimonSnapshot Snapshot { get; }

    public MergeOptions Options { get; }

    /// <summary>The key, without the columns of the partition.</summary>
    public IReadOnlyList<PaimonField> KeyFields => _keys;

    /// <summary>The columns a keys relation is made from.</summary>
    public IReadOnlyList<PaimonField> KeyColumns { get; }

    public string KeyList => string.Join(", ", _keyNames);

    /// <summary>Whether a row counts when several versions are merged.</summary>
    public string KeepsForMerge => Options.UsesLookupRule
        ? $"(lvl = 0 OR row_number() OVER (PARTITION BY g, {KeyList} ORDER BY (lvl = 0), lvl) = 1)"
        : "true";

    /// <summary>Later versions last.</summary>
    public string Order(bool newestFirst, string prefix = "")
    {
        // NULL is the smallest user sequence whatever the direction; at equal sequence a retract row is the earlier one.
        string ascending = newestFirst ? "DESC NULLS LAST" : "ASC NULLS FIRST";
        string user = Options.Descending ? (newestFirst ? "ASC NULLS LAST" : "DESC NULLS FIRST") : ascending;
        string plain = newestFirst ? "DESC" : "ASC";
        string zero = plain == (Options.Descending ? "DESC" : "ASC") ? "DESC" : "ASC";
        IEnumerable<string> parts = _sequence.SelectMany((f, i) => (string[])(f.Type.IsFloating ? [$"{prefix}u{i} {user}", $"{prefix}w{i} {zero}"] : [$"{prefix}u{i} {user}"]))
            .Append($"{prefix}s {plain}").Append($"({prefix}v IN (0, 2)) {plain}").Append($"{prefix}f {plain}").Append($"{prefix}pos {plain}");
        return string.Join(", ", parts);
    }

    public string KeysEqual(string a, string b) => string.Join(" AND ", _keyNames.Select(k => $"{a}.{k} IS NOT DISTINCT FROM {b}.{k}"));

    /// <summary>An anti join of files of large runs with keys that newer runs hold, and the columns it needs.</summary>
    /// <param name="group">The files, <c>r</c> in the FROM clause.</param>
    /// <param name="keys">Table (g, k0, …).</param>
    /// <param name="buckets">Numbers of the files' buckets, in their order.</param>
    public (string Join, IEnumerable<PaimonField> Physical) KeyAntiJoin(PaimonFileGroup group, string keys, IReadOnlyList<int> buckets)
    {
        IReadOnlyList<PaimonColumnSource> sources = group.Resolve(Snapshot, _keys);
        IEnumerable<string> equal = _keys.SelectMany((k, i) => KeyExpressions(k, sources[i].Expression, i))
            .Select(e => e.Split(" AS ")).Select(e => $"d.{e[^1]} IS NOT DISTINCT FROM {string.Join(" AS ", e[..^1])}");
        IEnumerable<PaimonField> physical = sources.Where(s => s.Physical is not null).Select(s => s.Physical!);

        // In one partition a key lies in one bucket only.
        if (Snapshot.TableSchema.PartitionKeys.Count == 0)
        {
            return ($" ANTI JOIN (SELECT * FROM {keys} WHERE g IN ({string.Join(", ", buckets.Distinct())})) d ON {string.Join(" AND ", equal)}", physical);
        }

        string map = string.Join(", ", buckets.Select((g, i) => string.Create(CultureInfo.InvariantCulture, $"({i}, {g})")));
        return ($" ANTI JOIN (SELECT n.i::UBIGINT AS i, t.* FROM {keys} t JOIN (VALUES {map}) n(i, g) ON t.g = n.g) d ON d.i = r.file_index AND {string.Join(" AND ", equal)}", physical);
    }

    /// <summary>Index of the file, position, kind, sequence number and key of the rows of files, as BIGINT; for keys of whole numbers. Kinds and sequence numbers are as they lie: SQL that
    /// checks them takes the engine longer to plan than the rows to read.</summary>
    public string NumberedKeys(PaimonFileGroup group)
    {
        (IReadOnlyList<string> key, IEnumerable<PaimonField> physical) = KeyNumbers(group);
        return $"SELECT r.file_index::BIGINT, r.file_row_number, r.{PaimonColumns.ValueKind}::BIGINT, r.{PaimonColumns.Sequence}, {string.Join(", ", key)} "
            + $"FROM {group.From(Snapshot, physical, withSystemColumns: true, withPartition: false)}";
    }

    /// <summary>The parts of the keys of rows of files, as BIGINT, and the columns they need; for keys of whole numbers.</summary>
    public (IReadOnlyList<string> Parts, IEnumerable<PaimonField> Physical) KeyNumbers(PaimonFileGroup group)
    {
        IReadOnlyList<PaimonColumnSource> sources = group.Resolve(Snapshot, _keys);
        return ([.. sources.Select(s => $"({s.Expression})::BIGINT")], sources.Where(s => s.Physical is not null).Select(s => s.Physical!));
    }

    /// <summary>Keys, order and place of the rows of some files of a group; empty if there are none.</summary>
    public string Keys(
        PaimonFileGroup group, IReadOnlyDictionary<PaimonDataFile, int> numbers, IReadOnlyDictionary<PaimonDataFile, int> buckets,
        Func<PaimonDataFile, bool> isWanted, string? dead)
    {
        PaimonFileGroup part = group.Of(isWanted);
        if (part.Files.Count == 0)
        {
            return "";
        }

        IReadOnlyList<PaimonColumnSource> sources = part.Resolve(Snapshot, KeyColumns);
        IEnumerable<string> keys = _keys.SelectMany((k, i) => KeyExpressions(k, sources[i].Expression, i));
        IEnumerable<string> sequence = _sequence.SelectMany((f, i) => Floats(f, sources[_keys.Count + i].Expression, $"u{i}", $"w{i}"));
        string from = part.From(Snapshot, sources.Where(s => s.Physical is not null).Select(s => s.Physical!), withSystemColumns: true, NeedsPartition(sources));
        string where = dead is null ? "" : $" WHERE NOT EXISTS (SELECT 1 FROM {dead} d WHERE d.f = m.f AND d.pos = r.file_row_number)";
        // Under the lookup rule an ignored row still hides the versions on the levels below it.
        if (Options.IgnoreDelete && Options.PicksOneVersion && !Options.UsesLookupRule && !Options.KeepsDeletes)
        {
            where += (where.Length == 0 ? " WHERE " : " AND ") + RowKinds.IsAdded(part);
        }

        return $"SELECT m.g, m.f, r.file_row_number AS pos, m.lvl, {RowKinds.Number(part)} AS v, {Sequence(part)} AS s, {string.Join(", ", keys.Concat(sequence))} "
            + $"FROM {from} JOIN {Numbers(part, numbers, buckets)} ON m.i = r.file_index{where}";
    }

    /// <summary>Whole rows of the versions that are merged: their keys relation plus the columns c0, c1, ….</summary>
    public string Rows(
        PaimonFileGroup group, IReadOnlyDictionary<PaimonDataFile, int> numbers, IReadOnlyDictionary<PaimonDataFile, int> buckets, string versions)
    {
        IReadOnlyList<PaimonField> fields = Snapshot.TableSchema.Fields;
        IReadOnlyList<PaimonColumnSource> sources = group.Resolve(Snapshot, fields);
        string from = group.From(Snapshot, sources.Where(s => s.Physical is not null).Select(s => s.Physical!), withSystemColumns: false, NeedsPartition(sources));
        return $"SELECT t.*, {string.Join(", ", sources.Select((s, i) => $"{s.Expression} AS x{i}"))} FROM {from} "
            + $"JOIN {Numbers(group, numbers, buckets)} ON m.i = r.file_index JOIN {versions} t ON t.f = m.f AND t.pos = r.file_row_number WHERE t.used";
    }

    /// <summary>Places of the versions that lost, and of winners that delete their key.</summary>
    public string Losers(string touched)
    {
        string order = Order(newestFirst: Options.Engine != "first-row");
        string used = Options.UsesLookupRule || Options.KeepsDeletes ? $"({KeepsForMerge}{(Options.IgnoreDelete ? " AND v NOT IN (1, 3)" : "")})" : "true";

        // A row that is the only one of its key is not merged at all.
        used = Options.KeepsDeletes ? $"({used} OR count(*) OVER (PARTITION BY g, {KeyList}) = 1)" : used;
        return $"SELECT f, pos FROM (SELECT *, row_number() OVER (PARTITION BY g, {KeyList}, used ORDER BY {order}) AS place "
            + $"FROM (SELECT *, {used} AS used FROM {touched})) WHERE NOT used OR place > 1{(Options.KeepsDeletes ? "" : " OR v IN (1, 3)")}";
    }

    /// <summary>As <see cref="Losers"/>, where the newest version wins whatever the others are, and only the newer runs' are there: most keys have one, which
    /// need not be put in order.</summary>
    public string NewestLosers(string touched)
    {
        if (Options.KeepsDeletes || Options.UsesLookupRule)
        {
            return Losers(touched);
        }

        string several = $"SELECT t.* FROM {touched} t SEMI JOIN (SELECT g, {KeyList} FROM {touched} GROUP BY ALL HAVING count(*) > 1) n ON t.g = n.g AND {KeysEqual("t", "n")}";
        return $"SELECT f, pos FROM {touched} WHERE v IN (1, 3) UNION ALL SELECT f, pos FROM "
            + $"(SELECT *, row_number() OVER (PARTITION BY g, {KeyList} ORDER BY {Order(newestFirst: true)}) AS place FROM ({several})) WHERE place > 1 AND v NOT IN (1, 3)";
    }

    /// <summary>A retract row among several versions is an error under first-row.</summary>
    public void CheckFirstRow(DuckDBConnection connection, string touched)
    {
        if (Options.Engine == "first-row" && !Options.IgnoreDelete
            && MergeBatch.Scalar(connection, $"SELECT count(*) FROM (SELECT v, count(*) OVER (PARTITION BY g, {KeyList}) n FROM {touched}) WHERE n > 1 AND v IN (1, 3)") > 0)
        {
            throw LakeException.FeatureUnsupported(
                "The table has delete rows, which merge-engine=first-row does not take without the option ignore-delete", Snapshot.Table.Root.Location);
        }
    }

    public static bool NeedsPartition(IEnumerable<PaimonColumnSource> sources) => sources.Any(s => s.Expression.StartsWith("p.c", StringComparison.Ordinal));

    private string Sequence(PaimonFileGroup group)
    {
        string stored = $"coalesce(r.{PaimonColumns.Sequence}, error('A row has no sequence number, in ' || {RowKinds.FileOf(group)}))";
        return Options.SnapshotOrdering
            ? $"CASE m.src WHEN 0 THEN m.mins WHEN 1 THEN {stored} ELSE error('sequence.snapshot-ordering needs the source of each file') END"
            : stored;
    }

    private static IEnumerable<string> KeyExpressions(PaimonField key, string expression, int index) => Floats(key, expression, $"k{index}", $"z{index}");

    private static IEnumerable<string> Floats(PaimonField field, string expression, string name, string zero) => field.Type.IsFloating
        ? [$"{expression} AS {name}", $"(signbit({expression}) AND {expression} = 0) AS {zero}"]
        : [$"{expression} AS {name}"];

    private static string Numbers(PaimonFileGroup group, IReadOnlyDictionary<PaimonDataFile, int> numbers, IReadOnlyDictionary<PaimonDataFile, int> buckets)
    {
        IEnumerable<string> rows = group.Files.Select((f, i) => string.Create(
            CultureInfo.InvariantCulture, $"({i}, {numbers[f]}, {buckets[f]}, {f.Level}, {f.MinSequenceNumber}::BIGINT, {f.FileSource ?? -1})"));
        return $"(VALUES {string.Join(", ", rows)}) m(i, f, g, lvl, mins, src)";
    }
}
