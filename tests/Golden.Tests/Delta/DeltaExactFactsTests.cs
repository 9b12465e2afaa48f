using System.Globalization;
using Apache.Arrow;
using DuckDB.NET.Data;
using LakeHolo.Accelerator;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Execution;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.HotTier;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;
using LakeHolo.Tests.Shared;
using Microsoft.Extensions.Logging.Abstractions;

namespace LakeHolo.Golden.Tests.Delta;

/// <summary>Counts and extremes that the log tells are those of the rows; where it might not tell them exactly, the rows are read.</summary>
public sealed class DeltaExactFactsTests
{
    private const string Usual = """{"numRecords":7,"minValues":{"x":0},"maxValues":{"x":6},"nullCount":{"x":0}}""";

    [Fact]
    public async Task What_the_log_tells_of_every_golden_table_is_what_its_rows_say()
    {
        (int rows, int values, int extremes) = (0, 0, 0);
        foreach (string name in DeltaCaseList.Tables)
        {
            using DeltaCase golden = DeltaCase.Open(name);
            DeltaSnapshot snapshot;
            using DuckDBConnection connection = golden.Engine.OpenConnection();
            try
            {
                snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
                await using TableScan all = await golden.Reader.PlanAsync(snapshot, ScanRequest.All);
                EngineDatabase.Execute(connection, $"CREATE OR REPLACE TABLE everything AS {all.Sql}");
            }
            catch (LakeException)
            {
                continue; // refused, as the golden suite holds
            }

            SnapshotFacts facts = ((ITableReader)golden.Reader).FactsOf(snapshot, [.. snapshot.Columns.Fields.Select(f => f.Name)])!;
            rows += Agrees(connection, facts.Rows?.ToString(CultureInfo.InvariantCulture), "count(*)", name);
            foreach ((string column, ColumnFacts known) in facts.Columns)
            {
                string c = SqlText.Identifier(column);
                values += Agrees(connection, known.Values?.ToString(CultureInfo.InvariantCulture), $"count({c})", $"{name}.{column}");
                extremes += Agrees(connection, known.Least, $"min({c})", $"{name}.{column}") + Agrees(connection, known.Greatest, $"max({c})", $"{name}.{column}");
            }
        }

        Assert.InRange(rows, 20, DeltaCaseList.Tables.Count);
        Assert.InRange(values, 100, 10_000);
        Assert.InRange(extremes, 60, 10_000);
    }

    [Theory]
    [InlineData("long", Usual, 7, "CAST('0' AS BIGINT)", "CAST('6' AS BIGINT)")]
    [InlineData("integer", Usual, 7, "CAST('0' AS INTEGER)", "CAST('6' AS INTEGER)")]
    [InlineData("short", """{"numRecords":7,"minValues":{"x":-32768},"maxValues":{"x":32767},"nullCount":{"x":2},"tightBounds":true}""", 5, "CAST('-32768' AS SMALLINT)", "CAST('32767' AS SMALLINT)")]
    [InlineData("date", """{"numRecords":7,"minValues":{"x":"1900-01-01"},"maxValues":{"x":"9999-12-31"},"nullCount":{"x":0}}""", 7, "CAST('1900-01-01' AS DATE)", "CAST('9999-12-31' AS DATE)")]
    [InlineData("decimal(7,2)", """{"numRecords":7,"minValues":{"x":-0.05},"maxValues":{"x":1.2E3},"nullCount":{"x":0}}""", 7, "CAST('-0.05' AS DECIMAL(7,2))", "CAST('1200.00' AS DECIMAL(7,2))")]
    [InlineData("decimal(15,0)", """{"numRecords":7,"minValues":{"x":"-7"},"maxValues":{"x":999999999999999},"nullCount":{"x":0}}""", 7, "CAST('-7' AS DECIMAL(15,0))", "CAST('999999999999999' AS DECIMAL(15,0))")]
    [InlineData("long", """{"numRecords":7,"nullCount":{"x":7}}""", 0, "CAST(NULL AS BIGINT)", "CAST(NULL AS BIGINT)")]
    [InlineData("long", """{"numRecords":7,"minValues":{"x":0},"maxValues":{"x":6}}""", null, "CAST('0' AS BIGINT)", "CAST('6' AS BIGINT)")]
    public async Task Whole_numbers_dates_and_short_decimals_are_told(string type, string statistics, int? values, string least, string greatest)
    {
        ColumnFacts facts = await OfOneFileAsync(type, statistics);
        Assert.Equal(new ColumnFacts(values, least, greatest), facts);
    }

    [Theory]
    [InlineData("string", """{"numRecords":7,"minValues":{"x":"a"},"maxValues":{"x":"b"},"nullCount":{"x":0}}""", 7)] // cut, perhaps
    [InlineData("timestamp", """{"numRecords":7,"minValues":{"x":"2026-01-01T00:00:00.000Z"},"maxValues":{"x":"2026-01-02T00:00:00.000Z"},"nullCount":{"x":0}}""", 7)] // cut to milliseconds
    [InlineData("double", """{"numRecords":7,"minValues":{"x":0.5},"maxValues":{"x":1.5},"nullCount":{"x":0}}""", 7)] // without NaN
    [InlineData("float", """{"numRecords":7,"minValues":{"x":0.5},"maxValues":{"x":1.5},"nullCount":{"x":0}}""", 7)]
    [InlineData("boolean", """{"numRecords":7,"minValues":{"x":false},"maxValues":{"x":true},"nullCount":{"x":0}}""", 7)]
    [InlineData("decimal(16,2)", """{"numRecords":7,"minValues":{"x":0.5},"maxValues":{"x":1.5},"nullCount":{"x":0}}""", 7)] // a floating number, perhaps
    [InlineData("decimal(7,2)", """{"numRecords":7,"minValues":{"x":0.555},"maxValues":{"x":1.5},"nullCount":{"x":0}}""", 7)]
    [InlineData("decimal(3,2)", """{"numRecords":7,"minValues":{"x":0.5},"maxValues":{"x":10.5},"nullCount":{"x":0}}""", 7)]
    [InlineData("date", """{"numRecords":7,"minValues":{"x":"1899-12-31"},"maxValues":{"x":"2026-01-02"},"nullCount":{"x":0}}""", 7)] // of the Julian calendar, perhaps
    [InlineData("date", """{"numRecords":7,"minValues":{"x":19000},"maxValues":{"x":19001},"nullCount":{"x":0}}""", 7)]
    [InlineData("integer", """{"numRecords":7,"minValues":{"x":0},"maxValues":{"x":2147483648},"nullCount":{"x":0}}""", 7)]
    [InlineData("long", """{"numRecords":7,"minValues":{"x":0.5},"maxValues":{"x":6},"nullCount":{"x":0}}""", 7)]
    [InlineData("long", """{"numRecords":7,"minValues":{"x":"0"},"maxValues":{"x":"6"},"nullCount":{"x":0}}""", 7)]
    [InlineData("long", """{"numRecords":7,"minValues":{"x":6},"maxValues":{"x":0},"nullCount":{"x":0}}""", 7)]
    [InlineData("long", """{"numRecords":7,"minValues":{"x":0},"nullCount":{"x":0}}""", 7)]
    [InlineData("long", """{"numRecords":7,"minValues":{"X":0},"maxValues":{"X":6},"nullCount":{"X":0}}""", null)]
    [InlineData("long", """{"numRecords":7,"minValues":{"x":0},"maxValues":{"x":6},"nullCount":{"x":0},"tightBounds":false}""", null)]
    [InlineData("long", """{"numRecords":7,"minValues":{"x":0},"maxValues":{"x":6},"nullCount":{"x":0},"tightBounds":null}""", null)]
    [InlineData("long", """{"numRecords":7,"minValues":{"x":0,"x":1},"maxValues":{"x":6},"nullCount":{"x":0}}""", null)]
    [InlineData("long", """{"numRecords":7,"minValues":{"x":0},"maxValues":{"x":6},"nullCount":{"x":0},"nullCount":{"x":1}}""", null)]
    [InlineData("long", """{"numRecords":7,"minValues":{"x":0},"maxValues":{"x":6},"nullCount":{"x":0}} {}""", null)]
    [InlineData("long", """{"minValues":{"x":0},"maxValues":{"x":6},"nullCount":{"x":0}}""", null)]
    [InlineData("long", null, null)]
    [InlineData("""{"type":"struct","fields":[{"name":"y","type":"long","nullable":true,"metadata":{}}]}""", """{"numRecords":7,"nullCount":{"x":0}}""", null)]
    public async Task What_may_be_cut_rounded_wide_or_torn_is_not_told(string type, string? statistics, int? values)
    {
        ColumnFacts facts = await OfOneFileAsync(type, statistics);
        Assert.Equal(new ColumnFacts(values, null, null), facts);
    }

    [Theory]
    [InlineData("""{"numRecords":7,"minValues":{"x":0},"maxValues":{"x":6},"nullCount":{"x":8}}""")]
    [InlineData("""{"numRecords":7,"minValues":{"x":0},"maxValues":{"x":6},"nullCount":{"x":-1}}""")]
    public async Task Counts_that_cannot_be_are_not_believed(string statistics) => Assert.Null((await OfOneFileAsync("long", statistics)).Values);

    [Fact]
    public async Task Every_file_has_to_tell_and_none_may_have_deleted_rows()
    {
        Assert.Equal(new ColumnFacts(14, "CAST('-3' AS BIGINT)", "CAST('6' AS BIGINT)"), await OfFilesAsync(Usual, """{"numRecords":7,"minValues":{"x":-3},"maxValues":{"x":-1},"nullCount":{"x":0}}"""));
        Assert.Equal(new ColumnFacts(7, "CAST('0' AS BIGINT)", "CAST('6' AS BIGINT)"), await OfFilesAsync(Usual, """{"numRecords":7,"nullCount":{"x":7}}""", """{"numRecords":0}"""));
        Assert.Equal(new ColumnFacts(14, null, null), await OfFilesAsync(Usual, """{"numRecords":7,"nullCount":{"x":0}}"""));
        Assert.Equal(ColumnFacts.Unknown, await OfFilesAsync(Usual, """{"numRecords":7}"""));
        Assert.Equal(ColumnFacts.Unknown, await OfFilesAsync(Usual, null));
        using var table = new HandMadeTable();
        string deleted = HandMadeTable.Add("b.parquet", 100, Usual).Replace(
            "\"dataChange\":true", "\"dataChange\":true,\"deletionVector\":{\"storageType\":\"u\",\"pathOrInlineDv\":\"ab^-aqEH.-t@S}K{vb[*k^\",\"offset\":4,\"sizeInBytes\":40,\"cardinality\":2}", StringComparison.Ordinal);
        table.Commit(0, [.. HandMadeTable.CreateWith(["deletionVectors"], HandMadeTable.Schema("x long")), HandMadeTable.Add("a.parquet", 100, Usual), deleted]);
        SnapshotFacts facts = ((ITableReader)table.Reader).FactsOf(await table.LoadAsync(), ["x"])!;
        Assert.Equal((12L, ColumnFacts.Unknown), (facts.Rows, facts.Columns["x"]));
    }

    [Fact]
    public async Task Whatever_rows_there_are_what_is_told_of_them_is_so()
    {
        string[] types = ["long", "integer", "short", "byte", "date", "decimal(9,3)", "decimal(15,15)"];
        var random = new Random(Fuzz.NewSeed());
        foreach (int round in Fuzz.Rounds(40))
        {
            string type = types[random.Next(types.Length)];
            int nulls = random.Next(4);
            using var table = new HandMadeTable();
            List<string> actions = [.. HandMadeTable.Create([$"x {type}"])];
            for (int f = random.Next(4); f >= 0; f--)
            {
                string rows = string.Join(", ", Enumerable.Range(0, 1 + random.Next(6)).Select(i => i % 4 < nulls ? "(NULL)" : $"({Value(type, random.NextInt64(long.MinValue, long.MaxValue) >> random.Next(64))})"));
                long size = table.WriteFile($"{f}.parquet", $"SELECT x::{SqlType(type)} AS x FROM (VALUES {rows}) v(x){(random.Next(6) == 0 ? " WHERE false" : string.Empty)}");
                string json = table.Rows(
                    $"SELECT to_json({{numRecords: count(*), minValues: {{x: min(x)}}, maxValues: {{x: max(x)}}, nullCount: {{x: count(*) - count(x)}}}}) FROM read_parquet('{table.TableFile($"{f}.parquet")}')")[0][1..^1];
                actions.Add(HandMadeTable.Add($"{f}.parquet", size, json));
            }

            table.Commit(0, [.. actions]);
            DeltaSnapshot snapshot = await table.LoadAsync();
            SnapshotFacts facts = ((ITableReader)table.Reader).FactsOf(snapshot, ["x"])!;
            await using TableScan scan = await table.Reader.PlanAsync(snapshot, ScanRequest.All);
            ColumnFacts x = facts.Columns["x"];
            Assert.Equal((round, type, table.Rows($"SELECT count(*), count(x), min(x), max(x) FROM ({scan.Sql})")[0]), (round, type, table.Rows($"SELECT {facts.Rows}, {x.Values}, {x.Least}, {x.Greatest}")[0]));
        }
    }

    [Fact]
    public async Task Statements_of_counts_and_extremes_open_no_file_and_answer_as_if_they_had()
    {
        using var table = new HandMadeTable("dwd/t");
        long size = table.WriteFile("a.parquet", "SELECT i AS id, DATE '2026-01-01' + i::INTEGER AS day, CASE WHEN i > 2 THEN i END AS \"Odd name\", i / 2.0 AS price, {'id': i} AS t FROM range(7) r(i)");
        string statistics = """{"numRecords":7,"minValues":{"id":0,"day":"2026-01-01","Odd name":3},"maxValues":{"id":6,"day":"2026-01-07","Odd name":6},"nullCount":{"id":0,"day":0,"Odd name":3,"price":0}}""";
        string schema = HandMadeTable.Schema("id long", "day date", "Odd_name long", "price double", """t {"type":"struct","fields":[{"name":"id","type":"long","nullable":true,"metadata":{}}]}""").Replace("Odd_name", "Odd name", StringComparison.Ordinal);
        table.Commit(0, HandMadeTable.Create(["id long"])[0], HandMadeTable.Metadata(schema), HandMadeTable.Add("a.parquet", size, statistics));
        await using LakeInstance lake = await LakeInstance.StartAsync(
            new LakeOptions
            {
                Sources = [new LakeSource { Name = "lake", Root = new TableRoot(new LocalFolderStore(table.Folder), string.Empty) }],
                DataDirectory = table.File("data"),
                Engine = new EngineOptions { Threads = 1 },
            },
            NullLoggerFactory.Instance,
            TimeProvider.System);
        (string Sql, bool OpensNoFile)[] statements =
        [
            ("SELECT count(*) FROM dwd.t", true),
            ("SELECT min(id), max(id), count(id), count(*), count(1) FROM dwd.t", true),
            ("SELECT MAX(x.id) - min(ID) AS span, CAST(count(*) AS INTEGER), 1.5, 'it''s' FROM dwd.t AS x", true),
            ("SELECT max(day) - min(day), max(day) > DATE '2026-01-05' AND count(*) < 3, count(price) // 2 FROM dwd.t", true),
            ("SELECT min(\"odd NAME\"), count(t.\"Odd name\") FROM dwd.t", true),
            ("SELECT max(dwd.t.id) FROM dwd.t", true),
            ("SELECT count(*) FROM dwd.t AT (VERSION => 0)", true),
            ("FROM dwd.t SELECT count()", true),
            ("SELECT max(price) FROM dwd.t", false),
            ("SELECT max(t.id), max(t) FROM dwd.t", false),
            ("SELECT max(x.t.id) FROM dwd.t AS x", false),
            ("SELECT count(*), sum(1) FROM dwd.t", true),
            ("SELECT count(DISTINCT id) FROM dwd.t", false),
            ("SELECT count(*) FILTER (id > 3) FROM dwd.t", false),
            ("SELECT count(NULL), count(*) FROM dwd.t", true),
            ("SELECT max(id, 2) FROM dwd.t", false),
            ("SELECT max(id) FROM dwd.t WHERE day > DATE '2026-01-03'", false),
            ("SELECT max(id) FROM dwd.t HAVING count(*) > 100", false),
            ("SELECT max(id) FROM dwd.t LIMIT 0", false),
            ("SELECT max(id) FROM dwd.t GROUP BY day ORDER BY 1", false),
            ("SELECT DISTINCT max(id) FROM dwd.t", false),
            ("SELECT max(id) OVER () FROM dwd.t", false),
            ("SELECT max(id) FROM dwd.t AS x(a, id)", false),
            ("SELECT max(id) FROM dwd.t TABLESAMPLE 100%", false),
            ("SELECT (SELECT max(id)) FROM dwd.t", false),
            ("SELECT max(b.id) FROM dwd.t a, dwd.t b", false),
            ("SELECT max(id) + random() * 0 FROM dwd.t", false),
            ("WITH c AS (SELECT 9 AS id) SELECT max(id) FROM c", false),
            ("SELECT 1 FROM dwd.t", true),
            ("SELECT coalesce(max(id), 0), list(id) FROM dwd.t", false),
        ];
        foreach ((string sql, bool opensNoFile) in statements)
        {
            (long opened, long counted) = await FilesAsync(lake, sql);
            Assert.Equal((sql, opensNoFile || sql.Contains("FROM c", StringComparison.Ordinal) ? 0L : 1L), (sql, opened));
            if (opensNoFile)
            {
                Assert.Equal(1, counted);

                // From a subquery: its rows are read.
                string read = sql.Replace(" AT (VERSION => 0)", string.Empty, StringComparison.Ordinal).Replace("dwd.t.", "t.", StringComparison.Ordinal);
                read = read.Contains("dwd.t AS x", StringComparison.Ordinal) ? read.Replace("dwd.t AS x", "(SELECT * FROM dwd.t) AS x", StringComparison.Ordinal) : read.Replace("dwd.t", "(SELECT * FROM dwd.t) AS t", StringComparison.Ordinal);
                Assert.Equal((sql, await RowAsync(lake, $"{read} -- read")), (sql, await RowAsync(lake, sql)));
            }
        }
    }

    private static async Task<(long Read, long Counted)> FilesAsync(LakeInstance lake, string sql)
    {
        await RowAsync(lake, sql);
        IReadOnlyList<TableUse> uses = lake.Engine.Log.Entries[^1].Tables;
        return (uses.Select(u => u.FilesRead).DefaultIfEmpty().Max(), uses.Select(u => u.FilesCounted).DefaultIfEmpty().Max());
    }

    private static async Task<string> RowAsync(LakeInstance lake, string sql)
    {
        QuerySession session = lake.Engine.OpenSession(new SessionIdentity("test", "local", "xunit"));
        IPreparedQuery prepared = await lake.Engine.PrepareAsync(session, sql, default);
        await using IQueryResult result = await prepared.ExecuteAsync(session, null, 0, default);
        string names = string.Join(',', prepared.ResultSchema.FieldsList.Select(f => f.Name + ":" + f.DataType.Name));
        Assert.Equal(names, string.Join(',', result.Schema.FieldsList.Select(f => f.Name + ":" + f.DataType.Name)));
        var text = new List<string>();
        await foreach (RecordBatch batch in result.ReadBatchesAsync(default))
        {
            using (batch)
            {
                text.AddRange(Enumerable.Range(0, batch.ColumnCount).Select(c => Cell(batch.Column(c))));
            }
        }

        return string.Join('|', text);
    }

    private static string Cell(IArrowArray array) => array.IsNull(0) ? "NULL" : array switch
    {
        Int32Array a => a.GetValue(0)!.Value.ToString(CultureInfo.InvariantCulture),
        Int64Array a => a.GetValue(0)!.Value.ToString(CultureInfo.InvariantCulture),
        Date32Array a => a.GetDateOnly(0)!.Value.ToString("o", CultureInfo.InvariantCulture),
        BooleanArray a => a.GetValue(0)!.Value.ToString(),
        DoubleArray a => a.GetValue(0)!.Value.ToString("R", CultureInfo.InvariantCulture),
        Decimal128Array a => a.GetString(0)!,
        StringArray a => a.GetString(0),
        _ => array.Data.DataType.Name,
    };

    private static string Value(string type, long v) => type switch
    {
        "long" => $"{v}",
        "integer" => $"{(int)v}",
        "short" => $"{(short)v}",
        "byte" => $"{(sbyte)v}",
        "date" => $"DATE '1900-01-01' + {(ulong)v % 80_000}",
        "decimal(9,3)" => $"{v % 999_999_999}::DECIMAL(18,0) * 0.001::DECIMAL(4,3)",
        _ => $"{v % 999_999_999_999_999}::DECIMAL(18,0) * 0.000000000000001::DECIMAL(16,15)",
    };

    private static string SqlType(string type) => type switch { "long" => "BIGINT", "integer" => "INTEGER", "short" => "SMALLINT", "byte" => "TINYINT", _ => type };

    private static int Agrees(DuckDBConnection connection, string? told, string of, string where)
    {
        if (told is null)
        {
            return 0;
        }

        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT {of} IS NOT DISTINCT FROM {told} FROM everything";
        Assert.True((bool)command.ExecuteScalar()!, $"{where}: {of} is not {told}");
        return 1;
    }

    private static Task<ColumnFacts> OfFilesAsync(params string?[] statistics) => OfAsync("long", statistics);

    private static Task<ColumnFacts> OfOneFileAsync(string type, string? statistics) => OfAsync(type, [statistics]);

    private static async Task<ColumnFacts> OfAsync(string type, string?[] statistics)
    {
        using var table = new HandMadeTable();
        table.Commit(0, [.. HandMadeTable.Create([$"x {type}", "y long"]), .. statistics.Select((s, i) => HandMadeTable.Add($"{i}.parquet", 100, s))]);
        return ((ITableReader)table.Reader).FactsOf(await table.LoadAsync(), ["x"])!.Columns["x"];
    }
}
