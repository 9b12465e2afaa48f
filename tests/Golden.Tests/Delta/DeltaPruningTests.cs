using System.Globalization;
using System.Numerics;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Delta.Schema;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Delta;

public class DeltaPruningTests
{
    private const int FiltersPerCase = 150;

    public static TheoryData<string> Tables =>
    [
        "stats_edge", "part_many_types", "type_widening", "ckpt_struct_stats", "part_string_special", "timestamp_ntz", "rs_partition_dml", "cmap_name_mode", "cmap_id_mode",
        "cmap_nested_drop", "dv_delete_update_merge", "multi_version_dml",
    ];

    [Theory]
    [MemberData(nameof(Tables))]
    public async Task A_pruned_scan_gives_the_rows_of_an_unpruned_one_for_random_filters(string name)
    {
        using DeltaCase golden = DeltaCase.Open(name);
        DeltaSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        await using TableScan all = await golden.Reader.PlanAsync(snapshot, ScanRequest.All);
        var random = new Random(name.Length);
        using DuckDBConnection connection = golden.Engine.OpenConnection();
        EngineDatabase.Execute(connection, $"CREATE TABLE everything AS {all.Sql}");
        var leaves = new List<(ScanFilter Filter, string Sql)>();
        foreach (DeltaField column in snapshot.Columns.Fields)
        {
            leaves.AddRange(Leaves(connection, column, column.Name, SqlText.Identifier(column.Name)));
            if (snapshot.PartitionFields.Contains(column))
            {
                leaves.AddRange(Expressions(column));
            }
        }

        long pruned = 0;
        for (int i = 0; i < FiltersPerCase; i++)
        {
            (ScanFilter filter, string sql) = Combine(leaves, random, depth: 0);
            await using TableScan scan = await golden.Reader.PlanAsync(snapshot, new ScanRequest { Filter = filter });
            pruned += scan.Statistics.FilesPrunedByPartition + scan.Statistics.FilesPrunedByStatistics;
            long lost = Count(connection, $"(SELECT * FROM everything WHERE {sql}) EXCEPT ALL (SELECT * FROM ({scan.Sql}) WHERE {sql})");
            Assert.True(lost == 0, $"{lost} rows lost by {sql}");
        }

        Assert.True(pruned > 0, "no filter pruned a file");
    }

    private static (ScanFilter Filter, string Sql) Combine(List<(ScanFilter Filter, string Sql)> leaves, Random random, int depth)
    {
        int choice = random.Next(depth > 2 ? 1 : 4);
        if (choice == 0)
        {
            return leaves[random.Next(leaves.Count)];
        }

        (ScanFilter left, string leftSql) = Combine(leaves, random, depth + 1);
        if (choice == 1)
        {
            return (new ScanFilter.Not(left), $"(NOT {leftSql})");
        }

        (ScanFilter right, string rightSql) = Combine(leaves, random, depth + 1);
        return choice == 2
            ? (new ScanFilter.And([left, right]), $"({leftSql} AND {rightSql})")
            : (new ScanFilter.Or([left, right]), $"({leftSql} OR {rightSql})");
    }

    // What no comparison says: for the engine to evaluate on partition values.
    private static IEnumerable<(ScanFilter Filter, string Sql)> Expressions(DeltaField column)
    {
        string name = SqlText.Identifier(column.Name);
        string[] conditions = column.Type switch
        {
            DeltaPrimitive { Kind: DeltaPrimitiveKind.Date or DeltaPrimitiveKind.Timestamp or DeltaPrimitiveKind.TimestampNtz } =>
                [$"(year({name}) = 2024)", $"(date_trunc('month', {name}) <= DATE '2000-01-01')", $"(CAST({name} AS VARCHAR) LIKE '2%')"],
            DeltaPrimitive { Kind: DeltaPrimitiveKind.String } =>
                [$"(upper({name}) > 'B')", $"(length({name}) % 2 = 0)", $"({name} LIKE '%a%')", $"(TRY_CAST({name} AS INTEGER) > 1)", $"(CAST({name} AS INTEGER) > 1 AND false)"],
            DeltaPrimitive { Kind: DeltaPrimitiveKind.Integer or DeltaPrimitiveKind.Long } => [$"({name} % 2 = 1)", $"(CAST({name} AS VARCHAR) = '1')", $"(coalesce({name}, 7) = 7)"],
            _ => [$"(CAST({name} AS VARCHAR) > '1')", $"({name} IS DISTINCT FROM NULL)"],
        };
        return conditions.Select(c => ((ScanFilter)new ScanFilter.Expression(column.Name, c), c));
    }

    private static IEnumerable<(ScanFilter Filter, string Sql)> Leaves(DuckDBConnection connection, DeltaField column, string path, string name)
    {
        if (column.Type is DeltaStruct s)
        {
            foreach ((ScanFilter, string) leaf in s.Fields.SelectMany(f => Leaves(connection, f, path + ScanFilter.FieldSeparator + f.Name, $"{name}.{SqlText.Identifier(f.Name)}")))
            {
                yield return leaf;
            }
        }

        yield return (new ScanFilter.IsNull(path), $"({name} IS NULL)");
        yield return (new ScanFilter.IsNotNull(path), $"({name} IS NOT NULL)");
        if (column.Type is not (DeltaDecimal or DeltaPrimitive { Kind: not DeltaPrimitiveKind.Variant and not DeltaPrimitiveKind.Void and not DeltaPrimitiveKind.Binary }))
        {
            yield break;
        }

        foreach (string text in Values(connection, name))
        {
            if (Literal(text, column.Type) is not { } literal)
            {
                continue;
            }

            string value = $"CAST({SqlText.Literal(text)} AS {Type(connection, name)})";
            yield return (new ScanFilter.In(path, [literal]), $"({name} IN ({value}))");
            foreach ((ScanComparison comparison, string sign) in new[]
            {
                (ScanComparison.Equal, "="), (ScanComparison.NotEqual, "<>"), (ScanComparison.Less, "<"), (ScanComparison.LessOrEqual, "<="),
                (ScanComparison.Greater, ">"), (ScanComparison.GreaterOrEqual, ">="),
            })
            {
                yield return (new ScanFilter.Compare(path, comparison, literal), $"({name} {sign} {value})");
            }

            if (literal.Value is string { Length: > 0 } word && char.IsAsciiLetterOrDigit(word[0]))
            {
                yield return (new ScanFilter.StartsWith(path, word[..1]), $"starts_with({name}, {SqlText.Literal(word[..1])})");
            }
        }
    }

    private static ScanLiteral? Literal(string text, DeltaType type)
    {
        switch (type)
        {
            case DeltaDecimal:
                int point = text.IndexOf('.', StringComparison.Ordinal);
                BigInteger unscaled = BigInteger.Parse(text.Replace(".", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);
                return new ScanLiteral(new ScanDecimal(unscaled, point < 0 ? 0 : text.Length - point - 1));
            case DeltaPrimitive { Kind: DeltaPrimitiveKind.String }:
                return new ScanLiteral(text);
            case DeltaPrimitive { Kind: DeltaPrimitiveKind.Date }:
                return DateOnly.TryParseExact(text, "yyyy-MM-dd", out DateOnly date) ? new ScanLiteral(date) : null;
            case DeltaPrimitive { Kind: DeltaPrimitiveKind.Timestamp or DeltaPrimitiveKind.TimestampNtz }:
                return DeltaText.TryParseTimestamp(text, out long micros) ? new ScanLiteral(new ScanTimestamp(micros)) : null;
            case DeltaPrimitive { Kind: DeltaPrimitiveKind.Float }:
                return new ScanLiteral((double)float.Parse(text.Replace("inf", "Infinity", StringComparison.Ordinal), CultureInfo.InvariantCulture));
            case DeltaPrimitive { Kind: DeltaPrimitiveKind.Double }:
                return new ScanLiteral(double.Parse(text.Replace("inf", "Infinity", StringComparison.Ordinal), CultureInfo.InvariantCulture));
            case DeltaPrimitive { Kind: DeltaPrimitiveKind.Boolean }:
                return new ScanLiteral(text == "true");
            default:
                return long.TryParse(text, CultureInfo.InvariantCulture, out long number) ? new ScanLiteral(number) : null;
        }
    }

    private static List<string> Values(DuckDBConnection connection, string name)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT DISTINCT CAST({name} AS VARCHAR) AS v FROM everything WHERE {name} IS NOT NULL ORDER BY v LIMIT 30";
        using DuckDBDataReader reader = command.ExecuteReader();
        var values = new List<string>();
        while (reader.Read())
        {
            values.Add(reader.GetString(0));
        }

        return values;
    }

    private static string Type(DuckDBConnection connection, string name)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT typeof({name}) FROM everything LIMIT 1";
        return (string)command.ExecuteScalar()!;
    }

    private static long Count(DuckDBConnection connection, string sql)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT count(*) FROM ({sql})";
        return (long)command.ExecuteScalar()!;
    }
}
