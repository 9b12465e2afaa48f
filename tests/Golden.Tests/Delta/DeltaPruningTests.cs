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
        ["stats_edge", "part_many_types", "type_widening", "ckpt_struct_stats", "part_string_special", "timestamp_ntz", "rs_partition_dml", "cmap_name_mode"];

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
        foreach (DeltaField column in snapshot.Columns.Fields.Where(f => f.Type is DeltaDecimal or DeltaPrimitive))
        {
            leaves.AddRange(Leaves(connection, column));
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

    private static IEnumerable<(ScanFilter Filter, string Sql)> Leaves(DuckDBConnection connection, DeltaField column)
    {
        string name = SqlText.Identifier(column.Name);
        yield return (new ScanFilter.IsNull(column.Name), $"({name} IS NULL)");
        yield return (new ScanFilter.IsNotNull(column.Name), $"({name} IS NOT NULL)");
        foreach (string text in Values(connection, name))
        {
            if (Literal(text, column.Type) is not { } literal)
            {
                continue;
            }

            string value = $"CAST({SqlText.Literal(text)} AS {Type(connection, name)})";
            yield return (new ScanFilter.In(column.Name, [literal]), $"({name} IN ({value}))");
            foreach ((ScanComparison comparison, string sign) in new[]
            {
                (ScanComparison.Equal, "="), (ScanComparison.NotEqual, "<>"), (ScanComparison.Less, "<"), (ScanComparison.LessOrEqual, "<="),
                (ScanComparison.Greater, ">"), (ScanComparison.GreaterOrEqual, ">="),
            })
            {
                yield return (new ScanFilter.Compare(column.Name, comparison, literal), $"({name} {sign} {value})");
            }

            if (literal.Value is string { Length: > 0 } s && char.IsAsciiLetterOrDigit(s[0]))
            {
                yield return (new ScanFilter.StartsWith(column.Name, s[..1]), $"starts_with({name}, {SqlText.Literal(s[..1])})");
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
        command.CommandText = $"SELECT data_type FROM duckdb_columns() WHERE table_name = 'everything' AND column_name = {SqlText.Literal(name[1..^1])}";
        return (string)command.ExecuteScalar()!;
    }

    private static long Count(DuckDBConnection connection, string sql)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT count(*) FROM ({sql})";
        return (long)command.ExecuteScalar()!;
    }
}
