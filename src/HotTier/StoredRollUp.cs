using LakeHolo.Accelerator.Queries;

namespace LakeHolo.HotTier;

/// <summary>How a roll-up is stored: its columns as those of any copy, and beside them the groups' rows, counts and sums.</summary>
/// <remarks>Keys, and the least and greatest of a group, are in the columns themselves. All SQL that is added to the state of a group stands here.</remarks>
internal sealed class StoredRollUp
{
    private readonly RollUp _rollUp;
    private readonly IReadOnlyList<StoredColumn> _columns;
    private readonly int[] _counted;
    private readonly int[] _summed;

    public StoredRollUp(RollUp rollUp, IReadOnlyList<StoredColumn> columns)
    {
        _rollUp = rollUp;
        _columns = columns;
        _counted = [.. rollUp.Columns.Where(c => c.ArgumentType is not null).Select(c => c.Number).Distinct().Order()];
        _summed = [.. rollUp.Columns.Where(c => c.Kind is RollUpKind.Sum or RollUpKind.Average).Select(c => c.Number).Distinct().Order()];
    }

    /// <summary>Names of the columns that hold the states.</summary>
    public IReadOnlyList<string> HiddenNames => ["g_n", .. _counted.Select(a => Text($"g_m{a}")), .. _summed.Select(a => Text($"g_s{a}"))];

    /// <summary>Of a state as the engine gives it, the stored columns.</summary>
    public string Visible => string.Join(", ", Pairs.Select(p => $"CAST({Given(p.Column)} AS {p.Stored.Type}) AS {p.Stored.Stored}"));

    /// <summary>Of such a state, the columns that hold it.</summary>
    public string States => string.Join(
        ", ", _counted.Select(a => Text($"{RollUp.Count(a)} AS g_m{a}")).Concat(_summed.Select(a => $"{RollUp.Sum(a)} AS {Text($"g_s{a}")}")).Prepend($"{RollUp.Rows} AS g_n"));

    /// <summary>Whether least or greatest values are kept.</summary>
    public bool HasExtremes => Extremes.Any();

    private IEnumerable<(RollUpColumn Column, StoredColumn Stored)> Pairs => _rollUp.Columns.Zip(_columns);

    private IEnumerable<(RollUpColumn Column, StoredColumn Stored)> Keys => Pairs.Where(p => p.Column.Kind == RollUpKind.Key);

    private IEnumerable<(RollUpColumn Column, StoredColumn Stored)> Extremes => Pairs.Where(p => p.Column.Kind is RollUpKind.Least or RollUpKind.Most);

    private IEnumerable<(RollUpColumn Column, StoredColumn Stored)> Averages => Pairs.Where(p => p.Column.Kind == RollUpKind.Average);

    /// <summary>What was added less what was taken away, per group: <c>k…</c>, <c>n</c>, <c>m…</c>, <c>s…</c>, and per extreme what came (<c>x…</c>) and went (<c>y…</c>).</summary>
    /// <param name="gone">States of what was taken away.</param>
    /// <param name="come">States of what was added.</param>
    public string Change(string gone, string come)
    {
        string Side(string sign, string relation) => "SELECT " + string.Join(", ", (string[])
        [
            .. Keys.Select(k => $"{RollUp.Key(k.Column.Number)} AS {k.Stored.Stored}"),
            $"{sign}{RollUp.Rows} AS n",
            .. _counted.Select(a => $"{sign}{RollUp.Count(a)} AS m{Text($"{a}")}"),
            .. _summed.Select(a => $"{sign}coalesce({RollUp.Sum(a)}, 0) AS s{Text($"{a}")}"),
            .. Extremes.Select(e => $"{(sign.Length == 0 ? Given(e.Column) : "NULL")} AS x{e.Stored.Stored}, {(sign.Length == 0 ? "NULL" : Given(e.Column))} AS y{e.Stored.Stored}"),
        ]) + $" FROM {relation}";
        string[] sums = ["n", .. _counted.Select(a => Text($"m{a}")), .. _summed.Select(a => Text($"s{a}"))];
        string list = string.Join(", ", (string[])
        [
            .. Keys.Select(k => k.Stored.Stored),
            .. sums.Select(s => $"sum({s}) AS {s}"),
            .. Extremes.Select(e => $"{Pick(e.Column)}(x{e.Stored.Stored}) AS x{e.Stored.Stored}, {Pick(e.Column)}(y{e.Stored.Stored}) AS y{e.Stored.Stored}"),
        ]);

        // What neither adds up to anything nor changes an extreme is no change.
        string changed = string.Join(" OR ", sums.Select(s => $"sum({s}) <> 0").Concat(Extremes.Select(e => $"{Pick(e.Column)}(x{e.Stored.Stored}) IS DISTINCT FROM {Pick(e.Column)}(y{e.Stored.Stored})")));
        return $"SELECT {list} FROM ({Side(string.Empty, come)} UNION ALL {Side("-", gone)}) GROUP BY {string.Join(", ", Keys.Select(k => k.Stored.Stored))} HAVING {changed}";
    }

    /// <summary>The groups as they will be: <c>r</c> (rowid of what they replace), keys, <c>n</c>, <c>m…</c>, <c>s…</c>, extremes, and <c>again</c> where one has to be looked up.</summary>
    /// <param name="change">The change.</param>
    /// <param name="rows">What is stored.</param>
    public string Next(string change, string rows)
    {
        // The row that gave an extreme went, and none that came is as good.
        string again = string.Join(" OR ", Extremes.Select(e =>
        {
            string c = e.Stored.Stored;
            return $"(d.y{c} IS NOT DISTINCT FROM g.{c} AND g.{c} IS NOT NULL AND (d.x{c} IS NULL OR d.x{c} {(e.Column.Kind == RollUpKind.Least ? ">" : "<")} g.{c}))";
        }).DefaultIfEmpty("false"));
        string list = string.Join(", ", (string[])
        [
            "g.rowid AS r",
            .. Keys.Select(k => $"d.{k.Stored.Stored}"),
            "(coalesce(g.g_n, 0) + d.n)::BIGINT AS n",
            .. _counted.Select(a => Text($"(coalesce(g.g_m{a}, 0) + d.m{a})::BIGINT AS m{a}")),
            .. _summed.Select(a => Text($"coalesce(g.g_s{a}, 0) + d.s{a} AS s{a}")),
            .. Extremes.Select(e => $"{(e.Column.Kind == RollUpKind.Least ? "least" : "greatest")}(g.{e.Stored.Stored}, d.x{e.Stored.Stored}) AS {e.Stored.Stored}"),
            $"coalesce({again}, false) AS again",
        ]);
        return $"SELECT {list} FROM {change} d LEFT JOIN {rows} g ON {string.Join(" AND ", Keys.Select(k => $"d.{k.Stored.Stored} IS NOT DISTINCT FROM g.{k.Stored.Stored}"))}";
    }

    /// <summary>The groups with extremes looked up in states of the whole.</summary>
    public string LookedUp(string next, string states)
    {
        string list = string.Join(", ", Extremes.Select(e => $"CASE WHEN d.again THEN w.{(e.Column.Kind == RollUpKind.Least ? RollUp.Least(e.Column.Number) : RollUp.Most(e.Column.Number))} ELSE d.{e.Stored.Stored} END AS {e.Stored.Stored}"));
        string equal = string.Join(" AND ", Keys.Select(k => $"d.{k.Stored.Stored} IS NOT DISTINCT FROM w.{RollUp.Key(k.Column.Number)}"));
        return $"SELECT d.* REPLACE ({list}) FROM {next} d LEFT JOIN ({states}) w ON d.again AND {equal}";
    }

    /// <summary>A condition that holds where something is wrong: more was taken away than there was, or a sum is beyond what averages are exact for.</summary>
    public string Impossible(string next) => $"SELECT 1 FROM {next} WHERE n < 0"
        + string.Concat(_counted.Select(a => Text($" OR m{a} < 0")))
        + string.Concat(Averages.Select(a => $" OR abs({WholeSum(a.Column)}) >= 9223372036854775808::HUGEINT OR m{Text($"{a.Column.Number}")} >= 4611686018427::HUGEINT"));

    /// <summary>Inserts the groups that have rows.</summary>
    public string Insert(string rows, string next)
    {
        string source = next;
        foreach ((RollUpColumn column, StoredColumn stored) in Averages)
        {
            source = $"({Averaged(source, column, stored)})";
        }

        string visible = string.Join(", ", Pairs.Select(p => $"CAST({(p.Column.Kind switch
        {
            RollUpKind.Rows => "n",
            RollUpKind.Count => Text($"m{p.Column.Number}"),
            RollUpKind.Sum => Text($"CASE WHEN m{p.Column.Number} > 0 THEN s{p.Column.Number} END"),
            RollUpKind.Average => "z" + p.Stored.Stored,
            _ => p.Stored.Stored,
        })} AS {p.Stored.Type}) AS {p.Stored.Stored}"));
        string hidden = string.Join(", ", _counted.Select(a => Text($"m{a} AS g_m{a}")).Concat(_summed.Select(a => Text($"s{a} AS g_s{a}"))).Prepend("n AS g_n"));
        return $"INSERT INTO {rows} BY NAME SELECT {visible}, {hidden} FROM {source} WHERE n > 0";
    }

    private static string Pick(RollUpColumn column) => column.Kind == RollUpKind.Least ? "min" : "max";

    private static string Given(RollUpColumn column) => column.Kind switch
    {
        RollUpKind.Key => RollUp.Key(column.Number),
        RollUpKind.Rows => RollUp.Rows,
        RollUpKind.Count => RollUp.Count(column.Number),
        RollUpKind.Sum => RollUp.Sum(column.Number),
        RollUpKind.Average => RollUp.Average(column.Number),
        RollUpKind.Least => RollUp.Least(column.Number),
        _ => RollUp.Most(column.Number),
    };

    // The sum without its decimal point.
    private static string WholeSum(RollUpColumn column)
    {
        (int _, int scale) = RollUp.AverageOf(column.ArgumentType!)!.Value;
        return scale == 0 ? Text($"s{column.Number}::HUGEINT") : Text($"(s{column.Number}::DECIMAL(38,{scale}) * {Power(scale)})::HUGEINT");
    }

    // The engine divides in doubles where the sum fits 32-bit values' own sums, else in the 80-bit numbers of x86-64, and rounds the outcome again to a double. The
    // latter is done here in whole numbers: the quotient's first 64 bits, rounded to even, then 53 of them.
    private static string Averaged(string source, RollUpColumn column, StoredColumn stored)
    {
        (int digits, int scale) = RollUp.AverageOf(column.ArgumentType!)!.Value;
        (string z, string m) = ("z" + stored.Stored, Text($"m{column.Number}"));
        if (digits <= 9)
        {
            return $"SELECT *, CASE WHEN {m} > 0 THEN {WholeSum(column)}::DOUBLE / ({m}::DOUBLE * {Power(scale)}::DOUBLE) END AS {z} FROM {source}";
        }

        string i = stored.Stored;
        const string Two64 = "18446744073709551616::HUGEINT";
        const string Two63 = "9223372036854775808::HUGEINT";
        string q = $"SELECT *, abs({WholeSum(column)}) AS q1{i}, greatest({m}, 1)::HUGEINT * {Power(scale)} AS q2{i} FROM {source}";
        q = $"SELECT *, CASE WHEN q1{i} = 0 THEN 0 ELSE 63 - floor(log2(q1{i}::DOUBLE / q2{i}::DOUBLE))::INTEGER END AS q3{i} FROM ({q})";
        q = $"SELECT *, (q1{i} * pow(2, q3{i})::HUGEINT) // q2{i} AS q4{i} FROM ({q})";
        q = $"SELECT *, q3{i} + CASE WHEN q1{i} = 0 THEN 0 WHEN q4{i} >= {Two64} THEN -1 WHEN q4{i} < {Two63} THEN 1 ELSE 0 END AS q5{i} FROM ({q})";
        q = $"SELECT *, (q1{i} * pow(2, q5{i})::HUGEINT) // q2{i} AS q6{i}, (q1{i} * pow(2, q5{i})::HUGEINT) % q2{i} AS q7{i} FROM ({q})";
        q = $"SELECT *, q6{i} + CASE WHEN 2 * q7{i} > q2{i} OR (2 * q7{i} = q2{i} AND q6{i} % 2 = 1) THEN 1 ELSE 0 END AS q8{i} FROM ({q})";
        q = $"SELECT *, q8{i} // 2048 + CASE WHEN q8{i} % 2048 > 1024 OR (q8{i} % 2048 = 1024 AND (q8{i} // 2048) % 2 = 1) THEN 1 ELSE 0 END AS q9{i} FROM ({q})";
        return $"SELECT *, CASE WHEN {m} > 0 THEN sign({WholeSum(column)}) * (q9{i}::DOUBLE * pow(2, 11 - q5{i})) END AS {z} FROM ({q})";
    }

    private static string Power(int scale) => Text($"{(long)Math.Pow(10, scale)}");

    private static string Text(FormattableString text) => FormattableString.Invariant(text);
}
