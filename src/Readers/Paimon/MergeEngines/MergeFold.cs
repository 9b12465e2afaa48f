using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Paimon.MergeEngines;

/// <summary>Merges the versions of a key one after the other, in their order: aggregation and partial-update as SQL.</summary>
/// <remarks>The versions of a key become a list of structs, and <c>list_reduce</c> walks it; the engine does so for a whole vector of keys at once.
/// The struct holds the row kind <c>v</c>, the columns <c>c0</c>…, and the state: <c>del</c> the last row deleted the key, <c>ins</c> an added row was
/// seen, <c>any</c> any row was seen, <c>i0</c>… a first_value column has begun, <c>n0</c>… a NOT NULL column was to take a NULL, which Paimon refuses when the
/// column is read. Which values a NOT NULL column does not take: PartialUpdateMergeFunction.java and AggregateMergeFunction.java of 1.4.2.</remarks>
internal sealed class MergeFold
{
    private readonly PaimonSnapshot _snapshot;
    private readonly MergeOptions _options;
    private readonly IReadOnlyList<PaimonField> _fields;
    private readonly Dictionary<string, string> _refused = [];
    private readonly AggregateFunction?[] _functions;

    // NOT NULL columns that may meet a NULL; keys never do.
    private readonly int[] _guarded;

    public MergeFold(PaimonSnapshot snapshot, MergeOptions options, bool hasRetracts)
    {
        _snapshot = snapshot;
        _options = options;
        _fields = snapshot.TableSchema.Fields;
        _functions = [.. _fields.Select(FunctionOf)];
        bool mayMeetNull = options.Engine == "partial-update" ? hasRetracts || options.Groups.Count == 0 : hasRetracts && options.RemoveOnDelete;
        _guarded = mayMeetNull
            ? [.. Enumerable.Range(0, _fields.Count).Where(i => !_fields[i].Type.Nullable && !snapshot.TableSchema.PrimaryKeys.Contains(_fields[i].Name))]
            : [];
        if (options.Engine == "partial-update" && hasRetracts && !options.IgnoreDelete && options.Groups.Count == 0 && !options.RemoveOnDelete)
        {
            throw LakeException.FeatureUnsupported(
                "The table has delete rows, which merge-engine=partial-update does not take without one of the options ignore-delete, "
                + "partial-update.remove-record-on-delete or a sequence group",
                snapshot.Table.Root.Location);
        }

        for (int i = 0; i < _fields.Count; i++)
        {
            Check(_fields[i], _functions[i], hasRetracts);
        }
    }

    /// <summary>Columns that cannot be merged, with the reason.</summary>
    /// <param name="connection">A connection.</param>
    /// <param name="merged">Table of the outcome of <see cref="Merge"/>, from which rows that only tell of a refusal are deleted.</param>
    public IReadOnlyDictionary<string, string> Refusals(DuckDBConnection connection, string merged)
    {
        bool any = false;
        foreach (int i in _guarded.Where(i => MergeBatch.Scalar(connection, $"SELECT count(*) FROM {merged} WHERE n{i}") > 0))
        {
            any = true;
            _refused.TryAdd(_fields[i].Name, $"The column '{_fields[i].Name}' is NOT NULL, but a row to be merged (merge-engine={_options.Engine}) has no value of it");
        }

        if (any && !_options.KeepsDeletes)
        {
            EngineDatabase.Execute(connection, $"DELETE FROM {merged} WHERE NOT kept");
        }

        return _refused;
    }

    /// <summary>SELECT g, kept, c0, c1, …, n0, … of the merged rows.</summary>
    /// <param name="rows">The versions: a keys relation with the columns x0, x1, ….</param>
    /// <param name="sql">Keys and order.</param>
    public string Merge(string rows, MergeSql sql)
    {
        IEnumerable<string> start = _fields.Select((f, i) => $"'c{i}': CAST(NULL AS {TypeOf(f)})");
        IEnumerable<string> version = _fields.Select((f, i) => $"'c{i}': CAST(x{i} AS {TypeOf(f)})");
        string[] flags = [.. Enumerable.Range(0, _fields.Count).Where(i => _functions[i]?.NeedsStartFlag == true).Select(i => $"i{i}")];
        string state = string.Concat(flags.Concat(_guarded.Select(i => $"n{i}")).Select(f => $", '{f}': false"));
        string initial = $"{{'v': 0::TINYINT, {string.Join(", ", start)}, 'del': false, 'ins': false, 'any': false{state}}}";
        string item = $"{{'v': v::TINYINT, {string.Join(", ", version)}, 'del': false, 'ins': false, 'any': false{state}}}";
        string step = _options.Engine == "aggregation" ? AggregationStep() : PartialUpdateStep();
        string kept = _options.Engine == "aggregation" ? "NOT r.del" : "r.ins AND NOT r.del";
        string columns = string.Join(", ", _fields.Select((_, i) => $"r.c{i} AS c{i}").Concat(_guarded.Select(i => $"r.n{i} AS n{i}")));
        string wanted = _options.KeepsDeletes ? "" : $" WHERE kept{string.Concat(_guarded.Select(i => $" OR n{i}"))}";
        return $"SELECT * FROM (SELECT g, {kept} AS kept, {columns} FROM (SELECT g, list_reduce(list({item} ORDER BY {sql.Order(newestFirst: false)}), lambda a, x: {step}, {initial}) AS r "
            + $"FROM ({rows}) GROUP BY g, {sql.KeyList})){wanted}";
    }

    private static string TypeOf(PaimonField field) => field.Type.Kind is PaimonTypeKind.Unknown ? "VARCHAR" : PaimonColumns.TypeOf(field);

    private string AggregationStep()
    {
        var members = new List<string>();
        for (int i = 0; i < _fields.Count; i++)
        {
            string value = "a.c" + i;
            if (_functions[i] is AggregateFunction function && !_refused.ContainsKey(_fields[i].Name))
            {
                value = $"CASE WHEN x.v IN (1, 3) THEN {function.Retract("a.c" + i, "x.c" + i) ?? "a.c" + i} ELSE {function.Add("a.c" + i, "x.c" + i, "a.i" + i)} END";
                value = _options.RemoveOnDelete ? $"CASE WHEN x.v = 3 THEN x.c{i} ELSE {value} END" : value;
            }

            members.Add($"'c{i}': CAST({value} AS {TypeOf(_fields[i])})");
        }

        return Struct(members, _options.RemoveOnDelete ? "(x.v = 3)" : "false", i => $"(a.i{i} OR x.v IN (0, 2))", "(x.v = 3)");
    }

    private string PartialUpdateStep()
    {
        // What a retract row meets: the row so far, or itself if it is the first of its key.
        string[] before = [.. _fields.Select((_, i) => $"(CASE WHEN x.v IN (1, 3) AND NOT a.any THEN x.c{i} ELSE a.c{i} END)")];
        string removed = Removed(before);
        var members = new List<string>();
        for (int i = 0; i < _fields.Count; i++)
        {
            string add = AddPartial(i, before);
            string retract = RetractPartial(i, before);
            string value = $"CASE WHEN x.v IN (0, 2) THEN {add} WHEN {removed} THEN x.c{i} ELSE {retract} END";
            members.Add($"'c{i}': CAST({(_refused.ContainsKey(_fields[i].Name) ? "a.c" + i : value)} AS {TypeOf(_fields[i])})");
        }

        // Added rows are looked at where no group has functions of its own; of retract rows the first of a key, and one that takes the place of the whole row.
        string taken = $"(CASE WHEN x.v IN (0, 2) THEN {(_options.Groups.Count == 0 ? "true" : "false")} ELSE NOT a.any OR {removed} END)";
        return Struct(members, $"(x.v IN (1, 3) AND {removed})", Started, taken);

        // A row whose group has no sequence does not reach the group's functions.
        string Started(int i) => _options.Groups.FirstOrDefault(g => g.Has(_fields[i].Name)) is SequenceGroup group
            ? $"(a.i{i} OR (x.v IN (0, 2) AND {IsValid(group)}))"
            : $"(a.i{i} OR x.v IN (0, 2))";
    }

    // taken: whether the row's values are taken as they are, so that a NOT NULL column refuses a NULL.
    private string Struct(List<string> members, string deleted, Func<int, string> started, string taken)
    {
        IEnumerable<string> flags = Enumerable.Range(0, _fields.Count).Where(i => _functions[i]?.NeedsStartFlag == true).Select(i => $", 'i{i}': {started(i)}");
        IEnumerable<string> guards = _guarded.Select(i => $", 'n{i}': (a.n{i} OR (x.c{i} IS NULL AND {taken}))");
        return $"{{'v': x.v, {string.Join(", ", members)}, 'del': {deleted}, 'ins': (a.ins OR x.v IN (0, 2)), 'any': true{string.Concat(flags.Concat(guards))}}}";
    }

    // Whether a retract row removes the record.
    private string Removed(string[] before)
    {
        if (_options.IgnoreDelete)
        {
            return "false";
        }

        if (_options.Groups.Count == 0)
        {
            return _options.RemoveOnDelete ? "(x.v = 3)" : "false";
        }

        string[] groups = [.. _options.Groups.Where(g => g.Sequence.Any(s => _options.RemoveOnSequenceGroup.Contains(s)))
            .Select(g => $"({IsValid(g)} AND {IsNewer(g, before)})")];
        return groups.Length == 0 ? "false" : $"(x.v = 3 AND ({string.Join(" OR ", groups)}))";
    }

    private string AddPartial(int i, string[] before)
    {
        string name = _fields[i].Name;
        SequenceGroup? group = _options.Groups.FirstOrDefault(g => g.Has(name));
        if (group is null)
        {
            return $"coalesce(x.c{i}, {before[i]})";
        }

        string older = before[i];
        string newer = $"x.c{i}";
        if (!group.Sequence.Contains(name) && _functions[i] is AggregateFunction function)
        {
            newer = function.Add(before[i], $"x.c{i}", "a.i" + i) ?? older;
            older = function.AddReversed(before[i], $"x.c{i}", "a.i" + i) ?? older;
        }

        return $"CASE WHEN NOT {IsValid(group)} THEN {before[i]} WHEN {IsNewer(group, before)} THEN {newer} ELSE {older} END";
    }

    private string RetractPartial(int i, string[] before)
    {
        string name = _fields[i].Name;
        SequenceGroup? group = _options.Groups.FirstOrDefault(g => g.Has(name));
        if (group is null || _options.IgnoreDelete)
        {
            return before[i];
        }

        string older = before[i];
        string newer = group.Sequence.Contains(name) ? $"x.c{i}" : "NULL";
        if (!group.Sequence.Contains(name) && _functions[i] is AggregateFunction function)
        {
            newer = older = function.Retract(before[i], $"x.c{i}") ?? before[i];
        }

        return $"CASE WHEN NOT {IsValid(group)} THEN {before[i]} WHEN {IsNewer(group, before)} THEN {newer} ELSE {older} END";
    }

    private string IsValid(SequenceGroup group) => "(" + string.Join(" OR ", group.Sequence.Select(s => $"x.c{IndexOf(s)} IS NOT NULL")) + ")";

    // Column after column, NULL smallest: whether the incoming sequence is at least the present one.
    private string IsNewer(SequenceGroup group, string[] before)
    {
        string test = "true";
        foreach (string column in group.Sequence.Reverse())
        {
            int i = IndexOf(column);
            string greater = $"x.c{i} > {before[i]}";
            string equal = $"x.c{i} IS NOT DISTINCT FROM {before[i]}";
            if (_fields[i].Type.IsFloating)
            {
                // −0.0 is below +0.0 for Paimon, equal for the engine.
                greater += $" OR (x.c{i} = 0 AND {before[i]} = 0 AND signbit({before[i]}) AND NOT signbit(x.c{i}))";
                equal += $" AND (x.c{i} IS NULL OR x.c{i} <> 0 OR signbit(x.c{i}) = signbit({before[i]}))";
            }

            test = $"((x.c{i} IS NOT NULL AND ({before[i]} IS NULL OR {greater})) OR ({equal} AND {test}))";
        }

        return test;
    }

    private int IndexOf(string column)
    {
        for (int i = 0; i < _fields.Count; i++)
        {
            if (_fields[i].Name == column)
            {
                return i;
            }
        }

        throw LakeException.FormatInvalid($"An option of the table names the column '{column}', which is not there", _snapshot.Table.Root.Location);
    }

    private AggregateFunction? FunctionOf(PaimonField field)
    {
        bool isKey = _snapshot.TableSchema.PrimaryKeys.Contains(field.Name);
        string? named = _options.FieldOption(field.Name, "aggregate-function") ?? _options.DefaultFunction;
        if (_options.Engine == "aggregation")
        {
            return new AggregateFunction(
                field, _options.SequenceFields.Contains(field.Name) ? "last_value" : isKey ? "primary-key" : named ?? "last_non_null_value", _options);
        }

        bool isSequence = _options.SequenceFields.Contains(field.Name) || _options.Groups.Any(g => g.Sequence.Contains(field.Name));
        return isSequence ? null : isKey ? new AggregateFunction(field, "primary-key", _options) : named is null ? null : new AggregateFunction(field, named, _options);
    }

    private void Check(PaimonField field, AggregateFunction? function, bool hasRetracts)
    {
        if (function is null)
        {
            return;
        }

        bool grouped = _options.Groups.Any(g => g.Has(field.Name));
        if (function.Add("a", "x", "s") is null
            || (_options.Engine == "partial-update" && !grouped && function.Name is not ("last_non_null_value" or "primary-key")))
        {
            _refused[field.Name] = $"The aggregate function '{function.Name}' of the column '{field.Name}' is not supported for {field.Type.Text}";
        }
        else if (hasRetracts && (_options.Engine == "aggregation" || (grouped && !_options.IgnoreDelete)) && function.Retract("a", "x") is null)
        {
            _refused[field.Name] = $"The table has delete rows, and the aggregate function '{function.Name}' of the column '{field.Name}' cannot retract "
                + $"(option fields.{field.Name}.ignore-retract)";
        }
    }
}
