namespace LakeHolo.Golden.Tests.Delta;

/// <summary>Statements of many shapes over a <see cref="RandomDeltaTable"/>, which name it <c>facts</c>, whose answers do not depend on the order in which rows are met.</summary>
internal sealed class RandomStatements(Random random, RandomDeltaTable table)
{
    private static readonly (string Name, string Delta, string Sql)[] Plain = [.. RandomDeltaTable.Columns.Where(c => c.Name != "st")];

    public string Next() => random.Next(16) switch
    {
        0 => $"SELECT {Many(() => Pick(() => "count(*)", () => $"count({Column().Name})", () => $"min({Value()})", () => $"max({Value()})"), ", ", 1, 4)} FROM facts",
        1 => $"SELECT {Aggregates()} FROM facts{Where("")}",
        2 => $"SELECT {Value()} AS g, {Aggregates()} FROM facts{Where("")} GROUP BY 1{(random.Next(3) == 0 ? " HAVING count(*) > 1" : "")}",
        3 => $"SELECT id, {Value()} AS v FROM facts{Where("")}{Limited()}",
        4 => $"SELECT DISTINCT {Value()} AS v, {Value()} AS w FROM facts{Where("")}",
        5 => $"SELECT count(*), sum(a.id), sum(b.id) FROM facts a {Pick("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "SEMI JOIN", "ANTI JOIN")} facts b ON {On()}{(random.Next(2) == 0 ? " AND " + Condition("a.") : "")}".Replace("SEMI JOIN", "JOIN", StringComparison.Ordinal).Replace("ANTI JOIN", "LEFT JOIN", StringComparison.Ordinal),
        6 => Join(),
        7 => $"SELECT count(*), sum(id) FROM facts a WHERE {Pick("EXISTS", "NOT EXISTS")} (SELECT 1 FROM facts b WHERE {On()} AND {Condition("b.")})",
        8 => $"SELECT count(*), sum(id) FROM facts WHERE {(Column() is var c ? c.Name : "")} {Pick("IN", "NOT IN")} (SELECT {c.Name} FROM facts WHERE {Condition("")})",
        9 => $"WITH c AS {Pick("", "MATERIALIZED ", "NOT MATERIALIZED ")}(SELECT * FROM facts{Where("")}) SELECT (SELECT count(*) FROM c WHERE {Condition("")}) AS n, (SELECT sum(id) FROM c WHERE {Condition("")}) AS m",
        10 => $"SELECT id FROM facts WHERE {Condition("")} {Pick("UNION ALL", "UNION", "EXCEPT", "INTERSECT")} SELECT id FROM facts WHERE {Condition("")}",
        11 => $"SELECT count(*), sum(id) FROM (SELECT id, {Value()} AS v, row_number() OVER (PARTITION BY {Column().Name} ORDER BY id) AS r FROM facts{Where("")}) WHERE r <= 2",
        12 => $"SELECT count(*) FILTER (WHERE {Condition("")}) AS n, count({Column().Name}) FILTER (WHERE {Condition("")}) AS m, count(DISTINCT {Column().Name}) AS k FROM facts{Where("")}",
        13 => $"SELECT {Value()} AS v, {Value()} AS w, count(*) FROM facts{Where("")} GROUP BY {Pick("CUBE", "ROLLUP")} (1, 2)",
        14 => $"SELECT count(*), sum(a.id), sum(b.id) FROM facts a {Pick("JOIN", "LEFT JOIN", "FULL JOIN")} facts AS b AT (VERSION => 0) ON a.id = b.id AND {On()} WHERE {Condition(Pick("a.", "b."))}",
        _ => $"SELECT count(*) FROM facts{Where("")}",
    };

    private string Join()
    {
        (string name, _, _) = Column();
        return $"SELECT count(*), sum(a.id) FROM facts a WHERE a.{name} {Pick("=", "<", ">=")} (SELECT {Pick("min", "max")}({name}) FROM facts b WHERE {Condition("b.")})";
    }

    private string Limited() => $" ORDER BY {Column().Name} {Pick("ASC", "DESC", "")} {Pick("NULLS FIRST", "NULLS LAST", "")}, id LIMIT {random.Next(1, 12)}";

    private string On() => Column() is var c && random.Next(4) == 0 ? $"a.{c.Name} IS NOT DISTINCT FROM b.{c.Name}" : random.Next(5) == 0 ? $"a.{c.Name} = b.{c.Name} AND {Condition("b.")}" : $"a.{c.Name} = b.{c.Name}";

    private string Aggregates() => Many(
        () =>
        {
            (string name, _, string type) = Column();
            bool isExact = type is "TINYINT" or "SMALLINT" or "INTEGER" or "BIGINT" || type.StartsWith("DECIMAL", StringComparison.Ordinal);
            return random.Next(isExact ? 6 : 5) switch
            {
                0 => "count(*)",
                1 => $"count({name})",
                2 => $"min({Plus(name, type)})",
                3 => $"max({Plus(name, type)})",
                4 => $"count(DISTINCT {name})",
                _ => $"sum({name})",
            };
        },
        ", ",
        1,
        4);

    private string Value() => Column() is var c ? Plus(c.Name, c.Sql) : "";

    // Of zeros, which differ in their sign alone, any may stand for a group.
    private static string Plus(string name, string type) => type is "FLOAT" or "DOUBLE" ? $"{name} + 0" : name;

    private string Where(string prefix) => random.Next(5) == 0 ? "" : " WHERE " + Many(() => Condition(prefix), random.Next(3) == 0 ? " OR " : " AND ", 1, 3);

    private string Condition(string prefix) => random.Next(12) switch
    {
        0 => $"NOT ({Simple(prefix)})",
        1 => $"({Simple(prefix)} OR {Simple(prefix)})",
        2 => $"({Simple(prefix)} AND {Simple(prefix)})",
        3 => $"NOT ({Simple(prefix)} {Pick("AND", "OR")} {Simple(prefix)})",
        _ => Simple(prefix),
    };

    private string Simple(string prefix)
    {
        (string name, _, string type) = Column();
        string column = prefix + name;
        string known = table.Known(name);
        string literal = Literal(known, type);
        switch (random.Next(17))
        {
            case 0 or 1 or 2 or 3:
                return random.Next(4) == 0 ? $"{literal} {Comparison()} {column}" : $"{column} {Comparison()} {literal}";
            case 4:
                return $"{column} {Pick("", "NOT ")}BETWEEN {literal} AND {Literal(table.Known(name), type)}";
            case 5:
                return $"{column} {Pick("", "NOT ")}IN ({Many(() => random.Next(9) == 0 ? "NULL" : Literal(table.Known(name), type), ", ", 1, 5)})";
            case 6:
                return $"{column} IS {Pick("", "NOT ")}NULL";
            case 7:
                return $"{column} IS {Pick("", "NOT ")}DISTINCT FROM {literal}";
            case 8:
                return $"coalesce({column}, {literal}) {Comparison()} {Literal(table.Known(name), type)}";
            case 9:
                return $"CASE WHEN {column} {Comparison()} {literal} THEN {Pick("true", "false", "NULL")} ELSE {column} IS NULL END";
            case 10:
                return $"CAST({column} AS VARCHAR) {Comparison()} {Quoted(known)}";
            case 11:
                return $"{prefix}st.{(random.Next(2) == 0 ? $"x {Comparison()} {Literal(table.Known("i"), "INTEGER")}" : $"t {Comparison()} {Quoted(table.Known("t"))}")}";
            case 12:
                (string other, _, string otherType) = Column();
                return otherType == type ? $"{column} {Comparison()} {prefix}{other}" : $"({column} IS NULL) = ({prefix}{other} IS NOT NULL)";
            default:
                return Typed(column, known, literal, type);
        }
    }

    private string Typed(string column, string known, string literal, string type) => type switch
    {
        "VARCHAR" => random.Next(9) switch
        {
            0 => $"{column} {Pick("", "NOT ")}LIKE {Quoted(Cut(known).Replace("%", "", StringComparison.Ordinal) + "%")}",
            1 => $"{column} {Pick("", "NOT ")}ILIKE {Quoted(Cut(known).ToUpperInvariant() + "%")}",
            2 => $"starts_with({column}, {Quoted(Cut(known))})",
            3 => $"{column} LIKE {Quoted("%" + Cut(known) + "%")}",
            4 => $"lower({column}) {Comparison()} {Quoted(known)}",
            5 => $"length({column}) {Comparison()} {known.Length}",
            6 => $"{column} COLLATE NOCASE {Comparison()} {Quoted(known.ToUpperInvariant())}",
            7 => $"{column} || 'x' {Comparison()} {Quoted(known + "x")}",
            _ => $"substring({column}, 1, 1) {Comparison()} {Quoted(Cut(known))}",
        },
        "DATE" => random.Next(5) switch
        {
            0 => $"year({column}) {Comparison()} year({literal})",
            1 => $"date_trunc('month', {column}) {Comparison()} date_trunc('month', {literal})",
            2 => $"{column} {Comparison()} {Quoted(known + " 12:00:00")}::TIMESTAMP",
            3 => $"{column}::TIMESTAMP {Comparison()} {literal}",
            _ => $"strftime({column}, '%Y-%m') {Comparison()} strftime({literal}, '%Y-%m')",
        },
        "TIMESTAMP" or "TIMESTAMPTZ" => random.Next(5) switch
        {
            0 => $"CAST({column} AS DATE) {Comparison()} {literal}::DATE",
            1 => $"date_trunc('{Pick("hour", "day", "month")}', {column}) {Comparison()} {literal}",
            2 => $"{column} {Comparison()} {literal}::DATE",
            3 => $"{column}::{(type == "TIMESTAMP" ? "TIMESTAMPTZ" : "TIMESTAMP")} {Comparison()} {literal}",
            _ => $"epoch_us({column}) {Comparison()} epoch_us({literal})",
        },
        "BOOLEAN" => Pick(column, $"NOT {column}", $"{column} = {literal}", $"{column} IS TRUE", $"{column}::INTEGER = 1"),
        _ => random.Next(9) switch
        {
            0 => $"{column}::DOUBLE {Comparison()} {Quoted(known)}::DOUBLE",
            1 => $"{column} {Comparison()} {Quoted(known)}::DOUBLE + 0.5",
            2 => $"TRY_CAST({column} AS {Pick("TINYINT", "BIGINT", "DECIMAL(18,3)", "FLOAT", "HUGEINT", "UBIGINT")}) {Comparison()} {literal}",
            3 => $"abs({column}::DOUBLE) {Comparison()} {Quoted(known)}::DOUBLE",
            4 => $"TRY_CAST({column} AS BIGINT) % 7 = {random.Next(7)}",
            5 => $"{column}::DOUBLE * 0.1 {Comparison()} {Quoted(known)}::DOUBLE * 0.1",
            6 => $"{column} {Comparison()} {Quoted(known)}",
            7 => $"greatest({column}, {literal}) {Comparison()} {literal}",
            _ => $"TRY_CAST({column} AS HUGEINT) + 1 {Comparison()} TRY_CAST({Quoted(known)} AS HUGEINT) + 1",
        },
    };

    private string Literal(string known, string type)
    {
        string quoted = Quoted(known);
        bool isNumber = type is not ("VARCHAR" or "DATE" or "TIMESTAMP" or "TIMESTAMPTZ" or "BOOLEAN") && !known.Contains('n', StringComparison.Ordinal);
        return random.Next(4) switch
        {
            0 => quoted,
            1 when isNumber => known.StartsWith('-') ? $"({known})" : known,
            _ => $"{quoted}::{type}",
        };
    }

    private string Cut(string text) => text.Length == 0 || char.IsSurrogate(text[0]) ? text : text[..random.Next(1, Math.Min(text.Length, 40) + 1)] is var cut && char.IsHighSurrogate(cut[^1]) ? text : text[..random.Next(1, text.Length + 1)];

    private string Comparison() => Pick("=", "<>", "<", "<=", ">", ">=");

    private (string Name, string Delta, string Sql) Column() => Plain[random.Next(Plain.Length)];

    private string Many(Func<string> next, string between, int least, int most) => string.Join(between, Enumerable.Range(0, random.Next(least, most + 1)).Select(_ => next()));

    private static string Quoted(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";

    private string Pick(params string[] of) => of[random.Next(of.Length)];

    private string Pick(params Func<string>[] of) => of[random.Next(of.Length)]();
}
